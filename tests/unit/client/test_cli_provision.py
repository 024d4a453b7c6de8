"""`identityctl provision`: review, consent, hand-outs, partial failures, and going on after a cut."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import stat
import subprocess
import sys
from email.message import EmailMessage
from pathlib import Path

import grpc
import pytest

from identity_client.cli.hand_outs import Delivery, HandOuts
from identity_client.cli.wanted import WantedUser
from identity_client.handout import CredentialsCsv, mail_draft
from identity_provisioning.v1.error_pb2 import ErrorReason
from identity_provisioning.v1.user_service_pb2 import ProvisionUserResponse
from tests.unit.client.conftest import Command
from tests.unit.client.fake_service import ACCOUNT, PASSWORD, SECRET_KEY, SIGN_IN_URL, Failure, FakeIdentityService

CUT = Failure(grpc.StatusCode.UNAVAILABLE, after_work=True)
DENIED = Failure(
    grpc.StatusCode.FAILED_PRECONDITION,
    "AWS_ACCESS_DENIED",
    metadata={"failed_step": "iam:AttachUserPolicy", "remaining": "user bo"},
)


def resume_files(folder: Path) -> list[Path]:
    """Answer what remembers cut runs."""
    return list(folder.glob(".identityctl-resume-*.json"))


def test_users_are_made_with_the_plans_that_were_reviewed(run: Command, service: FakeIdentityService) -> None:
    """Each run carries its plan's digest and an id, and the table names user and ARN."""
    done = run("provision", "ana", "bo", "--yes")
    assert done.exit_code == 0
    requests = service.provisioned()
    assert sorted(each.user.user_name for each in requests) == ["ana", "bo"]
    assert all(len(each.expected_plan_digest) == 64 for each in requests)
    assert len({each.request_id for each in requests}) == 2
    assert ":user/ana" in done.stdout
    assert "ana: CreateUser" in done.stderr


def test_without_a_terminal_consent_has_to_be_given(run: Command, service: FakeIdentityService) -> None:
    """Nobody can be asked, so nothing is made; the review was shown."""
    done = run("provision", "ana")
    assert done.exit_code == 5
    assert "--yes" in done.stderr
    assert "iam:CreateUser" in done.stderr
    assert service.provisioned() == []


@pytest.mark.parametrize(("answer", "exit_code", "made"), [("y\n", 0, 1), ("n\n", 5, 0), ("\x04", 5, 0)])
def test_at_a_terminal_the_person_is_asked(
    service: FakeIdentityService, tmp_path: Path, answer: str, exit_code: int, made: int
) -> None:
    """The answer decides; a no, and an end of input as well, changes nothing."""
    mine, theirs = pty.openpty()
    os.write(mine, answer.encode())
    program = [sys.executable, "-m", "identity_client.cli", "--target", service.target, "--insecure", "provision", "a"]
    done = subprocess.run(program, stdin=theirs, capture_output=True, text=True, check=False, cwd=tmp_path)
    os.close(mine)
    os.close(theirs)
    assert done.returncode == exit_code
    assert "Make this user?" in done.stderr
    assert len(service.provisioned()) == made


def test_secrets_need_somewhere_to_go(run: Command, service: FakeIdentityService) -> None:
    """Credentials that nobody would see are not made."""
    done = run("provision", "ana", "--access-key", "--yes")
    assert done.exit_code == 2
    assert "--csv FILE" in done.stderr
    assert service.received == []


def test_credentials_come_into_the_file_and_nowhere_else(run: Command, tmp_path: Path) -> None:
    """The file has the secrets, the terminal has not."""
    done = run("provision", "ana", "--access-key", "--console", "--csv", "out.csv", "--yes")
    assert done.exit_code == 0
    lines = (tmp_path / "out.csv").read_bytes().decode().splitlines()
    password = PASSWORD.replace('"', '""')
    assert lines[1] == f'"ana","{password}","AKIAEXAMPLE","\'{SECRET_KEY}","{SIGN_IN_URL}"'
    assert stat.S_IMODE((tmp_path / "out.csv").stat().st_mode) == 0o600
    assert SECRET_KEY not in done.stdout + done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    assert resume_files(tmp_path) == []


