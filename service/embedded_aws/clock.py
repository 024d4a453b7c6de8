"""The account's clock: the machine's, and what a test has put it forward."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """Tells the time in seconds; it goes on by itself and can be put forward, never back."""

    def __init__(self) -> None:
        """Show the machine's time."""
        self._ahead = 0.0

    def seconds(self) -> float:
        """Seconds since 1970."""
        return time.time() + self._ahead

    def now(self) -> datetime:
        """The time of day in whole seconds and UTC without saying so, as moto keeps its dates."""
        return datetime.fromtimestamp(int(self.seconds()), UTC).replace(tzinfo=None)

    def advance(self, seconds: float) -> None:
        """Put the clock forward."""
        if seconds < 0:
            raise ValueError("the clock cannot be put back")
        self._ahead += seconds

    def restore(self) -> None:
        """Show the machine's time again."""
        self._ahead = 0.0
