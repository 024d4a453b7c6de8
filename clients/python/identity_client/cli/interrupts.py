"""What Ctrl-C, a termination and the end of a terminal do: each ends a run by the same way, so that none leaves more.

The first one may be a request to stop only, so that no answer with secrets in it is thrown away.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

_ENDINGS = [number for number in (signal.SIGTERM, getattr(signal, "SIGHUP", None)) if number is not None]
"""What ends a process that says nothing else of it; Windows has no terminal that hangs up."""


@contextmanager
def ended_as_by_interrupt() -> Iterator[None]:
    """Let what would end the process at once raise KeyboardInterrupt; what is ignored, as by `nohup`, stays so."""
    before = {number: signal.SIG_DFL for number in _ENDINGS if signal.getsignal(number) is signal.SIG_DFL}
    for number in before:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        _restore(before)


@contextmanager
def stop_on_interrupt(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` for the first that would end the process; the next one does, and what is ignored stays so."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, *_ENDINGS)}
    before = {number: handler for number, handler in handlers.items() if handler is not signal.SIG_IGN}

    def on_signal(number: int, frame: FrameType | None) -> None:
        _restore(before)
        stop()

    for number in before:
        signal.signal(number, on_signal)
    try:
        yield
    finally:
        _restore(before)


def _restore(handlers: Mapping[signal.Signals, signal._HANDLER]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
