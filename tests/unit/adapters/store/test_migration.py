"""How a database gets its schema, and which ones are refused."""

import asyncio
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from identity_service.adapters.store import SqlLedger, StoreError, migrate
from identity_service.adapters.store.engines import database_of
from identity_service.adapters.store.postgresql import MIGRATION_LOCK
from identity_service.adapters.store.schema import metadata
from identity_service.application.ledger import Intent
from tests.support.processes import run
from tests.unit.adapters.store.expected import row_of
from tests.unit.adapters.store.worlds import World

MakeIntent = Callable[..., Intent]
MIGRATE = ("identity_service", "migrate")

NEWEST = "0007"
"""The version of this release's schema."""


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    """An empty database of each engine."""
    if request.param == "sqlite":
        return World(f"sqlite:///{tmp_path / 'empty.db'}")
    return World(request.getfixturevalue("empty_postgres_url"))


async def refusal_to_open(world: World) -> str:
    """Return the words with which a store does not open."""
    ledger = SqlLedger(world.url)
    with pytest.raises(StoreError) as caught:
        await ledger.open()
    await ledger.close()
    return str(caught.value)


async def test_a_migrated_database_is_opened(empty_world: World, make_intent: MakeIntent) -> None:
    """After the command a store works, and migrating once more changes nothing."""
    assert migrate(empty_world.url) == NEWEST
    ledger = await empty_world.open()
    intent = make_intent()
    await ledger.begin(intent)
    assert migrate(empty_world.url) == NEWEST
    assert await ledger.find(intent.key) == row_of(intent)
    await ledger.close()


