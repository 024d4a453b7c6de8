"""Traces: spans are always made, and exported where OpenTelemetry's standard variables say so."""

from collections.abc import Iterable, Mapping

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

DEFAULT_SERVICE_NAME = "identity-service"
ENDPOINT_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def open_tracing(environment: Mapping[str, str]) -> TracerProvider:
    """Build the provider of tracers; `shutdown()` sends what is left. Build it after any fork."""
    # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over the default name.
    resource = Resource.create({SERVICE_NAME: DEFAULT_SERVICE_NAME}).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource)
    if is_exported(environment):
        # The exporter reads the standard variables itself: endpoint, headers, certificate, timeout.
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def is_exported(environment: Mapping[str, str]) -> bool:
    """Tell whether spans leave the process: OTEL_TRACES_EXPORTER decides, and without it an endpoint does."""
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if exporter:
        return "otlp" in [name.strip() for name in exporter.split(",")]
    return any(environment.get(variable) for variable in ENDPOINT_VARIABLES)


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
