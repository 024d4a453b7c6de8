"""The line in front of an account: who has a turn, in which order, and that nobody is forgotten."""

import asyncio
import gc
import weakref
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from identity_service.adapters.aws_iam.operations import Effect
from identity_service.adapters.aws_iam.pacing import BULK_PATIENCE, BULK_TURN, PATIENCE, PacedCall, Pacer, Turn, Urgency
from identity_service.adapters.aws_iam.retry import Clock
from identity_service.adapters.aws_iam.send_rate import SendRate
from identity_service.application.lease import Lease, holding
from identity_service.application.priority import in_bulk, is_bulk
from identity_service.domain.errors import IamError, IamErrorKind
from tests.support.throttled_account import loop_time
from tests.support.virtual_time import run_in_virtual_time

FOR_EVER = 1e6


def new_pacer(slots: int = 4, maximum: float | None = None) -> Pacer:
    """Build a pacer on the loop's time."""
    return Pacer(Clock(now=loop_time), SendRate(loop_time, maximum, lambda: 0.5), slots)


async def settle() -> None:
    """Let everybody run who can."""
    for _ in range(10):
        await asyncio.sleep(0)


def line_up(pacer: Pacer, urgency: Urgency, order: list[Any], name: object) -> asyncio.Task[Turn]:
    """Let somebody wait for a turn, who notes it."""

    async def wait() -> Turn:
        turn = await pacer.begin(urgency, FOR_EVER)
        order.append(name)
        return turn

    return asyncio.create_task(wait())


class TestOrder:
    """Who is first."""

    def test_interactive_then_mints_then_bulk_each_in_order(self) -> None:
        """Whoever waits is served by urgency, and among equals by coming."""

        async def run() -> list[Any]:
            pacer, order = new_pacer(slots=1), list[Any]()
            held = await pacer.begin(Urgency.INTERACTIVE, FOR_EVER)
            names = [(urgency, number) for number in range(2) for urgency in reversed(Urgency)]
            waiting = [line_up(pacer, urgency, order, (urgency, number)) for urgency, number in names]
            await settle()
            pacer.end(held)
            for _ in waiting:
                done = await _next_done(waiting)
                pacer.end(done)
            return order

        assert run_in_virtual_time(run()) == [(urgency, number) for urgency in Urgency for number in range(2)]

    def test_bulk_leaves_threads_free(self) -> None:
        """However much bulk there is, somebody who waits finds a thread at once."""

        async def run() -> tuple[int, float]:
            pacer = new_pacer(slots=32)
            waiting = [line_up(pacer, Urgency.BULK, [], number) for number in range(100)]
            await settle()
            passed = pacer.under_way
            turn = await pacer.begin(Urgency.INTERACTIVE, FOR_EVER)
            for task in waiting:
                task.cancel()
            return passed, turn.waited

        assert run_in_virtual_time(run()) == (28, 0.0)

    def test_every_tenth_turn_is_bulks(self) -> None:
        """A stream of interactive calls does not hold bulk up for good."""

        async def run() -> list[Any]:
            pacer, order = new_pacer(slots=1), list[Any]()
            held = await pacer.begin(Urgency.INTERACTIVE, FOR_EVER)
            waiting = [line_up(pacer, Urgency.INTERACTIVE, order, "interactive") for _ in range(40)]
            waiting += [line_up(pacer, Urgency.BULK, order, "bulk") for _ in range(2)]
            await settle()
            pacer.end(held)
            for _ in waiting:
                pacer.end(await _next_done(waiting))
            return order

        order = run_in_virtual_time(run())
        assert order.index("bulk") == BULK_TURN - 1
        assert order[: 2 * BULK_TURN].count("bulk") == 2


_seen: set[asyncio.Task[Turn]] = set()


async def _next_done(waiting: list[asyncio.Task[Turn]]) -> Turn:
    left = [task for task in waiting if task not in _seen]
    done, _ = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
    (task,) = done
    _seen.add(task)
    return task.result()


