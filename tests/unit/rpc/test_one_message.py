"""When a request is read, over real TLS: who sends none keeps nobody out, whoever they are."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
import pytest
from cryptography.x509 import GeneralName

from identity_provisioning.v1.operation_service_pb2 import WatchOperationRequest
from identity_provisioning.v1.user_service_pb2 import DeleteUserRequest
from identity_service.rpc.client_certificates import ClientCertificates
from identity_service.server import tls_credentials
from tests.unit.rpc.certificates import DNS, URI, Authority
from tests.unit.rpc.support import (
    BOT_ID,
    LONG,
    REQUEST_ID,
    LogStream,
    RunningServer,
    failure,
    reason_of,
    running_server,
)

UNARY = "/identity_provisioning.v1.UserService/DeleteUser"
STREAM = "/identity_provisioning.v1.OperationService/WatchOperation"
REQUEST = DeleteUserRequest(request_id=REQUEST_ID, user_name="ann").SerializeToString()
WATCH = WatchOperationRequest(operation_id=REQUEST_ID).SerializeToString()
PLACES = 4
SOON = 0.2
NOBODY = DNS("nobody.example.org")
"""A name that an authority in the bundle signs, as it does for servers, and that is no caller's."""


class Secure:
    """A server with TLS, and channels to it under the names of a certificate."""

    def __init__(self, server: RunningServer, authority: Authority, stack: AsyncExitStack) -> None:
        self.server = server
        self._authority = authority
        self._stack = stack

    async def channel(self, name: GeneralName) -> grpc.aio.Channel:
        """Open a connection of its own."""
        port = self.server.address.rpartition(":")[2]
        credentials = self._authority.channel_credentials(self._authority.issue([name]))
        options = [("grpc.use_local_subchannel_pool", 1)]
        return await self._stack.enter_async_context(
            grpc.aio.secure_channel(f"localhost:{port}", credentials, options=options)
        )


@asynccontextmanager
async def secure(log: LogStream, read_seconds: float) -> AsyncIterator[Secure]:
    """Run a server that takes few calls at a time."""
    authority = Authority()
    files = authority.server_files(authority.issue([DNS("localhost")]))
    async with (
        running_server(
            log,
            identify_peer=ClientCertificates(lambda: files.authorities, lambda: {"example.org"}),
            server_credentials=tls_credentials(lambda: files),
            maximum_concurrent_rpcs=PLACES,
            maximum_watchers=PLACES,
            read_seconds=read_seconds,
        ) as server,
        AsyncExitStack() as stack,
    ):
        yield Secure(server, authority, stack)


def without_a_message(channel: grpc.aio.Channel, method: str) -> Any:
    """Begin a call that sends nothing and does not end what it sends."""
    call: Any = channel.stream_stream(method) if method == STREAM else channel.stream_unary(method)
    return call(timeout=LONG)


async def ask(channel: grpc.aio.Channel, method: str) -> None:
    """Call as clients do."""
    if method == STREAM:
        stream: Any = channel.unary_stream(method)
        assert await stream(WATCH, timeout=LONG).read()
    else:
        call: Any = channel.unary_unary(method)
        await call(REQUEST, timeout=LONG)


@pytest.mark.parametrize("method", [UNARY, STREAM])
async def test_nobody_holds_a_place_without_a_message(log: LogStream, method: str) -> None:
    """Calls without a message, of a peer without a SPIFFE id, are refused and logged at once and keep nobody out."""
    async with secure(log, read_seconds=LONG) as running:
        attacker, caller = await running.channel(NOBODY), await running.channel(URI(BOT_ID))
        for _ in range(PLACES + 1):
            assert await without_a_message(attacker, method).code() is grpc.StatusCode.UNAUTHENTICATED
        await ask(caller, method)
        refused = await running.server.logged("caller_unknown", PLACES + 1)
    assert [line["rule"] for line in refused] == ["one_uri_name"] * (PLACES + 1)


@pytest.mark.parametrize("method", [UNARY, STREAM])
async def test_a_caller_holds_a_place_for_no_longer_than_a_message_takes(log: LogStream, method: str) -> None:
    """Also who is known gives the place back when no message comes, whatever deadline the call has."""
    async with secure(log, read_seconds=SOON) as running:
        slow, caller = await running.channel(URI(BOT_ID)), await running.channel(URI(BOT_ID))
        calls = [without_a_message(slow, method) for _ in range(PLACES)]
        assert {await call.code() for call in calls} == {grpc.StatusCode.DEADLINE_EXCEEDED}
        await ask(caller, method)
        lines = await running.server.logged("rpc", PLACES + 1)
    assert [line["outcome"] for line in lines] == ["DEADLINE_EXCEEDED"] * PLACES + ["OK"]


@pytest.mark.parametrize("method", [UNARY, STREAM])
@pytest.mark.parametrize("count", [0, 2])
async def test_a_call_has_one_message(server: RunningServer, method: str, count: int) -> None:
    """No message, or two, is an error that says so, and the application hears of neither."""

    def messages() -> Iterator[bytes]:
        yield from [REQUEST] * count

    if method == STREAM:
        streamed: Any = server.channel.stream_stream(method)
        answer = streamed(messages(), timeout=LONG).read()
    else:
        answered: Any = server.channel.stream_unary(method)
        answer = answered(messages(), timeout=LONG)
    error = await failure(answer)
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert "one message" in str(error.details())
    assert (server.application.mutations, server.application.reads) == ([], [])
