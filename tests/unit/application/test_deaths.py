"""A process dies at any moment of a request: whoever comes next ends it as it was asked, and leaves nothing over."""

from contextlib import suppress
from uuid import uuid4

import pytest

from identity_service.application.ledger import RequestState
from identity_service.domain.errors import Reason
from identity_service.domain.request import (
    Permissions,
    UserChange,
)
from tests.unit.application.cases import CASES, NEEDING_CALLER, Case, ask_again, has_row, wanted
from tests.unit.application.disturbances import Death, Killed
from tests.unit.application.fake_ledger import LEASE_SECONDS, RETRY_WINDOW_SECONDS
from tests.unit.application.worlds import World, key_of


async def die(world: World, case: Case, request_id: str, at: int) -> bool:
    """Let the process that serves a request die at a moment; tell whether it came to that."""
    death = Death(at)
    process = world.start(death)
    try:
        await world.do(case.body, process=process, request_id=request_id, recipients=case.recipients)
    except Killed:
        return True
    assert not death.dead
    return False


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_the_worker_ends_what_a_death_has_left(case: Case) -> None:
    """Whenever its process dies, a begun request is carried out whole; the caller's retry gets working secrets."""
    expected, before = await wanted(case), case.world().iam.contents()
    at, died = 0, True
    while died:
        world, request_id = case.world(), str(uuid4())
        died = await die(world, case, request_id, at)
        await world.take_over()
        found = world.iam.contents()
        assert found == (expected if has_row(world, request_id) else before), at
        again = await ask_again(world, case, request_id)
        assert world.iam.contents() == expected, at
        if again.credentials:
            world.assert_secrets_work(again)
        await world.look_again()
        assert world.iam.contents() == expected, at
        assert not any(world.ledger.unattributed.values()), at
        assert world.ledger.locked == set(), at
        at += 1
    assert at > 20


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_the_callers_retry_ends_what_a_death_has_left(case: Case) -> None:
    """Whenever its process dies, the same request ends it once the lease has run out, with working secrets."""
    expected = await wanted(case)
    at, died = 0, True
    while died:
        world, request_id = case.world(), str(uuid4())
        died = await die(world, case, request_id, at)
        world.let_leases_end()
        again = await ask_again(world, case, request_id)
        assert world.iam.contents() == expected, at
        if again.credentials:
            world.assert_secrets_work(again)
        await world.look_again()
        assert world.iam.contents() == expected, at
        assert not any(world.ledger.unattributed.values()), at
        at += 1


async def test_a_worker_that_dies_is_followed_by_another() -> None:
    """A takeover may die as well, at any moment: the next one ends the request."""
    case = CASES["provision"]
    expected = await wanted(case)
    calls = 0
    for first in (9, 30, 45, 55):
        at, alive = 0, False
        while not alive:
            world, request_id = case.world(), str(uuid4())
            assert await die(world, case, request_id, first)
            world.let_leases_end()
            death = Death(at)
            with suppress(Killed):
                await world.start(death).do_work()
            alive = not death.dead
            if death.dead:
                await world.take_over()
            assert world.iam.contents() == (expected if has_row(world, request_id) else case.world().iam.contents())
            await world.look_again()
            assert world.iam.contents() == (expected if has_row(world, request_id) else case.world().iam.contents())
            at += 3
            calls += 1
    assert calls > 20


async def test_sealed_secrets_are_answered_byte_for_byte() -> None:
    """After a takeover the sealed text is stored: every retry gets the very same, and it opens the account's door."""
    case = CASES["provision-sealed"]
    world, request_id = case.world(), str(uuid4())
    assert await die(world, case, request_id, 45)
    await world.take_over()
    answers = [await ask_again(world, case, request_id) for _ in range(3)]
    texts = {answer.credentials.sealed_secrets for answer in answers if answer.credentials}
    assert len(texts) == 1
    world.assert_secrets_work(answers[0])


@pytest.mark.parametrize("case", NEEDING_CALLER.values(), ids=NEEDING_CALLER)
async def test_what_needs_its_caller_waits_for_the_retry(case: Case) -> None:
    """A request whose own secret is stored nowhere is left to the caller for the retry window, and done by it."""
    expected = await wanted(case)
    at, died = 0, True
    while died:
        world, request_id = case.world(), str(uuid4())
        died = await die(world, case, request_id, at)
        left = world.iam.contents()
        await world.take_over()
        assert world.iam.contents() == left, at
        again = await ask_again(world, case, request_id)
        assert world.iam.contents() == expected, at
        if again.credentials and again.credentials.access_key:
            assert again.credentials.access_key.access_key_id in world.iam.key_ids("ana")
        await world.look_again()
        assert world.iam.contents() == expected, at
        at += 1


async def test_what_needs_its_caller_is_undone_when_the_caller_stays_away() -> None:
    """After the retry window the worker undoes it, and the same request may be asked again."""
    case = NEEDING_CALLER["custom-password"]
    expected, before = await wanted(case), case.world().iam.contents()
    at = 0
    while True:
        world, request_id = case.world(), str(uuid4())
        if not await die(world, case, request_id, at):
            break
        unfinished = has_row(world, request_id) and world.ledger.rows[key_of(request_id)].state in (
            RequestState.RUNNING,
            RequestState.UNDOING,
        )
        world.clock.advance(LEASE_SECONDS + RETRY_WINDOW_SECONDS + 1)
        await world.start().do_work()
        if unfinished:
            assert world.iam.contents() == before, at
            row = world.ledger.rows[key_of(request_id)]
            assert row.state is RequestState.UNDONE_RETRYABLE
            assert row.failure is not None
            assert row.failure.error.reason is Reason.INTERRUPTED
        await world.look_again()
        assert world.iam.contents() == (before if unfinished or not has_row(world, request_id) else expected), at
        await ask_again(world, case, request_id)
        assert world.iam.contents() == expected, at
        at += 1


async def test_a_running_request_is_not_done_twice() -> None:
    """While the lease of a dead process holds, the same request is told to come back, and nothing is touched."""
    case = CASES["provision"]
    world, request_id = case.world(), str(uuid4())
    assert await die(world, case, request_id, 40)
    left = world.iam.contents()
    error = await world.refused(case.body, process=world.start(), request_id=request_id)
    assert error.reason is Reason.IN_PROGRESS
    assert error.retry_after
    assert world.iam.contents() == left


async def test_another_request_waits_for_the_end_of_the_dead_one() -> None:
    """The lock on the user outlives the lease: nobody plans on a half-made user."""
    case = CASES["credentials"]
    world, request_id = case.world(), str(uuid4())
    death = 0
    while world.iam.contents()["devices"] == {}:
        death += 1
        world = case.world()
        assert await die(world, case, request_id, death)
    world.let_leases_end()
    other = UserChange("ana", permissions=Permissions(("Developers",)))
    assert (await world.refused(other, process=world.start())).reason is Reason.IN_PROGRESS
    await world.start().do_work()
    await world.do(other, process=world.start())
