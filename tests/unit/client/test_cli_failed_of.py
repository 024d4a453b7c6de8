"""Whoever was not made can be tried again, with a command that is told and works as it stands."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from identity_client.sealing import generate_identity
from identity_provisioning.v1.operation_pb2 import Operation, OperationResult
from tests.unit.client.conftest import Command, Run
from tests.unit.client.fake_operations import OperatingService, Piece
from tests.unit.client.fake_service import Failure
from tests.unit.client.test_cli_operations import MANY, interrupt, memories, rows, write_users

DENIED = Failure(grpc.StatusCode.FAILED_PRECONDITION, "AWS_ACCESS_DENIED", "not allowed")
NAMES = ["ana", "bo", "cy"]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[OperatingService]:
    """Start a fake service with operations, and have a file of users with access keys."""
    write_users(tmp_path, *({"name": name, "access_key": True} for name in NAMES))
    fake = OperatingService()
    yield fake
    fake.stop()


def advised(done: Run, verb: str) -> list[str]:
    """Take the words of a command that a message advises, without the program's name."""
    (words,) = [each for each in map(shlex.split, done.stderr.split("`")[1::2]) if verb in each]
    assert words[0] == "identityctl"
    return words[1:]


def cancelled_after_one(piece: Piece) -> None:
    """End an operation as a cancellation does after the first user."""
    piece.operation.state = Operation.STATE_CANCELLED
    piece.operation.progress.succeeded_users = 1


def test_who_failed_is_tried_again_as_advised(run: Command, service: OperatingService, tmp_path: Path) -> None:
    """The command names another file, asks for a yes of its own, and makes those who failed and nobody else."""
    service.fail_user("bo", DENIED)
    first = run(*MANY)
    operation_id = service.piece.operation.operation_id
    service.heal_user("bo")
    words = advised(first, "provision")
    assert words[-1] == operation_id
    assert "--yes" not in words
    done = run(*words, "--yes")
    assert done.exit_code == 0, done.stderr
    assert "1 of the 3 users of the file were not made" in done.stderr
    assert [row["User name"] for row in rows(tmp_path / "out.csv")] == ["ana", "cy"]
    assert [row["User name"] for row in rows(tmp_path / "out-2.csv")] == ["bo"]


def test_the_advised_command_shows_who_failed(run: Command, service: OperatingService) -> None:
    """`operations results --failed` is told with the options that this run had by hand."""
    service.fail_user("bo", DENIED)
    words = advised(run(*MANY), "results")
    assert words[-3:] == ["--target", service.target, "--insecure"]
    assert "bo" in run(*words).stdout


def test_who_was_never_begun_is_tried_again_as_well(run: Command, service: OperatingService, tmp_path: Path) -> None:
    """A cancelled operation leaves users without a result: those are taken, whatever the case of their names."""
    service.while_running = lambda piece: setattr(piece.operation, "state", Operation.STATE_CANCELLED)
    first = run(*MANY)
    service.while_running = lambda piece: None
    words = advised(first, "provision")
    assert not (tmp_path / "out.csv").exists()
    assert "out.csv" in words
    write_users(tmp_path, *({"name": name.upper(), "access_key": True} for name in NAMES))
    assert run(*words, "--yes").exit_code == 0
    assert [row["User name"] for row in rows(tmp_path / "out.csv")] == ["ANA", "BO", "CY"]


def test_a_plan_is_of_the_same_users(run: Command, service: OperatingService) -> None:
    """`plan --failed-of` shows the plans that `provision --failed-of --approved` makes."""
    service.fail_user("bo", DENIED)
    run(*MANY)
    service.heal_user("bo")
    operation_id = service.piece.operation.operation_id
    plan = run("plan", "-f", "users.yaml", "--failed-of", operation_id, "--output", "json").document()
    assert [each["user_name"] for each in plan["plans"]] == ["bo"]
    words = ("provision", "-f", "users.yaml", "--csv", "b.csv", "--failed-of", operation_id, "--yes")
    assert run(*words, "--approved", plan["digest"]).exit_code == 0


