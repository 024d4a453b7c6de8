"""What a person sees of an operation under way: how far it is, how fast, what AWS throttles, and the time left."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from identity_client.cli.operation_progress import Board, Rate, operation_progress, story_of
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
    with operation_progress(session) as shows:
        for operation in operations:
            shows.show(operation)
    return written.getvalue()


def board_after_ten_seconds(before: Operation, after: Operation) -> Board:
    """Watch an operation for ten seconds; a minute and fifteen seconds have gone by since it was started."""
    now = 100.0
    board = Board(lambda: now, lambda: 1_000_075.0)
    board.show(before)
    now = 110.0
    after.start_time.FromSeconds(1_000_000)
    board.show(after)
    return board


def drawn(board: Board, width: int) -> list[str]:
    """Draw a board for a terminal so wide; its lines."""
    console = Console(file=io.StringIO(), width=width, color_system=None)
    with console.capture() as capture:
        console.print(board.drawn(width))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_the_story_says_all_that_is_known() -> None:
    """Done, failed, the time that is left, rates and throttling stand in one line."""
    told = story_of(running(40, 10, calls_per_second=180.4, throttled_calls=12), 2.5)
    assert told == (
        "50 of 100 done, 10 failed, 2.5 users/s, 0:00:20 left, 180 IAM calls/s at this server, 12 throttled in 10 s"
    )
    assert story_of(running(0), 0.0) == "0 of 100 done, 0 failed"


@pytest.mark.parametrize("width", [80, 100, 200])
def test_all_figures_are_there_on_an_ordinary_terminal(width: int) -> None:
    """At 80 columns and more there is a bar of ten at least, and nothing is cut off."""
    board = board_after_ten_seconds(running(25), running(40, 10, calls_per_second=180.4, throttled_calls=12))
    bar, pace, traffic = drawn(board, width)
    assert bar.startswith("Making users ━━━━━")
    assert bar.endswith(" 50 of 100, 50 %, 10 failed")
    assert bar.count("━") >= 5  # without colours the half that is not done is blank
    assert pace == "0:01:15 elapsed, 2.5 users/s, 0:00:20 left"
    assert traffic == "180 IAM calls/s at this server, 12 throttled in 10 s"


@pytest.mark.parametrize("width", [20, 40, 60])
def test_a_narrow_terminal_has_all_words(width: int) -> None:
    """Where there is no room beside the counts the bar is below them, and lines are broken between words."""
    after = running(4000, 1000, calls_per_second=180.4, throttled_calls=12)
    after.progress.total_users = 10_000
    lines = drawn(board_after_ten_seconds(running(25), after), width)
    assert max(map(len, lines)) <= width
    assert max(line.count("━") for line in lines) >= 5  # without colours the half that is not done is blank
    words = " ".join(" ".join(lines).split())
    for told in (
        "5000 of 10000, 50 %, 1000 failed",
        "0:01:15 elapsed",
        "180 IAM calls/s at this server",
        "12 throttled",
    ):
        assert told in words


def test_a_lost_connection_shows_no_old_figure() -> None:
    """While nothing is heard the pace is not that of before; with news it is there again."""
    after = running(50, calls_per_second=180.4, throttled_calls=12)
    board = board_after_ten_seconds(running(25), after)
    board.lost()
    bar, told = drawn(board, 80)
    assert (bar.endswith("50 of 100, 50 %, 0 failed"), told) == (True, "connection lost, trying again, 0:01:15 elapsed")
    board.show(after)
    assert "180 IAM calls/s" in drawn(board, 80)[2]


def test_a_connection_that_is_lost_before_any_news_is_told() -> None:
    """Nothing is known but that."""
    board = Board()
    assert drawn(board, 80) == [""]
    board.lost()
    assert drawn(board, 80) == ["connection lost, trying again"]


def test_planning_is_told_as_such() -> None:
    """While users are planned, plans and those that cannot run are what counts."""
    progress = OperationProgress(total_users=100, planned_users=30, problem_users=2)
    operation = Operation(state=Operation.STATE_PLANNING, progress=progress)
    assert story_of(operation, 0.0) == "30 of 100 done, 2 cannot run"
    assert "Planning users: 30 of 100" in shown(operation, terminal=False)


@pytest.mark.parametrize(
    ("state", "name"),
    [
        (Operation.STATE_DRAFT, "Draft"),
        (Operation.STATE_PLANNED, "Users planned"),
        (Operation.STATE_RUNNING, "Making users"),
        (Operation.STATE_CANCELLING, "Cancelling"),
        (Operation.STATE_CANCELLED, "Cancelled"),
        (Operation.STATE_DONE, "Ended"),
        (Operation.STATE_FAILED, "Refused"),
    ],
)
def test_each_state_has_its_name(state: Operation.State.ValueType, name: str) -> None:
    """An operation that makes nobody is never said to make users."""
    operation = running(1)
    operation.state = state
    assert shown(operation, terminal=False).startswith(f"{name}: ")


@pytest.mark.parametrize("state", [Operation.STATE_CANCELLING, Operation.STATE_CANCELLED, Operation.STATE_DONE])
def test_no_time_is_left_for_what_will_not_be_made(state: Operation.State.ValueType) -> None:
    """After a cancellation there is only what is finished."""
    operation = running(40, 2, running_users=3)
    operation.state = state
    told = story_of(operation, 2.5)
    assert told.startswith("42 of 100 done, 2 failed")
    assert ("left" in told, "users/s" in told) == (False, False)
    assert ("3 being finished" in told) == (state == Operation.STATE_CANCELLING)


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
    """The bar moves in its place, with the counts beside it."""
    monkeypatch.setenv("TERM", "xterm")
    text = shown(running(0), running(100), terminal=True)
    assert "100 of 100, 100 %" in text
    assert "\x1b[" in text
    assert "\u2501" in text


def test_nobody_reading_stops_nothing() -> None:
    """Where the messages cannot be written the operation is watched all the same."""
    session = Session("", None, None, None, "", True, "", Output.TABLE, 1.0, messages=Console(file=Full()))
    with operation_progress(session) as shows:
        shows.show(running(1))
        shows.lost()
