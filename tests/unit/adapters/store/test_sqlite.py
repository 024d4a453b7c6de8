"""Which files the store opens, how it sets SQLite up, and what it refuses; which URLs it takes at all."""

import asyncio
import os
import stat
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from identity_service.adapters.store import SqlLedger, StoreError
from identity_service.adapters.store.engines import database_of
from identity_service.application.ledger import Intent
from identity_service.domain.minting import MintKind
from identity_service.domain.outcome import Outcome
from tests.unit.adapters.store.worlds import World

MakeIntent = Callable[..., Intent]


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
        "postgresql+asyncpg://service:hunter2@db.example.org/ledger",
        "postgresql+psycopg://service:hunter2@db.example.org:port/ledger",
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
    """Only SQLite files and PostgreSQL are taken; the words say what to use and do not repeat a password."""
    with pytest.raises(StoreError, match=r"file|sqlite:///PATH|parameters") as caught:
        SqlLedger(url)
    assert "hunter2" not in str(caught.value)


async def test_a_new_file_is_private(sqlite_world: World, database_file: Path) -> None:
    """The database and its side files belong to their owner alone, whatever the umask is."""
    umask = os.umask(0)
    try:
        await sqlite_world.open()
    finally:
        os.umask(umask)
    modes = {file.name: mode_of(file) for file in database_file.parent.iterdir()}
    assert modes == {"ledger.db": 0o600, "ledger.db-wal": 0o600, "ledger.db-shm": 0o600}


async def test_an_existing_file_is_made_private(sqlite_world: World, database_file: Path) -> None:
    """The rights of others are taken off a file that is there, a restored backup for one."""
    await (await sqlite_world.open()).close()
    set_mode(database_file, 0o644)
    await sqlite_world.open()
    assert mode_of(database_file) == 0o600


def test_sqlite_is_set_up_for_one_durable_writer(database_file: Path) -> None:
    """A connection uses WAL, syncs each commit, checks foreign keys and waits for another writer."""
    engine = database_of(f"sqlite:///{database_file}", busy_timeout_seconds=1.5).create_engine(1)
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
    first = database_of(f"sqlite:///{database_file}", busy_timeout_seconds=0).create_engine(1)
    second = database_of(f"sqlite:///{database_file}", busy_timeout_seconds=0).create_engine(1)
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
async def test_a_read_only_file_is_refused(sqlite_world: World, database_file: Path) -> None:
    """A file that the service may not write is refused at the start and not at the first request."""
    set_mode(database_file, 0o400)
    with pytest.raises(StoreError, match="cannot be opened for writing: Permission denied"):
        await sqlite_world.open()


def test_a_file_that_is_no_database_is_refused(database_file: Path) -> None:
    """A file of something else is refused and left as it is."""
    content = b"these are notes and no database\n" * 200
    database_file.write_bytes(content)
    ledger = SqlLedger(f"sqlite:///{database_file}")
    with pytest.raises(StoreError, match=r"cannot be used \(SQLITE_NOTADB\)") as caught:
        asyncio.run(ledger.open())
    assert caught.value.__suppress_context__
    assert database_file.read_bytes() == content
    asyncio.run(ledger.close())


async def test_the_store_works_on_a_thread_of_its_own(tmp_path: Path, make_intent: MakeIntent) -> None:
    """All work is done by one thread, neither the event loop's nor one of its default pool."""
    threads: set[threading.Thread] = set()

    def watching_clock() -> datetime:
        threads.add(threading.current_thread())
        return datetime(2026, 2, 3, tzinfo=UTC)

    ledger = SqlLedger(f"sqlite:///{tmp_path / 'own.db'}", clock=watching_clock)
    await ledger.open()
    await ledger.succeed((await ledger.begin(make_intent())).lease, Outcome())
    await ledger.close()
    assert [thread.name for thread in threads] == ["ledger_0"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE requests SET state = 'sleeping'",
        "UPDATE mints SET state = 'lost'",
        "UPDATE mints SET kind = 'key'",
        "UPDATE mints SET row_id = 'no-such-row'",
        "UPDATE locks SET row_id = 'no-such-row'",
        "UPDATE requests SET plan = NULL",
        "INSERT INTO audit_log VALUES (9, '2026-02-03', 'gossip', '', '', '', '', '', '', '', '{}', '', '', 1, '', '')",
        "INSERT INTO locks SELECT * FROM locks",
    ],
)
async def test_the_database_refuses_what_the_schema_does_not_know(
    world: World, make_intent: MakeIntent, statement: str
) -> None:
    """On either engine, states and events outside the lists, and locks without a row, do not get in."""
    ledger = await world.open()
    await ledger.begin_mint((await ledger.begin(make_intent())).lease, MintKind.ACCESS_KEY)
    with pytest.raises(sa.exc.IntegrityError):
        world.execute(statement)
