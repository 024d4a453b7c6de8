"""Certificates and authorities exchanged while the real server runs, and what open connections notice of it."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from cryptography import x509

from identity_client import IdentityClient, TlsFiles
from identity_service.rpc.interceptors.authentication import UNKNOWN
from tests.integration.conftest import Account, reason_of
from tests.integration.secure_server import CA, CERTIFICATE, KEY, VARIABLES, SecureServer, ask, refusal, secure_server
from tests.support.bad_certificates import CALLER, DNS, URI, Pki, Presented, Signer, authority

PATIENCE = 20.0


@pytest.fixture(scope="module")
def pki() -> Pki:
    """Make the authorities."""
    return Pki()


@pytest.fixture(scope="module")
def running(embedded_account: Account, tmp_path_factory: pytest.TempPathFactory, pki: Pki) -> Iterator[SecureServer]:
    """Run one server for all tests."""
    with secure_server(embedded_account, tmp_path_factory.mktemp("secure"), pki) as server:
        yield server


@pytest.fixture
def secure(running: SecureServer, account: Account) -> Iterator[SecureServer]:
    """Put good files back before and after each test."""
    running.restore()
    yield running
    running.restore()


def assert_unknown(error: grpc.RpcError) -> None:
    """Check that an RPC was refused over a connection that works."""
    assert (error.code(), error.details()) == (grpc.StatusCode.UNAUTHENTICATED, UNKNOWN)
    assert reason_of(error) == "CALLER_UNKNOWN"


def assert_cut(error: grpc.RpcError) -> None:
    """Check that the handshake failed."""
    assert error.code() is grpc.StatusCode.UNAVAILABLE


def eventually(condition: Callable[[], bool]) -> None:
    """Wait for something in another process."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)  # A file of another process: there is nothing to wait on but its lines.


def test_the_servers_certificate_is_exchanged_without_a_restart(secure: SecureServer, pki: Pki) -> None:
    """New connections meet the new certificate, open ones go on."""
    client = pki.present(URI(CALLER))
    other = authority("another root")
    with secure.channel(client) as old, secure.channel(client, other.pem) as new:
        ask(old)
        secure.tls.write(secure.files(server=pki.present(DNS("localhost"), signer=other)))
        ask(new)
        ask(old)
    with secure.channel(client) as late:
        assert_cut(refusal(late))


def test_an_authority_is_added_without_a_restart(secure: SecureServer, pki: Pki) -> None:
    """A client of the new authority gets in, and one of the old authority still does."""
    newcomer = pki.present(URI(CALLER), signer=pki.stranger)
    with secure.channel(newcomer) as channel:
        assert_cut(refusal(channel))
    secure.tls.write(secure.files(bundle=pki.bundle + pki.stranger.pem))
    for client in (newcomer, pki.present(URI(CALLER))):
        with secure.channel(client) as channel:
            ask(channel)


def test_an_authority_that_is_taken_away_is_refused_by_the_next_call(secure: SecureServer, pki: Pki) -> None:
    """Its client's open connection is worth nothing from the next call on, and nobody else notices."""
    secure.tls.write(secure.files(bundle=pki.bundle + pki.stranger.pem))
    revoked = pki.present(URI(CALLER), signer=pki.stranger)
    with secure.channel(revoked) as open_one, secure.channel(pki.present(URI(CALLER))) as other:
        ask(open_one)
        ask(other)
        secure.restore()
        assert_unknown(refusal(open_one))
        assert_unknown(refusal(open_one))
        ask(other)
        secure.tls.write(secure.files(bundle=pki.bundle + pki.stranger.pem))
        ask(open_one)
    secure.restore()
    with secure.channel(revoked) as channel:
        assert_cut(refusal(channel))


def test_an_authority_with_the_name_and_another_key_is_another_one(secure: SecureServer, pki: Pki) -> None:
    """After an authority changed its key, what the old key signed is refused on open connections too."""
    first, second = authority("same name"), authority("same name")
    secure.tls.write(secure.files(bundle=first.pem))
    with secure.channel(pki.present(URI(CALLER), signer=first)) as channel:
        ask(channel)
        secure.tls.write(secure.files(bundle=second.pem))
        assert_unknown(refusal(channel))


