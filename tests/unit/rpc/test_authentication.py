"""Who calls, over real TLS."""

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography.x509 import GeneralName

from identity_provisioning.v1.user_service_pb2 import DeleteUserRequest
from identity_service.rpc.client_certificates import ClientCertificates
from identity_service.rpc.interceptors.authentication import UNKNOWN
from identity_service.server import tls_credentials
from tests.support.tls_relay import tls_relay
from tests.unit.rpc.certificates import DNS, URI, Authority, Identity
from tests.unit.rpc.support import BOT_ID, REQUEST_ID, LogStream, RunningServer, failure, reason_of, running_server

METHOD = "/identity_provisioning.v1.UserService/DeleteUser"
REQUEST = DeleteUserRequest(request_id=REQUEST_ID, user_name="ann").SerializeToString()
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
LIST_SERVICES = b"\x3a\x01*"


@pytest.fixture(scope="module")
def authority() -> Authority:
    """Make an authority."""
    return Authority()


@pytest.fixture
async def server(authority: Authority, log: LogStream) -> AsyncIterator[RunningServer]:
    """Run a server with TLS."""
    own = authority.issue([DNS("localhost")])
    files = authority.server_files(own)
    peers = ClientCertificates(lambda: files.authorities, lambda: {"example.org"})
    credentials = tls_credentials(lambda: files)
    async with running_server(log, identify_peer=peers, server_credentials=credentials) as running:
        yield running


async def call(server: RunningServer, authority: Authority, identity: Identity | None) -> Any:
    """Call once over a connection of its own."""
    port = server.address.rpartition(":")[2]
    async with grpc.aio.secure_channel(f"localhost:{port}", authority.channel_credentials(identity)) as channel:
        rpc: Any = channel.unary_unary(METHOD, None, None)
        return await rpc(REQUEST, timeout=10)


async def test_one_spiffe_id_is_the_caller(server: RunningServer, authority: Authority) -> None:
    """A certificate with one SPIFFE id, beside DNS names, is that caller with its team."""
    await call(server, authority, authority.issue([DNS("bot.example.org"), URI(BOT_ID)]))
    ((caller, _),) = server.application.mutations
    assert (caller.id, caller.team) == (BOT_ID, "people-team")


@pytest.mark.parametrize(
    "names",
    [
        [URI(BOT_ID), URI("spiffe://example.org/other")],
        [URI(BOT_ID), URI("https://example.org/bot")],
        [URI("https://example.org/onboarding-bot")],
        [DNS("onboarding-bot.example.org")],
        [DNS(BOT_ID)],
        [],
    ],
    ids=["two SPIFFE ids", "two URI names", "another scheme", "DNS only", "SPIFFE id as a DNS name", "no names"],
)
async def test_anything_but_one_spiffe_id_is_nobody(
    server: RunningServer, authority: Authority, names: Sequence[GeneralName]
) -> None:
    """Without exactly one URI name that is a SPIFFE id, the call is refused before the application sees it."""
    error = await failure(call(server, authority, authority.issue(names)))
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.UNAUTHENTICATED, "CALLER_UNKNOWN")
    assert error.details() == UNKNOWN
    (line,) = server.log_lines("caller_unknown")
    assert {key for key in line if key not in ("trace_id", "span_id")} == {"event", "level", "rule", "timestamp"}
    assert server.application.mutations == []


async def test_a_caller_without_a_team_is_not_allowed(server: RunningServer, authority: Authority) -> None:
    """Who is authenticated and in no team gets PERMISSION_DENIED."""
    error = await failure(call(server, authority, authority.issue([URI("spiffe://example.org/stranger")])))
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.PERMISSION_DENIED, "CALLER_NOT_ALLOWED")
    (line,) = await server.logged("rpc")
    assert (line["caller"], line["team"]) == ("spiffe://example.org/stranger", "")


@pytest.mark.parametrize("whose", ["nobody", "a stranger"])
async def test_connections_without_a_trusted_certificate_are_cut(
    server: RunningServer, authority: Authority, whose: str
) -> None:
    """No certificate, or one that another authority signed, does not get as far as an RPC."""
    identity = None if whose == "nobody" else Authority().issue([URI(BOT_ID)])
    error = await failure(call(server, authority, identity))
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert server.log_lines("rpc") == []


async def test_callers_are_known_before_requests_are_read(server: RunningServer, authority: Authority) -> None:
    """Who is nobody does not learn what is wrong with a request, nor what is not built."""
    port = server.address.rpartition(":")[2]
    credentials = authority.channel_credentials(authority.issue([DNS("a.example.org")]))
    async with grpc.aio.secure_channel(f"localhost:{port}", credentials) as channel:
        for method in ("DeleteUser", "ListUsers"):
            rpc: Any = channel.unary_unary(f"/identity_provisioning.v1.UserService/{method}", None, None)
            assert (await failure(rpc(b"", timeout=10))).code() is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("known", [True, False])
async def test_reflection_needs_an_authenticated_caller(
    server: RunningServer, authority: Authority, known: bool
) -> None:
    """The contract is shown to callers and to nobody else."""
    port = server.address.rpartition(":")[2]
    identity = authority.issue([URI(BOT_ID) if known else DNS("a.example.org")])
    async with grpc.aio.secure_channel(f"localhost:{port}", authority.channel_credentials(identity)) as channel:
        # One message in one batch with its end: gRPC's client fails if a stream is refused while it is still sending.
        stream: Any = channel.unary_stream(REFLECTION, None, None)
        answer = stream(LIST_SERVICES, timeout=10).read()
        if known:
            assert b"identity_provisioning.v1.UserService" in await answer
        else:
            assert (await failure(answer)).code() is grpc.StatusCode.UNAUTHENTICATED


async def test_tls_1_2_is_refused(server: RunningServer, authority: Authority, tmp_path: Path) -> None:
    """A connection over an older TLS is nobody, whatever certificate it has."""
    async with _relay(server, authority, TLS_1_2, tmp_path) as address:
        error = await failure(_call_in_clear(address))
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.UNAUTHENTICATED, "CALLER_UNKNOWN")
    assert error.details() == UNKNOWN
    (line,) = server.log_lines("caller_unknown")
    assert line["rule"] == "tls_version"


async def test_the_relay_of_the_test_above_works_with_tls_1_3(
    server: RunningServer, authority: Authority, tmp_path: Path
) -> None:
    """What the test above shows is the version's doing, not the relay's."""
    async with _relay(server, authority, TLS_1_3, tmp_path) as address:
        await _call_in_clear(address)
    assert len(server.application.mutations) == 1


TLS_1_2 = ssl.TLSVersion.TLSv1_2
TLS_1_3 = ssl.TLSVersion.TLSv1_3


async def _call_in_clear(address: str) -> Any:
    async with grpc.aio.insecure_channel(address) as channel:
        rpc: Any = channel.unary_unary(METHOD, None, None)
        return await rpc(REQUEST, timeout=10)


def _relay(
    server: RunningServer, authority: Authority, version: ssl.TLSVersion, folder: Path
) -> AbstractAsyncContextManager[str]:
    identity = authority.issue([URI(BOT_ID)])
    pem = identity.certificate + identity.private_key
    return tls_relay(server.address, authority.certificate, pem, version, folder)
