"""Where metrics go, and what stops the start."""

from importlib.metadata import version
from urllib.request import urlopen

import pytest
from opentelemetry.metrics import NoOpMeterProvider

from identity_service.observability import otlp
from identity_service.observability.instruments import RpcInstruments
from identity_service.observability.metrics import Metrics
from identity_service.observability.otlp import TelemetrySettingsError

LOOPBACK = ("127.0.0.1", 0)


def scrape(metrics: Metrics) -> str:
    """Read the metrics as Prometheus does."""
    with urlopen(f"http://{metrics.address}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


def test_without_readers_nothing_is_counted() -> None:
    """Where nobody reads metrics, none are kept and nothing listens."""
    metrics = Metrics({}, None)
    assert (metrics.is_read, metrics.address) == (False, "")
    assert isinstance(metrics.provider, NoOpMeterProvider)
    metrics.close()


def test_two_servers_in_one_process_do_not_meet() -> None:
    """Each shows what it has counted itself, and nothing answers after its close."""
    one, other = Metrics({}, LOOPBACK), Metrics({}, LOOPBACK)
    RpcInstruments(one.provider.get_meter("test")).ended("Service/Method", "OK", "", 0.1)
    shown = scrape(one), scrape(other)
    assert ["Service/Method" in text for text in shown] == [True, False]
    one.close()
    other.close()
    with pytest.raises(OSError, match="refused"):
        scrape(one)


def test_prometheus_is_told_which_release_runs() -> None:
    """`target_info` names the version of the installed distribution."""
    metrics = Metrics({}, LOOPBACK)
    RpcInstruments(metrics.provider.get_meter("test")).ended("Service/Method", "OK", "", 0.1)
    shown = scrape(metrics)
    metrics.close()
    (line,) = [line for line in shown.splitlines() if line.startswith("target_info{")]
    assert f'service_version="{version("identity-provisioning-service")}"' in line


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL"])
def test_a_wrong_variable_of_the_exporter_is_named(name: str) -> None:
    """What the exporter cannot do stops the start, as for traces."""
    environment = {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:1", name: "canary"}
    with pytest.raises(TelemetrySettingsError, match=f"{name}: only grpc is supported") as caught:
        Metrics(environment, None)
    assert "canary" not in str(caught.value)


def test_metrics_alone_can_be_left_out() -> None:
    """With an endpoint for everything, OTEL_METRICS_EXPORTER=none sends traces alone."""
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_METRICS_EXPORTER": "none"}
    assert not Metrics(environment, None).is_read


@pytest.mark.parametrize("interval", ["abc", "-1", "0", "nan", "inf", "3600001"])
def test_an_interval_that_cannot_be_is_refused(interval: str) -> None:
    """What OpenTelemetry would replace by its default, or never send by, is named with an example."""
    with pytest.raises(TelemetrySettingsError) as caught:
        Metrics({"OTEL_METRICS_EXPORTER": "otlp", "OTEL_METRIC_EXPORT_INTERVAL": interval}, None)
    assert str(caught.value) == (
        "OTEL_METRIC_EXPORT_INTERVAL: must be a number of milliseconds above 0, at most 3600000; "
        "for example OTEL_METRIC_EXPORT_INTERVAL=60000"
    )


@pytest.mark.parametrize("interval", ["", "500", "60000", "3600000"])
def test_a_good_interval_is_taken(interval: str) -> None:
    """Milliseconds of up to an hour; an empty variable counts as not set."""
    otlp.check("METRICS", {"OTEL_METRIC_EXPORT_INTERVAL": interval})


def test_traces_do_not_mind_the_interval_of_metrics() -> None:
    """A variable of metrics does not stop a start that sends traces alone."""
    otlp.check("TRACES", {"OTEL_METRIC_EXPORT_INTERVAL": "abc"})


def test_what_only_opentelemetry_can_judge_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenTelemetry's other variables are read by itself, and what it refuses is told without the value."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "canary")
    with pytest.raises(TelemetrySettingsError, match="OpenTelemetry refuses") as caught:
        Metrics({"OTEL_METRICS_EXPORTER": "otlp"}, None)
    assert "canary" not in str(caught.value)
