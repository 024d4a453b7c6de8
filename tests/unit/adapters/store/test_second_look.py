"""What the ledger promises of second looks, of requests that are opened again, and of how long rows are kept."""

from collections.abc import Callable

import pytest

from identity_service.adapters.store import SqlLedger
from identity_service.adapters.store import ledger as ledger_module
from identity_service.application.ledger import MOST_REST_SECONDS, Claim, Failure, Intent, RequestKey, RequestState
from identity_service.domain.entities import UserRecord
from identity_service.domain.minting import MintKind
from identity_service.domain.outcome import Outcome
from tests.unit.adapters.store.expected import (
    PERMANENT,
    RETRYABLE,
    assert_in_progress,
    assert_lost,
    failure_fields,
    row_of,
    stored,
)
from tests.unit.adapters.store.worlds import (
    LEASE_SECONDS,
    RETENTION_SECONDS,
    RETRY_WINDOW_SECONDS,
    SECOND_LOOK_SECONDS,
    World,
)

MakeIntent = Callable[..., Intent]
OUTCOME = Outcome(sign_in_url="https://example.signin.aws.amazon.com/console")


async def fail_to_be_seen_again(ledger: SqlLedger, intent: Intent, failure: Failure = PERMANENT) -> None:
    """Let a request fail with a call of which nobody knows what became."""
    await ledger.fail((await ledger.begin(intent)).lease, failure, look_again=True)


async def look_again(ledger: SqlLedger) -> Claim:
    """Claim the second look that is due."""
    claim = await ledger.claim_second_look()
    assert claim is not None
    return claim


async def reopen(ledger: SqlLedger, key: RequestKey) -> Claim:
    """Claim a request that is done."""
    claim = await ledger.reopen(key)
    assert claim is not None
    return claim


# Second looks.


async def test_nothing_is_due_by_itself(ledger: SqlLedger, world: World, make_intent: MakeIntent) -> None:
    """A request that ended with all its answers is not looked at again."""
    await ledger.fail((await ledger.begin(make_intent())).lease, PERMANENT)
    world.advance(100 * SECOND_LOOK_SECONDS)
    assert await ledger.claim_second_look() is None


async def test_a_second_look_leaves_the_state(ledger: SqlLedger, world: World, make_intent: MakeIntent) -> None:
    """It is claimed once, in the next epoch, in the state that the request ended in, and ends without changing it."""
    intent = make_intent()
    await fail_to_be_seen_again(ledger, intent)
    row = await ledger.find(intent.key)
    assert row is not None
    assert row.look_again
    world.advance(SECOND_LOOK_SECONDS)
    claim = await look_again(ledger)
    assert (claim.state, claim.lease.epoch, claim.intent) == (RequestState.FAILED, 2, stored(intent))
    assert failure_fields(claim.failure) == failure_fields(PERMANENT)
    assert claim.lease.remaining() == LEASE_SECONDS
    assert await ledger.claim_second_look() is None
    await ledger.end_second_look(claim.lease, ())
    after = await ledger.find(intent.key)
    assert after is not None
    assert (after.state, after.abandoned, after.look_again) == (RequestState.FAILED, False, False)
    world.advance(100 * SECOND_LOOK_SECONDS)
    assert await ledger.claim_second_look() is None


@pytest.mark.parametrize(
    ("found", "gone", "details"),
    [
        ((), (), {}),
        (("AKIAONE",), (), {"unattributed": ["AKIAONE"]}),
        ((), ("user ann",), {"missing": ["user ann"]}),
    ],
)
async def test_a_second_look_is_audited(
    ledger: SqlLedger,
    world: World,
    make_intent: MakeIntent,
    found: tuple[str, ...],
    gone: tuple[str, ...],
    details: dict[str, object],
) -> None:
    """The log tells that somebody looked, by id what nobody can attribute, and what a late deletion has taken."""
    await fail_to_be_seen_again(ledger, make_intent())
    world.advance(SECOND_LOOK_SECONDS)
    await ledger.end_second_look((await look_again(ledger)).lease, found, gone)
    event = (await ledger.read_audit())[-1]
    assert (event.event, event.row_id, event.details) == ("second-look", "row-1", details)


