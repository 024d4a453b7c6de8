"""The end of telemetry: what is left is sent, within a bound, whatever the collector does."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Protocol

import structlog


class Telemetry(Protocol):
    """Traces or metrics."""

    def close(self) -> None:
        """Send what is left; that may take until the collector answers."""

    def cut(self) -> None:
        """Let whatever is being sent fail at once, so that a close returns."""


def end(parts: Sequence[Telemetry], seconds: float) -> None:
    """Close all at the same time; what has not been sent after so many seconds is lost."""
    if not parts:
        return
    with ThreadPoolExecutor(len(parts), thread_name_prefix="telemetry") as threads:
        closing = [threads.submit(part.close) for part in parts]
        if wait(closing, seconds).not_done:
            structlog.get_logger().warning("telemetry_cut_off", seconds=seconds)
            for part in parts:
                part.cut()
    for each in closing:
        each.result()
