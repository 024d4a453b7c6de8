"""Changes that go forward only: whichever step IAM refuses, the error names exactly what was not reached."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import pytest

from embedded_aws import Fault, consecutive_codes
from embedded_aws.faults import AnswerError, LoseReply
from identity_provisioning.v1.credential_pb2 import ConsolePasswordSpec, CredentialSpec, MfaDeviceSpec
from identity_provisioning.v1.credential_service_pb2 import (
    CreateMfaDeviceRequest,
    DeleteMfaDeviceRequest,
    DisableConsoleAccessRequest,
    EnableMfaDeviceRequest,
)
from identity_provisioning.v1.permission_pb2 import InlinePolicy, NewPolicy, PermissionSpec, SelfManagement
from identity_provisioning.v1.permission_service_pb2 import (
    CreatePolicyRequest,
    DeleteGroupRequest,
    DeletePolicyRequest,
    RevokePermissionsRequest,
)
from identity_provisioning.v1.user_pb2 import Tag, UserSpec
from identity_provisioning.v1.user_service_pb2 import DeleteUserRequest, ProvisionUserRequest, UpdateUserRequest
from tests.contract.worlds import EmbeddedWorld
from tests.integration.conftest import Account, Stubs, document, metadata_of, reason_of
from tests.integration.test_error_table import ANY, BUSY, INLINE, LIMIT

PREFIX = "arn:aws:iam::123456789012:"
DEVICE = f"{PREFIX}mfa/ana-phone"
PENDING = f"{PREFIX}mfa/ana"
SELF = "identity-provisioning-self-management"

Step = tuple[str, str]
"""An operation of IAM, and how an answer calls it."""


@dataclass(frozen=True)
class Change:
    """An RPC that goes forward only, and its steps by rounds."""

    rpc: str
    request: Callable[[], Any]
    rounds: tuple[tuple[Step, ...], ...]

    def not_reached(self, refused: str) -> str:
        """Name what is left if an operation is refused: itself and the rounds after it."""
        at = next(number for number, steps in enumerate(self.rounds) if refused in dict(steps))
        later = [description for steps in self.rounds[at + 1 :] for _, description in steps]
        return "; ".join([dict(self.rounds[at])[refused], *later])

    def sent(self, refused: str) -> list[str]:
        """List the operations that are sent if one is refused: the rounds before its own, and its own."""
        at = next(number for number, steps in enumerate(self.rounds) if refused in dict(steps))
        return [operation for steps in self.rounds[: at + 1] for operation, _ in steps]


CHANGES = [
    Change(
        "RevokePermissions",
        lambda: RevokePermissionsRequest(
            user_name="ana", group_names=["Developers"], managed_policies=["Deploy"], inline_policy_names=["p"]
        ),
        (
            (
                ("RemoveUserFromGroup", "take ana out of group Developers"),
                ("DetachUserPolicy", f"detach {PREFIX}policy/Deploy from ana"),
                ("DeleteUserPolicy", "delete inline policy p of ana"),
            ),
        ),
    ),
    Change(
        "DeletePolicy",
        lambda: DeletePolicyRequest(policy_arn=f"{PREFIX}policy/Ours"),
        (
            (("DeletePolicyVersion", f"delete version v1 of {PREFIX}policy/Ours"),),
            (("DeletePolicy", f"delete managed policy {PREFIX}policy/Ours"),),
        ),
    ),
    Change(
        "DeleteMfaDevice",
        lambda: DeleteMfaDeviceRequest(user_name="ana", serial_number=DEVICE),
        (
            (("DeactivateMFADevice", f"deactivate MFA device {DEVICE} of ana"),),
            (("DeleteVirtualMFADevice", f"delete virtual MFA device {DEVICE}"),),
        ),
    ),
    Change(
        "DeleteGroup",
        lambda: DeleteGroupRequest(group_name="Empty"),
        (
            (
                ("DetachGroupPolicy", f"detach {PREFIX}policy/Deploy from group Empty"),
                ("DeleteGroupPolicy", "delete inline policy p of group Empty"),
            ),
            (("DeleteGroup", "delete group Empty"),),
        ),
    ),
    Change(
        "UpdateUser",
        lambda: UpdateUserRequest(
            user_name="ana",
            new_user_name="anna",
            new_path="/people/",
            set_tags=[Tag(key="new", value="x")],
            remove_tag_keys=["old"],
        ),
        (
            (("TagUser", "set the tags new of ana"), ("UntagUser", "remove the tags old of ana")),
            (("UpdateUser", "rename or move ana to anna into /people/"),),
            (
                ("TagMFADevice", f"let MFA device {PENDING} wait for anna"),
                ("PutUserPolicy", f"put inline policy {SELF} on anna"),
            ),
        ),
    ),
    Change(
        "DisableConsoleAccess",
        lambda: DisableConsoleAccessRequest(user_name="ana"),
        ((("DeleteLoginProfile", "delete the console password of ana"),),),
    ),
    Change(
        "EnableMfaDevice",
        lambda: EnableMfaDeviceRequest(
            user_name="ana", serial_number=PENDING, first_code="123456", second_code="654321"
        ),
        ((("EnableMFADevice", f"enable MFA device {PENDING} for ana"),),),
    ),
]
STEPS = [
    pytest.param(change, operation, id=f"{change.rpc}-{operation}")
    for change in CHANGES
    for steps in change.rounds
    for operation, _ in steps
]
REMOVALS = [param for param in STEPS if str(param.values[1]).startswith(("De", "Remove"))]


@pytest.fixture
def world(account: Account) -> EmbeddedWorld:
    """Arrange the account beyond what the service itself can do."""
    return EmbeddedWorld(account.aws, account.iam, account.iam)


@pytest.fixture
def loaded(account: Account, stubs: Stubs, world: EmbeddedWorld) -> Account:
    """Put there ana with one of everything, a group with both kinds of policies, a policy of ours with two versions."""
    ana = UserSpec(
        user_name="ana",
        tags=[Tag(key="old", value="x")],
        credentials=CredentialSpec(
            access_key=True, console_password=ConsolePasswordSpec(), mfa_device=MfaDeviceSpec(device_name="ana")
        ),
        permissions=PermissionSpec(
            group_names=["Developers"],
            managed_policies=[account.policy_arn("Deploy")],
            inline_policies=[InlinePolicy(policy_name="p", document=INLINE)],
            self_management=SelfManagement.SELF_MANAGEMENT_PASSWORD,
        ),
    )
    stubs.call("ProvisionUser", ProvisionUserRequest(user=ana))
    world.add_mfa_device("ana")
    account.iam.create_group(GroupName="Empty")
    account.iam.attach_group_policy(GroupName="Empty", PolicyArn=account.policy_arn("Deploy"))
    account.iam.put_group_policy(GroupName="Empty", PolicyName="p", PolicyDocument=INLINE)
    stubs.call("CreatePolicy", CreatePolicyRequest(policy=NewPolicy(policy_name="Ours", document=INLINE)))
    account.iam.create_policy_version(
        PolicyArn=account.policy_arn("Ours"),
        PolicyDocument=document({"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}),
        SetAsDefault=True,
    )
    account.aws.clear_calls()
    return account


@pytest.mark.parametrize(("change", "refused"), STEPS)
def test_a_refused_step_leaves_exactly_what_the_error_names(
    stubs: Stubs, loaded: Account, change: Change, refused: str
) -> None:
    """The rounds before a refused step and its neighbours are done; it and all later rounds are named."""
    loaded.aws.inject(Fault(refused, AnswerError("AccessDenied", 403), times=None))
    with pytest.raises(grpc.RpcError) as caught:
        stubs.call(change.rpc, change.request())
    loaded.aws.clear_faults()
    assert reason_of(caught.value) == "AWS_ACCESS_DENIED"
    assert metadata_of(caught.value)["failed_step"] == f"iam:{refused}"
    assert metadata_of(caught.value)["remaining"] == change.not_reached(refused)
    assert sorted(operation for operation, _ in loaded.writes()) == sorted(change.sent(refused))


@pytest.mark.parametrize(("change", "removal"), REMOVALS)
def test_what_somebody_else_removed_meanwhile_is_reported_as_unchanged(
    stubs: Stubs, loaded: Account, change: Change, removal: str
) -> None:
    """NoSuchEntity on a removal is no failure: the rest is done, and that step is said to have changed nothing."""
    loaded.aws.inject(Fault(removal, LoseReply("NoSuchEntity", 404)))
    answer = stubs.call(change.rpc, change.request())
    assert {step.iam_action for step in answer.steps if step.unchanged} == {f"iam:{removal}"}
    assert {operation for operation, _ in loaded.writes()} == {name for steps in change.rounds for name, _ in steps}


def test_a_passing_refusal_is_gone_on_with(stubs: Stubs, loaded: Account) -> None:
    """After a rename the same request goes on where it stopped, though nobody has the old name any more."""
    request = next(change for change in CHANGES if change.rpc == "UpdateUser").request()
    loaded.aws.inject(Fault("PutUserPolicy", AnswerError("Throttling", 400), times=None))
    with pytest.raises(grpc.RpcError) as caught:
        stubs.call("UpdateUser", request)
    loaded.aws.clear_faults()
    assert metadata_of(caught.value)["remaining"] == f"put inline policy {SELF} on anna"
    assert stubs.call("UpdateUser", request).user.arn == f"{PREFIX}user/people/anna"
    granted = loaded.iam.get_user_policy(UserName="anna", PolicyName=SELF)["PolicyDocument"]
    assert f"{PREFIX}user/people/anna" in str(granted)
    assert f"{PREFIX}user/ana" not in str(granted)


def test_a_rename_with_a_lost_answer_is_recognised(stubs: Stubs, loaded: Account) -> None:
    """UpdateUser that is sent again does not find the old name: that is the first sending's work, not a failure."""
    change = next(change for change in CHANGES if change.rpc == "UpdateUser")
    loaded.aws.inject(Fault("UpdateUser", LoseReply()))
    answer = stubs.call("UpdateUser", change.request())
    assert answer.user.arn == f"{PREFIX}user/people/anna"
    assert [step.iam_action for step in answer.steps if step.unchanged] == ["iam:UpdateUser"]


