"""Every kind of bad client certificate, tried against the real server: it gets nowhere and learns nothing."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest

from identity_provisioning.v1.user_service_pb2 import ProvisionUserRequest
from identity_provisioning.v1.user_service_pb2_grpc import UserServiceStub
from identity_service.rpc.interceptors.authentication import UNKNOWN
from tests.integration.conftest import Account, error_info, reason_of
from tests.integration.secure_server import STRANGER, SecureServer, ask, secure_server
from tests.support.bad_certificates import CALLER, CERTIFICATE_KINDS, GOOD, URI, Kind, Pki
from tests.support.tls_relay import tls_relay

CONNECTION_KINDS = (
    "no certificate",
    "no TLS",
    "TLS 1.2",
    "expires while the connection is open",
    "its authority is taken away while the connection is open",
)
"""Kinds that are not a matter of the certificate alone; the last two stand in test_certificate_rotation.py."""
KINDS = (*(kind.name for kind in CERTIFICATE_KINDS), *CONNECTION_KINDS)
"""All that are tried, for whoever counts them."""


@pytest.fixture(scope="module")
def pki() -> Pki:
    """Make the authorities."""
    return Pki()


@pytest.fixture(scope="module")
def secure(embedded_account: Account, tmp_path_factory: pytest.TempPathFactory, pki: Pki) -> Iterator[SecureServer]:
    """Run one server for all tests."""
    with secure_server(embedded_account, tmp_path_factory.mktemp("secure"), pki) as running:
        yield running


class Trial:
    """What the server logged and what was asked of the account while somebody tried to get in."""

    def __init__(self, server: SecureServer, account: Account) -> None:
        self._server = server
        self._account = account
        self._begin = len(server.log())
        account.prepare()

    def attempt(self, channel: grpc.Channel) -> grpc.RpcError:
        """Try to make a user; return the error. Fails if there is none."""
        request = ProvisionUserRequest(request_id=str(uuid4()))
        request.user.user_name = "intruder"
        try:
            UserServiceStub(channel).ProvisionUser(request, timeout=10)
        except grpc.RpcError as error:
            return error
        raise AssertionError("a user was made")

    def assert_nothing_was_done(self) -> None:
        """Check that no RPC got further than its refusal, and that nothing was asked of the account."""
        rpcs = self._server.log("rpc", self._begin)
        assert {(line["outcome"], line["caller"], line["user_name"]) for line in rpcs} <= {("CALLER_UNKNOWN", "", "")}
        self.assert_nothing_was_asked()

    def assert_nothing_was_asked(self) -> None:
        """Check that the account heard of nothing."""
        assert self._account.aws.calls() == []


@pytest.fixture
def trial(secure: SecureServer, embedded_account: Account) -> Trial:
    """Begin a trial."""
    return Trial(secure, embedded_account)


def assert_learns_nothing(error: grpc.RpcError) -> None:
    """Check that an error is a cut connection, or the one answer for all that are nobody."""
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        assert error.trailing_metadata() == ()
        return
    assert (error.code(), error.details()) == (grpc.StatusCode.UNAUTHENTICATED, UNKNOWN)
    assert (reason_of(error), dict(error_info(error).metadata)) == ("CALLER_UNKNOWN", {})


def test_there_are_enough_kinds() -> None:
    """No kind is counted twice, and there are at least 25 of them."""
    assert len(set(KINDS)) == len(KINDS) >= 25


@pytest.mark.parametrize("kind", CERTIFICATE_KINDS, ids=str)
def test_a_bad_certificate_gets_nowhere(secure: SecureServer, trial: Trial, kind: Kind) -> None:
    """The handshake fails or the RPC is UNAUTHENTICATED, without detail; the application is never reached."""
    with secure.channel(kind.make(secure.pki)) as channel:
        assert_learns_nothing(trial.attempt(channel))
    trial.assert_nothing_was_done()


@pytest.mark.parametrize("name", GOOD)
def test_a_good_certificate_gets_in(secure: SecureServer, trial: Trial, name: str) -> None:
    """What the bad ones differ from works, so they were refused for their difference."""
    with secure.channel(GOOD[name](secure.pki)) as channel:
        ask(channel)


def test_no_certificate_gets_nowhere(secure: SecureServer, trial: Trial) -> None:
    """Without a certificate there is no connection."""
    with secure.channel(None) as channel:
        error = trial.attempt(channel)
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    trial.assert_nothing_was_done()


def test_clear_text_gets_nowhere(secure: SecureServer, trial: Trial) -> None:
    """Without TLS there is no connection."""
    with grpc.insecure_channel(secure.address) as channel:
        assert trial.attempt(channel).code() is grpc.StatusCode.UNAVAILABLE
    trial.assert_nothing_was_done()


async def test_tls_1_2_gets_nowhere(secure: SecureServer, trial: Trial, tmp_path: Path, pki: Pki) -> None:
    """A good certificate over TLS 1.2 is nobody's, and over TLS 1.3 through the same relay it is its caller's."""
    client = pki.present(URI(CALLER))
    answers = []
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        pem = client.chain + client.key
        async with (
            tls_relay(secure.address, pki.root.pem, pem, version, tmp_path) as address,
            grpc.aio.insecure_channel(address) as channel,
        ):
            stub: Any = channel.unary_unary("/identity_provisioning.v1.PermissionService/ListGroups")
            try:
                await stub(b"", timeout=10)
            except grpc.aio.AioRpcError as error:
                answers.append((error.code(), error.details()))
            else:
                answers.append((grpc.StatusCode.OK, ""))
    assert answers == [(grpc.StatusCode.UNAUTHENTICATED, UNKNOWN), (grpc.StatusCode.OK, "")]


def test_a_stranger_of_a_known_trust_domain_is_told_that_it_may_nothing(secure: SecureServer, trial: Trial) -> None:
    """Who is authenticated and in no team has an identity, only no rights."""
    with secure.channel(secure.pki.present(URI(STRANGER))) as channel:
        error = trial.attempt(channel)
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.PERMISSION_DENIED, "CALLER_NOT_ALLOWED")
    trial.assert_nothing_was_asked()


def test_the_log_names_the_rule_and_nothing_of_the_certificate(secure: SecureServer, pki: Pki) -> None:
    """An operator can see why somebody is refused; what the peer wrote into its certificate is not logged."""
    begin = len(secure.log())
    with secure.channel(pki.present(URI("https://canary.example/x"))) as channel, pytest.raises(grpc.RpcError):
        ask(channel)
    (line,) = secure.log("caller_unknown", begin)
    assert line["rule"] == "spiffe_id"
    assert "canary" not in str(secure.log(begin=begin))


def test_bytes_that_are_no_handshake_harm_nobody(secure: SecureServer, pki: Pki) -> None:
    """Connections that are cut half-way, or speak nonsense, keep no good caller out."""
    host, _, port = secure.address.rpartition(":")
    with ExitStack() as stack:
        for nonsense in (b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n", bytes(1000)):
            connection = stack.enter_context(socket.create_connection((host, int(port))))
            connection.sendall(nonsense)
        with secure.channel(pki.present(URI(CALLER))) as channel:
            ask(channel)
