"""What the contract declares and this server does not do yet: refused by name, never ignored."""

from __future__ import annotations

from typing import Any, Never

import grpc
from google.protobuf.message import Message

from identity_service.domain.errors import IdentityError, Reason
from identity_service.rpc.call import current_call


async def not_built(self: object, request: Message, context: grpc.aio.ServicerContext[Any, Any]) -> Never:
    """Stand in a servicer for an RPC that is not built yet."""
    raise _rpc_error()


def is_built(handler: grpc.RpcMethodHandler[Any, Any]) -> bool:
    """Tell whether an RPC is more than a stand-in."""
    behaviour = handler.unary_unary or handler.unary_stream
    return getattr(behaviour, "__func__", behaviour) is not not_built


def _rpc_error() -> IdentityError:
    method = current_call().method
    return IdentityError(Reason.NOT_BUILT_YET, f"{method} is not built yet", metadata={"method": method})
