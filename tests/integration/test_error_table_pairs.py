"""IAM's error table for every call of every RPC: a call that an RPC comes to make and that has no rows fails here.

`test_error_table.py` has one RPC for each call, `test_error_table_forward.py` the steps of what goes forward only; this
has the others: each call of the RPCs that undo what they did, and each call that undoes it.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import grpc
import pytest

from embedded_aws import Fault
from embedded_aws.faults import AnswerError, CloseConnection, DropParameter
from identity_provisioning.v1.credential_pb2 import ConsolePasswordSpec, CredentialSpec, MfaDeviceSpec
from identity_provisioning.v1.credential_service_pb2 import CreateCredentialsRequest, CreateMfaDeviceRequest
from identity_provisioning.v1.credential_service_pb2_grpc import CredentialServiceStub
from identity_provisioning.v1.permission_pb2 import InlinePolicy, NewGroup, NewPolicy, PermissionSpec
from identity_provisioning.v1.permission_service_pb2 import (
    AssignPermissionsRequest,
    CreateGroupRequest,
    CreatePolicyRequest,
)
from identity_provisioning.v1.permission_service_pb2_grpc import PermissionServiceStub
from identity_provisioning.v1.user_pb2 import Tag, UserSpec
from identity_provisioning.v1.user_service_pb2 import AdoptUserRequest, CreateUserRequest, ProvisionUserRequest
from identity_provisioning.v1.user_service_pb2_grpc import UserServiceStub
from identity_service.rpc_actions import NOT_BUILT, RPC_ACTIONS
from tests.integration.conftest import Account, Stubs, metadata_of, reason_of, start_server, wait_until_ready
from tests.integration.test_error_table import ANY, INLINE, SCENARIOS
from tests.integration.test_error_table_forward import CHANGES, TEARDOWN

Pair = tuple[str, str]
"""An RPC, and an operation of IAM that it calls."""

CREDENTIALS = CredentialSpec(
    access_key=True, console_password=ConsolePasswordSpec(require_reset=True), mfa_device=MfaDeviceSpec()
)
PERMISSIONS = PermissionSpec(
    group_names=["Developers"],
    managed_policies=["Deploy"],
    inline_policies=[InlinePolicy(policy_name="p", document=INLINE)],
    new_groups=[NewGroup(group_name="Made", managed_policies=["Deploy"])],
    new_policies=[NewPolicy(policy_name="Made", document=INLINE)],
)
BOUNDED = PermissionSpec(permissions_boundary="Boundary")
BOUNDED.MergeFrom(PERMISSIONS)
REQUESTS: dict[str, Any] = {
    "ProvisionUser": ProvisionUserRequest(user=UserSpec(user_name="bo", credentials=CREDENTIALS, permissions=BOUNDED)),
    "CreateUser": CreateUserRequest(
        user_name="bo", permissions_boundary="Boundary", tags=[Tag(key="team", value="web")]
    ),
    "AdoptUser": AdoptUserRequest(user_name="zoe"),
    "CreateCredentials": CreateCredentialsRequest(user_name="cy", credentials=CREDENTIALS),
    "CreateMfaDevice": CreateMfaDeviceRequest(user_name="cy"),
    "AssignPermissions": AssignPermissionsRequest(user_name="cy", permissions=BOUNDED),
    "CreateGroup": CreateGroupRequest(group=NewGroup(group_name="Made", managed_policies=["Deploy", "Boundary"])),
    "CreatePolicy": CreatePolicyRequest(policy=NewPolicy(policy_name="Made", document=INLINE)),
}
"""Each RPC that undoes, asking for all that it can do; adoption is one call and undoes nothing."""

UNDOING = ("Delete", "Detach", "Remove")
TAGGING = {
    (rpc, action) for rpc in REQUESTS if rpc != "AdoptUser" for action in ("TagUser", "TagPolicy", "TagMFADevice")
}
"""Rights and no calls: what makes something brings its tags along."""
ELSEWHERE = {
    # ProvisionUser has the rights of the RPCs that it is made of, and makes its user with the boundary.
    ("ProvisionUser", "PutUserPermissionsBoundary"): "only CreateUser sets a new user's boundary",
    ("ProvisionUser", "DeleteUserPermissionsBoundary"): "only CreateUser sets a new user's boundary",
    # A single call that IAM refuses has made nothing; only a store that fails behind it makes its undo necessary.
    ("CreatePolicy", "DeletePolicy"): "tests/unit/application/test_store_failures.py",
}
ERRORS = {operation: scenario.errors for operation, scenario in SCENARIOS.items()}
"""What each call may answer beyond what any call may; a KeyError is a call without rows."""
THERE = {(scenario.rpc, operation) for operation, scenario in SCENARIOS.items()}
THERE |= {(change.rpc, operation) for change in CHANGES for steps in change.rounds for operation, _ in steps}
THERE |= {("DeleteUser", operation) for operation in TEARDOWN}


def pairs() -> Iterator[Pair]:
    """Yield each RPC that is built with each operation that it writes by."""
    for rpc in RPC_ACTIONS.keys() - NOT_BUILT:
        # An operation calls what ProvisionUser does, for each of its users.
        for action in sorted(RPC_ACTIONS[rpc]) if rpc != "StartOperation" else ():
            operation = action.removeprefix("iam:")
            if not operation.startswith(("Get", "List")):
                yield rpc, operation


def named(found: list[Pair]) -> list[str]:
    """Name cases by what is called by whom."""
    return ["-".join(pair) for pair in found]


LEFT = [pair for pair in sorted(pairs()) if pair not in THERE | TAGGING | ELSEWHERE.keys()]
FORWARD = [pair for pair in LEFT if not pair[1].startswith(UNDOING)]
UNDONE = [pair for pair in LEFT if pair[1].startswith(UNDOING)]

DENIED = AnswerError("AccessDenied", 403)
FAILS: dict[Pair, Fault] = {
    ("CreateUser", "DeleteUser"): Fault("CreateUser", DropParameter("PermissionsBoundary")),
    ("CreateMfaDevice", "DeleteVirtualMFADevice"): Fault("CreateVirtualMFADevice", CloseConnection()),
    ("CreateGroup", "DeleteGroup"): Fault("AttachGroupPolicy", DENIED, times=None),
    ("CreateGroup", "DetachGroupPolicy"): Fault("AttachGroupPolicy", DENIED, skip=1, times=None),
    ("CreateCredentials", "DeleteAccessKey"): Fault("CreateLoginProfile", DENIED, times=None),
    ("ProvisionUser", "DeleteAccessKey"): Fault("CreateLoginProfile", DENIED, times=None),
    ("AssignPermissions", "DeleteUserPolicy"): Fault("AddUserToGroup", DENIED, times=None),
}
"""What has to fail so that a call is undone by the operation."""
NUMBERS = count(1)
LAST = {
    "ProvisionUser": Fault("CreateAccessKey", DENIED, times=None),
    "CreateCredentials": Fault("CreateAccessKey", DENIED, times=None),
    "AssignPermissions": Fault("PutUserPolicy", DENIED, times=None),
}
"""What else fails, in the last round."""

INVERSES = {
    "AddUserToGroup": "RemoveUserFromGroup",
    "AttachGroupPolicy": "DetachGroupPolicy",
    "AttachUserPolicy": "DetachUserPolicy",
    "CreateAccessKey": "DeleteAccessKey",
    "CreateGroup": "DeleteGroup",
    "CreateLoginProfile": "DeleteLoginProfile",
    "CreatePolicy": "DeletePolicy",
    "CreateUser": "DeleteUser",
    "CreateVirtualMFADevice": "DeleteVirtualMFADevice",
    "PutUserPermissionsBoundary": "DeleteUserPermissionsBoundary",
    "PutUserPolicy": "DeleteUserPolicy",
}


@pytest.fixture(scope="module")
def hasty_server(embedded_account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a server that hardly repeats what passes, since it never passes here, and that waits for a busy machine."""
    variables = {
        "IDENTITY_SERVICE_AWS_RETRY_BUDGET": "0.02",
        "IDENTITY_SERVICE_AWS_READ_TIMEOUT": "7",
        "IDENTITY_SERVICE_SETTLE_SECONDS": "0.02",
    }
    process, ready = start_server(embedded_account, tmp_path_factory.mktemp("hasty"), variables)
    try:
        yield wait_until_ready(process, ready)
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def call(hasty_server: str, account: Account) -> Iterator[Callable[[str], Any]]:
    """Make the widest request of an RPC once, in an account that has cy, who is ours, and zoe, who is nobody's.

    Each test has its own bo and cy: an earlier one's password that is left may be taken for a later one's.
    """
    number = next(NUMBERS)
    account.iam.create_user(UserName="zoe")
    with grpc.insecure_channel(hasty_server) as channel:
        stubs = Stubs(UserServiceStub(channel), CredentialServiceStub(channel), PermissionServiceStub(channel))
        stubs.call("ProvisionUser", ProvisionUserRequest(user=UserSpec(user_name=f"cy{number}")))

        def ask(rpc: str) -> Any:
            request = type(REQUESTS[rpc])()
            request.CopyFrom(REQUESTS[rpc])
            bearer = request.user if rpc == "ProvisionUser" else request
            if getattr(bearer, "user_name", "") in ("bo", "cy"):
                bearer.user_name += str(number)
            return stubs.call(rpc, request)

        yield ask


