"""How an attempt gets hold of a request: by beginning it, by taking it over, by opening it again, for a second look.

Whatever the way, the claim counts the epoch up, so that earlier attempts can write nothing more, and takes a lease.
Rows are locked in one order everywhere, a request before its target, so that units of work do not deadlock.
"""

import functools
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects import postgresql, sqlite

from identity_service.adapters.store import audit, rows
from identity_service.adapters.store.codec import StoredValueError
from identity_service.adapters.store.errors import in_progress
from identity_service.adapters.store.rows import Row
from identity_service.adapters.store.schema import AuditEventName, locks, requests
from identity_service.adapters.store.units import Unit
from identity_service.application.lease import Lease
from identity_service.application.ledger import UNFINISHED, Claim, Intent, RequestKey, RequestState

CANDIDATES = 10
"""How many requests are read at a time, to find those that this release can read."""

# Built once: SQLAlchemy takes longer to build a statement and to find it compiled than SQLite to execute it.
OF_KEY = sa.select(requests).where(
    requests.c.caller_id == sa.bindparam("of_caller"), requests.c.request_id == sa.bindparam("of_request")
)
OF_KEY_LOCKED = OF_KEY.with_for_update()

TARGET_BUSY = "another change of this user, group or policy is running"
TARGET_CHANGED = "another change of this user was made while this one was planned"
REQUEST_RUNS = "the same request is running"

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True)
class Terms:
    """How long claims last, and when what may still happen by then is looked at again."""

    lease: timedelta
    second_look_after: timedelta
    retry_window: timedelta

    def second_look_at(self, unit: Unit, row: Row) -> datetime:
        """Return when to look again: after all that was sent until now has lost its validity."""
        due = unit.now + self.second_look_after
        earlier: datetime | None = row["recheck_at"]
        return due if earlier is None else max(due, earlier)


