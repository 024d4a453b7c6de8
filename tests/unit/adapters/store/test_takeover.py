"""What becomes of requests whose attempt has died: who may take them over, when, and what that fences off."""

from collections.abc import Awaitable, Callable
from datetime import datetime

import pytest

from identity_service.adapters.store import SqlLedger
from identity_service.application.lease import LeaseLostError
from identity_service.application.ledger import Claim, Intent, RequestKey, RequestState
from identity_service.domain.minting import MintKind, MintState
from identity_service.domain.outcome import Outcome
from tests.unit.adapters.store.expected import PERMANENT, RETRYABLE, assert_lost, failure_fields, row_of, stored
from tests.unit.adapters.store.worlds import LEASE_SECONDS, RETRY_WINDOW_SECONDS, SECOND_LOOK_SECONDS, World

MakeIntent = Callable[..., Intent]


async def take_over(ledger: SqlLedger, key: RequestKey) -> Claim:
    """Take a request over that is abandoned."""
    claim = await ledger.take_over(key)
    assert claim is not None
    return claim


async def test_an_abandoned_request_is_taken_over_once(
    ledger: SqlLedger, world: World, make_intent: MakeIntent
) -> None:
    """After the lease, one attempt gets the request in the next epoch, with a whole lease; no other one does."""
    intent = make_intent()
    first = await ledger.begin(intent)
    assert await ledger.take_over(intent.key) is None
    world.advance(LEASE_SECONDS)
    claim = await take_over(ledger, intent.key)
    assert (claim.intent, claim.state, claim.failure) == (stored(intent), RequestState.RUNNING, None)
    assert (claim.lease.epoch, claim.lease.remaining()) == (2, LEASE_SECONDS)
    if not world.is_postgresql:
        assert claim.begun_at == first.begun_at
    assert await ledger.take_over(intent.key) is None
    assert await ledger.find(intent.key) == row_of(intent, epoch=2, look_again=True)


async def test_an_unknown_request_is_not_taken_over(ledger: SqlLedger) -> None:
    """There is nothing to take over of what was never begun."""
    assert await ledger.take_over(RequestKey("caller", "no-such-request")) is None


async def test_a_takeover_goes_on_in_the_stored_direction(
    ledger: SqlLedger, world: World, make_intent: MakeIntent
) -> None:
    """A request that was turned round is undone by whoever takes it over, who is told why."""
    intent = make_intent()
    await ledger.begin_undo((await ledger.begin(intent)).lease, PERMANENT)
    world.advance(LEASE_SECONDS)
    claim = await take_over(ledger, intent.key)
    assert claim.state is RequestState.UNDOING
    assert failure_fields(claim.failure) == failure_fields(PERMANENT)
    event = (await ledger.read_audit())[-1]
    assert (event.event, event.details) == ("takeover", {"direction": "undoing"})


async def test_a_released_request_is_taken_over_at_once(
    ledger: SqlLedger, world: World, make_intent: MakeIntent
) -> None:
    """Nobody waits for the lease of an attempt that has given up, unless it asks for a rest."""
    intent = make_intent()
    await ledger.release((await ledger.begin(intent)).lease)
    claim = await take_over(ledger, intent.key)
    await ledger.release(claim.lease, 60)
    assert await ledger.take_over(intent.key) is None
    assert await ledger.take_over_abandoned(1) == ()
    world.advance(60)
    await take_over(ledger, intent.key)


Fenced = Callable[[SqlLedger, Claim], Awaitable[object]]


async def _record(ledger: SqlLedger, claim: Claim) -> None:
    await ledger.record_mint(claim.lease, claim.mints[0], "AKIALATE")


FENCED: dict[str, Fenced] = {
    "begin_mint": lambda ledger, claim: ledger.begin_mint(claim.lease, MintKind.ACCESS_KEY),
    "record_mint": _record,
    "void_mints": lambda ledger, claim: ledger.void_mints(claim.lease, claim.mints),
    "begin_undo": lambda ledger, claim: ledger.begin_undo(claim.lease, PERMANENT),
    "succeed": lambda ledger, claim: ledger.succeed(claim.lease, Outcome()),
    "fail": lambda ledger, claim: ledger.fail(claim.lease, PERMANENT),
    "release": lambda ledger, claim: ledger.release(claim.lease),
    "leave_undone": lambda ledger, claim: ledger.leave_undone(claim.lease),
    "done_since": lambda ledger, claim: ledger.done_since(claim.lease),
    "rest_second_look": lambda ledger, claim: ledger.rest_second_look(claim.lease, 1),
    "end_second_look": lambda ledger, claim: ledger.end_second_look(claim.lease, ()),
}


