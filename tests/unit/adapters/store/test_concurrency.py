"""What the ledger promises when many come at once, and when one dies; on each engine."""

import asyncio
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable

from identity_service.adapters.store import SqlLedger
from identity_service.application.lease import LeaseLostError
from identity_service.application.ledger import Intent, LedgerRow, RequestKey
from identity_service.domain.errors import IdentityError
from identity_service.domain.outcome import Outcome
from tests.unit.adapters.store.expected import PERMANENT, row_of
from tests.unit.adapters.store.worlds import LEASE_SECONDS, SECOND_LOOK_SECONDS, World

MakeIntent = Callable[..., Intent]

BEGIN_AND_DIE = """
import asyncio, os, signal, sys
from identity_service.adapters.store import SqlLedger
from identity_service.application.ledger import Intent, RequestKey
from identity_service.domain import target
from identity_service.domain.plan import Plan

async def main():
    ledger = SqlLedger(sys.argv[1])
    await ledger.open()
    plan = Plan("123456789012", target.user("Ann"))
    key = RequestKey("caller", "request")
    await ledger.begin(Intent("row-1", key, "team", "CreateUser", "fingerprint", plan, None))
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def results(attempts: Iterable[Awaitable[object]]) -> Counter[str]:
    """Run attempts at once and count how they end: `won`, `nothing`, `lost` or the reason of the refusal."""

    async def one(attempt: Awaitable[object]) -> str:
        try:
            return "nothing" if await attempt is None else "won"
        except IdentityError as error:
            return error.reason.name
        except LeaseLostError:
            return "lost"

    return Counter(await asyncio.gather(*map(one, attempts)))


async def test_one_request_begins_once(world: World, make_intent: MakeIntent) -> None:
    """Of fifty begins of one request, in two processes' stores, exactly one wins and leaves one audit line."""
    stores = [await world.open(), await world.open()]
    attempts = [stores[index % 2].begin(make_intent(row_id=f"row-{index}")) for index in range(50)]
    assert await results(attempts) == {"won": 1, "IN_PROGRESS": 49}
    assert len(await stores[0].read_audit()) == 1


async def test_one_user_is_changed_by_one_request(world: World, make_intent: MakeIntent) -> None:
    """Of fifty requests for one user, in two processes' stores, exactly one gets the user."""
    stores = [await world.open(), await world.open()]
    attempts = [
        stores[index % 2].begin(make_intent(row_id=f"row-{index}", request_id=f"request-{index}"))
        for index in range(50)
    ]
    assert await results(attempts) == {"won": 1, "IN_PROGRESS": 49}
    assert len(await stores[0].read_audit()) == 1


async def test_different_users_all_begin(world: World, make_intent: MakeIntent) -> None:
    """Fifty requests for fifty users, in two processes' stores, all begin: nobody is turned away by a busy store."""
    stores = [await world.open(), await world.open()]
    attempts = [
        stores[index % 2].begin(
            make_intent(row_id=f"row-{index}", request_id=f"request-{index}", user_name=f"user-{index}")
        )
        for index in range(50)
    ]
    assert await results(attempts) == {"won": 50}


async def test_one_end_wins(ledger: SqlLedger, make_intent: MakeIntent) -> None:
    """Of many ends of one request exactly one is stored."""
    claim = await ledger.begin(make_intent())
    ends = await results(ledger.succeed(claim.lease, Outcome()) for _ in range(20))
    assert ends == {"nothing": 1, "lost": 19}
    assert [event.event for event in await ledger.read_audit()] == ["intent", "outcome"]


async def test_one_takeover_wins(world: World, make_intent: MakeIntent) -> None:
    """Of many retries of an abandoned request, at two replicas, exactly one goes on with it."""
    stores = [await world.open(), await world.open()]
    intent = make_intent()
    await stores[0].begin(intent)
    world.advance(LEASE_SECONDS)
    taken = await results(stores[index % 2].take_over(intent.key) for index in range(20))
    assert taken == {"won": 1, "nothing": 19}


