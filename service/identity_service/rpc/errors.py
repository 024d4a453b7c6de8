"""From the application's errors to gRPC: one table of status codes, and the standard details of `google.rpc`."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Never

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from identity_service.domain.errors import IdentityError, Reason

DOMAIN = "identity-provisioning"
STATUS_METADATA_KEY = "grpc-status-details-bin"
MAXIMUM_DETAILS_BYTES = 4500
"""gRPC drops an answer whose metadata has more than 8 KiB, and counts these bytes in base64."""
MOST_VIOLATIONS = 250
"""More never fit; what is over is left out before it costs anything, since a caller makes them by the ten thousand."""
MAXIMUM_MESSAGE_CHARACTERS = 400
MAXIMUM_VALUE_CHARACTERS = 800

STATUS_CODES: Mapping[Reason, grpc.StatusCode] = MappingProxyType(
    {
        Reason.INVALID_FIELD: grpc.StatusCode.INVALID_ARGUMENT,
        Reason.MALFORMED_POLICY_DOCUMENT: grpc.StatusCode.INVALID_ARGUMENT,
        Reason.PASSWORD_POLICY_VIOLATION: grpc.StatusCode.INVALID_ARGUMENT,
        Reason.NOT_BUILT_YET: grpc.StatusCode.UNIMPLEMENTED,
        Reason.CALLER_UNKNOWN: grpc.StatusCode.UNAUTHENTICATED,
        Reason.CALLER_NOT_ALLOWED: grpc.StatusCode.PERMISSION_DENIED,
        Reason.NOT_OWNER: grpc.StatusCode.PERMISSION_DENIED,
        Reason.ACCOUNT_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
        Reason.USER_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
        Reason.GROUP_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
        Reason.POLICY_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
        Reason.POLICY_AMBIGUOUS: grpc.StatusCode.INVALID_ARGUMENT,
        Reason.POLICY_NOT_ATTACHABLE: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.USER_ALREADY_EXISTS: grpc.StatusCode.ALREADY_EXISTS,
        Reason.PASSWORD_ALREADY_EXISTS: grpc.StatusCode.ALREADY_EXISTS,
        Reason.QUOTA_EXCEEDED: grpc.StatusCode.RESOURCE_EXHAUSTED,
        Reason.PLAN_CHANGED: grpc.StatusCode.ABORTED,
        Reason.REQUEST_ID_REUSED: grpc.StatusCode.INVALID_ARGUMENT,
        Reason.IN_PROGRESS: grpc.StatusCode.ABORTED,
        Reason.CONFLICT: grpc.StatusCode.ABORTED,
        Reason.THROTTLED: grpc.StatusCode.UNAVAILABLE,
        Reason.AWS_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
        Reason.AWS_CREDENTIALS_REFUSED: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.AWS_ACCESS_DENIED: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.BOUNDARY_NOT_KEPT: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.STORE_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
        Reason.SHUTTING_DOWN: grpc.StatusCode.UNAVAILABLE,
        Reason.DEADLINE_EXCEEDED: grpc.StatusCode.DEADLINE_EXCEEDED,
        Reason.INTERNAL: grpc.StatusCode.INTERNAL,
        Reason.INVALID_MFA_CODE: grpc.StatusCode.INVALID_ARGUMENT,
        Reason.IN_USE: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.CREDENTIAL_USED: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.OPERATION_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
        Reason.ACCESS_KEY_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
        Reason.MFA_DEVICE_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
        Reason.OVERLOADED: grpc.StatusCode.UNAVAILABLE,
        Reason.GROUP_ALREADY_EXISTS: grpc.StatusCode.ALREADY_EXISTS,
        Reason.POLICY_ALREADY_EXISTS: grpc.StatusCode.ALREADY_EXISTS,
        Reason.UNDO_INCOMPLETE: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.INTERRUPTED: grpc.StatusCode.ABORTED,
        Reason.WRONG_STATE: grpc.StatusCode.FAILED_PRECONDITION,
    }
)
"""The status of each reason, as `error.proto` promises it."""


async def abort(context: grpc.aio.ServicerContext[Any, Any], error: IdentityError) -> Never:
    """End the RPC with an error and its details; raises `grpc.aio.AbortError`."""
    status = to_status(error)
    await context.abort(
        STATUS_CODES[error.reason], status.message, ((STATUS_METADATA_KEY, status.SerializeToString()),)
    )


def to_status(error: IdentityError) -> status_pb2.Status:
    """Build the `google.rpc.Status` of an error, small enough for gRPC's metadata.

    Where there are too many violations to fit, the last ones are left out; `violations_left_out` in the metadata
    of ErrorInfo counts them.
    """
    message = _message(error)
    status = status_pb2.Status(code=STATUS_CODES[error.reason].value[0], message=message)
    bad_request = _bad_request(error)
    violations_left_out = len(error.field_violations) - len(bad_request.field_violations)
    while True:
        details = [_error_info(error, violations_left_out), *_other_details(error)]
        if bad_request.field_violations:
            details.append(bad_request)
        _pack(status, details)
        if status.ByteSize() <= MAXIMUM_DETAILS_BYTES or not bad_request.field_violations:
            return status
        del bad_request.field_violations[-1]
        violations_left_out += 1


def _pack(status: status_pb2.Status, details: list[Message]) -> None:
    del status.details[:]
    for detail in details:
        status.details.add().Pack(detail)


def _error_info(error: IdentityError, violations_left_out: int) -> error_details_pb2.ErrorInfo:
    metadata = {key: value[:MAXIMUM_VALUE_CHARACTERS] for key, value in error.metadata.items()}
    info = error_details_pb2.ErrorInfo(reason=error.reason.name, domain=DOMAIN, metadata=metadata)
    if violations_left_out:
        info.metadata["violations_left_out"] = str(violations_left_out)
    return info


def _bad_request(error: IdentityError) -> error_details_pb2.BadRequest:
    bad_request = error_details_pb2.BadRequest()
    for violation in error.field_violations[:MOST_VIOLATIONS]:
        bad_request.field_violations.add(field=violation.field, description=violation.message)
    return bad_request


def _other_details(error: IdentityError) -> Iterator[Message]:
    if error.quota_violations:
        yield _quota_failure(error)
    if error.retry_after is not None:
        yield error_details_pb2.RetryInfo(retry_delay=_duration(error.retry_after))
    if error.resource is not None:
        yield error_details_pb2.ResourceInfo(
            resource_type=error.resource.type,
            resource_name=error.resource.name,
            description=_message(error),
        )
    if STATUS_CODES[error.reason] is grpc.StatusCode.FAILED_PRECONDITION:
        yield _precondition_failure(error)


def _quota_failure(error: IdentityError) -> error_details_pb2.QuotaFailure:
    failure = error_details_pb2.QuotaFailure()
    account_id = error.metadata.get("account_id", "")
    for violation in error.quota_violations:
        failure.violations.add(
            subject=f"account:{account_id}" if account_id else violation.quota_name,
            description=f"{violation.quota_name}: {violation.used} used, {violation.needed} more needed, "
            f"limit {violation.limit}",
        )
    return failure


def _precondition_failure(error: IdentityError) -> error_details_pb2.PreconditionFailure:
    failure = error_details_pb2.PreconditionFailure()
    subject = error.resource.name if error.resource else ""
    failure.violations.add(type=error.reason.name, subject=subject, description=_message(error))
    return failure


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromNanoseconds(round(seconds * 1_000_000_000))
    return duration


def _message(error: IdentityError) -> str:
    return error.message[:MAXIMUM_MESSAGE_CHARACTERS]
