"""An operation: many users made as one piece of work."""

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from identity_service.domain import target
from identity_service.domain.errors import FieldViolation
from identity_service.domain.facts import AccountFacts
from identity_service.domain.plan import Problem, QuotaUse
from identity_service.domain.planning.draft import Draft
from identity_service.domain.request import UserChange

MAXIMUM_USERS = 10_000
"""How many users one operation takes."""


class OperationState(enum.StrEnum):
    """Where an operation stands; `operation.proto` says what each means."""

    DRAFT = "draft"
    PLANNING = "planning"
    PLANNED = "planned"
    RUNNING = "running"
    CANCELLING = "cancelling"
    DONE = "done"
    CANCELLED = "cancelled"


ACTIVE = (OperationState.PLANNING, OperationState.RUNNING, OperationState.CANCELLING)
"""States in which there is something to do for it."""

ENDED = (OperationState.DONE, OperationState.CANCELLED)
"""States that nothing leads out of."""


class UserState(enum.StrEnum):
    """Where one user of an operation stands.

    Of an operation that plans, WAITING ends as PLANNED; of one that runs, as MADE or FAILED.
    """

    WAITING = "waiting"
    RUNNING = "running"
    PLANNED = "planned"
    MADE = "made"
    FAILED = "failed"


@dataclass(frozen=True)
class Entries:
    """What users take of the quotas of a whole account."""

    users: int = 0
    groups: int = 0
    policies: int = 0

    def __add__(self, other: "Entries") -> "Entries":
        """Add up."""
        return Entries(self.users + other.users, self.groups + other.groups, self.policies + other.policies)


def entries_of(change: UserChange) -> Entries:
    """Count what one user takes."""
    permissions = change.permissions
    policies = len(permissions.new_policies) + (permissions.new_boundary is not None)
    return Entries(1, len(permissions.new_groups), policies)


def plan_quotas(
    facts: AccountFacts, pending: Entries, needed: Entries
) -> tuple[tuple[QuotaUse, ...], tuple[Problem, ...]]:
    """Plan the quotas of the account over all users; `pending` is what other operations are about to take."""
    draft = Draft(facts, target.user(""))
    for quota, used, more in (
        ("UsersQuota", pending.users, needed.users),
        ("GroupsQuota", pending.groups, needed.groups),
        ("PoliciesQuota", pending.policies, needed.policies),
    ):
        draft.use_account_quota(quota, more, "", pending=used)
    return tuple(draft.quota_uses), tuple(draft.problems)


def violations_of(changes: Iterable[UserChange], *, sealed: bool) -> list[FieldViolation]:
    """Find what an operation does not take: a caller's own passwords, and secrets without anybody to seal them to."""
    violations = []
    for index, change in enumerate(changes):
        at, credentials = f"users[{index}].credentials", change.credentials
        if credentials.console_password and credentials.console_password.custom:
            words = "an operation takes generated passwords only"
            violations.append(FieldViolation(f"{at}.console_password.custom_password", words))
        elif not sealed and (credentials.access_key or credentials.console_password or credentials.mfa_device):
            words = "an operation without recipients makes users without credentials only"
            violations.append(FieldViolation(at, words))
    return violations
