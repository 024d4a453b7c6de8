"""The W3C trace context that every call carries: one id finds it in the logs of both sides.

Where the application uses OpenTelemetry and a span is active, the call continues that trace; otherwise it
starts one. OpenTelemetry is never required.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

try:
    from opentelemetry import propagate, trace
except ImportError:
    _OPENTELEMETRY = False
else:
    _OPENTELEMETRY = True

_SAMPLED = "01"


@dataclass(frozen=True)
class TraceContext:
    """The trace that a call belongs to, and the metadata that says so."""

    trace_id: str
    metadata: tuple[tuple[str, str], ...]


def current_trace() -> TraceContext:
    """Continue the active trace, or start one."""
    return _active_trace() or _fresh_trace()


def _active_trace() -> TraceContext | None:
    if not _OPENTELEMETRY:
        return None
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return None
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    metadata = tuple((key.lower(), value) for key, value in carrier.items())
    return TraceContext(format(context.trace_id, "032x"), metadata)


def _fresh_trace() -> TraceContext:
    trace_id, span_id = secrets.token_hex(16), secrets.token_hex(8)
    return TraceContext(trace_id, (("traceparent", f"00-{trace_id}-{span_id}-{_SAMPLED}"),))
