"""The parts of the chaos harness that judge: a judge that sees nothing would find everything in order."""

import base64
import signal
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

import grpc
import pytest
from google.rpc.status_pb2 import Status

from embedded_aws import EmbeddedAws
from embedded_aws.faults import EFFECTS
from identity_provisioning.v1.credential_pb2 import IssuedCredentials
from identity_provisioning.v1.operation_pb2 import OperationResult
from tests.chaos.account import Account, catalogue
from tests.chaos.clients import Holding
from tests.chaos.harness import Total
from tests.chaos.judge import Verdict, judge
from tests.chaos.leaks import Files, count_hits
from tests.chaos.onboarding import is_left_out
from tests.chaos.point_runs import draw_pause
from tests.chaos.points import Armed, Points
from tests.chaos.reports import Reports
from tests.chaos.timing import Timing
from tests.chaos.wishes import ACCOUNT_ID, GROUPS, POLICIES, Kind, Wish, make, policy_arn
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
    monkeypatch.setattr("signal.pthread_kill", lambda _thread, number: signals.append(number))
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


@pytest.mark.parametrize(
    ("total", "proves"),
    [
        (Total(kills=1), True),
        (Total(pauses=1), True),
        (Total(kills=3, points_chosen=4, points=1), True),
        (Total(), False),
        (Total(kills=3, points_chosen=4), False),
        (Total(points_chosen=4, points=4), False),
    ],
)
def test_runs_without_a_blow_prove_nothing(total: Total, proves: bool) -> None:
    """A hook that is broken, so that no server dies or stands still, or none at a point, is noticed."""
    assert total.has_struck is proves


def test_every_effect_of_the_account_is_in_the_catalogue() -> None:
    """A fault that the embedded account learns has to be tried here as well."""
    assert {type(effect) for _, effect, _ in catalogue(Timing())} == set(EFFECTS.values())


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


@pytest.mark.parametrize(
    ("code", "is_excused"),
    [
        (None, True),
        (grpc.StatusCode.UNAVAILABLE, True),
        (grpc.StatusCode.INTERNAL, False),
        (grpc.StatusCode.ALREADY_EXISTS, False),
    ],
)
def test_a_cancellation_excuses_no_failure(code: grpc.StatusCode | None, is_excused: bool) -> None:
    """Left out is who was not begun, or had to be begun once more; any other failure is one of the service's."""
    result = OperationResult(error=Status(code=code.value[0])) if code else OperationResult()
    assert is_left_out(result) is is_excused


def held(
    wish: Wish, *, key: Mapping[str, str] | None = None, password: str = "", earlier: Sequence[Holding] = ()
) -> Holding:
    """What a client holds to whom a wish was granted."""
    issued = IssuedCredentials()
    if key is not None:
        issued.access_key.access_key_id, issued.access_key.secret_access_key = (
            key["AccessKeyId"],
            key["SecretAccessKey"],
        )
    issued.console_password.password = password
    return Holding(wish, granted=True, credentials=issued, earlier=tuple(earlier))


PASSWORD_OF_ANN = frozenset({"console password of ann"})


@pytest.mark.parametrize(
    ("reports", "is_clean"),
    [
        (Reports(missing=PASSWORD_OF_ANN), True),
        (Reports(), False),
        (Reports(unattributed=PASSWORD_OF_ANN), False),
        (Reports(missing=frozenset({"console password of bo", "group developers of ann"})), False),
    ],
)
def test_a_password_that_went_late_has_to_be_reported(account: Account, reports: Reports, is_clean: bool) -> None:
    """It is excepted where a second look says that it is gone, and is a lost secret otherwise."""
    wish = make(Kind.PASSWORD_AGAIN, chance_of(1, "judge"), "ann")
    prepared = account.prepare([wish])
    verdict = judge(account, prepared, [held(wish, password="Correct-Horse-7")], reports)
    assert verdict.is_clean is is_clean
    assert (verdict.taken_late, verdict.lost_secrets) == ((1, 0) if is_clean else (0, 1))


def test_grants_that_came_late_have_to_be_reported(account: Account) -> None:
    """Each of them, by its name, as what nobody can attribute."""
    wish = make(Kind.REVOCATION, chance_of(1, "judge"), "ann")
    prepared = account.prepare([wish])
    group, policy = "group developers of ann", f"policy {policy_arn(POLICIES[0])} of ann"
    both = judge(account, prepared, [held(wish)], Reports(unattributed=frozenset({group, policy})))
    assert both.is_clean, both.complaints
    assert both.left_late == 2
    one = judge(account, prepared, [held(wish)], Reports(unattributed=frozenset({group}), missing=frozenset({policy})))
    assert one.complaints == [f"revocation ann: the {policy} is there"]


def test_what_two_requests_have_made_is_asked_for_together(account: Account) -> None:
    """Both keys have to work in the client's hands, and a third one is one too many."""
    first = make(Kind.KEY_AGAIN, chance_of(1, "judge"), "ann")
    second = first.then
    assert second is not None
    prepared = account.prepare([first])
    one, other = (account.iam.create_access_key(UserName="ann")["AccessKey"] for _ in range(2))
    answers = [held(first, key=one), held(second, key=other)]
    whole = judge(account, prepared, [held(second, key=other, earlier=answers[:1])])
    assert whole.is_clean, whole.complaints
    lost = judge(account, prepared, [held(second, key=other)])
    assert (lost.lost_secrets, lost.duplicate_keys) == (1, 0)
    doubled = judge(account, prepared, answers[:1])
    assert (doubled.lost_secrets, doubled.duplicate_keys) == (0, 1)


def test_the_answer_to_the_last_request_counts(account: Account) -> None:
    """Where a grant follows its revocation, the account must not be as the first answer has said."""
    first = make(Kind.GRANT_AGAIN, chance_of(1, "judge"), "ann")
    assert first.then is not None
    prepared = account.prepare([first])
    account.iam.remove_user_from_group(UserName="ann", GroupName=GROUPS[0])
    account.iam.detach_user_policy(UserName="ann", PolicyArn=policy_arn(POLICIES[0]))
    assert judge(account, prepared, [held(first)]).is_clean
    assert judge(account, prepared, [held(first.then)]).users_ok == 0


def test_the_requests_about_one_user_are_not_the_same() -> None:
    """Each has an id of its own, and so has one that is asked anew."""
    first = make(Kind.PASSWORD_AGAIN, chance_of(1, "judge"), "ann")
    assert first.then is not None
    assert first.then.then is not None
    asked = [first, first.then, first.then.then, first.then.then.anew()]
    assert len({wish.request_id for wish in asked}) == len(asked)
    assert [wish.method for wish in asked[:3]] == ["create_credentials", "disable_console_access", "create_credentials"]


def test_a_pause_may_end_while_a_signature_is_valid() -> None:
    """Half of the pauses end late, and none of them so late that IAM refuses what was signed before."""
    timing = Timing()
    drawn = [draw_pause(chance_of(seed, "pause"), timing) for seed in range(200)]
    late = [pause for pause in drawn if pause > timing.lease * 2.4]
    assert timing.lease < min(drawn)
    assert timing.signature_validity * 0.9 < max(drawn) < timing.signature_validity
    assert 60 < len(late) < 140
