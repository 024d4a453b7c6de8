"""The heartbeat: it renews the leases of the attempts that run, whatever else the process is busy with."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from weakref import WeakSet

import sqlalchemy as sa
import structlog

from identity_service.adapters.store.database import Database
from identity_service.adapters.store.errors import BROKEN_STORE, cause_of
from identity_service.adapters.store.schema import requests
from identity_service.application.lease import Lease

BEATS_PER_LEASE = 3
JOIN_SECONDS = 10.0

_log = structlog.stdlib.get_logger(__name__)

Held = frozenset[tuple[str, int]]


class Heartbeat:
    """A thread with a connection of its own that renews all leases in one unit of work, three times per lease.

    What cannot be renewed runs out by itself. A lease that nobody refers to any more is not renewed: were it, a
    request that its attempt has dropped would be nobody's to take over.
    """

    def __init__(
        self, database: Database, lease_seconds: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._lease_seconds = lease_seconds
        self._monotonic = monotonic
        self._leases: WeakSet[Lease] = WeakSet()
        self._guard = threading.Lock()
        self._stopping = threading.Event()
        self._engine: sa.Engine | None = None
        self._thread = threading.Thread(target=self._run, name="ledger-heartbeat", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._engine = self._database.create_engine(1)
        self._thread.start()

    def stop(self) -> None:
        """Stop beating. Stopping twice, or before the start, is no mistake."""
        self._stopping.set()
        if self._engine is not None:
            self._thread.join(JOIN_SECONDS)
            self._engine.dispose()

    def hold(self, lease: Lease) -> None:
        """Renew a lease from now on."""
        with self._guard:
            self._leases.add(lease)

    def drop(self, lease: Lease) -> None:
        """Renew a lease no more."""
        with self._guard:
            self._leases.discard(lease)

    def _run(self) -> None:
        while not self._stopping.wait(self._lease_seconds / BEATS_PER_LEASE):
            try:
                self.beat()
            except Exception as error:  # noqa: BLE001 - were the thread to die, every lease would run out
                _log.error("heartbeat_failed", cause=cause_of(error))

    def beat(self) -> None:
        """Renew all leases once; those whose request was taken over, or has ended, are lost."""
        with self._guard:
            # Of a lease that is lost the attempt has ended; were it renewed, nobody would ever end the request.
            leases = [lease for lease in self._leases if not lease.is_lost]
        if not leases or self._engine is None:
            return
        started = self._monotonic()
        try:
            renewed = self._renew(self._engine, leases)
        except BROKEN_STORE as error:
            _log.warning("leases_not_renewed", leases=len(leases), cause=cause_of(error))
            return
        for lease in leases:
            if (lease.row_id, lease.epoch) in renewed:
                lease.extend(started + self._lease_seconds)
            else:
                lease.lose()
                self.drop(lease)

    def _renew(self, engine: sa.Engine, leases: list[Lease]) -> Held:
        self._database.check()
        with engine.begin() as connection:
            expires_at = self._database.now(connection) + timedelta(seconds=self._lease_seconds)
            # All in the row itself: PostgreSQL looks again at the row that an update has waited for, and at no other.
            held = sa.and_(
                sa.tuple_(requests.c.row_id, requests.c.epoch).in_([(lease.row_id, lease.epoch) for lease in leases]),
                requests.c.lease_expires_at.is_not(None),
            )
            renewal = requests.update().where(held).values(lease_expires_at=expires_at)
            rows = connection.execute(renewal.returning(requests.c.row_id, requests.c.epoch))
            return frozenset((row.row_id, row.epoch) for row in rows)
