"""IAM's error table for what is only read: each call of each RPC answers it typed, and nothing is written."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import grpc
import pytest

from embedded_aws import Fault
from embedded_aws.faults import AnswerError
from identity_provisioning.v1.account_service_pb2 import GetAccountRequest
from identity_provisioning.v1.account_service_pb2_grpc import AccountServiceStub
from identity_provisioning.v1.credential_pb2 import ConsolePasswordSpec, CredentialSpec, MfaDeviceSpec
from identity_provisioning.v1.credential_service_pb2 import (
    CreateCredentialsRequest,
    CreateMfaDeviceRequest,
    DeleteMfaDeviceRequest,
    DisableConsoleAccessRequest,
    EnableMfaDeviceRequest,
    ListMfaDevicesRequest,
)
from identity_provisioning.v1.permission_pb2 import InlinePolicy, NewGroup, NewPolicy, PermissionSpec
from identity_provisioning.v1.permission_service_pb2 import (
    AssignPermissionsRequest,
    CreateGroupRequest,
    CreatePolicyRequest,
    DeleteGroupRequest,
    DeletePolicyRequest,
    ListGroupsRequest,
    ListPoliciesRequest,
    RevokePermissionsRequest,
)
from identity_provisioning.v1.user_pb2 import UserSpec
from identity_provisioning.v1.user_service_pb2 import (
    AdoptUserRequest,
    CreateUserRequest,
    DeleteUserRequest,
    GetUserRequest,
    ListUsersRequest,
    ProvisionUserRequest,
    UpdateUserRequest,
)
from tests.integration.conftest import Account, Stubs, document, error_info, metadata_of, reason_of
from tests.integration.test_error_table import ANY, INLINE

GONE = {("NoSuchEntity", 404): "USER_NOT_FOUND"}
"""The user went between two reads."""

Call = Callable[[str, Any], Any]

READS: dict[str, tuple[Any, dict[str, dict[tuple[str, int], str]]]] = {
    "ListUsers": (ListUsersRequest(), {"GetAccountAuthorizationDetails": {}}),
    "ListGroups": (ListGroupsRequest(), {"GetAccountAuthorizationDetails": {}}),
    "ListPolicies": (ListPoliciesRequest(), {"ListPolicies": {}}),
    "GetUser": (
        GetUserRequest(user_name="ana"),
        {
            "GetUser": {},
            "GetLoginProfile": {},
            "ListAccessKeys": GONE,
            "GetAccessKeyLastUsed": {},
            "ListGroupsForUser": GONE,
            "ListAttachedUserPolicies": GONE,
            "ListUserPolicies": GONE,
            "GetUserPolicy": {},
            "ListMFADevices": GONE,
            "ListVirtualMFADevices": {},
            "ListMFADeviceTags": {},
        },
    ),
    "ListMfaDevices": (
        ListMfaDevicesRequest(),
        {"ListVirtualMFADevices": {}, "ListMFADeviceTags": {}, "GetUser": {}, "ListMFADevices": {}},
    ),
    "GetAccount": (
        GetAccountRequest(),
        {"GetAccountSummary": {}, "GetAccountPasswordPolicy": {}, "ListAccountAliases": {}},
    ),
}
"""Each RPC that only reads: a request, its calls of IAM, and what these may answer beyond what any call may."""

CASES = [
    pytest.param(rpc, operation, code, status, reason, id=f"{rpc}-{operation}-{code}")
    for rpc, (_, operations) in READS.items()
    for operation, errors in operations.items()
    for (code, status), reason in {**errors, **ANY}.items()
]


@pytest.fixture
def call(server: str, stubs: Stubs) -> Iterator[Call]:
    """Call any RPC once."""
    with grpc.insecure_channel(server) as channel:
        accounts = AccountServiceStub(channel)

        def send(rpc: str, request: Any) -> Any:
            return accounts.GetAccount(request, timeout=20) if rpc == "GetAccount" else stubs.call(rpc, request)

        yield send


@pytest.fixture
def peopled(account: Account, stubs: Stubs) -> Account:
    """Put there ana with one of everything, a boundary too, a group without members, a policy of ours, and zoe.

    Zoe was made by hand.
    """
    ana = UserSpec(
        user_name="ana",
        credentials=CredentialSpec(access_key=True, console_password=ConsolePasswordSpec(), mfa_device=MfaDeviceSpec()),
        permissions=PermissionSpec(
            group_names=["Developers"],
            managed_policies=[account.policy_arn("Deploy")],
            inline_policies=[InlinePolicy(policy_name="p", document=INLINE)],
            permissions_boundary=account.policy_arn("Boundary"),
        ),
    )
    stubs.call("ProvisionUser", ProvisionUserRequest(user=ana))
    stubs.call("CreatePolicy", CreatePolicyRequest(policy=NewPolicy(policy_name="Ours", document=INLINE)))
    account.iam.create_group(GroupName="Empty")
    account.iam.create_user(UserName="zoe")
    account.aws.clear_calls()
    return account


@pytest.mark.parametrize(("rpc", "operation", "code", "status", "reason"), CASES)
def test_each_row_of_the_table(
    call: Call, peopled: Account, rpc: str, operation: str, code: str, status: int, reason: str
) -> None:
    """The caller hears reason, call and AWS's code; nothing is answered in part, and nothing is written."""
    request, _ = READS[rpc]
    peopled.aws.inject(Fault(operation, AnswerError(code, status), times=None))
    with pytest.raises(grpc.RpcError) as caught:
        call(rpc, request)
    peopled.aws.clear_faults()
    assert reason_of(caught.value) == reason
    assert metadata_of(caught.value)["aws_action"] == f"iam:{operation}"
    assert metadata_of(caught.value)["aws_error_code"] == code
    assert peopled.writes() == []


