"""What the ledger promises of a request that begins and ends undisturbed, on each engine."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from identity_service.adapters.store import SqlLedger
from identity_service.application.ledger import Failure, Intent, RequestKey, RequestState
from identity_service.domain.entities import UserRecord, UserSnapshot
from identity_service.domain.errors import IdentityError, Reason
from identity_service.domain.minting import MintKind
from identity_service.domain.outcome import Outcome
from tests.unit.adapters.store.expected import (
    PERMANENT,
    RETRYABLE,
    assert_in_progress,
    assert_lost,
    failure_fields,
    refusal,
    row_of,
    stored,
)
from tests.unit.adapters.store.worlds import LEASE_SECONDS, World

MakeIntent = Callable[..., Intent]


async def test_an_unknown_request_is_none(ledger: SqlLedger) -> None:
    """What was never begun is not known."""
    assert await ledger.find(RequestKey("spiffe://example.org/bot", "no-such-request")) is None


async def test_a_begun_request_runs(ledger: SqlLedger, make_intent: MakeIntent, user: UserRecord) -> None:
    """A begun request is found running in its first epoch, with all of its intent."""
    snapshot = UserSnapshot(user=user, inline_policies={"old": "{}"})
    intent = replace(make_intent(snapshot=snapshot), forward_only=True, needs_caller=True)
    await ledger.begin(intent)
    assert await ledger.find(intent.key) == row_of(intent)


async def test_a_pre_image_older_than_another_change_is_refused(
    ledger: SqlLedger, world: World, make_intent: MakeIntent, user: UserRecord
) -> None:
    """What was planned before another request for the user had ended does not begin."""
    snapshot = UserSnapshot(user=user)
    claim = await ledger.begin(make_intent(snapshot=snapshot), world.clock.monotonic)
    await ledger.succeed(claim.lease, Outcome())
    late = make_intent("row-2", request_id="6f1c0e9e-0f63-4e0b-9d4f-0a4f3b5d8a02", snapshot=snapshot)
    await assert_in_progress(ledger.begin(late, world.clock.monotonic - 5))
    assert await ledger.find(late.key) is None
    await ledger.begin(late, world.clock.monotonic)
    assert await ledger.find(late.key) == row_of(late)


async def test_a_claim_holds_what_an_attempt_needs(ledger: SqlLedger, world: World, make_intent: MakeIntent) -> None:
    """The claim of a new request has the intent as it was given, a whole lease and the database's time."""
    intent = make_intent()
    claim = await ledger.begin(intent)
    (row,) = world.execute("SELECT created_at FROM requests")
    assert claim.intent == intent
    assert (claim.state, claim.mints, claim.other_key_ids) == (RequestState.RUNNING, (), frozenset())
    assert (claim.lease.row_id, claim.lease.epoch) == ("row-1", 1)
    assert claim.lease.remaining() == LEASE_SECONDS
    if world.is_postgresql:
        assert claim.begun_at == row["created_at"]
    else:
        assert claim.begun_at == world.clock.now


async def test_the_whole_plan_is_stored(ledger: SqlLedger, world: World, make_intent: MakeIntent) -> None:
    """The row holds the authorized plan for whoever has to look, warnings and documents included."""
    await ledger.begin(make_intent(document='{"Sid":"InTheRow"}'))
    (row,) = world.execute("SELECT CAST(plan AS TEXT) AS plan FROM requests")
    assert "DIRECT_ATTACHMENT" in row["plan"]
    assert "InTheRow" in row["plan"]


async def test_what_is_absent_is_null(ledger: SqlLedger, world: World, make_intent: MakeIntent) -> None:
    """Where there is no user, outcome or failure, the row holds SQL's NULL and not JSON's null."""
    await ledger.begin(make_intent(snapshot=None))
    absent = "SELECT row_id FROM requests WHERE snapshot IS NULL AND outcome IS NULL AND failure IS NULL"
    assert world.execute(absent) == [{"row_id": "row-1"}]


async def test_request_ids_of_two_callers_are_two_requests(ledger: SqlLedger, make_intent: MakeIntent) -> None:
    """A request id belongs to its caller: another one's same id is another request."""
    await ledger.begin(make_intent())
    other = make_intent(row_id="row-2", caller_id="spiffe://example.org/other", user_name="Bob")
    assert await ledger.find(other.key) is None
    await ledger.begin(other)
    assert await ledger.find(other.key) == row_of(other)


