"""What the contract declares and this server does not do yet: refused by name, never ignored."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Never

import grpc
from google.protobuf.message import Message

from identity_service.domain.errors import FieldViolation, IdentityError, Reason
from identity_service.rpc.call import current_call
from identity_service.rpc.fields import present_fields

PACKAGE = "identity_provisioning.v1"
FIELDS_NOT_BUILT = frozenset(
    f"{PACKAGE}.{name}"
    for name in (
        "ProvisionUserRequest.recipients",
        "ProvisionUserRequest.reissue_secrets",
        "CreateCredentialsRequest.recipients",
        "CreateCredentialsRequest.reissue_secrets",
        "CreateMfaDeviceRequest.recipients",
        "CreateMfaDeviceRequest.reissue_secrets",
    )
)
"""Fields of built RPCs that are not built yet, by their full names, wherever they are nested."""


def check_built(request: Message) -> None:
    """Raise IdentityError NOT_BUILT_YET if a request sets a field that is not built yet."""
    paths = [path for path, field in present_fields(request) if field.full_name in FIELDS_NOT_BUILT]
    if paths:
        raise IdentityError(
            Reason.NOT_BUILT_YET,
            f"not built yet: {', '.join(paths)}",
            metadata={"fields": ",".join(paths)},
            field_violations=tuple(FieldViolation(path, "this field is not built yet") for path in paths),
        )


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
