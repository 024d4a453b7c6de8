"""`identityctl provision -f` and `operations`: one operation, left and come back to, handed out once and for all."""

from __future__ import annotations

import csv
import json
import os
import signal
import stat
from collections.abc import Iterator
from contextlib import nullcontext
from email import message_from_bytes
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest

from identity_client.cli.failures import BadInputError
from identity_client.cli.hand_outs import HandOutError, HandOuts
from identity_client.cli.operation_memory import OperationMemory
from identity_client.cli.sealing import sealed_texts
from identity_client.sealing import generate_identity
from identity_provisioning.v1.error_pb2 import ErrorReason
from identity_provisioning.v1.operation_pb2 import Operation
from tests.unit.client.conftest import Command
from tests.unit.client.fake_operations import OperatingService, Piece
from tests.unit.client.fake_service import PASSWORD, SECRET_KEY, SEED, SIGN_IN_URL, Failure

CUT = Failure(grpc.StatusCode.UNAVAILABLE)
CUT_IN_THE_MIDDLE = Failure(grpc.StatusCode.UNAVAILABLE, after_work=True)
DENIED = Failure(grpc.StatusCode.FAILED_PRECONDITION, "AWS_ACCESS_DENIED", "not allowed")
MANY = ("provision", "-f", "users.yaml", "--csv", "out.csv", "--yes")
NAMES = [f"u{index}" for index in range(12)]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[OperatingService]:
    """Start a fake service with operations, and have a file of users with access keys."""
    write_users(tmp_path, *({"name": name, "access_key": True} for name in NAMES))
    fake = OperatingService()
    yield fake
    fake.stop()


def write_users(folder: Path, *users: dict[str, Any]) -> None:
    """Write the users file."""
    (folder / "users.yaml").write_text(json.dumps({"users": users}))


def memories(folder: Path) -> list[Path]:
    """Find the resume files."""
    return list((folder / "state").rglob("*.json"))


def rows(file: Path) -> list[dict[str, str]]:
    """Read a credentials file, apostrophes and all."""
    with file.open(newline="") as text:
        return list(csv.DictReader(text))


def interrupt(piece: Piece) -> None:
    """Press Ctrl-C, once."""
    os.kill(os.getpid(), signal.SIGINT)


def test_a_file_is_one_operation(run: Command, service: OperatingService, tmp_path: Path) -> None:
    """Its users are planned and then run with the reviewed digest, none by a call of its own, and the file is whole."""
    done = run(*MANY)
    assert done.exit_code == 0, done.stderr
    assert service.calls("ProvisionUser") == []
    plan, start = (each.request for each in service.calls("StartOperation"))
    assert (plan.validate_only, start.expected_plan_digest) == (True, service.piece.operation.plan_digest)
    assert plan.request_id != start.request_id
    assert [row["User name"] for row in rows(tmp_path / "out.csv")] == NAMES
    assert {row["Secret access key"] for row in rows(tmp_path / "out.csv")} == {f"'{SECRET_KEY}"}
    assert stat.S_IMODE((tmp_path / "out.csv").stat().st_mode) == 0o600
    assert "12 users, 12 calls, 12 warnings" in done.stderr
    assert "12 of 12 users made." in done.stderr
    assert memories(tmp_path) == []


def test_one_user_of_a_file_goes_the_same_way(run: Command, service: OperatingService, tmp_path: Path) -> None:
    """A file with one user is an operation as well, and its JSON is one document."""
    write_users(tmp_path, {"name": "ana", "access_key": True})
    done = run("provision", "-f", "users.yaml", "--output", "json", "--yes")
    (user,) = done.document()["users"]
    assert (user["status"], user["credentials"]["access_key"]["secret_access_key"]) == ("made", SECRET_KEY)
    assert service.piece.operation.progress.succeeded_users == 1


def test_many_results_come_in_pages(run: Command, service: OperatingService, tmp_path: Path) -> None:
    """More users than a page or a table has are all there, each once."""
    write_users(tmp_path, *({"name": f"user-{index}"} for index in range(250)))
    done = run("provision", "-f", "users.yaml", "--yes")
    assert (done.exit_code, done.stdout.count("Results")) == (0, 3)
    assert done.stdout.count(":user/user-") == 250
    assert {each.request.page_size for each in service.calls("ListOperationResults")} == {100}


