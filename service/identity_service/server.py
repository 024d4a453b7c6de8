"""The gRPC servers: one for the RPCs, one for health; how they start, and how they drain."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import grpc
from grpc_health.v1 import health, health_pb2  # type: ignore[import-untyped] # ships no types
from grpc_reflection.v1alpha import reflection  # type: ignore[import-untyped] # ships no types

from identity_service.rpc.interceptors.last_barrier import LastBarrier
from identity_service.rpc.interceptors.one_message import OneMessage
from identity_service.rpc.services import SERVICE_NAMES, Services
from identity_service.settings import MAXIMUM_MESSAGE_BYTES, split_address
from identity_service.tls import TlsFiles

LIVENESS = "liveness"
"""The process serves: its event loop answers. What it depends on does not count, since to start it anew would help no
dependency."""
READINESS = "readiness"
"""It may be sent calls; see readiness.py. "" and the name of each service mean the same."""
OVERALL_HEALTH = ""
MOST_HEALTH_CALLS = 500
HEALTH_READ_SECONDS = 1.0
"""A probe's request is a few bytes, which come in one piece."""
MOST_WITHOUT_A_PLACE = 1000
"""How many RPCs may be there beside those that have a place, before gRPC itself refuses more.

They are about to get a place, or to be refused with a log line and a count: a millisecond each, but a flood comes at
once. So this is what ten connections bring that are full of calls: of such a flood the service itself answered each.
What gRPC refuses is seen nowhere, and its bare RESOURCE_EXHAUSTED is not sent again. There is an end to it, since an
RPC holds what has arrived of its message, 64 KiB at most: 1,000 such calls made the process grow by 54 MiB. Of larger
floods gRPC drops what Python has not come to take (more than 1,000, or for 30 s): CANCELLED, which clients send again.
"""
OPTIONS = (
    ("grpc.max_receive_message_length", MAXIMUM_MESSAGE_BYTES),
    # One connection cannot have all the calls that a server takes; more wait in the client.
    ("grpc.max_concurrent_streams", 100),
    # Two servers on one port would share its calls silently.
    ("grpc.so_reuseport", 0),
    # A connection whose other end is gone is noticed; a client may ask as often, not more often.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    # A connection outlives its client's certificate; this bounds by how much.
    ("grpc.max_connection_age_ms", 15 * 60_000),
    ("grpc.max_connection_age_grace_ms", 2 * 60_000),
    ("grpc.max_connection_idle_ms", 10 * 60_000),
)


class AddressError(Exception):
    """An address that cannot be listened on; the text is for the operator."""


@dataclass(frozen=True)
class BoundAddresses:
    """Where the servers really listen, with the ports that the system chose for port 0."""

    listen_address: str
    health_address: str
    metrics_address: str = ""


class HealthServer:
    """The health service on a port of its own: probes carry no certificate and come from outside loopback.

    Whoever reaches the port may ask, so no call lasts: a request has to arrive at once, and Watch, which stays for as
    long as its client likes, is not served. Probes ask with Check.
    """

    def __init__(self, address: str, read_seconds: float = HEALTH_READ_SECONDS) -> None:
        self._server = grpc.aio.server(
            interceptors=(LastBarrier(), OneMessage(read_seconds)),
            options=OPTIONS,
            maximum_concurrent_rpcs=MOST_HEALTH_CALLS,
        )
        self._servicer = health.aio.HealthServicer()
        check = grpc.unary_unary_rpc_method_handler(
            self._servicer.Check,
            health_pb2.HealthCheckRequest.FromString,
            health_pb2.HealthCheckResponse.SerializeToString,
        )
        handler = grpc.method_handlers_generic_handler(health.SERVICE_NAME, {"Check": check})
        self._server.add_generic_rpc_handlers((handler,))
        self._is_draining = False
        self.address = bind(self._server, address, None)

    async def start(self) -> None:
        """Be alive, and not ready until that is said."""
        await self._servicer.set(LIVENESS, health_pb2.HealthCheckResponse.SERVING)
        await self.set_ready(False)
        await self._server.start()

    async def set_ready(self, is_ready: bool) -> None:
        """Answer SERVING or NOT_SERVING, for the whole and for each service; who drains is not ready any more."""
        serves = is_ready and not self._is_draining
        status = health_pb2.HealthCheckResponse.SERVING if serves else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in (OVERALL_HEALTH, READINESS, *SERVICE_NAMES):
            await self._servicer.set(name, status)

    async def set_draining(self) -> None:
        """Be ready no more, and go on living."""
        self._is_draining = True
        await self.set_ready(False)

    async def stop(self) -> None:
        """Stop at once."""
        await self._server.stop(None)


def build_server(
    services: Services, interceptors: Sequence[grpc.aio.ServerInterceptor], places: int
) -> grpc.aio.Server:
    """Build the server of the RPCs, reflection included, which passes the same interceptors.

    `places` is how many RPCs these let in at a time; gRPC's own limit is well above.
    """
    server = grpc.aio.server(
        interceptors=tuple(interceptors),
        options=OPTIONS,
        maximum_concurrent_rpcs=places + MOST_WITHOUT_A_PLACE,
    )
    services.add_to(server)
    reflection.enable_server_reflection((*SERVICE_NAMES, reflection.SERVICE_NAME), server)
    return server


def tls_credentials(current: Callable[[], TlsFiles]) -> grpc.ServerCredentials:
    """Build credentials that ask every client for a certificate; each handshake asks for the current files.

    `current` must not raise, and returns the same object until the files change.
    """
    in_use = current()

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        nonlocal in_use
        files = current()
        if files is in_use:
            return None
        in_use = files
        return _certificate_configuration(files)

    return grpc.dynamic_ssl_server_credentials(
        _certificate_configuration(in_use),
        fetch,  # type: ignore[arg-type] # the stubs do not know None, which says that nothing changed
        require_client_authentication=True,
    )


def _certificate_configuration(files: TlsFiles) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(files.private_key, files.certificate)], files.client_ca)


def bind(server: grpc.aio.Server, address: str, credentials: grpc.ServerCredentials | None) -> str:
    """Listen on an address, without TLS if there are no credentials; return it with the port that was bound."""
    host, _ = split_address(address)
    try:
        port = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    except RuntimeError:
        hint = "is something else listening there" + (", or are the TLS files not in PEM?" if credentials else "?")
        raise AddressError(f"cannot listen on {address}: {hint}") from None
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