@pytest.mark.parametrize("method", FENCED)
async def test_an_overtaken_attempt_changes_nothing(
    ledger: SqlLedger, world: World, make_intent: MakeIntent, method: str
) -> None:
    """Whatever the earlier attempt writes after a takeover is refused, and its lease is lost."""
    intent = make_intent()
    first = await ledger.begin(intent)
    await ledger.begin_mint(first.lease, MintKind.ACCESS_KEY)
    world.advance(LEASE_SECONDS)
    second = await take_over(ledger, intent.key)
    before = world.execute("SELECT state, epoch, updated_at, lease_expires_at FROM requests")
    late = Claim(first.intent, first.state, first.lease, first.begun_at, mints=second.mints)
    first.lease.extend(1e9)
    await assert_lost(FENCED[method](ledger, late), first.lease)
    assert world.execute("SELECT state, epoch, updated_at, lease_expires_at FROM requests") == before
    (mint,) = world.execute("SELECT state, credential_id FROM mints")
    assert mint == {"state": MintState.UNANSWERED, "credential_id": ""}
    await ledger.succeed(second.lease, Outcome())


async def test_a_takeover_gets_the_oldest_first(ledger: SqlLedger, world: World, make_intent: MakeIntent) -> None:
    """Of many abandoned requests, as many are claimed as are asked for, those that wait longest before others."""
    for number in range(3):
        await ledger.begin(make_intent(f"row-{number}", request_id=f"request-{number}", user_name=f"user-{number}"))
        world.advance(10)
    assert await ledger.take_over_abandoned(10) == ()
    world.advance(LEASE_SECONDS)
    taken = [claim.lease.row_id for claim in await ledger.take_over_abandoned(2)]
    assert taken == ["row-0", "row-1"]
    assert [claim.lease.row_id for claim in await ledger.take_over_abandoned(2)] == ["row-2"]
    assert await ledger.take_over_abandoned(2) == ()


async def test_a_request_that_needs_its_caller_waits_for_it(
    ledger: SqlLedger, world: World, make_intent: MakeIntent
) -> None:
    """Its caller may take it over at once; the worker comes after the retry window, and for an undo at once."""
    waits = make_intent(needs_caller=True)
    undoes = make_intent("row-2", request_id="request-2", user_name="Bob", needs_caller=True)
    await ledger.begin(waits)
    await ledger.begin_undo((await ledger.begin(undoes)).lease, PERMANENT)
    world.advance(LEASE_SECONDS)
    assert [claim.lease.row_id for claim in await ledger.take_over_abandoned(10)] == ["row-2"]
    world.advance(RETRY_WINDOW_SECONDS - 60)
    assert not [claim for claim in await ledger.take_over_abandoned(10) if claim.lease.row_id == "row-1"]
    world.advance(60)
    assert [claim for claim in await ledger.take_over_abandoned(10) if claim.lease.row_id == "row-1"]


async def test_the_caller_need_not_wait(ledger: SqlLedger, world: World, make_intent: MakeIntent) -> None:
    """A retry brings what the request needs, so it goes on as soon as the lease has run out."""
    intent = make_intent(needs_caller=True)
    await ledger.begin(intent)
    world.advance(LEASE_SECONDS)
    assert (await take_over(ledger, intent.key)).intent.needs_caller


async def test_an_unreadable_request_keeps_no_other_from_being_taken_over(
    ledger: SqlLedger, world: World, make_intent: MakeIntent, capsys: pytest.CaptureFixture[str]
) -> None:
    """What this release cannot read is left and logged by its row, and the rest is claimed."""
    await ledger.begin(make_intent())
    await ledger.begin(make_intent("row-2", request_id="request-2", user_name="Bob"))
    world.execute("UPDATE requests SET plan = '{\"canary\": 1}' WHERE row_id = 'row-1'")
    world.advance(LEASE_SECONDS)
    assert [claim.lease.row_id for claim in await ledger.take_over_abandoned(10)] == ["row-2"]
    logged = capsys.readouterr().out
    assert "row-1" in logged
    assert "canary" not in logged


