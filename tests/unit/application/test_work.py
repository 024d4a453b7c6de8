"""Work that the server owns."""

import asyncio

import pytest

from identity_service.application.work import OwnedWork
from identity_service.domain.errors import IdentityError, Reason

LONG = 30.0


async def answer(value: str) -> str:
    """Work that ends at once."""
    return value


async def test_work_answers_who_waits() -> None:
    """The result, or the exception, comes to the one that waits."""

    async def fail() -> None:
        raise LookupError

    work = OwnedWork(maximum=1)
    assert await work.run(lambda: answer("done")) == "done"
    with pytest.raises(LookupError):
        await work.run(fail)
    assert work.running == 0


async def test_a_cancelled_waiter_does_not_cancel_the_work() -> None:
    """Cancelling the wait leaves the work to finish."""
    work = OwnedWork(maximum=1)
    go, done = asyncio.Event(), asyncio.Event()

    async def steps() -> None:
        await go.wait()
        done.set()

    waiter = asyncio.create_task(work.run(steps))
    await asyncio.sleep(0)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    go.set()
    assert await work.drain(LONG) == 0
    assert done.is_set()


async def test_one_account_cannot_take_all_places() -> None:
    """Work of an account whose share is taken is refused with its id, that of another is done; places come back."""
    work = OwnedWork(maximum=4, maximum_each=2)
    go = asyncio.Event()
    stuck = [asyncio.create_task(work.run(go.wait, "one")) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(IdentityError) as refused:
        await work.run(lambda: answer("too much"), "one")
    assert (refused.value.reason, refused.value.metadata) == (Reason.OVERLOADED, {"account_id": "one"})
    assert await work.run(lambda: answer("other"), "two") == "other"
    assert await work.run(lambda: answer("nobody's"), "") == "nobody's"
    go.set()
    await asyncio.gather(*stuck)
    assert await work.run(lambda: answer("again"), "one") == "again"


async def test_the_limit_counts_abandoned_work() -> None:
    """Work whose waiter is gone holds its place until it ends."""
    work = OwnedWork(maximum=1)
    go = asyncio.Event()
    waiter = asyncio.create_task(work.run(go.wait))
    await asyncio.sleep(0)
    waiter.cancel()
    await asyncio.gather(waiter, return_exceptions=True)
    with pytest.raises(IdentityError) as refused:
        await work.run(lambda: answer("too much"))
    assert refused.value.reason is Reason.OVERLOADED
    assert refused.value.retry_after is not None
    go.set()
    await work.drain(LONG)


async def test_draining_refuses_new_work() -> None:
    """From the start of a drain on, nothing is begun."""
    work = OwnedWork(maximum=5)
    assert await work.drain(LONG) == 0
    with pytest.raises(IdentityError) as refused:
        await work.run(lambda: answer("late"))
    assert refused.value.reason is Reason.SHUTTING_DOWN


async def test_refused_work_is_not_begun() -> None:
    """What is refused was never started, so no coroutine is left behind that nobody awaits."""
    work = OwnedWork(maximum=1)
    await work.drain(LONG)
    started = []

    async def start() -> None:
        started.append(True)

    with pytest.raises(IdentityError):
        await work.run(start)
    assert started == []


async def test_work_that_outlasts_the_drain_is_cut_off_and_its_waiter_told() -> None:
    """After the timeout the work is cancelled, counted, and whoever waits gets SHUTTING_DOWN, not a cancellation."""
    work = OwnedWork(maximum=1)
    waiter = asyncio.create_task(work.run(asyncio.Event().wait))
    await asyncio.sleep(0)
    assert await work.drain(0) == 1
    with pytest.raises(IdentityError) as told:
        await waiter
    assert told.value.reason is Reason.SHUTTING_DOWN


async def test_the_exception_of_abandoned_work_is_not_left_unread() -> None:
    """An abandoned failure does not end up in asyncio's complaint about exceptions that were never retrieved."""
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
    work = OwnedWork(maximum=1)
    go = asyncio.Event()

    async def fail() -> None:
        await go.wait()
        raise RuntimeError

    waiter = asyncio.create_task(work.run(fail))
    await asyncio.sleep(0)
    waiter.cancel()
    await asyncio.gather(waiter, return_exceptions=True)
    go.set()
    await work.drain(LONG)
    del waiter
    await asyncio.sleep(0)
    assert complaints == []


async def test_work_beside_needs_no_place_and_takes_none() -> None:
    """Where callers hold every place, it runs; while it runs, callers have every place; and it is drained."""
    work = OwnedWork(maximum=1)
    go = asyncio.Event()
    beside = [asyncio.create_task(work.run_beside(go.wait)) for _ in range(3)]
    await asyncio.sleep(0)
    assert await work.run(lambda: answer("a caller's")) == "a caller's"
    caller = asyncio.create_task(work.run(go.wait))
    await asyncio.sleep(0)
    assert await work.run_beside(lambda: answer("the worker's")) == "the worker's"
    draining = asyncio.create_task(work.drain(LONG))
    await asyncio.sleep(0)
    with pytest.raises(IdentityError) as refused:
        await work.run_beside(lambda: answer("too late"))
    assert refused.value.reason is Reason.SHUTTING_DOWN
    go.set()
    await asyncio.gather(caller, *beside)
    assert await draining == 0
