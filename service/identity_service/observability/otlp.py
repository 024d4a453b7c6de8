"""OpenTelemetry's standard variables: whether a signal leaves the process by OTLP, and whether it can."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

LONGEST_TIMEOUT = 3600
ENDPOINT_EXAMPLE = "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317"


class TelemetrySettingsError(ValueError):
    """OpenTelemetry's variables cannot be used; the text has one line for each, for the operator."""


def is_exported(signal: str, environment: Mapping[str, str]) -> bool:
    """Tell whether a signal, TRACES or METRICS, leaves the process: its exporter decides, without one an endpoint."""
    exporter = environment.get(f"OTEL_{signal}_EXPORTER", "").strip().lower()
    if exporter:
        return "otlp" in [name.strip() for name in exporter.split(",")]
    return any(
        environment.get(variable)
        for variable in ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
    )


def check(signal: str, environment: Mapping[str, str]) -> None:
    """Refuse what the exporter would pass over in silence, or log with its value, or end with a traceback.

    Raises TelemetrySettingsError.
    """
    lines = [
        f"{variable}: {problem}; for example {variable}={example}"
        for name, (is_right, problem, example) in _RULES.items()
        for variable in (f"OTEL_EXPORTER_OTLP_{name}", f"OTEL_EXPORTER_OTLP_{signal}_{name}")
        if variable in environment and not is_right(environment[variable].strip())
    ]
    if lines:
        raise TelemetrySettingsError("\n".join(lines))


def refused(error: Exception) -> TelemetrySettingsError:
    """Say that OpenTelemetry has refused a variable, without its words, which may quote the value."""
    problem = f"OpenTelemetry refuses one of these variables ({type(error).__name__})"
    return TelemetrySettingsError(f"OTEL_*: {problem}; for example {ENDPOINT_EXAMPLE}")


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
