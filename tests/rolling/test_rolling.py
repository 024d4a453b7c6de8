"""Rolling restarts in small, and what counts as a failure; `make rolling` is the whole of it."""

import asyncio
import re
from pathlib import Path

from embedded_aws import RecordedCall
from identity_client.sealing import generate_identity
from tests.chaos.fleet import reserve_port
from tests.rolling.effects import doubled_effects, lost_effects
from tests.rolling.load import Caller, Tally
from tests.rolling.run import Options, Result, percentile, roll
from tests.support.mutual_tls import write_mutual_tls

LINE = re.compile(r"restarts=4 calls=[1-9]\d* retries=\d+ failed=0 doubled=0 lost=0 p99_ms=\d+ max_ms=\d+")


async def test_callers_notice_nothing_of_restarts_but_a_wait() -> None:
    """Two servers are restarted twice each under load: no call fails, and nothing is done twice or lost."""
    result = await roll(Options(restarts=4, callers=3))
    assert LINE.fullmatch(str(result)), result.complaints
    assert result.is_clean


def done(operation: str, name: str, status: int = 200) -> RecordedCall:
    """Record a call as the account does."""
    return RecordedCall(operation, {"UserName": name}, "", "", status, None)


def user(name: str, *keys: str) -> dict[str, object]:
    """Describe a user as the account does."""
    return {"name": name, "access_keys": [{"id": key} for key in keys]}


def test_what_is_carried_out_twice_is_found() -> None:
    """Two keys made for one user count, even if one is gone again; a refused call and another user's do not."""
    calls = [
        done("CreateAccessKey", "ana"),
        done("CreateAccessKey", "ana"),
        done("CreateAccessKey", "ben"),
        done("CreateUser", "ben", status=409),
        done("CreateUser", "ben"),
        done("GetUser", "ben"),
        done("GetUser", "ben"),
    ]
    assert doubled_effects(calls, [], {}, set()) == ["CreateAccessKey ana: 2 times"]


def test_who_came_back_after_a_deletion_is_found() -> None:
    """A user that nobody keeps is a doubled effect, unless a failed call left open whether it is there."""
    users = [user("kept"), user("open"), user("back")]
    assert doubled_effects([], users, {"kept"}, {"open"}) == ["back is there"]


def test_what_was_answered_and_is_not_there_is_found() -> None:
    """A user that is gone counts as lost, and so do a missing key, another key and a second key."""
    users = [user("whole", "K1"), user("bare"), user("other", "K9"), user("two", "K3", "K4")]
    kept = {"whole": "K1", "bare": "K2", "other": "K5", "two": "K3", "gone": "K6"}
    assert [text.split()[0] for text in lost_effects(users, kept)] == ["bare", "other", "two", "gone"]


async def test_a_call_that_the_client_gives_up_is_counted(tmp_path: Path) -> None:
    """Where nobody listens, the call fails, its user is unknown, and the run is not clean."""
    tally, stop = Tally(), asyncio.Event()
    reserved = reserve_port()
    address = f"127.0.0.1:{reserved.getsockname()[1]}"
    tls = write_mutual_tls(tmp_path / "tls").client
    caller = Caller("caller", address, tls, generate_identity(), tally, timeout=0.3)
    work = asyncio.create_task(caller.run(stop, pause=0))
    # One turn of the loop: its first call is under way, and is to be its last.
    await asyncio.sleep(0)
    stop.set()
    await work
    reserved.close()
    assert (tally.calls, len(tally.failures), tally.unknown) == (1, 1, {"caller-0"})
    assert not Result(0, tally, [], []).is_clean


def test_a_run_without_calls_proves_nothing() -> None:
    """A run whose callers never called is not clean."""
    assert not Result(100, Tally(), [], []).is_clean


def test_percentiles_are_values_that_were_measured() -> None:
    """The nearest rank: 99 of a hundred values do not exceed the 99th, and the 100th is the greatest."""
    values = [float(value) for value in range(100, 0, -1)]
    assert (percentile(values, 99), percentile(values, 100), percentile([], 99)) == (99.0, 100.0, 0.0)
