"""The main job through a real channel: what is asked for is what the account then has."""

import json
from uuid import uuid4

import boto3
import pytest

from identity_client import (
    AlreadyExists,
    AsyncIdentityClient,
    ConsolePassword,
    IdentityClient,
    InvalidRequest,
    NotBuiltYet,
    NotFound,
    PermissionDenied,
    PlanChanged,
)
from identity_provisioning.v1.permission_service_pb2 import CheckAccessRequest
from tests.integration.conftest import RESET_POLICY, TEAM, Account, document

READ = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::acme/*"}


def test_one_call_makes_the_whole_user(client: IdentityClient, account: Account) -> None:
    """Name, path, tags, boundary, group, policies, key and password are in the account and in the answer."""
    made = client.provision_user(
        "ana.lima",
        path="/people/",
        tags={"cost-center": "4711"},
        groups=["Developers"],
        policies=["Deploy", "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"],
        inline_policies={"read": document(READ)},
        boundary="Boundary",
        access_key=True,
        console_password=ConsolePassword(require_reset=True),
    )
    user = account.iam.get_user(UserName="ana.lima")["User"]
    assert user["Arn"] == made.user.arn == "arn:aws:iam::123456789012:user/people/ana.lima"
    assert user["PermissionsBoundary"]["PermissionsBoundaryArn"] == account.policy_arn("Boundary")
    tags = {tag["Key"]: tag["Value"] for tag in user["Tags"]}
    assert tags["cost-center"] == "4711"
    assert tags["identity-provisioning:owner"] == made.user.owner_team == TEAM
    assert tags["identity-provisioning:row"]
    attached = account.iam.list_attached_user_policies(UserName="ana.lima")["AttachedPolicies"]
    assert {policy["PolicyName"] for policy in attached} == {
        "Deploy",
        "AmazonS3ReadOnlyAccess",
        "IAMUserChangePassword",
    }
    inline = account.iam.get_user_policy(UserName="ana.lima", PolicyName="read")["PolicyDocument"]
    assert inline == json.loads(document(READ))
    groups = account.iam.list_groups_for_user(UserName="ana.lima")["Groups"]
    assert [group["GroupName"] for group in groups] == ["Developers"]
    assert account.iam.get_login_profile(UserName="ana.lima")["LoginProfile"]["PasswordResetRequired"] is True
    assert made.sign_in_url == "https://acme.signin.aws.amazon.com/console"
    assert len(made.credentials.console_password.password) >= 8
    assert {step.aws_request_id for step in made.steps} <= {call.request_id for call in account.aws.calls()}
    assert all(step.aws_request_id for step in made.steps)


def test_the_issued_key_is_the_users(client: IdentityClient, account: Account) -> None:
    """Whoever holds the issued access key is that user for AWS, path included."""
    made = client.provision_user("bot", path="/machines/", access_key=True)
    key = made.credentials.access_key
    sts = boto3.client(
        "sts",
        endpoint_url=account.aws.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=key.access_key_id,
        aws_secret_access_key=key.secret_access_key,
    )
    assert sts.get_caller_identity()["Arn"] == "arn:aws:iam::123456789012:user/machines/bot"


def test_only_what_is_asked_for_is_made(client: IdentityClient, account: Account) -> None:
    """A user without credentials and permissions is made by one call and nothing else."""
    made = client.provision_user("plain")
    assert [operation for operation, _ in account.writes()] == ["CreateUser"]
    assert not made.credentials.HasField("access_key")
    assert not made.credentials.HasField("console_password")


def test_the_plan_and_what_is_done_agree(client: IdentityClient, account: Account) -> None:
    """Each step of the reviewed plan is one call that the account saw, in the plan's rounds; there is no other."""
    wanted = {
        "path": "/people/",
        "groups": ["Developers"],
        "policies": ["Deploy"],
        "inline_policies": {"read": document(READ)},
        "boundary": "Boundary",
        "access_key": True,
        "console_password": ConsolePassword(require_reset=True),
    }
    plan = client.provision_user("ana", validate_only=True, **wanted).plan  # type: ignore[arg-type]  # of one shape
    assert account.writes() == []
    made = client.provision_user("ana", expected_plan_digest=plan.digest, **wanted)  # type: ignore[arg-type]  # as above

    planned = [(step.round, step.iam_action.removeprefix("iam:")) for step in plan.steps]
    seen = [operation for operation, _ in account.writes()]
    assert sorted(seen) == sorted(action for _, action in planned)
    for number in {step.round for step in plan.steps}:
        in_round = sorted(action for round_, action in planned if round_ == number)
        position = sum(1 for round_, _ in planned if round_ < number)
        assert sorted(seen[position : position + len(in_round)]) == in_round
    assert sorted((step.iam_action, step.resource) for step in plan.steps) == sorted(
        (step.iam_action, step.resource) for step in made.steps
    )
    parameters = dict(account.writes())
    assert parameters["CreateUser"]["Path"] == "/people/"
    assert parameters["CreateUser"]["PermissionsBoundary"] == account.policy_arn("Boundary")
    assert parameters["AddUserToGroup"]["GroupName"] == "Developers"
    attached = {
        parameters["PolicyArn"] for operation, parameters in account.writes() if operation == "AttachUserPolicy"
    }
    assert attached == {account.policy_arn("Deploy"), RESET_POLICY}


def test_a_deletion_does_what_its_plan_says(client: IdentityClient, account: Account) -> None:
    """The teardown's plan lists exactly the calls that then come, in IAM's order, and the user is gone."""
    client.provision_user(
        "ana",
        groups=["Developers"],
        policies=["Deploy"],
        access_key=True,
        console_password=True,
        inline_policies={"read": document(READ)},
    )
    account.iam.create_virtual_mfa_device(VirtualMFADeviceName="ana")
    account.aws.clear_calls()
    plan = client.delete_user("ana", validate_only=True).plan
    client.delete_user("ana", expected_plan_digest=plan.digest)
    planned = [step.iam_action.removeprefix("iam:") for step in plan.steps]
    assert [operation for operation, _ in account.writes()] == planned
    assert planned == [
        "DeleteLoginProfile",
        "DeleteAccessKey",
        "DeleteVirtualMFADevice",
        "DeleteUserPolicy",
        "DetachUserPolicy",
        "RemoveUserFromGroup",
        "DeleteUser",
    ]
    with pytest.raises(account.iam.exceptions.NoSuchEntityException):
        account.iam.get_user(UserName="ana")


def test_the_steps_may_be_taken_one_by_one(client: IdentityClient, account: Account) -> None:
    """CreateUser, AssignPermissions and CreateCredentials come to the same user as ProvisionUser."""
    client.create_user("ana", path="/people/", tags={"a": "b"}, boundary="Boundary")
    client.assign_permissions("ana", groups=["Developers"], policies=["Deploy"])
    client.create_credentials("ana", access_key=True, console_password=ConsolePassword(require_reset=True))
    seen = client.get_user("ana")
    assert seen.user.permissions_boundary_arn == account.policy_arn("Boundary")
    assert list(seen.group_names) == ["Developers"]
    assert {policy.policy_name for policy in seen.attached_policies} == {"Deploy", "IAMUserChangePassword"}
    assert len(seen.access_keys) == 1
    assert seen.login_profile.reset_required


def test_a_boundary_can_be_set_afterwards(client: IdentityClient, account: Account) -> None:
    """AssignPermissions sets and replaces a boundary, and leaves one that is there already."""
    client.create_user("ana", boundary="Boundary")
    client.assign_permissions("ana", boundary="OtherBoundary")
    assert client.get_user("ana").user.permissions_boundary_arn == account.policy_arn("OtherBoundary")
    again = client.assign_permissions("ana", boundary="OtherBoundary")
    assert [step.unchanged for step in again.steps] == [True]


def test_the_reset_policy_is_attached_only_where_it_is_needed(client: IdentityClient, account: Account) -> None:
    """IAMUserChangePassword, unless the account lets users change their own password."""
    client.provision_user("with", console_password=ConsolePassword(require_reset=True))
    account.iam.update_account_password_policy(AllowUsersToChangePassword=True, MinimumPasswordLength=8)
    client.provision_user("without", console_password=ConsolePassword(require_reset=True))

    def attached(user_name: str) -> list[str]:
        return [p["PolicyArn"] for p in account.iam.list_attached_user_policies(UserName=user_name)["AttachedPolicies"]]

    assert attached("with") == [RESET_POLICY]
    assert attached("without") == []


def test_a_generated_password_satisfies_the_accounts_policy(client: IdentityClient, account: Account) -> None:
    """The strictest policy that an account can have is met."""
    account.iam.update_account_password_policy(
        MinimumPasswordLength=128,
        RequireSymbols=True,
        RequireNumbers=True,
        RequireUppercaseCharacters=True,
        RequireLowercaseCharacters=True,
    )
    assert len(client.provision_user("ana", console_password=True).credentials.console_password.password) == 128


def test_a_custom_password_is_set_and_not_answered(client: IdentityClient, account: Account) -> None:
    """The caller's own password is the user's; it is not sent back."""
    made = client.provision_user("ana", console_password=ConsolePassword(custom="Correct-Horse-7"))
    assert account.iam.get_login_profile(UserName="ana")
    assert made.credentials.console_password.password == ""
    assert not made.credentials.console_password.generated


def test_the_account_is_described(client: IdentityClient, account: Account) -> None:
    """Id, alias, sign-in URL, the default password policy, and quotas with their use."""
    client.create_user("ana")
    described = client.get_account().account
    assert (described.account_id, described.alias) == ("123456789012", "acme")
    assert described.password_policy.is_default
    assert (described.password_policy.minimum_length, described.password_policy.minimum_classes) == (8, 3)
    quotas = {quota.quota_name: quota for quota in described.quotas}
    assert (quotas["UsersQuota"].used, quotas["UsersQuota"].limit) == (1, 5000)
    assert quotas["GroupsPerUserQuota"].limit == 10
    assert not quotas["GroupsPerUserQuota"].HasField("used")


def test_a_finished_request_is_answered_again_without_secrets(client: IdentityClient, account: Account) -> None:
    """A duplicate delivery does nothing again and shows no secret."""
    request_id = str(uuid4())
    first = client.provision_user("ana", access_key=True, request_id=request_id)
    account.aws.clear_calls()
    again = client.provision_user("ana", access_key=True, request_id=request_id)
    assert account.writes() == []
    assert again.replayed
    assert again.user == first.user
    assert again.credentials.access_key.access_key_id == first.credentials.access_key.access_key_id
    assert again.credentials.access_key.secret_access_key == ""
    assert again.credentials.secrets_withheld
    with pytest.raises(InvalidRequest) as caught:
        client.provision_user("ana", access_key=False, request_id=request_id)
    assert caught.value.reason == "REQUEST_ID_REUSED"


def test_a_plan_that_changed_is_not_run(client: IdentityClient, account: Account) -> None:
    """What the reviewer did not see is not done."""
    plan = client.provision_user("ana", groups=["Developers"], validate_only=True).plan
    with pytest.raises(PlanChanged):
        client.provision_user("ana", expected_plan_digest=plan.digest)
    assert account.writes() == []


def test_a_user_without_our_owner_tag_is_not_touched(client: IdentityClient, account: Account) -> None:
    """Somebody else's user is neither changed nor deleted, and stays byte for byte."""
    account.iam.create_user(UserName="theirs", Tags=[{"Key": "identity-provisioning:owner", "Value": "other-team"}])
    before = account.aws.dump()
    for attempt in (
        lambda: client.delete_user("theirs"),
        lambda: client.create_credentials("theirs", access_key=True),
        lambda: client.assign_permissions("theirs", groups=["Developers"]),
        lambda: client.delete_user("theirs", validate_only=True),
    ):
        with pytest.raises(PermissionDenied) as caught:
            attempt()
        assert caught.value.reason == "NOT_OWNER"
    with pytest.raises(AlreadyExists):
        client.provision_user("Theirs")
    assert account.aws.dump() == before


def test_an_absent_user_is_not_found(client: IdentityClient, account: Account) -> None:
    """Reading, changing and deleting nobody is NOT_FOUND."""
    for attempt in (
        lambda: client.get_user("nobody"),
        lambda: client.delete_user("nobody"),
        lambda: client.create_credentials("nobody", access_key=True),
    ):
        with pytest.raises(NotFound) as caught:
            attempt()
        assert caught.value.reason == "USER_NOT_FOUND"


def test_what_is_not_built_says_so(client: IdentityClient, account: Account) -> None:
    """A declared RPC that is not built yet is refused, never ignored."""
    with pytest.raises(NotBuiltYet) as refused:
        client.check_access(CheckAccessRequest(user_name="ana", actions=["s3:GetObject"]))
    assert refused.value.reason == "NOT_BUILT_YET"
    assert account.writes() == []


async def test_the_async_client_does_the_same(server: str, account: Account) -> None:
    """The async twin provisions, reads and deletes."""
    async with AsyncIdentityClient(server, insecure=True) as client:
        made = await client.provision_user("ana", groups=["Developers"], access_key=True)
        assert (await client.get_user("ana")).user == made.user
        await client.delete_user("ana")
    assert account.iam.list_users()["Users"] == []
