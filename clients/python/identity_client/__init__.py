"""Python client of the identity-provisioning service: AWS IAM users, whole, in one call.

What is named here is imported when it is first used. So the command line, which lives in this package, can settle how
gRPC logs: gRPC reads that once, when it is imported.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from identity_client import handout
    from identity_client._async_client import AsyncIdentityClient
    from identity_client._bulk import in_batches
    from identity_client._channel import TlsFileError, TlsFiles
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
    from identity_client._retry import Retry
    from identity_client._secrets import SecretsWithheld, require_secrets
    from identity_client._specs import ConsolePassword, user_spec

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
    "Retry",
    "SecretsWithheld",
    "TlsFileError",
    "TlsFiles",
    "Unauthenticated",
    "Unavailable",
    "handout",
    "in_batches",
    "require_secrets",
    "user_spec",
]

_HOMES = ("_async_client", "_bulk", "_channel", "_client", "_errors", "_retry", "_secrets", "_specs")

if not TYPE_CHECKING:  # a type checker would take it for leave to import any name

    def __getattr__(name: str) -> object:
        """Import a public name."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        if name == "handout":
            return import_module(f"{__name__}.handout")
        homes = (vars(import_module(f"{__name__}.{home}")) for home in _HOMES)
        globals()[name] = next(home[name] for home in homes if name in home)
        return globals()[name]

    def __dir__() -> list[str]:
        """Answer the public names."""
        return sorted(__all__)
