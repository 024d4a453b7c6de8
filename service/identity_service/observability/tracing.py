"""Traces: spans are always made, and exported where OpenTelemetry's standard variables say so."""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

DEFAULT_SERVICE_NAME = "identity-service"
LONGEST_TIMEOUT = 3600
_ENDPOINT_EXAMPLE = "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317"
ENDPOINT_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


class TracingSettingsError(ValueError):
    """OpenTelemetry's variables cannot be used; the text has one line for each, for the operator."""


def open_tracing(environment: Mapping[str, str]) -> TracerProvider:
    """Build the provider of tracers; `shutdown()` sends what is left. Build it after any fork.

    Raises TracingSettingsError.
    """
    exported = is_exported(environment)
    if exported:
        _check(environment)
    try:
        return _build(exported)
    except Exception as error:  # noqa: BLE001 - OpenTelemetry raises whatever its reading of a variable raises
        problem = f"OpenTelemetry refuses one of these variables ({type(error).__name__})"
        raise TracingSettingsError(f"OTEL_*: {problem}; for example {_ENDPOINT_EXAMPLE}") from None


def _build(exported: bool) -> TracerProvider:
    # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over the default name.
    resource = Resource.create({SERVICE_NAME: DEFAULT_SERVICE_NAME}).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource)
    if exported:
        # The exporter reads the standard variables itself: endpoint, headers, certificate, timeout.
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def _check(environment: Mapping[str, str]) -> None:
    """Refuse what the exporter would pass over in silence, or log with its value, or end with a traceback."""
    lines = [
        f"{variable}: {problem}; for example {variable}={example}"
        for name, (is_right, problem, example) in _RULES.items()
        for variable in (f"OTEL_EXPORTER_OTLP_{name}", f"OTEL_EXPORTER_OTLP_TRACES_{name}")
        if variable in environment and not is_right(environment[variable].strip())
    ]
    if lines:
        raise TracingSettingsError("\n".join(lines))


def _is_timeout(text: str) -> bool:
    try:
        return 0 < float(text) <= LONGEST_TIMEOUT
    except ValueError:
        return False


def _are_headers(text: str) -> bool:
    # OpenTelemetry logs a pair that it does not understand, and there may be a secret in it.
    pairs = [pair.strip() for pair in text.split(",")]
    return all(
        re.fullmatch(r"[A-Za-z0-9_.-]+[ \t]*=[ \t]*[^\x00-\x1f\x7f-\U0010ffff\";\\]*", pair) for pair in pairs if pair
    )


_RULES: Mapping[str, tuple[Callable[[str], bool], str, str]] = {
    "PROTOCOL": (lambda text: text in ("", "grpc"), "only grpc is supported", "grpc"),
    "TIMEOUT": (_is_timeout, f"must be a number of seconds above 0, at most {LONGEST_TIMEOUT}", "10"),
    "COMPRESSION": (lambda text: text.lower() == "gzip", "must be gzip, or not be set", "gzip"),
    "HEADERS": (_are_headers, "must be NAME=VALUE, separated by commas, values URL-encoded", "x-tenant=platform"),
    "CERTIFICATE": (lambda text: not text or Path(text).is_file(), "must be a file", "/etc/ssl/certs/collector.pem"),
}
"""What a variable must be like, what to say where it is not, and an example."""


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
