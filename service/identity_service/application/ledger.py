"""What the application needs of the store: the ledger of requests, the locks on their targets, and the audit log."""

import enum
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from identity_service.application.lease import Lease
from identity_service.application.sent_calls import SentCall
from identity_service.domain.entities import UserSnapshot
from identity_service.domain.errors import ANSWER_LOST, IdentityError, Reason
from identity_service.domain.holdings import PastRequest
from identity_service.domain.minting import Mint, MintKind, OthersPassword
from identity_service.domain.outcome import Outcome
from identity_service.domain.plan import Plan
from identity_service.domain.target import Target


@dataclass(frozen=True)
class RequestKey:
    """What makes a mutation the same one: the caller's id and its request_id."""

    caller_id: str
    request_id: str


class RequestState(enum.StrEnum):
    """Where a request stands. An unfinished one goes on in its direction, whoever takes it over."""

    RUNNING = "running"
    UNDOING = "undoing"
    DONE = "done"
    FAILED = "failed"
    UNDONE_RETRYABLE = "undone-retryable"


UNFINISHED = (RequestState.RUNNING, RequestState.UNDOING)
"""States of a request that somebody works on, or that a dead process has left."""
MOST_REST_SECONDS = 3600.0
"""How long a second look rests at most that keeps failing; by then, somebody may have mended what is in its way."""


@dataclass(frozen=True)
class Intent:
    """What is written before the first IAM write; whoever takes the request over needs nothing else, but secrets.

    `fingerprint` is the digest of the request without secrets; `snapshot` is the pre-image of the user, None where it
    is absent. `forward_only` requests are never undone. `needs_caller` tells that a secret of the request itself is
    needed, such as a custom password, which is not stored. Secrets are sealed to `recipients`, if there are any.
    `traceparent` is the span in which the request was begun, if it was traced.
    """

    row_id: str
    key: RequestKey
    team: str
    action: str
    fingerprint: str
    plan: Plan
    snapshot: UserSnapshot | None
    forward_only: bool = False
    needs_caller: bool = False
    recipients: tuple[str, ...] = ()
    sign_in_url: str = ""
    traceparent: str = ""


@dataclass(frozen=True)
class Failure:
    """A stored failure; `retryable` tells that everything was undone and that the same request may run again."""

    error: IdentityError
    retryable: bool


@dataclass(frozen=True)
class LedgerRow:
    """A request that the ledger knows. `abandoned`: it is unfinished and its lease has run out.

    `look_again`: its second look is still to come, since calls of earlier attempts may yet be carried out.
    """

    intent: Intent
    state: RequestState
    epoch: int
    abandoned: bool
    look_again: bool = False
    outcome: Outcome | None = None
    failure: Failure | None = None


@dataclass(frozen=True)
class Claim:
    """The right to carry a request out, and what earlier attempts have left.

    `state` is the direction: RUNNING or UNDOING (then `failure` says why), or the final state that a second look at
    the request found it in. `begun_at` is when the request first began, by the database's clock. `mints` are those of
    all attempts so far, oldest first. `other_key_ids` are the access keys that other requests have made for the same
    target, `other_passwords` the console passwords that they have set. `outcome` is what an earlier attempt
    came to, where its secrets are issued again. `interrupted` tells that an attempt before this one has died or failed
    at looking for late calls of a request that has ended. `takeovers` counts how often the request was
    taken over, this time included, since it was begun or opened again.
    """

    intent: Intent
    state: RequestState
    lease: Lease
    begun_at: datetime
    mints: tuple[Mint, ...] = ()
    other_key_ids: frozenset[str] = frozenset()
    other_passwords: tuple[OthersPassword, ...] = ()
    outcome: Outcome | None = None
    failure: Failure | None = None
    interrupted: bool = False
    takeovers: int = 0


@dataclass(frozen=True)
class Denial:
    """A request that was refused, for the audit log; of an operation, the target is `operation/ID`."""

    caller_id: str
    team: str
    action: str
    account_id: str
    target: Target | str
    request_id: str
    reason: str


@dataclass(frozen=True)
class AuditEvent:
    """One line of the audit log, as it is read back."""

    at: datetime
    event: str
    caller_id: str
    team: str
    action: str
    account_id: str
    target: str
    request_id: str
    row_id: str
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class UnfinishedRequest:
    """A request that has not ended, for an operator. `abandoned`: its lease has run out."""

    row_id: str
    key: RequestKey
    team: str
    action: str
    account_id: str
    target: Target
    state: RequestState
    begun_at: datetime
    abandoned: bool


class StoreUnavailableError(IdentityError):
    """The store cannot be used. `maybe_written` tells that the unit of work may have been written all the same."""

    def __init__(self, *, maybe_written: bool = False) -> None:
        super().__init__(
            Reason.STORE_UNAVAILABLE,
            "the service's store cannot be used now",
            metadata=dict(ANSWER_LOST) if maybe_written else {},
        )
        self.maybe_written = maybe_written


