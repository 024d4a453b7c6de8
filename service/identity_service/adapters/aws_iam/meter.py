"""How many calls an account got lately, and how many of them it throttled."""

import time
from collections import deque
from collections.abc import Callable

from identity_service.application.operations.ports import Traffic

WINDOW_SECONDS = 10


class CallMeter:
    """Counts calls by the second; used by one event loop."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._seconds: deque[tuple[int, int, int]] = deque(maxlen=WINDOW_SECONDS + 1)

    def count(self, *, throttled: bool) -> None:
        """Count a call that was answered, or that was not."""
        now = int(self._monotonic())
        calls, refused = 0, 0
        if self._seconds and self._seconds[-1][0] == now:
            _, calls, refused = self._seconds.pop()
        self._seconds.append((now, calls + 1, refused + throttled))

    def traffic(self) -> Traffic:
        """Tell of the last ten seconds."""
        since = self._monotonic() - WINDOW_SECONDS
        recent = [(calls, refused) for second, calls, refused in self._seconds if second > since]
        calls, refused = sum(calls for calls, _ in recent), sum(refused for _, refused in recent)
        return Traffic(calls_per_second=calls / WINDOW_SECONDS, throttled_calls=refused)
