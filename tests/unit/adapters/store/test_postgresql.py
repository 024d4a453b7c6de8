"""How the store uses PostgreSQL: whose clock, what it waits for, and what it does without a server."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa

from identity_service.adapters.store import SqlLedger, StoreError, migrate, postgresql
from identity_service.adapters.store.engines import database_of
from identity_service.adapters.store.postgresql import PostgresDatabase
from identity_service.application.ledger import Intent, StoreUnavailableError
from identity_service.domain.outcome import Outcome
from tests.support.postgres import PostgresServer, database_folder
from tests.unit.adapters.store.expected import assert_unavailable, row_of
from tests.unit.adapters.store.worlds import LEASE_SECONDS, World

MakeIntent = Callable[..., Intent]


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A server of the test's own, with the store's tables in its database."""
    with database_folder() as directory:
        running = PostgresServer(directory)
        try:
            running.start()
            migrate(running.url)
            yield running
        finally:
            running.stop()


@pytest.fixture
def restless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the store wait for locks and answers for a moment only."""
    settings = {**postgresql.SERVER_SETTINGS, "statement_timeout": "500ms", "lock_timeout": "200ms"}
    monkeypatch.setattr(postgresql, "SERVER_SETTINGS", settings)


async def test_the_database_tells_the_time(postgres_world: World, make_intent: MakeIntent) -> None:
    """Times and leases are counted by the database, however wrong this machine's clock is."""
    ledger = await postgres_world.open()
    claim = await ledger.begin(make_intent())
    (row,) = postgres_world.execute("SELECT now() AS now, lease_expires_at FROM requests")
    assert abs(row["now"] - claim.begun_at) < timedelta(minutes=1)
    assert row["lease_expires_at"] - claim.begun_at == timedelta(seconds=LEASE_SECONDS)
    assert claim.begun_at.utcoffset() == timedelta(0)
    assert abs(claim.begun_at - postgres_world.clock.now) > timedelta(days=1)


def test_connections_are_set_up(migrated_url: str) -> None:
    """Each connection has limits for what may hang, and whatever else the URL asks for."""
    url = f"{migrated_url}&options=-c%20search_path%3Dpublic&application_name=identity-service"
    engine = database_of(url).create_engine(1)
    expected = {
        "statement_timeout": "6s",
        "lock_timeout": "3s",
        "idle_in_transaction_session_timeout": "6s",
        "transaction_isolation": "read committed",
        "synchronous_commit": "on",
        "TimeZone": "UTC",
        "search_path": "public",
        "application_name": "identity-service",
    }
    with engine.begin() as connection:
        settings = {name: connection.exec_driver_sql(f"SHOW {name}").scalar_one() for name in expected}
    engine.dispose()
    assert settings == expected


def test_everything_that_hangs_ends_within_ten_seconds() -> None:
    """Connecting, a dead peer and a statement each have their limit, and a unit of work has one over all."""
    connection = postgresql.CONNECTION_SETTINGS
    assert connection["connect_timeout"] <= 10
    assert connection["tcp_user_timeout"] <= 10_000
    idle = connection["keepalives_idle"] + connection["keepalives_interval"] * connection["keepalives_count"]
    assert idle <= 10
    assert PostgresDatabase.patience_seconds <= 10


async def test_a_request_that_is_locked_elsewhere_is_not_waited_for_long(
    restless: None, postgres_world: World, make_intent: MakeIntent
) -> None:
    """A row that somebody holds on to makes the store unavailable for that request, and for no other."""
    ledger = await postgres_world.open()
    claim = await ledger.begin(make_intent())
    with postgres_world.transaction() as run:
        run("SELECT 1 FROM requests FOR UPDATE")
        await assert_unavailable(ledger.succeed(claim.lease, Outcome()))
        await ledger.begin(make_intent("row-2", request_id="request-2", user_name="Bob"))
    await ledger.succeed(claim.lease, Outcome())


async def test_workers_pass_over_what_is_locked_elsewhere(postgres_world: World, make_intent: MakeIntent) -> None:
    """A claim that another replica is just making is skipped, not waited for."""
    ledger = await postgres_world.open()
    for name in ("Ann", "Bob"):
        await ledger.begin(make_intent(f"row-{name}", request_id=f"request-{name}", user_name=name))
    postgres_world.advance(LEASE_SECONDS)
    with postgres_world.transaction() as run:
        run("SELECT 1 FROM requests WHERE row_id = 'row-Ann' FOR UPDATE")
        assert [claim.lease.row_id for claim in await ledger.take_over_abandoned(10)] == ["row-Bob"]
    assert [claim.lease.row_id for claim in await ledger.take_over_abandoned(10)] == ["row-Ann"]


@pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
async def test_what_came_into_anothers_way_is_tried_once_more(
    postgres_world: World, make_intent: MakeIntent, sqlstate: str
) -> None:
    """A deadlock or a serialization failure is not the caller's business, unless it comes twice."""
    ledger = await postgres_world.open()
    postgres_world.execute("CREATE SEQUENCE conflicts")
    postgres_world.execute("CREATE TABLE limits AS SELECT 1 AS conflicts")
    postgres_world.execute(
        "CREATE FUNCTION conflict() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF nextval('conflicts') <= (SELECT conflicts FROM limits) THEN "
        "RAISE EXCEPTION 'conflict' USING ERRCODE = TG_ARGV[0]; END IF; RETURN NEW; END $$"
    )
    postgres_world.execute(
        f"CREATE TRIGGER conflict BEFORE INSERT ON requests FOR EACH ROW EXECUTE FUNCTION conflict('{sqlstate}')"
    )
    await ledger.begin(make_intent())
    postgres_world.execute("UPDATE limits SET conflicts = 100")
    await assert_unavailable(ledger.begin(make_intent("row-2", request_id="request-2", user_name="Bob")))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