async def test_a_second_look_has_the_target(ledger: SqlLedger, world: World, make_intent: MakeIntent) -> None:
    """While somebody looks at a user, nobody changes it; afterwards it is free."""
    await fail_to_be_seen_again(ledger, make_intent())
    world.advance(SECOND_LOOK_SECONDS)
    claim = await look_again(ledger)
    other = make_intent("row-2", request_id="request-2")
    await assert_in_progress(ledger.begin(other))
    await ledger.end_second_look(claim.lease, ())
    await ledger.begin(other)


async def test_a_second_look_waits_for_its_target(ledger: SqlLedger, world: World, make_intent: MakeIntent) -> None:
    """A user that another request changes is looked at after that, also if that request was abandoned."""
    await fail_to_be_seen_again(ledger, make_intent())
    other = await ledger.begin(make_intent("row-2", request_id="request-2", user_name="ANN"))
    world.advance(SECOND_LOOK_SECONDS)
    assert await ledger.claim_second_look() is None
    await ledger.succeed(other.lease, Outcome())
    assert (await look_again(ledger)).lease.row_id == "row-1"


async def test_a_dead_second_look_is_taken_again(ledger: SqlLedger, world: World, make_intent: MakeIntent) -> None:
    """Neither lease nor lock of a second look whose process died keeps the next one away, once the lease ran out."""
    await fail_to_be_seen_again(ledger, make_intent())
    world.advance(SECOND_LOOK_SECONDS)
    dead = await look_again(ledger)
    world.advance(LEASE_SECONDS - 60)
    assert await ledger.claim_second_look() is None
    world.advance(60)
    claim = await look_again(ledger)
    assert claim.lease.epoch == 3
    await assert_lost(ledger.end_second_look(dead.lease, ()), dead.lease)
    await ledger.end_second_look(claim.lease, ())


async def test_a_dead_second_look_does_not_lock_its_target_for_ever(
    ledger: SqlLedger, world: World, make_intent: MakeIntent
) -> None:
    """Once its lease ran out, another request gets the user, and the second look waits for that one's end."""
    await fail_to_be_seen_again(ledger, make_intent())
    world.advance(SECOND_LOOK_SECONDS)
    await look_again(ledger)
    world.advance(LEASE_SECONDS)
    other = await ledger.begin(make_intent("row-2", request_id="request-2"))
    assert await ledger.claim_second_look() is None
    await ledger.succeed(other.lease, Outcome())
    await ledger.end_second_look((await look_again(ledger)).lease, ())


async def test_a_second_look_takes_the_lock_of_a_dead_one(
    ledger: SqlLedger, world: World, make_intent: MakeIntent
) -> None:
    """Two requests of one user are looked at one after the other, also where the first look's process died."""
    await fail_to_be_seen_again(ledger, make_intent())
    await fail_to_be_seen_again(ledger, make_intent("row-2", request_id="request-2"))
    world.advance(SECOND_LOOK_SECONDS)
    first = await look_again(ledger)
    assert await ledger.claim_second_look() is None
    await ledger.release(first.lease, LEASE_SECONDS * 2)
    assert await ledger.claim_second_look() is None
    world.execute("UPDATE requests SET lease_expires_at = recheck_at WHERE row_id = 'row-1'")
    world.execute("UPDATE requests SET recheck_at = created_at WHERE row_id = 'row-2'")
    assert (await look_again(ledger)).lease.row_id == "row-2"
    assert world.execute("SELECT row_id FROM locks") == [{"row_id": "row-2"}]


async def test_a_released_second_look_comes_again_after_a_rest(
    ledger: SqlLedger, world: World, make_intent: MakeIntent
) -> None:
    """A second look that could not be ended is not over."""
    await fail_to_be_seen_again(ledger, make_intent())
    world.advance(SECOND_LOOK_SECONDS)
    await ledger.release((await look_again(ledger)).lease, 60)
    assert await ledger.claim_second_look() is None
    world.advance(60)
    await look_again(ledger)


