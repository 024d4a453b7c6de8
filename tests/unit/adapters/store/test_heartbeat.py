"""What the heartbeat renews, what it lets go, and what happens where it cannot."""

import asyncio
import gc
from collections.abc import Callable
from pathlib import Path

import pytest

from identity_service.adapters.store import SqlLedger
from identity_service.adapters.store.heartbeat import Heartbeat
from identity_service.application.ledger import Claim, Intent
from identity_service.domain.errors import IdentityError
from identity_service.domain.outcome import Outcome
from tests.unit.adapters.store.expected import PERMANENT, assert_in_progress
from tests.unit.adapters.store.worlds import LEASE_SECONDS, SECOND_LOOK_SECONDS, World

MakeIntent = Callable[..., Intent]


async def beat(ledger: SqlLedger) -> None:
    """Let the heart beat once."""
    await asyncio.to_thread(ledger.heartbeat.beat)


def move_away(file: Path) -> Path:
    """Take a file away, so that its store cannot be used; return where it is."""
    return file.rename(file.with_suffix(".moved"))


def move_back(moved: Path, file: Path) -> None:
    """Put a file back."""
    moved.rename(file)


async def is_abandoned(ledger: SqlLedger, claim: Claim) -> bool:
    """Tell whether the database says so."""
    row = await ledger.find(claim.intent.key)
    assert row is not None
    return row.abandoned


async def test_a_beat_renews_every_lease(ledger: SqlLedger, world: World, make_intent: MakeIntent) -> None:
    """All leases hold for a whole term more, in the database and here."""
    claims = [
        await ledger.begin(make_intent(f"row-{number}", request_id=f"request-{number}", user_name=f"user-{number}"))
        for number in range(3)
    ]
    world.advance(LEASE_SECONDS - 60)
    await beat(ledger)
    assert [claim.lease.remaining() for claim in claims] == [LEASE_SECONDS] * 3
    world.advance(LEASE_SECONDS - 60)
    assert not [claim for claim in claims if await is_abandoned(ledger, claim)]
    world.advance(60)
    assert [claim.lease.remaining() for claim in claims] == [0] * 3
    assert len(await ledger.take_over_abandoned(10)) == 3


async def test_a_lease_that_ran_out_is_renewed_if_nobody_took_it(
    ledger: SqlLedger, world: World, make_intent: MakeIntent
) -> None:
    """After a pause that nobody noticed, the attempt goes on."""
    claim = await ledger.begin(make_intent())
    world.advance(2 * LEASE_SECONDS)
    await beat(ledger)
    assert claim.lease.remaining() == LEASE_SECONDS
    assert not await is_abandoned(ledger, claim)


async def test_a_beat_loses_what_was_taken_over(ledger: SqlLedger, world: World, make_intent: MakeIntent) -> None:
    """A paused process learns that another one has its request, and does not renew that one's lease."""
    paused = await ledger.begin(make_intent())
    world.advance(LEASE_SECONDS)
    other = await world.open()
    taken = await other.take_over(paused.intent.key)
    assert taken is not None
    world.advance(LEASE_SECONDS - 60)
    paused.lease.extend(1e9)
    await beat(ledger)
    assert paused.lease.remaining() == 0
    world.advance(60)
    assert await is_abandoned(other, taken)


@pytest.mark.parametrize("end", ["succeed", "fail", "release"])
async def test_an_end_is_not_renewed(ledger: SqlLedger, world: World, make_intent: MakeIntent, end: str) -> None:
    """A beat after the end of a request changes nothing of it."""
    claim = await ledger.begin(make_intent())
    if end == "succeed":
        await ledger.succeed(claim.lease, Outcome())
    elif end == "fail":
        await ledger.fail(claim.lease, PERMANENT)
    else:
        await ledger.release(claim.lease)
    before = world.execute("SELECT state, epoch, lease_expires_at FROM requests")
    await beat(ledger)
    assert world.execute("SELECT state, epoch, lease_expires_at FROM requests") == before


async def test_a_beat_that_meets_an_end_lets_it_be(ledger: SqlLedger, world: World, make_intent: MakeIntent) -> None:
    """A lease that the heartbeat still holds, although its request has ended, is lost and not renewed."""
    claim = await ledger.begin(make_intent())
    await ledger.succeed(claim.lease, Outcome())
    ledger.heartbeat.hold(claim.lease)
    await beat(ledger)
    assert claim.lease.remaining() == 0
    assert world.execute("SELECT lease_expires_at FROM requests") == [{"lease_expires_at": None}]


async def test_a_second_look_is_renewed(ledger: SqlLedger, world: World, make_intent: MakeIntent) -> None:
    """Its lease is one like any other, until it ends."""
    await ledger.fail((await ledger.begin(make_intent())).lease, PERMANENT, look_again=True)
    world.advance(SECOND_LOOK_SECONDS)
    claim = await ledger.claim_second_look()
    assert claim is not None
    world.advance(LEASE_SECONDS - 60)
    await beat(ledger)
    world.advance(LEASE_SECONDS - 60)
    await assert_in_progress(ledger.begin(make_intent("row-2", request_id="request-2")))
    await ledger.end_second_look(claim.lease, ())
    await beat(ledger)
    await ledger.begin(make_intent("row-2", request_id="request-2"))


