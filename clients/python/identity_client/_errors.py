"""What a call can fail with.

    IdentityServiceError
    ├── InvalidRequest        a field, a document or a password breaks a rule; see field_violations
    ├── Unauthenticated       the connection shows no identity that the service knows
    ├── PermissionDenied      the caller may not do this
    ├── NotFound              the account, user, group, policy, key or operation is not there
    ├── AlreadyExists         the user, or the password, is there already
    ├── FailedPrecondition    the thing is in a state that forbids this
    ├── QuotaExceeded         an IAM quota would be exceeded; see quota_violations
    ├── Aborted               something changed under the request
    │   ├── InProgress        the same request_id is being worked on
    │   └── PlanChanged       the plan is not the one that was reviewed
    ├── Unavailable           the service, its store or AWS cannot be reached now
    ├── DeadlineExceeded      no answer in time; the work may go on, ask again with the same request_id
    ├── NotBuiltYet           the contract has it, this server does not
    └── Internal              a fault of the service; give the trace_id to its operators

Which class it is says how to react, `reason` says what happened, `metadata` holds the values. Messages are
for people and are never read by this package.
"""

# ruff: noqa: N818 -- `except NotFound` says it all; a suffix on each would only repeat the base class.
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import grpc


@dataclass(frozen=True)
class FieldViolation:
    """One field of the request that breaks a rule."""

    field: str
    description: str


@dataclass(frozen=True)
class QuotaViolation:
    """One quota that would be exceeded."""

    subject: str
    description: str


@dataclass(frozen=True)
class Resource:
    """The thing that an error is about."""

    resource_type: str
    name: str
    owner: str = ""
    description: str = ""


@dataclass(frozen=True)
class ErrorDetails:
    """Everything that the service says about a failure, taken apart."""

    code: grpc.StatusCode
    message: str = ""
    reason: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    field_violations: tuple[FieldViolation, ...] = ()
    quota_violations: tuple[QuotaViolation, ...] = ()
    precondition_violations: tuple[str, ...] = ()
    retry_after: float | None = None
    resource: Resource | None = None
    request_id: str = ""
    trace_id: str = ""
    secrets_may_be_lost: bool = False


class IdentityServiceError(Exception):
    """A call that the identity service did not carry out.

    Attributes:
        code: the gRPC status.
        reason: what happened, an `ErrorReason` without its prefix such as `QUOTA_EXCEEDED`; empty where the
            answer did not come from the service itself.
        metadata: the values that belong to the reason, such as `failed_step` and `remaining`.
        field_violations: the fields that break a rule.
        quota_violations: the quotas that would be exceeded.
        precondition_violations: what would have to be otherwise first.
        retry_after: seconds after which the service wants to be asked again, if it says so.
        resource: the thing that the error is about, if the service names it.
        request_id: the id that this call was sent with; asking again with it never does the work twice.
        trace_id: finds the call in the service's logs.
        secrets_may_be_lost: an attempt that makes secrets was cut before its answer, and what came of it is open. To
            go on, send the same request with this request_id and `reissue_secrets=True`.
    """

    def __init__(self, details: ErrorDetails) -> None:
        """Keep the details; the text is the service's message and the reason."""
        super().__init__(details)
        self.code = details.code
        self.message = details.message
        self.reason = details.reason
        self.metadata = dict(details.metadata)
        self.field_violations = details.field_violations
        self.quota_violations = details.quota_violations
        self.precondition_violations = details.precondition_violations
        self.retry_after = details.retry_after
        self.resource = details.resource
        self.request_id = details.request_id
        self.trace_id = details.trace_id
        self.secrets_may_be_lost = details.secrets_may_be_lost

    def __str__(self) -> str:
        """Answer one line for people: what happened and where to look it up.

        A violation that the message holds already is not said again.
        """
        unsaid = (each for each in self.field_violations if each.description not in self.message)
        violations = "; ".join(f"{each.field}: {each.description}" for each in unsaid)
        said = self.message or "no message"
        text = f"{self.reason or self.code.name}: {said}"
        if violations:
            text += f" ({violations})"
        return f"{text} [trace {self.trace_id}]" if self.trace_id else text

    def __repr__(self) -> str:
        """Answer class, status and reason; never a value of the request."""
        return f"{type(self).__name__}(code={self.code.name}, reason={self.reason!r})"


class InvalidRequest(IdentityServiceError):
    """A field, a document or a password breaks a rule."""


class Unauthenticated(IdentityServiceError):
    """The connection shows no identity that the service knows."""


class PermissionDenied(IdentityServiceError):
    """The caller may not do this."""


class NotFound(IdentityServiceError):
    """The thing named is not there."""


class AlreadyExists(IdentityServiceError):
    """The thing to be made is there already."""


class FailedPrecondition(IdentityServiceError):
    """The thing is in a state that forbids this."""


class QuotaExceeded(IdentityServiceError):
    """An IAM quota would be exceeded."""


class Aborted(IdentityServiceError):
    """Something changed under the request."""


class InProgress(Aborted):
    """The same request_id is being worked on, and was until the deadline."""


class PlanChanged(Aborted):
    """The plan is not the one that was reviewed; plan again."""


class Unavailable(IdentityServiceError):
    """The service, its store or AWS cannot be reached now."""


class DeadlineExceeded(IdentityServiceError):
    """No answer came in time; the work may go on."""


class NotBuiltYet(IdentityServiceError):
    """The contract has the RPC or the field, this server does not."""


class Internal(IdentityServiceError):
    """A fault of the service."""


_BY_CODE: dict[grpc.StatusCode, type[IdentityServiceError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequest,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDenied,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExists,
    grpc.StatusCode.FAILED_PRECONDITION: FailedPrecondition,
    grpc.StatusCode.ABORTED: Aborted,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.UNIMPLEMENTED: NotBuiltYet,
    grpc.StatusCode.INTERNAL: Internal,
}

# RESOURCE_EXHAUSTED is not in the table above: gRPC itself sends it for a message that is too large, and
# that is no quota of IAM. Only the service's own reason makes it one.
_BY_REASON: dict[str, type[IdentityServiceError]] = {
    "IN_PROGRESS": InProgress,
    "PLAN_CHANGED": PlanChanged,
    "QUOTA_EXCEEDED": QuotaExceeded,
}


def error_from(details: ErrorDetails) -> IdentityServiceError:
    """Make the exception whose class fits the details."""
    fitting = _BY_REASON.get(details.reason) or _BY_CODE.get(details.code, IdentityServiceError)
    return fitting(details)
