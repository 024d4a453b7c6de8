"""Deadlines and cancellations: who waits may go, the work stays."""

import asyncio

import grpc
import pytest

from identity_provisioning.v1.user_service_pb2 import DeleteUserRequest, GetUserRequest
from identity_service.domain.errors import IdentityError, Reason
from tests.unit.rpc.support import (
    LONG,
    REQUEST_ID,
    LogStream,
    RunningServer,
    details_of,
    failure,
    reason_of,
    running_server,
    status_of,
)

REQUEST = DeleteUserRequest(request_id=REQUEST_ID, user_name="ann")
SHORT = 0.5


class Gate:
    """Holds the fake application until a test opens it."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.opened = asyncio.Event()
        self.passed = asyncio.Event()

    async def __call__(self) -> None:
        """Wait at the gate."""
        self.entered.set()
        await self.opened.wait()
        self.passed.set()


async def test_a_cancelled_client_leaves_the_work_running(server: RunningServer) -> None:
    """Work goes on after its client went away, and a drain waits for it."""
    server.application.wait_for = gate = Gate()
    call = asyncio.create_task(server.call("UserService/DeleteUser", REQUEST))
    await asyncio.wait_for(gate.entered.wait(), LONG)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert server.work.running == 1
    await server.server.stop(0)
    drain = asyncio.create_task(server.work.drain(LONG))
    gate.opened.set()
    assert await drain == 0
    assert gate.passed.is_set()
    (line,) = await server.logged("rpc")
    assert line["grpc_code"] == line["outcome"] == "CANCELLED"
    assert [finished["outcome"] for finished in await server.logged("work finished without its caller")] == ["OK"]


async def test_a_passed_deadline_ends_the_waiting_alone(server: RunningServer) -> None:
    """The caller's deadline ends its wait with DEADLINE_EXCEEDED; the work goes on."""
    server.application.wait_for = gate = Gate()
    error = await failure(server.call("UserService/DeleteUser", REQUEST, timeout=SHORT))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert server.work.running == 1
    gate.opened.set()
    assert await server.work.drain(LONG) == 0
    assert gate.passed.is_set()


async def test_a_call_without_a_deadline_gets_one(log: LogStream) -> None:
    """The default deadline ends the wait of a client that set none, with words on how to go on."""
    async with running_server(log, default_deadline=SHORT) as server:
        server.application.wait_for = gate = Gate()
        error = await failure(server.call("UserService/DeleteUser", REQUEST))
        assert (error.code(), reason_of(error)) == (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")
        assert "request_id" in str(error.details())
        assert server.work.running == 1
        gate.opened.set()
        assert await server.work.drain(LONG) == 0


async def test_a_timeout_of_something_else_is_no_deadline(server: RunningServer) -> None:
    """A TimeoutError from below is a fault of the service, not the caller's impatience."""
    server.application.error = TimeoutError()
    assert reason_of(await failure(server.call("UserService/GetUser", GetUserRequest(user_name="ann")))) == "INTERNAL"


async def test_too_many_mutations_are_refused_with_a_time_to_retry(log: LogStream) -> None:
    """Work that nobody waits for any more still counts, and one more than the limit is refused."""
    async with running_server(log, maximum_mutations=1) as server:
        server.application.wait_for = gate = Gate()
        await failure(server.call("UserService/DeleteUser", REQUEST, timeout=SHORT))
        error = await failure(server.call("UserService/DeleteUser", REQUEST))
        assert (error.code(), reason_of(error)) == (grpc.StatusCode.UNAVAILABLE, "OVERLOADED")
        assert details_of(status_of(error))["RetryInfo"].retry_delay.ToMilliseconds() > 0
        gate.opened.set()


async def test_more_rpcs_than_the_server_takes_are_refused(log: LogStream) -> None:
    """The limit of concurrent RPCs holds for all of them, reads included, and who is refused is told when to ask."""
    async with running_server(log, maximum_concurrent_rpcs=1) as server:
        server.application.wait_for = gate = Gate()
        first = asyncio.create_task(server.call("UserService/DeleteUser", REQUEST))
        await asyncio.wait_for(gate.entered.wait(), LONG)
        error = await failure(server.call("UserService/GetUser", GetUserRequest(user_name="ann")))
        assert (error.code(), reason_of(error)) == (grpc.StatusCode.UNAVAILABLE, "OVERLOADED")
        assert details_of(status_of(error))["RetryInfo"].retry_delay.ToMilliseconds() > 0
        gate.opened.set()
        await first


async def test_mutations_are_refused_while_the_server_drains(server: RunningServer) -> None:
    """A mutation that gets as far as the work of a draining server is sent to another replica."""
    await server.work.drain(LONG)
    error = await failure(server.call("UserService/DeleteUser", REQUEST))
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")


async def test_the_failure_of_abandoned_work_is_logged_by_its_reason(server: RunningServer) -> None:
    """What came of work whose caller went away stands in the log."""
    server.application.wait_for = gate = Gate()
    server.application.error = IdentityError(Reason.THROTTLED, "slow down")
    await failure(server.call("UserService/DeleteUser", REQUEST, timeout=SHORT))
    gate.opened.set()
    await server.work.drain(LONG)
    (line,) = await server.logged("work finished without its caller")
    assert line["outcome"] == "THROTTLED"
