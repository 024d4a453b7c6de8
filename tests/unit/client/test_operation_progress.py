"""What a person sees of an operation under way: how far it is, how fast, what AWS throttles, and the time left."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from identity_client.cli.operation_progress import Rate, operation_progress, story_of
from identity_client.cli.session import Output, Session
from identity_provisioning.v1.operation_pb2 import Operation, OperationProgress


def running(made: int, failed: int = 0, **more: float) -> Operation:
    """Describe an operation over 100 users."""
    progress = OperationProgress(total_users=100, succeeded_users=made, failed_users=failed, **more)  # type: ignore[arg-type]  # figures of the message
    return Operation(state=Operation.STATE_RUNNING, progress=progress)


class Full(io.StringIO):
    """A file on a full disk."""

    def write(self, text: str) -> int:
        """Fail."""
        raise OSError(28, "No space left on device")


def shown(*operations: Operation, terminal: bool) -> str:
    """Show operations one after the other; what was written."""
    written = io.StringIO()
    console = Console(file=written, force_terminal=terminal, width=160, color_system=None)
    session = Session("", None, None, None, "", True, "", Output.TABLE, 1.0, messages=console)
    with operation_progress(session) as show:
        for operation in operations:
            show(operation)
    return written.getvalue()


def test_the_story_says_all_that_is_known() -> None:
    """Done, failed, rates, throttling and the time that is left stand in one line."""
    told = story_of(running(40, 10, calls_per_second=180.4, throttled_calls=12), 2.5)
    assert told == "50 of 100 done, 10 failed, 0:00:20 left, 2.5 users/s, 180 IAM calls/s, 12 throttled in 10 s"
    assert story_of(running(0), 0.0) == "0 of 100 done, 0 failed"


def test_planning_is_told_as_such() -> None:
    """While users are planned, plans and those that cannot run are what counts."""
    progress = OperationProgress(total_users=100, planned_users=30, problem_users=2)
    operation = Operation(state=Operation.STATE_PLANNING, progress=progress)
    assert story_of(operation, 0.0) == "30 of 100 done, 2 cannot run"
    assert "Planning users" in shown(operation, terminal=False)


def test_the_rate_is_that_of_the_last_seconds() -> None:
    """What was fast or slow long ago does not count, and one look alone tells nothing."""
    now = 0.0
    rate = Rate(lambda: now)
    assert rate.note(1000) == 0.0
    now = 10.0
    assert rate.note(1100) == pytest.approx(10.0)
    now = 20.0
    assert rate.note(1400) == pytest.approx(30.0)


def test_without_a_terminal_there_are_plain_lines() -> None:
    """A log gets a line for each tenth of the way, and no control character."""
    lines = shown(*map(running, range(101)), terminal=False).splitlines()
    assert len(lines) == 11
    assert lines[-1].startswith("Making users: 100 of 100 done, 0 failed")


def test_at_a_terminal_there_is_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar moves in its place, with the story beside it."""
    monkeypatch.setenv("TERM", "xterm")
    text = shown(running(0), running(100), terminal=True)
    assert "100 of 100 done" in text
    assert "\x1b[" in text
    assert "\u2501" in text


def test_nobody_reading_stops_nothing() -> None:
    """Where the messages cannot be written the operation is watched all the same."""
    session = Session("", None, None, None, "", True, "", Output.TABLE, 1.0, messages=Console(file=Full()))
    with operation_progress(session) as show:
        show(running(1))
