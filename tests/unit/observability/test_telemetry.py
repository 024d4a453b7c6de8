"""The application's telemetry as spans and metrics of OpenTelemetry's."""

import pytest
from opentelemetry.metrics import NoOpMeter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NoOpTracer

from identity_service.observability.telemetry import OpenTelemetry
from identity_service.observability.tracing import current_traceparent

FIRST = "00-11111111111111111111111111111111-2222222222222222-01"


class Watched:
    """A telemetry with the spans that it has made."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.telemetry = OpenTelemetry(provider.get_tracer("test"), NoOpMeter("test"))

    def links(self) -> list[list[tuple[str, str]]]:
        """Return trace and span that each span is linked to."""
        return [
            [(f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}") for link in span.links]
            for span in self._exporter.get_finished_spans()
        ]

    def text(self) -> str:
        """Return everything of the spans."""
        return "".join(span.to_json() for span in self._exporter.get_finished_spans())


@pytest.fixture
def watched() -> Watched:
    """A telemetry whose spans are kept."""
    return Watched()


def test_a_span_is_linked_to_what_it_goes_on_with(watched: Watched) -> None:
    """The link of a traceparent names its trace and its span."""
    with watched.telemetry.span("take over", FIRST):
        pass
    assert watched.links() == [[("1" * 32, "2" * 16)]]


def test_a_span_that_runs_can_be_linked_later(watched: Watched) -> None:
    """What is found out in the middle of a request is linked to its span."""
    with watched.telemetry.span("rpc"):
        watched.telemetry.link(FIRST)
    assert watched.links() == [[("1" * 32, "2" * 16)]]


@pytest.mark.parametrize("traceparent", ["", "nonsense", "00-" + "0" * 32 + "-2222222222222222-01"])
def test_what_names_no_span_is_linked_to_nothing(watched: Watched, traceparent: str) -> None:
    """A request that was not traced, or whose row holds anything else, has no link and no error."""
    with watched.telemetry.span("take over", traceparent):
        watched.telemetry.link(traceparent)
    assert watched.links() == [[]]


def test_a_traceparent_leads_back_to_its_span(watched: Watched) -> None:
    """What one process stores, another one can link to."""
    assert watched.telemetry.traceparent() == ""
    with watched.telemetry.span("first"):
        traceparent = watched.telemetry.traceparent()
        assert traceparent == current_traceparent()
    with watched.telemetry.span("second", traceparent):
        pass
    _, trace_id, span_id, _ = traceparent.split("-")
    assert watched.links() == [[], [(trace_id, span_id)]]


def test_of_an_exception_a_span_shows_the_type(watched: Watched) -> None:
    """An exception's text may hold a secret, so no span holds it."""
    with pytest.raises(ValueError, match="canary"), watched.telemetry.span("work"):
        raise ValueError("canary")
    assert "ValueError" in watched.text()
    assert "canary" not in watched.text()


def test_counts_begin_at_zero() -> None:
    """The first takeover is an increase: it would be none if the series began with it."""
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    telemetry = OpenTelemetry(NoOpTracer(), provider.get_meter("test"))
    before = sums(reader)
    telemetry.took_over("undoing")
    telemetry.lease_lost()
    telemetry.second_look_found("missing", 2)
    assert before == {
        "identity_service.takeovers": [0, 0],
        "identity_service.leases.lost": [0],
        "identity_service.second_look.findings": [0, 0, 0],
    }
    assert sums(reader) == {
        "identity_service.takeovers": [0, 1],
        "identity_service.leases.lost": [1],
        "identity_service.second_look.findings": [0, 0, 2],
    }


def sums(reader: InMemoryMetricReader) -> dict[str, list[float]]:
    """Read the counters' values, of each in order."""
    data = reader.get_metrics_data()
    assert data is not None
    return {
        metric.name: sorted(getattr(point, "value") for point in metric.data.data_points)  # noqa: B009 - of any kind
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if hasattr(metric.data, "is_monotonic")
    }