async def test_a_second_look_that_rests_has_no_target(ledger: SqlLedger, world: World, make_intent: MakeIntent) -> None:
    """While a look that failed rests, others change the user, and it comes again after that."""
    await fail_to_be_seen_again(ledger, make_intent())
    world.advance(SECOND_LOOK_SECONDS)
    assert await ledger.rest_second_look((await look_again(ledger)).lease, 60)
    other = await ledger.begin(make_intent("row-2", request_id="request-2"))
    world.advance(60)
    assert await ledger.claim_second_look() is None
    await ledger.succeed(other.lease, Outcome())
    again = await look_again(ledger)
    assert (again.lease.row_id, again.interrupted) == ("row-1", True)
    await assert_in_progress(ledger.begin(make_intent("row-3", request_id="request-3")))


async def test_a_second_look_rests_longer_the_longer_it_is_due(
    ledger: SqlLedger, world: World, make_intent: MakeIntent
) -> None:
    """Half the time for which it has been due, at least as long as asked, and an hour at most."""
    await fail_to_be_seen_again(ledger, make_intent())
    world.advance(SECOND_LOOK_SECONDS)
    for later, rest in [(10, 60), (50, 60), (120, 150)]:
        world.advance(later)
        assert await ledger.rest_second_look((await look_again(ledger)).lease, 60)
        world.advance(rest - 1)
        assert await ledger.claim_second_look() is None
        world.advance(1)


async def test_a_second_look_rests_no_longer_than_an_hour(
    ledger: SqlLedger, world: World, make_intent: MakeIntent
) -> None:
    """Who mends what was in its way after a day sees it taken soon."""
    intent = make_intent()
    await fail_to_be_seen_again(ledger, intent, RETRYABLE)
    world.advance(SECOND_LOOK_SECONDS + 4 * MOST_REST_SECONDS)
    # Its request runs again meanwhile, so that it is as young as it can be.
    await ledger.fail((await ledger.begin(intent)).lease, RETRYABLE)
    assert await ledger.rest_second_look((await look_again(ledger)).lease, 60)
    world.advance(MOST_REST_SECONDS - 1)
    assert await ledger.claim_second_look() is None
    world.advance(1)
    await look_again(ledger)


async def test_a_request_runs_again_while_its_second_look_rests(
    ledger: SqlLedger, world: World, make_intent: MakeIntent
) -> None:
    """What was undone may be asked for once more, by whichever way, though a look at it keeps failing."""
    intent = make_intent()
    await fail_to_be_seen_again(ledger, intent, RETRYABLE)
    world.advance(SECOND_LOOK_SECONDS)
    await ledger.rest_second_look((await look_again(ledger)).lease, 60)
    undone = await ledger.claim_undone(intent.key)
    assert undone is not None
    assert undone.interrupted
    await ledger.rest_second_look(undone.lease, 60)
    again = await ledger.begin(intent)
    await ledger.succeed(again.lease, OUTCOME)
    assert (await ledger.find(intent.key)) == row_of(
        intent, RequestState.DONE, epoch=again.lease.epoch, look_again=True, outcome=OUTCOME
    )


async def test_secrets_are_issued_again_while_a_second_look_rests(
    ledger: SqlLedger, world: World, make_intent: MakeIntent
) -> None:
    """A look that keeps failing does not keep a caller from secrets whose answer was lost."""
    intent = make_intent()
    await ledger.begin(intent)
    world.advance(LEASE_SECONDS)
    claim = await ledger.take_over(intent.key)
    assert claim is not None
    world.advance(SECOND_LOOK_SECONDS)
    await ledger.succeed(claim.lease, OUTCOME)
    await ledger.rest_second_look((await look_again(ledger)).lease, 60)
    await reopen(ledger, intent.key)


async def test_a_second_look_that_fails_past_the_retention_is_given_up(
    ledger: SqlLedger, world: World, make_intent: MakeIntent
) -> None:
    """It is not taken any more and its target is free; the row can be removed."""
    await fail_to_be_seen_again(ledger, make_intent())
    world.advance(RETENTION_SECONDS - 60)
    assert await ledger.rest_second_look((await look_again(ledger)).lease, 60)
    world.advance(RETENTION_SECONDS)
    assert not await ledger.rest_second_look((await look_again(ledger)).lease, 60)
    assert await ledger.claim_second_look() is None
    await ledger.begin(make_intent("row-2", request_id="request-2"))
    assert await ledger.remove_old() == 1