def test_the_command_of_then_is_kept_but_for_what_it_wrote(
    run: Command, service: OperatingService, tmp_path: Path
) -> None:
    """Other options stay; a digest, a resume file and an earlier operation are not those of the next run."""
    key = generate_identity()
    service.fail_user("bo", DENIED)
    first = run(
        *("provision", "-f", "users.yaml", "--recipient", key.recipient, "--sealed-out=s.age", "--resume=r.json", "-y")
    )
    words = advised(first, "provision")
    assert words[-4:] == [key.recipient, "--sealed-out=s-2.age", "--failed-of", service.piece.operation.operation_id]
    assert not [word for word in words if word.startswith("--resume") or word == "-y"]
    service.heal_user("bo")
    assert run(*words, "--yes").exit_code == 0
    assert (tmp_path / "s-2.age").exists()


def test_from_another_folder_the_command_goes_back(
    run: Command, service: OperatingService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever resumes elsewhere is told where the users file is."""
    service.fail_user("bo", DENIED)
    service.while_running = interrupt
    assert run(*MANY).exit_code == 130
    service.while_running = lambda piece: None
    (tmp_path / "else where").mkdir()
    monkeypatch.chdir(tmp_path / "else where")
    done = run("operations", "resume", service.piece.operation.operation_id)
    assert f"`cd {tmp_path} && identityctl " in done.stderr


def test_a_resume_file_of_before_has_no_command(run: Command, service: OperatingService, tmp_path: Path) -> None:
    """One that an older version has written is gone on with, and names no file that nobody knows."""
    service.fail_user("bo", DENIED)
    service.while_running = interrupt
    assert run(*MANY).exit_code == 130
    service.while_running = lambda piece: None
    (file,) = memories(tmp_path)
    content = json.loads(file.read_text())
    file.write_text(json.dumps({key: content[key] for key in content if key not in ("command", "folder", "started")}))
    done = run("operations", "resume", content["operation_id"])
    assert (done.exit_code, len(rows(tmp_path / "out.csv"))) == (1, 2)
    assert f"identityctl provision -f FILE --failed-of {content['operation_id']}" in done.stderr


@pytest.mark.parametrize(
    ("words", "exit_code", "said"),
    [
        (("provision", "ana", "--failed-of", "7e57ab1e-6c1d-4f0e-9a54-3f6d0c2b7e11"), 2, "add -f FILE"),
        (("plan", "-f", "users.yaml", "--failed-of", "nonsense"), 2, "is no operation's id"),
        (
            ("plan", "-f", "users.yaml", "--failed-of", "7e57ab1e-6c1d-4f0e-9a54-3f6d0c2b7e11"),
            1,
            "OPERATION_NOT_FOUND",
        ),
    ],
)
def test_a_wrong_option_is_told(
    run: Command, service: OperatingService, words: tuple[str, ...], exit_code: int, said: str
) -> None:
    """Each mistake is a sentence, and nobody is planned."""
    done = run(*words)
    assert (done.exit_code, said in done.stderr) == (exit_code, True), done.stderr
    assert service.calls("ProvisionUser") == []


def test_nobody_is_tried_again_while_an_operation_runs(run: Command, service: OperatingService) -> None:
    """Who is not made yet may still be: it would be made twice."""
    run(*MANY)
    service.piece.operation.state = Operation.STATE_RUNNING
    service.piece.results = [OperationResult(user_name="ana")]
    done = run(*MANY, "--failed-of", service.piece.operation.operation_id)
    assert (done.exit_code, "has not ended" in done.stderr) == (2, True)


def test_with_everybody_made_there_is_nobody_to_try_again(run: Command, service: OperatingService) -> None:
    """An empty choice is said to be one, and makes no empty operation."""
    run(*MANY)
    done = run(*MANY, "--failed-of", service.piece.operation.operation_id)
    assert (done.exit_code, "there is no user of the file that it did not make" in done.stderr) == (2, True)
    assert len(service.pieces) == 1


def test_options_of_the_environment_are_not_repeated(
    run: Command, service: OperatingService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the next command has from the environment as well needs no option."""
    monkeypatch.setenv("IDENTITY_TARGET", service.target)
    service.while_running = interrupt
    done = run(*MANY)
    assert f"operations resume {service.piece.operation.operation_id} --insecure`" in done.stderr