def test_a_certificate_that_expires_is_refused_by_the_next_call(secure: SecureServer, pki: Pki) -> None:
    """An open connection does not outlive its client's certificate."""
    client = pki.present(URI(CALLER), end=timedelta(seconds=4))
    with secure.channel(client) as channel:
        ask(channel)
        until = x509.load_pem_x509_certificate(client.leaf).not_valid_after_utc
        eventually(lambda: datetime.now(UTC) >= until + timedelta(seconds=1))  # its last second is valid as a whole
        assert_unknown(refusal(channel))


BROKEN_CERTIFICATE = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize("name", [CERTIFICATE, KEY, CA])
@pytest.mark.parametrize("content", [b"", b"canary", BROKEN_CERTIFICATE], ids=["empty", "junk", "a broken certificate"])
def test_a_broken_reload_alarms_and_keeps_the_old_files(
    secure: SecureServer, pki: Pki, name: str, content: bytes
) -> None:
    """Open and new connections go on as before; one error line names the file, and one line says that it is over."""
    client = pki.present(URI(CALLER))
    with secure.channel(client) as before, secure.channel(client) as after:
        ask(before)
        begin = len(secure.log())
        secure.tls.write({**secure.files(), name: content})
        for channel in (before, after, before):
            ask(channel)
        (line,) = secure.log("tls_reload_failed", begin)
        assert line["level"] == "error"
        assert f"IDENTITY_SERVICE_{VARIABLES[name]}: {secure.folder / 'tls' / name} holds" in line["problem"]
        assert "canary" not in line["problem"]
        assert secure.log("tls_reloaded", begin) == []
        secure.restore()
        ask(after)
    assert len(secure.log("tls_reloaded", begin)) == 1


def test_the_key_of_another_certificate_alarms_and_keeps_the_old_files(secure: SecureServer, pki: Pki) -> None:
    """A pair that does not fit is not taken, though each of its files is good."""
    with secure.channel(pki.present(URI(CALLER))) as channel:
        ask(channel)
        begin = len(secure.log())
        secure.tls.write({**secure.files(), KEY: pki.server().key})
        ask(channel)
        (line,) = secure.log("tls_reload_failed", begin)
    assert "is not the key of the certificate" in line["problem"]


def test_a_pair_that_is_written_one_after_the_other_is_taken_when_it_is_whole(secure: SecureServer, pki: Pki) -> None:
    """Between the new certificate and its key the old pair serves, and the new one from then on."""
    other = authority("another root")
    pair = pki.present(DNS("localhost"), signer=other)
    client = pki.present(URI(CALLER))
    secure.tls.write_in_place(CERTIFICATE, pair.chain)
    with secure.channel(client) as channel:
        ask(channel)
    secure.tls.write_in_place(KEY, pair.key)
    with secure.channel(client, other.pem) as channel:
        ask(channel)


def test_files_that_are_gone_alarm_without_any_call(secure: SecureServer) -> None:
    """Nobody has to call for the alarm: the server looks by itself."""
    begin = len(secure.log())
    (secure.folder / "tls" / "..data").unlink()
    eventually(lambda: bool(secure.log("tls_reload_failed", begin)))
    assert "cannot be read: No such file" in secure.log("tls_reload_failed", begin)[0]["problem"]


def write_client(folder: Path, presented: Presented, root: Signer) -> TlsFiles:
    """Write the files of a client."""
    for name, content in (("ca.pem", root.pem), ("client.pem", presented.chain), ("client.key", presented.key)):
        (folder / name).write_bytes(content)
    return TlsFiles(folder / "ca.pem", folder / "client.pem", folder / "client.key")


def test_client_and_server_move_to_another_authority_while_both_run(
    secure: SecureServer, pki: Pki, tmp_path: Path
) -> None:
    """One client object and one server process go over to a new authority step by step, and no call fails."""
    other = authority("another root")
    files = write_client(tmp_path, pki.present(URI(CALLER)), pki.root)
    with IdentityClient(secure.address.replace("127.0.0.1", "localhost"), tls=files) as client:
        client.list_groups()
        secure.tls.write(secure.files(bundle=pki.bundle + other.pem))
        client.list_groups()
        write_client(tmp_path, pki.present(URI(CALLER), signer=other), pki.root)
        client.list_groups()
        secure.tls.write(secure.files(bundle=other.pem))
        client.list_groups()
        (tmp_path / "ca.pem").write_bytes(pki.root.pem + other.pem)
        client.list_groups()
        secure.tls.write(secure.files(server=pki.present(DNS("localhost"), signer=other), bundle=other.pem))
        client.list_groups()
        (tmp_path / "ca.pem").write_bytes(other.pem)
        client.list_groups()
