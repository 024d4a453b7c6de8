"""OpenTelemetry's standard variables: whether a signal leaves the process by OTLP, and whether it can."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

LONGEST_TIMEOUT = 3600
LONGEST_INTERVAL = 3_600_000
ENDPOINT = "http://127.0.0.1:4317"
ENDPOINT_EXAMPLE = f"OTEL_EXPORTER_OTLP_ENDPOINT={ENDPOINT}"
Rule = tuple[Callable[[str], bool], str, str]
"""What a variable must be like, what to say where it is not, and an example."""


class TelemetrySettingsError(ValueError):
    """OpenTelemetry's variables cannot be used; the text has one line for each, for the operator."""


def is_exported(signal: str, environment: Mapping[str, str]) -> bool:
    """Tell whether a signal, TRACES or METRICS, leaves the process: its exporter decides, without one an endpoint.

    Raises TelemetrySettingsError for an exporter that there is not, rather than to send nothing in silence.
    """
    variable = f"OTEL_{signal}_EXPORTER"
    exporter = environment.get(variable, "").strip().lower()
    if exporter not in ("", "otlp", "none"):
        raise TelemetrySettingsError(_explain(variable, "only otlp and none are supported", "otlp"))
    if exporter:
        return exporter == "otlp"
    return any(
        environment.get(variable)
        for variable in ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
    )


def check(signal: str, environment: Mapping[str, str]) -> None:
    """Refuse what the exporter would pass over in silence, or log with its value, or end with a traceback.

    Raises TelemetrySettingsError.
    """
    rules = {
        variable: rule
        for name, rule in _RULES.items()
        for variable in (f"OTEL_EXPORTER_OTLP_{name}", f"OTEL_EXPORTER_OTLP_{signal}_{name}")
    }
    lines = [
        _explain(variable, problem, example)
        for variable, (is_right, problem, example) in {**rules, **_RULES_OF_SIGNALS.get(signal, {})}.items()
        if variable in environment and not is_right(environment[variable].strip())
    ]
    if lines:
        raise TelemetrySettingsError("\n".join(lines))


def _explain(variable: str, problem: str, example: str) -> str:
    return f"{variable}: {problem}; for example {variable}={example}"


def refused(error: Exception) -> TelemetrySettingsError:
    """Say that OpenTelemetry has refused a variable, without its words, which may quote the value."""
    problem = f"OpenTelemetry refuses one of these variables ({type(error).__name__})"
    return TelemetrySettingsError(f"OTEL_*: {problem}; for example {ENDPOINT_EXAMPLE}")


def _is_endpoint(text: str) -> bool:
    # Without a scheme the exporter speaks TLS to whatever the text is; of a path it knows nothing.
    if not text:
        return True
    try:
        parts = urlsplit(text)
        _ = parts.port  # Reading it checks it.
    except ValueError:
        return False
    plain = parts.username is None and parts.path in ("", "/") and not parts.query and not parts.fragment
    return parts.scheme in ("http", "https") and bool(parts.hostname) and plain


def _is_timeout(text: str) -> bool:
    return _is_between(text, LONGEST_TIMEOUT)


def _is_interval(text: str) -> bool:
    return not text or _is_between(text, LONGEST_INTERVAL)


def _is_between(text: str, most: float) -> bool:
    try:
        return 0 < float(text) <= most
    except ValueError:
        return False


def _are_headers(text: str) -> bool:
    # OpenTelemetry logs a pair that it does not understand, and there may be a secret in it.
    pairs = [pair.strip() for pair in text.split(",")]
    return all(
        re.fullmatch(r"[A-Za-z0-9_.-]+[ \t]*=[ \t]*[^\x00-\x1f\x7f-\U0010ffff\";\\]*", pair) for pair in pairs if pair
    )


_RULES: Mapping[str, Rule] = {
    "ENDPOINT": (_is_endpoint, "must be http://HOST:PORT or https://HOST:PORT, without a user or a path", ENDPOINT),
    "PROTOCOL": (lambda text: text in ("", "grpc"), "only grpc is supported", "grpc"),
    "TIMEOUT": (_is_timeout, f"must be a number of seconds above 0, at most {LONGEST_TIMEOUT}", "10"),
    "COMPRESSION": (lambda text: text.lower() == "gzip", "must be gzip, or not be set", "gzip"),
    "HEADERS": (_are_headers, "must be NAME=VALUE, separated by commas, values URL-encoded", "x-tenant=platform"),
    "CERTIFICATE": (lambda text: not text or Path(text).is_file(), "must be a file", "/etc/ssl/certs/collector.pem"),
}
"""By the end of the name: each is there for both signals, and for one of them."""

_RULES_OF_SIGNALS: Mapping[str, Mapping[str, Rule]] = {
    "METRICS": {
        "OTEL_METRIC_EXPORT_INTERVAL": (
            _is_interval,
            f"must be a number of milliseconds above 0, at most {LONGEST_INTERVAL}",
            "60000",
        )
    }
}
