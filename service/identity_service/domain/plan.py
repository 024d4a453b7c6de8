"""A plan: what a mutation would do, before anything is done."""

import enum
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import groupby

from identity_service.domain import tags
from identity_service.domain.errors import FieldViolation, QuotaViolation, Reason, Resource
from identity_service.domain.steps import CreatePolicy, CreateUser, CreateVirtualMfaDevice, Step
from identity_service.domain.target import Target


class WarningKind(enum.Enum):
    """What a warning is about; the words stand in `plan.proto`."""

    RESET_DEADLOCK = enum.auto()
    EMPTY_GROUP = enum.auto()
    DIRECT_ATTACHMENT = enum.auto()
    BOTH_CREDENTIALS = enum.auto()
    WILDCARD = enum.auto()
    NO_PERMISSIONS = enum.auto()
    MFA_DEADLOCK = enum.auto()
    QUOTA_NEARLY_USED = enum.auto()
    ESCALATION = enum.auto()
    ABANDONED_MFA_DEVICE = enum.auto()
    REMAINS = enum.auto()
    VOID = enum.auto()


class Severity(enum.Enum):
    """How much a warning matters; the words stand in `plan.proto`."""

    INFORMATION = enum.auto()
    WARNING = enum.auto()


@dataclass(frozen=True)
class PlanWarning:
    """Something that the caller should think about, or know; `field` is the request's field, or empty."""

    kind: WarningKind
    message: str
    field: str = ""
    severity: Severity = Severity.WARNING


@dataclass(frozen=True)
class Problem:
    """Something that stops the plan, with the details that the error of a run would carry."""

    reason: Reason
    message: str
    field: str = ""
    quota: QuotaViolation | None = None
    resource: Resource | None = None

    @property
    def field_violation(self) -> FieldViolation | None:
        """The problem as a violation of its field, if it is about one."""
        return FieldViolation(self.field, self.message) if self.field else None


@dataclass(frozen=True)
class QuotaUse:
    """An IAM quota by its name in GetAccountSummary, and what the plan makes of it.

    `subject` is the name of the policy or group that it is counted for, where a plan can make several.
    """

    quota_name: str
    used_before: int
    used_after: int
    limit: int
    subject: str = ""


@dataclass(frozen=True)
class Plan:
    """What would be done in which account to what. A plan with problems does not run.

    `satisfied` holds what was asked for and is so already: there is nothing to do for it. `user_id` is IAM's id of the
    user that the plan was made for, empty for one that is to be made: a namesake made meanwhile is another user.
    """

    account_id: str
    target: Target
    user_id: str = ""
    steps: tuple[Step, ...] = ()
    satisfied: tuple[Step, ...] = ()
    quota_uses: tuple[QuotaUse, ...] = ()
    warnings: tuple[PlanWarning, ...] = ()
    problems: tuple[Problem, ...] = ()

    def rounds(self) -> Iterator[tuple[Step, ...]]:
        """Yield the steps of each round, in the order of the rounds."""
        for _, steps in groupby(sorted(self.steps, key=lambda step: step.round), key=lambda step: step.round):
            yield tuple(steps)

    @property
    def digest(self) -> str:
        """Identify account, target and steps: SHA-256 in hexadecimal, without row ids, quota figures and warnings."""
        canonical = {
            "account_id": self.account_id,
            "target": self.target.key,
            "user_id": self.user_id,
            "steps": [reviewed(step) for step in self.steps],
        }
        return hashlib.sha256(json.dumps(canonical, sort_keys=True).encode()).hexdigest()


def in_rounds(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Sort steps by round and number the rounds from 1 without gaps."""
    ordered = sorted(steps, key=lambda step: step.round)
    numbers = {old: new for new, old in enumerate(sorted({step.round for step in ordered}), 1)}
    return tuple(replace(step, round=numbers[step.round]) for step in ordered)


def reviewed(step: Step) -> dict[str, object]:
    """Return a step as a reviewer saw it: everything but the random row id."""
    seen = {"iam_action": step.iam_action, **asdict(step)}
    if isinstance(step, CreateUser | CreatePolicy | CreateVirtualMfaDevice):
        seen["tags"] = {key: value for key, value in step.tags.items() if key != tags.ROW}
    return seen
