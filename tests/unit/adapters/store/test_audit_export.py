"""What an export holds and how it is narrowed down, on each engine."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from identity_service.adapters.store import audit_export, audit_reader
from identity_service.adapters.store.audit_export import Selection, export
from identity_service.adapters.store.audit_reader import snapshot
from identity_service.adapters.store.engines import database_of
from identity_service.application.ledger import Intent
from identity_service.domain.outcome import Outcome
from tests.unit.adapters.store.audit_logs import DENIAL
from tests.unit.adapters.store.expected import RETRYABLE
from tests.unit.adapters.store.worlds import World

MakeIntent = Callable[..., Intent]


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pages end within requests."""
    monkeypatch.setattr(audit_reader, "PAGE", 2)
    monkeypatch.setattr(audit_export, "ROWS_AT_ONCE", 1)


def exported(world: World, **selection: Any) -> list[dict[str, Any]]:
    """Export a world's log."""
    with snapshot(database_of(world.url)) as connection:
        return list(export(connection, Selection(**selection)))


@pytest.mark.usefixtures("small_pages")
async def test_each_line_has_the_plan_of_its_own_attempt(world: World, make_intent: MakeIntent) -> None:
    """A request that ran again under another plan shows in each line the plan that was carried out then."""
    ledger = await world.open()
    first, second = make_intent(), make_intent(account_id="210987654321")
    await ledger.fail((await ledger.begin(first)).lease, RETRYABLE)
    await ledger.record_denial(DENIAL)
    await ledger.succeed((await ledger.begin(second)).lease, Outcome())
    lines = [(line["event"], line["decision"], (line["plan"] or {}).get("digest")) for line in exported(world)]
    assert lines == [
        ("intent", "allowed", first.plan.digest),
        ("failure", "allowed", first.plan.digest),
        ("denied", "denied", None),
        ("intent", "allowed", second.plan.digest),
        ("outcome", "allowed", second.plan.digest),
    ]


@pytest.mark.usefixtures("small_pages")
async def test_lines_are_chosen(world: World, make_intent: MakeIntent) -> None:
    """Caller, team, user in any case, and times choose lines, on each engine in the same way."""
    ledger = await world.open()
    for number in range(3):
        await ledger.begin(
            make_intent(
                f"row-{number}", caller_id=f"c{number}", request_id=f"request-{number}", user_name=f"User-{number}"
            )
        )
    await ledger.record_denial(DENIAL)
    lines = exported(world)
    assert [line["row_id"] for line in lines] == ["row-0", "row-1", "row-2", ""]
    assert [line["row_id"] for line in exported(world, caller_id="c1")] == ["row-1"]
    assert [line["row_id"] for line in exported(world, user_name="USER-2")] == ["row-2"]
    assert [line["event"] for line in exported(world, team="team")] == ["denied"]
    times = [datetime.fromisoformat(line["time"]) for line in lines]
    assert all(time.utcoffset() == timedelta(0) for time in times)
    assert exported(world, since=times[0], until=times[-1] + timedelta(microseconds=1)) == lines
    assert exported(world, until=times[0]) == []
    assert exported(world, since=times[-1] + timedelta(microseconds=1)) == []
    assert exported(world, since=datetime(2020, 1, 1, tzinfo=UTC), caller_id="nobody") == []
