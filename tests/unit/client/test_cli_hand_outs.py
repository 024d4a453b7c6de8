"""What `identityctl provision` hands out while it runs: results as they come, MFA devices, mail drafts, the CSV."""

from __future__ import annotations

import csv
import json
import signal
import stat
import subprocess
import sys
import threading
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import grpc
import pytest

from identity_client.handout import CredentialsCsv, CredentialsRow
from identity_provisioning.v1.plan_pb2 import ExecutedStep
from tests.unit.client.conftest import Command
from tests.unit.client.fake_service import ACCOUNT, MFA_PICTURE, SECRET_KEY, SEED, Failure, FakeIdentityService

CUT = Failure(grpc.StatusCode.UNAVAILABLE, after_work=True)
DENIED = Failure(grpc.StatusCode.FAILED_PRECONDITION, "AWS_ACCESS_DENIED")


def lines_of(stdout: str) -> dict[str, dict[str, Any]]:
    """Read JSON lines, by the users' names."""
    documents = [json.loads(line) for line in stdout.splitlines()]
    return {document["user_name"]: document for document in documents}


def secret_of(document: dict[str, Any]) -> str:
    """Answer the secret access key of a result."""
    secret: str = document["credentials"]["access_key"]["secret_access_key"]
    return secret


def test_the_results_of_many_users_are_lines(run: Command, service: FakeIdentityService) -> None:
    """Each user is one JSON object on a line of its own, failures among them."""
    service.fail_user("bo", DENIED)
    done = run("provision", "ana", "bo", "cy", "--access-key", "--yes", "--output", "json")
    found = lines_of(done.stdout)
    assert done.exit_code == 1
    assert {name: each["status"] for name, each in found.items()} == {"ana": "made", "bo": "failed", "cy": "made"}
    assert secret_of(found["ana"]) == SECRET_KEY
    assert found["bo"]["error"]["reason"] == "AWS_ACCESS_DENIED"


