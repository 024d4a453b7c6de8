"""A caller without a right, at every RPC of the contract: refused, and nothing is asked of AWS."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from identity_service.rpc.services import FILES, RPC_NAMES
from identity_service.rpc_actions import NOT_BUILT
from tests.integration.conftest import AUTHORIZATION, Account, reason_of, start_server, wait_until_ready
from tests.integration.test_bad_input_contract import GOOD, is_required

METHODS = [
    method
    for file in FILES
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
    if method.name not in NOT_BUILT
]


@pytest.fixture(scope="module")
def channel(embedded_account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[grpc.Channel]:
    """Connect to a server that knows its caller and the caller's team, and has no policy."""
    folder = tmp_path_factory.mktemp("empty")
    authorization = folder / "authorization"
    authorization.mkdir()
    (authorization / "callers.yaml").write_text(AUTHORIZATION)
    process, ready = start_server(embedded_account, folder)
    try:
        with grpc.insecure_channel(wait_until_ready(process, ready)) as channel:
            yield channel
    finally:
        process.terminate()
        process.wait(30)


def request_of(message: Descriptor) -> Message:
    """Make a request with all that the contract asks for."""
    fields: dict[str, Any] = {field.name: GOOD[field.name] for field in message.fields if _is_given(field)}
    if "request_id" in message.fields_by_name:
        fields["request_id"] = str(uuid4())
    request: Message = GetMessageClass(message)(**fields)
    return request


def _is_given(field: Any) -> bool:
    return is_required(field) and field.name in GOOD


def ask(channel: grpc.Channel, method: MethodDescriptor) -> grpc.RpcError:
    """Call a method; return the error that it ends with. Fails if it is answered."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    request = request_of(method.input_type).SerializeToString()
    call: Any = channel.unary_stream(path) if method.server_streaming else channel.unary_unary(path)
    try:
        answer = call(request, timeout=20)
        if method.server_streaming:
            next(answer)
    except grpc.RpcError as error:
        return error
    raise AssertionError(f"{method.name} was answered")


def test_no_rpc_is_missed() -> None:
    """What is tried below, and what is not built, is all of the contract."""
    assert {method.name for method in METHODS} | NOT_BUILT == RPC_NAMES


@pytest.mark.parametrize("method", METHODS, ids=[method.name for method in METHODS])
def test_an_rpc_without_a_right_is_refused(channel: grpc.Channel, account: Account, method: MethodDescriptor) -> None:
    """Nothing is allowed that no policy allows, reads included, and a refusal costs no call of AWS."""
    error = ask(channel, method)
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.PERMISSION_DENIED, "CALLER_NOT_ALLOWED")
    assert account.aws.calls() == []
