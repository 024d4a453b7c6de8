"""Shows how far an operation is: lines that move at a terminal, a line for each tenth of the way elsewhere."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from typing import Protocol

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from identity_client.cli.session import Session
from identity_provisioning.v1.operation_pb2 import Operation

_WINDOW = 10.0
_LINES = 10
_SMALLEST_BAR, _LARGEST_BAR = 10, 60
_REFRESH = 4
_LOST = "connection lost, trying again"
_NAMES = {
    Operation.STATE_DRAFT: "Draft",
    Operation.STATE_PLANNING: "Planning users",
    Operation.STATE_PLANNED: "Users planned",
    Operation.STATE_RUNNING: "Making users",
    Operation.STATE_CANCELLING: "Cancelling",
    Operation.STATE_CANCELLED: "Cancelled",
    Operation.STATE_DONE: "Ended",
    Operation.STATE_FAILED: "Refused",
}
_MOVING = (Operation.STATE_PLANNING, Operation.STATE_RUNNING)


class Shows(Protocol):
    """Shows where an operation stands."""

    def show(self, operation: Operation) -> None:
        """Take the news."""

    def lost(self) -> None:
        """Take it that no news can come until the connection is there again."""


@contextmanager
def operation_progress(session: Session) -> Iterator[Shows]:
    """Give what shows where an operation stands; where nothing can be written, nothing is shown."""
    if not session.messages.is_terminal:
        yield _Lines(session.say)
        return
    with _moving(session.messages) as board:
        yield board


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
        return max(0.0, (done - before) / (now - begin)) if now > begin else 0.0


def done_of(operation: Operation) -> int:
    """Answer how many users have an end: a plan while the operation plans, an outcome while it runs."""
    progress = operation.progress
    if _is_planned(operation):
        return progress.planned_users
    return progress.succeeded_users + progress.failed_users


def story_of(operation: Operation, rate: float) -> str:
    """Answer how far an operation is, in one line."""
    parts = [f"{done_of(operation)} of {operation.progress.total_users} done", *_counts(operation)]
    return ", ".join([*parts, *_pace(operation, rate), *_traffic(operation)])


def _counts(operation: Operation) -> list[str]:
    """Answer what did not go well, and what is still finished after a cancellation."""
    progress = operation.progress
    if _is_planned(operation):
        return [f"{progress.problem_users} cannot run"]
    is_finished = operation.state == Operation.STATE_CANCELLING and progress.running_users
    return [f"{progress.failed_users} failed", *([f"{progress.running_users} being finished"] if is_finished else [])]


def _pace(operation: Operation, rate: float) -> list[str]:
    """Answer how fast it is, and how long it takes where the rest will be done as well."""
    if rate <= 0 or operation.state not in _MOVING:
        return []
    parts = [f"{rate:.1f} users/s"]
    rest = operation.progress.total_users - done_of(operation)
    return [*parts, f"{_duration(rest / rate)} left"] if rest > 0 else parts


def _traffic(operation: Operation) -> list[str]:
    """Answer what the server that answers knows of its own calls; other replicas make calls as well."""
    progress = operation.progress
    parts = [f"{progress.calls_per_second:.0f} IAM calls/s at this server"] if progress.calls_per_second else []
    if progress.throttled_calls:
        parts.append(f"{progress.throttled_calls} throttled in {_WINDOW:.0f} s")
    return parts


@contextmanager
def _moving(console: Console) -> Iterator[Shows]:
    board = Board()
    live = Live(console=console, get_renderable=lambda: board.drawn(console.width), refresh_per_second=_REFRESH)
    with ExitStack() as stack:
        with suppress(OSError):
            live.start()
            stack.callback(_stop, live)
        yield board


def _stop(live: Live) -> None:
    with suppress(OSError):
        live.stop()


class Board:
    """What a terminal shows: a bar with the counts, and below it the pace and the traffic."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, wall_clock: Callable[[], float] = time.time
    ) -> None:
        """Take what tells the time here, and what tells it as the service does."""
        self._clock = clock
        self._wall_clock = wall_clock
        self._began = clock()
        self._rate_of = Rate(clock)
        self._operation: Operation | None = None
        self._rate = 0.0
        self._is_lost = False

    def show(self, operation: Operation) -> None:
        """Take the news."""
        self._operation = Operation()
        self._operation.CopyFrom(operation)
        self._rate = self._rate_of.note(done_of(operation))
        self._is_lost = False

    def lost(self) -> None:
        """Show that there is no news, and no figure that is not true any more."""
        self._is_lost = True

    def drawn(self, width: int) -> RenderableType:
        """Answer the lines for a terminal so wide."""
        operation = self._operation
        if operation is None:
            return Text(_LOST if self._is_lost else "")
        lines = Table.grid()
        lines.add_row(_bar(operation, width))
        elapsed = f"{_duration(self._elapsed(operation))} elapsed"
        if self._is_lost:
            lines.add_row(Text(f"{_LOST}, {elapsed}", "yellow"))
            return lines
        lines.add_row(Text(", ".join([elapsed, *_pace(operation, self._rate)])))
        lines.add_row(Text(", ".join(_traffic(operation))))
        return lines

    def _elapsed(self, operation: Operation) -> float:
        """Answer the seconds since the service started it, or, while that is not said, since it is watched."""
        if not operation.HasField("start_time"):
            return self._clock() - self._began
        end = operation.end_time.ToNanoseconds() / 1e9 if operation.HasField("end_time") else self._wall_clock()
        return max(0.0, end - operation.start_time.ToNanoseconds() / 1e9)


def _bar(operation: Operation, width: int) -> RenderableType:
    """Draw the bar as wide as there is room beside the counts, below them where there is none."""
    done, total = done_of(operation), operation.progress.total_users
    what = _what(operation)
    counts = ", ".join([f"{done} of {total}", f"{100 * done // max(1, total)} %", *_counts(operation)])
    room = min(_LARGEST_BAR, width - len(what) - len(counts) - 2)
    bar = ProgressBar(max(1, total), done, width=room if room >= _SMALLEST_BAR else max(1, min(_LARGEST_BAR, width)))
    grid = Table.grid(padding=(0, 1, 0, 0))
    if room >= _SMALLEST_BAR:
        grid.add_row(Text(what), bar, Text(counts))
        return grid
    grid.add_row(Text(f"{what}: {counts}"))
    grid.add_row(bar)
    return grid


def _duration(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))


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

    def lost(self) -> None:
        """Write nothing: whoever calls has said so, and a line once written stays true of its moment."""


def _is_planned(operation: Operation) -> bool:
    return operation.state in (Operation.STATE_PLANNING, Operation.STATE_PLANNED)


def _what(operation: Operation) -> str:
    """Name the state; one of a newer server by its number."""
    return _NAMES.get(operation.state, f"State {operation.state}")
