"""What every server has: the order of its interceptors, and the limits of its connections."""

import socket
from datetime import UTC, datetime

import grpc
import pytest
from opentelemetry.trace import NoOpTracer

from identity_service.rpc.call import Call, begin_call, current_call, current_caller
from identity_service.rpc.interceptors import interceptor_chain
from identity_service.rpc.interceptors.around import AroundInterceptor
from identity_service.rpc.interceptors.authentication import insecure_caller
from identity_service.server import OPTIONS, AddressError, bind, tls_credentials
from identity_service.tls import TlsFiles
from tests.unit.rpc.support import FakeAuthorizer


def test_the_order_of_the_chain() -> None:
    """Log outermost but for what answers when the log fails; the caller is known before it has a place or is read."""
    chain = interceptor_chain(
        tracer=NoOpTracer(),
        authorizer=FakeAuthorizer(),
        identify_peer=insecure_caller,
        default_deadline=1,
        most_calls=1,
        most_streams=1,
    )
    assert [type(interceptor).__name__ for interceptor in chain] == [
        "LastBarrier",
        "ErrorAnswer",
        "RequestLog",
        "FaultBarrier",
        "Deadline",
        "Authentication",
        "Places",
        "OneMessage",
        "WellFormedness",
        "AccountShare",
    ]
    assert sum(isinstance(interceptor, AroundInterceptor) for interceptor in chain) == 7


def test_connections_are_bounded() -> None:
    """Requests are small, connections end before long, and a port is never shared in silence."""
    options = dict(OPTIONS)
    assert options["grpc.max_receive_message_length"] == 65536
    assert options["grpc.max_concurrent_streams"] == 100
    assert options["grpc.so_reuseport"] == 0
    assert 0 < options["grpc.max_connection_age_ms"] <= 3_600_000
    assert {"grpc.max_connection_age_grace_ms", "grpc.keepalive_time_ms", "grpc.keepalive_timeout_ms"} <= set(options)


def test_a_call_is_the_current_one_only_while_it_lasts() -> None:
    """Outside an RPC there is no call, and without authentication no caller."""
    with begin_call(Call("method", "trace")) as call:
        assert current_call() is call
        with pytest.raises(LookupError):
            current_caller()
    with pytest.raises(LookupError):
        current_call()


@pytest.mark.parametrize("what", ["the port is taken", "the files are not PEM"])
async def test_an_address_that_cannot_be_had_is_named(what: str) -> None:
    """The operator reads which address could not be listened on, and why that may be."""
    server = grpc.aio.server(options=OPTIONS)
    files = TlsFiles(b"junk", b"junk", b"junk", (), *[datetime.now(UTC)] * 2)
    junk = tls_credentials(lambda: files) if what == "the files are not PEM" else None
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(AddressError, match="not in PEM" if junk else "something else") as raised:
            bind(server, "127.0.0.1:0" if junk else taken, junk)
    assert ("127.0.0.1:0" if junk else taken) in str(raised.value)
    await server.stop(None)
