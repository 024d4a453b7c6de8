"""The RPCs of the contract and what each allows, read from the generated descriptors.

Nothing here is typed in by hand: an RPC that the contract gains is known at once, and whether a lost call
may be sent again follows from its `idempotency_level` and from what its answer holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from google.protobuf.message import Message

from identity_provisioning.v1 import (
    account_service_pb2,
    credential_service_pb2,
    operation_service_pb2,
    permission_service_pb2,
    user_service_pb2,
)
from identity_provisioning.v1.credential_pb2 import IssuedCredentials

Response = TypeVar("Response", bound=Message)

SERVICE_FILES = (
    user_service_pb2.DESCRIPTOR,
    credential_service_pb2.DESCRIPTOR,
    permission_service_pb2.DESCRIPTOR,
    operation_service_pb2.DESCRIPTOR,
    account_service_pb2.DESCRIPTOR,
)


@dataclass(frozen=True)
class Rpc(Generic[Response]):
    """One RPC: where it is, what it takes and answers, and what the contract promises about it."""

    path: str
    request_type: type[Message]
    response_type: type[Response]
    reads_only: bool
    mints: bool
    streams: bool


def methods() -> Iterator[MethodDescriptor]:
    """Yield every RPC that the contract declares."""
    for file in SERVICE_FILES:
        for service in file.services_by_name.values():
            yield from service.methods


_BY_REQUEST = {method.input_type.full_name: method for method in methods()}


def rpc(request_type: type[Message], response_type: type[Response]) -> Rpc[Response]:
    """Find the RPC that takes this request; each has a request message of its own."""
    method = _BY_REQUEST[request_type.DESCRIPTOR.full_name]
    if method.output_type is not response_type.DESCRIPTOR:
        raise TypeError(f"{method.full_name} does not answer {response_type.__name__}")
    reads_only = method.GetOptions().idempotency_level == MethodOptions.NO_SIDE_EFFECTS
    return Rpc(
        path=f"/{method.containing_service.full_name}/{method.name}",
        request_type=request_type,
        response_type=response_type,
        reads_only=reads_only,
        mints=not reads_only and _holds_credentials(method.output_type),
        streams=method.server_streaming,
    )


def _holds_credentials(message: Descriptor, seen: frozenset[str] = frozenset()) -> bool:
    """Tell whether a message, or one inside it, carries freshly issued credentials."""
    if message.full_name == IssuedCredentials.DESCRIPTOR.full_name:
        return True
    if message.full_name in seen:
        return False
    inner = (field.message_type for field in message.fields if field.message_type is not None)
    return any(_holds_credentials(each, seen | {message.full_name}) for each in inner)
