"""How the service is reached, and what is refused on the way."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.protobuf.descriptor_pb2 import MethodOptions

from identity_client import AsyncIdentityClient, IdentityClient, TlsFileError, TlsFiles, Unavailable
from identity_client._channel import endpoint, is_loopback
from identity_client._contract import methods
from tests.unit.client.certificates import Authority
from tests.unit.client.fake_service import FakeIdentityService


@pytest.mark.parametrize(
    "target",
    [
        "localhost",
        "LOCALHOST:50051",
        "127.0.0.1:1",
        "127.8.9.10:1",
        "[::1]:50051",
        "::1",
        "dns:///localhost:1",
        "unix:/run/identity.sock",
        "unix-abstract:identity",
        "ipv4:127.0.0.1:1,127.0.0.2:1",
        "ipv6:[::1]:1",
    ],
)
def test_plain_text_stays_on_this_machine(target: str) -> None:
    """Loopback targets may be spoken to in clear."""
    assert is_loopback(target)
    IdentityClient(target, insecure=True).close()


@pytest.mark.parametrize(
    "target",
    [
        "identity.example:8443",
        "10.0.0.1:1",
        "0.0.0.0:1",
        "localhost.example:1",
        "127.0.0.1.example:1",
        "example/localhost:1",
        "dns://8.8.8.8/localhost:1",
        "ipv4:127.0.0.1:1,10.0.0.1:1",
        "[2001:db8::1]:1",
        "xds:///localhost",
    ],
)
def test_plain_text_to_another_machine_is_refused(target: str) -> None:
    """Anything that could be another machine is a ValueError, for both clients."""
    with pytest.raises(ValueError, match="loopback"):
        IdentityClient(target, insecure=True)
    with pytest.raises(ValueError, match="loopback"):
        AsyncIdentityClient(target, insecure=True)


def test_contradicting_options_are_refused() -> None:
    """One way to secure the connection is given, not two, and never half a client identity."""
    with pytest.raises(ValueError, match="one of"):
        IdentityClient("localhost:1", insecure=True, tls=TlsFiles())
    with pytest.raises(ValueError, match="together"):
        TlsFiles("ca.pem", "client.pem")
    with pytest.raises(ValueError, match="empty"):
        IdentityClient("")


def test_the_channel_is_set_up_for_replicas_and_limits() -> None:
    """All replicas are resolved and used in turn; requests are limited; plain text takes no proxy."""
    found = endpoint("localhost:1", insecure=True)
    options = dict(found.options)
    config = json.loads(str(options["grpc.service_config"]))
    assert found.address == "dns:///localhost:1"
    assert config["loadBalancingConfig"] == [{"round_robin": {}}]
    assert options["grpc.max_send_message_length"] == 64 * 1024
    assert options["grpc.enable_http_proxy"] == 0
    assert "grpc.keepalive_time_ms" in options


def test_grpc_itself_retries_nothing_that_changes_something() -> None:
    """The service config names reads only, so that no mutation is repeated behind this package's back."""
    config = json.loads(str(dict(endpoint("localhost:1", insecure=True).options)["grpc.service_config"]))
    names = [(name["service"], name["method"]) for each in config["methodConfig"] for name in each["name"]]
    assert names == [("identity_provisioning.v1.OperationService", "WatchOperation")]
    levels = {(each.containing_service.full_name, each.name): each.GetOptions().idempotency_level for each in methods()}
    assert {levels[name] for name in names} == {MethodOptions.NO_SIDE_EFFECTS}


def test_a_connection_that_has_gone_dead_is_given_up_soon() -> None:
    """Within half a minute, and with no more pings than the service allows, one every ten seconds."""
    options = dict(endpoint("localhost:1", insecure=True).options)
    interval, patience = int(options["grpc.keepalive_time_ms"]), int(options["grpc.keepalive_timeout_ms"])
    assert interval >= 10_000
    assert interval + patience <= 30_000
    assert options["grpc.http2.ping_timeout_ms"] == patience


@pytest.fixture
def authority() -> Authority:
    """Make an authority."""
    return Authority()


@pytest.fixture
def secured(authority: Authority) -> Iterator[FakeIdentityService]:
    """Start a service that wants client certificates."""
    mine = authority.issue("localhost")
    credentials = grpc.ssl_server_credentials(
        [(mine.key, mine.certificate)], root_certificates=authority.pem, require_client_auth=True
    )
    fake = FakeIdentityService(credentials)
    yield fake
    fake.stop()


