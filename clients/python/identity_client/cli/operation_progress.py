"""Shows how far an operation is: a bar that moves at a terminal, a line for each tenth of the way elsewhere."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from identity_client.cli.session import Session
from identity_provisioning.v1.operation_pb2 import Operation

_WINDOW = 10.0
_LINES = 10
_BAR = 12

Show = Callable[[Operation], None]


@contextmanager
def operation_progress(session: Session) -> Iterator[Show]:
    """Give a function that shows where an operation stands; where nothing can be written, nothing is shown."""
    if not session.messages.is_terminal:
        yield _Lines(session.say).show
        return
    with _bar(session.messages) as show:
        yield show


class Rate:
    """Users a second over the last ten seconds, as this program has seen them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Take what tells the time."""
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()

    def note(self, done: int) -> float:
        """Note how many are done now, and answer how many are done in a second; nought while that is not known."""
        now = self._clock()
        self._seen.append((now, done))
        while now - self._seen[0][0] > _WINDOW and len(self._seen) > 2:
            self._seen.popleft()
        begin, before = self._seen[0]
        return (done - before) / (now - begin) if now > begin else 0.0


def done_of(operation: Operation) -> int:
    """Answer how many users have an end: a plan while the operation plans, an outcome while it runs."""
    progress = operation.progress
    if _is_planned(operation):
        return progress.planned_users
    return progress.succeeded_users + progress.failed_users


def story_of(operation: Operation, rate: float) -> str:
    """Answer how far an operation is, what matters most first: a narrow terminal cuts the end off."""
    progress, done = operation.progress, done_of(operation)
    failed = f"{progress.problem_users} cannot run" if _is_planned(operation) else f"{progress.failed_users} failed"
    parts = [f"{done} of {progress.total_users} done", failed]
    if rate > 0 and done < progress.total_users:
        parts.append(f"{timedelta(seconds=round((progress.total_users - done) / rate))} left")
    if rate > 0:
        parts.append(f"{rate:.1f} users/s")
    if progress.calls_per_second:
        parts.append(f"{progress.calls_per_second:.0f} IAM calls/s")
    if progress.throttled_calls:
        parts.append(f"{progress.throttled_calls} throttled in {_WINDOW:.0f} s")
    return ", ".join(parts)


@contextmanager
def _bar(console: Console) -> Iterator[Show]:
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(_BAR), TextColumn("{task.fields[story]}"), console=console
    )
    rate = Rate()
    with ExitStack() as stack:
        with suppress(OSError):
            bar.start()
            stack.callback(_stop, bar)
        task = bar.add_task("", total=None, story="")

        def show(operation: Operation) -> None:
            done = done_of(operation)
            story = story_of(operation, rate.note(done))
            total = operation.progress.total_users
            bar.update(task, description=_what(operation), completed=done, total=total, story=story)

        yield show


def _stop(bar: Progress) -> None:
    with suppress(OSError):
        bar.stop()


class _Lines:
    """Writes a line for each tenth that is done, and for each new state."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._rate = Rate()
        self._said: tuple[str, int] | None = None

    def show(self, operation: Operation) -> None:
        """Write a line if there is news."""
        done = done_of(operation)
        rate = self._rate.note(done)
        news = (_what(operation), done * _LINES // max(1, operation.progress.total_users))
        if news != self._said:
            self._said = news
            with suppress(OSError):  # nobody reading of it is no reason to stop
                self._say(f"{_what(operation)}: {story_of(operation, rate)}")


def _is_planned(operation: Operation) -> bool:
    return operation.state in (Operation.STATE_PLANNING, Operation.STATE_PLANNED)


def _what(operation: Operation) -> str:
    if _is_planned(operation):
        return "Planning users"
    return "Cancelling" if operation.state == Operation.STATE_CANCELLING else "Making users"
