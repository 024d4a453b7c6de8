"""What waits for a server, and from which trace it comes, on each engine."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from identity_service.adapters.store import Backlog, Queue, SqlOperationStore
from identity_service.application.ledger import Failure, Intent, RequestKey, StoreUnavailableError
from identity_service.application.operations.ports import Batch, NewOperation, Start
from identity_service.domain.errors import IdentityError, Reason
from identity_service.domain.request import NewUser, UserChange
from tests.unit.adapters.store.bulk import ACCOUNT, MAKER, empty_account
from tests.unit.adapters.store.worlds import LEASE_SECONDS, RETENTION_SECONDS, SECOND_LOOK_SECONDS, World

TRACEPARENT = "00-11111111111111111111111111111111-2222222222222222-01"
OPERATION = "0d9c34ab-6f0e-4f5b-9f0b-3a3a3b0f8f01"
EARLIER = Failure(IdentityError(Reason.THROTTLED, "IAM throttles"), retryable=True)
MakeIntent = Callable[..., Intent]


async def start_operation(store: SqlOperationStore, *names: str) -> None:
    """Start an operation with these users, inside a trace."""
    new = NewOperation(OPERATION, RequestKey("spiffe://example.org/bot", OPERATION), "digest", "team", ACCOUNT)
    await store.create(new)
    changes = tuple(UserChange(name, NewUser()) for name in names)
    await store.append(Batch(OPERATION, OPERATION, 0, "digest", changes, MAKER))
    await store.start(Start(OPERATION, OPERATION, MAKER, plan_only=False, traceparent=TRACEPARENT), empty_account())


async def test_an_idle_store_has_no_backlog(world: World) -> None:
    """Where nothing is due, nothing is counted and nothing has an age."""
    ledger = await world.open()
    await ledger.ping()
    assert await ledger.backlog() == Backlog()


async def test_what_a_process_has_left_is_due_when_its_lease_ends(world: World, make_intent: MakeIntent) -> None:
    """A request that somebody works on is no backlog; its age counts from the end of the lease."""
    ledger = await world.open()
    claim = await ledger.begin(make_intent())
    ledger.heartbeat.drop(claim.lease)
    assert (await ledger.backlog()).abandoned == Queue()
    world.advance(LEASE_SECONDS + 40)
    found = (await ledger.backlog()).abandoned
    assert found.size == 1
    assert found.age == pytest.approx(40, abs=5)


async def test_a_second_look_is_due_at_its_time(world: World, make_intent: MakeIntent) -> None:
    """Until then nothing has to be done."""
    ledger = await world.open()
    claim = await ledger.begin(make_intent())
    await ledger.fail(claim.lease, EARLIER, look_again=True)
    assert (await ledger.backlog()).second_looks == Queue()
    world.advance(SECOND_LOOK_SECONDS + 30)
    found = (await ledger.backlog()).second_looks
    assert found.size == 1
    assert found.age == pytest.approx(30, abs=5)


async def test_users_that_nobody_makes_yet_are_counted(world: World) -> None:
    """Who is claimed is not in the queue any more, nor is one that rests; the others have waited since the start."""
    store = SqlOperationStore((ledger := await world.open()).units, RETENTION_SECONDS)
    await start_operation(store, "ann", "bo", "cy")
    claimed, rests = await store.claim({ACCOUNT: 2}, LEASE_SECONDS)
    await store.rest(rests, EARLIER, 1000)
    world.advance(25)
    found = (await ledger.backlog()).bulk_users
    assert found.size == 1
    assert found.age == pytest.approx(25, abs=5)
    assert (claimed.index, rests.index) == (0, 1)


async def test_a_request_keeps_the_trace_in_which_it_was_begun(world: World, make_intent: MakeIntent) -> None:
    """Another process that takes it over learns from which span it comes, or that there is none."""
    ledger = await world.open()
    for row_id, traceparent in (("row-1", TRACEPARENT), ("row-2", "")):
        intent = make_intent(row_id=row_id, request_id=row_id, user_name=row_id)
        claim = await ledger.begin(replace(intent, traceparent=traceparent))
        ledger.heartbeat.drop(claim.lease)
    world.advance(LEASE_SECONDS + 1)
    taken = await (await world.open()).take_over_abandoned(10)
    assert {claim.intent.row_id: claim.intent.traceparent for claim in taken} == {"row-1": TRACEPARENT, "row-2": ""}


async def test_a_user_of_an_operation_leads_to_its_start(world: World) -> None:
    """Whichever replica makes the user learns in which span the operation was started."""
    store = SqlOperationStore((await world.open()).units, RETENTION_SECONDS)
    await start_operation(store, "ann")
    (claim,) = await store.claim({ACCOUNT: 1}, LEASE_SECONDS)
    assert claim.traceparent == TRACEPARENT


async def test_a_closed_store_does_not_answer(world: World) -> None:
    """Where the store cannot be used, that is said, and no backlog is made up."""
    ledger = await world.open()
    await ledger.close()
    with pytest.raises(StoreUnavailableError):
        await ledger.ping()
    with pytest.raises(StoreUnavailableError):
        await ledger.backlog()
