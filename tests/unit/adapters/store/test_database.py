"""Which databases the store opens, how it sets them up, and which it refuses."""

import asyncio
import os
import sqlite3
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from identity_service.adapters.store import SqlLedger, StoreError, database

OpenLedger = Callable[..., Awaitable[SqlLedger]]


def set_mode(file: Path, mode: int) -> None:
    """Set a file's permission bits; the file is made if it is not there."""
    file.touch()
    file.chmod(mode)


def mode_of(file: Path) -> int:
    """Return a file's permission bits."""
    return stat.S_IMODE(file.stat().st_mode)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://service:hunter2@db.example.org/ledger",
        "mysql://service:hunter2@db.example.org/ledger",
        "sqlite+aiosqlite:///hunter2.db",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///ledger.db?timeout=1",
        "sqlite:///file:ledger.db?uri=true",
        "hunter2",
        "",
    ],
)
def test_other_urls_are_refused(url: str) -> None:
    """Only a plain SQLite file is taken; the words say what to use and do not repeat a password."""
    with pytest.raises(StoreError, match=r"file|sqlite|parameters") as caught:
        SqlLedger(url)
    assert "hunter2" not in str(caught.value)


def test_postgresql_is_said_to_be_unsupported() -> None:
    """Who asks for PostgreSQL is told that it is not there yet."""
    with pytest.raises(StoreError, match="postgresql are not supported yet"):
        SqlLedger("postgresql://db.example.org/ledger")


async def test_a_new_file_is_private(open_ledger: OpenLedger, database_file: Path) -> None:
    """The database and its side files belong to their owner alone, whatever the umask is."""
    umask = os.umask(0)
    try:
        await open_ledger()
    finally:
        os.umask(umask)
    modes = {file.name: mode_of(file) for file in database_file.parent.iterdir()}
    assert modes == {"ledger.db": 0o600, "ledger.db-wal": 0o600, "ledger.db-shm": 0o600}


async def test_an_existing_file_is_made_private(open_ledger: OpenLedger, database_file: Path) -> None:
    """The rights of others are taken off a file that is there, a restored backup for one."""
    await (await open_ledger()).close()
    set_mode(database_file, 0o644)
    await open_ledger()
    assert mode_of(database_file) == 0o600


def test_sqlite_is_set_up_for_one_durable_writer(database_file: Path) -> None:
    """A connection uses WAL, syncs each commit, checks foreign keys and waits for another writer."""
    engine = database.create_engine(database_file, busy_timeout_seconds=1.5)
    with engine.begin() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    engine.dispose()
    # SQLite, "PRAGMA synchronous": 2 is FULL.
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 1500}


def test_a_unit_of_work_has_the_write_lock_from_its_start(database_file: Path) -> None:
    """A transaction that has only read yet keeps another one from beginning."""
    first = database.create_engine(database_file, busy_timeout_seconds=0)
    second = database.create_engine(database_file, busy_timeout_seconds=0)
    with first.begin() as reader:
        reader.exec_driver_sql("SELECT 1").close()
        with pytest.raises(sa.exc.OperationalError, match="locked"), second.begin():
            pass
    with second.begin():
        pass
    first.dispose()
    second.dispose()


async def test_a_missing_directory_is_refused(tmp_path: Path) -> None:
    """The store makes no directories: a typing error in the path must not begin a second ledger."""
    ledger = SqlLedger(f"sqlite:///{tmp_path}/no/such/ledger.db")
    with pytest.raises(StoreError, match=r"directory .* does not exist"):
        await ledger.open()
    await ledger.close()


async def test_a_directory_is_refused(tmp_path: Path) -> None:
    """A path that is a directory cannot be opened, and the words say why."""
    ledger = SqlLedger(f"sqlite:///{tmp_path}")
    with pytest.raises(StoreError, match="cannot be opened for writing: Is a directory"):
        await ledger.open()
    await ledger.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to any file")
async def test_a_read_only_file_is_refused(open_ledger: OpenLedger, database_file: Path) -> None:
    """A file that the service may not write is refused at the start and not at the first request."""
    set_mode(database_file, 0o400)
    with pytest.raises(StoreError, match="cannot be opened for writing: Permission denied"):
        await open_ledger()


def test_a_file_that_is_no_database_is_refused(database_file: Path) -> None:
    """A file of something else is refused and left as it is."""
    content = b"these are notes and no database\n" * 200
    database_file.write_bytes(content)
    ledger = SqlLedger(f"sqlite:///{database_file}")
    with pytest.raises(StoreError, match=r"cannot be used as a SQLite database \(SQLITE_NOTADB\)") as caught:
        asyncio.run(ledger.open())
    assert caught.value.__suppress_context__
    assert database_file.read_bytes() == content
    asyncio.run(ledger.close())


@pytest.mark.parametrize("version", [2, 99])
async def test_an_unknown_schema_is_refused(open_ledger: OpenLedger, database_file: Path, version: int) -> None:
    """A database that a newer release wrote is refused with both versions, and left as it is."""
    await (await open_ledger()).close()
    connection = sqlite3.connect(database_file)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    with pytest.raises(StoreError, match=f"has schema version {version}, this release knows 1"):
        await open_ledger()


async def test_a_database_of_something_else_is_refused(open_ledger: OpenLedger, database_file: Path) -> None:
    """The store does not move in with another program's tables."""
    connection = sqlite3.connect(database_file)
    connection.execute("CREATE TABLE notes (text)")
    connection.close()
    with pytest.raises(StoreError, match="a database of something else"):
        await open_ledger()


async def test_a_store_that_was_refused_can_be_opened_later(open_ledger: OpenLedger, database_file: Path) -> None:
    """A failed opening holds on to nothing: once the cause is gone, a new store opens the file."""
    connection = sqlite3.connect(database_file)
    connection.execute("CREATE TABLE notes (text)")
    with pytest.raises(StoreError):
        await open_ledger()
    connection.execute("DROP TABLE notes")
    connection.close()
    await open_ledger()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE requests SET state = 'sleeping'",
        "INSERT INTO audit_log VALUES (1, '', 'gossip', 'c', 't', 'a', 'n', 'u', 'q', 'r', '{}')",
        "INSERT INTO locks VALUES ('123456789012', 'user/ann', 'no-such-row', '2026-02-03 04:05:06')",
    ],
)
def test_the_database_refuses_what_the_schema_does_not_know(database_file: Path, statement: str) -> None:
    """States and events outside the lists, and locks without a row, do not get in."""
    database.prepare_file(database_file)
    engine = database.create_engine(database_file, busy_timeout_seconds=0)
    database.ensure_schema(engine, database_file)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO requests (row_id, caller_id, request_id, team, action, account_id, target, fingerprint,"
            " state, epoch, lease_expires_at, plan, created_at, updated_at)"
            " VALUES ('r', 'c', 'q', 't', 'a', 'n', 'u', 'f', 'running', 1, '', '{}', '', '')"
        )
    with pytest.raises(sa.exc.IntegrityError), engine.begin() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()
