"""The application's telemetry as OpenTelemetry's spans and metrics."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.metrics import Meter
from opentelemetry.trace import Status, StatusCode, Tracer

from identity_service.observability.tracing import current_traceparent, links_to

MUTATION_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0)


class OpenTelemetry:
    """Fulfils the application's `Telemetry`."""

    def __init__(self, tracer: Tracer, meter: Meter) -> None:
        self._tracer = tracer
        self._mutations = meter.create_histogram(
            "identity_service.mutation.duration",
            "s",
            "How long mutations took from the request to its stored outcome, waits for IAM included.",
            explicit_bucket_boundaries_advisory=MUTATION_SECONDS,
        )
        self._takeovers = meter.create_counter(
            "identity_service.takeovers", "{request}", "Requests that were taken over from an attempt that had died."
        )
        self._lost = meter.create_counter(
            "identity_service.leases.lost", "{lease}", "Attempts that had to stop since their lease was gone."
        )
        self._found = meter.create_counter(
            "identity_service.second_look.findings",
            "{finding}",
            "What second looks reported: of unknown origin (unattributed), taken by a late deletion (missing), "
            "or that a look was given up (unfinished).",
        )
        # So that the first one is an increase and not the beginning of a series.
        self._lost.add(0)
        for direction in ("running", "undoing"):
            self._takeovers.add(0, {"direction": direction})
        for finding in ("unattributed", "missing", "unfinished"):
            self._found.add(0, {"finding": finding})

    @contextmanager
    def span(self, name: str, link: str = "") -> Iterator[None]:
        """Surround a piece of work with a span; of an exception it shows the type."""
        with self._tracer.start_as_current_span(
            name,
            links=links_to(link),
            # The text of an exception may hold what no trace may.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except BaseException as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(Status(StatusCode.ERROR))
                raise

    def link(self, traceparent: str) -> None:
        """Link the current span to another one."""
        for link in links_to(traceparent):
            trace.get_current_span().add_link(link.context)

    def traceparent(self) -> str:
        """Return the current span's W3C `traceparent`; "" outside a span."""
        return current_traceparent()

    def mutation_ended(self, action: str, outcome: str, seconds: float, *, bulk: bool) -> None:
        """Count a mutation."""
        self._mutations.record(seconds, {"action": action, "outcome": outcome, "bulk": bulk})

    def took_over(self, direction: str) -> None:
        """Count a takeover."""
        self._takeovers.add(1, {"direction": direction})

    def lease_lost(self) -> None:
        """Count an attempt that may not go on."""
        self._lost.add(1)

    def second_look_found(self, finding: str, number: int) -> None:
        """Count what a second look reports."""
        self._found.add(number, {"finding": finding})
