"""When a request is read: after the caller is known, and not for longer than a request takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc

from identity_service.domain.errors import IdentityError, Reason
from identity_service.rpc.interceptors.around import Behaviour, Context, Continuation, Handler

READ_SECONDS = 10.0
"""How long a request of at most 64 KiB may be on its way, once its call has begun."""


class OneMessage(grpc.aio.ServerInterceptor):
    """Reads the one message of a request inside the interceptors around it.

    grpc.aio reads it before any of them runs: a call without a message would hold its place for as long as its client
    likes, without anybody knowing whose it is. So these RPCs are served as ones that take a stream, of which one
    message is read here; on the wire it is the same.
    """

    def __init__(self, seconds: float = READ_SECONDS) -> None:
        self._seconds = seconds

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        """Read for handlers of one request; those that read a stream themselves stay as they are."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        deserializer, serializer = handler.request_deserializer, handler.response_serializer
        if handler.unary_unary:
            return grpc.stream_unary_rpc_method_handler(self._one(handler.unary_unary), deserializer, serializer)
        if handler.unary_stream:
            return grpc.stream_stream_rpc_method_handler(self._many(handler.unary_stream), deserializer, serializer)
        return handler

    def _one(self, inner: Behaviour) -> Behaviour:
        async def behaviour(messages: AsyncIterator[Any], context: Context) -> Any:
            return await inner(await self._read(messages), context)

        return behaviour

    def _many(self, inner: Behaviour) -> Behaviour:
        async def behaviour(messages: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
            async for response in inner(await self._read(messages), context):
                yield response

        return behaviour

    async def _read(self, messages: AsyncIterator[Any]) -> Any:
        scope = asyncio.timeout(self._seconds)
        try:
            async with scope:
                received = [message async for message in _first_two(messages)]
        except TimeoutError:
            if not scope.expired():
                raise
            raise IdentityError(Reason.DEADLINE_EXCEEDED, "the request did not arrive in time") from None
        if len(received) != 1:
            raise IdentityError(Reason.INVALID_FIELD, "a call of this RPC has one message, no more and no less")
        return received[0]


async def _first_two(messages: AsyncIterator[Any]) -> AsyncIterator[Any]:
    """Pass on no more messages than tell that there are too many."""
    count = 0
    async for message in messages:
        yield message
        count += 1
        if count > 1:
            return
