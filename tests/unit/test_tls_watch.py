"""The TLS files while the service runs: when they are read again, what is kept, and who hears of a failure."""

import asyncio
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from identity_service import tls_watch
from identity_service.settings import Settings, SettingsError
from identity_service.tls import TlsFiles, read_tls_files
from identity_service.tls_watch import TlsState, TlsWatch
from tests.unit.rpc.certificates import DNS, Authority

START = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("certificate", "key", "ca")
LONG = 30.0


class World:
    """Files, a clock, and a watch over the files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = START
        self.authority = Authority()
        self.write(self.authority)
        (folder / "authorization").mkdir()

    def watch(self) -> TlsWatch:
        """Begin to watch."""
        settings = Settings.model_validate(
            {
                "tls_certificate_file": self.folder / "certificate",
                "tls_private_key_file": self.folder / "key",
                "client_ca_file": self.folder / "ca",
                "authorization_dir": self.folder / "authorization",
                "aws_account_id": "123456789012",
            }
        )
        return TlsWatch(settings, lambda: self.now)

    def write(self, authority: Authority) -> None:
        """Write files of an authority."""
        identity = authority.issue([DNS("localhost")])
        contents = (identity.certificate, identity.private_key, authority.certificate)
        for name, content in zip(NAMES, contents, strict=True):
            (self.folder / name).write_bytes(content)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Write good files."""
    return World(tmp_path)


def failures(log: list[Any]) -> list[Any]:
    """Return the alarms of a log."""
    return [line for line in log if line["event"] == "tls_reload_failed" and line["log_level"] == "error"]


def test_unchanged_files_are_the_same_object(world: World) -> None:
    """Nobody has to compare contents to see that nothing changed, also after a look from time to time."""
    watch = world.watch()
    first = watch.current()
    watch.remind()
    assert watch.current() is first
    assert watch.state == TlsState(START, first.not_after)


def test_files_that_are_no_good_at_the_start_are_an_error(world: World) -> None:
    """There are no last good files to keep yet."""
    (world.folder / "key").write_bytes(b"")
    with pytest.raises(SettingsError, match="IDENTITY_SERVICE_TLS_PRIVATE_KEY_FILE"):
        world.watch()


def test_a_change_is_seen_at_the_next_question(world: World) -> None:
    """All three files are taken anew, and since when is told."""
    watch = world.watch()
    world.now += timedelta(hours=1)
    world.write(other := Authority())
    assert watch.current().client_ca == other.certificate
    assert watch.state.loaded_at == world.now


def test_a_failure_keeps_the_old_files_and_is_told_once(world: World) -> None:
    """However often somebody asks, one error line is written for one cause, another one for another cause."""
    watch = world.watch()
    before = watch.current()
    with capture_logs() as log:
        for broken in ("key", "certificate"):
            for _ in range(3):
                (world.folder / broken).write_bytes(b"canary")
                assert watch.current() is before
    variables = ("IDENTITY_SERVICE_TLS_PRIVATE_KEY_FILE", "IDENTITY_SERVICE_TLS_CERTIFICATE_FILE")
    assert [line["problem"].partition(":")[0] for line in failures(log)] == list(variables)
    assert "canary" not in str(log)
    assert (watch.state.failures, watch.state.failed_at, watch.state.loaded_at) == (2, START, START)


def test_a_failure_that_lasts_is_told_again(world: World) -> None:
    """Each reminder is an alarm while the files are no good, and none when they are good again."""
    watch = world.watch()
    (world.folder / "ca").unlink()
    with capture_logs() as log:
        watch.remind()
        watch.remind()
    assert len(failures(log)) == 2
    assert "cannot be read" in watch.state.problem
    world.write(world.authority)
    with capture_logs() as log:
        watch.current()
        watch.remind()
    assert failures(log) == []
    assert watch.state.problem == ""


def test_old_files_that_come_back_end_a_failure(world: World) -> None:
    """What is in use is what the files hold, though nothing was loaded."""
    watch = world.watch()
    before, content = watch.current(), (world.folder / "key").read_bytes()
    (world.folder / "key").write_bytes(b"")
    watch.current()
    (world.folder / "key").write_bytes(content)
    assert watch.current() is before
    assert watch.state.problem == ""


def test_a_change_that_cannot_be_seen_is_found_by_the_reminder(world: World) -> None:
    """The same file, size and times with other contents: it is read all the same, from time to time."""
    watch = world.watch()
    world.write(other := Authority())
    watch._seen = watch._look()
    assert watch.current().client_ca == world.authority.certificate
    watch.remind()
    assert watch.current().client_ca == other.certificate


def test_files_that_are_being_replaced_are_no_failure(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit together because it is read in the middle of an exchange is read again, without an alarm."""
    watch = world.watch()
    other = Authority()

    def read_in_between(settings: Settings) -> TlsFiles:
        monkeypatch.setattr(tls_watch, "read_tls_files", read_tls_files)
        try:
            return read_tls_files(settings)
        finally:
            world.write(other)

    monkeypatch.setattr(tls_watch, "read_tls_files", read_in_between)
    (world.folder / "key").write_bytes(b"")
    with capture_logs() as log:
        watch.current()
        assert watch.current().client_ca == other.certificate
    assert failures(log) == []


def test_whatever_goes_wrong_is_an_alarm_and_no_exception(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """GRPC keeps the old certificate in silence if its question raises, so it never does."""
    watch = world.watch()

    def explode(settings: Settings) -> TlsFiles:
        raise RuntimeError("canary")

    monkeypatch.setattr(tls_watch, "read_tls_files", explode)
    os.utime(world.folder / "key", (1, 1))
    with capture_logs() as log:
        watch.current()
    assert [line["problem"] for line in failures(log)] == ["the TLS files cannot be read: RuntimeError"]


def test_many_threads_may_ask(world: World) -> None:
    """Handshakes ask on threads of their own; each gets whole files, and the last ones in the end."""
    watch = world.watch()
    seen: set[bytes] = set()

    def ask() -> None:
        seen.update(watch.current().client_ca for _ in range(200))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    world.write(other := Authority())
    for thread in threads:
        thread.join(LONG)
    assert seen <= {world.authority.certificate, other.certificate}
    assert watch.current().client_ca == other.certificate


async def test_the_watch_runs_without_anybody_who_asks(world: World) -> None:
    """A failure is told while nobody calls, and told again."""
    watch = world.watch()
    alarms = asyncio.Queue[str]()

    def note(logger: Any, method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
        loop.call_soon_threadsafe(alarms.put_nowait, line["event"])
        raise structlog.DropEvent

    loop = asyncio.get_running_loop()
    structlog.configure(processors=[note])
    try:
        task = asyncio.create_task(watch.run(0.001))
        (world.folder / "key").unlink()
        async with asyncio.timeout(LONG):
            assert [await alarms.get() for _ in range(3)] == ["tls_reload_failed"] * 3
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    finally:
        structlog.reset_defaults()