class TestGivingUp:
    """Who leaves."""

    def test_who_waits_too_long_is_told_that_it_is_too_much(self) -> None:
        """A turn that does not come in time is THROTTLED, surely not carried out, and leaves no trace."""

        async def run() -> tuple[IamError, float, int]:
            pacer = new_pacer(slots=1)
            await pacer.begin(Urgency.INTERACTIVE, FOR_EVER)
            with pytest.raises(IamError) as caught:
                await PacedCall(pacer, "iam:GetUser", Effect.READ).send(_unsent)
            return caught.value, loop_time(), pacer.waiting

        error, took, waiting = run_in_virtual_time(run())
        assert (error.kind, error.action, error.outcome_unknown) == (IamErrorKind.THROTTLED, "iam:GetUser", False)
        assert took == pytest.approx(PATIENCE)
        assert waiting == 0

    @pytest.mark.parametrize(
        ("effect", "patience"), [(Effect.READ, BULK_PATIENCE), (Effect.WRITE, BULK_PATIENCE), (Effect.MINT, PATIENCE)]
    )
    def test_bulk_waits_longer_but_no_mint_does(self, effect: Effect, patience: float) -> None:
        """In bulk nobody waits; but a mint is on record as begun, and may not be sent much later."""

        async def run() -> tuple[float, float]:
            pacer = new_pacer(slots=1)
            await pacer.begin(Urgency.INTERACTIVE, FOR_EVER)
            with in_bulk():
                call = PacedCall(pacer, "iam:Something", effect)
            with pytest.raises(IamError):
                await call.send(_unsent)
            return loop_time(), call.waited

        assert run_in_virtual_time(run())[0] == pytest.approx(patience)

    def test_patience_is_for_all_sendings_together(self) -> None:
        """A call that is sent again has waited before: the line's patience does not begin anew."""

        async def run() -> tuple[float, float]:
            pacer = new_pacer(slots=1)
            held = await pacer.begin(Urgency.INTERACTIVE, FOR_EVER)
            call = PacedCall(pacer, "iam:GetUser", Effect.READ)
            first = asyncio.create_task(call.send(_sent))
            await asyncio.sleep(PATIENCE - 1)
            pacer.end(held)
            assert await first == pytest.approx(PATIENCE - 1)
            await pacer.begin(Urgency.INTERACTIVE, FOR_EVER)
            with pytest.raises(IamError):
                await call.send(_unsent)
            return loop_time(), call.waited

        took, waited = run_in_virtual_time(run())
        assert took == pytest.approx(PATIENCE)
        assert waited == pytest.approx(PATIENCE - 1)

    def test_who_waits_keeps_no_lease_of_others_alive(self) -> None:
        """What lets calls pass does not hold on to the work that happened to start it."""

        async def work(pacer: Pacer, leases: "weakref.WeakSet[Lease]") -> None:
            lease = Lease("row", 1, FOR_EVER)
            leases.add(lease)
            with holding(lease):
                pacer.end(await pacer.begin(Urgency.BULK, FOR_EVER))
                pacer.end(await pacer.begin(Urgency.BULK, FOR_EVER))

        async def run() -> tuple[int, int]:
            pacer = new_pacer(maximum=1.0)
            leases = weakref.WeakSet[Lease]()
            task = asyncio.create_task(work(pacer, leases))
            await settle()
            waiting = line_up(pacer, Urgency.BULK, [], "other")
            await settle()
            before = len(leases)
            await task
            del task
            gc.collect()
            assert not waiting.done()
            waiting.cancel()
            return before, len(leases)

        assert run_in_virtual_time(run()) == (1, 0)


async def _unsent(_: Turn) -> None:
    raise AssertionError("it had no turn")


async def _sent(turn: Turn) -> float:
    return turn.waited


ACTIONS = st.lists(
    st.tuples(st.sampled_from(["come", "come", "leave", "end", "pass time"]), st.integers(0, 1000)), max_size=60
)


@settings(deadline=None, max_examples=60)
@given(ACTIONS, st.integers(1, 9), st.sampled_from([None, 5.0, 100.0]))
def test_nobody_is_forgotten_and_nothing_leaks(
    actions: list[tuple[str, int]], slots: int, maximum: float | None
) -> None:
    """Whoever comes, goes and ends in any order: no slot is taken twice, and all are served or gone."""

    async def run() -> None:
        pacer, order = new_pacer(slots, maximum), list[Any]()
        waiting: dict[asyncio.Task[Turn], Urgency] = {}
        open_: list[Turn] = []

        def collect() -> None:
            for task in [task for task in waiting if task.done()]:
                del waiting[task]
                if not task.cancelled():
                    open_.append(task.result())

        for action, number in actions:
            if action == "come":
                urgency = Urgency(number % 3)
                waiting[line_up(pacer, urgency, order, (urgency, len(order)))] = urgency
            elif action == "leave" and waiting:
                list(waiting)[number % len(waiting)].cancel()
            elif action == "end" and open_:
                pacer.end(open_.pop(number % len(open_)))
            elif action == "pass time":
                await asyncio.sleep(number / 1000)
            if number % 2:
                await settle()
            collect()
            assert pacer.under_way <= slots
        for _ in range(len(actions) + 1):
            await asyncio.sleep(1)
            collect()
            while open_:
                pacer.end(open_.pop())
        assert waiting == {}
        assert (pacer.waiting, pacer.under_way) == (0, 0)

    run_in_virtual_time(run())


def test_bulk_is_what_is_started_in_bulk() -> None:
    """Tasks that bulk work starts are bulk, and what is beside it is not."""

    async def run() -> tuple[bool, bool]:
        with in_bulk():
            inside = asyncio.create_task(_is_bulk())
        return await inside, is_bulk()

    assert run_in_virtual_time(run()) == (True, False)


async def _is_bulk() -> bool:
    return is_bulk()