async def test_a_second_look_that_is_given_up_is_audited(
    ledger: SqlLedger, world: World, make_intent: MakeIntent
) -> None:
    """The log tells that nobody knows what a late call has left; a rest is no end, and leaves no line."""
    await fail_to_be_seen_again(ledger, make_intent())
    world.advance(RETENTION_SECONDS - 60)
    await ledger.rest_second_look((await look_again(ledger)).lease, 60)
    assert (await ledger.read_audit())[-1].event == "failure"
    world.advance(RETENTION_SECONDS)
    await ledger.rest_second_look((await look_again(ledger)).lease, 60)
    event = (await ledger.read_audit())[-1]
    assert (event.event, event.row_id, event.details) == ("second-look", "row-1", {"unfinished": True})


async def test_the_request_itself_waits_for_its_second_look(
    ledger: SqlLedger, world: World, make_intent: MakeIntent
) -> None:
    """What was undone does not run again while somebody still looks at what it left."""
    intent = make_intent()
    await fail_to_be_seen_again(ledger, intent, RETRYABLE)
    world.advance(SECOND_LOOK_SECONDS)
    claim = await look_again(ledger)
    await assert_in_progress(ledger.begin(intent))
    await ledger.end_second_look(claim.lease, ())
    await ledger.begin(intent)


async def test_a_request_that_runs_again_keeps_its_second_look(
    ledger: SqlLedger, world: World, make_intent: MakeIntent
) -> None:
    """What the attempt before may have left is looked for, however the next attempt ends; not while it runs."""
    intent = make_intent()
    await fail_to_be_seen_again(ledger, intent, RETRYABLE)
    again = await ledger.begin(intent)
    world.advance(SECOND_LOOK_SECONDS)
    assert await ledger.claim_second_look() is None
    await ledger.succeed(again.lease, Outcome())
    assert (await look_again(ledger)).state is RequestState.DONE


# Secrets that are issued again.


async def test_a_done_request_is_opened_again(ledger: SqlLedger, world: World, make_intent: MakeIntent) -> None:
    """It runs once more with its old outcome at hand, and a new one takes its place."""
    intent = make_intent()
    await ledger.succeed((await ledger.begin(intent)).lease, OUTCOME)
    claim = await reopen(ledger, intent.key)
    assert (claim.state, claim.lease.epoch, claim.outcome) == (RequestState.RUNNING, 2, OUTCOME)
    assert claim.lease.remaining() == LEASE_SECONDS
    assert await ledger.find(intent.key) == row_of(intent, epoch=2, look_again=True, outcome=OUTCOME)
    assert (await ledger.read_audit())[-1].event == "reissue"
    again = Outcome(sign_in_url="https://again")
    await ledger.succeed(claim.lease, again)
    assert await ledger.find(intent.key) == row_of(intent, RequestState.DONE, epoch=2, look_again=True, outcome=again)


async def test_a_takeover_of_an_opened_request_knows_its_outcome(
    ledger: SqlLedger, world: World, make_intent: MakeIntent
) -> None:
    """Whoever goes on with it after a crash still has what it came to before."""
    intent = make_intent()
    await ledger.succeed((await ledger.begin(intent)).lease, OUTCOME)
    await reopen(ledger, intent.key)
    world.advance(LEASE_SECONDS)
    claim = await ledger.take_over(intent.key)
    assert claim is not None
    assert claim.outcome == OUTCOME


async def test_an_opened_request_that_fails_has_no_outcome(ledger: SqlLedger, make_intent: MakeIntent) -> None:
    """What it came to in the end is the failure alone."""
    intent = make_intent()
    await ledger.succeed((await ledger.begin(intent)).lease, OUTCOME)
    await ledger.fail((await reopen(ledger, intent.key)).lease, PERMANENT)
    row = await ledger.find(intent.key)
    assert row is not None
    assert (row.state, row.outcome) == (RequestState.FAILED, None)


async def test_only_what_is_done_is_opened_again(ledger: SqlLedger, make_intent: MakeIntent) -> None:
    """A request that is unknown, runs or failed has no secrets to issue again."""
    running = make_intent()
    assert await ledger.reopen(running.key) is None
    claim = await ledger.begin(running)
    assert await ledger.reopen(running.key) is None
    await ledger.fail(claim.lease, PERMANENT)
    assert await ledger.reopen(running.key) is None


