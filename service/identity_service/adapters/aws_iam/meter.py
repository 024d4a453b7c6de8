"""How many calls an account got lately, and how many of them it throttled."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from identity_service.application.operations.ports import Traffic

WINDOW_SECONDS = 10
SHORTEST_SECONDS = 1.0
"""Over how long calls are counted at least: the first few, a moment ago, are no speed yet."""


@dataclass
class _Second:
    """The calls of one second, the first of which came at `begun`."""

    number: int
    begun: float
    calls: int = 0
    throttled: int = 0


class CallMeter:
    """Counts calls by the second; used by one event loop."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._seconds: deque[_Second] = deque(maxlen=WINDOW_SECONDS + 1)

    def count(self, *, throttled: bool) -> None:
        """Count a call that was answered, or that was not."""
        now = self._monotonic()
        if not self._seconds or self._seconds[-1].number != int(now):
            self._seconds.append(_Second(int(now), now))
        self._seconds[-1].calls += 1
        self._seconds[-1].throttled += throttled

    def traffic(self) -> Traffic:
        """Tell of the last ten seconds; the speed is counted from the first call in them, not from before the work."""
        now = self._monotonic()
        recent = [second for second in self._seconds if second.number > now - WINDOW_SECONDS]
        if not recent:
            return Traffic()
        seconds = max(now - recent[0].begun, SHORTEST_SECONDS)
        return Traffic(
            calls_per_second=sum(second.calls for second in recent) / seconds,
            throttled_calls=sum(second.throttled for second in recent),
        )