def test_a_kill_loses_no_line_that_was_written(service: FakeIdentityService, tmp_path: Path) -> None:
    """While the last user is being made, the others' lines are with the reader already; a kill takes none back."""
    program = [sys.executable, "-m", "identity_client.cli", "--target", service.target, "--insecure", "provision"]
    names = [f"u{index}" for index in range(9)]
    is_killed = threading.Event()

    def hold_the_last(name: str) -> None:
        if name == names[-1]:
            is_killed.wait(20)

    service.before_provision = hold_the_last
    command = [*program, *names, "--access-key", "--yes", "--output", "json"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as run:
        assert run.stdout is not None
        lines = [run.stdout.readline() for _ in names[:-1]]
        run.kill()
        is_killed.set()
        assert run.wait(20) == -signal.SIGKILL
    found = lines_of("".join(lines))
    assert sorted(found) == names[:-1]
    assert all(secret_of(document) == SECRET_KEY for document in found.values())


def test_lines_that_were_written_are_remembered(run: Command, service: FakeIdentityService) -> None:
    """The next run knows whose secrets the output of the first one had."""
    command = ("provision", "ana", "bo", "--access-key", "--yes", "--output", "json")
    service.fail_user("bo", DENIED)
    run(*command)
    service.heal_user("bo")
    done = run(*command)
    found = lines_of(done.stdout)
    assert done.exit_code == 0
    assert "an earlier run wrote them to standard output" in found["ana"]["notes"]
    assert secret_of(found["bo"]) == SECRET_KEY


@pytest.mark.parametrize("outlet", [["--output", "json"], ["--show-secrets"]])
@pytest.mark.parametrize("names", [["ana"], [f"u{index}" for index in range(40)]])
def test_an_output_that_breaks_stops_the_run(
    service: FakeIdentityService, tmp_path: Path, outlet: list[str], names: list[str]
) -> None:
    """No further user is begun when the output is lost, and standard error says whose secrets are."""
    program = [sys.executable, "-m", "identity_client.cli", "--target", service.target, "--insecure", "provision"]
    command = [*program, *names, "--access-key", "--yes", *outlet]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert "secrets lost. The output could not be written." in done.stderr
    assert "identityctl delete" in done.stderr
    assert "Traceback" not in done.stderr
    assert 1 <= len(service.users) <= max(1, len(names) - 20)


def test_with_a_file_a_broken_output_loses_nothing(service: FakeIdentityService, tmp_path: Path) -> None:
    """What the credentials file has is not lost, and the exit code says that the output is."""
    program = [sys.executable, "-m", "identity_client.cli", "--target", service.target, "--insecure", "provision"]
    command = [*program, "ana", "--access-key", "--yes", "--output", "json", "--csv", "o.csv"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, "lost" in done.stderr) == (1, False)
    assert SECRET_KEY in (tmp_path / "o.csv").read_text()


def test_plans_that_cannot_run_are_one_line(run: Command, service: FakeIdentityService) -> None:
    """A reader of lines finds one, with all plans; a reader of one document as well."""
    run("provision", "ana", "--yes")
    done = run("provision", "ana", "bo", "--access-key", "--yes", "--output", "json")
    assert done.exit_code == 3
    assert [plan["can_run"] for plan in json.loads(done.stdout)["plans"]] == [False, True]
    assert done.stdout.count("\n") == 1


def test_secrets_are_shown_as_they_come(run: Command, service: FakeIdentityService) -> None:
    """They stand above the table, which says so."""
    done = run("provision", "ana", "bo", "--console", "--show-secrets", "--yes")
    assert done.stdout.index("  password: ") < done.stdout.index("Results")
    assert "above" in done.stdout


def test_a_given_password_needs_no_outlet(run: Command, service: FakeIdentityService) -> None:
    """The person knows it already; with an access key beside it there is a secret, and it needs one."""
    assert run("provision", "ana", "--password-stdin", "--yes", stdin="hunter2!\n").exit_code == 0
    asked = run("provision", "bo", "--password-stdin", "--access-key", "--yes", stdin="hunter2!\n")
    assert (asked.exit_code, "--csv FILE" in asked.stderr) == (2, True)


def test_an_mfa_device_comes_into_its_folder(run: Command, tmp_path: Path) -> None:
    """QR code and seed are files of the owner's alone, and neither stands in any output."""
    done = run("provision", "ana", "--mfa-device", "--mfa-dir", "mfa", "--yes")
    assert done.exit_code == 0
    assert (tmp_path / "mfa" / "ana.mfa.png").read_bytes() == MFA_PICTURE
    text = (tmp_path / "mfa" / "ana.mfa.txt").read_text()
    assert text == f"Device: arn:aws:iam::{ACCOUNT}:mfa/ana\nSeed:   {SEED}\n"
    assert {stat.S_IMODE(each.stat().st_mode) for each in (tmp_path / "mfa").iterdir()} == {0o600}
    assert SEED not in done.stdout + done.stderr


def test_an_mfa_device_needs_somewhere_to_go(run: Command, service: FakeIdentityService) -> None:
    """The credentials file has no column for it; the output and the terminal do."""
    refused = run("provision", "ana", "--mfa-device", "--access-key", "--csv", "o.csv", "--yes")
    assert (refused.exit_code, "--mfa-dir FOLDER" in refused.stderr, service.received) == (2, True, [])
    shown = run("provision", "bo", "--mfa-device", "--show-secrets", "--yes").stdout
    assert (f"  mfa seed: {SEED}\n" in shown, "█" in shown) == (True, False)  # a file is no screen to scan from
    document = run("provision", "cy", "--mfa-device", "--output", "json", "--yes").document()
    assert document["users"][0]["credentials"]["mfa_device"]["base32_seed"] == SEED


def test_an_earlier_device_is_never_replaced(run: Command, service: FakeIdentityService, tmp_path: Path) -> None:
    """A seed that is there may be somebody's only one, so nothing begins."""
    (tmp_path / "ana.mfa.txt").write_text("precious")
    done = run("provision", "ana", "--mfa-device", "--mfa-dir", ".", "--yes")
    assert (done.exit_code, service.received) == (2, [])
    assert "ana.mfa.txt: exists" in done.stderr


def test_a_device_that_was_handed_out_is_not_lost(run: Command, service: FakeIdentityService) -> None:
    """A run that is gone on with finds the device where the first one put it."""
    command = ("provision", "ana", "bo", "--mfa-device", "--mfa-dir", "mfa", "--yes")
    service.fail_user("bo", DENIED)
    run(*command)
    service.heal_user("bo")
    done = run(*command)
    assert done.exit_code == 0
    assert "ana: Secrets withheld: an earlier run wrote them to mfa/ana.mfa.txt." in done.stdout


def test_a_device_that_never_came_is_lost(run: Command, service: FakeIdentityService) -> None:
    """A line in the credentials file does not stand in for a seed that was cut off."""
    command = ("provision", "bo", "--mfa-device", "--access-key", "--mfa-dir", "mfa", "--csv", "o.csv", "--yes")
    service.fail_user("bo", CUT)
    run(*command)
    service.heal_user("bo")
    done = run(*command)
    assert (done.exit_code, "bo: The secrets are lost" in done.stdout) == (1, True)


def test_drafts_are_in_the_language_that_was_asked_for(run: Command, tmp_path: Path) -> None:
    """--mail-language chooses among the texts that are shipped."""
    run("provision", "ana", "--console", "--csv", "o.csv", "--mail-dir", "m", "--mail-language", "ja", "--yes")
    draft = message_from_bytes((tmp_path / "m" / "ana.eml").read_bytes(), policy=policy.default)
    assert draft["Subject"] == "AWS ユーザー ana のお知らせ"


def test_drafts_are_from_a_template_of_ones_own(run: Command, tmp_path: Path) -> None:
    """--mail-template takes any text, and the account's id is known from the user's ARN."""
    (tmp_path / "t.txt").write_text("Subject: $user_name\nFrom: it@example.com\n\n$account_id at $sign_in_url\n")
    run("provision", "ana", "--console", "--csv", "o.csv", "--mail-dir", "m", "--mail-template", "t.txt", "--yes")
    draft = message_from_bytes((tmp_path / "m" / "ana.eml").read_bytes())
    assert (draft["Subject"], draft["From"]) == ("ana", "it@example.com")
    assert str(draft.get_payload()).startswith(f"{ACCOUNT} at https://")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--mail-dir", "m", "--mail-template", "t.txt"], "t.txt:3: $password: no secret goes by mail"),
        (["--mail-dir", "m", "--mail-template", "gone.txt"], "gone.txt: No such file"),
        (["--mail-dir", "m", "--mail-language", "xx"], "en, ja"),
        (["--mail-dir", "m", "--mail-language", "ja", "--mail-template", "t.txt"], "--mail-template is yours"),
        (["--mail-language", "ja"], "--mail-dir FOLDER"),
        (["--approved", "abc"], "is no digest"),
        (["--defaults", "d.yaml"], "add -f FILE"),
    ],
)
def test_a_bad_text_is_told_before_anything_is_sent(
    run: Command, service: FakeIdentityService, tmp_path: Path, options: list[str], message: str
) -> None:
    """A template that cannot be used costs nobody a half-made run."""
    (tmp_path / "t.txt").write_text("Subject: s\n\nYours is $password\n")
    done = run("provision", "ana", *options, "--yes")
    assert (done.exit_code, service.received) == (2, [])
    assert message in done.stderr


