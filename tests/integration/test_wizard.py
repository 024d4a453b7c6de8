"""Every choice of the wizard through a real channel: what is asked for is what the account then has and allows."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import grpc
import pytest
from botocore.exceptions import ClientError

from embedded_aws import consecutive_codes
from identity_provisioning.v1.credential_pb2 import ConsolePasswordSpec, CredentialSpec, MfaDeviceSpec
from identity_provisioning.v1.credential_service_pb2 import (
    CreateMfaDeviceRequest,
    DeleteMfaDeviceRequest,
    DisableConsoleAccessRequest,
    EnableMfaDeviceRequest,
)
from identity_provisioning.v1.permission_pb2 import InlinePolicy, NewGroup, NewPolicy, PermissionSpec, SelfManagement
from identity_provisioning.v1.permission_service_pb2 import (
    CreateGroupRequest,
    CreatePolicyRequest,
    DeleteGroupRequest,
    DeletePolicyRequest,
    ListGroupsRequest,
    ListPoliciesRequest,
    RevokePermissionsRequest,
)
from identity_provisioning.v1.user_pb2 import Tag, UserSpec
from identity_provisioning.v1.user_service_pb2 import ListUsersRequest, ProvisionUserRequest, UpdateUserRequest
from tests.integration.conftest import TEAM, Account, Stubs, document, reason_of

READ = document({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::acme/*"})


def provision(stubs: Stubs, user_name: str, **parts: Any) -> Any:
    """Provision a user."""
    return stubs.call("ProvisionUser", ProvisionUserRequest(user=UserSpec(user_name=user_name, **parts)))


def test_groups_policies_and_boundary_are_made_on_the_way(stubs: Stubs, account: Account) -> None:
    """One call makes a boundary, a policy, a group with policies, and the user who has them all."""
    provision(
        stubs,
        "ana",
        permissions=PermissionSpec(
            new_groups=[NewGroup(group_name="Readers", path="/teams/", managed_policies=["Deploy"])],
            new_policies=[NewPolicy(policy_name="Read", document=READ, description="reads")],
            new_permissions_boundary=NewPolicy(policy_name="Limit", path="/limits/", document=READ),
        ),
    )
    user = account.iam.get_user(UserName="ana")["User"]
    limit = "arn:aws:iam::123456789012:policy/limits/Limit"
    assert user["PermissionsBoundary"]["PermissionsBoundaryArn"] == limit
    assert [group["Arn"] for group in account.iam.list_groups_for_user(UserName="ana")["Groups"]] == [
        "arn:aws:iam::123456789012:group/teams/Readers"
    ]
    attached = account.iam.list_attached_user_policies(UserName="ana")["AttachedPolicies"]
    assert [policy["PolicyName"] for policy in attached] == ["Read"]
    tags = {tag["Key"]: tag["Value"] for tag in account.iam.get_policy(PolicyArn=limit)["Policy"]["Tags"]}
    assert tags["identity-provisioning:owner"] == TEAM


def test_a_copy_is_shown_expanded_and_is_complete(stubs: Stubs, account: Account) -> None:
    """A model with twelve inline policies and groups is copied whole, and the plan shows each step of it."""
    account.iam.create_user(UserName="model", PermissionsBoundary=account.policy_arn("Boundary"))
    account.iam.add_user_to_group(UserName="model", GroupName="Developers")
    account.iam.attach_user_policy(UserName="model", PolicyArn=account.policy_arn("Deploy"))
    for number in range(12):
        account.iam.put_user_policy(UserName="model", PolicyName=f"p{number:02}", PolicyDocument=READ)
    request = ProvisionUserRequest(
        user=UserSpec(user_name="ana", permissions=PermissionSpec(copy_from_user_name="model")), validate_only=True
    )
    plan = stubs.call("ProvisionUser", request).plan
    assert [step.iam_action for step in plan.steps].count("iam:PutUserPolicy") == 12
    provision(stubs, "ana", permissions=PermissionSpec(copy_from_user_name="model"))
    (ana,) = [user for user in account.aws.dump()["users"] if user["name"] == "ana"]
    (model,) = [user for user in account.aws.dump()["users"] if user["name"] == "model"]
    for part in ("boundary", "inline_policies", "attached_policies", "groups"):
        assert ana.get(part) == model.get(part), part


@pytest.fixture
def guarded(account: Account) -> Iterator[Account]:
    """Let the account check permissions while a test runs."""
    account.aws.set_access_control(True)
    yield account
    account.aws.set_access_control(False)


def client_of(account: Account, user_name: str) -> Any:
    """Make an IAM client with a key of the user."""
    key = account.iam.create_access_key(UserName=user_name)["AccessKey"]
    return boto3.client(
        "iam",
        endpoint_url=account.aws.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )


@pytest.mark.parametrize(
    ("level", "may_make_keys"),
    [
        (SelfManagement.SELF_MANAGEMENT_PASSWORD, False),
        (SelfManagement.SELF_MANAGEMENT_CREDENTIALS, True),
        (SelfManagement.SELF_MANAGEMENT_CREDENTIALS_WITH_MFA, False),
    ],
)
def test_self_management_grants_what_its_level_says(
    stubs: Stubs, guarded: Account, level: SelfManagement.ValueType, may_make_keys: bool
) -> None:
    """A user on a path changes the own password on each level, and makes own keys where MFA is not asked for."""
    made = provision(
        stubs,
        "ana",
        path="/people/",
        credentials=CredentialSpec(console_password=ConsolePasswordSpec()),
        permissions=PermissionSpec(self_management=level),
    )
    provision(stubs, "bo", path="/people/")
    own = client_of(guarded, "ana")
    own.change_password(OldPassword=made.credentials.console_password.password, NewPassword="Another-Horse-8")
    assert allowed(lambda: own.create_access_key(UserName="ana")) is may_make_keys
    assert not allowed(lambda: own.create_access_key(UserName="bo"))
    assert not allowed(lambda: own.attach_user_policy(UserName="ana", PolicyArn=guarded.policy_arn("Deploy")))


def allowed(call: Any) -> bool:
    """Tell whether AWS carries a call out; any other refusal than AccessDenied is a failure of the test."""
    try:
        call()
    except ClientError as error:
        code = error.response["Error"]["Code"]
    else:
        return True
    assert code == "AccessDenied"
    return False


def test_an_mfa_device_goes_from_pending_to_enabled_and_away(stubs: Stubs, account: Account) -> None:
    """Seed and QR code are answered once; a wrong code leaves the device pending; two good ones enable it."""
    provision(stubs, "ana")
    made = stubs.call("CreateMfaDevice", CreateMfaDeviceRequest(user_name="ana", mfa_device=MfaDeviceSpec()))
    device = made.credentials.mfa_device
    assert device.serial_number == "arn:aws:iam::123456789012:mfa/ana"
    assert device.qr_code_png.startswith(b"\x89PNG")
    first, second = consecutive_codes(device.base32_seed)
    request = {"user_name": "ana", "serial_number": device.serial_number}
    with pytest.raises(grpc.RpcError) as caught:
        stubs.call("EnableMfaDevice", EnableMfaDeviceRequest(**request, first_code=second, second_code=first))
    assert reason_of(caught.value) == "INVALID_MFA_CODE"
    assert account.iam.list_mfa_devices(UserName="ana")["MFADevices"] == []
    enabled = stubs.call("EnableMfaDevice", EnableMfaDeviceRequest(**request, first_code=first, second_code=second))
    assert enabled.mfa_device.serial_number == device.serial_number
    stubs.call("DeleteMfaDevice", DeleteMfaDeviceRequest(**request))
    assert account.iam.list_virtual_mfa_devices()["VirtualMFADevices"] == []


def test_an_abandoned_device_is_replaced(stubs: Stubs, account: Account) -> None:
    """A device that nobody enabled does not block a new one of its name."""
    provision(stubs, "ana", credentials=CredentialSpec(mfa_device=MfaDeviceSpec()))
    request = CreateMfaDeviceRequest(user_name="ana", validate_only=True)
    warnings = stubs.call("CreateMfaDevice", request).plan.warnings
    assert any("replaced" in warning.message for warning in warnings)
    stubs.call("CreateMfaDevice", CreateMfaDeviceRequest(user_name="ana"))
    assert len(account.iam.list_virtual_mfa_devices()["VirtualMFADevices"]) == 1


def test_console_access_ends_and_keys_stay(stubs: Stubs, account: Account) -> None:
    """Disabling console access deletes the password and answers the keys that still work."""
    provision(stubs, "ana", credentials=CredentialSpec(access_key=True, console_password=ConsolePasswordSpec()))
    ended = stubs.call("DisableConsoleAccess", DisableConsoleAccessRequest(user_name="ana"))
    assert len(ended.access_keys) == 1
    with pytest.raises(account.iam.exceptions.NoSuchEntityException):
        account.iam.get_login_profile(UserName="ana")


def test_a_rename_moves_everything(stubs: Stubs, account: Account) -> None:
    """Name, path and tags change; key, password, group and policies move along."""
    provision(
        stubs,
        "ana",
        tags=[Tag(key="team", value="a"), Tag(key="old", value="x")],
        credentials=CredentialSpec(access_key=True, console_password=ConsolePasswordSpec()),
        permissions=PermissionSpec(
            group_names=["Developers"], inline_policies=[InlinePolicy(policy_name="read", document=READ)]
        ),
    )
    request = UpdateUserRequest(
        user_name="ANA",
        new_user_name="ana.lima",
        new_path="/people/",
        set_tags=[Tag(key="team", value="b")],
        remove_tag_keys=["old"],
    )
    updated = stubs.call("UpdateUser", request)
    assert updated.user.arn == "arn:aws:iam::123456789012:user/people/ana.lima"
    assert {tag.key: tag.value for tag in updated.user.tags if tag.key in ("team", "old")} == {"team": "b"}
    (user,) = account.aws.dump()["users"]
    assert user["name"] == "ana.lima"
    assert user["login_profile"]
    assert account.iam.list_groups_for_user(UserName="ana.lima")["Groups"]


def test_revoking_says_what_changed_and_what_was_so(stubs: Stubs, account: Account) -> None:
    """What the user has is taken; what it does not have is unchanged; a second time nothing is done."""
    provision(stubs, "ana", permissions=PermissionSpec(group_names=["Developers"], managed_policies=["Deploy"]))
    request = RevokePermissionsRequest(
        user_name="ana", group_names=["Developers", "Nobody"], managed_policies=["Deploy", "Boundary"]
    )
    first = stubs.call("RevokePermissions", request)
    assert sorted(step.unchanged for step in first.steps) == [False, False, True, True]
    assert "arn:aws:iam::123456789012:group/Nobody" in {step.resource for step in first.steps}
    account.aws.clear_calls()
    request.request_id = ""
    second = stubs.call("RevokePermissions", request)
    assert all(step.unchanged for step in second.steps)
    assert account.writes() == []


def test_groups_and_policies_have_a_life_of_their_own(stubs: Stubs, account: Account) -> None:
    """They are made, listed with what they hold, refused deletion while in use, and deleted with all versions."""
    arn = stubs.call(
        "CreatePolicy", CreatePolicyRequest(policy=NewPolicy(policy_name="Read", document=READ))
    ).policy.arn
    account.iam.create_policy_version(PolicyArn=arn, PolicyDocument=READ, SetAsDefault=True)
    made = stubs.call("CreateGroup", CreateGroupRequest(group=NewGroup(group_name="Readers", managed_policies=[arn])))
    assert [policy.policy_arn for policy in made.group.attached_policies] == [arn]
    groups = stubs.call("ListGroups", ListGroupsRequest()).groups
    (readers,) = [group for group in groups if group.group_name == "Readers"]
    assert [policy.policy_name for policy in readers.attached_policies] == ["Read"]
    with pytest.raises(grpc.RpcError) as in_use:
        stubs.call("DeletePolicy", DeletePolicyRequest(policy_arn=arn))
    assert reason_of(in_use.value) == "IN_USE"
    assert "Readers" in str(in_use.value.details())
    stubs.call("DeleteGroup", DeleteGroupRequest(group_name="readers"))
    stubs.call("DeletePolicy", DeletePolicyRequest(policy_arn=arn))
    left = stubs.call("ListPolicies", ListPoliciesRequest(scope=ListPoliciesRequest.SCOPE_CUSTOMER)).policies
    assert {policy.policy_name for policy in left} == {"Deploy", "Boundary", "OtherBoundary"}


def test_somebody_elses_policy_is_not_deleted(stubs: Stubs, account: Account) -> None:
    """A policy without the caller's owner tag stays."""
    with pytest.raises(grpc.RpcError) as caught:
        stubs.call("DeletePolicy", DeletePolicyRequest(policy_arn=account.policy_arn("Deploy")))
    assert reason_of(caught.value) == "NOT_OWNER"


