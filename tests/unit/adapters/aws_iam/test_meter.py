"""The meter of an account's calls."""

import pytest

from identity_service.adapters.aws_iam.meter import CallMeter
from identity_service.application.operations.ports import Traffic


class Clock:
    """Monotonic time that only a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Tell the time, in seconds."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock."""
    return Clock()


@pytest.fixture
def meter(clock: Clock) -> CallMeter:
    """A meter by that clock."""
    return CallMeter(clock)


def count(meter: CallMeter, clock: Clock, calls: int, seconds: float, *, throttled: bool = False) -> None:
    """Let calls come evenly for so many seconds."""
    for _ in range(calls):
        meter.count(throttled=throttled)
        clock.now += seconds / calls


def test_nothing_is_told_before_the_first_call(meter: CallMeter) -> None:
    """Where nothing was called, there is no traffic."""
    assert meter.traffic() == Traffic(0.0, 0)


@pytest.mark.parametrize("seconds", [2, 3, 5, 9, 30])
@pytest.mark.parametrize("begun", [100.0, 100.9])
def test_a_steady_speed_is_told_as_it_is(meter: CallMeter, clock: Clock, seconds: int, begun: float) -> None:
    """Some seconds after its beginning and long after, 120 calls a second are told as 120, after whatever idle time."""
    meter.count(throttled=False)
    clock.now = begun + 500
    count(meter, clock, 120 * seconds, seconds)
    assert meter.traffic().calls_per_second == pytest.approx(120, rel=0.01)


def test_the_first_calls_are_no_speed_yet(meter: CallMeter, clock: Clock) -> None:
    """A few calls in a moment are told as so many a second, and not as thousands."""
    count(meter, clock, 4, 0.01)
    assert meter.traffic() == Traffic(4.0, 0)


def test_calls_are_forgotten_after_ten_seconds(meter: CallMeter, clock: Clock) -> None:
    """Calls count for ten seconds, throttled ones among them, and then no more."""
    count(meter, clock, 20, 1)
    clock.now = 105.0
    count(meter, clock, 10, 1, throttled=True)
    assert meter.traffic().throttled_calls == 10
    assert meter.traffic().calls_per_second == pytest.approx(30 / 6)
    clock.now = 113.0
    assert meter.traffic() == Traffic(10 / 8, 10)
    clock.now = 130.0
    assert meter.traffic() == Traffic(0.0, 0)
