"""A SQLite file as the store: for one replica, on a local disk, without a server to run.

One writer, WAL, and a commit that is on the disk before it returns.
"""

import os
import sqlite3
import stat
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from identity_service.adapters.store.database import ENGINE_SETTINGS, Database, write_json
from identity_service.adapters.store.errors import StoreError

DRIVERS = ("sqlite", "sqlite+pysqlite")
FILE_MODE = 0o600


class SqliteDatabase(Database):
    """One file. Its clock is this machine's, since nobody else uses it.

    Raises:
        StoreError: the URL names no plain file.
    """

    maximum_threads = 1
    patience_seconds = None
    commit_may_be_lost = False
    creates_schema = True

    def __init__(self, url: sa.URL, clock: Callable[[], datetime], busy_timeout_seconds: float) -> None:
        self.file = _file_of(url)
        self.name = f"the store {self.file}"
        self._clock = clock
        self._busy_timeout_seconds = busy_timeout_seconds
        self._identity: tuple[int, int] | None = None

    def prepare(self) -> None:
        """Create the file for its owner alone, or take the others' rights off an existing one."""
        if not self.file.parent.is_dir():
            raise StoreError(f"the directory {self.file.parent} of the store does not exist")
        try:
            # SQLite gives its -wal and -shm files the mode of the database.
            descriptor = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        except OSError as error:
            raise StoreError(f"{self.name} cannot be opened for writing: {os.strerror(error.errno or 0)}") from None
        try:
            if stat.S_IMODE(os.fstat(descriptor).st_mode) & ~FILE_MODE:
                os.fchmod(descriptor, FILE_MODE)
            self._identity = _identity_of(os.fstat(descriptor))
        except OSError as error:
            raise StoreError(f"{self.name} cannot be made private: {os.strerror(error.errno or 0)}") from None
        finally:
            os.close(descriptor)

    def create_engine(self, connections: int) -> sa.Engine:
        """Build an engine that begins every transaction with the write lock."""
        engine = sa.create_engine(
            sa.URL.create("sqlite+pysqlite", database=str(self.file)),
            pool_size=connections,
            max_overflow=0,
            json_serializer=write_json,
            **ENGINE_SETTINGS,
        )

        def configure(connection: sqlite3.Connection, _record: object) -> None:
            # The driver must not begin transactions by itself: it would do so late, and without IMMEDIATE.
            connection.isolation_level = None
            for pragma in (
                f"busy_timeout = {int(self._busy_timeout_seconds * 1000)}",
                "journal_mode = WAL",
                "synchronous = FULL",
                "foreign_keys = ON",
            ):
                connection.execute(f"PRAGMA {pragma}").close()

        def begin(connection: sa.Connection) -> None:
            # A plain BEGIN takes the write lock at the first write, and then fails instead of waiting for it.
            connection.exec_driver_sql("BEGIN IMMEDIATE")

        sa.event.listen(engine, "connect", configure)
        sa.event.listen(engine, "begin", begin)
        return engine

    def create_reader(self) -> sa.Engine:
        """Build an engine that opens the file for reading; the server may write meanwhile."""

        def connect() -> sqlite3.Connection:
            # Without isolation level the driver begins nothing by itself, and a transaction is begun below.
            return sqlite3.connect(f"{self.file.as_uri()}?mode=ro", uri=True, isolation_level=None)

        def begin(connection: sa.Connection) -> None:
            connection.exec_driver_sql("BEGIN")

        engine = sa.create_engine("sqlite+pysqlite://", creator=connect, poolclass=sa.NullPool, **ENGINE_SETTINGS)
        sa.event.listen(engine, "begin", begin)
        return engine

    def verify(self, connection: sa.Connection) -> None:
        """Look whether the file system can do WAL."""
        if connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() != "wal":
            raise StoreError(f"{self.name} is on a file system that cannot do WAL; use a local disk")

    def check(self) -> None:
        """Notice that the file was removed or replaced: SQLite would go on writing to the one that nobody sees."""
        if _identity_of(self.file.stat()) != self._identity:
            raise FileNotFoundError

    def now(self, connection: sa.Connection) -> datetime:
        """Ask the clock of this machine."""
        return self._clock()

    def lock_migrations(self, connection: sa.Connection) -> None:
        """Do nothing: the transaction has the write lock from its start."""


def _file_of(url: sa.URL) -> Path:
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise StoreError("the store needs a file, sqlite:///PATH, so that it outlives the process")
    if url.query:
        raise StoreError("the URL of a SQLite store takes no parameters after '?'")
    return Path(url.database).absolute()


def _identity_of(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
