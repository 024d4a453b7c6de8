"""TLS files that change while a client is in use."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from identity_client import AsyncIdentityClient, IdentityClient, TlsFiles, Unavailable
from identity_client._channel import Endpoint
from identity_client._channels import Channels
from tests.unit.client.certificates import Authority
from tests.unit.client.fake_service import FakeIdentityService

LONG = 30.0


@pytest.fixture
def authority() -> Authority:
    """Make the authority that the service trusts and is trusted by."""
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


def write(folder: Path, authority: Authority, signer: Authority) -> TlsFiles:
    """Write a client's files, or others in their place."""
    (folder / "ca.pem").write_bytes(authority.pem)
    return TlsFiles(folder / "ca.pem", *signer.issue("client").write(folder, "client"))


def test_a_call_uses_the_files_of_its_time(tmp_path: Path, authority: Authority, secured: FakeIdentityService) -> None:
    """A certificate that the service does not trust is of no use, and the next call has the good one that follows."""
    tls = write(tmp_path, authority, signer=Authority("nobody"))
    with IdentityClient(secured.target, tls=tls, timeout=0.3) as client:
        with pytest.raises(Unavailable):
            client.get_account()
        write(tmp_path, authority, authority)
        assert client.get_account(timeout=LONG).account.alias == "acme"
        write(tmp_path, Authority("another"), authority)
        with pytest.raises(Unavailable):
            client.get_account()


async def test_the_twin_uses_the_files_of_its_time(
    tmp_path: Path, authority: Authority, secured: FakeIdentityService
) -> None:
    """The asyncio client connects anew as well."""
    tls = write(tmp_path, authority, signer=Authority("nobody"))
    async with AsyncIdentityClient(secured.target, tls=tls, timeout=0.3) as client:
        with pytest.raises(Unavailable):
            await client.get_account()
        write(tmp_path, authority, authority)
        assert await client.wait_until_connected(LONG)
        assert (await client.get_account(timeout=LONG)).account.alias == "acme"


def test_a_retry_uses_the_new_files(tmp_path: Path, authority: Authority, secured: FakeIdentityService) -> None:
    """A call that failed for an old certificate gets through by itself when the new one comes."""
    tls = write(tmp_path, authority, signer=Authority("nobody"))
    with IdentityClient(
        secured.target, tls=tls, timeout=LONG, on_retry=lambda retry: _write_once(retry.attempt, tmp_path, authority)
    ) as client:
        assert client.get_account().account.alias == "acme"


def _write_once(attempt: int, folder: Path, authority: Authority) -> None:
    if attempt == 1:
        write(folder, authority, authority)


def test_files_that_are_no_good_are_told_and_not_used(
    tmp_path: Path, authority: Authority, secured: FakeIdentityService, caplog: pytest.LogCaptureFixture
) -> None:
    """The connection stays, one warning names the file and nothing that it holds, and good files end it."""
    with IdentityClient(secured.target, tls=write(tmp_path, authority, authority)) as client:
        client.get_account()
        (tmp_path / "client.key").write_bytes(b"canary")
        for _ in range(3):
            client.get_account()
        (record,) = caplog.records
        assert (record.name, record.levelno) == ("identity_client", logging.WARNING)
        assert "client.key: holds no PEM private key" in record.getMessage()
        assert "canary" not in record.getMessage()
        write(tmp_path, authority, authority)
        client.get_account()
    assert len(caplog.records) == 1


def test_the_old_connection_is_closed(tmp_path: Path, authority: Authority, secured: FakeIdentityService) -> None:
    """When the first call on the new connection has ended, the old one is no longer there."""
    with IdentityClient(secured.target, tls=write(tmp_path, authority, authority)) as client:
        old = client._channels.lend()
        client._channels.take_back(old)
        write(tmp_path, authority, authority)
        client.get_account()
        call: Any = old.unary_unary("/any/method")
        with pytest.raises(ValueError, match="closed"):
            call(b"")


async def test_the_twin_closes_its_old_connection(
    tmp_path: Path, authority: Authority, secured: FakeIdentityService
) -> None:
    """The asyncio client does the same."""
    async with AsyncIdentityClient(secured.target, tls=write(tmp_path, authority, authority)) as client:
        old = client._channels.lend()
        client._channels.take_back(old)
        write(tmp_path, authority, authority)
        await client.get_account()
        assert old.get_state() is grpc.ChannelConnectivity.SHUTDOWN


class FakeChannels:
    """Opens channels that are numbers, and reads files that are lines of text."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "file"
        self.file.write_text("good")
        self.opened = 0
        self.while_reading: list[str] = []
        self.channels = Channels(self.settle, self.open, [self.file])

    def settle(self) -> Endpoint:
        """Read the file."""
        text = self.file.read_text()
        if self.while_reading:
            self.file.write_text(self.while_reading.pop())
        if text != "good" and not text.startswith("good "):
            raise ValueError("no good")
        return Endpoint("", None, ())

    def open(self, where: Endpoint) -> int:
        """Open the next channel."""
        self.opened += 1
        return self.opened


def test_an_old_channel_lives_as_long_as_its_last_attempt(tmp_path: Path) -> None:
    """Attempts under way end on the channel that they began on, and only then it is to be closed."""
    fake = FakeChannels(tmp_path)
    lent = [fake.channels.lend(), fake.channels.lend()]
    fake.file.write_text("good too")
    assert (lent, fake.channels.lend()) == ([1, 1], 2)
    assert fake.channels.take_back(1) == []
    assert fake.channels.take_back(2) == []
    assert fake.channels.take_back(1) == [1]
    assert fake.channels.end() == [2]


def test_an_idle_old_channel_is_closed_after_the_next_attempt(tmp_path: Path) -> None:
    """A channel that nobody used when the files changed does not stay open."""
    fake = FakeChannels(tmp_path)
    fake.file.write_text("good too")
    assert fake.channels.take_back(fake.channels.lend()) == [1]
    assert fake.channels.take_back(fake.channels.lend()) == []


def test_a_closed_client_opens_nothing(tmp_path: Path) -> None:
    """After the end a change of the files brings no new channel."""
    fake = FakeChannels(tmp_path)
    assert fake.channels.end() == [1]
    fake.file.write_text("good too")
    assert (fake.channels.lend(), fake.opened) == (1, 1)


@pytest.mark.parametrize("first", ["bad", "good first"])
def test_files_that_change_while_they_are_read_are_read_again(
    tmp_path: Path, first: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What was read in the middle of an exchange is not used and not complained of."""
    fake = FakeChannels(tmp_path)
    fake.file.write_text(first)
    fake.while_reading = ["good in the end"]
    assert [fake.channels.lend(), fake.channels.lend()] == [1, 2]
    assert caplog.records == []


def test_threads_share_the_channels(tmp_path: Path) -> None:
    """However the attempts of many threads overlap, each old channel is closed once and the newest never."""
    fake = FakeChannels(tmp_path)
    closed: list[int] = []

    def use(thread: int) -> None:
        for number in range(50):
            lent = fake.channels.lend()
            if number % 10 == 0:
                fake.file.write_text(f"good {thread} {number}")
            closed.extend(fake.channels.take_back(lent))

    threads = [threading.Thread(target=use, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
    closed.extend(fake.channels.take_back(fake.channels.lend()))
    assert sorted([*closed, *fake.channels.end()]) == list(range(1, fake.opened + 1))
