"""What the store tells an operator after a loss, and how it ends what a restored one takes for running."""

from collections.abc import Callable
from dataclasses import replace

from identity_service.adapters.store import SqlLedger
from identity_service.application.ledger import Intent, RequestKey, RequestState, UnfinishedRequest
from identity_service.domain import target
from identity_service.domain.entities import AccessKeyRecord, UserRecord, UserSnapshot
from identity_service.domain.minting import MintKind
from identity_service.domain.outcome import IssuedAccessKey, IssuedCredentials, Outcome
from tests.unit.adapters.store.expected import PERMANENT, RETRYABLE, assert_in_progress, assert_lost, failure_fields
from tests.unit.adapters.store.worlds import LEASE_SECONDS, RETENTION_SECONDS, SECOND_LOOK_SECONDS, World

MakeIntent = Callable[..., Intent]


def numbered(make_intent: MakeIntent, number: int) -> Intent:
    """Build an intent of its own row, request and user."""
    return make_intent(row_id=f"row-{number}", request_id=f"request-{number}", user_name=f"user-{number}")


async def test_it_tells_where_each_known_row_stands(ledger: SqlLedger, make_intent: MakeIntent) -> None:
    """A row that was never written is not among those that are known, nor one that was not asked for."""
    claims = [await ledger.begin(numbered(make_intent, number)) for number in range(5)]
    await ledger.succeed(claims[1].lease, Outcome())
    await ledger.fail(claims[2].lease, PERMANENT)
    await ledger.fail(claims[3].lease, RETRYABLE)
    assert await ledger.known_rows(["row-0", "row-1", "row-2", "row-3", "never"]) == {
        "row-0": RequestState.RUNNING,
        "row-1": RequestState.DONE,
        "row-2": RequestState.FAILED,
        "row-3": RequestState.UNDONE_RETRYABLE,
    }


async def test_removed_rows_and_their_keys_stay_known(
    ledger: SqlLedger, world: World, make_intent: MakeIntent, user: UserRecord
) -> None:
    """The audit log outlives the requests: what was made before the retention is no stranger."""
    done = await ledger.begin(numbered(make_intent, 0))
    failed = await ledger.begin(numbered(make_intent, 1))
    issued = IssuedCredentials(access_key=IssuedAccessKey("AKIAOLD", user.created_at))
    await ledger.succeed(done.lease, Outcome(user=user, credentials=issued))
    await ledger.fail(failed.lease, PERMANENT)
    world.advance(RETENTION_SECONDS + 1)
    assert await ledger.remove_old() == 2
    assert await ledger.known_rows(["row-0", "row-1"]) == {"row-0": RequestState.DONE, "row-1": RequestState.FAILED}
    assert await ledger.known_key_ids() == {"AKIAOLD"}


async def test_keys_are_known_that_were_made_or_found(
    ledger: SqlLedger, make_intent: MakeIntent, user: UserRecord
) -> None:
    """Keys of mints count, also voided ones, and keys of pre-images; passwords and mints without an answer do not."""
    before = UserSnapshot(user, access_keys=(AccessKeyRecord("AKIABEFORE", True, user.created_at),))
    lease = (await ledger.begin(make_intent(snapshot=before))).lease
    made = await ledger.begin_mint(lease, MintKind.ACCESS_KEY)
    await ledger.record_mint(lease, made, "AKIAMADE")
    await ledger.void_mints(lease, (made,))
    await ledger.record_mint(lease, await ledger.begin_mint(lease, MintKind.CONSOLE_PASSWORD), "Ann")
    await ledger.begin_mint(lease, MintKind.ACCESS_KEY)
    await ledger.begin(numbered(make_intent, 2))
    assert await ledger.known_key_ids() == {"AKIABEFORE", "AKIAMADE"}


async def test_unfinished_requests_are_listed_oldest_first(
    ledger: SqlLedger, world: World, make_intent: MakeIntent
) -> None:
    """Each comes with what an operator needs to find its caller, and with whether anybody works on it."""
    intent = make_intent()
    first = await ledger.begin(intent)
    world.advance(LEASE_SECONDS)
    await ledger.begin(numbered(make_intent, 5))
    await ledger.succeed((await ledger.begin(numbered(make_intent, 6))).lease, Outcome())
    old, new = await ledger.unfinished()
    assert old == UnfinishedRequest(
        row_id="row-1",
        key=intent.key,
        team="people-team",
        action="ProvisionUser",
        account_id=intent.plan.account_id,
        target=target.user("Ann"),
        state=RequestState.RUNNING,
        begun_at=old.begun_at if world.is_postgresql else first.begun_at,
        abandoned=True,
    )
    assert (new.target, new.abandoned) == (target.user("user-5"), False)


async def test_abandoned_requests_are_ended_for_good(ledger: SqlLedger, world: World, make_intent: MakeIntent) -> None:
    """They fail, are audited, let their targets go, and whoever comes back to life finds the lease lost."""
    intent = make_intent()
    first = await ledger.begin(intent)
    world.advance(LEASE_SECONDS)
    running = await ledger.begin(numbered(make_intent, 5))
    assert await ledger.end_abandoned(PERMANENT) == 1
    found = await ledger.find(intent.key)
    assert found is not None
    assert (found.state, found.abandoned, found.look_again) == (RequestState.FAILED, False, False)
    assert failure_fields(found.failure) == failure_fields(PERMANENT)
    assert (await ledger.read_audit())[-1].event == "failure"
    await assert_lost(ledger.succeed(first.lease, Outcome()), first.lease)
    await ledger.begin(replace(make_intent(row_id="row-9"), key=RequestKey("caller", "another")))
    await ledger.succeed(running.lease, Outcome())
    assert await ledger.end_abandoned(PERMANENT) == 0


async def test_a_request_that_is_worked_on_is_not_ended(ledger: SqlLedger, make_intent: MakeIntent) -> None:
    """Nothing happens to what a server holds the lease of."""
    intent = make_intent()
    claim = await ledger.begin(intent)
    assert await ledger.end_abandoned(PERMANENT) == 0
    await assert_in_progress(ledger.begin(replace(make_intent(row_id="row-9"), key=RequestKey("caller", "another"))))
    await ledger.succeed(claim.lease, Outcome())


async def test_second_looks_are_cancelled(ledger: SqlLedger, world: World, make_intent: MakeIntent) -> None:
    """A restored store must not go by what it knew about mints: neither a due look nor a begun one comes again."""
    for number in range(2):
        claim = await ledger.begin(numbered(make_intent, number))
        await ledger.fail(claim.lease, PERMANENT, look_again=True)
    world.advance(SECOND_LOOK_SECONDS)
    assert await ledger.claim_second_look() is not None
    world.advance(LEASE_SECONDS)
    assert await ledger.end_abandoned(RETRYABLE) == 0
    assert await ledger.claim_second_look() is None
    assert (await ledger.read_audit())[-1].event == "failure"
    await ledger.begin(replace(numbered(make_intent, 0), row_id="row-9", key=RequestKey("caller", "another")))
