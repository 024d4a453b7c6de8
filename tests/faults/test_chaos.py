"""The chaos harness in small: `make chaos` is the whole of it."""

import re

from tests.chaos.harness import Harness, Options
from tests.chaos.point_runs import Case, Story
from tests.chaos.points import Armed
from tests.chaos.timing import Timing
from tests.chaos.wishes import Kind

KEY = Story("key", Kind.KEY)
AGAIN = Story("password-again", Kind.PASSWORD_AGAIN)
SEALED = Story("sealed-person", Kind.PERSON, sealed=True)
LINE = re.compile(
    r"runs=\d+ kills=\d+ users_asked=(\d+) users_ok=\1 orphans=0 duplicate_keys=0 lost_secrets=0 plaintext_hits=0 .*"
)


async def test_users_are_whole_whatever_happens_to_two_servers_on_postgresql() -> None:
    """Random kills, pauses and faults: everybody gets what was asked for, but for the exceptions, which are counted."""
    total = await Harness(Options(runs=3, seed=11, mode="random", worlds=2)).run()
    assert LINE.fullmatch(str(total)), total.verdict.complaints
    assert total.kills >= 1
    found = total.exceptions
    assert found.complaints == []
    assert (found.used_keys_kept, found.custom_passwords_expired, found.unattributable_reported) == (1, 1, 1)


async def test_users_are_whole_whatever_happens_to_one_server_on_sqlite() -> None:
    """The same with one server, which is killed, paused and started again, and a file for a store."""
    total = await Harness(Options(runs=3, seed=12, mode="random", store="sqlite", worlds=3, exceptions=0)).run()
    assert LINE.fullmatch(str(total)), total.verdict.complaints


async def test_users_are_whole_when_a_server_is_hit_at_one_exact_point() -> None:
    """Killed or paused after a key was made and before it is known, or after all is done and before it is answered."""
    points = ((KEY, "iam:CreateAccessKey:after"), (SEALED, "store:succeed:after"))
    cases = [Case(story, Armed(point, 1, action)) for story, point in points for action in ("kill", "pause")]
    total = await Harness(Options(worlds=2)).run_cases(cases)
    assert LINE.fullmatch(str(total)), total.verdict.complaints
    assert total.points == len(cases)


async def test_a_bulk_is_whole_whatever_happens_to_its_servers() -> None:
    """Many users in one operation: killed and paused servers make each of them once, and refuse who is to be."""
    # One is reviewed and started by its plan's digest, by a client that dies; the other one is cancelled.
    total = await Harness(Options(runs=2, seed=65, mode="bulk", worlds=2, exceptions=0)).run()
    assert LINE.fullmatch(str(total)), total.verdict.complaints
    assert total.verdict.users_asked > 10


async def test_what_a_late_deletion_takes_is_reported() -> None:
    """A deletion is signed, its process stands still, and lands after the next request has set a password anew."""
    case = Case(AGAIN, Armed("iam:DeleteLoginProfile:signed", 1, "pause"), pause=7.5, faults=False)
    total = await Harness(Options(worlds=1, timing=Timing(signature_validity=9.0))).run_cases([case])
    assert LINE.fullmatch(str(total)), total.verdict.complaints
    assert total.verdict.taken_late == 1
