"""Python client of the identity-provisioning service: AWS IAM users, whole, in one call."""

from identity_client import handout
from identity_client._async_client import AsyncIdentityClient
from identity_client._channel import TlsFiles
from identity_client._client import IdentityClient
from identity_client._errors import (
    Aborted,
    AlreadyExists,
    DeadlineExceeded,
    FailedPrecondition,
    FieldViolation,
    IdentityServiceError,
    InProgress,
    Internal,
    InvalidRequest,
    NotBuiltYet,
    NotFound,
    PermissionDenied,
    PlanChanged,
    QuotaExceeded,
    QuotaViolation,
    Resource,
    Unauthenticated,
    Unavailable,
)
from identity_client._specs import ConsolePassword

__all__ = [
    "Aborted",
    "AlreadyExists",
    "AsyncIdentityClient",
    "ConsolePassword",
    "DeadlineExceeded",
    "FailedPrecondition",
    "FieldViolation",
    "IdentityClient",
    "IdentityServiceError",
    "InProgress",
    "Internal",
    "InvalidRequest",
    "NotBuiltYet",
    "NotFound",
    "PermissionDenied",
    "PlanChanged",
    "QuotaExceeded",
    "QuotaViolation",
    "Resource",
    "TlsFiles",
    "Unauthenticated",
    "Unavailable",
    "handout",
]
