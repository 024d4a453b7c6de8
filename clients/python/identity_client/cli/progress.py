"""Shows how far a run has come, and never stands in its way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial

from rich.console import Console
from rich.progress import Progress


@contextmanager
def progress_bar(console: Console, what: str, total: int) -> Iterator[Callable[[], None]]:
    """Give a function that moves the bar by one; where the bar cannot be written, there is none."""
    progress = Progress(console=console)
    with ExitStack() as stack:
        with suppress(OSError):
            progress.start()
            stack.callback(_stop, progress)
        task = progress.add_task(what, total=total)
        yield partial(progress.advance, task)


def _stop(progress: Progress) -> None:
    with suppress(OSError):
        progress.stop()
