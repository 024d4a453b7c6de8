"""PostgreSQL as the store: for several replicas, which meet in its rows and go by its clock."""

from collections.abc import Mapping
from datetime import UTC, datetime

import sqlalchemy as sa

from identity_service.adapters.store.database import ENGINE_SETTINGS, Database, write_json

DRIVERS = ("postgresql", "postgresql+psycopg")
MIGRATION_LOCK = 0x6964656E74697479
"""The key of the advisory lock that migrations take: "identity" in ASCII."""

MIGRATION_SECONDS = 300

SERVER_SETTINGS: Mapping[str, str] = {
    "default_transaction_isolation": "read\\ committed",
    "synchronous_commit": "on",
    "TimeZone": "UTC",
    "statement_timeout": "6s",
    "lock_timeout": "3s",
    # A process that is paused in the middle of a unit of work must not hold its rows for ever.
    "idle_in_transaction_session_timeout": "6s",
}

READER_SETTINGS: Mapping[str, str] = {
    **SERVER_SETTINGS,
    "default_transaction_isolation": "repeatable\\ read",
    "default_transaction_read_only": "on",
    # Who reads may wait for whoever takes what was read, and locks nothing meanwhile.
    "idle_in_transaction_session_timeout": "0",
}

CONNECTION_SETTINGS: Mapping[str, int] = {
    "connect_timeout": 4,
    "keepalives": 1,
    "keepalives_idle": 4,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 8000,
}
"""So that a server whose machine is gone is noticed in under ten seconds; seconds, but for the last, milliseconds."""


class PostgresDatabase(Database):
    """A database, or a schema in one, that belongs to this service alone; several replicas may use it."""

    name = "the store's PostgreSQL database"
    maximum_threads = 64
    patience_seconds = 10.0
    commit_may_be_lost = True
    creates_schema = False

    def __init__(self, url: sa.URL) -> None:
        self._url = url.set(drivername="postgresql+psycopg")

    def prepare(self) -> None:
        """Do nothing: the server is another one's to run."""

    def create_engine(self, connections: int) -> sa.Engine:
        """Build an engine that looks before each use whether its connection still lives."""
        return self._create_engine(connections, SERVER_SETTINGS)

    def create_reader(self) -> sa.Engine:
        """Build an engine whose transaction is a snapshot."""
        return self._create_engine(1, READER_SETTINGS)

    def _create_engine(self, connections: int, settings: Mapping[str, str]) -> sa.Engine:
        given = self._url.query.get("options", "")
        options = [given] if isinstance(given, str) else list(given)
        options += [f"-c {name}={value}" for name, value in settings.items()]
        return sa.create_engine(
            self._url,
            pool_size=connections,
            max_overflow=0,
            pool_pre_ping=True,
            json_serializer=write_json,
            connect_args={**CONNECTION_SETTINGS, "options": " ".join(options).strip()},
            **ENGINE_SETTINGS,
        )

    def verify(self, connection: sa.Connection) -> None:
        """Do nothing: what is relied on is set for each connection."""

    def check(self) -> None:
        """Do nothing: the connections notice."""

    def now(self, connection: sa.Connection) -> datetime:
        """Ask the database: the clocks of replicas differ."""
        now: datetime = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
        return now.astimezone(UTC)

    def lock_migrations(self, connection: sa.Connection) -> None:
        """Take the lock of migrations, and the time that tables with many rows need."""
        for name in ("statement_timeout", "lock_timeout"):
            connection.exec_driver_sql(f"SET LOCAL {name} = '{MIGRATION_SECONDS}s'")
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