@pytest.mark.parametrize("rpc", READS)
def test_the_table_has_every_call(call: Call, peopled: Account, rpc: str) -> None:
    """Each RPC makes just the calls that the table lists for it."""
    request, operations = READS[rpc]
    call(rpc, request)
    assert {seen.operation for seen in peopled.aws.calls()} == set(operations)


def test_an_absent_user_is_not_found(call: Call, peopled: Account) -> None:
    """NoSuchEntity of GetUser is the answer itself, and it names the user."""
    peopled.aws.inject(Fault("GetUser", AnswerError("NoSuchEntity", 404), times=None))
    with pytest.raises(grpc.RpcError) as caught:
        call("GetUser", GetUserRequest(user_name="ana"))
    peopled.aws.clear_faults()
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert error_info(caught.value).reason == "USER_NOT_FOUND"


@pytest.mark.parametrize(
    ("rpc", "operation", "lacks"),
    [
        ("GetUser", "GetLoginProfile", lambda answer: not answer.HasField("login_profile")),
        ("GetUser", "GetUserPolicy", lambda answer: not answer.inline_policies),
        ("GetUser", "GetAccessKeyLastUsed", lambda answer: not answer.access_keys[0].HasField("last_used_time")),
        ("GetAccount", "GetAccountPasswordPolicy", lambda answer: answer.account.password_policy.minimum_length == 8),
    ],
)
def test_what_is_not_there_is_left_out(
    call: Call, peopled: Account, rpc: str, operation: str, lacks: Callable[[Any], bool]
) -> None:
    """Where IAM says NoSuchEntity of a part, the rest is answered; an account without a policy has AWS's default."""
    request, _ = READS[rpc]
    peopled.aws.inject(Fault(operation, AnswerError("NoSuchEntity", 404), times=None))
    answer = call(rpc, request)
    peopled.aws.clear_faults()
    assert lacks(answer)


@pytest.mark.parametrize(("code", "status"), ANY)
def test_a_later_page_that_fails_is_no_shorter_listing(call: Call, peopled: Account, code: str, status: int) -> None:
    """A listing that is cut says so, and does not blame a page token that the caller never sent."""
    request = ListPoliciesRequest(scope=ListPoliciesRequest.SCOPE_AWS, search="no policy is called so")
    peopled.aws.inject(Fault("ListPolicies", AnswerError(code, status), skip=1, times=None))
    with pytest.raises(grpc.RpcError) as caught:
        call("ListPolicies", request)
    peopled.aws.clear_faults()
    assert reason_of(caught.value) == ANY[code, status]
    assert metadata_of(caught.value)["aws_action"] == "iam:ListPolicies"