def test_the_migrations_make_the_tables_that_are_used(empty_world: World) -> None:
    """Tables, columns, types and indexes are those that the queries are written for."""
    migrate(empty_world.url)
    engine = sa.create_engine(empty_world.url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_the_migrations_make_the_constraints_that_are_meant(empty_world: World) -> None:
    """Checks on states and events are the ones of the schema, which a comparison of tables does not see."""
    migrate(empty_world.url)
    engine = sa.create_engine(empty_world.url)
    made = {
        (table, check["name"]) for table in metadata.tables for check in sa.inspect(engine).get_check_constraints(table)
    }
    engine.dispose()
    meant = {
        (table.name, constraint.name)
        for table in metadata.tables.values()
        for constraint in table.constraints
        if isinstance(constraint, sa.CheckConstraint)
    }
    assert made == meant


async def test_an_empty_postgresql_database_needs_the_command(empty_postgres_url: str) -> None:
    """A server does not make tables where others may look for theirs: the words say what to run."""
    assert await refusal_to_open(World(empty_postgres_url)) == (
        "the store's PostgreSQL database is empty: run `identity-service migrate`"
    )


async def test_a_new_file_needs_no_command(sqlite_world: World, make_intent: MakeIntent) -> None:
    """To try the service out, nothing has to be prepared."""
    ledger = await sqlite_world.open()
    await ledger.begin(make_intent())
    assert migrate(sqlite_world.url) == NEWEST


def write_newer_schema(world: World, oldest_version: str) -> None:
    """Leave what the migration of a release to come would."""
    migrate(world.url)
    world.execute("CREATE TABLE novelties (words TEXT NOT NULL)")
    world.execute("ALTER TABLE requests ADD COLUMN novelty TEXT")
    world.execute("UPDATE schema_support SET oldest_version = :oldest", oldest=oldest_version)
    world.execute("UPDATE alembic_version SET version_num = '9007'")


async def test_a_newer_schema_that_only_adds_is_worked_with(empty_world: World, make_intent: MakeIntent) -> None:
    """An older server starts after the migration, as in a rollout and after a way back; its command changes nothing."""
    write_newer_schema(empty_world, NEWEST)
    assert migrate(empty_world.url) == "9007"
    ledger = await empty_world.open()
    intent = make_intent()
    await ledger.begin(intent)
    assert await ledger.find(intent.key) == row_of(intent)
    await ledger.close()
    assert empty_world.execute("SELECT version_num FROM alembic_version") == [{"version_num": "9007"}]


@pytest.mark.parametrize("oldest_version", ["9006", "9007", "anything"])
async def test_a_newer_schema_that_takes_away_is_refused(empty_world: World, oldest_version: str) -> None:
    """What a newer release has made unfit for this one is neither opened nor migrated, nor is its version repeated."""
    write_newer_schema(empty_world, oldest_version)
    assert "run the release that wrote it, or a newer one" in await refusal_to_open(empty_world)
    with pytest.raises(StoreError, match="a schema that this release does not know"):
        migrate(empty_world.url)
    assert empty_world.execute("SELECT version_num FROM alembic_version") == [{"version_num": "9007"}]


async def test_a_schema_that_says_nothing_of_this_release_is_refused(empty_world: World) -> None:
    """A version that is unknown, with no word of who can work with it, is somebody else's."""
    write_newer_schema(empty_world, NEWEST)
    empty_world.execute("DROP TABLE schema_support")
    assert "run the release that wrote it, or a newer one" in await refusal_to_open(empty_world)


async def test_an_older_schema_is_refused_until_it_is_migrated(
    empty_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever starts a newer release on an older schema is told both versions and what to run."""
    migrate(empty_world.url)
    monkeypatch.setattr("identity_service.adapters.store.migration._newest", lambda: "9006")
    assert (
        f"has schema version {NEWEST}, this release needs 9006: run `identity-service migrate`"
        in await refusal_to_open(empty_world)
    )


async def test_a_version_table_without_a_version_is_refused(empty_world: World) -> None:
    """A database that was half emptied is not taken for a new one."""
    migrate(empty_world.url)
    empty_world.execute("DELETE FROM alembic_version")
    assert "a schema that this release does not know" in await refusal_to_open(empty_world)


async def test_a_database_of_something_else_is_refused(empty_world: World) -> None:
    """The store does not move in with another program's tables."""
    empty_world.execute("CREATE TABLE notes (words TEXT)")
    assert "holds tables of something else" in await refusal_to_open(empty_world)
    with pytest.raises(StoreError, match="holds tables of something else"):
        migrate(empty_world.url)


async def test_a_store_that_was_refused_can_be_opened_later(empty_world: World) -> None:
    """A failed opening holds on to nothing: once the cause is gone, a new store opens the database."""
    empty_world.execute("CREATE TABLE notes (words TEXT)")
    await refusal_to_open(empty_world)
    empty_world.execute("DROP TABLE notes")
    migrate(empty_world.url)
    await (await empty_world.open()).close()


def test_a_migration_that_fails_leaves_nothing(empty_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of a migration is one transaction on both engines."""

    def fail(*_: object, **__: object) -> None:
        raise sa.exc.OperationalError("statement with hunter2", None, sqlite3.OperationalError("hunter2"))

    monkeypatch.setattr("alembic.op.create_index", fail)
    with pytest.raises(StoreError, match="cannot be used") as caught:
        migrate(empty_world.url)
    assert "hunter2" not in str(caught.value)
    engine = sa.create_engine(empty_world.url)
    assert sa.inspect(engine).get_table_names() == []
    engine.dispose()


async def test_two_migrations_at_once_do_not_collide(empty_world: World) -> None:
    """Of two commands on an empty database both succeed, whoever is first."""
    environment = {**os.environ, "IDENTITY_SERVICE_STORE_URL": empty_world.url}
    commands = (asyncio.to_thread(run, *MIGRATE, env=environment) for _ in range(2))
    answers = [(done.returncode, done.stdout, done.stderr) for done in await asyncio.gather(*commands)]
    assert answers == [(0, f"identity-service: the store has schema version {NEWEST}\n", "")] * 2


def test_a_migration_has_the_lock_before_it_looks(empty_postgres_url: str) -> None:
    """It takes the lock of migrations first, so that what it finds stays true until it is done."""
    database = database_of(empty_postgres_url)
    engine = database.create_engine(1)
    with engine.begin() as connection:
        database.lock_migrations(connection)
        other = sa.create_engine(empty_postgres_url)
        with other.connect() as second:
            assert not second.execute(sa.select(sa.func.pg_try_advisory_xact_lock(MIGRATION_LOCK))).scalar_one()
        other.dispose()
    engine.dispose()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://hunter2@db.example.org/ledger", "databases of type mysql are not supported"),
        ("sqlite:////no/such/directory/ledger.db", "the directory /no/such/directory of the store does not exist"),
        ("postgresql+psycopg://hunter2@127.0.0.1:1/ledger", "database cannot be used (connection refused: "),
        ("postgresql+psycopg://service:hunter2@127.0.0.1:1/ledger", "must not hold a password"),
    ],
)
def test_the_command_says_what_is_wrong(url: str, words: str) -> None:
    """A store that cannot be migrated ends the command with 2, the variable and the reason, and no password."""
    command = run(*MIGRATE, env={**os.environ, "IDENTITY_SERVICE_STORE_URL": url})
    assert command.returncode == 2
    assert command.stderr.startswith("identity-service: IDENTITY_SERVICE_STORE_URL: ")
    assert words in command.stderr
    assert "hunter2" not in command.stderr + command.stdout


def test_the_example_is_of_the_same_kind_of_database() -> None:
    """Whoever means PostgreSQL is not shown a file of SQLite."""
    url = "postgresql+psycopg://hunter2@127.0.0.1:1/ledger"
    command = run(*MIGRATE, env={**os.environ, "IDENTITY_SERVICE_STORE_URL": url})
    assert "; for example IDENTITY_SERVICE_STORE_URL=postgresql+psycopg://" in command.stderr
    assert "sqlite" not in command.stderr


def test_the_command_needs_no_other_setting(tmp_path: Path) -> None:
    """It works without any other variable, on the default store in the working directory too."""
    command = run(*MIGRATE, env={"PATH": os.environ["PATH"]}, cwd=tmp_path)
    assert (command.returncode, command.stdout) == (0, f"identity-service: the store has schema version {NEWEST}\n")
    assert (tmp_path / "identity-service.sqlite3").stat().st_mode & 0o777 == 0o600
