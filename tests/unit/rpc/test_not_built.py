"""What the contract declares and the server does not do yet."""

from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor

from identity_service.rpc.services import FILES, RPC_NAMES, SERVICE_NAMES
from identity_service.rpc.validation import load_contract
from tests.unit.rpc.support import RunningServer, details_of, failure, reason_of, status_of

BUILT = {
    "ProvisionUser",
    "CreateUser",
    "CreateCredentials",
    "AssignPermissions",
    "GetUser",
    "ListUsers",
    "AdoptUser",
    "UpdateUser",
    "DeleteUser",
    "DisableConsoleAccess",
    "CreateMfaDevice",
    "EnableMfaDevice",
    "DeleteMfaDevice",
    "ListMfaDevices",
    "RevokePermissions",
    "CreateGroup",
    "ListGroups",
    "DeleteGroup",
    "CreatePolicy",
    "ListPolicies",
    "DeletePolicy",
    "GetAccount",
    "CreateOperation",
    "AppendUsers",
    "StartOperation",
    "GetOperation",
    "ListOperations",
    "WatchOperation",
    "ListOperationResults",
    "CancelOperation",
}
WITHOUT_REQUIRED_FIELDS = {"GetAccount", "ListUsers", "ListGroups", "ListPolicies", "ListMfaDevices", "ListOperations"}
RPCS = [m for file in FILES for service in file.DESCRIPTOR.services_by_name.values() for m in service.methods]


def test_the_contract_has_five_services() -> None:
    """Nothing of the contract is forgotten where services are registered."""
    files = load_contract()
    assert {name.rpartition(".")[2] for name in SERVICE_NAMES} == {
        "UserService",
        "CredentialService",
        "PermissionService",
        "OperationService",
        "AccountService",
    }
    for name in SERVICE_NAMES:
        assert len(files.FindServiceByName(name).methods) > 0
    assert len(RPC_NAMES) == len(RPCS)


@pytest.mark.parametrize("method", RPCS, ids=[method.name for method in RPCS])
async def test_every_rpc_is_served_or_says_it_is_not_built(server: RunningServer, method: MethodDescriptor) -> None:
    """An empty request is refused for its fields where the RPC is built, and with NOT_BUILT_YET where it is not."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    if method.server_streaming:
        stream: Any = server.channel.unary_stream(path, None, None)
        error = await failure(stream(b"").read())
    else:
        server.application.error = RuntimeError("asked")
        error = await failure(server.call_raw(path.removeprefix("/identity_provisioning.v1."), b""))
    if method.name not in BUILT:
        assert (error.code(), reason_of(error)) == (grpc.StatusCode.UNIMPLEMENTED, "NOT_BUILT_YET")
        assert details_of(status_of(error))["ErrorInfo"].metadata["method"] == path.removeprefix("/")
    elif method.name in WITHOUT_REQUIRED_FIELDS:
        assert server.application.reads  # There is nothing to refuse, so the application is asked.
    else:
        assert (error.code(), reason_of(error)) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")


@pytest.mark.parametrize("method", RPCS, ids=[method.name for method in RPCS])
def test_every_rpc_says_how_it_may_be_repeated(method: MethodDescriptor) -> None:
    """Each RPC of the contract has an idempotency level, which retries and proxies go by."""
    assert method.GetOptions().idempotency_level != 0


async def test_an_unknown_rpc_is_unimplemented(server: RunningServer) -> None:
    """What no contract declares is refused by gRPC itself."""
    assert (await failure(server.call_raw("UserService/NoSuchRpc", b""))).code() is grpc.StatusCode.UNIMPLEMENTED
