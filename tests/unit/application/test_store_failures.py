"""The store goes away at any moment, before its work or after it: the account is whole again in the end."""

from contextlib import suppress
from uuid import uuid4

import pytest

from identity_service.application.ledger import RequestState, StoreUnavailableError
from identity_service.domain.errors import IdentityError, Reason
from identity_service.domain.outcome import Outcome
from tests.unit.application.cases import CASES, Case, ask_again, wanted
from tests.unit.application.fake_ledger import LEASE_SECONDS
from tests.unit.application.worlds import DENIED, THROTTLED, World, key_of, replace_action

WRITES = ("begin", "begin_mint", "record_mint", "succeed")
UNDOING_WRITES = ("begin_undo", "void_mints", "fail", "release")
MADE = {name: CASES[name] for name in ("provision", "provision-sealed", "credentials", "permissions")}
FORWARD = {name: CASES[name] for name in ("delete", "rename")}
WRITING = {**MADE, **FORWARD}


async def answer_of(world: World, case: Case, request_id: str) -> Outcome | IdentityError:
    """Ask, and return what the caller is told."""
    try:
        return await world.do(case.body, request_id=request_id, recipients=case.recipients)
    except IdentityError as error:
        return error


async def assert_ends_well(world: World, case: Case, request_id: str) -> None:
    """Expect that retry, worker and second look come to the account that was asked for, with working secrets."""
    expected = await wanted(case)
    again = await ask_again(world, case, request_id)
    assert world.iam.contents() == expected
    if again.credentials:
        world.assert_secrets_work(again)
    await world.look_again()
    assert world.iam.contents() == expected
    assert world.ledger.locked == set()


def assert_not_known(told: Outcome | IdentityError) -> None:
    """Expect that a caller hears of the store, and that nobody knows yet how its request ends."""
    assert isinstance(told, IdentityError)
    assert told.reason is Reason.STORE_UNAVAILABLE
    assert "not known yet" in told.metadata["remaining"]