def test_every_call_of_every_rpc_has_its_rows() -> None:
    """Each pair of the table is here or there; what is said to be elsewhere is a pair, and each RPC has its request."""
    assert set(pairs()) == THERE | set(LEFT) | ELSEWHERE.keys() | (TAGGING & set(pairs()))
    assert {rpc for rpc, _ in LEFT} == REQUESTS.keys() - {"CreatePolicy"}
    assert {operation for _, operation in FORWARD} <= ERRORS.keys()


@pytest.mark.parametrize(("rpc", "operation"), FORWARD, ids=named(FORWARD))
def test_each_row_of_each_call(call: Callable[[str], Any], account: Account, rpc: str, operation: str) -> None:
    """Whatever IAM answers to the call, the caller hears it typed, and nothing is left of what was done before."""
    before = account.aws.dump()
    for (code, status), reason in {**ERRORS[operation], **ANY}.items():
        account.aws.inject(Fault(operation, AnswerError(code, status), times=None))
        with pytest.raises(grpc.RpcError) as caught:
            call(rpc)
        account.aws.clear_faults()
        metadata = metadata_of(caught.value)
        assert (reason_of(caught.value), metadata["failed_step"]) == (reason, f"iam:{operation}"), code
        assert metadata["aws_error_code"] == code
        assert metadata["remaining"] == ("nothing" if rpc != "AdoptUser" else metadata["failed_step_description"]), code
        assert account.aws.dump() == before, code


@pytest.mark.parametrize(("rpc", "operation"), UNDONE, ids=named(UNDONE))
def test_what_cannot_be_undone_is_named(call: Callable[[str], Any], account: Account, rpc: str, operation: str) -> None:
    """The call that undoes is refused: the error names what is left and why, and there is no more of it."""
    account.aws.inject(FAILS.get((rpc, operation)) or LAST[rpc])
    account.aws.inject(Fault(operation, DENIED, times=None))
    account.aws.clear_calls()
    with pytest.raises(grpc.RpcError) as caught:
        call(rpc)
    account.aws.clear_faults()
    left = metadata_of(caught.value)["remaining"].split("; ")
    denied = [each for each in left if each.endswith(f": not undone (iam:{operation}: ACCESS_DENIED (AccessDenied))")]
    hanging_on_it = [each for each in left if each.endswith(": IN_USE (DeleteConflict))")]
    assert denied
    assert sorted(denied + hanging_on_it) == sorted(left)
    done = Counter(seen.operation for seen in account.aws.calls() if seen.error_code is None)
    assert sum(done[making] - done[undoing] for making, undoing in INVERSES.items()) == len(left)