async def test_many_unreadable_requests_keep_no_other_from_being_taken_over(
    ledger: SqlLedger, world: World, make_intent: MakeIntent
) -> None:
    """However many older requests this release cannot read, as after a rollback, the one that it can is claimed."""
    for number in range(25):
        await ledger.begin(make_intent(f"row-{number}", request_id=f"request-{number}", user_name=f"user-{number}"))
    world.execute('UPDATE requests SET plan = \'{"of": "a newer release"}\'')
    world.advance(1)
    await ledger.begin(make_intent("good", request_id="good", user_name="Bob"))
    world.advance(LEASE_SECONDS)
    assert [claim.lease.row_id for claim in await ledger.take_over_abandoned(1)] == ["good"]


async def test_a_takeover_schedules_a_second_look(ledger: SqlLedger, world: World, make_intent: MakeIntent) -> None:
    """What the dead attempt has sent may be carried out until its signature is invalid: then it is looked at again."""
    intent = make_intent()
    await ledger.begin(intent)
    world.advance(LEASE_SECONDS)
    await ledger.succeed((await take_over(ledger, intent.key)).lease, Outcome())
    world.advance(SECOND_LOOK_SECONDS - 60)
    assert await ledger.claim_second_look() is None
    world.advance(60)
    assert await ledger.claim_second_look() is not None


async def test_a_later_takeover_moves_the_second_look(ledger: SqlLedger, world: World, make_intent: MakeIntent) -> None:
    """The second look comes after the signatures of all attempts, the last one included."""
    intent = make_intent()
    await ledger.begin(intent)
    world.advance(LEASE_SECONDS)
    await take_over(ledger, intent.key)
    world.advance(LEASE_SECONDS)
    await ledger.succeed((await take_over(ledger, intent.key)).lease, Outcome())
    world.advance(SECOND_LOOK_SECONDS - 60)
    assert await ledger.claim_second_look() is None
    world.advance(60)
    assert await ledger.claim_second_look() is not None


async def test_a_paused_process_knows_that_its_lease_ran_out(
    ledger: SqlLedger, world: World, make_intent: MakeIntent
) -> None:
    """Its own clock went on during the pause: before it sends anything, it finds that it must not."""
    intent = make_intent()
    paused = await ledger.begin(intent)
    paused.lease.require()
    world.advance(LEASE_SECONDS)
    other = await world.open()
    second = await take_over(other, intent.key)
    with pytest.raises(LeaseLostError):
        paused.lease.require()
    second.lease.require()
    await assert_lost(ledger.succeed(paused.lease, Outcome()), paused.lease)
    await other.succeed(second.lease, Outcome())


async def test_a_lease_counts_from_before_the_database_was_asked(sqlite_world: World, make_intent: MakeIntent) -> None:
    """However long a claim takes, the lease ends in the process before it ends in the database."""

    def slow_clock() -> datetime:
        sqlite_world.clock.monotonic += 20
        return sqlite_world.clock.now

    ledger = await sqlite_world.open(clock=slow_clock)
    claim = await ledger.begin(make_intent())
    assert claim.lease.remaining() == LEASE_SECONDS - 20


async def test_takeovers_are_counted(ledger: SqlLedger, world: World, make_intent: MakeIntent) -> None:
    """From one on, since the request was begun last or opened again; those of other requests count for themselves."""
    intent, other = make_intent(), make_intent("row-2", request_id="request-2", user_name="Bob")
    first, _ = await ledger.begin(intent), await ledger.begin(other)
    assert first.takeovers == 0
    for number in (1, 2, 3):
        world.advance(LEASE_SECONDS)
        claim = await take_over(ledger, intent.key)
        assert claim.takeovers == number
    await ledger.fail(claim.lease, RETRYABLE)
    assert (await ledger.begin(intent)).takeovers == 0
    world.advance(LEASE_SECONDS)
    taken = {claim.lease.row_id: claim for claim in await ledger.take_over_abandoned(2)}
    assert [taken[row_id].takeovers for row_id in ("row-1", "row-2")] == [1, 1]
    await ledger.succeed(taken["row-1"].lease, Outcome())
    assert (await ledger.reopen(intent.key)) is not None
    world.advance(LEASE_SECONDS)
    assert (await take_over(ledger, intent.key)).takeovers == 1