SERIAL = "arn:aws:iam::123456789012:mfa/ana"
MUTATIONS: dict[str, Any] = {
    "ProvisionUser": ProvisionUserRequest(
        user=UserSpec(
            user_name="bo",
            credentials=CredentialSpec(
                console_password=ConsolePasswordSpec(require_reset=True), mfa_device=MfaDeviceSpec()
            ),
            permissions=PermissionSpec(
                copy_from_user_name="ana",
                group_names=["Empty"],
                managed_policies=["Ours"],
                new_groups=[NewGroup(group_name="New", managed_policies=["Deploy"])],
                new_policies=[NewPolicy(policy_name="Made", document=INLINE)],
            ),
        )
    ),
    "CreateUser": CreateUserRequest(user_name="bo", permissions_boundary="Boundary"),
    "UpdateUser": UpdateUserRequest(user_name="ana", new_user_name="anna"),
    "AdoptUser": AdoptUserRequest(user_name="zoe"),
    "DeleteUser": DeleteUserRequest(user_name="ana"),
    "CreateCredentials": CreateCredentialsRequest(
        user_name="ana", credentials=CredentialSpec(access_key=True, mfa_device=MfaDeviceSpec(device_name="more"))
    ),
    "CreateMfaDevice": CreateMfaDeviceRequest(user_name="ana"),
    "EnableMfaDevice": EnableMfaDeviceRequest(
        user_name="ana", serial_number=SERIAL, first_code="123456", second_code="654321"
    ),
    "DeleteMfaDevice": DeleteMfaDeviceRequest(user_name="ana", serial_number=SERIAL),
    "DisableConsoleAccess": DisableConsoleAccessRequest(user_name="ana"),
    "AssignPermissions": AssignPermissionsRequest(
        user_name="ana", permissions=PermissionSpec(group_names=["Empty"], managed_policies=["Ours"])
    ),
    "RevokePermissions": RevokePermissionsRequest(user_name="ana", group_names=["Developers"]),
    "CreateGroup": CreateGroupRequest(group=NewGroup(group_name="Readers", managed_policies=["Deploy"])),
    "DeleteGroup": DeleteGroupRequest(group_name="Empty"),
    "CreatePolicy": CreatePolicyRequest(
        policy=NewPolicy(
            policy_name="Read", document=document({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"})
        )
    ),
    "DeletePolicy": DeletePolicyRequest(policy_arn="arn:aws:iam::123456789012:policy/Ours"),
}
"""Each mutation that is built, asking for as much as its planning can have to read."""


@pytest.mark.parametrize("rpc", MUTATIONS)
def test_a_read_that_a_plan_needs_and_cannot_have_changes_nothing(stubs: Stubs, peopled: Account, rpc: str) -> None:
    """Whichever read of the planning AWS denies, the caller hears which one, and the account is as it was."""
    request = MUTATIONS[rpc]
    before = peopled.aws.dump()
    review = type(request)()
    review.CopyFrom(request)
    review.validate_only = True
    assert not stubs.call(rpc, review).plan.problems
    reads = {seen.operation for seen in peopled.aws.calls()}
    assert peopled.writes() == []
    assert "GetAccountSummary" in reads or rpc in ("AdoptUser", "DeleteUser")
    for operation in sorted(reads):
        peopled.aws.inject(Fault(operation, AnswerError("AccessDenied", 403), times=None))
        request.request_id = str(uuid4())
        with pytest.raises(grpc.RpcError) as caught:
            stubs.call(rpc, request)
        peopled.aws.clear_faults()
        assert reason_of(caught.value) == "AWS_ACCESS_DENIED"
        assert metadata_of(caught.value)["aws_action"] == f"iam:{operation}"
    assert peopled.writes() == []
    assert peopled.aws.dump() == before