@pytest.mark.parametrize("written", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("method", ["find", *WRITES])
@pytest.mark.parametrize("case", MADE.values(), ids=MADE)
async def test_a_store_that_goes_away_leaves_nothing_half_made(case: Case, method: str, written: bool) -> None:
    """Told STORE_UNAVAILABLE, and once the store is back the account is untouched or as asked, and a retry works."""
    expected, before = await wanted(case), case.world().iam.contents()
    world, request_id = case.world(), str(uuid4())
    (world.ledger.unanswered if written else world.ledger.failing).add(method)
    told = await answer_of(world, case, request_id)
    if isinstance(told, IdentityError):
        assert told.reason is Reason.STORE_UNAVAILABLE
    world.ledger.failing.clear()
    world.ledger.unanswered.clear()
    await world.take_over()
    done = key_of(request_id) in world.ledger.rows
    done = done and world.ledger.rows[key_of(request_id)].state is RequestState.DONE
    assert world.iam.contents() == (expected if done else before)
    await assert_ends_well(world, case, request_id)


@pytest.mark.parametrize("written", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("method", UNDOING_WRITES)
@pytest.mark.parametrize("case", MADE.values(), ids=MADE)
async def test_an_undo_without_the_store_is_an_undo(case: Case, method: str, written: bool) -> None:
    """A refused step is undone whether or not the store can be told; nothing is left, before and after it is back."""
    before = case.world().iam.contents()
    world, request_id = case.world(), str(uuid4())
    world.iam.inject("iam:AttachUserPolicy", replace_action(DENIED, "iam:AttachUserPolicy"), times=9)
    world.iam.inject("iam:CreateAccessKey", replace_action(DENIED, "iam:CreateAccessKey"), times=9)
    (world.ledger.unanswered if written else world.ledger.failing).add(method)
    told = await answer_of(world, case, request_id)
    assert isinstance(told, IdentityError)
    assert world.iam.contents() == before
    world.ledger.failing.clear()
    world.ledger.unanswered.clear()
    await world.take_over()
    assert world.iam.contents() == before
    await world.look_again()
    assert world.iam.contents() == before
    assert world.ledger.locked == set()
    assert world.ledger.rows[key_of(request_id)].state is RequestState.FAILED


@pytest.mark.parametrize("written", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("case", WRITING.values(), ids=WRITING)
async def test_a_failure_that_is_not_stored_is_not_told(case: Case, written: bool) -> None:
    """Another attempt may yet succeed, so the caller hears of the store, and that the end is not known."""
    world, request_id = case.world(), str(uuid4())
    for action in ("iam:AttachUserPolicy", "iam:CreateAccessKey", "iam:DeleteUser", "iam:UpdateUser"):
        world.iam.inject(action, replace_action(DENIED, action))
    (world.ledger.unanswered if written else world.ledger.failing).update(("begin_undo", "fail"))
    assert_not_known(await answer_of(world, case, request_id))


async def test_an_undo_that_rests_before_it_is_stored_is_not_told() -> None:
    """Where neither the direction nor the rest of the undo is written down, the next attempt goes forward."""
    case = CASES["provision"]
    world, request_id = case.world(), str(uuid4())
    world.iam.inject("iam:AttachUserPolicy", replace_action(DENIED, "iam:AttachUserPolicy"))
    world.iam.inject("iam:DeleteUser", replace_action(THROTTLED, "iam:DeleteUser"), times=99)
    world.ledger.failing.add("begin_undo")
    assert_not_known(await answer_of(world, case, request_id))
    world.ledger.failing.clear()
    await world.take_over()
    await assert_ends_well(world, case, request_id)


@pytest.mark.parametrize("case", WRITING.values(), ids=WRITING)
async def test_an_attempt_that_cannot_store_its_end_lets_go(case: Case) -> None:
    """Its process lives on and renews its lease no more, so that the request is somebody else's to end."""
    world = case.world()
    world.ledger.failing.update(("succeed", "begin_undo", "fail"))
    await answer_of(world, case, str(uuid4()))
    world.ledger.failing.clear()
    for _ in range(3):
        world.clock.advance(LEASE_SECONDS / 2)
        world.ledger.beat()
    await world.start().do_work()
    assert world.ledger.locked == set()


@pytest.mark.parametrize("written", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("method", ["find", "begin", "succeed", "fail"])
@pytest.mark.parametrize("case", FORWARD.values(), ids=FORWARD)
async def test_what_goes_forward_only_ends_when_the_store_is_back(case: Case, method: str, written: bool) -> None:
    """A deletion or a rename is never undone; the same request, or the worker, ends it."""
    world, request_id = case.world(), str(uuid4())
    (world.ledger.unanswered if written else world.ledger.failing).add(method)
    await answer_of(world, case, request_id)
    world.ledger.failing.clear()
    world.ledger.unanswered.clear()
    world.let_leases_end()
    await assert_ends_well(world, case, request_id)


@pytest.mark.parametrize("written", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("method", ["take_over_abandoned", "claim_second_look", "end_second_look", "remove_old"])
async def test_a_worker_without_its_store_comes_back(method: str, written: bool) -> None:
    """A worker that cannot use the store leaves everything to its next step."""
    case = CASES["provision"]
    expected = await wanted(case)
    world, request_id = case.world(), str(uuid4())
    world.ledger.failing.update(("succeed", "begin_undo", "fail", "void_mints"))
    world.iam.inject("iam:DeleteUser", replace_action(DENIED, "iam:DeleteUser"))
    await answer_of(world, case, request_id)
    world.ledger.failing.clear()
    (world.ledger.unanswered if written else world.ledger.failing).add(method)
    for _ in range(3):
        world.let_leases_end()
        process = world.start()
        with suppress(StoreUnavailableError):
            await process.worker.step()
        await process.worker.finish()
    world.ledger.failing.clear()
    world.ledger.unanswered.clear()
    await world.take_over()
    await world.look_again()
    await world.look_again()
    assert world.iam.contents() == expected
    assert not world.ledger.rows[key_of(request_id)].look_again


async def test_an_outcome_that_was_written_after_all_is_answered() -> None:
    """Where the answer of the last write is lost and the outcome is there, the caller gets its secrets."""
    case = CASES["provision"]
    world, request_id = case.world(), str(uuid4())
    world.ledger.unanswered.add("succeed")
    told = await answer_of(world, case, request_id)
    assert isinstance(told, Outcome)
    world.assert_secrets_work(told)


async def test_a_denial_that_cannot_be_audited_is_not_answered_as_one() -> None:
    """What cannot be written down is not decided: the caller hears of the store."""
    world = World()
    world.authorizer.forbidden_actions.add("ProvisionUser")
    world.ledger.failing.add("record_denial")
    told = await answer_of(world, CASES["provision"], str(uuid4()))
    assert isinstance(told, IdentityError)
    assert told.reason is Reason.STORE_UNAVAILABLE


@pytest.mark.parametrize("written", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("method", ["find", "reopen", "begin_mint", "record_mint", "void_mints", "succeed"])
async def test_secrets_are_issued_again_when_the_store_is_back(method: str, written: bool) -> None:
    """A reissue that meets a store that goes away ends, by the worker or the caller, with one set of secrets."""
    case = CASES["provision"]
    expected = await wanted(case)
    world, request_id = case.world(), str(uuid4())
    await world.do(case.body, request_id=request_id)
    (world.ledger.unanswered if written else world.ledger.failing).add(method)
    with suppress(IdentityError):
        await world.do(case.body, request_id=request_id, reissue_secrets=True)
    world.ledger.failing.clear()
    world.ledger.unanswered.clear()
    await world.take_over()
    await assert_ends_well(world, case, request_id)
    assert world.iam.contents() == expected


@pytest.mark.parametrize("written", [False, True], ids=["before", "after"])
async def test_a_retry_whose_takeover_meets_no_store_is_followed_by_another(written: bool) -> None:
    """Whether or not the takeover was written, the next one ends the request."""
    case = CASES["credentials"]
    world, request_id = case.world(), str(uuid4())
    world.ledger.unanswered.add("begin")
    await answer_of(world, case, request_id)
    world.ledger.unanswered.clear()
    world.let_leases_end()
    (world.ledger.unanswered if written else world.ledger.failing).add("take_over")
    told = await answer_of(world, case, request_id)
    assert isinstance(told, IdentityError)
    assert told.reason is Reason.STORE_UNAVAILABLE
    world.ledger.failing.clear()
    world.ledger.unanswered.clear()
    world.let_leases_end()
    await assert_ends_well(world, case, request_id)
