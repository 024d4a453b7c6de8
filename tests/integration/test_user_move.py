"""A rename or a move over the wire: the review says what follows, and what it says is what happens."""

import json

import pytest

from embedded_aws import Fault, consecutive_codes
from embedded_aws.faults import AnswerError
from identity_client import IdentityClient, IdentityServiceError
from identity_provisioning.v1.credential_pb2 import ConsolePasswordSpec, CredentialSpec, MfaDeviceSpec
from identity_provisioning.v1.credential_service_pb2 import CreateMfaDeviceRequest, EnableMfaDeviceRequest
from identity_provisioning.v1.permission_pb2 import InlinePolicy, PermissionSpec
from identity_provisioning.v1.plan_pb2 import Plan, PlanWarning
from identity_provisioning.v1.user_pb2 import Tag, UserSpec
from identity_provisioning.v1.user_service_pb2 import GetUserRequest, ProvisionUserRequest, UpdateUserRequest
from tests.integration.conftest import Account, Stubs, document

PREFIX = "arn:aws:iam::123456789012:"
SERIAL = f"{PREFIX}mfa/ana"


def about(resource: str) -> str:
    """Write a document on one resource."""
    return document({"Effect": "Allow", "Action": "iam:GetUser", "Resource": resource})


OLD, ANYBODY = about(f"{PREFIX}user/ana"), about(f"{PREFIX}user/*")


@pytest.fixture
def ana(account: Account, stubs: Stubs) -> Account:
    """Put there ana with one of everything, and with policies of each kind that speak of her by her ARN."""
    iam = account.iam
    for name in ("Attached", "OfGroup", "Limit"):
        iam.create_policy(PolicyName=name, PolicyDocument=OLD)
    iam.attach_group_policy(GroupName="Developers", PolicyArn=account.policy_arn("OfGroup"))
    iam.put_group_policy(GroupName="Developers", PolicyName="inline", PolicyDocument=OLD)
    user = UserSpec(
        user_name="ana",
        tags=[Tag(key="team", value="a")],
        credentials=CredentialSpec(access_key=True, console_password=ConsolePasswordSpec(), mfa_device=MfaDeviceSpec()),
        permissions=PermissionSpec(
            group_names=["Developers"],
            managed_policies=[account.policy_arn("Attached"), account.policy_arn("Deploy")],
            inline_policies=[
                InlinePolicy(policy_name="own", document=OLD),
                InlinePolicy(policy_name="fine", document=ANYBODY),
            ],
            permissions_boundary=account.policy_arn("Limit"),
        ),
    )
    made = stubs.call("ProvisionUser", ProvisionUserRequest(user=user))
    first, second = consecutive_codes(made.credentials.mfa_device.base32_seed)
    iam.enable_mfa_device(UserName="ana", SerialNumber=SERIAL, AuthenticationCode1=first, AuthenticationCode2=second)
    account.aws.clear_calls()
    return account


def messages(plan: Plan, field: str) -> set[str]:
    """Return what a plan says of what moves and what stays, all of it about one field."""
    assert {(warning.kind, warning.field) for warning in plan.warnings} == {(PlanWarning.KIND_REMAINS, field)}
    return {warning.message for warning in plan.warnings}


@pytest.mark.parametrize(
    ("update", "field", "name"),
    [
        (UpdateUserRequest(user_name="ana", new_user_name="anna"), "new_user_name", "anna"),
        (UpdateUserRequest(user_name="ana", new_path="/people/"), "new_path", "ana"),
    ],
    ids=["name", "path"],
)
def test_the_review_lists_what_follows_and_it_does(
    stubs: Stubs, ana: Account, update: UpdateUserRequest, field: str, name: str
) -> None:
    """Groups, key, password, device, policies and boundary are named before, and are on the user afterwards."""
    (key,) = ana.iam.list_access_keys(UserName="ana")["AccessKeyMetadata"]
    before = stubs.call("GetUser", GetUserRequest(user_name="ana"))
    review = UpdateUserRequest()
    review.CopyFrom(update)
    review.validate_only = True
    said = messages(stubs.call("UpdateUser", review).plan, field)
    assert ana.writes() == []
    assert {line for line in said if line.startswith("moves along: ")} == {
        "moves along: groups (1): Developers",
        f"moves along: access keys (1): {key['AccessKeyId']}",
        f"moves along: MFA devices (1): {SERIAL}",
        f"moves along: attached policies (2): {ana.policy_arn('Attached')}, {ana.policy_arn('Deploy')}",
        "moves along: inline policies (2): fine, own",
        f"moves along: permissions boundary (1): {ana.policy_arn('Limit')}",
        f"moves along: the console password, for signing in as {name}",
    }
    stubs.call("UpdateUser", update)
    after = stubs.call("GetUser", GetUserRequest(user_name=name))
    for part in ("group_names", "access_keys", "mfa_devices", "attached_policies", "inline_policies", "login_profile"):
        assert getattr(after, part) == getattr(before, part), part
    assert after.user.user_id == before.user.user_id
    assert after.user.permissions_boundary_arn == before.user.permissions_boundary_arn
    assert list(after.user.tags) == list(before.user.tags)


