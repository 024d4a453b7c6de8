"""IAM's error table, row by row: each RPC answers it typed, and the account is as it was or just as described."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import pytest

from embedded_aws import Fault, consecutive_codes
from embedded_aws.faults import AnswerError
from identity_provisioning.v1.credential_pb2 import ConsolePasswordSpec, CredentialSpec, MfaDeviceSpec
from identity_provisioning.v1.credential_service_pb2 import (
    CreateCredentialsRequest,
    CreateMfaDeviceRequest,
    DeleteMfaDeviceRequest,
    DisableConsoleAccessRequest,
    EnableMfaDeviceRequest,
)
from identity_provisioning.v1.permission_pb2 import InlinePolicy, NewGroup, NewPolicy, PermissionSpec
from identity_provisioning.v1.permission_service_pb2 import (
    AssignPermissionsRequest,
    CreateGroupRequest,
    CreatePolicyRequest,
    DeleteGroupRequest,
    DeletePolicyRequest,
    RevokePermissionsRequest,
)
from identity_provisioning.v1.user_pb2 import Tag, UserSpec
from identity_provisioning.v1.user_service_pb2 import DeleteUserRequest, ProvisionUserRequest, UpdateUserRequest
from tests.integration.conftest import Account, Stubs, document, metadata_of, reason_of

INLINE = document({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"})
SERIAL = "arn:aws:iam::123456789012:mfa/ana"

ANY = {
    ("ServiceFailure", 500): "AWS_UNAVAILABLE",
    ("Throttling", 400): "THROTTLED",
    ("AccessDenied", 403): "AWS_ACCESS_DENIED",
    ("ValidationError", 400): "INVALID_FIELD",
}
"""What any call of IAM may answer, and the reason that the caller hears."""

BUSY = {("EntityTemporarilyUnmodifiable", 409): "CONFLICT", ("ConcurrentModification", 409): "CONFLICT"}
LIMIT = {("LimitExceeded", 409): "QUOTA_EXCEEDED"}


@dataclass(frozen=True)
class Scenario:
    """An RPC that makes one IAM call, and the errors of that call; `undone` unless the RPC goes forward only.

    `prepare` puts there what the RPC needs beyond what all tests have.
    """

    rpc: str
    request: Callable[[Account], Any]
    errors: dict[tuple[str, int], str]
    undone: bool = True
    prepare: Callable[[Account], object] = lambda account: None


def provision(**parts: Any) -> Callable[[Account], ProvisionUserRequest]:
    """Ask for the user bo."""
    return lambda account: ProvisionUserRequest(user=UserSpec(user_name="bo", **parts))


def assign(**parts: Any) -> Callable[[Account], AssignPermissionsRequest]:
    """Ask for permissions for ana."""
    return lambda account: AssignPermissionsRequest(user_name="ana", permissions=PermissionSpec(**parts))


SCENARIOS: dict[str, Scenario] = {
    "CreateUser": Scenario(
        "ProvisionUser",
        provision(),
        {
            ("EntityAlreadyExists", 409): "USER_ALREADY_EXISTS",
            ("ConcurrentModification", 409): "CONFLICT",
            ("NoSuchEntity", 404): "POLICY_NOT_FOUND",
            ("InvalidInput", 400): "INVALID_FIELD",
            **LIMIT,
        },
    ),
    "CreateLoginProfile": Scenario(
        "CreateCredentials",
        lambda account: CreateCredentialsRequest(
            user_name="cy", credentials=CredentialSpec(console_password=ConsolePasswordSpec())
        ),
        {
            ("EntityAlreadyExists", 409): "PASSWORD_ALREADY_EXISTS",
            ("NoSuchEntity", 404): "USER_NOT_FOUND",
            ("PasswordPolicyViolation", 400): "PASSWORD_POLICY_VIOLATION",
            **LIMIT,
        },
    ),
    "CreateAccessKey": Scenario(
        "CreateCredentials",
        lambda account: CreateCredentialsRequest(user_name="cy", credentials=CredentialSpec(access_key=True)),
        {("NoSuchEntity", 404): "USER_NOT_FOUND", **LIMIT},
    ),
    "CreateVirtualMFADevice": Scenario(
        "CreateMfaDevice",
        lambda account: CreateMfaDeviceRequest(user_name="cy", mfa_device=MfaDeviceSpec(device_name="cy")),
        {
            ("EntityAlreadyExists", 409): "IN_USE",
            ("ConcurrentModification", 409): "CONFLICT",
            ("InvalidInput", 400): "INVALID_FIELD",
            **LIMIT,
        },
    ),
    "EnableMFADevice": Scenario(
        "EnableMfaDevice",
        lambda account: EnableMfaDeviceRequest(
            user_name="ana", serial_number=SERIAL, first_code="123456", second_code="654321"
        ),
        {
            ("InvalidAuthenticationCode", 403): "INVALID_MFA_CODE",
            ("EntityAlreadyExists", 409): "IN_USE",
            ("NoSuchEntity", 404): "MFA_DEVICE_NOT_FOUND",
            **BUSY,
            **LIMIT,
        },
        undone=False,
    ),
    "DeleteVirtualMFADevice": Scenario(
        "DeleteMfaDevice",
        lambda account: DeleteMfaDeviceRequest(user_name="ana", serial_number=SERIAL),
        {("DeleteConflict", 409): "CONFLICT", ("ConcurrentModification", 409): "CONFLICT", **LIMIT},
        undone=False,
    ),
    "AddUserToGroup": Scenario(
        "AssignPermissions",
        assign(group_names=["Developers"]),
        {("NoSuchEntity", 404): "GROUP_NOT_FOUND", **LIMIT},
    ),
    "AttachUserPolicy": Scenario(
        "AssignPermissions",
        assign(managed_policies=["Deploy"]),
        {
            ("NoSuchEntity", 404): "POLICY_NOT_FOUND",
            ("InvalidInput", 400): "INVALID_FIELD",
            ("PolicyNotAttachable", 400): "POLICY_NOT_ATTACHABLE",
            **LIMIT,
        },
    ),
    "PutUserPolicy": Scenario(
        "AssignPermissions",
        assign(inline_policies=[InlinePolicy(policy_name="p", document=INLINE)]),
        {
            ("NoSuchEntity", 404): "USER_NOT_FOUND",
            ("MalformedPolicyDocument", 400): "MALFORMED_POLICY_DOCUMENT",
            **LIMIT,
        },
    ),
    "PutUserPermissionsBoundary": Scenario(
        "AssignPermissions",
        assign(permissions_boundary="OtherBoundary"),
        {
            ("NoSuchEntity", 404): "POLICY_NOT_FOUND",
            ("InvalidInput", 400): "INVALID_FIELD",
            ("PolicyNotAttachable", 400): "POLICY_NOT_ATTACHABLE",
        },
    ),
    "CreateGroup": Scenario(
        "CreateGroup",
        lambda account: CreateGroupRequest(group=NewGroup(group_name="Readers", managed_policies=["Deploy"])),
        {("EntityAlreadyExists", 409): "GROUP_ALREADY_EXISTS", **LIMIT},
    ),
    "AttachGroupPolicy": Scenario(
        "CreateGroup",
        lambda account: CreateGroupRequest(group=NewGroup(group_name="Readers", managed_policies=["Deploy"])),
        {
            ("NoSuchEntity", 404): "POLICY_NOT_FOUND",
            ("InvalidInput", 400): "INVALID_FIELD",
            ("PolicyNotAttachable", 400): "POLICY_NOT_ATTACHABLE",
            **LIMIT,
        },
    ),
    "CreatePolicy": Scenario(
        "CreatePolicy",
        lambda account: CreatePolicyRequest(policy=NewPolicy(policy_name="Read", document=INLINE)),
        {
            ("EntityAlreadyExists", 409): "POLICY_ALREADY_EXISTS",
            ("MalformedPolicyDocument", 400): "MALFORMED_POLICY_DOCUMENT",
            ("ConcurrentModification", 409): "CONFLICT",
            ("InvalidInput", 400): "INVALID_FIELD",
            **LIMIT,
        },
    ),
    "TagUser": Scenario(
        "UpdateUser",
        lambda account: UpdateUserRequest(user_name="ana", set_tags=[Tag(key="a", value="b")]),
        {("NoSuchEntity", 404): "USER_NOT_FOUND", ("ConcurrentModification", 409): "CONFLICT", **LIMIT},
        undone=False,
    ),
    "UpdateUser": Scenario(
        "UpdateUser",
        lambda account: UpdateUserRequest(user_name="ana", new_user_name="anna"),
        {("EntityAlreadyExists", 409): "USER_ALREADY_EXISTS", ("NoSuchEntity", 404): "USER_NOT_FOUND", **BUSY, **LIMIT},
        undone=False,
    ),
    "DeleteLoginProfile": Scenario(
        "DisableConsoleAccess",
        lambda account: DisableConsoleAccessRequest(user_name="ana"),
        {("EntityTemporarilyUnmodifiable", 409): "CONFLICT", **LIMIT},
        undone=False,
    ),
    "RemoveUserFromGroup": Scenario(
        "RevokePermissions",
        lambda account: RevokePermissionsRequest(user_name="ana", group_names=["Developers"]),
        {**LIMIT},
        undone=False,
        prepare=lambda account: account.iam.add_user_to_group(UserName="ana", GroupName="Developers"),
    ),
    "DetachUserPolicy": Scenario(
        "RevokePermissions",
        lambda account: RevokePermissionsRequest(user_name="ana", managed_policies=["Deploy"]),
        {("InvalidInput", 400): "INVALID_FIELD", **LIMIT},
        undone=False,
        prepare=lambda account: account.iam.attach_user_policy(UserName="ana", PolicyArn=account.policy_arn("Deploy")),
    ),
    "DeleteUserPolicy": Scenario(
        "RevokePermissions",
        lambda account: RevokePermissionsRequest(user_name="ana", inline_policy_names=["p"]),
        {**LIMIT},
        undone=False,
        prepare=lambda account: account.iam.put_user_policy(UserName="ana", PolicyName="p", PolicyDocument=INLINE),
    ),
    "UntagUser": Scenario(
        "UpdateUser",
        lambda account: UpdateUserRequest(user_name="ana", remove_tag_keys=["old"]),
        {("ConcurrentModification", 409): "CONFLICT"},
        undone=False,
        prepare=lambda account: account.iam.tag_user(UserName="ana", Tags=[{"Key": "old", "Value": "x"}]),
    ),
    "DeactivateMFADevice": Scenario(
        "DeleteMfaDevice",
        lambda account: DeleteMfaDeviceRequest(user_name="ana", serial_number="arn:aws:iam::123456789012:mfa/enabled"),
        {**BUSY, **LIMIT},
        undone=False,
        prepare=lambda account: enable_device(account),
    ),
    "DetachGroupPolicy": Scenario(
        "DeleteGroup",
        lambda account: DeleteGroupRequest(group_name="Empty"),
        {("InvalidInput", 400): "INVALID_FIELD", **LIMIT},
        undone=False,
        prepare=lambda account: account.iam.attach_group_policy(
            GroupName="Empty", PolicyArn=account.policy_arn("Deploy")
        ),
    ),
    "DeleteGroupPolicy": Scenario(
        "DeleteGroup",
        lambda account: DeleteGroupRequest(group_name="Empty"),
        {**LIMIT},
        undone=False,
        prepare=lambda account: account.iam.put_group_policy(GroupName="Empty", PolicyName="p", PolicyDocument=INLINE),
    ),
    "DeletePolicyVersion": Scenario(
        "DeletePolicy",
        lambda account: DeletePolicyRequest(policy_arn=account.policy_arn("Ours")),
        {("DeleteConflict", 409): "CONFLICT", ("InvalidInput", 400): "INVALID_FIELD", **LIMIT},
        undone=False,
        prepare=lambda account: account.iam.create_policy_version(
            PolicyArn=account.policy_arn("Ours"), PolicyDocument=INLINE, SetAsDefault=True
        ),
    ),
    "DeleteGroup": Scenario(
        "DeleteGroup",
        lambda account: DeleteGroupRequest(group_name="Empty"),
        {("DeleteConflict", 409): "IN_USE", **LIMIT},
        undone=False,
    ),
    "DeletePolicy": Scenario(
        "DeletePolicy",
        lambda account: DeletePolicyRequest(policy_arn=account.policy_arn("Ours")),
        {("DeleteConflict", 409): "IN_USE", ("InvalidInput", 400): "INVALID_FIELD", **LIMIT},
        undone=False,
    ),
    "DeleteUser": Scenario(
        "DeleteUser",
        lambda account: DeleteUserRequest(user_name="cy"),
        {("DeleteConflict", 409): "CONFLICT", ("ConcurrentModification", 409): "CONFLICT", **LIMIT},
        undone=False,
    ),
}


def enable_device(account: Account) -> None:
    """Enable an MFA device for ana."""
    device = account.iam.create_virtual_mfa_device(VirtualMFADeviceName="enabled")["VirtualMFADevice"]
    first, second = consecutive_codes(device["Base32StringSeed"].decode())
    account.iam.enable_mfa_device(
        UserName="ana", SerialNumber=device["SerialNumber"], AuthenticationCode1=first, AuthenticationCode2=second
    )


CASES = [
    pytest.param(operation, code, status, reason, id=f"{operation}-{code}")
    for operation, scenario in SCENARIOS.items()
    for (code, status), reason in {**scenario.errors, **ANY}.items()
]


@pytest.fixture
def peopled(account: Account, stubs: Stubs) -> Account:
    """Put there ana with a password and a pending device, cy with nothing, a group and a policy of ours."""
    ana = UserSpec(
        user_name="ana",
        credentials=CredentialSpec(console_password=ConsolePasswordSpec(), mfa_device=MfaDeviceSpec()),
    )
    stubs.call("ProvisionUser", ProvisionUserRequest(user=ana))
    stubs.call("ProvisionUser", ProvisionUserRequest(user=UserSpec(user_name="cy")))
    stubs.call("CreatePolicy", CreatePolicyRequest(policy=NewPolicy(policy_name="Ours", document=INLINE)))
    account.iam.create_group(GroupName="Empty")
    account.aws.clear_calls()
    return account


@pytest.mark.parametrize(("operation", "code", "status", "reason"), CASES)
def test_each_row_of_the_table(
    stubs: Stubs, peopled: Account, operation: str, code: str, status: int, reason: str
) -> None:
    """The caller hears reason, step, AWS's code and what remains; what can be undone is undone."""
    scenario = SCENARIOS[operation]
    scenario.prepare(peopled)
    before = peopled.aws.dump()
    peopled.aws.inject(Fault(operation, AnswerError(code, status), times=None))
    with pytest.raises(grpc.RpcError) as caught:
        stubs.call(scenario.rpc, scenario.request(peopled))
    peopled.aws.clear_faults()
    metadata = metadata_of(caught.value)
    assert reason_of(caught.value) == reason
    assert metadata["failed_step"] == f"iam:{operation}"
    assert metadata["aws_error_code"] == code
    assert (metadata["remaining"] == "nothing") is scenario.undone
    assert peopled.aws.dump() == before
