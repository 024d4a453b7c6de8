"""Units of work as traces and metrics show them."""

from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from identity_service.adapters.store import SqlLedger, StoreWatch
from identity_service.application.ledger import StoreUnavailableError
from identity_service.domain.errors import IdentityError, Reason


class Watched:
    """A watch with what it has seen."""

    def __init__(self) -> None:
        self._exporter, self._reader = InMemorySpanExporter(), InMemoryMetricReader()
        tracing = TracerProvider(shutdown_on_exit=False)
        tracing.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = tracing.get_tracer("test")
        meters = MeterProvider(metric_readers=[self._reader], shutdown_on_exit=False)
        self.watch = StoreWatch(self.tracer, meters.get_meter("test"))

    def spans(self) -> tuple[ReadableSpan, ...]:
        """Return the spans that have ended, the inner ones first."""
        return self._exporter.get_finished_spans()

    def counted(self) -> list[dict[str, Any]]:
        """Return what tells the measurements apart."""
        data = self._reader.get_metrics_data()
        resources = data.resource_metrics if data else []
        metrics = [metric for each in resources for scope in each.scope_metrics for metric in scope.metrics]
        return [dict(point.attributes or {}) for metric in metrics for point in metric.data.data_points]


@pytest.fixture
def watched() -> Watched:
    """A watch whose spans and measurements are kept."""
    return Watched()


async def test_a_unit_of_work_is_a_span_of_its_trace(watched: Watched, tmp_path: Path) -> None:
    """Inside a trace each unit of work is a client's span, by OpenTelemetry's names; outside it is counted alone."""
    ledger = SqlLedger(f"sqlite:///{tmp_path / 'store.db'}", watch=watched.watch)
    await ledger.open()
    await ledger.ping()
    assert watched.spans() == ()
    with watched.tracer.start_as_current_span("rpc"):
        await ledger.ping()
    await ledger.close()
    unit, rpc = watched.spans()
    assert (unit.name, dict(unit.attributes or {})) == (
        "ping",
        {"db.system.name": "sqlite", "db.operation.name": "ping"},
    )
    assert unit.parent == rpc.get_span_context()
    assert watched.counted() == [{"db.system.name": "sqlite", "db.operation.name": "ping"}]


async def test_a_store_that_is_away_is_an_error(watched: Watched, tmp_path: Path) -> None:
    """A unit of work that the store has failed is told apart from the others."""
    file = tmp_path / "store.db"
    ledger = SqlLedger(f"sqlite:///{file}", watch=watched.watch)
    await ledger.open()
    file.rename(tmp_path / "away")
    with watched.tracer.start_as_current_span("rpc"), pytest.raises(StoreUnavailableError):
        await ledger.ping()
    (tmp_path / "away").rename(file)
    await ledger.close()
    assert [counted.get("error.type") for counted in watched.counted()] == ["unavailable"]
    assert dict(watched.spans()[0].attributes or {})["error.type"] == "unavailable"


def test_what_the_work_refuses_is_no_error_of_the_stores(watched: Watched) -> None:
    """Somebody else who has the request is an answer, and wakes up nobody."""
    with pytest.raises(IdentityError), watched.watch.around("sqlite", "begin"):
        raise IdentityError(Reason.IN_PROGRESS, "the same request is running")
    assert ["error.type" in counted for counted in watched.counted()] == [False]