def test_a_pending_device_waits_for_the_new_name(stubs: Stubs, ana: Account) -> None:
    """The role's own rights suffice to move it along; under the new name it is shown and enabled."""
    request = CreateMfaDeviceRequest(user_name="ana", mfa_device=MfaDeviceSpec(device_name="tablet"))
    made = stubs.call("CreateMfaDevice", request).credentials.mfa_device
    stubs.call("UpdateUser", UpdateUserRequest(user_name="ana", new_user_name="anna"))
    (pending,) = stubs.call("GetUser", GetUserRequest(user_name="anna")).pending_mfa_devices
    assert (pending.serial_number, pending.made_for_user_name) == (made.serial_number, "anna")
    first, second = consecutive_codes(made.base32_seed)
    enabling = EnableMfaDeviceRequest(
        user_name="anna", serial_number=made.serial_number, first_code=first, second_code=second
    )
    stubs.call("EnableMfaDevice", enabling)
    serials = {device["SerialNumber"] for device in ana.iam.list_mfa_devices(UserName="anna")["MFADevices"]}
    assert serials == {SERIAL, made.serial_number}


def test_the_review_names_each_policy_that_does_not_follow(stubs: Stubs, ana: Account) -> None:
    """Own, attached, bounding and group's policies that speak of the old ARN are named, and stay as they are."""
    update = UpdateUserRequest(user_name="ana", new_user_name="anna", validate_only=True)
    said = messages(stubs.call("UpdateUser", update).plan, "new_user_name")
    end = f"speaks of ana or {PREFIX}user/ana in Resource of statement 1"
    assert {line for line in said if line.startswith("does not follow: ")} == {
        f"does not follow: inline policy own {end}",
        f"does not follow: attached policy {ana.policy_arn('Attached')} {end}",
        f"does not follow: permissions boundary {ana.policy_arn('Limit')} {end}",
        f"does not follow: policy {ana.policy_arn('OfGroup')} of group Developers {end}",
        f"does not follow: inline policy inline of group Developers {end}",
    }
    stubs.call("UpdateUser", UpdateUserRequest(user_name="ana", new_user_name="anna"))
    assert ana.iam.get_user_policy(UserName="anna", PolicyName="own")["PolicyDocument"] == json.loads(OLD)


def test_a_change_of_tags_says_nothing_of_a_move(stubs: Stubs, ana: Account) -> None:
    """Who stays where it is is not looked through."""
    update = UpdateUserRequest(user_name="ana", set_tags=[Tag(key="team", value="b")], validate_only=True)
    assert list(stubs.call("UpdateUser", update).plan.warnings) == []
    assert not {"GetPolicyVersion", "GetGroupPolicy"} & {call.operation for call in ana.aws.calls()}


@pytest.mark.parametrize("read", ["GetPolicy", "GetPolicyVersion", "ListGroupPolicies", "GetGroupPolicy"])
def test_policies_that_cannot_be_read_stop_the_rename(client: IdentityClient, ana: Account, read: str) -> None:
    """No review is given that would leave out what it could not see."""
    before = ana.aws.dump()
    ana.aws.inject(Fault(read, AnswerError("AccessDenied", 403), times=None))
    with pytest.raises(IdentityServiceError) as caught:
        client.update_user("ana", new_name="anna")
    ana.aws.clear_faults()
    assert caught.value.reason == "AWS_ACCESS_DENIED"
    assert caught.value.metadata["aws_action"] == f"iam:{read}"
    assert ana.aws.dump() == before