def test_policies_are_found_among_awss(stubs: Stubs, account: Account) -> None:
    """A search goes through the fifteen hundred policies of AWS, page by page."""
    request = ListPoliciesRequest(scope=ListPoliciesRequest.SCOPE_AWS, search="changepassword", page_size=1000)
    found = pages(stubs, "ListPolicies", request, "policies")
    assert [policy.policy_name for policy in found] == ["IAMUserChangePassword"]


def pages(stubs: Stubs, rpc: str, request: Any, items: str) -> list[Any]:
    """Read all pages of a listing."""
    found: list[Any] = []
    for _ in range(100):
        response = stubs.call(rpc, request)
        assert len(getattr(response, items)) <= (request.page_size or 100)
        found += getattr(response, items)
        if not response.next_page_token:
            return found
        request.page_token = response.next_page_token
    raise AssertionError("the listing does not end")


def test_users_are_listed_by_path_name_tag_and_owner(stubs: Stubs, account: Account) -> None:
    """Pages hold no more than asked for, miss nobody, and hold only who fits."""
    for number in range(130):
        account.iam.create_user(UserName=f"user{number:03}", Path="/many/", Tags=[{"Key": "n", "Value": str(number)}])
    provision(stubs, "Ana", path="/people/", tags=[Tag(key="Role", value="engineer")])

    def names(**conditions: Any) -> list[str]:
        found = pages(stubs, "ListUsers", ListUsersRequest(page_size=50, **conditions), "users")
        return [user.user_name for user in found]

    assert len(names()) == 131
    assert len(names(path_prefix="/many/")) == 130
    assert names(name_prefix="ANA") == ["Ana"]
    assert names(owner_team=TEAM) == ["Ana"]
    assert names(tags=[Tag(key="role", value="engineer")]) == ["Ana"]
    assert names(tags=[Tag(key="n", value="7")]) == ["user007"]
    assert names(tags=[Tag(key="n")], path_prefix="/people/") == []