@pytest.mark.parametrize(
    "link",
    [
        f"https://{ACCOUNT}.signin.amazonaws.cn/console",
        "https://acme.signin.amazonaws.cn/console",
        "https://acme-gov.signin.amazonaws-us-gov.com/console",
    ],
)
def test_the_link_of_every_partition_comes_into_the_file(tmp_path: Path, link: str) -> None:
    """The service's address is written as it is, whatever the partition, with an alias or an id."""
    with CredentialsCsv(tmp_path / "o.csv") as file:
        file.write(CredentialsRow("ana", password="p", console_login_link=link))
    with (tmp_path / "o.csv").open(newline="") as written:
        (row,) = csv.DictReader(written)
    assert row["Console login link"] == link


def approved_digest(run: Command, *arguments: str) -> str:
    """Answer the digest that a plan ends with."""
    return run("plan", *arguments).stdout.splitlines()[-1].rpartition(" ")[2]


def test_only_the_approved_plans_run(run: Command, service: FakeIdentityService) -> None:
    """With the digest that the reviewer saw the users are made; with another input it is refused, and nothing is."""
    digest = approved_digest(run, "ana", "bo")
    assert run("plan", "ana", "bo", "--output", "json").document()["digest"] == digest
    changed = run("provision", "ana", "bo", "--path", "/x/", "--approved", digest, "--yes")
    assert (changed.exit_code, service.users) == (3, {})
    assert "not the ones that were approved" in changed.stderr
    fewer = run("provision", "ana", "--approved", digest, "--yes")
    assert (fewer.exit_code, service.users) == (3, {})
    assert run("provision", "ana", "bo", "--approved", digest, "--yes").exit_code == 0


def test_an_approved_run_can_be_gone_on_with(run: Command, service: FakeIdentityService) -> None:
    """Users that the cut run began with count with the plan of then."""
    digest = approved_digest(run, "ana", "bo")
    service.fail_user("bo", DENIED)
    assert run("provision", "ana", "bo", "--approved", digest, "--yes").exit_code == 1
    service.heal_user("bo")
    assert run("provision", "ana", "bo", "--approved", digest, "--yes").exit_code == 0