def files(folder: Path, trusted: Authority, signer: Authority, server_name: str = "") -> TlsFiles:
    """Write the PEM files of a client."""
    ca = folder / "ca.pem"
    ca.write_bytes(trusted.pem)
    certificate, key = signer.issue("client").write(folder, "client")
    return TlsFiles(ca, certificate, key, server_name)


def test_mutual_tls_works_with_three_files(tmp_path: Path, authority: Authority, secured: FakeIdentityService) -> None:
    """Authority, certificate and key are all that a client needs."""
    with IdentityClient(secured.target, tls=files(tmp_path, authority, authority)) as client:
        assert client.wait_until_connected(5.0)
        assert client.get_account().account.alias == "acme"


async def test_mutual_tls_works_with_asyncio(
    tmp_path: Path, authority: Authority, secured: FakeIdentityService
) -> None:
    """The twin takes the same files."""
    async with AsyncIdentityClient(secured.target, tls=files(tmp_path, authority, authority)) as client:
        assert await client.wait_until_connected(5.0)
        assert (await client.get_account()).account.alias == "acme"


@pytest.mark.parametrize("target", ["http://identity.example:8443", "HTTPS://identity.example"])
def test_a_url_is_no_target(target: str) -> None:
    """A URL would be resolved as a name for ever; it is refused with what is wanted."""
    with pytest.raises(ValueError, match="HOST:PORT"):
        IdentityClient(target)


def test_tls_files_that_do_not_serve_are_named(tmp_path: Path, authority: Authority) -> None:
    """Which field of TlsFiles it is, which file, and what is wrong, and nothing of what the file holds."""
    certificate, key = authority.issue("client").write(tmp_path, "client")
    _, other_key = authority.issue("other").write(tmp_path, "other")
    gone = tmp_path / "gone.pem"
    cases = {
        ("ca", "gone.pem: No such file"): TlsFiles(gone),
        ("ca", "client.key: holds no PEM certificate"): TlsFiles(key),
        ("certificate", "gone.pem: No such file"): TlsFiles(None, gone, key),
        ("certificate", "client.key: holds no PEM certificate"): TlsFiles(None, key, key),
        ("key", "gone.pem: No such file"): TlsFiles(None, certificate, gone),
        ("key", "client.pem: holds no PEM private key"): TlsFiles(None, certificate, certificate),
        ("key", "other.key: is not the key of the certificate"): TlsFiles(None, certificate, other_key),
    }
    for (option, problem), tls in cases.items():
        with pytest.raises(TlsFileError) as caught:
            IdentityClient("localhost:1", tls=tls)
        assert caught.value.option == option
        assert problem in caught.value.problem
        assert "PRIVATE KEY" not in str(caught.value)


def test_another_target_name_can_be_expected(
    tmp_path: Path, authority: Authority, secured: FakeIdentityService
) -> None:
    """With a forwarded port the certificate's name is given apart from the target."""
    tls = files(tmp_path, authority, authority, server_name="localhost")
    with IdentityClient(f"127.0.0.1:{secured.port}", tls=tls) as client:
        assert client.get_account().account.alias == "acme"


def test_a_server_of_another_authority_is_not_spoken_to(
    tmp_path: Path, authority: Authority, secured: FakeIdentityService
) -> None:
    """The handshake fails and nothing is sent."""
    tls = files(tmp_path, trusted=Authority("somebody else"), signer=authority)
    with IdentityClient(secured.target, tls=tls, timeout=0.3) as client, pytest.raises(Unavailable) as caught:
        client.get_account()
    assert caught.value.reason == ""
    assert secured.received == []


def test_a_client_of_another_authority_is_refused(
    tmp_path: Path, authority: Authority, secured: FakeIdentityService
) -> None:
    """A certificate that the server does not trust ends in Unavailable, since TLS has no better word."""
    tls = files(tmp_path, trusted=authority, signer=Authority("somebody else"))
    with IdentityClient(secured.target, tls=tls, timeout=0.3) as client, pytest.raises(Unavailable):
        client.get_account()
    assert secured.received == []


def test_nobody_there_is_told_in_time() -> None:
    """An address that nobody listens on is Unavailable, and not connected."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{taken.getsockname()[1]}"
        with IdentityClient(target, insecure=True, timeout=0.3) as client:
            assert not client.wait_until_connected(0.1)
            with pytest.raises(Unavailable):
                client.get_account()


async def test_nobody_there_is_told_to_the_twin() -> None:
    """The asyncio client tells the same."""
    async with AsyncIdentityClient("127.0.0.1:1", insecure=True, timeout=0.3) as client:
        assert not await client.wait_until_connected(0.1)
        with pytest.raises(Unavailable):
            await client.get_account()