async def test_the_same_request_is_in_progress(ledger: SqlLedger, make_intent: MakeIntent) -> None:
    """A second begin of a running request is refused, with a time to come back."""
    await ledger.begin(make_intent())
    await assert_in_progress(ledger.begin(make_intent(row_id="row-2")))


async def test_an_abandoned_request_is_not_begun_again(
    ledger: SqlLedger, world: World, make_intent: MakeIntent
) -> None:
    """A dead attempt is shown as such, but begin does not put another one in its place."""
    intent = make_intent()
    await ledger.begin(intent)
    world.advance(LEASE_SECONDS - 60)
    assert await ledger.find(intent.key) == row_of(intent)
    world.advance(60)
    assert await ledger.find(intent.key) == row_of(intent, abandoned=True)
    await assert_in_progress(ledger.begin(intent))


@pytest.mark.parametrize("user_name", ["Ann", "ANN", "ann"])
async def test_one_change_of_a_user_at_a_time(ledger: SqlLedger, make_intent: MakeIntent, user_name: str) -> None:
    """Another request for the same user, in any letter case, waits; it is told neither whose nor which request runs."""
    await ledger.begin(make_intent())
    waiting = make_intent("row-2", "spiffe://example.org/other", "another-request", user_name)
    await assert_in_progress(ledger.begin(waiting))
    error = await refusal(ledger.begin(waiting))
    told = f"{error} {error.metadata}"
    assert not [word for word in ("onboarding-bot", "6f1c0e9e", "row-1", "people-team") if word in told]


async def test_users_and_accounts_do_not_wait_for_each_other(ledger: SqlLedger, make_intent: MakeIntent) -> None:
    """Another user, and the same name in another account, may be changed meanwhile."""
    await ledger.begin(make_intent())
    await ledger.begin(make_intent(row_id="row-2", request_id="request-2", user_name="Bob"))
    await ledger.begin(make_intent(row_id="row-3", request_id="request-3", account_id="210987654321"))


async def test_a_refused_begin_leaves_nothing(ledger: SqlLedger, make_intent: MakeIntent) -> None:
    """A request that did not get the user's lock has neither row nor audit line."""
    await ledger.begin(make_intent())
    waiting = make_intent(row_id="row-2", request_id="request-2")
    await assert_in_progress(ledger.begin(waiting))
    assert await ledger.find(waiting.key) is None
    assert [event.row_id for event in await ledger.read_audit()] == ["row-1"]


async def test_a_lock_outlives_its_lease(ledger: SqlLedger, world: World, make_intent: MakeIntent) -> None:
    """Whatever a dead attempt has left half done has to be ended first: the user stays locked until then."""
    await ledger.begin(make_intent())
    world.advance(100 * LEASE_SECONDS)
    await assert_in_progress(ledger.begin(make_intent(row_id="row-2", request_id="request-2")))


async def test_success_is_stored_and_frees_the_user(
    ledger: SqlLedger, make_intent: MakeIntent, user: UserRecord
) -> None:
    """The outcome comes back equal, and the next change of the user may begin."""
    intent = make_intent()
    outcome = Outcome(user=user, sign_in_url="https://example.signin.aws.amazon.com/console")
    claim = await ledger.begin(intent)
    await ledger.succeed(claim.lease, outcome)
    assert await ledger.find(intent.key) == row_of(intent, RequestState.DONE, outcome=outcome)
    await ledger.begin(make_intent(row_id="row-2", request_id="request-2"))


@pytest.mark.parametrize(
    ("failure", "state"), [(PERMANENT, RequestState.FAILED), (RETRYABLE, RequestState.UNDONE_RETRYABLE)]
)
async def test_failure_is_stored_and_frees_the_user(
    ledger: SqlLedger, make_intent: MakeIntent, failure: Failure, state: RequestState
) -> None:
    """The failure comes back with its error, and the next change of the user may begin."""
    intent = make_intent()
    claim = await ledger.begin(intent)
    await ledger.fail(claim.lease, failure)
    row = await ledger.find(intent.key)
    assert row is not None
    assert (row.state, failure_fields(row.failure)) == (state, failure_fields(failure))
    await ledger.begin(make_intent(row_id="row-2", request_id="request-2"))