def test_secrets_are_shown_on_demand(run: Command) -> None:
    """--show-secrets writes them unbroken, one a line."""
    done = run("provision", "ana", "--access-key", "--console", "--show-secrets", "--yes")
    assert f"  secret access key: {SECRET_KEY}\n" in done.stdout
    assert f"  password: {PASSWORD}\n" in done.stdout


def test_json_holds_everything_of_one_user_in_one_document(run: Command) -> None:
    """Results and secrets are one document on standard output; the review and the progress are elsewhere."""
    done = run("provision", "ana", "--access-key", "--yes", "--output", "json")
    (user,) = done.document()["users"]
    assert (user["status"], user["user"]["user_name"], user["error"]) == ("made", "ana", None)
    assert user["credentials"]["access_key"]["secret_access_key"] == SECRET_KEY


def test_a_file_that_exists_stops_everything(run: Command, service: FakeIdentityService, tmp_path: Path) -> None:
    """The credentials file is refused before the service is asked for anything."""
    (tmp_path / "out.csv").write_text("precious")
    done = run("provision", "ana", "--access-key", "--csv", "out.csv", "--yes")
    assert done.exit_code == 2
    assert "out.csv: exists" in done.stderr
    assert (tmp_path / "out.csv").read_text() == "precious"
    assert service.received == []


@pytest.mark.parametrize(
    "option", [("--csv", "gone/out.csv"), ("--mail-dir", "gone/mail"), ("--mail-dir", "/dev/null")]
)
def test_a_missing_folder_stops_everything(run: Command, service: FakeIdentityService, option: tuple[str, str]) -> None:
    """Places to write to are looked at first."""
    done = run("provision", "ana", "--show-secrets", *option, "--yes")
    assert (done.exit_code, service.received) == (2, [])


def test_a_name_that_no_disk_takes_is_told(run: Command, service: FakeIdentityService) -> None:
    """A path that is too long is bad input, and nobody is made."""
    done = run("provision", "ana", "--mail-dir", "m" * 300, "--yes")
    assert (done.exit_code, service.users) == (2, {})
    assert "name too long" in done.stderr


def test_a_problem_of_one_user_stops_all_before_the_start(
    run: Command, service: FakeIdentityService, tmp_path: Path
) -> None:
    """Nothing is created while any plan cannot run."""
    service.refuse_plan("bo", ErrorReason.ERROR_REASON_QUOTA_EXCEEDED, "too many")
    done = run("provision", "ana", "bo", "--access-key", "--csv", "out.csv", "--yes")
    assert done.exit_code == 3
    assert service.provisioned() == []
    assert list(tmp_path.iterdir()) == []
    document = run("provision", "ana", "bo", "--yes", "--output", "json").document()
    assert [plan["can_run"] for plan in document["plans"]] == [True, False]


def test_half_the_users_fail_and_the_others_are_made(
    run: Command, service: FakeIdentityService, tmp_path: Path
) -> None:
    """Each user has a result, failures say what remains and what to do, and the exit code is 1."""
    for name in ("u1", "u3", "u5"):
        service.fail_user(name, DENIED)
    names = [f"u{index}" for index in range(6)]
    done = run("provision", *names, "--access-key", "--csv", "out.csv", "--yes")
    assert done.exit_code == 1
    assert len(service.users) == 3
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 4
    assert done.stdout.count("AWS_ACCESS_DENIED") == 3
    assert "The step that failed was iam:AttachUserPolicy. What remains in the account: user bo." in done.stdout


def test_a_definite_failure_is_planned_anew(run: Command, service: FakeIdentityService, tmp_path: Path) -> None:
    """Where the service said no, the next run has a new id; where it succeeded, the old one is replayed."""
    service.fail_user("bo", DENIED)
    run("provision", "ana", "bo", "--yes")
    service.heal_user("bo")
    done = run("provision", "ana", "bo", "--yes")
    ids = {
        name: [each.request_id for each in service.provisioned() if each.user.user_name == name]
        for name in ("ana", "bo")
    }
    assert done.exit_code == 0
    assert len(set(ids["ana"])) == 1
    assert len(set(ids["bo"])) == 2
    assert resume_files(tmp_path) == []