async def test_secrets_are_issued_again_for_a_while_only(
    ledger: SqlLedger, world: World, make_intent: MakeIntent
) -> None:
    """After the retry window, counted from the first end, the stored outcome is all there is, whatever came between."""
    intent = make_intent()
    await ledger.succeed((await ledger.begin(intent)).lease, OUTCOME)
    for _ in range(3):
        world.advance(RETRY_WINDOW_SECONDS / 3 - 20)
        await ledger.succeed((await reopen(ledger, intent.key)).lease, OUTCOME)
    world.advance(61)
    assert await ledger.reopen(intent.key) is None


async def test_the_retry_window_opens_when_the_work_is_done(
    ledger: SqlLedger, world: World, make_intent: MakeIntent
) -> None:
    """A request that ended long after it began, by a takeover, leaves its caller all of the window."""
    intent = make_intent()
    await ledger.begin(intent)
    world.advance(RETRY_WINDOW_SECONDS + LEASE_SECONDS)
    claim = await ledger.take_over(intent.key)
    assert claim is not None
    await ledger.succeed(claim.lease, OUTCOME)
    world.advance(RETRY_WINDOW_SECONDS - 60)
    assert await ledger.reopen(intent.key) is not None


async def test_a_takeover_of_an_opened_request_does_not_prolong_the_retry_window(
    ledger: SqlLedger, world: World, make_intent: MakeIntent
) -> None:
    """Whoever goes on with a reissue after a crash ends it once more, but not for the first time."""
    intent = make_intent()
    await ledger.succeed((await ledger.begin(intent)).lease, OUTCOME)
    world.advance(RETRY_WINDOW_SECONDS - LEASE_SECONDS)
    await reopen(ledger, intent.key)
    world.advance(LEASE_SECONDS)
    claim = await ledger.take_over(intent.key)
    assert claim is not None
    await ledger.succeed(claim.lease, OUTCOME)
    world.advance(60)
    assert await ledger.reopen(intent.key) is None


async def test_a_request_that_is_begun_again_has_a_retry_window_of_its_own(
    ledger: SqlLedger, world: World, make_intent: MakeIntent
) -> None:
    """What was done and then undone by a reissue that failed counts no more: all of the work is done anew."""
    intent = make_intent()
    await ledger.succeed((await ledger.begin(intent)).lease, OUTCOME)
    await ledger.fail((await reopen(ledger, intent.key)).lease, RETRYABLE)
    world.advance(RETRY_WINDOW_SECONDS)
    await ledger.succeed((await ledger.begin(intent)).lease, OUTCOME)
    world.advance(RETRY_WINDOW_SECONDS - 60)
    assert await ledger.reopen(intent.key) is not None


async def test_the_retry_window_of_an_older_release_s_request_closes(
    ledger: SqlLedger, world: World, make_intent: MakeIntent
) -> None:
    """Where nobody wrote down when a request was first done, its last end counts, until a reissue writes that down."""
    intent = make_intent()
    await ledger.succeed((await ledger.begin(intent)).lease, OUTCOME)
    world.execute("UPDATE requests SET done_at = NULL")
    world.advance(RETRY_WINDOW_SECONDS - 60)
    await ledger.succeed((await reopen(ledger, intent.key)).lease, OUTCOME)
    world.advance(61)
    assert await ledger.reopen(intent.key) is None


async def test_a_second_look_does_not_prolong_the_retry_window(
    ledger: SqlLedger, world: World, make_intent: MakeIntent
) -> None:
    """The window is counted from the request's own end, not from when somebody looked at it."""
    intent = make_intent()
    await ledger.begin(intent)
    world.advance(LEASE_SECONDS)
    claim = await ledger.take_over(intent.key)
    assert claim is not None
    await ledger.succeed(claim.lease, OUTCOME)
    world.advance(SECOND_LOOK_SECONDS)
    await ledger.end_second_look((await look_again(ledger)).lease, ())
    world.advance(RETRY_WINDOW_SECONDS - SECOND_LOOK_SECONDS + 60)
    assert await ledger.reopen(intent.key) is None


