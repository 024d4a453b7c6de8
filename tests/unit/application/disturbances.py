"""What befalls a process: it dies, is cancelled or paused at a chosen moment of its calls to IAM and to the store."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from identity_service.application.lease import current_lease

IAM_READS = ("get_", "list_", "page_", "find_")
STORE_READS = ("find",)


class Killed(BaseException):
    """The process is dead."""


@dataclass(frozen=True)
class Moment:
    """A moment of a call: `stage` is before it is sent, while it is on its way (sent), or after its effect."""

    of: str
    method: str
    stage: str


class Disturbance(Protocol):
    """Something that waits for its moment."""

    async def reach(self, moment: Moment) -> None:
        """Let a moment pass, or strike."""


class Calm:
    """Nothing happens; `moments` is what passed."""

    def __init__(self) -> None:
        self.moments: list[Moment] = []

    async def reach(self, moment: Moment) -> None:
        """Note the moment."""
        self.moments.append(moment)


class Death:
    """The process dies at its n-th moment, counted from 0; whatever it tries then, it does no more."""

    def __init__(self, at: int) -> None:
        self._at = at
        self.passed = 0
        self.dead = False
        self.last: Moment | None = None

    async def reach(self, moment: Moment) -> None:
        """Count, and die when it is time."""
        if moment.stage == "sent":
            return
        if not self.dead and self.passed == self._at:
            self.dead, self.last = True, moment
        self.passed += 1
        if self.dead:
            raise Killed


class Cancellation:
    """The n-th moment cancels the task that `of` tells."""

    def __init__(self, at: int) -> None:
        self._at = at
        self.passed = 0
        self.task: asyncio.Task[Any] | None = None
        self.struck = False

    async def reach(self, moment: Moment) -> None:
        """Count, and cancel when it is time."""
        if self.task is not None and self.passed == self._at:
            self.struck = self.task.cancel()
        self.passed += 1


class Pause:
    """The process stands still at the n-th moment that is wanted, until it is let go on."""

    def __init__(self, at: int, wanted: Callable[[Moment], bool] = lambda _: True) -> None:
        self._at = at
        self._wanted = wanted
        self.passed = 0
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()
        self.moment: Moment | None = None

    async def reach(self, moment: Moment) -> None:
        """Count, and stand still when it is time."""
        if not self._wanted(moment):
            return
        self.passed += 1
        if self.passed - 1 == self._at:
            self.moment = moment
            self.reached.set()
            await self.go_on.wait()


class Disturbed:
    """Calls something on behalf of one process, each moment told to its disturbance.

    As with the adapters, a write to IAM is refused right before it is sent where the lease does not hold, and what is
    on its way goes on, on a thread of its own, when nobody waits for it any more.
    """

    def __init__(self, real: Any, of: str, reads: tuple[str, ...], disturbance: Disturbance) -> None:
        self._real = real
        self._of = of
        self._reads = reads
        self._disturbance = disturbance

    def __getattr__(self, name: str) -> Any:
        """Wrap the methods; the rest is as it is."""
        found = getattr(self._real, name)
        return self._call(name) if callable(found) else found

    def _call(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            is_read = name.startswith(self._reads)
            await self._disturbance.reach(Moment(self._of, name, "before"))
            if is_read:
                return await getattr(self._real, name)(*args, **kwargs)
            lease = current_lease()
            if self._of == "iam" and lease is not None:
                lease.require()
            await self._disturbance.reach(Moment(self._of, name, "sent"))
            answer = await asyncio.shield(asyncio.ensure_future(getattr(self._real, name)(*args, **kwargs)))
            await self._disturbance.reach(Moment(self._of, name, "after"))
            return answer

        return call