async def test_an_end_and_a_takeover_do_not_both_win(world: World, make_intent: MakeIntent) -> None:
    """Where an attempt ends just when another takes it over, one of them is told that it is too late."""
    stores = [await world.open(), await world.open()]
    claims = [
        await stores[0].begin(make_intent(f"row-{number}", request_id=f"request-{number}", user_name=f"u{number}"))
        for number in range(20)
    ]
    world.advance(LEASE_SECONDS)
    attempts: list[Awaitable[object]] = [stores[0].succeed(claim.lease, Outcome()) for claim in claims]
    attempts += [stores[1].take_over(claim.intent.key) for claim in claims]
    ends = await results(attempts)
    # An end returns nothing, and so does a takeover that found the end; they come in pairs.
    assert ends["nothing"] % 2 == 0
    assert ends["won"] == ends["lost"]
    assert ends["nothing"] // 2 + ends["won"] == 20


async def test_two_workers_never_claim_the_same(world: World, make_intent: MakeIntent) -> None:
    """Abandoned requests are shared out: each is claimed by one worker, and all are."""
    stores = [await world.open(), await world.open()]
    for number in range(20):
        await stores[0].begin(make_intent(f"row-{number}", request_id=f"request-{number}", user_name=f"u{number}"))
    world.advance(LEASE_SECONDS)
    taken: list[str] = []
    while batches := [
        batch for batch in await asyncio.gather(*(s.take_over_abandoned(3) for s in stores * 2)) if batch
    ]:
        taken += [claim.lease.row_id for batch in batches for claim in batch]
    assert sorted(taken) == sorted(f"row-{number}" for number in range(20))


async def test_two_workers_never_look_at_the_same(world: World, make_intent: MakeIntent) -> None:
    """Second looks of twelve requests for four users: one look per request, and one per user at a time."""
    stores = [await world.open(), await world.open()]
    for number in range(12):
        intent = make_intent(f"row-{number}", request_id=f"request-{number}", user_name=f"user-{number % 4}")
        await stores[0].fail((await stores[0].begin(intent)).lease, PERMANENT, look_again=True)
    world.advance(SECOND_LOOK_SECONDS)
    looked_at: list[str] = []
    while claims := [c for c in await asyncio.gather(*(s.claim_second_look() for s in stores * 4)) if c is not None]:
        users = [claim.intent.plan.target.key for claim in claims]
        assert len(users) == len(set(users))
        looked_at += [claim.lease.row_id for claim in claims]
        for claim in claims:
            await stores[0].end_second_look(claim.lease, ())
    assert sorted(looked_at) == sorted(f"row-{number}" for number in range(12))


async def test_what_was_begun_before_the_close_is_finished(
    ledger: SqlLedger, world: World, make_intent: MakeIntent
) -> None:
    """Closing waits for the work that was handed in before."""
    intent = make_intent()
    begun = asyncio.ensure_future(ledger.begin(intent))
    await asyncio.sleep(0)
    await ledger.close()
    await begun
    assert await (await world.open()).find(intent.key) == row_of(intent)


async def test_an_intent_outlives_the_process(world: World) -> None:
    """The intent of a process that was killed right after begin is there for the next one, with its audit line."""
    died = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", BEGIN_AND_DIE, world.url], check=False, timeout=60
    )
    assert died.returncode == -signal.SIGKILL
    survivor = await world.open()
    row = await survivor.find(RequestKey("caller", "request"))
    assert isinstance(row, LedgerRow)
    assert (row.intent.row_id, row.outcome, row.failure) == ("row-1", None, None)
    assert [event.event for event in await survivor.read_audit()] == ["intent"]


async def test_a_second_store_sees_what_the_first_left_open(
    ledger: SqlLedger, world: World, make_intent: MakeIntent
) -> None:
    """A store on the same database sees an intent although the first one was never closed."""
    intent = make_intent()
    await ledger.begin(intent)
    assert await (await world.open()).find(intent.key) == row_of(intent)
