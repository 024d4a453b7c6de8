"""An event loop whose time passes only when nobody has anything to do: hours of it in a moment, the same every time."""

import asyncio
import random
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    """Instead of waiting, notes for how long it should have waited; nothing comes from outside."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("nothing will ever happen any more")
        self.now += max(timeout, 0.0)
        return []


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now


def run_in_virtual_time(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that only sleeps and computes; `asyncio.get_running_loop().time()` is its clock."""
    state = random.getstate()
    # The waits between retries are drawn by chance.
    random.seed(1)
    try:
        with asyncio.Runner(loop_factory=_Loop) as runner:
            return runner.run(work)
    finally:
        random.setstate(state)
