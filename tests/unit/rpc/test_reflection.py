"""Reflection takes nothing from anybody: its streams are few and short, whatever their client wants."""

import asyncio
from typing import Any

import grpc

from identity_provisioning.v1.user_service_pb2 import GetUserRequest
from identity_service.domain.errors import IdentityError, Reason
from identity_service.rpc.reflection import MOST_REFLECTIONS
from tests.unit.rpc.support import LONG, LogStream, RunningServer, failure, reason_of, running_server

REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
LIST_SERVICES = b"\x3a\x00"
"""A ServerReflectionRequest whose field 7, `list_services`, is an empty text."""
SHORT = 0.3


def held(server: RunningServer, seconds: float) -> Any:
    """Open a stream of reflection that has answered once and asks nothing more, but stays open."""
    open_stream: Any = server.channel.stream_stream(REFLECTION)
    return open_stream(timeout=seconds)


async def test_held_streams_of_reflection_keep_nobody_from_calling(log: LogStream) -> None:
    """With all of its streams held, one more is OVERLOADED, and calls are answered, though there is one place."""
    async with running_server(log, maximum_concurrent_rpcs=1) as server:
        streams = [held(server, LONG) for _ in range(MOST_REFLECTIONS)]
        for stream in streams:
            await stream.write(LIST_SERVICES)
            assert b"identity_provisioning.v1.UserService" in await stream.read()
        open_stream: Any = server.channel.unary_stream(REFLECTION)
        one_more = open_stream(LIST_SERVICES, timeout=LONG)
        assert reason_of(await failure(one_more.read())) == "OVERLOADED"
        server.application.error = IdentityError(Reason.USER_NOT_FOUND, "no such user")
        answered = await failure(server.call("UserService/GetUser", GetUserRequest(user_name="ann"), timeout=LONG))
        assert reason_of(answered) == "USER_NOT_FOUND"
        for stream in streams:
            stream.cancel()


async def test_a_stream_of_reflection_ends_by_the_servers_deadline(log: LogStream) -> None:
    """A client that gives itself an hour, and asks nothing, is let go after the default deadline."""
    async with running_server(log, default_deadline=SHORT) as server, asyncio.timeout(LONG):
        stream = held(server, 3600)
        await stream.write(LIST_SERVICES)
        assert await stream.read()
        assert (await failure(stream.read())).code() is grpc.StatusCode.DEADLINE_EXCEEDED