async def test_what_a_takeover_claims_is_renewed(ledger: SqlLedger, world: World, make_intent: MakeIntent) -> None:
    """However a request was claimed, its lease is held."""
    intent = make_intent()
    await ledger.release((await ledger.begin(intent)).lease)
    (taken,) = await ledger.take_over_abandoned(1)
    world.advance(LEASE_SECONDS - 60)
    await beat(ledger)
    assert taken.lease.remaining() == LEASE_SECONDS
    await ledger.succeed(taken.lease, Outcome())
    reopened = await ledger.reopen(intent.key)
    assert reopened is not None
    world.advance(LEASE_SECONDS - 60)
    await beat(ledger)
    assert reopened.lease.remaining() == LEASE_SECONDS


async def test_a_claim_that_nobody_got_is_not_renewed(ledger: SqlLedger, world: World, make_intent: MakeIntent) -> None:
    """A request whose caller was cancelled while the store began it is abandoned once its lease runs out."""
    intent = make_intent()
    begins = asyncio.ensure_future(ledger.begin(intent))
    await asyncio.sleep(0)
    begins.cancel()
    with pytest.raises(asyncio.CancelledError):
        await begins
    # Once the store has done it, or has not begun to: both may be.
    await ledger.close()
    other = await world.open()
    await beat(ledger)
    world.advance(LEASE_SECONDS)
    row = await other.find(intent.key)
    assert row is None or row.abandoned


async def test_a_claim_that_was_dropped_is_not_renewed(
    ledger: SqlLedger, world: World, make_intent: MakeIntent
) -> None:
    """An attempt that ended without a word leaves its request to others: nobody refers to its lease any more."""
    intent = make_intent()
    await ledger.begin(intent)
    await asyncio.sleep(0)  # the event loop still has the answer in its hands
    gc.collect()
    world.advance(LEASE_SECONDS - 60)
    await beat(ledger)
    world.advance(60)
    assert await ledger.take_over(intent.key) is not None


async def test_a_release_that_fails_is_not_renewed(
    sqlite_world: World, make_intent: MakeIntent, database_file: Path
) -> None:
    """Who gives up while the store is away is not held to it when the store comes back."""
    ledger = await sqlite_world.open()
    claim = await ledger.begin(make_intent())
    moved = move_away(database_file)
    with pytest.raises(IdentityError):
        await ledger.release(claim.lease)
    move_back(moved, database_file)
    sqlite_world.advance(LEASE_SECONDS)
    await beat(ledger)
    assert await is_abandoned(ledger, claim)


async def test_an_end_that_fails_is_renewed(sqlite_world: World, make_intent: MakeIntent, database_file: Path) -> None:
    """An attempt whose outcome could not be stored still has to clean up, and keeps its lease for that."""
    ledger = await sqlite_world.open()
    claim = await ledger.begin(make_intent())
    moved = move_away(database_file)
    with pytest.raises(IdentityError):
        await ledger.succeed(claim.lease, Outcome())
    move_back(moved, database_file)
    sqlite_world.advance(LEASE_SECONDS)
    await beat(ledger)
    assert claim.lease.remaining() == LEASE_SECONDS


async def test_a_beat_without_a_database_lets_leases_run_out(
    sqlite_world: World, make_intent: MakeIntent, database_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A renewal that was not written counts for nothing; the log says so, and a later beat works again."""
    ledger = await sqlite_world.open()
    claim = await ledger.begin(make_intent())
    moved = move_away(database_file)
    sqlite_world.advance(LEASE_SECONDS)
    await beat(ledger)
    assert claim.lease.remaining() == 0
    assert "leases_not_renewed" in capsys.readouterr().out
    move_back(moved, database_file)
    await beat(ledger)
    assert claim.lease.remaining() == LEASE_SECONDS


async def test_a_renewal_counts_from_before_the_database_was_asked(
    sqlite_world: World, make_intent: MakeIntent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the database takes to answer, the lease ends here before it ends there."""
    ledger = await sqlite_world.open()
    claim = await ledger.begin(make_intent())
    renew = Heartbeat._renew

    def slowly(heartbeat: Heartbeat, *arguments: object) -> object:
        sqlite_world.clock.monotonic += 20
        return renew(heartbeat, *arguments)  # type: ignore[arg-type]  # handed through as they come

    monkeypatch.setattr(Heartbeat, "_renew", slowly)
    await beat(ledger)
    assert claim.lease.remaining() == LEASE_SECONDS - 20


async def test_the_thread_beats_by_itself(sqlite_world: World, make_intent: MakeIntent) -> None:
    """Three times per lease a beat comes, without anybody asking, and whatever went wrong in the one before."""
    ledger = sqlite_world.build(lease_seconds=0.03)
    beaten = asyncio.Event()
    loop = asyncio.get_running_loop()
    beats = 0

    def count() -> None:
        nonlocal beats
        beats += 1
        if beats == 3:
            loop.call_soon_threadsafe(beaten.set)
        raise RuntimeError("a fault that nobody thought of")

    ledger.heartbeat.beat = count  # type: ignore[method-assign]  # counted instead
    await ledger.open()
    await asyncio.wait_for(beaten.wait(), 30)
    await ledger.close()