async def test_what_has_ended_is_not_abandoned(ledger: SqlLedger, world: World, make_intent: MakeIntent) -> None:
    """However long ago it ended, a finished request is nobody's to take over."""
    intent = make_intent()
    await ledger.succeed((await ledger.begin(intent)).lease, Outcome())
    world.advance(100 * LEASE_SECONDS)
    assert await ledger.find(intent.key) == row_of(intent, RequestState.DONE, outcome=Outcome())
    assert await ledger.take_over(intent.key) is None
    assert await ledger.take_over_abandoned(10) == ()


async def test_an_undone_request_runs_again(ledger: SqlLedger, world: World, make_intent: MakeIntent) -> None:
    """After a retryable failure the same row runs in the next epoch, by the new intent and with the old mints."""
    first = await ledger.begin(make_intent())
    await ledger.begin_mint(first.lease, MintKind.ACCESS_KEY)
    await ledger.fail(first.lease, RETRYABLE)
    world.advance(60)
    intent = make_intent(fingerprint="fingerprint-2", user_name="ann")
    again = await ledger.begin(intent)
    assert await ledger.find(intent.key) == row_of(intent, epoch=2)
    assert (again.lease.epoch, again.failure, len(again.mints)) == (2, None, 1)
    assert again.lease.remaining() == LEASE_SECONDS
    (row,) = world.execute("SELECT updated_at > created_at AS later FROM requests")
    assert row["later"]


async def test_an_undone_request_keeps_its_row(ledger: SqlLedger, make_intent: MakeIntent) -> None:
    """A plan with another row id was made before the request began elsewhere: what IAM has bears the first one."""
    await ledger.fail((await ledger.begin(make_intent())).lease, RETRYABLE)
    with pytest.raises(IdentityError) as refused:
        await ledger.begin(make_intent(row_id="row-2"))
    assert refused.value.reason is Reason.IN_PROGRESS


async def test_what_has_ended_for_good_does_not_begin_again(ledger: SqlLedger, make_intent: MakeIntent) -> None:
    """Whoever begins a request that has just ended has lost a race, and finds its end on the next try."""
    await ledger.succeed((await ledger.begin(make_intent())).lease, Outcome())
    await assert_in_progress(ledger.begin(make_intent(row_id="row-2")))
    other = make_intent(row_id="row-3", request_id="request-3")
    await ledger.fail((await ledger.begin(other)).lease, PERMANENT)
    await assert_in_progress(ledger.begin(other))


async def test_a_request_ends_once(ledger: SqlLedger, make_intent: MakeIntent) -> None:
    """A second end, whatever it says, changes nothing and is not audited."""
    intent = make_intent()
    claim = await ledger.begin(intent)
    await ledger.succeed(claim.lease, Outcome(sign_in_url="https://first"))
    await assert_lost(ledger.fail(claim.lease, PERMANENT), claim.lease)
    await assert_lost(ledger.succeed(claim.lease, Outcome()), claim.lease)
    row = await ledger.find(intent.key)
    assert row == row_of(intent, RequestState.DONE, outcome=Outcome(sign_in_url="https://first"))
    assert [event.event for event in await ledger.read_audit()] == ["intent", "outcome"]


async def test_a_lease_that_ran_out_may_still_end_its_request(
    ledger: SqlLedger, world: World, make_intent: MakeIntent
) -> None:
    """What was done before anybody took over counts, however late it is written down."""
    claim = await ledger.begin(make_intent())
    world.advance(2 * LEASE_SECONDS)
    assert claim.lease.remaining() < 0
    await ledger.succeed(claim.lease, Outcome())


async def test_the_store_is_kept_over_a_restart(
    ledger: SqlLedger, world: World, make_intent: MakeIntent, user: UserRecord
) -> None:
    """What was stored is there after the store was closed and opened again."""
    intent = make_intent()
    await ledger.succeed((await ledger.begin(intent)).lease, Outcome(user=user))
    await ledger.close()
    reopened = await world.open()
    assert await reopened.find(intent.key) == row_of(intent, RequestState.DONE, outcome=Outcome(user=user))


async def test_a_stored_intent_is_what_a_takeover_gets(
    ledger: SqlLedger, world: World, make_intent: MakeIntent
) -> None:
    """Recipients, sign-in address and plan reach whoever carries the request on."""
    intent = make_intent()
    await ledger.begin(intent)
    world.advance(LEASE_SECONDS)
    claim = await ledger.take_over(intent.key)
    assert claim is not None
    assert claim.intent == stored(intent)
