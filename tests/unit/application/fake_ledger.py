"""The store in memory: all that the port `Ledger` promises, with time that only a test moves."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import uuid4

from identity_service.application.lease import Lease, LeaseLostError
from identity_service.application.ledger import (
    MOST_REST_SECONDS,
    UNFINISHED,
    Claim,
    Denial,
    Failure,
    Intent,
    LedgerRow,
    RequestKey,
    RequestState,
    StoreUnavailableError,
    UnfinishedRequest,
)
from identity_service.application.sent_calls import SentCall
from identity_service.domain.errors import IdentityError, Reason
from identity_service.domain.holdings import Kind, PastRequest, Thing, takes
from identity_service.domain.minting import Mint, MintKind, MintState, OthersPassword
from identity_service.domain.outcome import Outcome
from identity_service.domain.target import Target

T = TypeVar("T")
LEASE_SECONDS = 30.0
SECOND_LOOK_SECONDS = 915.0
RETRY_WINDOW_SECONDS = 900.0
RETENTION_SECONDS = 30 * 86400.0


@dataclass(frozen=True)
class Terms:
    """How long things last, in seconds."""

    lease: float = LEASE_SECONDS
    second_look_after: float = SECOND_LOOK_SECONDS
    retry_window: float = RETRY_WINDOW_SECONDS
    retention: float = RETENTION_SECONDS


@dataclass
class _Row:
    intent: Intent
    created_at: datetime
    updated_at: datetime
    lease_expires_at: datetime | None
    state: RequestState = RequestState.RUNNING
    epoch: int = 1
    done_at: datetime | None = None
    recheck_at: datetime | None = None
    outcome: Outcome | None = None
    failure: Failure | None = None
    mints: dict[str, Mint] = field(default_factory=dict)

    @property
    def target(self) -> tuple[str, str]:
        return self.intent.plan.account_id, self.intent.plan.target.key

    @property
    def is_unfinished(self) -> bool:
        return self.state in UNFINISHED


class FakeLedger:
    """Rows, mints and locks in memory; `now` is the database's clock, `monotonic` the process's.

    `failing` names the methods that find the store gone; `unanswered` those whose work is done and whose answer is
    lost. Leases are renewed by `beat` alone. `events` are the audit log's: what happened, and to which row.
    """

    def __init__(self, now: Callable[[], datetime], monotonic: Callable[[], float], terms: Terms | None = None) -> None:
        self._terms = terms or Terms()
        self._now = now
        self._monotonic = monotonic
        self._rows: dict[RequestKey, _Row] = {}
        self._removed: list[_Row] = []
        self._locks: dict[tuple[str, str], str] = {}
        self._held: list[Lease] = []
        self.failing: set[str] = set()
        self.unanswered: set[str] = set()
        self.denials: list[Denial] = []
        self.events: list[tuple[str, str]] = []
        self.unattributed: dict[str, tuple[str, ...]] = {}
        self.missing: dict[str, tuple[str, ...]] = {}

    # Looking.

    @property
    def rows(self) -> dict[RequestKey, LedgerRow]:
        """What is known of every request."""
        return {key: self._known(row) for key, row in self._rows.items()}

    @property
    def intents(self) -> dict[str, Intent]:
        """Every intent by its row's id."""
        return {row.intent.row_id: row.intent for row in self._rows.values()}

    @property
    def locked(self) -> set[tuple[str, str]]:
        """The targets that are locked: account and target."""
        return set(self._locks)

    def mints_of(self, key: RequestKey) -> tuple[Mint, ...]:
        """Return the mints of a request, oldest first."""
        return tuple(self._rows[key].mints.values())

    def beat(self) -> None:
        """Renew the leases of all attempts, as the heartbeat does."""
        for lease in tuple(self._held):
            if lease.is_lost:
                continue
            row = self._by_id(lease.row_id)
            if row and row.epoch == lease.epoch and row.lease_expires_at is not None:
                row.lease_expires_at = self._now() + timedelta(seconds=self._terms.lease)
                lease.extend(self._monotonic() + self._terms.lease)
            else:
                lease.lose()
                self._held.remove(lease)

    # The port.

    async def find(self, key: RequestKey) -> LedgerRow | None:
        """Return what is known of a request."""

        def find() -> LedgerRow | None:
            row = self._rows.get(key)
            return self._known(row) if row else None

        return await self._unit("find", find)

    async def begin(self, intent: Intent, planned_since: float | None = None) -> Claim:
        """Write row and lock, or nothing."""

        def begin() -> Claim:
            row = self._rows.get(intent.key)
            if row is None:
                now = self._now()
                row = _Row(_stored(intent), created_at=now, updated_at=now, lease_expires_at=None, epoch=0)
            elif (
                row.state is not RequestState.UNDONE_RETRYABLE
                or self._is_looked_at(row)
                or row.intent.row_id != intent.row_id
            ):
                raise _in_progress()
            if intent.snapshot and planned_since is not None and self._has_changed_since(row, planned_since):
                raise _in_progress()
            self._lock(row, intent.row_id)
            self._rows[intent.key] = row
            row.intent, row.state, row.updated_at = _stored(intent), RequestState.RUNNING, self._now()
            row.outcome = row.failure = row.done_at = None
            self.events.append(("intent", intent.row_id))
            return replace(self._take(row), intent=intent)

        return await self._unit("begin", begin)

    async def take_over(self, key: RequestKey) -> Claim | None:
        """Claim an abandoned request."""

        def take_over() -> Claim | None:
            row = self._rows.get(key)
            return self._take_over(row) if row and self._is_abandoned(row) else None

        return await self._unit("take_over", take_over)

    async def take_over_abandoned(self, limit: int) -> tuple[Claim, ...]:
        """Claim abandoned requests, the oldest first."""

        def take_over() -> tuple[Claim, ...]:
            may_run = [row for row in self._rows.values() if self._is_abandoned(row) and not self._awaits_caller(row)]
            oldest = sorted(may_run, key=lambda row: (row.lease_expires_at, row.created_at))
            return tuple(map(self._take_over, oldest[:limit]))

        return await self._unit("take_over_abandoned", take_over)

    async def reopen(self, key: RequestKey) -> Claim | None:
        """Claim a DONE request inside of the retry window."""

        def reopen() -> Claim | None:
            row = self._rows.get(key)
            if row is None or row.state is not RequestState.DONE:
                return None
            if row.done_at is None or row.done_at < self._now() - timedelta(seconds=self._terms.retry_window):
                return None
            if self._is_looked_at(row):
                raise _in_progress()
            self._lock(row, row.intent.row_id)
            row.state, row.updated_at = RequestState.RUNNING, self._now()
            self._schedule_second_look(row)
            self.events.append(("reissue", row.intent.row_id))
            return self._take(row)

        return await self._unit("reopen", reopen)

    async def claim_undone(self, key: RequestKey) -> Claim | None:
        """Claim a request that is undone, which it stays."""

        def claim() -> Claim | None:
            row = self._rows.get(key)
            if row is None or row.state is not RequestState.UNDONE_RETRYABLE:
                return None
            if self._is_looked_at(row):
                raise _in_progress()
            self._lock(row, row.intent.row_id)
            return self._take_ended(row)

        return await self._unit("claim_undone", claim)

    async def leave_undone(self, lease: Lease) -> None:
        """Let a request go that was claimed as undone."""

        def leave() -> None:
            row = self._fenced(lease, is_unfinished=False)
            row.lease_expires_at = None
            self._schedule_second_look(row)
            self._unlock(lease)

        await self._unit("leave_undone", leave)

    async def begin_mint(self, lease: Lease, kind: MintKind) -> Mint:
        """Write down that a credential is about to be asked of IAM."""

        def begin_mint() -> Mint:
            mint = Mint(uuid4().hex, kind, lease.epoch, self._now())
            self._fenced(lease, is_unfinished=True).mints[mint.mint_id] = mint
            return mint

        return await self._unit("begin_mint", begin_mint)

    async def record_mint(self, lease: Lease, mint: Mint, credential_id: str) -> None:
        """Write down what IAM has made."""

        def record_mint() -> None:
            row = self._fenced(lease)
            made = replace(row.mints[mint.mint_id], state=MintState.MADE, credential_id=credential_id)
            row.mints[mint.mint_id] = made

        await self._unit("record_mint", record_mint)

    async def void_mints(self, lease: Lease, mints: tuple[Mint, ...]) -> None:
        """Write down that nothing is there of these."""

        def void_mints() -> None:
            row = self._fenced(lease)
            for mint in mints:
                row.mints[mint.mint_id] = replace(row.mints[mint.mint_id], state=MintState.VOID)

        await self._unit("void_mints", void_mints)

    async def begin_undo(self, lease: Lease, failure: Failure) -> None:
        """Turn a request round."""

        def begin_undo() -> None:
            row = self._fenced(lease, is_unfinished=True)
            row.state, row.failure, row.updated_at = RequestState.UNDOING, failure, self._now()

        await self._unit("begin_undo", begin_undo)

    async def succeed(self, lease: Lease, outcome: Outcome) -> None:
        """Store the outcome; no secret may be in it."""
        if outcome.credentials and outcome.credentials.has_secrets:
            raise TypeError("a secret is not stored")

        def succeed() -> None:
            row = self._fenced(lease, is_unfinished=True)
            row.outcome, row.failure = outcome, None
            row.done_at = row.done_at or self._now()
            self._end(row, lease, RequestState.DONE)
            self.events.append(("outcome", lease.row_id))

        await self._unit("succeed", succeed)

    async def fail(
        self, lease: Lease, failure: Failure, *, look_again: bool = False, calls: Sequence[SentCall] = ()
    ) -> None:
        """Store the failure."""

        def fail() -> None:
            row = self._fenced(lease, is_unfinished=True)
            row.outcome, row.failure = None, failure
            if look_again:
                self._schedule_second_look(row)
            self._end(row, lease, RequestState.UNDONE_RETRYABLE if failure.retryable else RequestState.FAILED)
            self.events.append(("failure", lease.row_id))

        await self._unit("fail", fail)

    async def release(self, lease: Lease, rest_seconds: float = 0.0) -> None:
        """Let the lease end after a rest; the lock stays."""
        self._drop(lease)

        def release() -> None:
            self._fenced(lease).lease_expires_at = self._now() + timedelta(seconds=rest_seconds)

        await self._unit("release", release)

    async def claim_second_look(self) -> Claim | None:
        """Claim a request that has ended and whose second look is due."""

        def claim() -> Claim | None:
            due = [row for row in self._rows.values() if self._is_due(row)]
            for row in sorted(due, key=lambda row: row.recheck_at or row.created_at):
                if self._may_lock(row.target, row.intent.row_id):
                    self._lock(row, row.intent.row_id)
                    return self._take_ended(row)
            return None

        return await self._unit("claim_second_look", claim)

    async def done_since(self, lease: Lease) -> tuple[PastRequest, ...]:
        """Return what is done for the target since the lease's own request began."""

        def look() -> tuple[PastRequest, ...]:
            row = self._fenced(lease)
            done = [
                other
                for other in self._rows.values()
                if other.state is RequestState.DONE
                and other.target == row.target
                and other.updated_at >= row.created_at
            ]
            return tuple(map(_past, sorted(done, key=lambda other: (other.updated_at, other.created_at))))

        return await self._unit("done_since", look)

    async def made_key_ids(self, account_id: str, target: Target) -> frozenset[str]:
        """Return the access keys that requests have made for a target."""

        def look() -> frozenset[str]:
            rows = [row for row in self._rows.values() if row.target == (account_id, target.key)]
            mints = [mint for row in rows for mint in row.mints.values() if mint.kind is MintKind.ACCESS_KEY]
            return frozenset(mint.credential_id for mint in mints if mint.credential_id)

        return await self._unit("made_key_ids", look)

    async def end_second_look(self, lease: Lease, unattributed: tuple[str, ...], missing: tuple[str, ...] = ()) -> None:
        """Write down that a second look is over."""

        def end() -> None:
            row = self._fenced(lease, is_unfinished=False)
            row.recheck_at = row.lease_expires_at = None
            self._unlock(lease)
            self.unattributed[lease.row_id] = unattributed
            self.missing[lease.row_id] = missing
            self.events.append(("second-look", lease.row_id))

        await self._unit("end_second_look", end)

    async def rest_second_look(self, lease: Lease, rest_seconds: float) -> bool:
        """Let a second look rest that has failed, or end."""
        self._drop(lease)

        def rest() -> bool:
            row = self._fenced(lease, is_unfinished=False)
            now = self._now()
            self._unlock(lease)
            if row.recheck_at is None or row.updated_at < now - timedelta(seconds=self._terms.retention):
                row.recheck_at = row.lease_expires_at = None
                self.events.append(("second-look", lease.row_id))
                return False
            longer = min((now - row.recheck_at).total_seconds() / 2, MOST_REST_SECONDS)
            row.lease_expires_at = now + timedelta(seconds=max(rest_seconds, longer))
            return True

        return await self._unit("rest_second_look", rest)

    async def remove_old(self) -> int:
        """Remove requests that ended long ago."""

        def remove() -> int:
            ended_before = self._now() - timedelta(seconds=self._terms.retention)
            old = [
                key
                for key, row in self._rows.items()
                if not row.is_unfinished
                and row.updated_at < ended_before
                and row.recheck_at is None
                and row.lease_expires_at is None
            ]
            self._removed += [self._rows.pop(key) for key in old]
            return len(old)

        return await self._unit("remove_old", remove)

    async def record_denial(self, denial: Denial) -> None:
        """Keep a refusal."""
        await self._unit("record_denial", lambda: self.denials.append(denial))

    # What they share.

    async def _unit(self, method: str, work: Callable[[], T]) -> T:
        # Let others in, as a call to a database does.
        await asyncio.sleep(0)
        if method in self.failing:
            raise StoreUnavailableError
        done = work()
        if method in self.unanswered:
            raise StoreUnavailableError(maybe_written=True)
        return done

    def _fenced(self, lease: Lease, *, is_unfinished: bool | None = None) -> _Row:
        row = self._by_id(lease.row_id)
        held = row is not None and row.epoch == lease.epoch and row.lease_expires_at is not None
        if row is None or not held or (is_unfinished is not None and row.is_unfinished is not is_unfinished):
            lease.lose()
            self._drop(lease)
            raise LeaseLostError
        return row

    def _take_over(self, row: _Row) -> Claim:
        self._schedule_second_look(row)
        row.updated_at = self._now()
        self.events.append(("takeover", row.intent.row_id))
        return replace(self._take(row), takeovers=self._takeovers_of(row.intent.row_id))

    def _takeovers_of(self, row_id: str) -> int:
        count = 0
        for event, of_row in self.events:
            if of_row == row_id:
                count = {"takeover": count + 1, "intent": 0, "reissue": 0}.get(event, count)
        return count

    def _take_ended(self, row: _Row) -> Claim:
        interrupted = row.lease_expires_at is not None
        return replace(self._take(row), interrupted=interrupted)

    def _take(self, row: _Row) -> Claim:
        row.epoch += 1
        row.lease_expires_at = self._now() + timedelta(seconds=self._terms.lease)
        lease = Lease(row.intent.row_id, row.epoch, self._monotonic() + self._terms.lease, self._monotonic)
        self._held.append(lease)
        return Claim(
            intent=row.intent,
            state=row.state,
            lease=lease,
            begun_at=row.created_at,
            mints=tuple(row.mints.values()),
            other_key_ids=frozenset(
                mint.credential_id for mint in self._others(row, MintKind.ACCESS_KEY) if mint.credential_id
            ),
            other_passwords=self._other_passwords(row),
            outcome=row.outcome,
            failure=row.failure,
        )

    def _others(self, row: _Row, kind: MintKind) -> list[Mint]:
        return [mint for other in self._others_of(row) for mint in other.mints.values() if mint.kind is kind]

    def _other_passwords(self, row: _Row) -> tuple[OthersPassword, ...]:
        return tuple(
            OthersPassword(mint, _user_id(other))
            for other in self._others_of(row)
            for mint in other.mints.values()
            if (mint.kind, mint.state) == (MintKind.CONSOLE_PASSWORD, MintState.MADE)
            if not any(taker.created_at > mint.begun_at for taker in self._takers_of_passwords(row))
        )

    def _takers_of_passwords(self, row: _Row) -> list[_Row]:
        done = [other for other in self._others_of(row) if other.state is RequestState.DONE]
        return [other for other in done if takes(other.intent.plan, Thing(Kind.PASSWORD))]

    def _others_of(self, row: _Row) -> list[_Row]:
        return [other for other in self._rows.values() if other is not row and other.target == row.target]

    def _end(self, row: _Row, lease: Lease, state: RequestState) -> None:
        row.state, row.lease_expires_at, row.updated_at = state, None, self._now()
        self._unlock(lease)

    def _unlock(self, lease: Lease) -> None:
        self._drop(lease)
        self._locks = {target: row_id for target, row_id in self._locks.items() if row_id != lease.row_id}

    def _drop(self, lease: Lease) -> None:
        if lease in self._held:
            self._held.remove(lease)

    def _lock(self, row: _Row, row_id: str) -> None:
        if not self._may_lock(row.target, row_id):
            raise _in_progress()
        self._locks[row.target] = row_id

    def _has_changed_since(self, row: _Row, planned_since: float) -> bool:
        since = self._now() - timedelta(seconds=self._monotonic() - planned_since)
        others = [other for other in self._rows.values() if other is not row and other.target == row.target]
        return any(other.updated_at > since for other in others)

    def _may_lock(self, target: tuple[str, str], row_id: str) -> bool:
        holder = self._locks.get(target)
        if holder is None or holder == row_id:
            return True
        row = self._by_id(holder)
        return row is None or not (row.is_unfinished or self._is_leased(row))

    def _schedule_second_look(self, row: _Row) -> None:
        due = self._now() + timedelta(seconds=self._terms.second_look_after)
        row.recheck_at = max(due, row.recheck_at or due)

    def _is_due(self, row: _Row) -> bool:
        is_late = row.recheck_at is not None and row.recheck_at <= self._now()
        return is_late and not row.is_unfinished and not self._is_leased(row)

    def _is_leased(self, row: _Row) -> bool:
        return row.lease_expires_at is not None and row.lease_expires_at > self._now()

    def _is_looked_at(self, row: _Row) -> bool:
        return self._is_leased(row) and self._locks.get(row.target) == row.intent.row_id

    def _is_abandoned(self, row: _Row) -> bool:
        return row.is_unfinished and not self._is_leased(row)

    def _awaits_caller(self, row: _Row) -> bool:
        if not row.intent.needs_caller or row.state is not RequestState.RUNNING or row.lease_expires_at is None:
            return False
        return row.lease_expires_at > self._now() - timedelta(seconds=self._terms.retry_window)

    def _by_id(self, row_id: str) -> _Row | None:
        return next((row for row in self._rows.values() if row.intent.row_id == row_id), None)

    def _known(self, row: _Row) -> LedgerRow:
        return LedgerRow(
            intent=row.intent,
            state=row.state,
            epoch=row.epoch,
            abandoned=self._is_abandoned(row),
            look_again=row.recheck_at is not None,
            outcome=row.outcome,
            failure=row.failure,
        )

    # For an operator whose store was lost.

    async def known_rows(self, row_ids: Collection[str]) -> Mapping[str, RequestState]:
        """Tell where requests stand, and of removed ones how they ended, as the audit log does."""

        def look() -> Mapping[str, RequestState]:
            ends = {RequestState.UNDONE_RETRYABLE: RequestState.FAILED}
            removed = {row.intent.row_id: ends.get(row.state, row.state) for row in self._removed}
            known = removed | {row.intent.row_id: row.state for row in self._rows.values()}
            return {row_id: state for row_id, state in known.items() if row_id in row_ids}

        return await self._unit("known_rows", look)

    async def known_key_ids(self) -> frozenset[str]:
        """Return the access keys that requests have made or found there."""

        def look() -> frozenset[str]:
            mints = [mint for row in self._rows.values() for mint in row.mints.values()]
            found = [row.intent.snapshot.access_keys for row in self._rows.values() if row.intent.snapshot]
            made = {mint.credential_id for mint in mints if mint.kind is MintKind.ACCESS_KEY and mint.credential_id}
            outcomes = [row.outcome for row in (*self._rows.values(), *self._removed) if row.outcome]
            told = {
                outcome.credentials.access_key.access_key_id
                for outcome in outcomes
                if outcome.credentials and outcome.credentials.access_key
            }
            return frozenset(made | told | {key.access_key_id for keys in found for key in keys})

        return await self._unit("known_key_ids", look)

    async def unfinished(self) -> tuple[UnfinishedRequest, ...]:
        """Return the requests that have not ended, the oldest first."""

        def look() -> tuple[UnfinishedRequest, ...]:
            rows = [row for row in self._rows.values() if row.is_unfinished]
            return tuple(
                UnfinishedRequest(
                    row_id=row.intent.row_id,
                    key=row.intent.key,
                    team=row.intent.team,
                    action=row.intent.action,
                    account_id=row.intent.plan.account_id,
                    target=row.intent.plan.target,
                    state=row.state,
                    begun_at=row.created_at,
                    abandoned=self._is_abandoned(row),
                )
                for row in sorted(rows, key=lambda row: row.created_at)
            )

        return await self._unit("unfinished", look)

    async def end_abandoned(self, failure: Failure) -> int:
        """End every abandoned request, and cancel every second look."""

        def end() -> int:
            left = [row for row in self._rows.values() if not self._is_leased(row)]
            abandoned = [row for row in left if row.is_unfinished]
            for row in left:
                row.recheck_at = row.lease_expires_at = None
                self._locks = {target: held for target, held in self._locks.items() if held != row.intent.row_id}
            for row in abandoned:
                row.state, row.failure, row.outcome = RequestState.FAILED, failure, None
                row.epoch, row.updated_at = row.epoch + 1, self._now()
                self.events.append(("failure", row.intent.row_id))
            return len(abandoned)

        return await self._unit("end_abandoned", end)


def _stored(intent: Intent) -> Intent:
    """Return what carrying out needs: the plan without figures, warnings and problems."""
    return replace(intent, plan=replace(intent.plan, warnings=(), quota_uses=(), problems=()))


def _past(row: _Row) -> PastRequest:
    return PastRequest(row.intent.row_id, row.intent.plan, _user_id(row), row.created_at, row.updated_at)


def _user_id(row: _Row) -> str:
    user = row.outcome.user if row.outcome else None
    return row.intent.plan.user_id or (user.user_id if user else "")


def _in_progress() -> IdentityError:
    return IdentityError(Reason.IN_PROGRESS, "it is under way", retry_after=1.0)
