"""Whatever breaks below, the application hears one thing, and the driver's words stay here."""

import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from identity_service.adapters.store import SqlLedger, StoreError
from identity_service.application.ledger import Claim, Denial, Intent
from identity_service.domain import target
from identity_service.domain.minting import Mint, MintKind
from identity_service.domain.outcome import Outcome
from tests.unit.adapters.store.expected import PERMANENT, assert_unavailable, row_of
from tests.unit.adapters.store.worlds import World

MakeIntent = Callable[..., Intent]
DENIAL = Denial("caller", "team", "DeleteUser", "123456789012", target.user("Ann"), "request", "CALLER_NOT_ALLOWED")


@contextmanager
def on_each(event: str, pragma: str) -> Iterator[None]:
    """Give each connection that is made ("connect") or used ("checkout") meanwhile a setting that makes it fail."""

    def set_pragma(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute(pragma).close()

    sa.event.listen(sa.Pool, event, set_pragma)
    try:
        yield
    finally:
        sa.event.remove(sa.Pool, event, set_pragma)


@pytest.fixture
async def file_ledger(sqlite_world: World) -> SqlLedger:
    """An open store on a new file."""
    return await sqlite_world.open()


def list_names(directory: Path) -> list[str]:
    """Return the names of what is in a directory."""
    return [file.name for file in directory.iterdir()]


def move_away(file: Path, *, replace: bool) -> None:
    """Take a file away, and put an empty one in its place if that is asked for."""
    file.rename(file.with_suffix(".moved"))
    if replace:
        file.touch()


async def test_a_closed_store_is_unavailable(ledger: SqlLedger, make_intent: MakeIntent) -> None:
    """Every method of a closed store says so, and closing again is no mistake."""
    intent = make_intent()
    claim = await ledger.begin(intent)
    mint = await ledger.begin_mint(claim.lease, MintKind.ACCESS_KEY)
    await ledger.close()
    await ledger.close()
    for attempt in every_method(ledger, claim, mint):
        await assert_unavailable(attempt)


def every_method(ledger: SqlLedger, claim: Claim, mint: Mint) -> list[Awaitable[object]]:
    """Call all that the ledger can do."""
    return [
        ledger.find(claim.intent.key),
        ledger.begin(claim.intent),
        ledger.take_over(claim.intent.key),
        ledger.take_over_abandoned(1),
        ledger.reopen(claim.intent.key),
        ledger.begin_mint(claim.lease, MintKind.ACCESS_KEY),
        ledger.record_mint(claim.lease, mint, "AKIAEXAMPLE"),
        ledger.void_mints(claim.lease, (mint,)),
        ledger.begin_undo(claim.lease, PERMANENT),
        ledger.succeed(claim.lease, Outcome()),
        ledger.fail(claim.lease, PERMANENT),
        ledger.release(claim.lease),
        ledger.claim_undone(claim.intent.key),
        ledger.leave_undone(claim.lease),
        ledger.claim_second_look(),
        ledger.done_since(claim.lease),
        ledger.made_key_ids("123456789012", claim.intent.plan.target),
        ledger.end_second_look(claim.lease, ()),
        ledger.rest_second_look(claim.lease, 1),
        ledger.remove_old(),
        ledger.record_denial(DENIAL),
        ledger.read_audit(),
    ]


async def test_a_store_that_was_not_opened_is_unavailable(database_file: Path, make_intent: MakeIntent) -> None:
    """Nothing is opened behind the operator's back."""
    ledger = SqlLedger(f"sqlite:///{database_file}")
    await assert_unavailable(ledger.begin(make_intent()))
    await ledger.close()
    assert list_names(database_file.parent) == []


async def test_a_locked_database_is_unavailable_for_a_while(
    sqlite_world: World, make_intent: MakeIntent, database_file: Path
) -> None:
    """Another process that does not let go makes the store unavailable; afterwards it works again."""
    ledger = await sqlite_world.open(busy_timeout_seconds=0.01)
    other = sqlite3.connect(database_file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    await assert_unavailable(ledger.begin(make_intent()))
    other.execute("ROLLBACK")
    other.close()
    await ledger.begin(make_intent())


async def test_a_full_disk_is_unavailable_for_a_while(sqlite_world: World, make_intent: MakeIntent) -> None:
    """A write that does not fit leaves nothing behind, and a smaller one works."""
    with on_each("connect", "PRAGMA max_page_count = 40"):
        ledger = await sqlite_world.open()
    too_much = make_intent(document="x" * 400_000)
    await assert_unavailable(ledger.begin(too_much))
    assert await ledger.find(too_much.key) is None
    await ledger.begin(make_intent())


async def test_a_database_that_became_read_only_is_unavailable(file_ledger: SqlLedger, make_intent: MakeIntent) -> None:
    """What cannot be written is neither begun nor ended."""
    claim = await file_ledger.begin(make_intent())
    with on_each("checkout", "PRAGMA query_only = ON"):
        await assert_unavailable(
            file_ledger.begin(make_intent(row_id="row-2", request_id="request-2", user_name="Bob"))
        )
        await assert_unavailable(file_ledger.succeed(claim.lease, Outcome()))
        await assert_unavailable(file_ledger.record_denial(DENIAL))


async def test_a_read_only_database_is_refused_at_the_start(sqlite_world: World) -> None:
    """A database that cannot be written does not open: better no service than one that fails at each request."""
    await (await sqlite_world.open()).close()
    with on_each("connect", "PRAGMA query_only = ON"), pytest.raises(StoreError, match="SQLITE_READONLY"):
        await sqlite_world.open()


@pytest.mark.parametrize("replaced", [False, True])
async def test_a_file_that_is_gone_is_unavailable(
    file_ledger: SqlLedger, make_intent: MakeIntent, database_file: Path, replaced: bool
) -> None:
    """A removed or replaced file is noticed at once: SQLite alone would write on into the one that nobody sees."""
    move_away(database_file, replace=replaced)
    await assert_unavailable(file_ledger.begin(make_intent()))


async def test_corrupted_pages_are_unavailable(
    file_ledger: SqlLedger, sqlite_world: World, make_intent: MakeIntent, database_file: Path
) -> None:
    """A database whose tables are damaged opens, and answers nothing wrong."""
    intent = make_intent()
    await file_ledger.begin(intent)
    await file_ledger.close()
    connection = sqlite3.connect(database_file)
    (page_size,) = connection.execute("PRAGMA page_size").fetchone()
    tables = "SELECT rootpage FROM sqlite_master WHERE rootpage > 1 AND tbl_name <> 'alembic_version'"
    pages = [page for (page,) in connection.execute(tables)]
    connection.close()
    with database_file.open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * page_size)
            file.write(b"\xff" * page_size)
    damaged = await sqlite_world.open()
    await assert_unavailable(damaged.find(intent.key))
    await assert_unavailable(damaged.begin(intent))


@pytest.mark.parametrize("stored", ['{"user": 1}', "no JSON", '{"replayed": "perhaps"}'])
async def test_an_unreadable_row_is_unavailable(
    file_ledger: SqlLedger, make_intent: MakeIntent, database_file: Path, stored: str
) -> None:
    """A stored outcome that cannot be read back is not answered in part."""
    intent = make_intent()
    claim = await file_ledger.begin(intent)
    await file_ledger.succeed(claim.lease, Outcome())
    connection = sqlite3.connect(database_file)
    with connection:
        connection.execute("UPDATE requests SET outcome = ?", (stored,))
    connection.close()
    await assert_unavailable(file_ledger.find(intent.key))


async def test_without_audit_nothing_is_written(
    file_ledger: SqlLedger, make_intent: MakeIntent, database_file: Path
) -> None:
    """If the audit line cannot be written, the request does not begin and does not end."""
    running = make_intent()
    claim = await file_ledger.begin(running)
    connection = sqlite3.connect(database_file, isolation_level=None)
    connection.execute("CREATE TRIGGER broken BEFORE INSERT ON audit_log BEGIN SELECT RAISE(ABORT, 'broken'); END")
    new = make_intent(row_id="row-2", request_id="request-2", user_name="Bob")
    await assert_unavailable(file_ledger.begin(new))
    await assert_unavailable(file_ledger.succeed(claim.lease, Outcome()))
    connection.execute("DROP TRIGGER broken")
    connection.close()
    assert await file_ledger.find(new.key) is None
    assert await file_ledger.find(running.key) == row_of(running)
    await file_ledger.begin(new)
    await file_ledger.succeed(claim.lease, Outcome())


async def test_the_log_names_the_cause_and_not_the_content(
    sqlite_world: World, make_intent: MakeIntent, capsys: pytest.CaptureFixture[str]
) -> None:
    """The operator's log has SQLite's name of the failure and nothing of what was to be written."""
    with on_each("connect", "PRAGMA max_page_count = 40"):
        ledger = await sqlite_world.open()
    await assert_unavailable(ledger.begin(make_intent(document="canary" * 100_000)))
    logged = capsys.readouterr().out
    assert "SQLITE_FULL" in logged
    assert "begin" in logged
    assert "canary" not in logged
