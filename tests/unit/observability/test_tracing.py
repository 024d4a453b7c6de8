"""Where spans go, and what they say they come from."""

from collections.abc import Mapping

import pytest

from identity_service.observability.tracing import current_trace, is_exported, open_tracing


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4317"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317"}, False),
        ({"OTEL_TRACES_EXPORTER": "console"}, False),
    ],
)
def test_spans_leave_the_process_only_where_the_standard_variables_say_so(
    environment: Mapping[str, str], expected: bool
) -> None:
    """OTEL_TRACES_EXPORTER decides; without it, an endpoint does."""
    assert is_exported(environment) is expected


def test_the_resource_is_the_service_unless_the_environment_names_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """`service.name` is identity-service by default, and OTEL_SERVICE_NAME changes it."""
    monkeypatch.delenv("OTEL_SERVICE_NAME", raising=False)
    monkeypatch.delenv("OTEL_RESOURCE_ATTRIBUTES", raising=False)
    named = open_tracing({}).resource.attributes["service.name"]
    monkeypatch.setenv("OTEL_SERVICE_NAME", "identity-blue")
    renamed = open_tracing({}).resource.attributes["service.name"]
    assert (named, renamed) == ("identity-service", "identity-blue")


def test_there_is_no_trace_outside_a_span() -> None:
    """Where nothing is traced, no ids are made up."""
    assert current_trace() is None
