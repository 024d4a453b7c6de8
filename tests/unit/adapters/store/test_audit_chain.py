"""How chains grow: in order under any load, without gaps after rollbacks, and on after a commit nobody knows of."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from alembic import command
from structlog.testing import capture_logs

from identity_service.adapters.store import SqlLedger, migrate
from identity_service.adapters.store.audit_heads import Head, as_line
from identity_service.adapters.store.audit_reader import snapshot, stored_lines
from identity_service.adapters.store.claims import Claims
from identity_service.adapters.store.engines import database_of
from identity_service.application.ledger import Intent
from identity_service.domain.outcome import Outcome
from tests.unit.adapters.store.audit_logs import DENIAL, FORM, as_json_lines, chain_again, digest, read, verify
from tests.unit.adapters.store.expected import PERMANENT, assert_unavailable
from tests.unit.adapters.store.worlds import World

MakeIntent = Callable[..., Intent]

WRITE_MUCH = """
import asyncio, sys
from identity_service.adapters.store import SqlLedger
from identity_service.application.ledger import Intent, RequestKey
from identity_service.domain import target
from identity_service.domain.outcome import Outcome
from identity_service.domain.plan import Plan
from identity_service.observability.logging import configure_logging

async def one(ledger, name):
    plan = Plan("123456789012", target.user(name))
    key = RequestKey("caller", name)
    claim = await ledger.begin(Intent(name, key, "team", "CreateUser", "fingerprint", plan, None))
    await ledger.succeed(claim.lease, Outcome())

async def main():
    configure_logging("ERROR")
    ledger = SqlLedger(sys.argv[1], busy_timeout_seconds=60)
    await ledger.open()
    await asyncio.gather(*(one(ledger, f"{sys.argv[2]}-{number}") for number in range(40)))
    await ledger.close()

asyncio.run(main())
"""


def intent_number(make_intent: MakeIntent, number: int) -> Intent:
    """Build an intent that is like no other."""
    return make_intent(row_id=f"row-{number}", request_id=f"request-{number}", user_name=f"user-{number}")


async def test_chains_of_two_processes_hold_under_load(world: World) -> None:
    """Two processes, on PostgreSQL with eight threads each, write 160 lines at once; every chain holds."""
    running = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITE_MUCH, world.url, name, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        for name in ("one", "two")
        if world.is_postgresql or migrate(world.url)
    ]
    server_log = b"".join([(await process.communicate())[1] for process in running])
    assert [process.returncode for process in running] == [0, 0], server_log.decode()
    found, verification = verify(world, server_log)
    assert found == []
    assert (verification.lines, verification.not_vouched) == (160, 0)
    assert 2 <= verification.chains <= (16 if world.is_postgresql else 2)


async def test_heads_are_logged_whatever_the_level(world: World) -> None:
    """A server that is set to log errors alone logs heads all the same: the first, and at the end the last one."""
    if not world.is_postgresql:
        migrate(world.url)
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", WRITE_MUCH, world.url, "one"], capture_output=True, check=True
    )
    logged = [orjson.loads(line) for line in done.stderr.splitlines()]
    assert {line["event"] for line in logged} == {"audit_heads"}
    assert sum(line["sequence"] == 0 for line in logged) == sum(line.get("ended", False) for line in logged)


async def test_the_hash_is_what_the_form_says(world: World, make_intent: MakeIntent) -> None:
    """The hashes can be computed by who knows the form, with no code of the service."""
    ledger = await world.open(trace_id=lambda: "0af7651916cd43dd8448eb211c80319c")
    claim = await ledger.begin(make_intent(user_name="Zoë\n\x7f\u2028"))
    await ledger.fail(claim.lease, PERMANENT)
    lines = read(world)
    assert [line["trace_id"] for line in lines] == ["0af7651916cd43dd8448eb211c80319c"] * 2
    assert chain_again(lines) == lines


async def test_a_rollback_leaves_no_gap(world: World, make_intent: MakeIntent, monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit of work that fails after it has written its line takes the line back, and the next one has its place."""
    with capture_logs() as logged:
        ledger = await world.open(threads=1)
        await ledger.begin(intent_number(make_intent, 1))

        def fail(*_: object) -> None:
            raise ValueError

        with monkeypatch.context() as patched:
            patched.setattr(Claims, "_claim", fail)
            await assert_unavailable(ledger.begin(intent_number(make_intent, 2)))
        await ledger.begin(intent_number(make_intent, 3))
        await ledger.close()
    assert [(line["row_id"], line["sequence"]) for line in read(world)] == [("row-1", 1), ("row-3", 2)]
    assert verify(world, as_json_lines(logged))[0] == []


