"""The meter of an account's calls."""

from identity_service.adapters.aws_iam.meter import CallMeter
from identity_service.application.operations.ports import Traffic


def test_the_last_ten_seconds_are_told() -> None:
    """Calls count for ten seconds, throttled ones among them, and then no more."""
    now = 100.0
    meter = CallMeter(lambda: now)
    for _ in range(20):
        meter.count(throttled=False)
    now = 105.0
    for _ in range(10):
        meter.count(throttled=True)
    assert meter.traffic() == Traffic(3.0, 10)
    now = 111.0
    assert meter.traffic() == Traffic(1.0, 10)
    now = 130.0
    meter.count(throttled=False)
    assert meter.traffic() == Traffic(0.1, 0)
