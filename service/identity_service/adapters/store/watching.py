"""Units of work as whoever watches the store sees them: one measurement each, and a span where there is a trace."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from opentelemetry import trace
from opentelemetry.metrics import Meter, NoOpMeter
from opentelemetry.trace import NoOpTracer, SpanKind, Status, StatusCode, Tracer

from identity_service.application.ledger import StoreUnavailableError
from identity_service.observability.instruments import StoreInstruments

UNAVAILABLE = "unavailable"
"""The error of a unit of work whose store could not be used; what the work itself refuses is none of the store's."""


class StoreWatch:
    """Watches units of work; by default for nobody."""

    def __init__(self, tracer: Tracer | None = None, meter: Meter | None = None) -> None:
        self._tracer = tracer or NoOpTracer()
        self._instruments = StoreInstruments(meter or NoOpMeter(__name__))

    @contextmanager
    def around(self, system: str, operation: str) -> Iterator[None]:
        """Surround a unit of work in a database of a kind, such as `sqlite`."""
        began, error = time.perf_counter(), ""
        with self._span(system, operation):
            try:
                yield
            except StoreUnavailableError:
                error = UNAVAILABLE
                span = trace.get_current_span()
                span.set_attribute("error.type", error)
                span.set_status(Status(StatusCode.ERROR))
                raise
            finally:
                self._instruments.ended(system, operation, error, time.perf_counter() - began)

    def _span(self, system: str, operation: str) -> AbstractContextManager[object]:
        if not trace.get_current_span().get_span_context().is_valid:
            # The loops look for work every second, for nobody.
            return nullcontext()
        return self._tracer.start_as_current_span(
            operation,
            kind=SpanKind.CLIENT,
            attributes={"db.system.name": system, "db.operation.name": operation},
            # The text of an exception may hold what no trace may.
            record_exception=False,
            set_status_on_exception=False,
        )
