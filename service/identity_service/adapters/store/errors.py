"""What goes wrong with a database, and how much of it is told: our own words or names of errors, never their texts."""

import sqlalchemy as sa

from identity_service.adapters.store.postgresql_faults import fault_of
from identity_service.domain.errors import IdentityError, Reason

RETRY_AFTER_SECONDS = 1.0
"""When a caller that met a running request may ask again."""

BROKEN_STORE = (sa.exc.SQLAlchemyError, OSError, ValueError)
"""What comes out of a database that cannot be used; ValueError for what cannot be read back."""

CONFLICTS = frozenset({"40001", "40P01"})
"""SQLSTATE of serialization failures and deadlocks: nothing was done, and the same may work right away."""


class StoreError(ValueError):
    """The store cannot be used as it is configured; the text is for the operator and holds no text of a driver."""


def in_progress(message: str) -> IdentityError:
    """Say that something else has to end first."""
    return IdentityError(Reason.IN_PROGRESS, message, retry_after=RETRY_AFTER_SECONDS)


def cause_of(error: BaseException) -> str:
    """Tell the cause without the error's text: in words of our own where it is known, else by its name.

    The name is the driver's, such as SQLITE_FULL or LockNotAvailable, or that of the error's class.
    """
    original = getattr(error, "orig", None)
    if original is None:
        return type(error).__name__
    return fault_of(original) or str(getattr(original, "sqlite_errorname", None) or type(original).__name__)


def is_conflict(error: BaseException) -> bool:
    """Tell whether a transaction only came into another one's way."""
    return getattr(getattr(error, "orig", None), "sqlstate", None) in CONFLICTS
