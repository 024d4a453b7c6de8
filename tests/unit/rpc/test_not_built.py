"""What the contract declares and the server does not do yet."""

from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from identity_provisioning.v1.credential_pb2 import CredentialSpec
from identity_provisioning.v1.credential_service_pb2 import CreateCredentialsRequest, CreateMfaDeviceRequest
from identity_provisioning.v1.user_service_pb2 import ProvisionUserRequest
from identity_service.rpc.not_built import FIELDS_NOT_BUILT
from identity_service.rpc.services import FILES, RPC_NAMES, SERVICE_NAMES
from identity_service.rpc.validation import load_contract
from tests.unit.rpc.support import REQUEST_ID, RunningServer, details_of, failure, reason_of, status_of

BUILT = {
    "ProvisionUser",
    "CreateUser",
    "CreateCredentials",
    "AssignPermissions",
    "GetUser",
    "ListUsers",
    "UpdateUser",
    "DeleteUser",
    "DisableConsoleAccess",
    "CreateMfaDevice",
    "EnableMfaDevice",
    "DeleteMfaDevice",
    "RevokePermissions",
    "CreateGroup",
    "ListGroups",
    "DeleteGroup",
    "CreatePolicy",
    "ListPolicies",
    "DeletePolicy",
    "GetAccount",
}
WITHOUT_REQUIRED_FIELDS = {"GetAccount", "ListUsers", "ListGroups", "ListPolicies"}
FIELDS_OF_LATER = {"recipients", "reissue_secrets"}
RPCS = [m for file in FILES for service in file.DESCRIPTOR.services_by_name.values() for m in service.methods]


def provisioning(**fields: Any) -> ProvisionUserRequest:
    """Build a request that is well formed."""
    request = ProvisionUserRequest(request_id=REQUEST_ID, **fields)
    request.user.user_name = "ann"
    return request


def not_built_requests() -> list[tuple[str, Message, str]]:
    """Build for each field that is not built a well-formed request that sets it, with its path."""
    provision, create, device = (
        "UserService/ProvisionUser",
        "CredentialService/CreateCredentials",
        "CredentialService/CreateMfaDevice",
    )
    return [
        (provision, provisioning(recipients=["age1x"]), "recipients"),
        (provision, provisioning(reissue_secrets=True), "reissue_secrets"),
        (create, minting(recipients=["age1x"]), "recipients"),
        (create, minting(reissue_secrets=True), "reissue_secrets"),
        (device, making_a_device(recipients=["age1x"]), "recipients"),
        (device, making_a_device(reissue_secrets=True), "reissue_secrets"),
    ]


def minting(**fields: Any) -> CreateCredentialsRequest:
    """Build a request for an access key."""
    key = CredentialSpec(access_key=True)
    return CreateCredentialsRequest(request_id=REQUEST_ID, user_name="ann", credentials=key, **fields)


def making_a_device(**fields: Any) -> CreateMfaDeviceRequest:
    """Build a request for an MFA device."""
    return CreateMfaDeviceRequest(request_id=REQUEST_ID, user_name="ann", **fields)


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


@pytest.mark.parametrize(("method", "request_message", "path"), not_built_requests())
async def test_a_field_that_is_not_built_is_refused_by_name(
    server: RunningServer, method: str, request_message: Message, path: str
) -> None:
    """A set field that the server would ignore is refused, with its path, before the application is asked."""
    error = await failure(server.call(method, request_message))
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.UNIMPLEMENTED, "NOT_BUILT_YET")
    assert details_of(status_of(error))["ErrorInfo"].metadata["fields"] == path
    assert [v.field for v in details_of(status_of(error))["BadRequest"].field_violations] == [path]
    assert server.application.mutations == []


def test_the_table_names_fields_of_the_contract_and_each_is_tried() -> None:
    """Every entry of the table is a field, and has a request in the test above."""
    contract = load_contract()
    for name in FIELDS_NOT_BUILT:
        assert contract.FindFieldByName(name).full_name == name
    assert len(not_built_requests()) == len(FIELDS_NOT_BUILT)


def test_what_sealing_and_reissuing_need_is_refused_wherever_a_built_rpc_has_it() -> None:
    """No built RPC takes recipients, or a wish for new secrets, and ignores it."""
    later = {
        field.full_name
        for method in RPCS
        if method.name in BUILT
        for field in method.input_type.fields
        if field.name in FIELDS_OF_LATER
    }
    assert later == FIELDS_NOT_BUILT


async def test_a_field_that_is_not_built_may_be_there_with_its_zero_value(server: RunningServer) -> None:
    """`reissue_secrets: false` asks for nothing and is no reason to refuse."""
    request = provisioning()
    request.reissue_secrets = False
    await server.call("UserService/ProvisionUser", request)
    assert len(server.application.mutations) == 1


async def test_an_unknown_rpc_is_unimplemented(server: RunningServer) -> None:
    """What no contract declares is refused by gRPC itself."""
    assert (await failure(server.call_raw("UserService/NoSuchRpc", b""))).code() is grpc.StatusCode.UNIMPLEMENTED
