"""Secrets that libraries would take out of variables, which every child inherits and `kubectl describe` shows."""

from collections.abc import Mapping

import structlog

from identity_service.settings import PREFIX, SettingsError

_KEY_FILE = "AWS_SHARED_CREDENTIALS_FILE=/etc/identity-service/aws/credentials"
_INSTEAD: Mapping[str, tuple[str, str]] = {
    "AWS_SECRET_ACCESS_KEY": ("give the machine a role, or a file", _KEY_FILE),
    "AWS_SESSION_TOKEN": ("give the machine a role, or a file", _KEY_FILE),
    "PGPASSWORD": ("put it into a file", f"{PREFIX}STORE_PASSWORD_FILE=/etc/identity-service/store/password"),
}
"""Variables that are nothing but secrets, and where else they can stand."""
_HEADERS = (
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
)
"""Variables that may hold a secret, or just the name of a tenant; OpenTelemetry reads them from nowhere else."""


def refuse_secrets(environment: Mapping[str, str]) -> None:
    """Refuse secrets that can stand in a file. Raises SettingsError with a line for each, without its value."""
    problems = [
        f"{name}: must not be set, since variables are shown and inherited: {instead}; for example {example}"
        for name, (instead, example) in _INSTEAD.items()
        if environment.get(name)
    ]
    if problems:
        raise SettingsError("\n".join(problems))


def warn_of_headers(environment: Mapping[str, str]) -> None:
    """Log each variable whose headers may hold a secret: a collector nearby can add them instead."""
    for name in _HEADERS:
        if environment.get(name):
            structlog.get_logger().warning(
                "headers in a variable are shown and inherited; let a collector nearby add what is secret",
                variable=name,
            )
