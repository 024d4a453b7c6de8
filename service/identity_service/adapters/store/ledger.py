"""The request ledger on SQL."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import sqlalchemy as sa
import structlog

from identity_service.adapters.store import audit, codec, database
from identity_service.adapters.store.database import StoreError
from identity_service.adapters.store.schema import UNFINISHED, AuditEventName, RequestState, locks, requests
from identity_service.application.ports import AuditEvent, Denial, Failure, Intent, LedgerRow, RequestKey
from identity_service.domain.errors import IdentityError, Reason
from identity_service.domain.outcome import Outcome

T = TypeVar("T")

RETRY_AFTER_SECONDS = 1.0
"""When a caller that met a running request may ask again."""

BROKEN_STORE = (sa.exc.SQLAlchemyError, OSError, ValueError)
"""What comes out of a database that cannot be used; ValueError for what cannot be read back."""

_log = structlog.stdlib.get_logger(__name__)


def utc_now() -> datetime:
    """Return the time, aware, in UTC."""
    return datetime.now(UTC)


class SqlLedger:
    """The `Ledger` of the application, in one SQLite file that one thread of its own reads and writes.

    A unit of work is a transaction that holds the write lock from its first statement, so what it has read stays
    true until it commits, also against another process on the same file.

    Args:
        database_url: `sqlite:///PATH`; a relative path starts at the working directory.
        lease_seconds: how long a request and its target stay claimed if the process dies.
        clock: tells the time, aware.
        busy_timeout_seconds: how long to wait for another process that writes.

    Raises:
        StoreError: the URL names no SQLite file.
    """

    def __init__(
        self,
        database_url: str,
        *,
        lease_seconds: float = 300,
        clock: Callable[[], datetime] = utc_now,
        busy_timeout_seconds: float = 5,
    ) -> None:
        self._file = database.file_of(database_url)
        self._lease = timedelta(seconds=lease_seconds)
        self._clock = clock
        self._busy_timeout_seconds = busy_timeout_seconds
        self._engine: sa.Engine | None = None
        self._identity = (0, 0)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")

    async def open(self) -> None:
        """Open the file, creating it and its schema if it is new.

        Raises:
            StoreError: the file cannot be used, with words for the operator.
        """
        await asyncio.get_running_loop().run_in_executor(self._thread, self._open)

    def _open(self) -> None:
        database.prepare_file(self._file)
        engine = database.create_engine(self._file, self._busy_timeout_seconds)
        try:
            database.ensure_schema(engine, self._file)
        except sa.exc.SQLAlchemyError as error:
            engine.dispose()
            cause = _name_of(error)
            raise StoreError(f"the store {self._file} cannot be used as a SQLite database ({cause})") from None
        except StoreError:
            engine.dispose()
            raise
        self._identity = self._identify_file()
        self._engine = engine

    async def close(self) -> None:
        """Finish what was begun and close the file. Closing twice is no mistake."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, engine.dispose)
        self._thread.shutdown()

    async def end_unfinished(self, failure: Failure) -> int:
        """Fail every request that a process before this one has left unfinished; return how many there were.

        A SQLite file has one server, so whatever runs when it starts has nobody who runs it.
        """
        return await self._run("end_unfinished", lambda connection: self._end_unfinished(connection, failure))

    def _end_unfinished(self, connection: sa.Connection, failure: Failure) -> int:
        unfinished = sa.select(requests.c.row_id).where(requests.c.state.in_(UNFINISHED))
        row_ids = connection.execute(unfinished).scalars().all()
        for row_id in row_ids:
            values = {"state": RequestState.FAILED, "failure": codec.encode_failure(failure)}
            self._end(connection, row_id, values, AuditEventName.FAILURE, audit.failure_details(failure))
        return len(row_ids)

    async def find(self, key: RequestKey) -> LedgerRow | None:
        """Return what is known of a mutation."""
        return await self._run("find", lambda connection: self._find(connection, key))

    def _find(self, connection: sa.Connection, key: RequestKey) -> LedgerRow | None:
        row = connection.execute(sa.select(requests).where(*_is(key))).one_or_none()
        if row is None:
            return None
        return LedgerRow(
            row_id=row.row_id,
            fingerprint=row.fingerprint,
            lease_expired=row.state in UNFINISHED and row.lease_expires_at <= self._clock(),
            plan=codec.decode_plan(row.plan),
            before=codec.decode_snapshot(row.snapshot),
            outcome=None if row.outcome is None else codec.decode_outcome(row.outcome),
            failure=None if row.failure is None else codec.decode_failure(row.failure),
        )

    async def begin(self, intent: Intent) -> None:
        """Write row, lock and audit intent in one unit of work, or nothing."""
        row = {
            "row_id": intent.row_id,
            "team": intent.team,
            "action": intent.action,
            "account_id": intent.plan.account_id,
            "target": str(intent.plan.target),
            "fingerprint": intent.fingerprint,
            "plan": codec.encode_plan(intent.plan),
            "snapshot": codec.encode_snapshot(intent.snapshot),
        }
        await self._run("begin", lambda connection: self._begin(connection, intent, row))

    def _begin(self, connection: sa.Connection, intent: Intent, row: Mapping[str, object]) -> None:
        now = self._clock()
        _claim_request(connection, intent.key, row, now, now + self._lease)
        _claim_target(connection, intent, now, now + self._lease)
        audit.append_intent(connection, now, intent)

    async def succeed(self, row_id: str, outcome: Outcome) -> None:
        """Store the outcome without its secrets, release the lock, and audit it, in one unit of work."""
        values = {"state": RequestState.DONE, "outcome": codec.encode_outcome(outcome)}
        details = audit.outcome_details(outcome)
        await self._run(
            "succeed", lambda connection: self._end(connection, row_id, values, AuditEventName.OUTCOME, details)
        )

    async def fail(self, row_id: str, failure: Failure) -> None:
        """Store the failure, release the lock, and audit it, in one unit of work."""
        state = RequestState.UNDONE_RETRYABLE if failure.retryable else RequestState.FAILED
        values = {"state": state, "failure": codec.encode_failure(failure)}
        details = audit.failure_details(failure)
        await self._run(
            "fail", lambda connection: self._end(connection, row_id, values, AuditEventName.FAILURE, details)
        )

    def _end(
        self,
        connection: sa.Connection,
        row_id: str,
        values: Mapping[str, object],
        event: AuditEventName,
        details: audit.Details,
    ) -> None:
        now = self._clock()
        mine = requests.c.row_id == row_id
        row = connection.execute(sa.select(requests).where(mine, requests.c.state.in_(UNFINISHED))).mappings().first()
        if row is None:
            raise IdentityError(Reason.CONFLICT, "the request does not run any more, or another attempt runs it")
        connection.execute(requests.update().where(mine).values(**values, updated_at=now))
        # By row and not by target: a lock whose lease ran out may be somebody else's by now.
        connection.execute(locks.delete().where(locks.c.row_id == row_id))
        audit.append_end(connection, now, event, dict(row), details)

    async def record_denial(self, denial: Denial) -> None:
        """Audit a refusal."""
        await self._run("record_denial", lambda connection: audit.append_denial(connection, self._clock(), denial))

    async def read_audit(self, limit: int = 100, after: int = 0) -> tuple[AuditEvent, ...]:
        """Return up to `limit` lines of the audit log, oldest first.

        Lines are numbered from 1 without a gap; `after` is the number of the last line that was read, 0 at first.
        """
        return await self._run("read_audit", lambda connection: audit.read(connection, limit, after))

    async def _run(self, operation: str, work: Callable[[sa.Connection], T]) -> T:
        """Do some work as one unit on the store's own thread.

        Raises:
            IdentityError: STORE_UNAVAILABLE if the store cannot be used, or what the work itself raised.
        """
        engine = self._engine
        if engine is None:
            raise _unavailable()
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._attempt, engine, operation, work)

    def _attempt(self, engine: sa.Engine, operation: str, work: Callable[[sa.Connection], T]) -> T:
        try:
            self._check_file()
            with engine.begin() as connection:
                return work(connection)
        except BROKEN_STORE as error:
            # By name alone: the error's text, which a traceback shows too, may hold what was to be written.
            _log.error("store_unavailable", operation=operation, cause=_name_of(error))
        # Outside of the handler, so that the driver's error does not travel along as the context.
        raise _unavailable()

    def _check_file(self) -> None:
        """Notice that the file was removed or replaced: SQLite would go on writing to the one that nobody sees."""
        if self._identify_file() != self._identity:
            raise FileNotFoundError

    def _identify_file(self) -> tuple[int, int]:
        status = self._file.stat()
        return status.st_dev, status.st_ino


