"""What operations need of the store, and what stands in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from identity_service.application.fingerprint import digest_of
from identity_service.application.ledger import Denial, Failure, RequestKey
from identity_service.domain.caller import Caller
from identity_service.domain.entities import Page
from identity_service.domain.facts import AccountFacts
from identity_service.domain.operation import OperationState, UserState
from identity_service.domain.outcome import Outcome
from identity_service.domain.plan import Plan, QuotaUse
from identity_service.domain.request import UserChange


@dataclass(frozen=True)
class Progress:
    """How many users of an operation stand where; `problems` counts those that cannot be made as planned."""

    total: int = 0
    made: int = 0
    failed: int = 0
    running: int = 0
    planned: int = 0
    problems: int = 0


@dataclass(frozen=True)
class Traffic:
    """The calls that an account got from one server over the last ten seconds."""

    calls_per_second: float = 0.0
    throttled_calls: int = 0


class TellsTraffic(Protocol):
    """Whoever knows of the calls to an account."""

    def traffic(self, account_id: str) -> Traffic:
        """Tell how many calls a configured account got from this process lately."""


@dataclass(frozen=True)
class Operation:
    """An operation as the store has it. `caller` made it, and its users are made in that caller's name.

    `traffic` is not the store's to know: it is added for whoever follows an operation.
    """

    operation_id: str
    account_id: str
    caller: Caller
    recipients: tuple[str, ...]
    state: OperationState
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    progress: Progress = field(default_factory=Progress)
    plan_digest: str = ""
    quota_uses: tuple[QuotaUse, ...] = ()
    traffic: Traffic = field(default_factory=Traffic)


@dataclass(frozen=True)
class NewOperation:
    """A draft to be made; `fingerprint` is the digest of the request for it."""

    operation_id: str
    key: RequestKey
    fingerprint: str
    team: str
    account_id: str
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True)
class Batch:
    """Users to be appended by `caller`; `fingerprint` is the digest of the users."""

    operation_id: str
    request_id: str
    sequence_number: int
    fingerprint: str
    changes: tuple[UserChange, ...]
    caller: Caller


@dataclass(frozen=True)
class Start:
    """How `caller` starts an operation: as a plan only, or to run; an empty `expected_plan_digest` expects nothing.

    `traceparent` is the span of the start, if it is traced.
    """

    operation_id: str
    request_id: str
    caller: Caller
    plan_only: bool
    expected_plan_digest: str = ""
    traceparent: str = ""

    @property
    def fingerprint(self) -> str:
        """What makes two starts the same one, besides operation and request_id."""
        return fingerprint_of_start(plan_only=self.plan_only, expected_plan_digest=self.expected_plan_digest)


def fingerprint_of_start(*, plan_only: bool, expected_plan_digest: str) -> str:
    """Return the digest of what a start asks for."""
    return digest_of({"plan_only": plan_only, "expected_plan_digest": expected_plan_digest})


@dataclass(frozen=True)
class Cancellation:
    """Who cancels an operation, and under which request_id."""

    operation_id: str
    request_id: str
    caller: Caller


@dataclass(frozen=True)
class KnownStart:
    """What the store knows of a start: the time, by its clock, and the operation if it was carried out before."""

    now: datetime
    carried_out: Operation | None = None


@dataclass(frozen=True)
class AccountRead:
    """An account's quotas and their use, read after a time by the store's clock."""

    facts: AccountFacts
    read_after: datetime


@dataclass(frozen=True)
class UserResult:
    """What became of one user so far; at most one of the last three is there."""

    index: int
    user_name: str
    state: UserState
    plan: Plan | None = None
    outcome: Outcome | None = None
    failure: Failure | None = None


@dataclass(frozen=True)
class UserClaim:
    """The right to plan or to make one user, until another attempt counts `epoch` up.

    `refused` is what the user's reviewed plan was refused with, `attempts` counts those that have failed in passing.
    `traceparent` is the span in which the operation was started, if it was traced.
    """

    operation_id: str
    index: int
    epoch: int
    account_id: str
    caller: Caller
    recipients: tuple[str, ...]
    change: UserChange
    plan_only: bool
    expected_plan_digest: str = ""
    refused: Failure | None = None
    attempts: int = 0
    traceparent: str = ""


class RecordsDenials(Protocol):
    """What operations need of the ledger."""

    async def record_denial(self, denial: Denial) -> None:
        """Audit a refusal. Raises StoreUnavailableError."""


class OperationStore(Protocol):
    """Operations in the store. Each method is one unit of work and raises StoreUnavailableError.

    What `create`, `append`, `start` and `cancel` change is told by a line of the audit log in the same unit of work;
    where they find it changed already, they write none.

    Several replicas claim users at the same time; none gets what another has. What takes a claim changes nothing
    where another attempt has the user by now: carrying a user out twice is harmless, since it is one request.
    """

    async def create(self, new: NewOperation) -> Operation:
        """Write a draft, or return the one of the same request. Raises IdentityError REQUEST_ID_REUSED."""

    async def find(self, operation_id: str) -> Operation | None:
        """Return an operation with its progress."""

    async def append(self, batch: Batch, *, try_only: bool = False) -> int:
        """Write all users of a batch or none; return how many the draft has then. `try_only` writes nothing.

        The same batch again is answered as the first time. Raises IdentityError WRONG_STATE if it is no draft any
        more, REQUEST_ID_REUSED, and INVALID_FIELD for a wrong number, a name that is there, or too many users.
        """

    async def check_start(self, start: Start) -> KnownStart:
        """Tell whether a start was carried out before; if not, refuse one that cannot be.

        Raises IdentityError WRONG_STATE, PLAN_CHANGED, REQUEST_ID_REUSED.
        """

    async def start(self, start: Start, account: AccountRead) -> Operation:
        """Let an operation be planned, or let it run; a start that was carried out before changes nothing.

        What all other operations take of the account's quotas is counted in the same unit of work, so that two starts
        never count on the same room. Raises IdentityError as `check_start` does, and QUOTA_EXCEEDED.
        """

    async def cancel(self, cancellation: Cancellation) -> Operation | None:
        """Let nothing more be begun; None if there is no such operation. One that has ended stays as it is."""

    async def list(self, account_id: str, team: str, size: int, after: str) -> Page[Operation]:
        """Return a team's operations, newest first; `after` is the last one's id of the page before, or empty.

        Raises IdentityError INVALID_FIELD for an `after` that is not there.
        """

    async def results(self, operation_id: str, size: int, after: int, *, failed_only: bool) -> Page[UserResult]:
        """Return what became of the users that follow index `after`, fewer where they are large.

        `failed_only` leaves out who was made; until the operation has ended, also who may still be made.
        """

    async def claim(self, room: Mapping[str, int], lease_seconds: float) -> tuple[UserClaim, ...]:
        """Claim users that wait, or whose lease has run out: so many in each of these accounts.

        They are of all active operations; those of accounts that are not named are left to others.
        """

    async def renew(self, claims: tuple[UserClaim, ...], lease_seconds: float) -> None:
        """Hold claims for longer."""

    async def planned(self, claim: UserClaim, plan: Plan | None, failure: Failure | None) -> None:
        """Write down a user's plan, and what it is refused with."""

    async def made(self, claim: UserClaim, outcome: Outcome) -> None:
        """Write down that a user was made, without secrets but those that are sealed."""

    async def failed(self, claim: UserClaim, failure: Failure) -> None:
        """Write down why a user was not made."""

    async def rest(self, claim: UserClaim, failure: Failure | None, seconds: float, *, is_begun: bool = False) -> None:
        """Give a user back for a while; with a failure it counts as an attempt.

        `is_begun` tells that its request is not over: it is gone on with even if the operation is cancelled.
        """

    async def settle(self) -> int:
        """End every operation whose last user has ended; return how many are still active."""

    async def remove_old(self) -> int:
        """Remove operations that nobody has touched for the retention and that are not active; return how many."""
