"""What the contract declares and this server does not do yet: refused by name, never ignored."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Never

import grpc
from google.protobuf.message import Message

from identity_service.domain.errors import IdentityError, Reason
from identity_service.rpc.call import current_call


async def not_built(self: object, request: Message, context: grpc.aio.ServicerContext[Any, Any]) -> Never:
    """Stand in a servicer for an RPC that is not built yet."""
    raise _rpc_error()


async def not_built_stream(
    self: object, request: Message, context: grpc.aio.ServicerContext[Any, Any]
) -> AsyncIterator[Never]:
    """Stand in a servicer for an RPC with a stream of answers that is not built yet."""
    raise _rpc_error()
    yield  # type: ignore[unreachable] # makes this a generator, which is what gRPC expects of such an RPC


def is_built(handler: grpc.RpcMethodHandler[Any, Any]) -> bool:
    """Tell whether an RPC is more than a stand-in."""
    behaviour = handler.unary_unary or handler.unary_stream
    return getattr(behaviour, "__func__", behaviour) not in (not_built, not_built_stream)


def _rpc_error() -> IdentityError:
    method = current_call().method
    return IdentityError(Reason.NOT_BUILT_YET, f"{method} is not built yet", metadata={"method": method})
