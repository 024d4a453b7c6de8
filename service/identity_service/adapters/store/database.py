"""The SQLite file behind the store: its engine, its settings, its schema version.

SQLite is for one replica on a local disk: one writer, WAL, and a commit that is on the disk before it returns.
"""

import os
import sqlite3
import stat
from pathlib import Path

import orjson
import sqlalchemy as sa

from identity_service.adapters.store import schema

DRIVERS = ("sqlite", "sqlite+pysqlite")
FILE_MODE = 0o600


class StoreError(ValueError):
    """The store cannot be used as it is configured; the text is for the operator and holds no text of a driver."""


def file_of(database_url: str) -> Path:
    """Return the file that a database URL names; refuse what is no plain SQLite file, without repeating the URL."""
    url = _parse(database_url)
    if url.drivername not in DRIVERS:
        raise StoreError(f"databases of type {url.drivername} are not supported yet, only sqlite:///PATH")
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise StoreError("the store needs a file, sqlite:///PATH, so that it outlives the process")
    if url.query:
        raise StoreError("the store's URL takes no parameters after '?'")
    return Path(url.database).absolute()


def _parse(database_url: str) -> sa.URL:
    try:
        return sa.make_url(database_url)
    except (sa.exc.ArgumentError, ValueError):  # ValueError is for a port that is no number
        # The URL may hold a password, and SQLAlchemy's text repeats it.
        raise StoreError("the store's URL is not a database URL, such as sqlite:///PATH") from None


def prepare_file(file: Path) -> None:
    """Create the file for its owner alone, or take the others' rights off an existing one."""
    if not file.parent.is_dir():
        raise StoreError(f"the directory {file.parent} of the store does not exist")
    try:
        # SQLite gives its -wal and -shm files the mode of the database.
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    except OSError as error:
        raise StoreError(f"the store {file} cannot be opened for writing: {os.strerror(error.errno or 0)}") from None
    try:
        if stat.S_IMODE(os.fstat(descriptor).st_mode) & ~FILE_MODE:
            os.fchmod(descriptor, FILE_MODE)
    except OSError as error:
        raise StoreError(f"the store {file} cannot be made private: {os.strerror(error.errno or 0)}") from None
    finally:
        os.close(descriptor)


def create_engine(file: Path, busy_timeout_seconds: float) -> sa.Engine:
    """Build an engine with one connection, for one thread; nothing is opened yet."""
    engine = sa.create_engine(
        sa.URL.create("sqlite+pysqlite", database=str(file)),
        pool_size=1,
        max_overflow=0,
        # Parameters hold plans and names; they have no business in the text of an error.
        hide_parameters=True,
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=orjson.loads,
    )

    def configure(connection: sqlite3.Connection, _record: object) -> None:
        # The driver must not begin transactions by itself: it would do so late, and without IMMEDIATE.
        connection.isolation_level = None
        for pragma in (
            f"busy_timeout = {int(busy_timeout_seconds * 1000)}",
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


def ensure_schema(engine: sa.Engine, file: Path) -> None:
    """Create the schema in an empty database; refuse a version, or a database, that this release does not know."""
    with engine.begin() as connection:
        if connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() != "wal":
            raise StoreError(f"the store {file} is on a file system that cannot do WAL; use a local disk")
        version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        if version == schema.SCHEMA_VERSION:
            return
        if version != 0:
            raise StoreError(
                f"the store {file} has schema version {version}, this release knows {schema.SCHEMA_VERSION}: "
                "run the release that wrote it, or a newer one"
            )
        if connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one():
            raise StoreError(f"{file} is a database of something else; the store needs a file of its own")
        schema.create_all(connection)
        connection.exec_driver_sql(f"PRAGMA user_version = {schema.SCHEMA_VERSION}")
