"""A collector of traces on loopback, which takes OTLP by gRPC and keeps what it is sent."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector(TraceServiceServicer):
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.received: list[ExportTraceServiceRequest] = []

    def Export(  # noqa: N802 - the contract of OTLP names it
        self, request: ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> ExportTraceServiceResponse:
        """Take some spans."""
        self.received.append(request)
        return ExportTraceServiceResponse()

    def spans(self, service: str = "") -> list[Span]:
        """List the spans of all requests, of one service if it is named."""
        return [
            span
            for request in tuple(self.received)
            for resource in request.resource_spans
            if not service or any(each.value.string_value == service for each in resource.resource.attributes)
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@contextmanager
def run_collector() -> Iterator[tuple[Collector, str]]:
    """Run a collector on a free port; yield it with its address for OTEL_EXPORTER_OTLP_ENDPOINT."""
    collector = Collector()
    server = grpc.server(ThreadPoolExecutor(1))
    add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call] # generated without types
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield collector, f"http://127.0.0.1:{port}"
    server.stop(None).wait()


def attributes(span: Span) -> dict[str, str]:
    """Read the attributes that are text."""
    return {each.key: each.value.string_value for each in span.attributes}
