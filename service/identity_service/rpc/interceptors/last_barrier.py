"""What is left when the fault barrier's own surroundings fail: the log, the trace, redaction, an interceptor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Never

import grpc

from identity_service.rpc.interceptors.around import Behaviour, Context, Continuation, Handler, replace_behaviour

FAULT = "a fault of this service"


class LastBarrier(grpc.aio.ServerInterceptor):
    """Keeps the text of an exception from the client, whom grpc.aio would send it to.

    It logs nothing: what failed may be the log. Whatever can be logged was, by the fault barrier inside. It leans on
    nothing that could fail outside of it, so it is no AroundInterceptor.
    """

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        """Surround the RPC's handler; where none can be had, answer in its place."""
        try:
            handler = await continuation(handler_call_details)
            return None if handler is None else replace_behaviour(handler, _one, _many)
        except Exception:  # noqa: BLE001 - this is the last barrier
            # Of a stream of requests none is waited for.
            return grpc.stream_unary_rpc_method_handler(_refuse)


@asynccontextmanager
async def _answered(context: Context) -> AsyncIterator[None]:
    """Answer INTERNAL, without details, unless another answer was on its way already."""
    try:
        yield
    except grpc.aio.AbortError:
        raise
    except Exception:  # noqa: BLE001 - this is the last barrier
        try:
            await context.abort(grpc.StatusCode.INTERNAL, FAULT)
        except grpc.aio.UsageError:
            raise grpc.aio.AbortError from None


def _one(inner: Behaviour) -> Behaviour:
    async def behaviour(request: Any, context: Context) -> Any:
        async with _answered(context):
            return await inner(request, context)

    return behaviour


def _many(inner: Behaviour) -> Behaviour:
    async def behaviour(request: Any, context: Context) -> AsyncIterator[Any]:
        async with _answered(context):
            async for response in inner(request, context):
                yield response

    return behaviour


async def _refuse(requests: AsyncIterator[bytes], context: Context) -> Never:
    await context.abort(grpc.StatusCode.INTERNAL, FAULT)