class Ledger(Protocol):
    """The store. Each method is one unit of work, its audit line included, and raises StoreUnavailableError.

    What takes a lease is fenced: where another attempt has taken the request over, it changes nothing and raises
    LeaseLostError. A lease is renewed by a thread of the store's own from the claim until the request ends or is
    released. A lock on (account, target) is held by an unfinished request until it ends, not until its lease runs out.
    """

    async def find(self, key: RequestKey) -> LedgerRow | None:
        """Return what is known of a request."""

    async def begin(self, intent: Intent, planned_since: float | None = None) -> Claim:
        """Write row, lock and audit intent, or nothing.

        `planned_since` is the monotonic time before the pre-image was read: where another request for the target has
        ended since, the pre-image is not true any more, and an undo by it would take that request's doings back.
        A row of the same key that is UNDONE_RETRYABLE and has the intent's row_id runs again with the new intent, its
        mints kept. Raises IdentityError IN_PROGRESS if the row is another one, or in another state, or if another
        request holds the lock on the target, or has held it since.
        """

    async def take_over(self, key: RequestKey) -> Claim | None:
        """Claim an abandoned request; None if it is not abandoned any more. A second look is scheduled with it."""

    async def take_over_abandoned(self, limit: int) -> tuple[Claim, ...]:
        """Claim abandoned requests, the oldest first; those that need their caller only after the retry window."""

    async def reopen(self, key: RequestKey) -> Claim | None:
        """Claim a DONE request whose secrets shall be issued again, and audit that.

        None if it is not DONE, or if it was first done longer ago than the retry window. Raises IdentityError
        IN_PROGRESS if another request holds the lock on the target.
        """

    async def claim_undone(self, key: RequestKey) -> Claim | None:
        """Claim a request that is UNDONE_RETRYABLE, to look for its late calls before it runs again.

        It has ended and stays so: whoever dies at it leaves nothing to be taken over. None if it is in another state.
        Raises IdentityError IN_PROGRESS if somebody looks already, or works on the target.
        """

    async def begin_mint(self, lease: Lease, kind: MintKind) -> Mint:
        """Write down that a credential is about to be asked of IAM."""

    async def record_mint(self, lease: Lease, mint: Mint, credential_id: str) -> None:
        """Write down what IAM has made: an access key's id, a device's serial number, a password's user."""

    async def void_mints(self, lease: Lease, mints: tuple[Mint, ...]) -> None:
        """Write down that nothing is there of these any more: IAM refused, or it was deleted again."""

    async def begin_undo(self, lease: Lease, failure: Failure) -> None:
        """Turn a request round: from now on, whoever takes it over undoes it. The failure is what it will end with."""

    async def succeed(self, lease: Lease, outcome: Outcome) -> None:
        """Store the outcome without its secrets, release lock and lease, and audit it."""

    async def fail(
        self, lease: Lease, failure: Failure, *, look_again: bool = False, calls: Sequence[SentCall] = ()
    ) -> None:
        """Store the failure, release lock and lease, and audit it with the calls that were sent.

        `look_again` schedules a second look, after all that was sent can no longer be carried out.
        """

    async def release(self, lease: Lease, rest_seconds: float = 0.0) -> None:
        """Give a request up, its target held on: after a rest, whoever comes next may claim it.

        The target of a request that has ended is anybody's after the rest.
        """

    async def claim_second_look(self) -> Claim | None:
        """Claim a request that has ended and whose second look is due, if no other request works on its target."""

    async def done_since(self, lease: Lease) -> tuple[PastRequest, ...]:
        """Return what is done of the requests for a lease's target that ended since its own began, in that order.

        The lease's own request is one of them if it is done.
        """

    async def made_key_ids(self, account_id: str, target: Target) -> frozenset[str]:
        """Return the access keys that requests have made for a target, those that are gone included."""

    async def end_second_look(self, lease: Lease, unattributed: tuple[str, ...], missing: tuple[str, ...] = ()) -> None:
        """Write down that the second look is over, what it found and could not tell whose it is, and what is gone."""

    async def rest_second_look(self, lease: Lease, rest_seconds: float) -> bool:
        """Give a second look up that has failed, and let its target and its request go meanwhile.

        It is due again after a rest: half the time for which it has been due, at least `rest_seconds`, at most
        MOST_REST_SECONDS. Of a request that ended longer ago than the retention it is not taken any more: that is
        audited, and False is returned.
        """

    async def leave_undone(self, lease: Lease) -> None:
        """Release lock and lease of a request claimed as undone; its second look is put off, since it may run again."""

    async def remove_old(self) -> int:
        """Remove requests that ended longer ago than the retention, but not their audit; return how many."""

    async def record_denial(self, denial: Denial) -> None:
        """Audit a refusal."""

    # For an operator whose store was lost.
    async def known_rows(self, row_ids: Collection[str]) -> Mapping[str, RequestState]:
        """Tell of each row that is known where its request stands, or of what is removed by now, how it ended."""

    async def known_key_ids(self) -> frozenset[str]:
        """Return the access keys that requests have made, and those that requests have found there."""

    async def unfinished(self) -> tuple[UnfinishedRequest, ...]:
        """Return the requests that have not ended, the oldest first."""

    async def end_abandoned(self, failure: Failure) -> int:
        """End every abandoned request with a failure and cancel every second look; return how many were ended.

        IAM is not asked: what the requests have made stays. Each end is audited.
        """