async def test_a_restarted_server_is_used_again(
    server: PostgresServer, make_intent: MakeIntent, how: signal.Signals
) -> None:
    """Without its server the store is unavailable; once it is back, stopped or crashed, the same store works on."""
    world = World(server.url)
    ledger = await world.open()
    intent = make_intent()
    claim = await ledger.begin(intent)
    server.stop(how)
    for _ in range(3):
        await assert_unavailable(ledger.find(intent.key))
    await asyncio.to_thread(ledger.heartbeat.beat)
    with pytest.raises(StoreUnavailableError) as caught:
        await ledger.succeed(claim.lease, Outcome())
    assert not caught.value.maybe_written
    server.start()
    assert await ledger.find(intent.key) == row_of(intent)
    world.advance(10)
    await asyncio.to_thread(ledger.heartbeat.beat)
    assert claim.lease.remaining() == LEASE_SECONDS
    await ledger.succeed(claim.lease, Outcome())
    await ledger.close()


async def test_a_server_that_hangs_is_not_waited_for(
    server: PostgresServer, make_intent: MakeIntent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no answer comes, the caller is told, and told that it may be done; what waits in line is not done later."""
    monkeypatch.setattr(PostgresDatabase, "patience_seconds", 0.5)
    world = World(server.url)
    ledger = await world.open(threads=1)
    running, waiting = make_intent(), make_intent("row-2", request_id="request-2", user_name="Bob")
    server.pause()
    try:
        attempts = await asyncio.gather(ledger.begin(running), ledger.begin(waiting), return_exceptions=True)
    finally:
        server.resume()
    fates = [error.maybe_written for error in attempts if isinstance(error, StoreUnavailableError)]
    assert fates == [True, False]
    monkeypatch.setattr(PostgresDatabase, "patience_seconds", 60)
    await ledger.find(running.key)
    assert await ledger.find(waiting.key) is None
    await ledger.close()


async def test_a_commit_without_an_answer_may_be_written(postgres_world: World, make_intent: MakeIntent) -> None:
    """Where the connection breaks in the commit, the caller is told that the end may stand all the same."""
    ledger = await postgres_world.open()
    claim = await ledger.begin(make_intent())
    postgres_world.execute(
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$"
    )
    postgres_world.execute(
        "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON audit_log DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION die()"
    )
    with pytest.raises(StoreUnavailableError) as caught:
        await ledger.succeed(claim.lease, Outcome())
    assert caught.value.maybe_written


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://service:hunter2@127.0.0.1:1/ledger",
        "postgresql+psycopg://service:hunter2@/ledger?host=/no/such/directory",
        "postgresql://service:hunter2@127.0.0.1:1/ledger?no_such_parameter=hunter2",
    ],
)
async def test_a_server_that_is_not_there_is_refused(url: str) -> None:
    """The words say that the database cannot be used, in time, and not with what."""
    ledger = SqlLedger(url)
    started = time.monotonic()
    with pytest.raises(StoreError, match="the store's PostgreSQL database cannot be used") as caught:
        await ledger.open()
    assert time.monotonic() - started < 10
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__
    await ledger.close()


async def test_the_log_names_the_cause_and_not_the_content(
    restless: None, postgres_world: World, make_intent: MakeIntent, capsys: pytest.CaptureFixture[str]
) -> None:
    """The operator's log has the driver's name of the failure and nothing of what was to be written."""
    ledger = await postgres_world.open()
    with postgres_world.transaction() as run:
        run("LOCK TABLE requests")
        await assert_unavailable(ledger.begin(make_intent(document="canary")))
    logged = capsys.readouterr().out
    assert "LockNotAvailable" in logged
    assert "begin" in logged
    assert "canary" not in logged


async def test_the_log_says_in_words_why_a_server_is_lost(
    server: PostgresServer, make_intent: MakeIntent, capsys: pytest.CaptureFixture[str]
) -> None:
    """While serving, the operator's log has the words that a start would have."""
    ledger = await World(server.url).open()
    server.stop()
    await assert_unavailable(ledger.begin(make_intent()))
    logged = capsys.readouterr().out
    assert "there is no server at that socket" in logged
    assert "OperationalError" not in logged
    await ledger.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET team = 'another'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "INSERT INTO audit_log SELECT * FROM audit_log ON CONFLICT (id) DO UPDATE SET team = 'another'",
    ],
)
async def test_the_log_only_grows(postgres_world: World, make_intent: MakeIntent, statement: str) -> None:
    """The database itself refuses to change or delete a line, whoever asks, the owner of the table included."""
    ledger = await postgres_world.open()
    await ledger.begin(make_intent())
    before = await ledger.read_audit()
    with pytest.raises(sa.exc.DatabaseError, match="append-only"):
        postgres_world.execute(statement)
    assert await ledger.read_audit() == before


async def test_threads_are_connections(postgres_world: World, make_intent: MakeIntent) -> None:
    """As many units of work run at once as there are threads."""
    ledger = await postgres_world.open(threads=3)
    with contextlib.ExitStack() as stack:
        run = stack.enter_context(postgres_world.transaction())
        run("LOCK TABLE requests")
        finds = [asyncio.ensure_future(ledger.find(make_intent().key)) for _ in range(10)]
        waiting = 0
        while waiting < 3:
            await asyncio.sleep(0)
            (row,) = postgres_world.execute(
                "SELECT count(*) AS waiting FROM pg_stat_activity "
                "WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            waiting = row["waiting"]
        assert waiting == 3
    assert await asyncio.gather(*finds) == [None] * 10