async def test_another_change_keeps_from_opening_again(ledger: SqlLedger, make_intent: MakeIntent) -> None:
    """Secrets are not issued again while another request works on the user."""
    intent = make_intent()
    await ledger.succeed((await ledger.begin(intent)).lease, OUTCOME)
    await ledger.begin(make_intent("row-2", request_id="request-2"))
    await assert_in_progress(ledger.reopen(intent.key))


async def test_a_second_look_keeps_from_opening_again(ledger: SqlLedger, world: World, make_intent: MakeIntent) -> None:
    """Nor while somebody looks at the same request; its retry window is not over in the meantime."""
    intent = make_intent()
    await ledger.begin(intent)
    world.advance(LEASE_SECONDS)
    claim = await ledger.take_over(intent.key)
    assert claim is not None
    await ledger.succeed(claim.lease, OUTCOME)
    world.advance(SECOND_LOOK_SECONDS)
    await look_again(ledger)
    await assert_in_progress(ledger.reopen(intent.key))


# Removal.


async def test_old_requests_are_removed(ledger: SqlLedger, world: World, make_intent: MakeIntent) -> None:
    """What ended longer ago than the retention is removed with its mints; the audit stays."""
    intent = make_intent()
    await ledger.succeed((await ledger.begin(intent)).lease, Outcome())
    world.advance(RETENTION_SECONDS - 60)
    young = make_intent("row-2", request_id="request-2")
    await ledger.succeed((await ledger.begin(young)).lease, Outcome())
    assert await ledger.remove_old() == 0
    world.advance(120)
    assert await ledger.remove_old() == 1
    assert await ledger.find(intent.key) is None
    assert await ledger.find(young.key) is not None
    assert [event.row_id for event in await ledger.read_audit()] == ["row-1", "row-1", "row-2", "row-2"]


async def test_what_is_still_to_be_worked_on_is_kept(ledger: SqlLedger, world: World, make_intent: MakeIntent) -> None:
    """Neither an unfinished request nor one that waits for its second look is removed, however old."""
    await ledger.begin(make_intent())
    await fail_to_be_seen_again(ledger, make_intent("row-2", request_id="request-2", user_name="Bob"))
    world.advance(100 * RETENTION_SECONDS)
    assert await ledger.remove_old() == 0
    await ledger.end_second_look((await look_again(ledger)).lease, ())
    assert await ledger.remove_old() == 1