@pytest.mark.parametrize("is_written", [True, False], ids=["written", "not-written"])
async def test_a_commit_without_an_answer_begins_a_new_chain(
    sqlite_world: World, make_intent: MakeIntent, monkeypatch: pytest.MonkeyPatch, is_written: bool
) -> None:
    """Where nobody knows whether a line was committed, the chain is left, and both ways verifying finds it intact."""
    with capture_logs() as logged:
        ledger = await sqlite_world.open()
        await ledger.begin(intent_number(make_intent, 1))
        commit: Callable[[Any, Any], None] = sa.engine.default.DefaultDialect.do_commit

        def lose_the_answer(dialect: Any, connection: Any) -> None:
            if is_written:
                commit(dialect, connection)
            raise sqlite3.OperationalError

        with monkeypatch.context() as patched:
            patched.setattr(sa.engine.default.DefaultDialect, "do_commit", lose_the_answer)
            await assert_unavailable(ledger.begin(intent_number(make_intent, 2)))
        await ledger.begin(intent_number(make_intent, 3))
        await ledger.close()
    lines = read(sqlite_world)
    assert [line["sequence"] for line in lines] == ([1, 2, 1] if is_written else [1, 1])
    assert len({line["chain_id"] for line in lines}) == 2
    found, verification = verify(sqlite_world, as_json_lines(logged))
    assert found == []
    assert verification.not_vouched == int(is_written)


async def test_denials_are_logged_counted_and_in_no_chain(world: World) -> None:
    """A refusal stands in the service's log with its number, and in the table outside of all chains."""
    with capture_logs() as logged:
        ledger = await world.open()
        await ledger.record_denial(DENIAL)
        await ledger.record_denial(DENIAL)
    denied = [(line["reason"], line["denials"]) for line in logged if line["event"] == "denied"]
    assert denied == [("CALLER_NOT_ALLOWED", 1), ("CALLER_NOT_ALLOWED", 2)]
    assert [(line["event"], line["chain_id"], line["hash"]) for line in read(world)] == [("denied", None, None)] * 2


async def test_reading_takes_nobody_s_turn(world: World, make_intent: MakeIntent) -> None:
    """While somebody verifies, a server writes on, and who verifies sees the log as it was."""
    ledger = await world.open(busy_timeout_seconds=0.01)
    await ledger.begin(intent_number(make_intent, 1))
    with snapshot(database_of(world.url)) as connection:
        assert len(list(stored_lines(connection))) == 1
        await ledger.begin(intent_number(make_intent, 2))
        assert len(list(stored_lines(connection))) == 1
        with pytest.raises(sa.exc.DBAPIError):
            connection.execute(sa.text("DELETE FROM requests"))


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
async def test_an_older_log_becomes_a_chain(
    request: pytest.FixtureRequest, database_file: Path, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Migrating puts lines from before into one chain, denials excepted, and nobody can change them afterwards."""
    older = World(f"sqlite:///{database_file}" if engine == "sqlite" else request.getfixturevalue("empty_postgres_url"))
    upgrade = command.upgrade
    with monkeypatch.context() as patched:
        patched.setattr(command, "upgrade", lambda config, _: upgrade(config, "0001"))
        migrate(older.url)
    insert = (
        "INSERT INTO audit_log (at, event, caller_id, team, action, account_id, target, request_id, row_id, details)"
        " VALUES ('2026-02-03 04:05:06.000789', :event, 'c', 't', 'a', 'n', 'u', 'q', 'r', '{\"a\": 1}')"
    )
    if older.is_postgresql:
        insert = insert.replace(".000789'", ".000789Z'")
    for event in ("intent", "denied", "outcome", "failure"):
        older.execute(insert, event=event)
    migrate(older.url)
    lines = read(older)
    numbers = [(line["event"], line["sequence"]) for line in lines]
    assert numbers == [("intent", 1), ("denied", None), ("outcome", 2), ("failure", 3)]
    assert {line["at"] for line in lines} == {"2026-02-03 04:05:06.000789"}
    assert chain_again(lines) == lines
    assert lines[0]["previous_hash"] == digest(FORM, "before-0002")
    head = Head("before-0002", 3, lines[-1]["hash"])
    assert verify(older, as_line(head).encode())[0] == []
    with pytest.raises(sa.exc.DBAPIError, match="append-only"):
        older.execute("UPDATE audit_log SET team = 'another'")
    ledger = SqlLedger(older.url)
    await ledger.open()
    await ledger.record_denial(DENIAL)
    await ledger.close()


async def test_an_empty_chain_begins_with_its_own_hash(world: World, make_intent: MakeIntent) -> None:
    """The first head, of no line, is logged before the first line is written, and names the chain."""
    with capture_logs() as logged:
        ledger = await world.open(threads=1)
        claim = await ledger.begin(make_intent())
        await ledger.succeed(claim.lease, Outcome())
    (birth,) = [line for line in logged if line["event"] == "audit_heads"]
    assert (birth["sequence"], birth["hash"]) == (0, digest(FORM, birth["chain_id"]))
    assert read(world)[0]["previous_hash"] == birth["hash"]
