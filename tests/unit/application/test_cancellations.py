"""Work is cut off by a cancellation, wherever it waits: the worker goes on with it."""

import asyncio
from uuid import uuid4

import pytest

from identity_service.application.ledger import RequestState
from tests.unit.application.cases import CASES, NEEDING_CALLER, Case, ask_again, has_row, wanted
from tests.unit.application.disturbances import Cancellation
from tests.unit.application.fakes import BOT
from tests.unit.application.worlds import World, key_of, mutation_of


async def cut(world: World, case: Case, request_id: str, at: int) -> bool:
    """Cancel the task of a request at a moment; tell whether it came to that."""
    cancellation = Cancellation(at)
    process = world.start(cancellation)
    mutation = mutation_of(case.body, request_id=request_id, recipients=case.recipients)
    task = asyncio.create_task(process.service.run(BOT, mutation))
    cancellation.task = task
    await asyncio.gather(task, return_exceptions=True)
    await settle()
    return task.cancelled()


async def settle() -> None:
    """Let what was sent come to its end."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_the_worker_ends_what_was_cancelled(case: Case) -> None:
    """Whichever wait is cancelled, a begun request is carried out whole by the worker, and the retry is answered."""
    expected, before = await wanted(case), case.world().iam.contents()
    at, cancelled = 0, True
    while cancelled:
        world, request_id = case.world(), str(uuid4())
        cancelled = await cut(world, case, request_id, at)
        await world.take_over()
        assert world.iam.contents() == (expected if has_row(world, request_id) else before), at
        again = await ask_again(world, case, request_id)
        assert world.iam.contents() == expected, at
        if again.credentials:
            world.assert_secrets_work(again)
        await world.look_again()
        assert world.iam.contents() == expected, at
        at += 1
    assert at > 20


@pytest.mark.parametrize("case", NEEDING_CALLER.values(), ids=NEEDING_CALLER)
async def test_the_caller_ends_what_was_cancelled(case: Case) -> None:
    """Where only the caller has the secret, its retry ends what was cancelled."""
    expected = await wanted(case)
    at, cancelled = 0, True
    while cancelled:
        world, request_id = case.world(), str(uuid4())
        cancelled = await cut(world, case, request_id, at)
        world.let_leases_end()
        await ask_again(world, case, request_id)
        await world.look_again()
        assert world.iam.contents() == expected, at
        at += 1


async def test_a_cancelled_request_is_free_at_once() -> None:
    """A cancelled attempt gives its request up, so that nobody has to wait for the end of the lease."""
    case = CASES["provision"]
    expected = await wanted(case)
    half_made = 0
    for at in range(20, 90, 7):
        world, request_id = case.world(), str(uuid4())
        await cut(world, case, request_id, at)
        row = world.ledger.rows.get(key_of(request_id))
        # Cut while it was being begun, its claim is nobody's, and has to run out.
        if row is None or row.state is not RequestState.RUNNING or not world.iam.contents()["users"]:
            continue
        half_made += 1
        assert row.abandoned
        await world.start().do_work()
        assert world.iam.contents() == expected
    assert half_made > 3