async def test_many_are_removed_in_batches(
    ledger: SqlLedger, world: World, make_intent: MakeIntent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are, all are removed, a few at a time."""
    monkeypatch.setattr(ledger_module, "REMOVAL_BATCH", 2)
    for number in range(5):
        intent = make_intent(f"row-{number}", request_id=f"request-{number}")
        await ledger.succeed((await ledger.begin(intent)).lease, Outcome())
    world.advance(RETENTION_SECONDS + 60)
    assert await ledger.remove_old() == 5
    assert await ledger.remove_old() == 0


async def test_an_undone_request_is_held_without_being_opened(
    ledger: SqlLedger, world: World, make_intent: MakeIntent
) -> None:
    """Its state stays, its target is locked, one at a time holds it, and a death leaves nothing to take over."""
    intent = make_intent()
    await ledger.fail((await ledger.begin(intent)).lease, RETRYABLE, look_again=True)
    claim = await ledger.claim_undone(intent.key)
    assert claim is not None
    assert (claim.state, claim.interrupted) == (RequestState.UNDONE_RETRYABLE, False)
    await assert_in_progress(ledger.claim_undone(intent.key))
    await assert_in_progress(ledger.begin(make_intent("row-2", request_id="another")))
    world.advance(LEASE_SECONDS)
    assert await ledger.take_over(intent.key) is None
    assert await ledger.take_over_abandoned(9) == ()
    again = await ledger.claim_undone(intent.key)
    assert again is not None
    assert again.interrupted
    await assert_lost(ledger.leave_undone(claim.lease), claim.lease)
    await ledger.leave_undone(again.lease)
    await ledger.begin(make_intent("row-2", request_id="another"))


async def test_only_what_is_undone_is_held_so(ledger: SqlLedger, make_intent: MakeIntent) -> None:
    """What is unknown, runs or has failed for good is not claimed as undone."""
    intent = make_intent()
    assert await ledger.claim_undone(intent.key) is None
    running = await ledger.begin(intent)
    assert await ledger.claim_undone(intent.key) is None
    await ledger.fail(running.lease, PERMANENT, look_again=True)
    assert await ledger.claim_undone(intent.key) is None


async def test_leaving_puts_the_second_look_off(ledger: SqlLedger, world: World, make_intent: MakeIntent) -> None:
    """What was deleted just now may have been sent twice: the look comes after that has lost its validity."""
    intent = make_intent()
    await ledger.fail((await ledger.begin(intent)).lease, RETRYABLE, look_again=True)
    world.advance(SECOND_LOOK_SECONDS - 1)
    claim = await ledger.claim_undone(intent.key)
    assert claim is not None
    await ledger.leave_undone(claim.lease)
    world.advance(SECOND_LOOK_SECONDS - 1)
    assert await ledger.claim_second_look() is None
    world.advance(1)
    look = await ledger.claim_second_look()
    assert look is not None
    assert not look.interrupted


async def test_a_look_knows_what_was_done_since(ledger: SqlLedger, world: World, make_intent: MakeIntent) -> None:
    """It compares the account with the requests for its target that ended well since its own began, itself included."""
    await ledger.succeed((await ledger.begin(make_intent("before", request_id="before"))).lease, OUTCOME)
    world.advance(1)
    own = make_intent("own", request_id="own")
    first = await ledger.begin(own)
    world.advance(LEASE_SECONDS)
    taken = await ledger.take_over(own.key)
    assert taken is not None
    assert first.lease.epoch < taken.lease.epoch
    await ledger.succeed(taken.lease, OUTCOME)
    world.advance(1)
    await ledger.fail((await ledger.begin(make_intent("failed", request_id="failed"))).lease, PERMANENT)
    await ledger.succeed((await ledger.begin(make_intent("bob", request_id="bob", user_name="Bob"))).lease, OUTCOME)
    made = Outcome(user=UserRecord("ANN", "AIDAANN", "arn:aws:iam::123456789012:user/ANN", "/", world.clock()))
    await ledger.succeed((await ledger.begin(make_intent("later", request_id="later", user_name="ANN"))).lease, made)
    world.advance(SECOND_LOOK_SECONDS)
    past = await ledger.done_since((await look_again(ledger)).lease)
    assert [(request.row_id, request.user_id) for request in past] == [("own", ""), ("later", "AIDAANN")]
    assert past[0].plan == stored(own).plan
    assert past[0].begun_at < past[0].ended_at < past[1].begun_at <= past[1].ended_at


async def test_an_unreadable_row_does_not_blind_a_look(
    ledger: SqlLedger, world: World, make_intent: MakeIntent
) -> None:
    """What another release has written is left out: the look must come to an end."""
    await fail_to_be_seen_again(ledger, make_intent("own", request_id="own"))
    await ledger.succeed((await ledger.begin(make_intent("later", request_id="later"))).lease, OUTCOME)
    world.execute("UPDATE requests SET plan = '{}' WHERE row_id = 'later'")
    world.advance(SECOND_LOOK_SECONDS)
    assert await ledger.done_since((await look_again(ledger)).lease) == ()


async def test_keys_of_a_target_are_told(ledger: SqlLedger, make_intent: MakeIntent) -> None:
    """All that requests have made for a name, in any letter case, and nobody else's."""
    for row_id, user_name in {"row-1": "Ann", "row-2": "ANN", "row-3": "Bob"}.items():
        claim = await ledger.begin(make_intent(row_id, request_id=row_id, user_name=user_name))
        for key_id in (f"AKIA-{row_id}", ""):
            mint = await ledger.begin_mint(claim.lease, MintKind.ACCESS_KEY)
            if key_id:
                await ledger.record_mint(claim.lease, mint, key_id)
        await ledger.succeed(claim.lease, OUTCOME)
    plan = make_intent().plan
    assert await ledger.made_key_ids(plan.account_id, plan.target) == {"AKIA-row-1", "AKIA-row-2"}
