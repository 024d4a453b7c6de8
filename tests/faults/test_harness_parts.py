"""The parts of the chaos harness that judge: a judge that sees nothing would find everything in order."""

import base64
import signal
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

import pytest

from embedded_aws import EmbeddedAws
from tests.chaos.account import Account
from tests.chaos.clients import Holding
from tests.chaos.harness import Total
from tests.chaos.judge import Verdict, judge
from tests.chaos.leaks import Files, count_hits
from tests.chaos.points import Armed, Points
from tests.chaos.timing import Timing
from tests.chaos.wishes import ACCOUNT_ID, Kind, make
from tests.chaos.world import chance_of

SECRET = 'wJalr/XUtn+"FEMI\\K7MDENG'


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        quote(SECRET, safe=""),
        SECRET.encode().hex(),
        '{"secret": "wJalr/XUtn+\\"FEMI\\\\K7MDENG"}',
        base64.b64encode(SECRET.encode()).decode(),
        base64.b64encode(f"a{SECRET}bc".encode()).decode(),
        base64.urlsafe_b64encode(f"ab{SECRET}c".encode()).decode(),
    ],
)
def test_a_secret_is_found_in_any_form(written: str) -> None:
    """As it is, escaped, encoded, and in the midst of something longer."""
    assert count_hits([SECRET], f"... {written} ...".encode()) == 1


def test_what_is_no_secret_is_not_found() -> None:
    """Half a secret is none."""
    assert count_hits([SECRET], SECRET[:10].encode()) == 0


def test_files_are_read_once(tmp_path: Path) -> None:
    """Each look sees what was written since the last one."""
    file = tmp_path / "log"
    file.write_text("first")
    files = Files()
    assert files.new_text([file]) == b"first"
    with file.open("a") as opened:
        opened.write("second")
    assert files.new_text([file]) == b"second"


def test_a_point_acts_at_the_armed_passing_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at another passing, not at another point, and not again."""
    signals: list[int] = []
    monkeypatch.setattr("os.kill", lambda _process, number: signals.append(number))
    points = Points(BytesIO(), BytesIO())
    points.arm(Armed.parse("iam:CreateUser:after 2 pause"))
    for point in ("iam:CreateUser:after", "iam:CreateUser:before", "iam:CreateUser:before"):
        points.passing(point)
    assert signals == []
    points.passing("iam:CreateUser:after")
    points.passing("iam:CreateUser:after")
    assert signals == [signal.SIGSTOP]


@pytest.mark.parametrize(
    "verdict",
    [
        Verdict(users_asked=2, users_ok=1),
        Verdict(orphans=1),
        Verdict(duplicate_keys=1),
        Verdict(lost_secrets=1),
        Verdict(plaintext_hits=1),
    ],
)
def test_one_wrong_figure_is_enough(verdict: Verdict) -> None:
    """Whatever is not as it should be in one run is so in the sum."""
    total = Total()
    total.add(Verdict(users_asked=1, users_ok=1))
    assert total.is_clean
    total.add(verdict)
    assert not total.is_clean


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    """An account as a world has one."""
    with EmbeddedAws(account_id=ACCOUNT_ID) as aws:
        yield Account(aws, Timing())


@pytest.mark.parametrize("kind", [Kind.PERSON, Kind.TAKEN])
def test_whoever_is_left_out_may_be_as_before(account: Account, kind: Kind) -> None:
    """Whom a cancellation was in time for is in order where nothing has changed."""
    wish = make(kind, chance_of(1, "judge"), "ann")
    verdict = judge(account, account.prepare([wish]), [Holding(wish, left_out=True)])
    assert verdict.is_clean, verdict.complaints
    assert verdict.left_out == 1


def test_whoever_is_left_out_must_not_be_there(account: Account) -> None:
    """A user, and a device that is left of one, are noticed where a client was told that nobody was made."""
    wishes = [make(Kind.PERSON, chance_of(1, "judge"), name) for name in ("ann", "bo", "cy")]
    prepared = account.prepare(wishes)
    account.iam.create_user(UserName="ann")
    account.iam.create_virtual_mfa_device(VirtualMFADeviceName="bo")
    verdict = judge(account, prepared, [Holding(wish, left_out=True) for wish in wishes])
    assert verdict.complaints == ["person ann: the user is there", "person bo: the MFA device is there"]
    assert (verdict.users_asked, verdict.users_ok) == (3, 1)


def test_whoever_is_neither_made_nor_left_out_is_missed(account: Account) -> None:
    """A cancelled operation that does not tell of somebody is noticed."""
    wish = make(Kind.ROBOT, chance_of(1, "judge"), "ann")
    assert not judge(account, account.prepare([wish]), [Holding(wish)]).is_clean