def test_a_user_that_is_gone_is_no_renamed_one(stubs: Stubs, loaded: Account) -> None:
    """Where nobody has the new name, a user that IAM does not find is not there."""
    change = next(change for change in CHANGES if change.rpc == "UpdateUser")
    loaded.aws.inject(Fault("UpdateUser", AnswerError("NoSuchEntity", 404), times=None))
    with pytest.raises(grpc.RpcError) as caught:
        stubs.call("UpdateUser", change.request())
    loaded.aws.clear_faults()
    assert reason_of(caught.value) == "USER_NOT_FOUND"
    assert metadata_of(caught.value)["remaining"] == change.not_reached("UpdateUser")


TEARDOWN = (
    "DeleteLoginProfile",
    "DeleteAccessKey",
    "DeleteSigningCertificate",
    "DeleteSSHPublicKey",
    "DeleteServiceSpecificCredential",
    "DeactivateMFADevice",
    "DeleteVirtualMFADevice",
    "DeleteUserPolicy",
    "DetachUserPolicy",
    "RemoveUserFromGroup",
    "DeleteUser",
)
"""The order that IAM demands."""

CONCURRENT = {("ConcurrentModification", 409): "CONFLICT"}
CONFLICT = {("DeleteConflict", 409): "CONFLICT"}
INVALID = {("InvalidInput", 400): "INVALID_FIELD"}
OF_TEARDOWN: dict[str, dict[tuple[str, int], str]] = {
    "DeleteLoginProfile": {("EntityTemporarilyUnmodifiable", 409): "CONFLICT", **LIMIT},
    "DeleteAccessKey": LIMIT,
    "DeleteSigningCertificate": {**CONCURRENT, **LIMIT},
    "DeactivateMFADevice": {**BUSY, **LIMIT},
    "DeleteVirtualMFADevice": {**CONFLICT, **CONCURRENT, **LIMIT},
    "DeleteUserPolicy": LIMIT,
    "DetachUserPolicy": {**INVALID, **LIMIT},
    "RemoveUserFromGroup": LIMIT,
    "DeleteUser": {**CONFLICT, **CONCURRENT, **LIMIT},
}
"""What each call of a teardown may answer beyond what any call may."""