def test_without_credentials_nothing_is_sealed(run: Command, service: OperatingService, tmp_path: Path) -> None:
    """Users without secrets need no key and no file, and their operation has no recipient."""
    write_users(tmp_path, {"name": "ana", "path": "/people/"}, {"name": "bo"})
    done = run("provision", "-f", "users.yaml", "--yes")
    assert (done.exit_code, service.piece.recipients) == (0, [])
    assert ":user/people/ana" in done.stdout


def test_the_key_is_in_a_file_of_the_owners_alone_and_the_secrets_nowhere(
    run: Command, service: OperatingService, tmp_path: Path
) -> None:
    """While users are made, the disk has the ids and the key, mode 0600 in a folder 0700, and no secret."""
    seen: list[tuple[int, int, dict[str, Any]]] = []

    def look(piece: Piece) -> None:
        (file,) = memories(tmp_path)
        modes = (stat.S_IMODE(each.stat().st_mode) for each in (file, file.parent))
        seen.append((*modes, json.loads(file.read_text())))

    service.while_running = look
    assert run(*MANY).exit_code == 0
    ((mode, folder_mode, content),) = seen
    assert (mode, folder_mode) == (0o600, 0o700)
    assert content["operation_id"] == service.piece.operation.operation_id
    assert content["request_ids"]["start"] == service.piece.start_request_id
    assert content["identity"].startswith("AGE-SECRET-KEY-1")
    assert SECRET_KEY not in json.dumps(content)


def test_an_interrupted_run_is_come_back_to(run: Command, service: OperatingService, tmp_path: Path) -> None:
    """Ctrl-C leaves the operation, says how to go on, and `resume` hands out what the first run would have."""
    service.while_running = interrupt
    first = run(*MANY)
    operation_id = service.piece.operation.operation_id
    assert first.exit_code == 130
    by_hand = f"--target {service.target} --insecure"
    assert f"the operation runs on. Go on with `identityctl operations resume {operation_id} {by_hand}`" in first.stderr
    assert f"`identityctl operations cancel {operation_id} {by_hand}`" in first.stderr
    (memory,) = memories(tmp_path)
    assert list(memory.parent.iterdir()) == [memory]
    assert not (tmp_path / "out.csv").exists()
    service.while_running = lambda piece: None
    done = run("operations", "resume", operation_id)
    assert done.exit_code == 0, done.stderr
    assert [row["User name"] for row in rows(tmp_path / "out.csv")] == NAMES
    assert (len(service.pieces), memories(tmp_path)) == (1, [])


@pytest.mark.parametrize("again", [("operations", "resume"), MANY], ids=["resume", "provision"])
def test_one_run_at_a_time_hands_out(
    run: Command, service: OperatingService, tmp_path: Path, again: tuple[str, ...]
) -> None:
    """While a run is at work with an operation, another is refused and writes nothing."""
    service.while_running = interrupt
    assert run(*MANY).exit_code == 130
    service.while_running = lambda piece: None
    operation_id = service.piece.operation.operation_id
    words = (*again, operation_id) if again[-1] == "resume" else again
    (memory,) = memories(tmp_path)
    with OperationMemory.read(memory).held():
        refused = run(*words)
    assert (refused.exit_code, "another run is at work" in refused.stderr) == (2, True)
    assert not (tmp_path / "out.csv").exists()
    assert run(*words).exit_code == 0
    assert list(memory.parent.iterdir()) == []


def test_a_run_that_comes_too_late_says_so(run: Command, service: OperatingService, tmp_path: Path) -> None:
    """Where another run has handed all out since the resume file was read, nothing is handed out again."""
    service.while_running = interrupt
    assert run(*MANY).exit_code == 130
    (path,) = memories(tmp_path)
    memory = OperationMemory.read(path)
    memory.remove()
    with pytest.raises(BadInputError, match="another run has handed its results out"), memory.held():
        pass


def test_the_same_command_goes_on_as_well(run: Command, service: OperatingService, tmp_path: Path) -> None:
    """Who types it again makes no second operation, and may name another file."""
    service.while_running = interrupt
    assert run(*MANY).exit_code == 130
    service.while_running = lambda piece: None
    done = run("provision", "-f", "users.yaml", "--csv", "other.csv", "--yes")
    assert done.exit_code == 0, done.stderr
    assert "gone on with" in done.stderr
    assert len(service.pieces) == 1
    assert len(rows(tmp_path / "other.csv")) == len(NAMES)


