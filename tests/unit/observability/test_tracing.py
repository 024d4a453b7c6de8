"""Where spans go, and what they say they come from."""

from collections.abc import Mapping
from importlib.metadata import version

import pytest

from identity_service.observability import otlp
from identity_service.observability.otlp import TelemetrySettingsError, is_exported
from identity_service.observability.tracing import current_trace, open_tracing


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4317"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317"}, False),
        ({"OTEL_TRACES_EXPORTER": " OTLP"}, True),
    ],
)
def test_spans_leave_the_process_only_where_the_standard_variables_say_so(
    environment: Mapping[str, str], expected: bool
) -> None:
    """OTEL_TRACES_EXPORTER decides; without it, an endpoint does."""
    assert is_exported("TRACES", environment) is expected


@pytest.mark.parametrize("exporter", ["oltp", "console", "otlp,console", "canary"])
def test_an_exporter_that_there_is_not_is_refused(exporter: str) -> None:
    """A mistyped exporter, or one of OpenTelemetry's that this service has not, does not lose all spans in silence."""
    with pytest.raises(TelemetrySettingsError) as caught:
        is_exported("TRACES", {"OTEL_TRACES_EXPORTER": exporter})
    assert str(caught.value) == (
        "OTEL_TRACES_EXPORTER: only otlp and none are supported; for example OTEL_TRACES_EXPORTER=otlp"
    )


def test_the_resource_is_the_service_unless_the_environment_names_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """`service.name` is identity-service by default, and OTEL_SERVICE_NAME changes it."""
    monkeypatch.delenv("OTEL_SERVICE_NAME", raising=False)
    monkeypatch.delenv("OTEL_RESOURCE_ATTRIBUTES", raising=False)
    named = open_tracing({}).resource.attributes["service.name"]
    monkeypatch.setenv("OTEL_SERVICE_NAME", "identity-blue")
    renamed = open_tracing({}).resource.attributes["service.name"]
    assert (named, renamed) == ("identity-service", "identity-blue")


def test_the_resource_says_which_release_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """`service.version` is that of the installed distribution, under any name of the service."""
    monkeypatch.setenv("OTEL_SERVICE_NAME", "identity-blue")
    assert open_tracing({}).resource.attributes["service.version"] == version("identity-provisioning-service")


def test_there_is_no_trace_outside_a_span() -> None:
    """Where nothing is traced, no ids are made up."""
    assert current_trace() is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENDPOINT", "canary"),
        ("ENDPOINT", "canary:4317"),
        ("ENDPOINT", "http://"),
        ("ENDPOINT", "http://canary:99999"),
        ("ENDPOINT", "http://canary:port"),
        ("ENDPOINT", "http://[canary"),
        ("ENDPOINT", "http://user:canary@collector:4317"),
        ("ENDPOINT", "http://canary:4318/v1/traces"),
        ("ENDPOINT", "grpc://canary:4317"),
        ("PROTOCOL", "http/protobuf"),
        ("PROTOCOL", "http/json"),
        ("TIMEOUT", "canary"),
        ("TIMEOUT", "0"),
        ("TIMEOUT", "nan"),
        ("TIMEOUT", ""),
        ("COMPRESSION", "canary"),
        ("HEADERS", "authorization: canary"),
        ("HEADERS", 'x-tenant=a,authorization="canary"'),
        ("CERTIFICATE", "/no/such/canary.pem"),
    ],
)
@pytest.mark.parametrize("prefix", ["OTEL_EXPORTER_OTLP_", "OTEL_EXPORTER_OTLP_TRACES_"])
def test_a_wrong_variable_of_the_exporter_is_named(prefix: str, name: str, value: str) -> None:
    """What the exporter would pass over, or fail at, or log, is refused with an example and without its value."""
    variable = prefix + name
    with pytest.raises(TelemetrySettingsError) as caught:
        open_tracing({"OTEL_TRACES_EXPORTER": "otlp", variable: value})
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{variable}: ")
    assert f"; for example {variable}=" in line
    assert "canary" not in line


def test_what_is_not_used_is_not_checked() -> None:
    """Where no spans leave the process, the exporter's variables do not stop a start."""
    open_tracing({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}).close()


@pytest.mark.parametrize(
    "endpoint",
    ["", "http://collector:4317", "https://collector.example", "http://[::1]:4317/", "https://10.0.0.1:4317"],
)
def test_a_good_endpoint_is_taken(endpoint: str) -> None:
    """A host with or without a port, by either scheme; an empty variable counts as not set."""
    otlp.check("TRACES", {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint})


@pytest.mark.parametrize("headers", ["", "x-tenant=a", "x-tenant=a, Authorization=Bearer abc==", "x=%20"])
def test_good_variables_are_taken(monkeypatch: pytest.MonkeyPatch, headers: str) -> None:
    """Spans are exported with what OpenTelemetry's standard allows and gRPC can do."""
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "0.5",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_EXPORTER_OTLP_HEADERS": headers,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    open_tracing(environment).close()


def test_what_only_opentelemetry_can_judge_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where OpenTelemetry itself refuses a variable, the start ends with words."""
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "1")
    with pytest.raises(TelemetrySettingsError, match="OpenTelemetry refuses"):
        open_tracing({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317"})