@pytest.fixture
def doomed(loaded: Account, stubs: Stubs, world: EmbeddedWorld) -> Account:
    """Give ana what only a teardown knows, and exactly one thing of each kind."""
    stubs.call("DeleteMfaDevice", DeleteMfaDeviceRequest(user_name="ana", serial_number=DEVICE))
    made = stubs.call("CreateMfaDevice", CreateMfaDeviceRequest(user_name="ana"))
    first, second = consecutive_codes(made.credentials.mfa_device.base32_seed)
    loaded.iam.enable_mfa_device(
        UserName="ana", SerialNumber=PENDING, AuthenticationCode1=first, AuthenticationCode2=second
    )
    loaded.iam.delete_user_policy(UserName="ana", PolicyName=SELF)
    world.add_signing_certificate("ana")
    world.add_ssh_public_key("ana")
    world.add_service_specific_credential("ana")
    loaded.aws.clear_calls()
    return loaded


def teardown_in_words(account: Account) -> list[str]:
    """Name the steps of the teardown of ana, in order."""
    iam = account.iam
    (key,) = iam.list_access_keys(UserName="ana")["AccessKeyMetadata"]
    (certificate,) = iam.list_signing_certificates(UserName="ana")["Certificates"]
    (ssh_key,) = iam.list_ssh_public_keys(UserName="ana")["SSHPublicKeys"]
    (credential,) = iam.list_service_specific_credentials(UserName="ana")["ServiceSpecificCredentials"]
    return [
        "delete the console password of ana",
        f"delete access key {key['AccessKeyId']} of ana",
        f"delete signing certificate {certificate['CertificateId']} of ana",
        f"delete SSH public key {ssh_key['SSHPublicKeyId']} of ana",
        f"delete service-specific credential {credential['ServiceSpecificCredentialId']} of ana",
        f"deactivate MFA device {PENDING} of ana",
        f"delete virtual MFA device {PENDING}",
        "delete inline policy p of ana",
        f"detach {PREFIX}policy/Deploy from ana",
        "take ana out of group Developers",
        "delete user ana",
    ]


