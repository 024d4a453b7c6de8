"""How many calls and streams a server answers at a time, and what becomes of the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import grpc
import pytest

from identity_provisioning.v1.operation_service_pb2 import WatchOperationRequest
from identity_provisioning.v1.user_service_pb2 import GetUserRequest
from identity_service.domain.errors import IdentityError, Reason
from identity_service.rpc.interceptors.around import Context, Handler
from identity_service.rpc.interceptors.places import Places
from tests.unit.rpc.support import LONG, REQUEST_ID, LogStream, failure, reason_of, running_server

CALL = "/identity_provisioning.v1.UserService/GetUser"
STREAM = "/identity_provisioning.v1.OperationService/WatchOperation"
CONTEXT = cast(Context, None)
FLOOD = 90
"""Fewer than the streams of one connection."""


class Details:
    """What gRPC says of a call before it is read."""

    def __init__(self, method: str) -> None:
        self.method = method


class Server:
    """Answers calls, and streams twice, once its gate is open."""

    def __init__(self, places: Places) -> None:
        self.gate = asyncio.Event()
        self._places = places

    async def call(self) -> Any:
        """Make a call."""
        handler = await self._surrounded(grpc.unary_unary_rpc_method_handler(self._one), CALL)
        return await cast(Any, handler.unary_unary)("request", CONTEXT)

    async def stream(self) -> AsyncIterator[Any]:
        """Open a stream."""
        handler = await self._surrounded(grpc.unary_stream_rpc_method_handler(self._many), STREAM)
        async for answer in cast(Any, handler.unary_stream)("request", CONTEXT):
            yield answer

    async def _surrounded(self, handler: Handler, method: str) -> Handler:
        async def found(_: grpc.HandlerCallDetails) -> Handler:
            return handler

        surrounded = await self._places.intercept_service(found, cast(grpc.HandlerCallDetails, Details(method)))
        assert surrounded is not None
        return surrounded

    async def _one(self, request: Any, context: Context) -> str:
        await self.gate.wait()
        return "answer"

    async def _many(self, request: Any, context: Context) -> AsyncIterator[str]:
        yield "first"
        await self.gate.wait()
        yield "last"


@pytest.fixture
def server() -> Server:
    """Take two calls and one stream at a time."""
    return Server(Places(2, 1, (STREAM,)))


async def refusal(server: Server) -> IdentityError:
    """Return what a call is refused with."""
    with pytest.raises(IdentityError) as refused:
        await server.call()
    return refused.value


async def test_one_call_too_many_is_told_when_to_come_back(server: Server) -> None:
    """Beyond its places a server answers OVERLOADED with a wait, and an answered call gives its place back."""
    under_way = [asyncio.create_task(server.call()) for _ in range(2)]
    await asyncio.sleep(0)
    error = await refusal(server)
    assert (error.reason, error.retry_after) == (Reason.OVERLOADED, 1.0)
    server.gate.set()
    assert await asyncio.gather(*under_way) == ["answer"] * 2
    assert [*await asyncio.gather(server.call(), server.call())] == ["answer"] * 2


async def test_a_refused_call_takes_no_place_with_it(server: Server) -> None:
    """However many are refused, as many as before are taken once there is room."""
    under_way = [asyncio.create_task(server.call()) for _ in range(2)]
    await asyncio.sleep(0)
    for _ in range(5):
        await refusal(server)
    server.gate.set()
    await asyncio.gather(*under_way)
    server.gate.clear()
    again = [asyncio.create_task(server.call()) for _ in range(2)]
    await asyncio.sleep(0)
    assert (await refusal(server)).reason is Reason.OVERLOADED
    server.gate.set()
    assert await asyncio.gather(*again) == ["answer"] * 2


async def test_a_cancelled_call_gives_its_place_back(server: Server) -> None:
    """Who goes away before the answer leaves the place to another."""
    gone, stays = (asyncio.create_task(server.call()) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    another = asyncio.create_task(server.call())
    await asyncio.sleep(0)
    assert not another.done()
    server.gate.set()
    assert [*await asyncio.gather(stays, another)] == ["answer"] * 2


@pytest.mark.parametrize("end", ["to the last answer", "closed between answers", "cancelled while it waits"])
async def test_a_stream_has_its_place_until_it_ends(server: Server, end: str) -> None:
    """One stream too many waits longer than a call, and each way of a stream to end gives its place back."""
    stream: Any = server.stream()
    assert await anext(stream) == "first"
    with pytest.raises(IdentityError) as refused:
        await anext(server.stream())
    assert (refused.value.reason, refused.value.retry_after) == (Reason.OVERLOADED, 5.0)
    if end == "to the last answer":
        server.gate.set()
        assert [answer async for answer in stream] == ["last"]
    elif end == "cancelled while it waits":
        waiting = asyncio.create_task(anext(stream))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    else:
        await stream.aclose()
        # The generators below are closed by the event loop, one after the other.
        for _ in range(5):
            await asyncio.sleep(0)
    assert await anext(server.stream()) == "first"


async def test_streams_and_calls_take_nothing_from_each_other(server: Server) -> None:
    """With all streams there may be, calls are answered, and the other way round."""
    stream: Any = server.stream()
    assert await anext(stream) == "first"
    under_way = [asyncio.create_task(server.call()) for _ in range(2)]
    await asyncio.sleep(0)
    assert not any(call.done() for call in under_way)
    await stream.aclose()
    for _ in range(5):
        await asyncio.sleep(0)
    assert await anext(server.stream()) == "first"
    server.gate.set()
    assert await asyncio.gather(*under_way) == ["answer"] * 2


async def test_each_of_a_flood_is_refused_by_the_service_itself(log: LogStream) -> None:
    """Ninety calls at once to a server with one place, which is taken: all are OVERLOADED, each with line and span."""
    async with running_server(log, maximum_concurrent_rpcs=1, maximum_watchers=1) as server:
        entered, gate = asyncio.Event(), asyncio.Event()

        async def wait() -> None:
            entered.set()
            await gate.wait()

        server.application.wait_for = wait
        request = GetUserRequest(user_name="ann")
        server.application.error = IdentityError(Reason.USER_NOT_FOUND, "no such user")
        first = asyncio.create_task(failure(server.call("UserService/GetUser", request)))
        await asyncio.wait_for(entered.wait(), LONG)
        errors = await asyncio.gather(
            *(failure(server.call("UserService/GetUser", request, timeout=LONG)) for _ in range(FLOOD))
        )
        assert {reason_of(error) for error in errors} == {"OVERLOADED"}
        gate.set()
        assert reason_of(await first) == "USER_NOT_FOUND"
        spans = await server.finished_spans(FLOOD + 1)
    assert [span.attributes and span.attributes.get("error.type") for span in spans].count("OVERLOADED") == FLOOD
    assert [line["outcome"] for line in server.log_lines("rpc")].count("OVERLOADED") == FLOOD


async def test_a_watcher_whose_client_goes_leaves_its_place(log: LogStream) -> None:
    """Over a real connection, too: the next watcher is told, once the server has heard that the first one is gone."""
    async with running_server(log, maximum_watchers=1) as server:
        entered = asyncio.Event()

        async def wait() -> None:
            entered.set()
            await asyncio.Event().wait()

        server.application.wait_for = wait
        watch: Any = server.channel.unary_stream(STREAM)
        request = WatchOperationRequest(operation_id=REQUEST_ID).SerializeToString()
        first = watch(request, timeout=LONG)
        await asyncio.wait_for(entered.wait(), LONG)
        assert reason_of(await failure(watch(request, timeout=LONG).read())) == "OVERLOADED"
        first.cancel()
        lines = await server.logged("rpc", 2)
        assert [line["outcome"] for line in lines] == ["OVERLOADED", "CANCELLED"]
        server.application.wait_for = None
        assert await watch(request, timeout=LONG).read()
