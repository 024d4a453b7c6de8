"""Metrics: scraped by Prometheus, or sent where OpenTelemetry's standard variables say so, or both, or neither.

No attribute of any of them is of a caller's choosing: names of RPCs, of IAM actions and of reasons are all that tells
one series from another, so that there are never many, and none shows whom a request was about.
"""

from collections.abc import Mapping
from http.server import HTTPServer

from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import MeterProvider as AnyMeterProvider
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server

from identity_service.observability import otlp
from identity_service.observability.tracing import describe_service

SIGNAL = "METRICS"


class Metrics:
    """The provider of meters with what reads them; without anybody who reads, nothing is counted.

    Each has a registry of its own, so that two servers in one process do not meet.
    """

    def __init__(self, environment: Mapping[str, str], scraped: tuple[str, int] | None) -> None:
        """Begin to count, and to answer on host and port those who scrape.

        Raises TelemetrySettingsError, and OSError where the address cannot be listened on.
        """
        self._provider: MeterProvider | None = None
        self._endpoint: HTTPServer | None = None
        registry = CollectorRegistry(auto_describe=True)
        self._exporter = _exporter(environment)
        readers = _readers(self._exporter, registry if scraped else None)
        if readers:
            self._provider = MeterProvider(metric_readers=readers, resource=describe_service(), shutdown_on_exit=False)
        if scraped:
            ProcessCollector(registry=registry)
            host, port = scraped
            self._endpoint, self._thread = start_http_server(port, host, registry)

    @property
    def provider(self) -> AnyMeterProvider:
        """Where meters come from."""
        return self._provider or NoOpMeterProvider()

    @property
    def is_read(self) -> bool:
        """Whether anybody reads them."""
        return self._provider is not None

    @property
    def address(self) -> str:
        """Where it is scraped, with the port that the system chose for port 0; "" if it is not."""
        if self._endpoint is None:
            return ""
        host, port = str(self._endpoint.server_address[0]), self._endpoint.server_port
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def close(self) -> None:
        """Stop answering, and send what is left."""
        if self._endpoint is not None:
            self._endpoint.shutdown()
            self._endpoint.server_close()
            self._thread.join()
        if self._provider is not None:
            self._provider.shutdown()

    def cut(self) -> None:
        """Let whatever is being sent fail at once."""
        if self._exporter is not None:
            self._exporter.shutdown()


def _exporter(environment: Mapping[str, str]) -> OTLPMetricExporter | None:
    if not otlp.is_exported(SIGNAL, environment):
        return None
    otlp.check(SIGNAL, environment)
    try:
        # Endpoint, headers, certificate and timeout are read by it itself.
        return OTLPMetricExporter()
    except Exception as error:  # noqa: BLE001 - OpenTelemetry raises whatever its reading of a variable raises
        raise otlp.refused(error) from None


def _readers(exporter: OTLPMetricExporter | None, registry: CollectorRegistry | None) -> list[MetricReader]:
    readers: list[MetricReader] = []
    if registry is not None:
        readers.append(PrometheusMetricReader(scope_info_enabled=False, registry=registry))
    if exporter is not None:
        try:
            # It reads the interval itself.
            readers.append(PeriodicExportingMetricReader(exporter))
        except Exception as error:  # noqa: BLE001 - as above
            raise otlp.refused(error) from None
    return readers
