"""The line in front of one account: whose call is sent next, and when.

Calls wait here, before anything of them is signed and before their timeouts begin. A call that has to be sent again
lines up again.
"""

import asyncio
import enum
from collections.abc import Awaitable, Callable
from contextvars import Context
from dataclasses import dataclass
from typing import TypeVar

from identity_service.adapters.aws_iam.operations import Effect
from identity_service.adapters.aws_iam.retry import Clock
from identity_service.adapters.aws_iam.send_rate import SendRate
from identity_service.application.priority import is_bulk
from identity_service.domain.errors import IamError, IamErrorKind

T = TypeVar("T")

PATIENCE = 10.0
"""How long a call that somebody waits for may stand in line, and a mint, which is on record as begun."""
BULK_PATIENCE = 300.0
"""How long a call in bulk may; a line that is so long is a fault."""
BULK_TURN = 10
"""Each turn of this number is for bulk, so that interactive work never holds it up for good."""
KEPT_FREE = 8
"""One of so many threads is kept free of bulk."""


class Urgency(enum.IntEnum):
    """The order in which calls have their turn; among equals the one that came first."""

    INTERACTIVE = 0
    """Somebody waits for it."""
    BULK_MINT = 1
    """A mint in bulk. It is on record as begun, and the time in which IAM may have carried it out counts from there."""
    BULK = 2


@dataclass(frozen=True)
class Turn:
    """The right to send one call, which stood in line for `waited` seconds."""

    urgency: Urgency
    waited: float
    sent_at: float


class Pacer:
    """Lets calls to one account pass, at most `slots` at a time, and not faster than AWS takes them.

    The slots are the threads that send: what waits for a thread here can still be overtaken. Used by one event loop.
    """

    def __init__(self, clock: Clock, rate: SendRate, slots: int) -> None:
        self._clock = clock
        self._rate = rate
        self._slots = slots
        self._slots_for_bulk = max(slots - max(slots // KEPT_FREE, 1), 1)
        self._under_way = dict.fromkeys(Urgency, 0)
        # A dict keeps the order of coming, and one that gives up leaves from the middle at no cost.
        self._lines: dict[Urgency, dict[asyncio.Future[float], None]] = {urgency: {} for urgency in Urgency}
        self._turns = 0
        self._usher: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """How many calls stand in line."""
        return sum(map(len, self._lines.values()))

    @property
    def under_way(self) -> int:
        """How many calls have been let pass and have not ended."""
        return sum(self._under_way.values())

    @property
    def per_second(self) -> float | None:
        """How many calls a second are let pass; None while there is no limit."""
        return self._rate.per_second

    async def begin(self, urgency: Urgency, patience: float) -> Turn:
        """Wait for a turn, which has to be ended. Raises TimeoutError when that takes longer than `patience`."""
        if not self.waiting and self._has_slot(urgency) and not self._rate.pause():
            return Turn(urgency, 0.0, self._let_pass(urgency))
        came_at = self._clock.now()
        loop = asyncio.get_running_loop()
        place: asyncio.Future[float] = loop.create_future()
        self._lines[urgency][place] = None
        self._call_usher()
        # In a context of its own: also a timer that is cancelled would keep the call's lease alive until it is due.
        timer = loop.call_later(patience, _give_up, place, context=Context())
        try:
            sent_at = await place
        except BaseException:
            if place.done() and not place.cancelled() and place.exception() is None:
                # Its turn came at the very moment at which it was cancelled.
                self._leave(urgency)
            raise
        finally:
            timer.cancel()
            self._lines[urgency].pop(place, None)
        return Turn(urgency, sent_at - came_at, sent_at)

    def end(self, turn: Turn, failure: IamError | None = None) -> None:
        """Give a turn back, and tell how the call failed, if it did."""
        self._rate.answered(turn.sent_at, refused=failure is not None and failure.kind is IamErrorKind.THROTTLED)
        self._leave(turn.urgency)

    def _leave(self, urgency: Urgency) -> None:
        self._under_way[urgency] -= 1
        self._call_usher()

    def _let_pass(self, urgency: Urgency) -> float:
        self._turns += 1
        self._under_way[urgency] += 1
        return self._rate.sent()

    def _has_slot(self, urgency: Urgency) -> bool:
        if self.under_way >= self._slots:
            return False
        in_bulk = self.under_way - self._under_way[Urgency.INTERACTIVE]
        return urgency is Urgency.INTERACTIVE or in_bulk < self._slots_for_bulk

    def _next_in_turn(self) -> Urgency | None:
        """Return whose turn it is; None if nobody waits who could be sent."""
        ready = [urgency for urgency, line in self._lines.items() if line and self._has_slot(urgency)]
        if not ready:
            return None
        of_bulk = [urgency for urgency in ready if urgency is not Urgency.INTERACTIVE]
        return of_bulk[0] if of_bulk and self._turns % BULK_TURN == 0 else ready[0]

    def _call_usher(self) -> None:
        if self._next_in_turn() is not None and (self._usher is None or self._usher.done()):
            # A context of its own: that of the call which happens to be here would keep its lease alive.
            self._usher = asyncio.get_running_loop().create_task(self._let_all_pass(), context=Context())

    async def _let_all_pass(self) -> None:
        """Let one after the other pass until nobody waits who could be sent."""
        while (urgency := self._next_in_turn()) is not None:
            pause = self._rate.pause()
            if pause > 0:
                await self._clock.sleep(pause)
                # Meanwhile somebody more urgent may have come, or the only one have left.
                continue
            place = next(iter(self._lines[urgency]))
            del self._lines[urgency][place]
            if not place.done():
                place.set_result(self._let_pass(urgency))


def _give_up(place: asyncio.Future[float]) -> None:
    if not place.done():
        place.set_exception(TimeoutError())


class PacedCall:
    """One call with all its sendings, each of which has to wait for its turn.

    The line has a patience of its own, for all sendings together, and takes none of the budget of the retries.
    """

    def __init__(self, pacer: Pacer, action: str, effect: Effect) -> None:
        self._pacer = pacer
        self._action = action
        self._urgency = _urgency_of(effect)
        self._patience = BULK_PATIENCE if self._urgency is Urgency.BULK else PATIENCE
        self.waited = 0.0
        """How many seconds it has stood in line so far."""

    async def send(self, send: Callable[[Turn], Awaitable[T]]) -> T:
        """Wait, then send. Raises IamError THROTTLED if the turn does not come in time."""
        try:
            turn = await self._pacer.begin(self._urgency, self._patience - self.waited)
        except TimeoutError:
            raise IamError(IamErrorKind.THROTTLED, self._action) from None
        self.waited += turn.waited
        failure = None
        try:
            return await send(turn)
        except IamError as error:
            failure = error
            raise
        finally:
            self._pacer.end(turn, failure)


def _urgency_of(effect: Effect) -> Urgency:
    if not is_bulk():
        return Urgency.INTERACTIVE
    return Urgency.BULK_MINT if effect is Effect.MINT else Urgency.BULK