def test_a_cut_run_is_gone_on_with(run: Command, service: FakeIdentityService, tmp_path: Path) -> None:
    """The same command goes on: what was handed out is done, and a lost secret is a failure with a way out."""
    command = ("provision", "ana", "bo", "--access-key", "--csv", "one.csv", "--yes")
    service.fail_user("bo", CUT)
    first = run(*command)
    assert first.exit_code == 1
    assert "Run the same command again" in first.stderr
    service.heal_user("bo")
    second = run(*command)
    assert second.exit_code == 1
    assert "ana: Secrets withheld: an earlier run wrote them to one.csv." in second.stdout
    assert "bo: The secrets are lost" in second.stdout
    assert f"`identityctl delete --account {ACCOUNT} bo`, then run the same command again" in second.stdout
    assert len({each.request_id for each in service.provisioned()}) == 2
    assert run("delete", "--account", ACCOUNT, "bo", "--yes").exit_code == 0
    third = run(*command)
    assert third.exit_code == 0
    names = [line.split(",")[0] for line in (tmp_path / "one.csv").read_text().splitlines()]
    assert names == ['"User name"', '"ana"', '"bo"']
    assert resume_files(tmp_path) == []


def test_lost_secrets_are_never_called_done(run: Command, service: FakeIdentityService, tmp_path: Path) -> None:
    """A user whose only secrets were lost is a failure, stands as such in the document, and is not asked again."""
    command = ("provision", "bo", "--access-key", "--yes", "--output", "json")
    service.fail_user("bo", CUT)
    run(*command)
    service.heal_user("bo")
    lost = run(*command)
    (user,) = lost.document()["users"]
    assert (lost.exit_code, user["status"]) == (1, "secrets_lost")
    assert "identityctl delete" in user["notes"]
    asked = len(service.provisioned())
    assert run(*command).exit_code == 3
    assert len(service.provisioned()) == asked


def test_a_password_that_was_given_is_never_lost(run: Command, service: FakeIdentityService) -> None:
    """A replay holds no secret back from the person who chose it."""
    command = ("provision", "bo", "--password-stdin", "--csv", "o.csv", "--yes")
    service.fail_user("bo", CUT)
    run(*command, stdin="hunter2!\n")
    service.heal_user("bo")
    done = run(*command, stdin="hunter2!\n")
    assert (done.exit_code, "lost" in done.stdout) == (0, False)


