"""Secrets in variables of libraries: refused where a file can hold them, warned of where none can."""

import pytest
from structlog.testing import capture_logs

from identity_service.secret_variables import refuse_secrets, warn_of_headers
from identity_service.settings import SettingsError

CANARY = "canary-9f2c"


def test_each_secret_that_can_stand_in_a_file_is_named_without_its_value() -> None:
    """Every such variable has its line, which says where the secret belongs and does not repeat it."""
    names = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "PGPASSWORD")
    with pytest.raises(SettingsError) as caught:
        refuse_secrets(dict.fromkeys(names, CANARY))
    lines = str(caught.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == list(names)
    assert all("; for example " in line and "_FILE=" in line for line in lines)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"AWS_SECRET_ACCESS_KEY": "", "PGPASSWORD": ""},
        {"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/r", "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/token"},
        {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/t",
        },
        {"AWS_SHARED_CREDENTIALS_FILE": "/etc/aws/credentials", "PGSERVICEFILE": "/etc/pg_service.conf"},
    ],
)
def test_roles_and_files_are_let_through(environment: dict[str, str]) -> None:
    """What IRSA and Pod Identity set in a pod, names of files, and empty variables stop nothing."""
    refuse_secrets(environment)


def test_headers_are_warned_of_without_their_value() -> None:
    """Headers for OTLP, which have no file, are named in the log, and their value is not."""
    environment = {"OTEL_EXPORTER_OTLP_HEADERS": f"authorization={CANARY}", "OTEL_EXPORTER_OTLP_TRACES_HEADERS": ""}
    with capture_logs() as logs:
        warn_of_headers(environment)
    assert [(line["log_level"], line["variable"]) for line in logs] == [("warning", "OTEL_EXPORTER_OTLP_HEADERS")]
    assert CANARY not in str(logs)