def test_plans_that_cannot_run_have_no_digest(run: Command, service: FakeIdentityService) -> None:
    """There is nothing to approve."""
    run("provision", "ana", "--yes")
    assert "--approved" not in run("plan", "ana", "bo").stdout
    assert run("plan", "ana", "bo", "--output", "json").document()["digest"] == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--group", "a b"], "--group: 'a b' is not 1 to 128"),
        (["--policy", "arn:aws:s3:::x"], "--policy: 'arn:aws:s3:::x' is not a policy's ARN"),
        (["--boundary", "a b"], "--boundary: 'a b' is not a policy's ARN"),
        (["--copy-from", "a b"], "--copy-from: 'a b' is not 1 to 64"),
        (["--tag", "aws:x=y"], "--tag: 'aws:x' begins with a reserved prefix"),
        (["--tag", "a=1", "--tag", "A=2"], "--tag: 'A' is there as 'a' already"),
        (["--inline", "a b=@p.json"], "--inline: 'a b' is not 1 to 128"),
    ],
)
def test_options_keep_the_rules_of_the_file(
    run: Command, service: FakeIdentityService, options: list[str], message: str
) -> None:
    """What the file may not say the options may not either."""
    done = run("plan", "ana", *options)
    assert (done.exit_code, service.received) == (2, [])
    assert message in done.stderr


def test_one_users_draft_has_an_address_without_a_file(run: Command, tmp_path: Path) -> None:
    """--email is for one user, and an address; the draft is addressed to it."""
    console = ("--console", "--csv", "o.csv", "--mail-dir", "m", "--yes")
    done = run("provision", "ana", *console, "--email", "ana@example.com")
    assert done.exit_code == 0, done.stderr
    assert message_from_bytes((tmp_path / "m" / "ana.eml").read_bytes())["To"] == "ana@example.com"
    for words, said in ((("a", "b", "--email", "a@example.com"), "for one user"), (("a", "--email", "a"), "--email: ")):
        refused = run("provision", *words, *console)
        assert (refused.exit_code, said in refused.stderr) == (2, True)


def test_the_files_that_were_written_are_named(run: Command) -> None:
    """For one user each file is named; for many the folder, with how many are in it; what was not written is not."""
    wanted = ("--console", "--mfa-device", "--mfa-dir", "mfa", "--mail-dir", "m", "--yes")
    one = run("provision", "ana", *wanted, "--csv", "o.csv").stderr
    for said in ("in o.csv.", "QR code is in mfa/ana.mfa.png, its seed in mfa/ana.mfa.txt.", "draft is m/ana.eml."):
        assert said in one
    many = run("provision", "bo", "cy", *wanted, "--csv", "p.csv").stderr
    for said in ("in p.csv.", "The QR codes and seeds of 2 MFA devices are in mfa.", "2 mail drafts are in m."):
        assert said in many
    assert "MFA device" not in run("provision", "di", "--console", "--csv", "q.csv", "--yes").stderr


def test_results_name_the_mfa_device(run: Command) -> None:
    """Its serial number is what enables it; without any device there is no column for them."""
    done = run("provision", "ana", "--mfa-device", "--mfa-dir", "mfa", "--yes")
    assert f"arn:aws:iam::{ACCOUNT}:mfa/ana" in done.stdout
    assert "MFA device" in done.stdout
    assert "MFA device" not in run("provision", "bo", "--yes").stdout


def test_results_of_one_user_tell_each_step_in_words(run: Command, service: FakeIdentityService) -> None:
    """Two attached policies have one resource, and what was so already is told as such."""
    service.provision_steps = [
        ExecutedStep(iam_action="iam:AttachUserPolicy", resource="arn:u", description="attach A to ana"),
        ExecutedStep(
            iam_action="iam:AttachUserPolicy", resource="arn:u", description="attach B to ana", unchanged=True
        ),
        ExecutedStep(iam_action="iam:AddUserToGroup", resource="arn:g"),
    ]
    done = run("provision", "ana", "--yes")
    assert "done: iam:AttachUserPolicy attach A to ana\n" in done.stdout
    assert "was so already: iam:AttachUserPolicy attach B to ana\n" in done.stdout
    assert "done: iam:AddUserToGroup arn:g\n" in done.stdout
    assert "iam:AttachUserPolicy" not in run("provision", "bo", "cy", "--yes").stdout
