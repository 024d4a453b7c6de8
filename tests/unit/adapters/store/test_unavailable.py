"""Whatever breaks below, the application hears one thing, and the driver's words stay here."""

import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from identity_service.adapters.store import SqlLedger, StoreError
from identity_service.application.ports import Denial, Failure, Intent
from identity_service.domain import target
from identity_service.domain.errors import IdentityError, Reason
from identity_service.domain.outcome import Outcome
from tests.unit.adapters.store.expected import row_of

MakeIntent = Callable[..., Intent]
OpenLedger = Callable[..., Awaitable[SqlLedger]]
DENIAL = Denial("caller", "team", "DeleteUser", "123456789012", target.user("Ann"), "request", "CALLER_NOT_ALLOWED")


async def assert_unavailable(attempt: Awaitable[object]) -> None:
    """Expect STORE_UNAVAILABLE that brings nothing of the driver's along."""
    with pytest.raises(IdentityError) as caught:
        await attempt
    error = caught.value
    assert error.reason is Reason.STORE_UNAVAILABLE
    assert error.__cause__ is None
    assert error.__context__ is None
    assert str(error) == "STORE_UNAVAILABLE: the service's store cannot be used now"


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
    await ledger.close()
    await ledger.close()
    intent = make_intent()
    await assert_unavailable(ledger.find(intent.key))
    await assert_unavailable(ledger.begin(intent))
    await assert_unavailable(ledger.succeed("row-1", Outcome()))
    await assert_unavailable(ledger.fail("row-1", Failure(IdentityError(Reason.INTERNAL, "words"), retryable=False)))
    await assert_unavailable(ledger.record_denial(DENIAL))
    await assert_unavailable(ledger.read_audit())


async def test_a_store_that_was_not_opened_is_unavailable(database_file: Path, make_intent: MakeIntent) -> None:
    """Nothing is opened behind the operator's back."""
    ledger = SqlLedger(f"sqlite:///{database_file}")
    await assert_unavailable(ledger.begin(make_intent()))
    await ledger.close()
    assert list_names(database_file.parent) == []


async def test_a_locked_database_is_unavailable_for_a_while(
    open_ledger: OpenLedger, make_intent: MakeIntent, database_file: Path
) -> None:
    """Another process that does not let go makes the store unavailable; afterwards it works again."""
    ledger = await open_ledger(busy_timeout_seconds=0.01)
    other = sqlite3.connect(database_file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    await assert_unavailable(ledger.begin(make_intent()))
    other.execute("ROLLBACK")
    other.close()
    await ledger.begin(make_intent())


async def test_a_full_disk_is_unavailable_for_a_while(open_ledger: OpenLedger, make_intent: MakeIntent) -> None:
    """A write that does not fit leaves nothing behind, and a smaller one works."""
    with on_each("connect", "PRAGMA max_page_count = 40"):
        ledger = await open_ledger()
    too_much = make_intent(document="x" * 400_000)
    await assert_unavailable(ledger.begin(too_much))
    assert await ledger.find(too_much.key) is None
    await ledger.begin(make_intent())


async def test_a_database_that_became_read_only_is_unavailable(ledger: SqlLedger, make_intent: MakeIntent) -> None:
    """What cannot be written is neither begun nor ended."""
    await ledger.begin(make_intent())
    with on_each("checkout", "PRAGMA query_only = ON"):
        await assert_unavailable(ledger.begin(make_intent(row_id="row-2", request_id="request-2", user_name="Bob")))
        await assert_unavailable(ledger.succeed("row-1", Outcome()))
        await assert_unavailable(ledger.record_denial(DENIAL))


async def test_a_read_only_database_is_refused_at_the_start(open_ledger: OpenLedger) -> None:
    """A database that cannot be written does not open: better no service than one that fails at each request."""
    await (await open_ledger()).close()
    with on_each("connect", "PRAGMA query_only = ON"), pytest.raises(StoreError, match="SQLITE_READONLY"):
        await open_ledger()


@pytest.mark.parametrize("replaced", [False, True])
async def test_a_file_that_is_gone_is_unavailable(
    ledger: SqlLedger, make_intent: MakeIntent, database_file: Path, replaced: bool
) -> None:
    """A removed or replaced file is noticed at once: SQLite alone would write on into the one that nobody sees."""
    move_away(database_file, replace=replaced)
    await assert_unavailable(ledger.begin(make_intent()))


async def test_corrupted_pages_are_unavailable(
    ledger: SqlLedger, open_ledger: OpenLedger, make_intent: MakeIntent, database_file: Path
) -> None:
    """A database whose tables are damaged opens, and answers nothing wrong."""
    intent = make_intent()
    await ledger.begin(intent)
    await ledger.close()
    connection = sqlite3.connect(database_file)
    (page_size,) = connection.execute("PRAGMA page_size").fetchone()
    pages = [page for (page,) in connection.execute("SELECT rootpage FROM sqlite_master WHERE rootpage > 1")]
    connection.close()
    with database_file.open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * page_size)
            file.write(b"\xff" * page_size)
    damaged = await open_ledger()
    await assert_unavailable(damaged.find(intent.key))
    await assert_unavailable(damaged.begin(intent))


@pytest.mark.parametrize("stored", ['{"user": 1}', "no JSON", '{"replayed": "perhaps"}'])
async def test_an_unreadable_row_is_unavailable(
    ledger: SqlLedger, make_intent: MakeIntent, database_file: Path, stored: str
) -> None:
    """A stored outcome that cannot be read back is not answered in part."""
    intent = make_intent()
    await ledger.begin(intent)
    await ledger.succeed("row-1", Outcome())
    connection = sqlite3.connect(database_file)
    with connection:
        connection.execute("UPDATE requests SET outcome = ?", (stored,))
    connection.close()
    await assert_unavailable(ledger.find(intent.key))


async def test_without_audit_nothing_is_written(
    ledger: SqlLedger, make_intent: MakeIntent, database_file: Path
) -> None:
    """If the audit line cannot be written, the request does not begin and does not end."""
    running = make_intent()
    await ledger.begin(running)
    connection = sqlite3.connect(database_file, isolation_level=None)
    connection.execute("CREATE TRIGGER broken BEFORE INSERT ON audit_log BEGIN SELECT RAISE(ABORT, 'broken'); END")
    new = make_intent(row_id="row-2", request_id="request-2", user_name="Bob")
    await assert_unavailable(ledger.begin(new))
    await assert_unavailable(ledger.succeed("row-1", Outcome()))
    connection.execute("DROP TRIGGER broken")
    connection.close()
    assert await ledger.find(new.key) is None
    assert await ledger.find(running.key) == row_of(running, lease_expired=False)
    await ledger.begin(new)
    await ledger.succeed("row-1", Outcome())


async def test_the_log_names_the_cause_and_not_the_content(
    open_ledger: OpenLedger, make_intent: MakeIntent, capsys: pytest.CaptureFixture[str]
) -> None:
    """The operator's log has SQLite's name of the failure and nothing of what was to be written."""
    with on_each("connect", "PRAGMA max_page_count = 40"):
        ledger = await open_ledger()
    await assert_unavailable(ledger.begin(make_intent(document="canary" * 100_000)))
    logged = capsys.readouterr().out
    assert "SQLITE_FULL" in logged
    assert "begin" in logged
    assert "canary" not in logged
