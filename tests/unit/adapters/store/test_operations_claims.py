"""Claims that meet what is in their way, on each engine: users that cannot be read, and locks."""

import asyncio

import pytest

from identity_service.adapters.store import SqlOperationStore
from identity_service.adapters.store.operations_claims import UNREADABLE_FOR
from identity_service.application.operations.ports import Start
from identity_service.domain.errors import Reason
from identity_service.domain.operation import OperationState, UserState
from identity_service.domain.outcome import Outcome
from tests.unit.adapters.store.bulk import (
    ACCOUNT,
    LEASE,
    MAKER,
    UUIDS,
    draft_of,
    empty_account,
    look,
    names,
    open_store,
    plan_of,
    running,
)
from tests.unit.adapters.store.worlds import World


@pytest.fixture
async def store(world: World) -> SqlOperationStore:
    """The store of operations of an open ledger."""
    return await open_store(world)


@pytest.mark.parametrize("change", ["{}", "no JSON"])
async def test_a_user_of_another_release_harms_no_other(world: World, store: SqlOperationStore, change: str) -> None:
    """A stored user that cannot be read is left to servers that can, for some minutes, and the others are claimed."""
    operation_id = await running(store, "ann", "bo")
    world.execute("UPDATE operation_users SET change = :change WHERE number = 0", change=change)
    assert names(await store.claim({ACCOUNT: 10}, LEASE)) == ["bo"]
    assert (await look(store, operation_id)).progress.failed == 0


@pytest.mark.parametrize("plan_only", [False, True])
async def test_a_user_that_nobody_can_read_fails_in_the_end(
    world: World, store: SqlOperationStore, plan_only: bool
) -> None:
    """After those minutes it is INTERNAL, and the operation ends."""
    operation_id = (await draft_of(store, "ann", "bo")).operation_id
    await store.start(Start(operation_id, next(UUIDS), MAKER, plan_only=plan_only), empty_account())
    world.execute("UPDATE operation_users SET change = '{}' WHERE number = 0")
    (bo,) = await store.claim({ACCOUNT: 10}, LEASE)
    await (store.planned(bo, plan_of(bo), None) if plan_only else store.made(bo, Outcome()))
    world.advance(UNREADABLE_FOR.total_seconds() + 1)
    assert await store.claim({ACCOUNT: 10}, LEASE) == ()
    assert await store.settle() == 0
    operation = await look(store, operation_id)
    assert operation.state is (OperationState.PLANNED if plan_only else OperationState.DONE)
    (ann,) = (await store.results(operation_id, 10, -1, failed_only=True)).items
    assert ann.state is (UserState.PLANNED if plan_only else UserState.FAILED)
    assert ann.failure is not None
    assert (ann.user_name, ann.failure.error.reason, ann.failure.retryable) == ("ann", Reason.INTERNAL, False)


async def test_a_claim_waits_for_nobody(postgres_world: World) -> None:
    """An operation that somebody holds, to end or to cancel it, is passed over: so no two can wait for each other."""
    store = await open_store(postgres_world)
    held = await running(store, "ann")
    await running(store, "bo")
    with postgres_world.transaction() as execute:
        execute(f"SELECT * FROM operations WHERE operation_id = '{held}' FOR UPDATE")  # noqa: S608 - our own id
        async with asyncio.timeout(2):
            assert names(await store.claim({ACCOUNT: 10}, LEASE)) == ["bo"]
    assert names(await store.claim({ACCOUNT: 10}, LEASE)) == ["ann"]
