"""The end of telemetry is bounded, whatever the collector does."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from identity_service.observability.ending import end
from identity_service.observability.metrics import Metrics
from identity_service.observability.tracing import Tracing, open_tracing

SECONDS = 0.3
"""The bound; a collector that does not answer is waited for ten seconds by default, each signal's for itself."""
SOON = 5.0


@pytest.fixture
def silent() -> Iterator[str]:
    """An endpoint that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def exporting(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> tuple[Tracing, Metrics]:
    """Build traces and metrics that go to an endpoint, with something of both to send."""
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    tracing, metrics = open_tracing(environment), Metrics(environment, None)
    # More than one batch, so that there is something to send also when the first has failed.
    for _ in range(600):
        tracing.get_tracer("test").start_span("span").end()
    metrics.provider.get_meter("test").create_counter("counter").add(1)
    return tracing, metrics


def assert_ends_soon(tracing: Tracing, metrics: Metrics) -> None:
    """End both; there has to be a line about it, and nothing may be left running."""
    began = time.monotonic()
    with capture_logs() as logs:
        end([tracing, metrics], SECONDS)
    assert SECONDS <= time.monotonic() - began < SOON
    assert [line for line in logs if line["event"] == "telemetry_cut_off"] == [
        {"event": "telemetry_cut_off", "log_level": "warning", "seconds": SECONDS}
    ]
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith(("Otel", "telemetry"))]


def test_a_collector_that_hangs_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch, silent: str) -> None:
    """Traces and metrics together are given up after the bound, and their threads end."""
    assert_ends_soon(*exporting(monkeypatch, silent))


def test_a_collector_that_is_away_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the connection is refused, it is not tried for longer than the bound either."""
    assert_ends_soon(*exporting(monkeypatch, "http://127.0.0.1:1"))


class Part:
    """Telemetry that closes as it is told."""

    def __init__(self, error: Exception | None = None) -> None:
        self.closed = self.was_cut = False
        self._error = error

    def close(self) -> None:
        """Close, or fail."""
        if self._error:
            raise self._error
        self.closed = True

    def cut(self) -> None:
        """Note it."""
        self.was_cut = True


def test_what_ends_in_time_is_not_cut() -> None:
    """A collector that answers is sent everything, and no line says otherwise."""
    parts = [Part(), Part()]
    with capture_logs() as logs:
        end(parts, 60)
    assert [(part.closed, part.was_cut) for part in parts] == [(True, False)] * 2
    assert logs == []


def test_one_that_fails_leaves_no_other_open() -> None:
    """An error of one is told after all have been closed."""
    other = Part()
    with pytest.raises(RuntimeError, match="failed"):
        end([Part(RuntimeError("failed")), other], 60)
    assert other.closed


def test_nothing_is_ended_where_nothing_was_opened() -> None:
    """A start that is refused before there is any telemetry ends at once."""
    end([], 60)