def _claim_request(
    connection: sa.Connection, key: RequestKey, row: Mapping[str, object], now: datetime, lease_expires_at: datetime
) -> None:
    """Write the row of a new key, or put it in the place of a failure that may be tried again."""
    known = connection.execute(sa.select(requests.c.state, requests.c.epoch).where(*_is(key))).one_or_none()
    values = {**row, "state": RequestState.RUNNING, "lease_expires_at": lease_expires_at, "updated_at": now}
    if known is None:
        created = {"caller_id": key.caller_id, "request_id": key.request_id, "epoch": 1, "created_at": now}
        connection.execute(requests.insert().values({**values, **created}))
    elif known.state == RequestState.UNDONE_RETRYABLE:
        taken_over = {"epoch": known.epoch + 1, "outcome": None, "failure": None}
        connection.execute(requests.update().where(*_is(key)).values({**values, **taken_over}))
    else:
        raise _in_progress("the same request is running")


def _claim_target(connection: sa.Connection, intent: Intent, now: datetime, lease_expires_at: datetime) -> None:
    """Lock the target for a row, or take over a lock whose lease has run out."""
    target = {"account_id": intent.plan.account_id, "target_key": intent.plan.target.key}
    holder = {"row_id": intent.row_id, "lease_expires_at": lease_expires_at}
    is_target = [locks.c[name] == value for name, value in target.items()]
    held_until = connection.execute(sa.select(locks.c.lease_expires_at).where(*is_target)).scalar_one_or_none()
    if held_until is None:
        connection.execute(locks.insert().values({**target, **holder}))
    elif held_until <= now:
        connection.execute(locks.update().where(*is_target).values(holder))
    else:
        raise _in_progress("another change of this user, group or policy is running")


def _is(key: RequestKey) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return requests.c.caller_id == key.caller_id, requests.c.request_id == key.request_id


def _in_progress(message: str) -> IdentityError:
    return IdentityError(Reason.IN_PROGRESS, message, retry_after=RETRY_AFTER_SECONDS)


def _unavailable() -> IdentityError:
    return IdentityError(Reason.STORE_UNAVAILABLE, "the service's store cannot be used now")


def _name_of(error: BaseException) -> str:
    """Name an error without its text: SQLite's own name of it, such as SQLITE_FULL, or its class."""
    name = getattr(getattr(error, "orig", None), "sqlite_errorname", None)
    return str(name) if name else type(error).__name__
