"""Interceptors that do something around an RPC, whatever its kind."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import grpc

Context = grpc.aio.ServicerContext[Any, Any]
# Generic for the type checker alone.
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Continuation = Callable[[grpc.HandlerCallDetails], Awaitable["Handler | None"]]
Behaviour = Callable[..., Any]
"""Takes a request, or a stream of them, and the context."""


class AroundInterceptor(grpc.aio.ServerInterceptor):
    """Enters `around` before an RPC and leaves it afterwards, with the exception if there was one."""

    @abstractmethod
    def around(self, method: str, context: Context) -> AbstractAsyncContextManager[None]:
        """Return what surrounds an RPC; `method` is such as `/identity_provisioning.v1.UserService/GetUser`."""

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        """Surround the RPC's handler; an RPC that nobody serves has none."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        method = handler_call_details.method

        def surround(context: Context) -> AbstractAsyncContextManager[None]:
            return self.around(method, context)

        return replace_behaviour(handler, lambda inner: _one(inner, surround), lambda inner: _many(inner, surround))


Surround = Callable[[Context], AbstractAsyncContextManager[None]]


def _one(inner: Behaviour, surround: Surround) -> Behaviour:
    async def behaviour(request: Any, context: Context) -> Any:
        async with surround(context):
            return await inner(request, context)

    return behaviour


def _many(inner: Behaviour, surround: Surround) -> Behaviour:
    async def behaviour(request: Any, context: Context) -> AsyncIterator[Any]:
        async with surround(context):
            async for response in inner(request, context):
                yield response

    return behaviour


def replace_behaviour(
    handler: Handler, one: Callable[[Behaviour], Behaviour], many: Callable[[Behaviour], Behaviour]
) -> Handler:
    """Return a handler of the same kind: `one` makes the behaviour for one response, `many` for a stream of them."""
    deserializer, serializer = handler.request_deserializer, handler.response_serializer
    if handler.unary_unary:
        return grpc.unary_unary_rpc_method_handler(one(handler.unary_unary), deserializer, serializer)
    if handler.unary_stream:
        return grpc.unary_stream_rpc_method_handler(many(handler.unary_stream), deserializer, serializer)
    if handler.stream_unary:
        return grpc.stream_unary_rpc_method_handler(one(handler.stream_unary), deserializer, serializer)
    if handler.stream_stream:
        return grpc.stream_stream_rpc_method_handler(many(handler.stream_stream), deserializer, serializer)
    raise TypeError("the handler has no behaviour")
