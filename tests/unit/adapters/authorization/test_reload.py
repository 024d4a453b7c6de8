"""The files change while the service runs: good ones are taken over, broken ones change nothing and raise an alarm."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cedarpy
import pytest
from structlog.testing import capture_logs

from identity_service.adapters.authorization import FileAuthorizer, keep_fresh
from identity_service.adapters.authorization.file_authorizer import ALARM_SECONDS
from identity_service.domain.caller import Caller
from identity_service.domain.errors import IdentityError
from tests.unit.adapters.authorization.conftest import ACCOUNT, BOT, CALLERS, WriteFolder

PEOPLE = Caller(BOT, "people-team")
PERMIT = '@id("all") permit (principal, action, resource);'
READS = '@id("reads") permit (principal, action in Action::"reads", resource);'
BROKEN = '@id("broken") permit (principal, action == Action::"Nope", resource);'


class Clock:
    """Time that only a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Time that only the test moves."""
    return Clock()


@pytest.fixture
def folder(write: WriteFolder) -> Path:
    """A folder that allows everything."""
    return write(files={"rules.cedar": PERMIT})


def allows(authorizer: FileAuthorizer, action: str) -> bool:
    """Tell whether an RPC may be called."""
    try:
        authorizer.may_ask(PEOPLE, action, ACCOUNT, None)
    except IdentityError:
        return False
    return True


def refreshed(authorizer: FileAuthorizer) -> list[Any]:
    """Look at the files again; return what was logged."""
    with capture_logs() as logs:
        authorizer.refresh()
    return logs


def test_a_changed_policy_is_in_force_at_the_next_look(folder: Path, clock: Clock) -> None:
    """What was allowed is refused, without a restart; the log says what is in force."""
    authorizer = FileAuthorizer(folder, clock)
    assert allows(authorizer, "DeleteUser")
    (folder / "rules.cedar").write_text(READS)
    clock.now += 5
    assert refreshed(authorizer) == [
        {"event": "authorization_reloaded", "log_level": "info", "teams": 2, "callers": 2, "policies": 1}
    ]
    assert not allows(authorizer, "DeleteUser")
    assert allows(authorizer, "GetUser")
    assert authorizer.state.in_force_since == clock.now


def test_a_caller_that_is_taken_out_is_unknown_at_the_next_look(folder: Path) -> None:
    """Callers and teams are read again like policies."""
    authorizer = FileAuthorizer(folder)
    (folder / "callers.yaml").write_text(CALLERS.replace(BOT, "spiffe://example.org/another"))
    authorizer.refresh()
    with pytest.raises(IdentityError):
        authorizer.identify(BOT)


def test_a_change_within_one_tick_of_the_clock_is_seen(folder: Path) -> None:
    """Contents are compared, not times and sizes."""
    authorizer = FileAuthorizer(folder)
    file = folder / "callers.yaml"
    before = file.stat()
    file.write_text(CALLERS.replace("/bot", "/tob"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    authorizer.refresh()
    assert authorizer.identify("spiffe://example.org/tob").team == "people-team"


def test_without_a_change_nothing_is_logged(folder: Path) -> None:
    """A look that finds the same files is silent."""
    authorizer = FileAuthorizer(folder)
    assert refreshed(authorizer) == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "rules.cedar").write_text(BROKEN),
        lambda folder: (folder / "callers.yaml").write_text("teams: {}\n"),
        lambda folder: (folder / "callers.yaml").unlink(),
        lambda folder: (folder / "rules.ceder").touch(),
        lambda folder: folder.rename(folder.with_name("gone")),
    ],
    ids=["policy", "callers", "no callers", "stranger", "no folder"],
)
def test_broken_files_change_nothing_and_raise_an_alarm(
    folder: Path, clock: Clock, damage: Callable[[Path], object]
) -> None:
    """The rules in force stay; the state and the log tell what is wrong, with the file."""
    authorizer = FileAuthorizer(folder, clock)
    damage(folder)
    clock.now += 7
    (line,) = refreshed(authorizer)
    assert (line["event"], line["log_level"]) == ("authorization_reload_failed", "error")
    assert str(folder) in line["problem"]
    assert allows(authorizer, "DeleteUser")
    assert authorizer.identify(BOT) == PEOPLE
    assert (authorizer.state.broken_since, authorizer.state.problem) == (clock.now, line["problem"])


def test_an_unforeseen_failure_raises_an_alarm_like_a_mistake(
    folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rules in force stay, and the state and the log tell of it, once a minute; once it works, the files count."""

    def fail(*_: object) -> None:
        raise MemoryError

    authorizer = FileAuthorizer(folder, clock)
    (folder / "rules.cedar").write_text(READS)
    with monkeypatch.context() as patch:
        patch.setattr(cedarpy, "policies_to_json_str", fail)
        (line,) = refreshed(authorizer)
        assert refreshed(authorizer) == []
    problem = f"{folder}: the files cannot be read: MemoryError"
    assert line == {"event": "authorization_reload_failed", "log_level": "error", "problem": problem}
    assert (authorizer.state.broken_since, authorizer.state.problem) == (clock.now, problem)
    assert allows(authorizer, "DeleteUser")
    assert [line["event"] for line in refreshed(authorizer)] == ["authorization_reloaded"]
    assert authorizer.state.problem == ""


