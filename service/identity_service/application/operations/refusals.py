"""What operations refuse, in words."""

from identity_service.application.failures import request_id_reused
from identity_service.domain.errors import FieldViolation, IdentityError, Reason, Resource
from identity_service.domain.operation import MAXIMUM_USERS, OperationState
from identity_service.domain.plan import Problem

__all__ = [
    "anothers_draft",
    "invalid",
    "name_taken",
    "not_found",
    "over_quota",
    "plan_changed",
    "request_id_reused",
    "too_many_users",
    "without_users",
    "wrong_page_token",
    "wrong_sequence",
    "wrong_state",
]


def not_found(operation_id: str) -> IdentityError:
    """Say that there is no such operation; another team's is told apart by nobody."""
    return IdentityError(
        Reason.OPERATION_NOT_FOUND, "there is no such operation", resource=Resource("Operation", operation_id)
    )


def anothers_draft() -> IdentityError:
    """Say that only whoever made a draft appends to it and starts it."""
    return IdentityError(Reason.CALLER_NOT_ALLOWED, "only the caller who made the draft appends users and starts it")


def wrong_state(state: OperationState, words: str) -> IdentityError:
    """Say that an operation cannot do this as it stands."""
    return IdentityError(Reason.WRONG_STATE, words, metadata={"state": state.name})


def without_users(state: OperationState) -> IdentityError:
    """Say that there is nobody to be made."""
    return wrong_state(state, "the operation has no users; append some first")


def invalid(*violations: FieldViolation) -> IdentityError:
    """Say which fields are wrong."""
    return IdentityError(Reason.INVALID_FIELD, "the operation does not take this", field_violations=violations)


def wrong_sequence(expected: int) -> IdentityError:
    """Say which batch is the next one."""
    error = invalid(FieldViolation("sequence_number", f"the next batch is number {expected}"))
    error.metadata = {"next_sequence_number": str(expected)}
    return error


def name_taken(position: int, index: int) -> FieldViolation:
    """Say which user has a name already; `position` is in the batch, `index` in the operation."""
    return FieldViolation(
        f"users[{position}].user_name", f"user {index} of the operation has this name; letter case does not count"
    )


def too_many_users() -> IdentityError:
    """Say that an operation is full."""
    return invalid(FieldViolation("users", f"an operation takes at most {MAXIMUM_USERS:,} users"))


def plan_changed(digest: str) -> IdentityError:
    """Say that the reviewed plan is not the operation's."""
    return IdentityError(
        Reason.PLAN_CHANGED,
        "the operation has no plan with this digest; plan it with validate_only and review it",
        metadata={"plan_digest": digest},
    )


def over_quota(account_id: str, problems: tuple[Problem, ...]) -> IdentityError:
    """Say which quotas of the account do not suffice for all users."""
    return IdentityError(
        Reason.QUOTA_EXCEEDED,
        "; ".join(problem.message for problem in problems),
        metadata={"account_id": account_id},
        quota_violations=tuple(problem.quota for problem in problems if problem.quota),
    )


def wrong_page_token() -> IdentityError:
    """Say that a page token leads nowhere."""
    return invalid(FieldViolation("page_token", "is not one that an earlier page has answered"))
