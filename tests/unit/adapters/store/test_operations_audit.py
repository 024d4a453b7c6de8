"""What the audit log tells of changes of operations, on each engine."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from identity_service.adapters.store import SqlLedger, SqlOperationStore
from identity_service.application.ledger import AuditEvent
from identity_service.application.operations.ports import Start
from identity_service.domain.caller import Caller
from identity_service.domain.errors import Reason
from tests.unit.adapters.store.bulk import (
    ACCOUNT,
    CALLER,
    MAKER,
    TEAM,
    UUIDS,
    batch,
    cancellation,
    draft_of,
    empty_account,
    new,
    running,
    user,
)
from tests.unit.adapters.store.expected import refusal
from tests.unit.adapters.store.worlds import RETENTION_SECONDS, World

COLLEAGUE = Caller("spiffe://example.org/colleague", TEAM)


@pytest.fixture
async def ledger(world: World) -> SqlLedger:
    """An open ledger."""
    return await world.open()


@pytest.fixture
async def store(ledger: SqlLedger) -> SqlOperationStore:
    """The store of operations of that ledger."""
    return SqlOperationStore(ledger.units, RETENTION_SECONDS)


def told(line: AuditEvent) -> tuple[str, str, str, str]:
    """Return what a line tells of who has done what, and under which request_id."""
    return line.event, line.caller_id, line.action, line.request_id


async def test_each_change_leaves_its_line(ledger: SqlLedger, store: SqlOperationStore) -> None:
    """Draft, users, review, start and cancellation are told with who asked for them, on what, and under which id."""
    draft = new()
    operation_id = (await store.create(draft)).operation_id
    users = batch(operation_id, 0, user("ann"), user("bo"))
    await store.append(users)
    start = Start(operation_id, next(UUIDS), MAKER, plan_only=False)
    await store.start(start, empty_account())
    end = cancellation(operation_id, COLLEAGUE)
    await store.cancel(end)
    lines = await ledger.read_audit()
    assert [told(line) for line in lines] == [
        ("outcome", CALLER, "CreateOperation", draft.key.request_id),
        ("outcome", CALLER, "AppendUsers", users.request_id),
        ("outcome", CALLER, "StartOperation", start.request_id),
        ("outcome", COLLEAGUE.id, "CancelOperation", end.request_id),
    ]
    assert {(line.team, line.account_id, line.target) for line in lines} == {
        (TEAM, ACCOUNT, f"operation/{operation_id}")
    }
    assert [line.details for line in lines] == [
        {"state": "draft"},
        {"sequence_number": 0, "users": 2, "total_users": 2},
        {"plan_only": False, "expected_plan_digest": "", "total_users": 2},
        {"state": "cancelling"},
    ]


async def test_the_lines_are_chained(world: World, store: SqlOperationStore) -> None:
    """Whoever removes one is found out, as with the lines of every other mutation."""
    await draft_of(store, "ann")
    assert world.execute("SELECT count(*) AS lines FROM audit_log WHERE chain_id IS NULL OR hash IS NULL") == [
        {"lines": 0}
    ]


async def test_what_changes_nothing_leaves_no_line(ledger: SqlLedger, store: SqlOperationStore) -> None:
    """Repeated, tried, or too late, a change is told once: when it was one."""
    draft = new()
    operation_id = (await store.create(draft)).operation_id
    await store.create(replace(draft, operation_id=next(UUIDS)))
    users = batch(operation_id, 0, user("ann"))
    await store.append(users, try_only=True)
    await store.append(users)
    await store.append(replace(users, request_id=next(UUIDS)))
    start = Start(operation_id, next(UUIDS), MAKER, plan_only=False)
    await store.start(start, empty_account())
    await store.start(start, empty_account())
    for _ in range(2):
        await store.cancel(cancellation(operation_id))
    await store.cancel(cancellation(next(UUIDS)))
    assert [line.action for line in await ledger.read_audit()] == [
        "CreateOperation",
        "AppendUsers",
        "StartOperation",
        "CancelOperation",
    ]


async def test_a_refused_start_leaves_no_line(ledger: SqlLedger, store: SqlOperationStore) -> None:
    """What the account cannot take was not started."""
    operation = await draft_of(store, "ann", "bo")
    start = Start(operation.operation_id, next(UUIDS), MAKER, plan_only=False)
    assert (await refusal(store.start(start, empty_account(users=1)))).reason is Reason.QUOTA_EXCEEDED
    assert [line.action for line in await ledger.read_audit()] == ["CreateOperation", "AppendUsers"]


@pytest.mark.parametrize(
    "attempt",
    [
        lambda store, operation_id: store.create(new()),
        lambda store, operation_id: store.append(batch(operation_id, 1, user("bo"))),
        lambda store, operation_id: store.start(
            Start(operation_id, next(UUIDS), MAKER, plan_only=False), empty_account()
        ),
        lambda store, operation_id: store.cancel(cancellation(operation_id)),
    ],
)
async def test_no_line_no_change(
    world: World,
    store: SqlOperationStore,
    monkeypatch: pytest.MonkeyPatch,
    attempt: Callable[[SqlOperationStore, str], Any],
) -> None:
    """Where the audit log takes no line, the operation stays as it was."""

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no line")

    operation_id = (await draft_of(store, "ann")).operation_id
    columns = "SELECT operation_id, state, total_users, start_request_id FROM operations"
    before = world.execute(columns)
    monkeypatch.setattr("identity_service.adapters.store.audit.append", refuse)
    with pytest.raises(RuntimeError):
        await attempt(store, operation_id)
    assert world.execute(columns) == before


async def test_users_that_run_leave_no_line_of_the_operation(ledger: SqlLedger, store: SqlOperationStore) -> None:
    """Claims are the service's own; each user has lines of its own request."""
    await running(store, "ann")
    before = await ledger.read_audit()
    await store.claim({ACCOUNT: 1}, 60.0)
    await store.settle()
    assert await ledger.read_audit() == before