def test_the_alarm_is_repeated_each_minute_until_the_files_are_good(folder: Path, clock: Clock) -> None:
    """Not at each look; and when the files are good again, they are taken and the alarm ends."""
    authorizer = FileAuthorizer(folder, clock)
    (folder / "rules.cedar").write_text(BROKEN)
    began = clock.now
    lines = 0
    for _ in range(int(3 * ALARM_SECONDS)):
        lines += len(refreshed(authorizer))
        clock.now += 1
    assert lines == 3
    assert authorizer.state.broken_since == began
    (folder / "rules.cedar").write_text(READS)
    assert [line["event"] for line in refreshed(authorizer)] == ["authorization_reloaded"]
    good = authorizer.state
    assert (good.broken_since, good.problem) == (None, "")


def test_another_mistake_is_told_at_once(folder: Path, clock: Clock) -> None:
    """Whoever mends a file sees what is wrong now, and since when the files have not been good."""
    authorizer = FileAuthorizer(folder, clock)
    (folder / "rules.cedar").write_text(BROKEN)
    refreshed(authorizer)
    broken_since, clock.now = clock.now, clock.now + 1
    (folder / "rules.cedar").write_text("permit")
    (line,) = refreshed(authorizer)
    assert "this is no policy" in line["problem"]
    assert authorizer.state.broken_since == broken_since


def test_going_back_to_the_files_in_force_ends_the_alarm(folder: Path) -> None:
    """Nothing is taken over then, but nothing is wrong any more either."""
    authorizer = FileAuthorizer(folder)
    (folder / "rules.cedar").write_text(BROKEN)
    refreshed(authorizer)
    (folder / "rules.cedar").write_text(PERMIT)
    assert refreshed(authorizer) == []
    assert authorizer.state.broken_since is None


def test_a_swap_as_kubernetes_does_it_is_taken_whole(tmp_path: Path) -> None:
    """All files come from the folder that `..data` leads to: never one of the old ones and one of the new."""
    mount = tmp_path / "mount"
    mount.mkdir()
    for name, policy in (("..one", PERMIT), ("..two", READS)):
        (mount / name).mkdir()
        (mount / name / "callers.yaml").write_text(CALLERS)
        (mount / name / "rules.cedar").write_text(policy)
    (mount / "..data").symlink_to("..one")
    for name in ("callers.yaml", "rules.cedar"):
        (mount / name).symlink_to(f"..data/{name}")
    authorizer = FileAuthorizer(mount)
    assert allows(authorizer, "DeleteUser")
    (mount / "..data_tmp").symlink_to("..two")
    (mount / "..data_tmp").replace(mount / "..data")
    authorizer.refresh()
    assert not allows(authorizer, "DeleteUser")


async def test_the_loop_looks_again_and_again(folder: Path) -> None:
    """A change is seen without anybody asking, and what goes wrong in one look does not end the looking."""
    looked = asyncio.Event()
    looks = 0

    class Failing(FileAuthorizer):
        def refresh(self) -> None:
            nonlocal looks
            looks += 1
            if looks == 1:
                raise RuntimeError("unforeseen")
            super().refresh()
            loop.call_soon_threadsafe(looked.set)

    loop = asyncio.get_running_loop()
    authorizer = Failing(folder)
    (folder / "rules.cedar").write_text(READS)
    with capture_logs() as logs:
        task = asyncio.create_task(keep_fresh(authorizer, 0.01))
        await asyncio.wait_for(looked.wait(), 10)
        task.cancel()
    assert not allows(authorizer, "DeleteUser")
    assert [line["event"] for line in logs][:2] == ["authorization_reload_failed", "authorization_reloaded"]


def test_rules_decide_while_the_files_on_disk_are_broken(folder: Path) -> None:
    """What makes a process ready is that rules are in force, be they older than the files."""
    authorizer = FileAuthorizer(folder)
    (folder / "rules.cedar").write_text(BROKEN)
    refreshed(authorizer)
    assert authorizer.state.problem
    assert authorizer.decides()


def test_an_engine_that_cannot_answer_does_not_decide(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the engine of the policies fails, no rules are in force that could be asked, and the log says so."""

    def fail(*_: object) -> None:
        raise RuntimeError

    authorizer = FileAuthorizer(folder)
    monkeypatch.setattr(cedarpy, "is_authorized_batch", fail)
    with capture_logs() as logs:
        assert not authorizer.decides()
    assert [line["event"] for line in logs] == ["authorization_cannot_decide"]
