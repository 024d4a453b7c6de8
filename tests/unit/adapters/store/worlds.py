"""A store of a test's own, on SQLite or on PostgreSQL, and time that only the test moves."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from identity_service.adapters.store import SqlLedger

LEASE_SECONDS = 300
SETTLE_SECONDS = 15
SIGNATURE_VALIDITY_SECONDS = 900
RETRY_WINDOW_SECONDS = 1200
RETENTION_SECONDS = 5000
TIMES = {
    "requests": ("lease_expires_at", "recheck_at", "created_at", "updated_at", "done_at"),
    "operations": ("created_at", "started_at", "ended_at", "updated_at"),
    "operation_users": ("lease_expires_at", "made_at"),
}
"""The times that are stored, by table."""
SECOND_LOOK_SECONDS = SIGNATURE_VALIDITY_SECONDS + SETTLE_SECONDS


class StandingClock:
    """A clock that only a test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
        self.monotonic = 1000.0

    def __call__(self) -> datetime:
        """Tell the time of day."""
        return self.now

    def seconds(self) -> float:
        """Tell the monotonic time."""
        return self.monotonic


def check_foreign_keys(connection: sqlite3.Connection, _record: object) -> None:
    """Let SQLite check them; it does not by itself."""
    connection.execute("PRAGMA foreign_keys = ON").close()


class World:
    """A database and the stores that are opened on it, as processes of their own would."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.clock = StandingClock()
        self.opened: list[SqlLedger] = []
        self._engine = sa.create_engine(url, poolclass=sa.NullPool)
        if not self.is_postgresql:
            sa.event.listen(self._engine, "connect", check_foreign_keys)

    @property
    def is_postgresql(self) -> bool:
        """Whether several connections write at once, and the database tells the time."""
        return self._engine.dialect.name == "postgresql"

    def build(self, **settings: Any) -> SqlLedger:
        """Build a store that is not open yet."""
        ledger = SqlLedger(
            self.url,
            **{
                "lease_seconds": LEASE_SECONDS,
                "settle_seconds": SETTLE_SECONDS,
                "signature_validity_seconds": SIGNATURE_VALIDITY_SECONDS,
                "retry_window_seconds": RETRY_WINDOW_SECONDS,
                "retention_seconds": RETENTION_SECONDS,
                "clock": self.clock,
                "monotonic": self.clock.seconds,
                **settings,
            },
        )
        self.opened.append(ledger)
        return ledger

    async def open(self, **settings: Any) -> SqlLedger:
        """Open another store; all are closed in the end."""
        ledger = self.build(**settings)
        await ledger.open()
        return ledger

    def advance(self, seconds: float) -> None:
        """Let time pass, for the database and for this process."""
        self.clock.monotonic += seconds
        self.advance_database(seconds)

    def advance_database(self, seconds: float) -> None:
        """Let time pass for the database alone.

        PostgreSQL's clock cannot be set: what is stored is moved into the past instead, which comes to the same.
        """
        self.clock.now += timedelta(seconds=seconds)
        if self.is_postgresql:
            for table, times in TIMES.items():
                moved = ", ".join(f"{name} = {name} - make_interval(secs => :seconds)" for name in times)
                self.execute(f"UPDATE {table} SET {moved}", seconds=seconds)  # noqa: S608 - the names are our own

    def execute(self, statement: str, **parameters: object) -> Sequence[Mapping[str, Any]]:
        """Run a statement past the store; return its rows, if it has any."""
        with self._engine.begin() as connection:
            result = connection.execute(sa.text(statement), parameters)
            return [dict(row) for row in result.mappings()] if result.returns_rows else []

    def execute_all(self, *statements: tuple[str, Mapping[str, Any]]) -> None:
        """Run statements with their parameters past the store, in one transaction."""
        with self._engine.begin() as connection:
            for statement, parameters in statements:
                connection.execute(sa.text(statement), parameters)

    @contextmanager
    def transaction(self) -> Iterator[Callable[[str], None]]:
        """Hold a transaction open past the store; yield what runs a statement in it. It is rolled back."""
        with self._engine.connect() as connection:
            yield lambda statement: connection.exec_driver_sql(statement).close()
            connection.rollback()