def test_a_given_password_outlives_a_full_disk(
    run: Command, service: FakeIdentityService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its line a user whose password the person chose has failed to be handed out, and lost nothing."""

    def fail(self: CredentialsCsv, row: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(CredentialsCsv, "write", fail)
    done = run("provision", "bo", "--password-stdin", "--csv", "o.csv", "--yes", stdin="hunter2!\n")
    assert done.exit_code == 1
    assert "could not be written to o.csv: No space left on device." in done.stdout
    assert "secrets" not in done.stdout


@pytest.mark.parametrize("outlet", [("--output", "json"), ("--show-secrets",)])
def test_secrets_that_were_shown_are_not_lost(
    run: Command, service: FakeIdentityService, outlet: tuple[str, ...]
) -> None:
    """What standard output had is remembered, so the next run is complete without it."""
    service.fail_user("bo", DENIED)
    run("provision", "ana", "bo", "--access-key", "--yes", *outlet)
    service.heal_user("bo")
    done = run("provision", "ana", "bo", "--access-key", "--yes", *outlet)
    assert done.exit_code == 0
    assert "an earlier run wrote them to standard output" in done.stdout


def test_a_line_that_a_killed_run_wrote_is_found(run: Command, service: FakeIdentityService, tmp_path: Path) -> None:
    """Killed between the line and the note of it, the run is gone on with by what the file says."""
    command = ("provision", "ana", "bo", "--access-key", "--csv", "one.csv", "--yes")
    service.fail_user("bo", CUT)
    run(*command)
    (memory,) = resume_files(tmp_path)
    content = json.loads(memory.read_text())
    content["started"]["ana"]["handed_out_to"] = ""
    memory.write_text(json.dumps(content))
    assert "ana: Secrets withheld: an earlier run wrote them to one.csv." in run(*command).stdout


@pytest.mark.parametrize("change", ["other file", "mode", "link", "torn"])
def test_only_the_file_of_the_earlier_run_is_gone_on_with(
    run: Command, service: FakeIdentityService, tmp_path: Path, change: str
) -> None:
    """Any other file under that name, or one that others may read or somebody cut, is refused and left as it is."""
    command = ("provision", "ana", "bo", "--access-key", "--csv", "one.csv", "--yes")
    service.fail_user("bo", DENIED)
    run(*command)
    service.heal_user("bo")
    file = tmp_path / "one.csv"
    if change == "other file":
        shutil.copy2(file, tmp_path / "copy.csv")
        (tmp_path / "copy.csv").replace(file)
    elif change == "mode":
        file.chmod(0o644)
    elif change == "link":
        file.rename(tmp_path / "moved.csv")
        file.symlink_to(tmp_path / "moved.csv")
    else:
        file.write_bytes(file.read_bytes()[:-4])
    before, calls = file.read_bytes(), len(service.received)
    done = run(*command)
    assert done.exit_code == 2
    assert "one.csv: " in done.stderr
    assert (file.read_bytes(), len(service.received)) == (before, calls)
    other = ("provision", "ana", "bo", "--access-key", "--csv", "two.csv", "--yes")
    assert run(*other).exit_code == 0


def test_drafts_of_the_earlier_run_are_kept(run: Command, service: FakeIdentityService, tmp_path: Path) -> None:
    """Going on adds the drafts that are missing, in a folder that was made for its owner alone."""
    command = ("provision", "ana", "bo", "--console", "--csv", "one.csv", "--mail-dir", "mails", "--yes")
    service.fail_user("bo", DENIED)
    run(*command)
    assert stat.S_IMODE((tmp_path / "mails").stat().st_mode) == 0o700
    (tmp_path / "mails" / "ana.eml").write_text("edited")
    service.heal_user("bo")
    assert run(*command).exit_code == 0
    assert (tmp_path / "mails" / "ana.eml").read_text() == "edited"
    assert (tmp_path / "mails" / "bo.eml").exists()


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL])
def test_what_could_not_be_undone_is_a_known_end(
    run: Command, service: FakeIdentityService, tmp_path: Path, code: grpc.StatusCode
) -> None:
    """The request is over: its id is dropped, and the person is told what remains and how to remove it."""
    left = {"failed_step": "iam:AttachUserPolicy", "remaining": "create user bo: not undone", "account_id": ACCOUNT}
    service.fail_user("bo", Failure(code, "THROTTLED", metadata=left))
    done = run("--timeout", "2", "provision", "bo", "--yes")
    assert done.exit_code == 1
    assert "What remains in the account: create user bo: not undone." in done.stdout
    assert f"Remove it with `identityctl delete --account {ACCOUNT} bo`" in done.stdout
    assert resume_files(tmp_path) == []


@pytest.mark.parametrize("left", [{}, {"failed_step": "iam:CreateUser", "remaining": "nothing"}])
def test_what_nobody_knows_the_end_of_keeps_its_id(
    run: Command, service: FakeIdentityService, tmp_path: Path, left: dict[str, str]
) -> None:
    """Without a word of what remains the same id is sent again."""
    service.fail_user("bo", Failure(grpc.StatusCode.INTERNAL, "INTERNAL", metadata=left))
    run("provision", "bo", "--yes")
    run("provision", "bo", "--yes")
    assert len({each.request_id for each in service.provisioned()}) == 1


def test_one_bad_draft_costs_nobody_a_secret(
    run: Command, service: FakeIdentityService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a draft fails with becomes a note on its user, and every line is written."""

    def fail(name: str, *args: object, **options: object) -> EmailMessage:
        if name == "u0":
            raise IndexError("string index out of range")
        return mail_draft(name, SIGN_IN_URL)

    monkeypatch.setattr("identity_client.cli.mail_drafts.mail_draft", fail)
    names = [f"u{index}" for index in range(12)]
    done = run("provision", *names, "--console", "--csv", "o.csv", "--mail-dir", "m", "--yes")
    assert done.exit_code == 0
    assert "u0: The mail draft could not be written: IndexError." in done.stdout
    assert len((tmp_path / "o.csv").read_text().splitlines()) == 13
    assert len(list((tmp_path / "m").iterdir())) == 11


def test_one_users_fault_costs_nobody_else_a_secret(
    run: Command, service: FakeIdentityService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever one user ends with is that user's failure; the run goes on to the last line."""
    deliver = HandOuts.deliver

    def fail(self: HandOuts, user: WantedUser, response: ProvisionUserResponse) -> Delivery:
        if user.name == "u0":
            raise RuntimeError("unforeseen")
        return deliver(self, user, response)

    monkeypatch.setattr(HandOuts, "deliver", fail)
    names = [f"u{index}" for index in range(12)]
    done = run("provision", *names, "--access-key", "--csv", "o.csv", "--yes")
    assert done.exit_code == 1
    assert "u0: An unexpected fault ended it: RuntimeError." in done.stdout
    assert len((tmp_path / "o.csv").read_text().splitlines()) == 12


def test_messages_that_nobody_reads_stop_nothing(service: FakeIdentityService, tmp_path: Path) -> None:
    """Standard error may be closed by its reader: the users are made, and the documents are whole."""
    program = [sys.executable, "-m", "identity_client.cli", "--target", service.target, "--insecure"]
    reading, writing = os.pipe()
    os.close(reading)
    arguments = ["provision", "ana", "bo", "--access-key", "--yes", "--output", "json"]
    done = subprocess.run([*program, *arguments], stdout=subprocess.PIPE, stderr=writing, check=False, cwd=tmp_path)
    os.close(writing)
    assert done.returncode == 0
    assert len([json.loads(line) for line in done.stdout.splitlines()]) == 2


@pytest.mark.parametrize("command", [["account"], ["plan", "ana", "--output", "json"]])
def test_output_that_cannot_be_written_is_told(service: FakeIdentityService, command: list[str]) -> None:
    """A full disk behind standard output is a sentence and exit code 1."""
    program = [sys.executable, "-m", "identity_client.cli", "--target", service.target, "--insecure"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*program, *command], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_closed_streams_are_told(service: FakeIdentityService, tmp_path: Path) -> None:
    """Without standard input nobody consents; without standard output secrets have nowhere to go."""
    program = f"{sys.executable} -m identity_client.cli --target {service.target} --insecure provision ana --access-key"
    for rest, exit_code in (("--csv o.csv <&-", 5), ("--output json --yes >&-", 2), ("--password-stdin <&-", 2)):
        done = subprocess.run(["/bin/sh", "-c", f"{program} {rest}"], stderr=subprocess.PIPE, check=False, cwd=tmp_path)
        assert (done.returncode, b"Traceback" in done.stderr) == (exit_code, False)
    assert service.provisioned() == []


def test_the_ids_are_on_the_disk_before_they_are_sent(
    run: Command, service: FakeIdentityService, tmp_path: Path
) -> None:
    """When a request arrives, its id can be read from a file of the owner's alone that holds no secret."""
    seen: list[tuple[str, int]] = []

    def look(name: str) -> None:
        (file,) = resume_files(tmp_path)
        content = json.loads(file.read_text())
        seen.append((content["started"][name]["request_id"], stat.S_IMODE(file.stat().st_mode)))

    service.before_provision = look
    run("provision", "ana", "--password-stdin", "--yes", "--show-secrets", stdin="hunter2!\n")
    assert seen == [(service.provisioned()[0].request_id, 0o600)]


def test_a_killed_run_is_gone_on_with(service: FakeIdentityService, tmp_path: Path, run: Command) -> None:
    """Killed while a user is being made, the next run replays it instead of finding the name taken."""
    program = [
        *(sys.executable, "-m", "identity_client.cli", "--target", service.target, "--insecure"),
        *("provision", "ana", "--yes"),
    ]
    process: list[subprocess.Popen[bytes]] = []
    service.before_provision = lambda name: process[0].kill()
    with subprocess.Popen(program, cwd=tmp_path, stderr=subprocess.DEVNULL) as killed:
        process.append(killed)
        assert killed.wait(20) == -signal.SIGKILL
    service.before_provision = lambda name: None
    done = run("provision", "ana", "--yes")
    assert done.exit_code == 0
    assert len({each.request_id for each in service.provisioned()}) == 1


def test_an_interrupt_waits_for_what_is_under_way(run: Command, service: FakeIdentityService, tmp_path: Path) -> None:
    """The first Ctrl-C starts nothing new and loses no answer; the run can be gone on with."""
    sent: list[str] = []

    def interrupt_once(name: str) -> None:
        if not sent:
            sent.append(name)
            os.kill(os.getpid(), signal.SIGINT)

    service.before_provision = interrupt_once
    names = [f"u{index}" for index in range(60)]
    done = run("provision", *names, "--access-key", "--csv", "out.csv", "--yes")
    assert done.exit_code == 130
    assert 1 <= len(service.users) < 60
    assert len((tmp_path / "out.csv").read_text().splitlines()) == len(service.users) + 1
    assert run("provision", *names, "--access-key", "--csv", "out.csv", "--yes").exit_code == 0
    assert len(service.users) == 60
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 61


def test_a_full_disk_stops_the_run(run: Command, service: FakeIdentityService, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a line cannot be written no further user is begun, and the person is told whose secrets are lost."""

    def fail(self: CredentialsCsv, row: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(CredentialsCsv, "write", fail)
    names = [f"u{index}" for index in range(40)]
    done = run("provision", *names, "--access-key", "--csv", "out.csv", "--yes")
    assert done.exit_code == 1
    assert "No space left on device. The secrets are lost. Delete the user with `identityctl delete" in done.stdout
    assert len(service.users) < 40


def test_another_input_does_not_take_a_resume_file(run: Command, service: FakeIdentityService) -> None:
    """A named resume file of other users is refused, since its ids belong to other requests."""
    service.fail_user("ana", CUT)
    run("provision", "ana", "--yes", "--resume", "r.json")
    done = run("provision", "bo", "--yes", "--resume", "r.json")
    assert done.exit_code == 2
    assert "other users" in done.stderr


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"version": 9}', '{"version": 1, "input_digest": 1}'])
def test_a_broken_resume_file_is_told(run: Command, service: FakeIdentityService, tmp_path: Path, content: str) -> None:
    """What cannot be read is not guessed at."""
    (tmp_path / "r.json").write_text(content)
    done = run("provision", "ana", "--yes", "--resume", "r.json")
    assert (done.exit_code, service.received) == (2, [])


def test_an_earlier_draft_is_left_and_told(run: Command, tmp_path: Path) -> None:
    """A draft that exists costs a note, not the user."""
    (tmp_path / "ana.eml").write_text("edited")
    done = run("provision", "ana", "--console", "--csv", "out.csv", "--mail-dir", ".", "--yes")
    assert done.exit_code == 0
    assert "An earlier mail draft was left" in done.stdout
    assert (tmp_path / "ana.eml").read_text() == "edited"


def test_a_custom_password_is_taken_from_standard_input(
    run: Command, service: FakeIdentityService, tmp_path: Path
) -> None:
    """It is sent, and stands in no output and in no file."""
    service.fail_user("ana", CUT)
    done = run("provision", "ana", "--password-stdin", "--csv", "o.csv", "--yes", stdin="hunter2!\n")
    assert service.provisioned()[0].user.credentials.console_password.custom_password == "hunter2!"
    assert "hunter2" not in done.stdout + done.stderr
    assert not any("hunter2" in each.read_text() for each in tmp_path.iterdir())


def test_a_hostile_name_is_made_harmless_in_the_file(run: Command, tmp_path: Path) -> None:
    """A name that a spreadsheet would run is a name in the service and a text in the file."""
    run("provision", "--access-key", "--csv", "out.csv", "--yes", "--", "=cmd,1", "@sum")
    names = sorted(line.split('",')[0] for line in (tmp_path / "out.csv").read_text().splitlines()[1:])
    assert names == ["\"'=cmd,1", "\"'@sum"]


def test_a_resume_file_that_cannot_be_written_any_more_costs_nobody_a_secret(
    run: Command, service: FakeIdentityService, tmp_path: Path
) -> None:
    """Once the ids are on the disk, a folder that goes away does not stop the answers from being handed out."""
    memory = tmp_path / "memory"
    memory.mkdir()
    service.before_provision = lambda name: shutil.rmtree(memory, ignore_errors=True)
    arguments = ("--access-key", "--csv", "out.csv", "--yes", "--resume", "memory/r.json")
    assert run("provision", "ana", "bo", *arguments).exit_code == 0
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 3


def test_bytes_that_are_no_text_are_told(service: FakeIdentityService, tmp_path: Path) -> None:
    """A broken encoding on the command line is bad input, not a traceback."""
    program = [sys.executable, "-m", "identity_client.cli", "--target", service.target, "--insecure"]
    done = subprocess.run([*program, "plan", "ana", "--tag", b"k=\xff"], capture_output=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert b"UTF-8" in done.stderr
    assert b"Traceback" not in done.stderr
