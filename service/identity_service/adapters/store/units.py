"""Units of work: each a transaction, on a thread of the store's own, that is done whole or not at all."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import sqlalchemy as sa
import structlog

from identity_service.adapters.store import migration
from identity_service.adapters.store.audit_chain import Chains, Draft
from identity_service.adapters.store.database import Database
from identity_service.adapters.store.errors import (
    BROKEN_STORE,
    StoreError,
    cause_of,
    is_conflict,
)
from identity_service.adapters.store.watching import StoreWatch
from identity_service.application.ledger import StoreUnavailableError

T = TypeVar("T")
ATTEMPTS = 2
"""How often a unit of work is tried that came into another one's way."""

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True)
class Unit:
    """A transaction: `now` is its time by the database's clock, `started` the monotonic time before it was begun.

    `chain` takes what it adds to the audit log, `trace_id` names the trace on whose behalf it runs, if there is one.
    """

    connection: sa.Connection
    now: datetime
    started: float
    chain: Draft
    trace_id: str


Work = Callable[[Unit], T]


class UnitsOfWork:
    """The threads of the store and their connections, one for each."""

    def __init__(
        self,
        database: Database,
        threads: int,
        monotonic: Callable[[], float] = time.monotonic,
        trace_id: Callable[[], str] = str,
        watch: StoreWatch | None = None,
    ) -> None:
        self.chains = Chains()
        self._database = database
        self._connections = min(threads, database.maximum_threads)
        self._monotonic = monotonic
        self._trace_id = trace_id
        self._watch = watch or StoreWatch()
        self._threads = ThreadPoolExecutor(self._connections, thread_name_prefix="ledger")
        self._engine: sa.Engine | None = None

    async def open(self) -> None:
        """Connect, and see that the schema is this release's. Raises StoreError with words for the operator."""
        await asyncio.get_running_loop().run_in_executor(self._threads, self._open)

    def _open(self) -> None:
        self._database.prepare()
        engine = self._database.create_engine(self._connections)
        try:
            migration.ensure_schema(self._database, engine)
        except StoreError:
            engine.dispose()
            raise
        self._engine = engine

    async def close(self) -> None:
        """Finish what was begun, and disconnect. Closing twice is no mistake."""
        engine, self._engine = self._engine, None
        hangs = False
        try:
            async with asyncio.timeout(self._database.patience_seconds):
                await asyncio.to_thread(self._threads.shutdown)
        except TimeoutError:
            hangs = True
            _log.warning("store_hangs_at_close")
        if engine is not None:
            # Where a thread hangs, it may still commit what it has added.
            self.chains.log_heads(ended=not hangs)
            await asyncio.to_thread(engine.dispose)

    async def run(self, operation: str, work: Work[T]) -> T:
        """Do some work as one unit.

        Raises:
            StoreUnavailableError: the store cannot be used. Or what the work itself raised.
        """
        engine = self._engine
        if engine is None:
            raise StoreUnavailableError
        with self._watch.around(engine.dialect.name, operation):
            return await self._run(engine, operation, work)

    async def _run(self, engine: sa.Engine, operation: str, work: Work[T]) -> T:
        # The trace is asked for here: the threads know nothing of who hands work in.
        handed_in = self._threads.submit(self._attempt, engine, operation, work, self._trace_id())
        try:
            async with asyncio.timeout(self._database.patience_seconds):
                return await asyncio.wrap_future(handed_in)
        except TimeoutError:
            _log.error("store_unavailable", operation=operation, cause="no answer")
        # What waited for a thread is cancelled; what had one may still be done, as after a commit without an answer.
        raise StoreUnavailableError(maybe_written=not handed_in.cancel())

    def _attempt(self, engine: sa.Engine, operation: str, work: Work[T], trace_id: str) -> T:
        cause, committing = "", False

        def do(unit: Unit) -> T:
            nonlocal committing
            done = work(unit)
            committing = True
            return done

        for _ in range(ATTEMPTS):
            committing = False
            try:
                return self._once(engine, do, trace_id)
            except BROKEN_STORE as error:
                # Never the error's text: it, which a traceback shows too, may hold what was to be written.
                cause = cause_of(error)
                if not is_conflict(error):
                    break
        _log.error("store_unavailable", operation=operation, cause=cause)
        # Outside of the handler, so that the driver's error does not travel along as the context.
        raise StoreUnavailableError(maybe_written=committing and self._database.commit_may_be_lost)

    def _once(self, engine: sa.Engine, work: Work[T], trace_id: str) -> T:
        started = self._monotonic()
        self._database.check()
        chain, committing = Draft(self.chains), False
        try:
            with engine.begin() as connection:
                done = work(Unit(connection, self._database.now(connection), started, chain, trace_id))
                committing = True
        except BaseException:
            if committing:
                chain.in_doubt()
            raise
        chain.committed()
        return done
