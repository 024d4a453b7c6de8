"""Traces: spans are always made, and exported where OpenTelemetry's standard variables say so."""

from collections.abc import Iterable, Mapping

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanContext
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from identity_service.observability import otlp
from identity_service.observability.release import RELEASE

DEFAULT_SERVICE_NAME = "identity-service"
SIGNAL = "TRACES"
TRACEPARENT = "traceparent"


class Tracing(TracerProvider):
    """The provider of tracers, with what sends the spans, if anything does."""

    exporter: OTLPSpanExporter | None = None

    def close(self) -> None:
        """Send what is left."""
        self.shutdown()

    def cut(self) -> None:
        """Let whatever is being sent fail at once."""
        if self.exporter is not None:
            self.exporter.shutdown()


def open_tracing(environment: Mapping[str, str]) -> Tracing:
    """Build the provider of tracers; `close()` sends what is left. Build it after any fork.

    Raises TelemetrySettingsError.
    """
    exported = otlp.is_exported(SIGNAL, environment)
    if exported:
        otlp.check(SIGNAL, environment)
    try:
        return _build(exported)
    except Exception as error:  # noqa: BLE001 - OpenTelemetry raises whatever its reading of a variable raises
        raise otlp.refused(error) from None


def _build(exported: bool) -> Tracing:
    provider = Tracing(resource=describe_service())
    if exported:
        # The exporter reads the standard variables itself: endpoint, headers, certificate, timeout.
        provider.exporter = OTLPSpanExporter()
        provider.add_span_processor(BatchSpanProcessor(provider.exporter))
    return provider


def describe_service() -> Resource:
    """Say whose traces and metrics these are, and of which release.

    OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over the default.
    """
    ours = {SERVICE_NAME: DEFAULT_SERVICE_NAME, SERVICE_VERSION: RELEASE}
    return Resource.create(ours).merge(OTELResourceDetector().detect())


def parent_of(metadata: Iterable[tuple[str, str | bytes]]) -> Context:
    """Return the context of the caller's span, from the W3C `traceparent` in its metadata."""
    carrier = {key: value for key, value in metadata if isinstance(value, str)}
    return TraceContextTextMapPropagator().extract(carrier, context=Context())


def current_trace() -> tuple[str, str] | None:
    """Return trace id and span id of the current span, in hexadecimal; None outside a span."""
    span_context = trace.get_current_span().get_span_context()
    if not span_context.is_valid:
        return None
    return trace.format_trace_id(span_context.trace_id), trace.format_span_id(span_context.span_id)


def current_traceparent() -> str:
    """Return the current span as a W3C `traceparent`, by which later work is linked to it; "" outside a span."""
    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get(TRACEPARENT, "")


def links_to(traceparent: str) -> list[Link]:
    """Return the link to a span by its `traceparent`; none for what names no span."""
    span_context = _span_context_of(traceparent)
    return [Link(span_context)] if span_context.is_valid else []


def _span_context_of(traceparent: str) -> SpanContext:
    return trace.get_current_span(parent_of([(TRACEPARENT, traceparent)])).get_span_context()