class Claims:
    """The ways to claim a request, each to be called in a unit of work."""

    def __init__(self, terms: Terms, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._terms = terms
        self._monotonic = monotonic

    def begin(
        self, unit: Unit, intent: Intent, columns: Mapping[str, object], planned_since: float | None = None
    ) -> Claim:
        """Write row, lock and audit intent. `columns` are the intent's, encoded.

        Raises:
            IdentityError: IN_PROGRESS.
        """
        row = self._begin_new(unit, intent, columns) or self._begin_again(unit, intent, columns)
        if not _lock_target(unit, row):
            raise in_progress(TARGET_BUSY)
        if intent.snapshot and planned_since is not None and _has_changed_since(unit, row, planned_since):
            raise in_progress(TARGET_CHANGED)
        audit.append_intent(unit, intent)
        return self._claim(unit, row, intent)

    def _begin_new(self, unit: Unit, intent: Intent, columns: Mapping[str, object]) -> Row | None:
        row = {
            **columns,
            "caller_id": intent.key.caller_id,
            "request_id": intent.key.request_id,
            "state": RequestState.RUNNING,
            "epoch": 1,
            "lease_expires_at": unit.now + self._terms.lease,
            "recheck_at": None,
            "outcome": None,
            "failure": None,
            "created_at": unit.now,
            "updated_at": unit.now,
            "done_at": None,
        }
        return row if _insert_if_new(unit, requests, row, ("caller_id", "request_id")) else None

    def _begin_again(self, unit: Unit, intent: Intent, columns: Mapping[str, object]) -> Row:
        row = _find_locked(unit, intent.key)
        if row is None or row["state"] != RequestState.UNDONE_RETRYABLE or _is_looked_at(unit, row):
            raise in_progress(REQUEST_RUNS)
        if row["row_id"] != intent.row_id:
            # Another replica has begun and undone it while this one planned; who asks again plans with its row.
            raise in_progress(REQUEST_RUNS)
        values = {**columns, "state": RequestState.RUNNING, "outcome": None, "failure": None, "done_at": None}
        return self._take(unit, row, {**values, "updated_at": unit.now})

    def take_over(self, unit: Unit, key: RequestKey) -> Claim | None:
        """Claim a request that nobody works on any more."""
        row = _find_locked(unit, key)
        if row is None or not is_abandoned(unit, row):
            return None
        return self._take_over(unit, row)

    def take_over_abandoned(self, unit: Unit, limit: int) -> tuple[Claim, ...]:
        """Claim requests that nobody works on any more, and that nobody else is claiming now."""
        may_run = sa.or_(
            sa.not_(requests.c.needs_caller),
            requests.c.state != RequestState.RUNNING,
            requests.c.lease_expires_at <= unit.now - self._terms.retry_window,
        )
        query = (
            sa.select(requests)
            .where(requests.c.state.in_(UNFINISHED), requests.c.lease_expires_at <= unit.now, may_run)
            .order_by(requests.c.lease_expires_at, requests.c.created_at)
            .with_for_update(skip_locked=True)
        )
        # All are found before any is taken, which changes the order.
        found = tuple(itertools.islice(_readable_of(unit, query), limit))
        return tuple(self._take_over(unit, row) for row in found)

    def _take_over(self, unit: Unit, row: Row) -> Claim:
        values = {"recheck_at": self._terms.second_look_at(unit, row), "updated_at": unit.now}
        taken = self._take(unit, row, values)
        audit.append(unit, AuditEventName.TAKEOVER, taken, {"direction": row["state"]})
        return replace(self._claim(unit, taken), takeovers=audit.takeovers_of(unit.connection, row["row_id"]))

    def reopen(self, unit: Unit, key: RequestKey) -> Claim | None:
        """Claim a request that is done, to issue its secrets again. Raises IdentityError IN_PROGRESS."""
        row = _find_locked(unit, key)
        if row is None or row["state"] != RequestState.DONE:
            return None
        done_at = row["done_at"] or row["updated_at"]
        if done_at < unit.now - self._terms.retry_window:
            return None
        if _is_looked_at(unit, row) or not _lock_target(unit, row):
            raise in_progress(TARGET_BUSY)
        values = {
            "state": RequestState.RUNNING,
            "recheck_at": self._terms.second_look_at(unit, row),
            "updated_at": unit.now,
            "done_at": done_at,
        }
        taken = self._take(unit, row, values)
        audit.append(unit, AuditEventName.REISSUE, taken, {})
        return self._claim(unit, taken)

    def claim_undone(self, unit: Unit, key: RequestKey) -> Claim | None:
        """Claim a request that is undone, which it stays. Raises IdentityError IN_PROGRESS."""
        row = _find_locked(unit, key)
        if row is None or row["state"] != RequestState.UNDONE_RETRYABLE:
            return None
        if _is_looked_at(unit, row):
            raise in_progress(REQUEST_RUNS)
        if not _lock_target(unit, row):
            raise in_progress(TARGET_BUSY)
        return self._claim_ended(unit, row)

    def claim_second_look(self, unit: Unit) -> Claim | None:
        """Claim a request that has ended and is to be looked at again, with the lock on its target."""
        query = (
            sa.select(requests)
            .where(
                requests.c.state.not_in(UNFINISHED),
                requests.c.recheck_at <= unit.now,
                sa.or_(requests.c.lease_expires_at.is_(None), requests.c.lease_expires_at <= unit.now),
                sa.not_(_target_is_busy(unit)),
            )
            .order_by(requests.c.recheck_at)
            .with_for_update(skip_locked=True, of=requests)
        )
        for row in _readable_of(unit, query):
            if _lock_target(unit, row):
                return self._claim_ended(unit, row)
        return None

    def _claim_ended(self, unit: Unit, row: Row) -> Claim:
        # Whoever ends a look takes the lease away: one that is left is that of somebody who has died, or failed.
        interrupted = row["lease_expires_at"] is not None
        return replace(self._claim(unit, self._take(unit, row, {})), interrupted=interrupted)

    def _take(self, unit: Unit, row: Row, values: Mapping[str, object]) -> Row:
        """Count the epoch up and take the lease, together with other changes; return the row as it is then."""
        taken = {**values, "epoch": row["epoch"] + 1, "lease_expires_at": unit.now + self._terms.lease}
        unit.connection.execute(requests.update().where(requests.c.row_id == row["row_id"]).values(taken))
        return {**row, **taken}

    def _claim(self, unit: Unit, row: Row, intent: Intent | None = None) -> Claim:
        valid_until = unit.started + self._terms.lease.total_seconds()
        return Claim(
            intent=intent or rows.decode_intent(row),
            state=RequestState(row["state"]),
            lease=Lease(row["row_id"], row["epoch"], valid_until, self._monotonic),
            begun_at=row["created_at"],
            mints=rows.mints_of(unit.connection, row["row_id"]),
            other_key_ids=rows.other_key_ids(unit.connection, row),
            other_passwords=rows.other_passwords(unit.connection, row),
            outcome=rows.outcome_of(row),
            failure=rows.failure_of(row),
        )


def is_abandoned(unit: Unit, row: Row) -> bool:
    """Tell whether a request is unfinished and its lease has run out."""
    return rows.is_unfinished(row) and not _is_leased(unit, row)


def find(unit: Unit, key: RequestKey) -> Row | None:
    """Return the row of a request."""
    return unit.connection.execute(OF_KEY, _of(key)).mappings().one_or_none()


def _is_leased(unit: Unit, row: Row) -> bool:
    return row["lease_expires_at"] is not None and row["lease_expires_at"] > unit.now


def _is_looked_at(unit: Unit, row: Row) -> bool:
    """Tell whether somebody works on a request that has ended: a second look that rests has a lease, and no lock."""
    if not _is_leased(unit, row):
        return False
    locked = sa.exists().where(locks.c.row_id == row["row_id"])
    return bool(unit.connection.execute(sa.select(locked)).scalar_one())


def _find_locked(unit: Unit, key: RequestKey) -> Row | None:
    return unit.connection.execute(OF_KEY_LOCKED, _of(key)).mappings().one_or_none()


def _of(key: RequestKey) -> dict[str, object]:
    return {"of_caller": key.caller_id, "of_request": key.request_id}


def readable(found: Iterable[Row]) -> Iterator[Row]:
    """Leave out what this release cannot read: one such row must not keep others from being worked on, or looked at."""
    for row in found:
        try:
            rows.ledger_row(row, abandoned=False)
        except StoredValueError:
            _log.error("stored_request_unreadable", row_id=row["row_id"])
        else:
            yield row


def _readable_of(unit: Unit, query: sa.Select[tuple[object, ...]]) -> Iterator[Row]:
    """Yield what a query finds that this release can read, however much comes before it that it cannot.

    What others lock or let go of between two pages may be passed over, until the next time.
    """
    for page in itertools.count():
        found = unit.connection.execute(query.limit(CANDIDATES).offset(page * CANDIDATES)).mappings().all()
        yield from readable(found)
        if len(found) < CANDIDATES:
            return


def _lock_target(unit: Unit, row: Row) -> bool:
    """Lock the target for a request; tell whether it has it.

    A second look whose process died leaves its lock behind: the request has ended, so nobody else would take it away.
    """
    target = {"account_id": row["account_id"], "target_key": row["target_key"]}
    if _insert_if_new(unit, locks, {**target, "row_id": row["row_id"]}, tuple(target)):
        return True
    is_target = sa.and_(*(locks.c[name] == value for name, value in target.items()))
    query = sa.select(locks.c.row_id).where(is_target).with_for_update()
    holder = unit.connection.execute(query).scalar_one_or_none()
    if holder == row["row_id"]:
        return True
    # A lock that was there a moment ago and is not any more: who asks again will get it.
    if holder is None or not _has_left(unit, holder):
        return False
    unit.connection.execute(locks.update().where(is_target).values(row_id=row["row_id"]))
    return True


def _has_changed_since(unit: Unit, row: Row, planned_since: float) -> bool:
    """Tell whether another request for a target has ended since a monotonic time; to be asked with the lock held."""
    since = unit.now - timedelta(seconds=unit.started - planned_since)
    ended = sa.exists().where(
        requests.c.updated_at > since,
        requests.c.account_id == row["account_id"],
        requests.c.target_key == row["target_key"],
        requests.c.row_id != row["row_id"],
    )
    return bool(unit.connection.execute(sa.select(ended)).scalar_one())


def _has_left(unit: Unit, holder: str) -> bool:
    """Tell whether the holder of a lock has ended and does not look at its target now."""
    # Read after the lock is ours: a second look takes the lock before it can be seen to have a lease.
    row = unit.connection.execute(sa.select(requests).where(requests.c.row_id == holder)).mappings().one()
    return not rows.is_unfinished(row) and not _is_leased(unit, row)


def _target_is_busy(unit: Unit) -> sa.ColumnElement[bool]:
    """Ask whether another request works on a request's target."""
    holder = requests.alias("holder")
    return sa.exists().where(
        locks.c.account_id == requests.c.account_id,
        locks.c.target_key == requests.c.target_key,
        locks.c.row_id != requests.c.row_id,
        holder.c.row_id == locks.c.row_id,
        sa.or_(holder.c.state.in_(UNFINISHED), holder.c.lease_expires_at > unit.now),
    )


def _insert_if_new(unit: Unit, table: sa.Table, values: Mapping[str, object], unique: tuple[str, ...]) -> bool:
    """Insert a row unless one of the same key is there; tell whether it was inserted."""
    statement = _insert_of(unit.connection.dialect.name, table, unique)
    return unit.connection.execute(statement, values).one_or_none() is not None


@functools.cache
def _insert_of(dialect: str, table: sa.Table, unique: tuple[str, ...]) -> sa.Executable:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return insert(table).on_conflict_do_nothing(index_elements=unique).returning(table.c.row_id)
