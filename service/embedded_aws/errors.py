"""The one exception that a caller of the account ever sees, and the errors that IAM answers often."""

from __future__ import annotations

from embedded_aws.service_models import status_of_error


class AwsError(Exception):
    """An error answer of the Query protocol: code, message and HTTP status as AWS pairs them."""

    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        """Take the status from the service's own model unless one is given."""
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status if status is not None else status_of_error(code)


def validation_error(*violations: str) -> AwsError:
    """Several constraints of the service model are broken; AWS lists them all in one message."""
    plural = "" if len(violations) == 1 else "s"
    summary = f"{len(violations)} validation error{plural} detected"
    return AwsError("ValidationError", f"{summary}: {'; '.join(violations)}")


def no_such_entity(message: str) -> AwsError:
    """What the call names does not exist."""
    return AwsError("NoSuchEntity", message)


def already_exists(message: str) -> AwsError:
    """What the call would create exists."""
    return AwsError("EntityAlreadyExists", message)


def delete_conflict(message: str) -> AwsError:
    """What the call would delete still holds, or is held by, something else."""
    return AwsError("DeleteConflict", message)


def limit_exceeded(name: str, limit: int) -> AwsError:
    """The call would pass a quota."""
    return AwsError("LimitExceeded", f"Cannot exceed quota for {name}: {limit}")
