"""Takes apart the `google.rpc.Status` that travels in a failed call's trailing metadata, or in a result."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol, TypeVar, cast

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from identity_client._errors import ErrorDetails, FieldViolation, QuotaViolation, Resource

ERROR_DOMAIN = "identity-provisioning"
_STATUS_KEY = "grpc-status-details-bin"
_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}
_Detail = TypeVar("_Detail", bound=Message)


class RpcFailure(Protocol):
    """What gRPC's blocking and asyncio errors have in common."""

    def code(self) -> grpc.StatusCode:
        """Answer the status."""

    def details(self) -> str | None:
        """Answer the text that came with it."""

    def trailing_metadata(self) -> Iterable[tuple[str, str | bytes]] | None:
        """Answer the metadata that ended the call."""


def details_of(error: grpc.RpcError, *, request_id: str, trace_id: str) -> ErrorDetails:
    """Read everything that a failed call says; whatever is missing or unreadable is left empty."""
    failure = cast(RpcFailure, error)
    read = _read(_status_of(failure), failure.code(), failure.details() or "")
    return replace(read, request_id=request_id, trace_id=read.trace_id or trace_id)


def details_of_result(status: status_pb2.Status) -> ErrorDetails:
    """Read the error that a result holds, such as that of one user of an operation."""
    code = _CODES.get(status.code, grpc.StatusCode.UNKNOWN)
    return _read(status, code, status.message)


def _read(status: status_pb2.Status, code: grpc.StatusCode, message: str) -> ErrorDetails:
    info = _own_info(status)
    quota = _first(status, error_details_pb2.QuotaFailure)
    bad_request = _first(status, error_details_pb2.BadRequest)
    precondition = _first(status, error_details_pb2.PreconditionFailure)
    metadata = dict(info.metadata) if info else {}
    return ErrorDetails(
        code=code,
        message=message,
        reason=info.reason if info else "",
        metadata=metadata,
        field_violations=tuple(
            FieldViolation(each.field, each.description)
            for each in (bad_request.field_violations if bad_request else ())
        ),
        quota_violations=tuple(
            QuotaViolation(each.subject, each.description) for each in (quota.violations if quota else ())
        ),
        precondition_violations=tuple(each.description for each in (precondition.violations if precondition else ())),
        retry_after=_retry_after(status),
        resource=_resource(status),
        trace_id=metadata.get("trace_id", ""),
    )


def _status_of(failure: RpcFailure) -> status_pb2.Status:
    """Parse the details; a proxy's answer has none, and a broken one counts as none."""
    status = status_pb2.Status()
    for key, value in failure.trailing_metadata() or ():
        if key == _STATUS_KEY and isinstance(value, bytes):
            try:
                status.ParseFromString(value)
            except DecodeError:
                return status_pb2.Status()
    return status


def _unpacked(status: status_pb2.Status, kind: type[_Detail]) -> list[_Detail]:
    found = []
    for packed in cast("Iterable[AnyMessage]", status.details):
        message = kind()
        try:
            if packed.Unpack(message):
                found.append(message)
        except DecodeError:
            continue
    return found


def _first(status: status_pb2.Status, kind: type[_Detail]) -> _Detail | None:
    return next(iter(_unpacked(status, kind)), None)


def _own_info(status: status_pb2.Status) -> error_details_pb2.ErrorInfo | None:
    """Find the service's own ErrorInfo: a proxy on the way may add one of another domain."""
    infos = _unpacked(status, error_details_pb2.ErrorInfo)
    return next((info for info in infos if info.domain == ERROR_DOMAIN), None)


def _retry_after(status: status_pb2.Status) -> float | None:
    retry = _first(status, error_details_pb2.RetryInfo)
    if retry is None:
        return None
    return max(0.0, float(retry.retry_delay.seconds) + float(retry.retry_delay.nanos) / 1e9)


def _resource(status: status_pb2.Status) -> Resource | None:
    found = _first(status, error_details_pb2.ResourceInfo)
    if found is None:
        return None
    return Resource(found.resource_type, found.resource_name, found.owner, found.description)