def test_lost_connections_are_taken_up_again(run: Command, service: OperatingService, tmp_path: Path) -> None:
    """The person is told once, and the run ends as if nothing had been."""
    overloaded = Failure(grpc.StatusCode.UNAVAILABLE, "OVERLOADED", retry_after=1.0)
    service.fail("WatchOperation", CUT_IN_THE_MIDDLE, CUT_IN_THE_MIDDLE, overloaded)
    done = run(*MANY)
    assert done.exit_code == 0, done.stderr
    assert done.stderr.count("No answer came through; trying again") == 1


def test_a_lost_connection_takes_the_figures_away(
    run: Command, service: OperatingService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What shows the progress is told of the loss, between the news of before and the news of after."""
    told: list[str] = []

    class Recorder:
        def show(self, operation: Operation) -> None:
            told.append(Operation.State.Name(operation.state))

        def lost(self) -> None:
            told.append("lost")

    monkeypatch.setattr(
        "identity_client.cli.operation_watch.operation_progress", lambda session: nullcontext(Recorder())
    )
    service.fail("WatchOperation", CUT_IN_THE_MIDDLE)
    assert run(*MANY).exit_code == 0
    assert told[:4] == ["STATE_PLANNING", "lost", "STATE_PLANNING", "STATE_PLANNED"]


def test_a_connection_that_stays_away_ends_the_run_and_not_the_operation(
    run: Command, service: OperatingService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its patience the program says how to go on, and the key is kept."""
    monkeypatch.setattr("identity_client.cli.operation_watch.PATIENCE", 0.2)

    def go_away(running: Piece) -> None:
        service.fail("WatchOperation", *[CUT] * 100)
        raise ConnectionError

    service.while_running = go_away
    done = run(*MANY)
    operation_id = service.piece.operation.operation_id
    assert done.exit_code == 4
    assert f"operations resume {operation_id} " in done.stderr
    service.heal("WatchOperation")
    service.while_running = lambda running: None
    assert run("operations", "resume", operation_id).exit_code == 0
    assert len(rows(tmp_path / "out.csv")) == len(NAMES)


def test_a_user_that_fails_is_reported_and_harms_no_other(
    run: Command, service: OperatingService, tmp_path: Path
) -> None:
    """The others are handed out, the failure is named with its reason, and the exit code is 1."""
    service.fail_user("u7", DENIED)
    done = run(*MANY)
    assert done.exit_code == 1
    assert "u7: AWS_ACCESS_DENIED: not allowed" in done.stdout
    assert "11 of 12 users made." in done.stderr
    assert [row["User name"] for row in rows(tmp_path / "out.csv")] == [name for name in NAMES if name != "u7"]
    assert memories(tmp_path) == []
    failed = run("operations", "results", service.piece.operation.operation_id, "--failed")
    assert ("u7" in failed.stdout, "u8" in failed.stdout) == (True, False)


def test_a_plan_that_cannot_run_stops_all(run: Command, service: OperatingService, tmp_path: Path) -> None:
    """Nobody is made, the draft is cancelled, no file is left, and JSON has the plans in question."""
    for name in ("u7", "u9"):
        service.refuse_plan(name, ErrorReason.ERROR_REASON_QUOTA_EXCEEDED, "too many")
    done = run(*MANY, "--output", "json")
    assert (done.exit_code, done.stdout.count("\n")) == (3, 1)
    document = json.loads(done.stdout)
    assert ([plan["user_name"] for plan in document["plans"]], document["users"]) == (["u7", "u9"], [])
    assert (service.users, memories(tmp_path), (tmp_path / "out.csv").exists()) == ({}, [], False)
    assert service.piece.operation.state == Operation.STATE_CANCELLED


@pytest.mark.parametrize(
    ("method", "failure", "exit_code", "said"),
    [
        ("CreateOperation", Failure(grpc.StatusCode.PERMISSION_DENIED, "CALLER_NOT_ALLOWED", "not you"), 3, "not you"),
        ("StartOperation", Failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED", "too many"), 3, "too many"),
    ],
)
def test_a_refusal_as_a_whole_makes_nobody(
    run: Command,
    service: OperatingService,
    tmp_path: Path,
    method: str,
    failure: Failure,
    exit_code: int,
    said: str,
) -> None:
    """What the service refuses before anybody is made is told, and nothing is left behind."""
    service.fail(method, failure)
    done = run(*MANY)
    assert done.exit_code == exit_code
    assert f"{said}" in done.stderr
    assert "Nothing was created." in done.stderr
    assert (service.users, memories(tmp_path)) == ({}, [])


def test_without_consent_nothing_is_left(run: Command, service: OperatingService, tmp_path: Path) -> None:
    """The review is shown, nobody can be asked, and neither draft nor file remains."""
    done = run("provision", "-f", "users.yaml", "--csv", "out.csv")
    assert done.exit_code == 5
    assert "iam:CreateUser" in done.stderr
    assert (service.users, memories(tmp_path)) == ({}, [])
    assert service.piece.operation.state == Operation.STATE_CANCELLED


def test_a_run_killed_before_the_yes_is_begun_anew(run: Command, service: OperatingService, tmp_path: Path) -> None:
    """Its draft is cancelled by the next run, and `resume` says that there is nothing to go on with."""
    service.while_running = interrupt
    assert run(*MANY).exit_code == 130
    (file,) = memories(tmp_path)
    content = json.loads(file.read_text())
    file.write_text(json.dumps(content | {"agreed_digest": "", "started": False}))
    service.piece.operation.state = Operation.STATE_PLANNED
    service.piece.operation.progress.succeeded_users = 0
    refused = run("operations", "resume", content["operation_id"])
    assert (refused.exit_code, "Nobody has agreed" in refused.stderr) == (2, True)
    service.while_running = lambda piece: None
    service.users.clear()
    assert run(*MANY).exit_code == 0
    first, second = service.pieces.values()
    assert first.operation.state == Operation.STATE_CANCELLED
    assert second.operation.progress.succeeded_users == len(NAMES)


def test_only_the_approved_plans_of_a_file_run(run: Command, service: OperatingService) -> None:
    """The digest that `plan` shows is the one of the operation's plans; any other stops all."""
    digest = run("plan", "-f", "users.yaml").stdout.split()[-1]
    refused = run(*MANY, "--approved", "0" * 64)
    assert (refused.exit_code, service.users) == (3, {})
    assert run(*MANY, "--approved", digest).exit_code == 0


def test_devices_and_drafts_are_handed_out(run: Command, service: OperatingService, tmp_path: Path) -> None:
    """An operation ends as any run does: QR codes, mail drafts with their address and without a password."""
    write_users(tmp_path, {"name": "ana", "console": True, "email": "ana@example.com", "mfa_device": True})
    done = run(*MANY, "--mfa-dir", "mfa", "--mail-dir", "mails")
    assert done.exit_code == 0, done.stderr
    draft = (tmp_path / "mails" / "ana.eml").read_bytes()
    assert message_from_bytes(draft)["To"] == "ana@example.com"
    assert (SIGN_IN_URL.encode() in draft, PASSWORD.encode() in draft) == (True, False)
    assert SEED in (tmp_path / "mfa" / "ana.mfa.txt").read_text()
    assert rows(tmp_path / "out.csv")[0]["Password"] == PASSWORD
    assert not [secret for secret in (PASSWORD, SEED) if secret in done.stdout + done.stderr]


def test_a_file_that_does_not_take_the_credentials_loses_none(
    run: Command, service: OperatingService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the disk is full the run ends with how to go on, and the next one writes each line once."""
    deliver, delivered = HandOuts.deliver, 0

    def fail(self: HandOuts, *given: Any) -> Any:
        nonlocal delivered
        delivered += 1
        if delivered == 3:
            raise HandOutError("The user was made, but the disk is full.")
        return deliver(self, *given)

    monkeypatch.setattr(HandOuts, "deliver", fail)
    done = run(*MANY)
    assert done.exit_code == 1
    assert "the disk is full. Nothing is lost. Go on with" in done.stderr
    assert len(rows(tmp_path / "out.csv")) == 2
    again = run("operations", "resume", service.piece.operation.operation_id)
    assert again.exit_code == 0, again.stderr
    assert [row["User name"] for row in rows(tmp_path / "out.csv")] == NAMES
    assert "u0: Secrets withheld: an earlier run wrote them to" in again.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_an_interrupt_while_handing_out_loses_nothing(
    run: Command, service: OperatingService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """The line that is being written is written, and `resume` writes the others."""
    deliver, delivered = HandOuts.deliver, 0

    def press(self: HandOuts, *given: Any) -> Any:
        nonlocal delivered
        delivered += 1
        if delivered == 3:
            os.kill(os.getpid(), number)
        return deliver(self, *given)

    monkeypatch.setattr(HandOuts, "deliver", press)
    assert run(*MANY).exit_code == 130
    assert len(rows(tmp_path / "out.csv")) == 3
    assert run("operations", "resume", service.piece.operation.operation_id).exit_code == 0
    assert [row["User name"] for row in rows(tmp_path / "out.csv")] == NAMES


def test_secrets_for_a_recipient_stay_sealed(run: Command, service: OperatingService, tmp_path: Path) -> None:
    """With --recipient this program gets no key: the texts go to their file, and open with the identity alone."""
    key = generate_identity()
    (tmp_path / "key.txt").write_text(f"{key.secret}\n")
    service.while_running = interrupt
    arguments = ("--recipient", key.recipient, "--sealed-out", "out.age", "--yes")
    assert run("provision", "-f", "users.yaml", *arguments).exit_code == 130
    (file,) = memories(tmp_path)
    assert (json.loads(file.read_text())["identity"], service.piece.recipients) == ("", [key.recipient])
    service.while_running = lambda piece: None
    done = run("operations", "resume", service.piece.operation.operation_id)
    assert done.exit_code == 0, done.stderr
    assert len(sealed_texts((tmp_path / "out.age").read_text())) == len(NAMES)
    opened = run("open", "out.age", "--identity", "key.txt", "--csv", "opened.csv")
    assert (opened.exit_code, len(rows(tmp_path / "opened.csv"))) == (0, len(NAMES))


def test_secrets_need_an_outlet_when_come_back_to(run: Command, service: OperatingService, tmp_path: Path) -> None:
    """What was to go to standard output as JSON is not handed out into nowhere; an option says where."""
    service.while_running = interrupt
    assert run("provision", "-f", "users.yaml", "--output", "json", "--yes").exit_code == 130
    service.while_running = lambda piece: None
    operation_id = service.piece.operation.operation_id
    refused = run("operations", "resume", operation_id)
    assert (refused.exit_code, "Nothing was handed out." in refused.stderr) == (2, True)
    assert run("operations", "resume", operation_id, "--csv", "late.csv").exit_code == 0
    assert len(rows(tmp_path / "late.csv")) == len(NAMES)


def test_a_named_resume_file_is_used(run: Command, service: OperatingService, tmp_path: Path) -> None:
    """--resume says where the run is remembered, for both commands."""
    service.while_running = interrupt
    done = run(*MANY, "--resume", "run.json")
    assert (done.exit_code, memories(tmp_path)) == (130, [])
    assert "--resume run.json" in done.stderr
    service.while_running = lambda piece: None
    assert run("operations", "resume", "--resume", "run.json").exit_code == 0
    assert not (tmp_path / "run.json").exists()


def test_an_operation_is_cancelled(run: Command, service: OperatingService, tmp_path: Path) -> None:
    """Nobody new is made, the key is forgotten where nobody was, and the waiting run says who was not begun."""
    service.while_running = lambda piece: setattr(piece.operation, "state", Operation.STATE_CANCELLED)
    done = run(*MANY)
    assert (done.exit_code, service.users) == (1, {})
    assert "cancelled before it began with this user" in done.stdout
    operation_id = service.piece.operation.operation_id
    assert run("operations", "cancel", operation_id).exit_code == 5
    cancelled = run("operations", "cancel", operation_id, "--yes")
    assert (cancelled.exit_code, "cancelled, 0 of 12 done" in cancelled.stdout) == (0, True)


def test_a_cancellation_says_how_to_get_what_was_made(run: Command, service: OperatingService, tmp_path: Path) -> None:
    """Those who were made have secrets; with nobody made the resume file is removed."""
    service.while_running = interrupt
    run(*MANY)
    piece = service.piece
    piece.operation.state, piece.operation.progress.succeeded_users = Operation.STATE_RUNNING, 1
    done = run("operations", "cancel", piece.operation.operation_id, "--yes")
    assert f"operations resume {piece.operation.operation_id} " in done.stderr
    assert len(memories(tmp_path)) == 1
    piece.operation.progress.succeeded_users = 0
    assert run("operations", "cancel", piece.operation.operation_id, "--yes").exit_code == 0
    assert memories(tmp_path) == []


def test_a_cancellation_while_users_are_planned_is_told_as_one(
    run: Command, service: OperatingService, tmp_path: Path
) -> None:
    """Nobody is said to be made or unable to run, and nothing is left, though some were just being planned."""

    def cancel(piece: Piece) -> None:
        piece.operation.state, piece.operation.progress.running_users = Operation.STATE_CANCELLED, 2

    service.while_planning = cancel
    done = run(*MANY)
    assert (done.exit_code, memories(tmp_path)) == (3, [])
    assert "The operation was cancelled while its users were planned. Nothing was created." in done.stderr
    assert ("Making users" in done.stderr, "cannot run:" in done.stderr) == (False, False)
    assert "Cancelled: 0 of 12 done" in done.stderr


def test_an_operation_that_somebody_started_unreviewed_is_kept(
    run: Command, service: OperatingService, tmp_path: Path
) -> None:
    """A colleague starts it while it is planned: nothing is handed out unasked, and `resume` has the key."""
    service.while_planning = lambda piece: service.make_all(piece)
    done = run(*MANY)
    assert (done.exit_code, len(memories(tmp_path))) == (3, 1)
    assert "somebody else has changed it" in done.stderr
    assert run("operations", "resume", service.piece.operation.operation_id).exit_code == 0
    assert len(rows(tmp_path / "out.csv")) == len(NAMES)


def test_many_names_are_not_all_told(run: Command, service: OperatingService, tmp_path: Path) -> None:
    """Of hundreds of plans that cannot run ten are named."""
    names = [f"user-{index}" for index in range(30)]
    write_users(tmp_path, *({"name": name} for name in names))
    for name in names:
        service.refuse_plan(name, ErrorReason.ERROR_REASON_QUOTA_EXCEEDED, "too many")
    for words in (("provision", "-f", "users.yaml", "--yes"), ("plan", "-f", "users.yaml")):
        done = run(*words)
        assert done.exit_code == 3
        assert "30 of 30 plans cannot run" in done.stderr
        assert done.stderr.rstrip().endswith("user-8, user-9 and 20 more")


def test_results_are_shown_in_pages(run: Command, service: OperatingService, tmp_path: Path) -> None:
    """A table is a hundred users, so that none waits for the last, and nobody is shown twice."""
    write_users(tmp_path, *({"name": f"user-{index}"} for index in range(250)))
    run("provision", "-f", "users.yaml", "--yes")
    shown = run("operations", "results", service.piece.operation.operation_id).stdout
    assert (shown.count("Access key"), shown.count(":user/user-")) == (3, 250)
    nobody = run("operations", "results", service.piece.operation.operation_id, "--failed")
    assert (nobody.stdout, nobody.stderr) == ("", "None was found.\n")


def test_operations_are_listed_and_watched(run: Command, service: OperatingService, tmp_path: Path) -> None:
    """Tables for people, the contract's names for machines, and a failed user is an exit code."""
    service.fail_user("u7", DENIED)
    run(*MANY)
    operation_id = service.piece.operation.operation_id
    table = run("operations", "list").stdout
    for cell in (operation_id, "done", "12", "11", "2026-03-04 05:06Z"):
        assert cell in table
    (listed,) = run("operations", "list", "--output", "json").document()["operations"]
    assert (listed["operation_id"], listed["state"]) == (operation_id, "STATE_DONE")
    watched = run("operations", "watch", operation_id, "--output", "json")
    assert (watched.exit_code, watched.document()["operation"]["progress"]["failed_users"]) == (1, 1)
    lines = run("operations", "results", operation_id, "--output", "json").stdout.splitlines()
    assert len(lines) == len(NAMES)
    assert SECRET_KEY not in "".join(lines)


def test_an_unfinished_operation_shows_what_is_known(run: Command, service: OperatingService) -> None:
    """Before the end there are plans, and Ctrl-C ends the watching alone."""
    service.while_running = interrupt
    run(*MANY)
    operation_id = service.piece.operation.operation_id
    service.piece.operation.state = Operation.STATE_RUNNING
    watched = run("operations", "watch", operation_id)
    assert (watched.exit_code, "operations watch" in watched.stderr) == (130, True)


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (("resume",), 2, "Name the operation"),
        (("resume", "nonsense"), 2, "is no operation's id"),
        (("watch", "nonsense"), 2, "is no operation's id; `identityctl operations list` shows them"),
        (("results", "nonsense"), 2, "is no operation's id; `identityctl operations list` shows them"),
        (("cancel", "nonsense", "--yes"), 2, "is no operation's id; `identityctl operations list` shows them"),
        (("resume", "7e57ab1e-6c1d-4f0e-9a54-3f6d0c2b7e11"), 2, "there is no such resume file"),
        (("resume", "--resume", "broken.json"), 2, "is no resume file of an operation"),
        (("watch", "7e57ab1e-6c1d-4f0e-9a54-3f6d0c2b7e11"), 1, "OPERATION_NOT_FOUND"),
        (("results", "7e57ab1e-6c1d-4f0e-9a54-3f6d0c2b7e11"), 1, "OPERATION_NOT_FOUND"),
        (("cancel", "7e57ab1e-6c1d-4f0e-9a54-3f6d0c2b7e11", "--yes"), 1, "OPERATION_NOT_FOUND"),
    ],
)
def test_what_is_not_there_is_told(
    run: Command,
    service: OperatingService,
    tmp_path: Path,
    arguments: tuple[str, ...],
    exit_code: int,
    said: str,
) -> None:
    """A wrong id, or a file that is none, is a sentence with its exit code."""
    (tmp_path / "broken.json").write_text('{"version": 1}')
    done = run("operations", *arguments)
    assert (done.exit_code, said in done.stderr) == (exit_code, True), done.stderr


@pytest.mark.parametrize("verb", ["watch", "results", "cancel"])
def test_what_is_no_id_is_not_sent(run: Command, service: OperatingService, verb: str) -> None:
    """The mistake is told before anything is asked of the service, whose words would be about a field."""
    assert run("operations", verb, "2c9e").exit_code == 2
    assert service.received == []


def test_nobody_is_advised_to_watch_what_is_not_there(run: Command, service: OperatingService) -> None:
    """Another look at an unknown id finds no more; the list of operations has the known ones."""
    done = run("operations", "watch", "7e57ab1e-6c1d-4f0e-9a54-3f6d0c2b7e11")
    assert "operations watch" not in done.stderr
    assert f"`identityctl operations list --target {service.target} --insecure`" in done.stderr


def test_options_of_a_file_are_refused_where_they_mean_nothing(run: Command, service: OperatingService) -> None:
    """Sealed secrets cannot go lost, so there are none to reissue; secrets need an outlet as ever."""
    assert "--reissue-secrets" in run(*MANY, "--reissue-secrets").stderr
    assert "--csv FILE" in run("provision", "-f", "users.yaml", "--yes").stderr
    assert service.received == []


def test_users_that_the_service_does_not_take_are_named(run: Command, service: OperatingService) -> None:
    """A violation at a place in a batch is told by the user's name."""
    violations = bad_request(("users[7].user_name", "is taken"), ("users", "are too many"))
    service.fail(
        "AppendUsers", Failure(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", "no", more_details=(violations,))
    )
    done = run(*MANY)
    assert done.exit_code == 2
    assert "u7.user_name: is taken\nusers: are too many\nNothing was created." in done.stderr


def bad_request(*violations: tuple[str, str]) -> Any:
    """Make the detail that names fields."""
    return BadRequest(field_violations=[BadRequest.FieldViolation(field=f, description=d) for f, d in violations])


def test_a_table_is_provisioned_with_defaults(run: Command, service: OperatingService, tmp_path: Path) -> None:
    """A CSV file and its defaults go the same way as a YAML file."""
    (tmp_path / "users.csv").write_text("name,access_key\nana,true\nbo,\n")
    (tmp_path / "team.yaml").write_text("path: /people/\n")
    done = run("provision", "-f", "users.csv", "--defaults", "team.yaml", "--csv", "o.csv", "--yes")
    assert done.exit_code == 0
    assert {spec.path for spec in service.piece.specs} == {"/people/"}
