"""Starts of operations, on each engine: each is carried out once, and no two count on the same room in an account."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from identity_service.adapters.store import SqlOperationStore
from identity_service.application.operations.ports import AccountRead, Operation, Start
from identity_service.domain.errors import IdentityError, Reason
from identity_service.domain.operation import OperationState
from identity_service.domain.outcome import Outcome
from identity_service.domain.request import NewGroup, NewPolicy
from tests.unit.adapters.store.bulk import (
    ACCOUNT,
    LEASE,
    MAKER,
    UUIDS,
    batch,
    cancellation,
    draft_of,
    empty_account,
    look,
    new,
    open_store,
    plan_of,
    planned,
    running,
    user,
)
from tests.unit.adapters.store.expected import refusal
from tests.unit.adapters.store.worlds import World


@pytest.fixture
async def store(world: World) -> SqlOperationStore:
    """The store of operations of an open ledger."""
    return await open_store(world)


def run(operation: Operation | str, digest: str = "") -> Start:
    """Ask for an operation to run."""
    operation_id = operation if isinstance(operation, str) else operation.operation_id
    return Start(operation_id, next(UUIDS), MAKER, plan_only=False, expected_plan_digest=digest)


def plan(operation: Operation) -> Start:
    """Ask for an operation to be planned."""
    return Start(operation.operation_id, next(UUIDS), MAKER, plan_only=True)


async def carry_out(store: SqlOperationStore) -> None:
    """Plan or make all users that there are."""
    for claim in await store.claim({ACCOUNT: 100}, LEASE):
        if claim.plan_only:
            await store.planned(claim, plan_of(claim), None)
        else:
            await store.made(claim, Outcome())
    await store.settle()


async def used_after(store: SqlOperationStore, account: AccountRead) -> dict[str, int]:
    """Tell what a further operation, of one user with a group, finds used of each quota when it is started."""
    operation = await store.create(new())
    policies = {"new_policies": (NewPolicy("P", "{}"),), "new_boundary": NewPolicy("B", "{}")}
    change = user(next(UUIDS), new_groups=(NewGroup("G"),), **policies)
    await store.append(batch(operation.operation_id, 0, change))
    started = await store.start(run(operation), account)
    await store.cancel(cancellation(operation.operation_id))
    await store.settle()
    return {use.quota_name: use.used_after for use in started.quota_uses}


# Room in the account.


async def test_two_starts_never_count_on_the_same_room(world: World) -> None:
    """Of starts at the same time, at two replicas, as many are accepted as the account has room for."""
    stores = [await open_store(world) for _ in range(2)]
    for round_ in range(3):
        drafts = [await draft_of(stores[0], *(f"{round_}-{each}-{n}" for n in range(10))) for each in range(4)]

        async def begin(place: int, operation: Operation) -> str:
            try:
                await stores[place % 2].start(run(operation), empty_account(users=25))
            except IdentityError as error:
                return error.reason.name
            return "started"

        ends = await asyncio.gather(*(begin(place, operation) for place, operation in enumerate(drafts)))
        assert Counter(ends) == {"started": 2, "QUOTA_EXCEEDED": 2}
        for operation in drafts:
            await stores[0].cancel(cancellation(operation.operation_id))
        await stores[0].settle()


async def test_a_start_without_room_leaves_the_draft(store: SqlOperationStore) -> None:
    """What is refused for a quota says which, is not begun, and may be started under the same request_id later."""
    operation = await draft_of(store, "ann", "bo")
    start = run(operation)
    error = await refusal(store.start(start, empty_account(users=10, used=9)))
    assert error.reason is Reason.QUOTA_EXCEEDED
    assert [(each.quota_name, each.used, each.needed, each.limit) for each in error.quota_violations] == [
        ("UsersQuota", 9, 2, 10)
    ]
    assert (await look(store, operation.operation_id)).state is OperationState.DRAFT
    assert (await store.start(start, empty_account(users=10, used=8))).state is OperationState.RUNNING


async def test_what_others_have_not_made_yet_counts(store: SqlOperationStore) -> None:
    """Running operations count with whom they have not made; drafts, plans and other accounts do not count."""
    await draft_of(store, "draft")
    await planned(store, "planned")
    foreign = replace(new(), account_id="210987654321")
    await store.create(foreign)
    await store.append(batch(foreign.operation_id, 0, user("foreign")))
    other = empty_account()
    await store.start(run(foreign.operation_id), replace(other, facts=replace(other.facts, account_id="210987654321")))
    await running(store, "ann", "bo", "cy")
    for claim in await store.claim({ACCOUNT: 10}, LEASE):
        if claim.change.user_name == "ann":
            await store.made(claim, Outcome())
    assert await used_after(store, empty_account()) == {"UsersQuota": 3, "GroupsQuota": 1, "PoliciesQuota": 2}


async def test_a_cancelled_operation_counts_with_whom_it_finishes(store: SqlOperationStore) -> None:
    """Whom a cancellation leaves out takes no room."""
    operation_id = await running(store, "ann", "bo", "cy")
    await store.claim({ACCOUNT: 1}, LEASE)
    await store.cancel(cancellation(operation_id))
    assert (await used_after(store, empty_account()))["UsersQuota"] == 2


async def test_whom_others_make_while_the_account_is_read_counts(world: World, store: SqlOperationStore) -> None:
    """A user that was made after the quotas were asked for is not in their figures, and one made before is."""
    operation_id = await running(store, "ann")
    before = (await store.check_start(run(await draft_of(store, "x")))).now
    await carry_out(store)
    assert (await look(store, operation_id)).state is OperationState.DONE
    assert (await used_after(store, empty_account(read_after=before)))["UsersQuota"] == 2
    world.advance(1)
    after = (await store.check_start(run(await draft_of(store, "x")))).now
    assert (await used_after(store, empty_account(read_after=after)))["UsersQuota"] == 1


# Each start once.


async def test_the_same_start_at_once_is_carried_out_once(world: World) -> None:
    """Duplicates that come to two replicas at the same time are all answered with the operation, running."""
    stores = [await open_store(world) for _ in range(2)]
    start = run(await draft_of(stores[0], "ann"))
    answers = await asyncio.gather(*(stores[place % 2].start(start, empty_account()) for place in range(6)))
    assert {answer.state for answer in answers} == {OperationState.RUNNING}


async def test_another_start_under_a_used_request_id_is_refused(store: SqlOperationStore) -> None:
    """A request_id stands for one kind of start with one expected digest, as long as the operation is there."""
    operation = await planned(store, "ann")
    first = run(operation, operation.plan_digest)
    await store.start(first, empty_account())
    for other in (replace(first, expected_plan_digest=""), replace(first, plan_only=True)):
        for asked in (store.check_start(other), store.start(other, empty_account())):
            assert (await refusal(asked)).reason is Reason.REQUEST_ID_REUSED
    assert (await store.start(first, empty_account())).state is OperationState.RUNNING


async def test_a_late_duplicate_harms_no_later_plan(store: SqlOperationStore) -> None:
    """A request for the first plan that comes again after the second one was reviewed plans nothing, then or later."""
    operation = await draft_of(store, "ann")
    first, second = plan(operation), plan(operation)
    for start in (first, second):
        await store.start(start, empty_account())
        await carry_out(store)
    reviewed = await look(store, operation.operation_id)
    assert reviewed.state is OperationState.PLANNED
    assert await store.start(first, empty_account()) == reviewed
    running_ = run(operation, reviewed.plan_digest)
    await store.start(running_, empty_account())
    for late in (first, second, running_):
        assert (await store.start(late, empty_account())).state is OperationState.RUNNING


async def test_a_duplicate_is_not_asked_about_quotas(store: SqlOperationStore) -> None:
    """What was accepted stays accepted, whatever the account has room for by now."""
    operation = await draft_of(store, "ann")
    start = plan(operation)
    await store.start(start, empty_account())
    await carry_out(store)
    full = empty_account(users=1, used=1)
    assert (await store.start(start, full)).state is OperationState.PLANNED
    carried_out = (await store.check_start(start)).carried_out
    assert carried_out is not None
    assert carried_out.state is OperationState.PLANNED


async def test_starts_that_an_older_release_has_carried_out_are_known(world: World, store: SqlOperationStore) -> None:
    """While servers of two releases run, the operation's own row tells the last start of each kind."""
    operation = await draft_of(store, "ann")
    planning = plan(operation)
    await store.start(planning, empty_account())
    await carry_out(store)
    start = run(operation, (await look(store, operation.operation_id)).plan_digest)
    await store.start(start, empty_account())
    world.execute("DELETE FROM operation_starts")
    for again in (planning, start):
        assert (await store.start(again, empty_account())).state is OperationState.RUNNING
    for other in (replace(start, expected_plan_digest=""), replace(planning, plan_only=False)):
        assert (await refusal(store.start(other, empty_account()))).reason is Reason.REQUEST_ID_REUSED


async def test_a_start_of_nothing_is_refused(store: SqlOperationStore) -> None:
    """An operation that is not there, or not any more, is not found."""
    start = run(next(UUIDS))
    for asked in (store.check_start(start), store.start(start, empty_account())):
        assert (await refusal(asked)).reason is Reason.OPERATION_NOT_FOUND