def test_a_page_token_of_nobody_is_refused(stubs: Stubs, account: Account) -> None:
    """A made-up token names its field."""
    with pytest.raises(grpc.RpcError) as caught:
        stubs.call("ListUsers", ListUsersRequest(page_token="made-up"))
    assert reason_of(caught.value) == "INVALID_FIELD"


def test_a_review_shows_what_is_granted(stubs: Stubs, account: Account) -> None:
    """Documents and tags stand in the plan word for word, copied ones too; the random row tag does not."""
    account.iam.create_user(UserName="model")
    account.iam.put_user_policy(UserName="model", PolicyName="read", PolicyDocument=READ)
    user = UserSpec(
        user_name="ana",
        tags=[Tag(key="role", value="engineer")],
        permissions=PermissionSpec(copy_from_user_name="model"),
    )
    plan = stubs.call("ProvisionUser", ProvisionUserRequest(user=user, validate_only=True)).plan
    details = {step.iam_action: dict(step.details) for step in plan.steps}
    assert details["iam:PutUserPolicy"] == {"document": READ}
    assert details["iam:CreateUser"] == {"tag role": "engineer", "tag identity-provisioning:owner": TEAM}


def test_findings_are_part_of_the_review(stubs: Stubs, account: Account) -> None:
    """A policy that lets its holder gain more is found before it is made."""
    admin = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
    request = CreatePolicyRequest(policy=NewPolicy(policy_name="Admin", document=admin), validate_only=True)
    plan = stubs.call("CreatePolicy", request).plan
    assert plan.policy == "Admin"
    assert any("gain more rights" in warning.message for warning in plan.warnings)
