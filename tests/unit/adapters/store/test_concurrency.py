"""What the ledger promises when many come at once, and when one dies."""

import asyncio
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from identity_service.adapters.store import SqlLedger
from identity_service.application.ports import Intent, LedgerRow, RequestKey
from identity_service.domain.errors import IdentityError
from identity_service.domain.outcome import Outcome
from tests.unit.adapters.store.expected import row_of

MakeIntent = Callable[..., Intent]
OpenLedger = Callable[..., Awaitable[SqlLedger]]

BEGIN_AND_DIE = """
import asyncio, os, signal, sys
from identity_service.adapters.store import SqlLedger
from identity_service.application.ports import Intent, RequestKey
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


async def results(attempts: Iterable[Awaitable[None]]) -> Counter[str]:
    """Run attempts at once and count how they end: `won`, or the reason of the refusal."""

    async def one(attempt: Awaitable[None]) -> str:
        try:
            await attempt
        except IdentityError as error:
            return error.reason.name
        return "won"

    return Counter(await asyncio.gather(*map(one, attempts)))


async def test_one_request_begins_once(open_ledger: OpenLedger, make_intent: MakeIntent) -> None:
    """Of fifty begins of one request, in two processes' stores, exactly one wins and leaves one audit line."""
    stores = [await open_ledger(), await open_ledger()]
    attempts = [stores[index % 2].begin(make_intent(row_id=f"row-{index}")) for index in range(50)]
    assert await results(attempts) == {"won": 1, "IN_PROGRESS": 49}
    assert len(await stores[0].read_audit()) == 1


async def test_one_user_is_changed_by_one_request(open_ledger: OpenLedger, make_intent: MakeIntent) -> None:
    """Of fifty requests for one user, in two processes' stores, exactly one gets the user."""
    stores = [await open_ledger(), await open_ledger()]
    attempts = [
        stores[index % 2].begin(make_intent(row_id=f"row-{index}", request_id=f"request-{index}"))
        for index in range(50)
    ]
    assert await results(attempts) == {"won": 1, "IN_PROGRESS": 49}
    assert len(await stores[0].read_audit()) == 1


async def test_different_users_all_begin(open_ledger: OpenLedger, make_intent: MakeIntent) -> None:
    """Fifty requests for fifty users, in two processes' stores, all begin: nobody is turned away by a busy store."""
    stores = [await open_ledger(), await open_ledger()]
    attempts = [
        stores[index % 2].begin(
            make_intent(row_id=f"row-{index}", request_id=f"request-{index}", user_name=f"user-{index}")
        )
        for index in range(50)
    ]
    assert await results(attempts) == {"won": 50}


async def test_one_end_wins(ledger: SqlLedger, make_intent: MakeIntent) -> None:
    """Of many ends of one row exactly one is stored."""
    await ledger.begin(make_intent())
    assert await results(ledger.succeed("row-1", Outcome()) for _ in range(20)) == {"won": 1, "CONFLICT": 19}


async def test_what_was_begun_before_the_close_is_finished(ledger: SqlLedger, make_intent: MakeIntent) -> None:
    """Closing waits for the work that was handed in before."""
    begun = asyncio.ensure_future(ledger.begin(make_intent()))
    await asyncio.sleep(0)
    await ledger.close()
    await begun


async def test_an_intent_outlives_the_process(database_file: Path, open_ledger: OpenLedger) -> None:
    """The intent of a process that was killed right after begin is there for the next one, with its audit line."""
    died = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", BEGIN_AND_DIE, f"sqlite:///{database_file}"], check=False, timeout=60
    )
    assert died.returncode == -signal.SIGKILL
    survivor = await open_ledger()
    row = await survivor.find(RequestKey("caller", "request"))
    assert isinstance(row, LedgerRow)
    assert (row.row_id, row.outcome, row.failure) == ("row-1", None, None)
    assert [event.event for event in await survivor.read_audit()] == ["intent"]


async def test_a_second_store_sees_what_the_first_left_open(
    ledger: SqlLedger, open_ledger: OpenLedger, make_intent: MakeIntent
) -> None:
    """A store on the same file sees an intent although the first one was never closed."""
    intent = make_intent()
    await ledger.begin(intent)
    assert await (await open_ledger()).find(intent.key) == row_of(intent, lease_expired=False)
