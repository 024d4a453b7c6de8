"""The request ledger on SQL."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

import sqlalchemy as sa

from identity_service.adapters.store import attempts, audit, claims, codec, denials, inventory, rows
from identity_service.adapters.store.backlog import Backlog, read_backlog
from identity_service.adapters.store.claims import Claims, Terms
from identity_service.adapters.store.engines import database_of, utc_now
from identity_service.adapters.store.heartbeat import Heartbeat
from identity_service.adapters.store.schema import requests
from identity_service.adapters.store.units import Unit, UnitsOfWork, Work
from identity_service.adapters.store.watching import StoreWatch
from identity_service.application.lease import Lease, LeaseLostError
from identity_service.application.ledger import (
    UNFINISHED,
    AuditEvent,
    Claim,
    Denial,
    Failure,
    Intent,
    LedgerRow,
    RequestKey,
    RequestState,
    UnfinishedRequest,
)
from identity_service.application.sent_calls import SentCall
from identity_service.domain.holdings import PastRequest
from identity_service.domain.minting import Mint, MintKind
from identity_service.domain.outcome import Outcome
from identity_service.domain.target import Target

T = TypeVar("T")

REMOVAL_BATCH = 1000
"""How many old requests are removed at once, so that nobody has to wait for it."""


class SqlLedger:
    """The `Ledger` of the application, in a SQLite file or in a PostgreSQL database.

    Args:
        database_url: `sqlite:///PATH`, a relative path starting at the working directory, or
            `postgresql+psycopg://USER@HOST/DATABASE`.
        lease_seconds: how long a request stays claimed if its process dies.
        settle_seconds: how much later than by its signature's validity a call may take effect.
        signature_validity_seconds: how long AWS carries out a call that was signed and is on its way.
        retry_window_seconds: for how long a caller may come back for secrets, or with them.
        retention_seconds: how long requests are kept after they ended.
        clock: tells SQLite the time, aware; PostgreSQL tells its own.
        monotonic: tells the time that leases are counted by in this process.
        busy_timeout_seconds: how long SQLite waits for another process that writes.
        threads: how many connections PostgreSQL gets, beside the heartbeat's.
        trace_id: names the trace that a method is called in, for the audit log; "" where there is none.
        watch: watches the units of work; nobody by default.

    Raises:
        StoreError: the URL names no such database.
    """

    def __init__(
        self,
        database_url: str,
        *,
        lease_seconds: float = 30,
        settle_seconds: float = 15,
        signature_validity_seconds: float = 900,
        retry_window_seconds: float = 900,
        retention_seconds: float = 30 * 86400,
        clock: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
        busy_timeout_seconds: float = 5,
        threads: int = 8,
        trace_id: Callable[[], str] = str,
        watch: StoreWatch | None = None,
    ) -> None:
        database = database_of(database_url, clock, busy_timeout_seconds)
        self._terms = Terms(
            lease=timedelta(seconds=lease_seconds),
            second_look_after=timedelta(seconds=signature_validity_seconds + settle_seconds),
            retry_window=timedelta(seconds=retry_window_seconds),
        )
        self._denials = 0
        self._retention = timedelta(seconds=retention_seconds)
        self._claims = Claims(self._terms, monotonic)
        self.units = UnitsOfWork(database, threads, monotonic, trace_id, watch)
        self.heartbeat = Heartbeat(database, lease_seconds, monotonic)

    async def open(self) -> None:
        """Connect; a new SQLite file gets its tables.

        Raises:
            StoreError: the database cannot be used, or needs `identity-service migrate`, in words for the operator.
        """
        await self.units.open()
        self.heartbeat.start()

    async def close(self) -> None:
        """Finish what was begun and disconnect; leases run out by themselves. Closing twice is no mistake."""
        await asyncio.to_thread(self.heartbeat.stop)
        await self.units.close()

    async def find(self, key: RequestKey) -> LedgerRow | None:
        """Return what is known of a request."""

        def find(unit: Unit) -> LedgerRow | None:
            row = claims.find(unit, key)
            return None if row is None else rows.ledger_row(row, abandoned=claims.is_abandoned(unit, row))

        return await self.units.run("find", find)

    async def begin(self, intent: Intent, planned_since: float | None = None) -> Claim:
        """Write row, lock and audit intent, or nothing; `planned_since` is when its pre-image began to be read.

        Raises:
            IdentityError: IN_PROGRESS.
        """
        columns = rows.encode_intent(intent)
        begun = await self.units.run("begin", lambda unit: self._claims.begin(unit, intent, columns, planned_since))
        return self._hold(begun)

    async def take_over(self, key: RequestKey) -> Claim | None:
        """Claim an abandoned request; None if it is not abandoned any more. A second look is scheduled with it."""
        return self._hold_if(await self.units.run("take_over", lambda unit: self._claims.take_over(unit, key)))

    async def take_over_abandoned(self, limit: int) -> tuple[Claim, ...]:
        """Claim abandoned requests, the oldest first; those that need their caller only after the retry window."""
        taken = await self.units.run("take_over_abandoned", lambda unit: self._claims.take_over_abandoned(unit, limit))
        return tuple(map(self._hold, taken))

    async def reopen(self, key: RequestKey) -> Claim | None:
        """Claim a DONE request whose secrets shall be issued again, and audit that."""
        return self._hold_if(await self.units.run("reopen", lambda unit: self._claims.reopen(unit, key)))

    async def claim_second_look(self) -> Claim | None:
        """Claim a request that has ended and whose second look is due, if no other request works on its target."""
        return self._hold_if(await self.units.run("claim_second_look", self._claims.claim_second_look))

    async def claim_undone(self, key: RequestKey) -> Claim | None:
        """Claim a request that is undone, to look for its late calls; None if it is in another state."""
        return self._hold_if(await self.units.run("claim_undone", lambda unit: self._claims.claim_undone(unit, key)))

    async def begin_mint(self, lease: Lease, kind: MintKind) -> Mint:
        """Write down that a credential is about to be asked of IAM."""
        return await self._fenced("begin_mint", lease, lambda unit: attempts.begin_mint(unit, lease, kind))

    async def record_mint(self, lease: Lease, mint: Mint, credential_id: str) -> None:
        """Write down what IAM has made."""
        await self._fenced("record_mint", lease, lambda unit: attempts.record_mint(unit, lease, mint, credential_id))

    async def void_mints(self, lease: Lease, mints: tuple[Mint, ...]) -> None:
        """Write down that nothing is there of these any more."""
        await self._fenced("void_mints", lease, lambda unit: attempts.void_mints(unit, lease, mints))

    async def begin_undo(self, lease: Lease, failure: Failure) -> None:
        """Turn a request round: from now on, whoever takes it over undoes it."""
        encoded = codec.encode_failure(failure)
        await self._fenced("begin_undo", lease, lambda unit: attempts.begin_undo(unit, lease, encoded))

    async def succeed(self, lease: Lease, outcome: Outcome) -> None:
        """Store the outcome without its secrets, release lock and lease, and audit it."""
        encoded, details = codec.encode_outcome(outcome), audit.outcome_details(outcome)
        await self._fenced("succeed", lease, lambda unit: attempts.succeed(unit, lease, encoded, details))
        self.heartbeat.drop(lease)

    async def fail(
        self, lease: Lease, failure: Failure, *, look_again: bool = False, calls: Sequence[SentCall] = ()
    ) -> None:
        """Store the failure, release lock and lease, and audit it with the calls that were sent."""
        encoded, details = codec.encode_failure(failure), audit.failure_details(failure, calls)
        terms = self._terms if look_again else None
        await self._fenced("fail", lease, lambda unit: attempts.fail(unit, lease, failure, encoded, details, terms))
        self.heartbeat.drop(lease)

    async def release(self, lease: Lease, rest_seconds: float = 0.0) -> None:
        """Give a request up: after a rest, whoever comes next may claim it."""
        # First, and whatever comes of the rest: a lease that is not renewed ends by itself.
        self.heartbeat.drop(lease)
        rest = timedelta(seconds=rest_seconds)
        await self._fenced("release", lease, lambda unit: attempts.release(unit, lease, rest))

    async def done_since(self, lease: Lease) -> tuple[PastRequest, ...]:
        """Return what is done of the requests for a lease's target that ended since its own began."""
        return await self._fenced("done_since", lease, lambda unit: attempts.done_since(unit, lease))

    async def made_key_ids(self, account_id: str, target: Target) -> frozenset[str]:
        """Return the access keys that requests have made for a target."""

        def look(unit: Unit) -> frozenset[str]:
            return rows.made_key_ids(unit.connection, account_id, target.key)

        return await self.units.run("made_key_ids", look)

    async def end_second_look(self, lease: Lease, unattributed: tuple[str, ...], missing: tuple[str, ...] = ()) -> None:
        """Write down that the second look is over, what it found and could not tell whose it is, and what is gone."""

        def end(unit: Unit) -> None:
            attempts.end_second_look(unit, lease, unattributed, missing)

        await self._fenced("end_second_look", lease, end)
        self.heartbeat.drop(lease)

    async def rest_second_look(self, lease: Lease, rest_seconds: float) -> bool:
        """Give a second look up that has failed, and let its target go; False if it was the last."""
        self.heartbeat.drop(lease)
        least = timedelta(seconds=rest_seconds)
        return await self._fenced(
            "rest_second_look",
            lease,
            lambda unit: attempts.rest_second_look(unit, lease, least, self._retention),
        )

    async def leave_undone(self, lease: Lease) -> None:
        """Let a request go that was claimed as undone; its second look is put off."""
        await self._fenced("leave_undone", lease, lambda unit: attempts.leave_undone(unit, lease, self._terms))
        self.heartbeat.drop(lease)

    async def remove_old(self) -> int:
        """Remove requests that ended longer ago than the retention, but not their audit; return how many."""
        removed = batch = await self.units.run("remove_old", self._remove_batch)
        while batch == REMOVAL_BATCH:
            batch = await self.units.run("remove_old", self._remove_batch)
            removed += batch
        return removed

    def _remove_batch(self, unit: Unit) -> int:
        old = (
            sa.select(requests.c.row_id)
            .where(
                requests.c.state.not_in(UNFINISHED),
                requests.c.updated_at < unit.now - self._retention,
                requests.c.recheck_at.is_(None),
                requests.c.lease_expires_at.is_(None),
            )
            .limit(REMOVAL_BATCH)
            .with_for_update(skip_locked=True)
        )
        # In two statements: as part of the deletion, PostgreSQL may look for the batch more than once.
        row_ids = unit.connection.execute(old).scalars().all()
        unit.connection.execute(requests.delete().where(requests.c.row_id.in_(row_ids)))
        return len(row_ids)

    async def record_denial(self, denial: Denial) -> None:
        """Audit a refusal: logged, counted and kept, in no chain."""
        self._denials += 1
        denials.log(denial, self._denials)
        await self.units.run("record_denial", lambda unit: audit.append_denial(unit, denial))

    async def ping(self) -> None:
        """Show that the store can be used. Raises StoreUnavailableError."""
        await self.units.run("ping", lambda unit: None)

    async def backlog(self) -> Backlog:
        """Return what waits for somebody to work on it."""
        return await self.units.run("backlog", read_backlog)

    def log_audit_heads(self) -> None:
        """Log how far the audit log's chains have come; without such lines nobody notices a cut tail."""
        self.units.chains.log_heads()

    async def known_rows(self, row_ids: Collection[str]) -> Mapping[str, RequestState]:
        """Tell of each row that is known where its request stands, or of what is removed by now, how it ended."""
        return await self.units.run("known_rows", lambda unit: inventory.known_rows(unit, row_ids))

    async def known_key_ids(self) -> frozenset[str]:
        """Return the access keys that requests have made, and those that requests have found there."""
        return await self.units.run("known_key_ids", inventory.known_key_ids)

    async def unfinished(self) -> tuple[UnfinishedRequest, ...]:
        """Return the requests that have not ended, the oldest first."""
        return await self.units.run("unfinished", inventory.unfinished)

    async def end_abandoned(self, failure: Failure) -> int:
        """End every abandoned request with a failure and cancel every second look; return how many were ended."""
        encoded = codec.encode_failure(failure)
        return await self.units.run("end_abandoned", lambda unit: inventory.end_abandoned(unit, failure, encoded))

    async def read_audit(self, limit: int = 100, after: int = 0) -> tuple[AuditEvent, ...]:
        """Return up to `limit` lines of the audit log, oldest first, that follow the one numbered `after`.

        In SQLite they are numbered from 1 without a gap.
        """
        return await self.units.run("read_audit", lambda unit: audit.read(unit.connection, limit, after))

    def _hold(self, claim: Claim) -> Claim:
        # Not in the unit of work: a claim whose caller was cancelled meanwhile is nobody's, and has to run out.
        self.heartbeat.hold(claim.lease)
        return claim

    def _hold_if(self, claim: Claim | None) -> Claim | None:
        return None if claim is None else self._hold(claim)

    async def _fenced(self, operation: str, lease: Lease, work: Work[T]) -> T:
        try:
            return await self.units.run(operation, work)
        except LeaseLostError:
            lease.lose()
            self.heartbeat.drop(lease)
            raise
