"""The health service by itself: what each name answers from the start to the drain."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped] # ships no types

from identity_service.server import MOST_HEALTH_CALLS, OPTIONS, HealthServer
from tests.unit.rpc.support import LONG

STREAMS_OF_A_CONNECTION = int(dict(OPTIONS)["grpc.max_concurrent_streams"])
UP, DOWN = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
NAMES = ("", "readiness", "liveness", "identity_provisioning.v1.UserService")
READY: Mapping[str, int] = dict.fromkeys(NAMES, UP)
ALIVE_ALONE: Mapping[str, int] = {name: UP if name == "liveness" else DOWN for name in NAMES}


@pytest.fixture
async def health() -> AsyncIterator[HealthServer]:
    """A health service on a port of its own."""
    server = HealthServer("127.0.0.1:0")
    await server.start()
    yield server
    await server.stop()


async def answers(server: HealthServer) -> dict[str, int]:
    """Ask for every name."""
    async with grpc.aio.insecure_channel(server.address) as channel:
        check: Any = health_pb2_grpc.HealthStub(channel).Check
        return {name: (await check(health_pb2.HealthCheckRequest(service=name))).status for name in NAMES}


async def test_it_lives_before_it_is_ready(health: HealthServer) -> None:
    """From its start the process is alive, and ready only once that is said; it may be unready again."""
    assert await answers(health) == ALIVE_ALONE
    await health.set_ready(True)
    assert await answers(health) == READY
    await health.set_ready(False)
    assert await answers(health) == ALIVE_ALONE


async def test_who_drains_is_never_ready_again(health: HealthServer) -> None:
    """Whatever is found of store and certificates afterwards, a process that drains is sent no calls, and lives."""
    await health.set_ready(True)
    await health.set_draining()
    await health.set_ready(True)
    assert await answers(health) == ALIVE_ALONE


async def test_nobody_stays_on_the_health_port(health: HealthServer) -> None:
    """Watch is not served, so that nobody can hold calls on a port without a caller."""
    async with grpc.aio.insecure_channel(health.address) as channel:
        watch: Any = health_pb2_grpc.HealthStub(channel).Watch
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await watch(health_pb2.HealthCheckRequest()).read()
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_check_without_a_request_holds_no_place() -> None:
    """Calls whose request never comes, more than the port takes, end soon, and probes are answered afterwards."""
    server = HealthServer("127.0.0.1:0", read_seconds=0.1)
    await server.start()
    try:
        async with AsyncExitStack() as stack:
            for _ in range(MOST_HEALTH_CALLS // STREAMS_OF_A_CONNECTION + 1):
                options = [("grpc.use_local_subchannel_pool", 1)]
                channel = await stack.enter_async_context(grpc.aio.insecure_channel(server.address, options))
                check: Any = channel.stream_unary("/grpc.health.v1.Health/Check")
                calls = [check(timeout=LONG) for _ in range(STREAMS_OF_A_CONNECTION)]
                codes = {await call.code() for call in calls}
                assert codes <= {grpc.StatusCode.INTERNAL, grpc.StatusCode.RESOURCE_EXHAUSTED}
            assert await answers(server) == ALIVE_ALONE
    finally:
        await server.stop()