@pytest.mark.parametrize("refused", TEARDOWN)
def test_a_teardown_that_stops_anywhere_names_the_rest_and_goes_on(stubs: Stubs, doomed: Account, refused: str) -> None:
    """Whatever IAM answers to whichever call, the error has its reason and the rest; asked again, it is done."""
    at = TEARDOWN.index(refused)
    remaining = "; ".join(teardown_in_words(doomed)[at:])
    stopped_at = None
    for (code, status), reason in {**OF_TEARDOWN.get(refused, {}), **ANY}.items():
        doomed.aws.inject(Fault(refused, AnswerError(code, status), times=None))
        with pytest.raises(grpc.RpcError) as caught:
            stubs.call("DeleteUser", DeleteUserRequest(user_name="ana"))
        doomed.aws.clear_faults()
        assert (reason_of(caught.value), metadata_of(caught.value)["remaining"]) == (reason, remaining)
        assert metadata_of(caught.value)["aws_error_code"] == code
        stopped_at = stopped_at or doomed.aws.dump()
        assert doomed.aws.dump() == stopped_at
    doomed.aws.clear_calls()
    stubs.call("DeleteUser", DeleteUserRequest(user_name="ana"))
    assert [operation for operation, _ in doomed.writes()] == list(TEARDOWN[at:])
    assert doomed.iam.list_users()["Users"] == []
    assert doomed.iam.list_virtual_mfa_devices()["VirtualMFADevices"] == []


@pytest.mark.parametrize("gone", TEARDOWN)
def test_a_teardown_does_not_stop_at_what_is_gone(stubs: Stubs, doomed: Account, gone: str) -> None:
    """What somebody else removed since the plan is as good as removed."""
    doomed.aws.inject(Fault(gone, LoseReply("NoSuchEntity", 404)))
    answer = stubs.call("DeleteUser", DeleteUserRequest(user_name="ana"))
    assert [step.iam_action for step in answer.steps if step.unchanged] == [f"iam:{gone}"]
    assert doomed.iam.list_users()["Users"] == []
