"""A start that is refused, or unanswered, never costs the key to users that may have been made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from identity_provisioning.v1.operation_pb2 import Operation
from tests.unit.client.conftest import Command, Run
from tests.unit.client.fake_operations import OperatingService, Piece
from tests.unit.client.fake_service import Failure
from tests.unit.client.test_cli_operations import MANY, interrupt, memories, rows, write_users

Code = grpc.StatusCode
NAMES = ["ana", "bo"]
AS_A_WHOLE = [
    Failure(Code.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED"),
    Failure(Code.ABORTED, "PLAN_CHANGED"),
    Failure(Code.FAILED_PRECONDITION, "WRONG_STATE"),
]
OF_THE_CALL = [
    Failure(Code.PERMISSION_DENIED, "CALLER_NOT_ALLOWED"),
    Failure(Code.UNAUTHENTICATED),
    Failure(Code.NOT_FOUND, "OPERATION_NOT_FOUND"),
    Failure(Code.NOT_FOUND, "ACCOUNT_NOT_FOUND"),
    Failure(Code.INVALID_ARGUMENT, "REQUEST_ID_REUSED"),
    Failure(Code.INVALID_ARGUMENT, "INVALID_FIELD"),
    Failure(Code.FAILED_PRECONDITION, "AWS_ACCESS_DENIED"),
    Failure(Code.UNIMPLEMENTED, "NOT_BUILT_YET"),
    Failure(Code.INTERNAL, "INTERNAL"),
]
ALL = [*AS_A_WHOLE, *OF_THE_CALL]
AGAIN = [("operations", "resume"), MANY]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[OperatingService]:
    """Start a fake service with operations, and have a file of users with access keys."""
    write_users(tmp_path, *({"name": name, "access_key": True} for name in NAMES))
    fake = OperatingService()
    yield fake
    fake.stop()


def words(failure: Failure) -> str:
    """Name a test's case."""
    return failure.reason or failure.code.name


def again(run: Command, service: OperatingService, command: tuple[str, ...]) -> Run:
    """Come back to the one operation by its id, or by the command that began it."""
    return run(*command, service.piece.operation.operation_id) if command[-1] == "resume" else run(*command)


def forget_start(folder: Path) -> None:
    """Leave the resume file as a kill leaves it that comes between the start and the note of it."""
    (file,) = memories(folder)
    file.write_text(json.dumps(json.loads(file.read_text()) | {"started": False}))


def interrupted(run: Command, service: OperatingService) -> None:
    """Begin the operation, and leave it while it runs."""
    service.while_running = interrupt
    assert run(*MANY).exit_code == 130
    service.while_running = lambda piece: None


def assert_kept(done: Run, service: OperatingService, folder: Path) -> None:
    """Nothing was cancelled, the key is there, and the person is told so."""
    (file,) = memories(folder)
    assert json.loads(file.read_text())["identity"].startswith("AGE-SECRET-KEY-1")
    assert service.calls("CancelOperation") == []
    assert "Nothing is lost. Go on with `identityctl operations resume " in done.stderr
    assert "Nothing was created" not in done.stderr
    assert done.exit_code in (1, 4)


@pytest.mark.parametrize("failure", OF_THE_CALL, ids=words)
def test_a_first_start_that_is_not_allowed_keeps_the_key(
    run: Command, service: OperatingService, tmp_path: Path, failure: Failure
) -> None:
    """Whatever is wrong with the call, it may have arrived before; and `resume` starts it once all is well."""
    service.fail_change("StartOperation", failure)
    assert_kept(run(*MANY), service, tmp_path)
    assert again(run, service, AGAIN[0]).exit_code == 0
    assert len(rows(tmp_path / "out.csv")) == len(NAMES)


@pytest.mark.parametrize("failure", AS_A_WHOLE, ids=words)
def test_a_first_start_that_is_refused_as_a_whole_leaves_nothing(
    run: Command, service: OperatingService, tmp_path: Path, failure: Failure
) -> None:
    """Where the service shows that nobody was made, the operation is cancelled and its key is gone."""
    service.fail_change("StartOperation", failure)
    done = run(*MANY)
    assert (done.exit_code, memories(tmp_path), service.users) == (3, [], {})
    assert "Nothing was created." in done.stderr
    assert service.piece.operation.state == Operation.STATE_CANCELLED


@pytest.mark.parametrize("failure", AS_A_WHOLE, ids=words)
def test_a_refusal_that_nobody_can_look_behind_keeps_the_key(
    run: Command, service: OperatingService, tmp_path: Path, failure: Failure
) -> None:
    """Without a look at the operation it is not certain that nobody was made."""
    service.fail_change("StartOperation", failure)
    service.fail("GetOperation", Failure(Code.PERMISSION_DENIED, "CALLER_NOT_ALLOWED"))
    assert_kept(run(*MANY), service, tmp_path)


@pytest.mark.parametrize("failure", AS_A_WHOLE, ids=words)
def test_an_operation_that_runs_in_spite_of_a_refusal_is_watched(
    run: Command, service: OperatingService, tmp_path: Path, failure: Failure
) -> None:
    """A colleague, or an attempt whose answer was lost, may have started it: its users are handed out."""
    service.fail_change("StartOperation", Failure(failure.code, failure.reason, after_work=True))
    done = run(*MANY)
    assert (done.exit_code, service.calls("CancelOperation")) == (0, [])
    assert len(rows(tmp_path / "out.csv")) == len(NAMES)


def test_an_operation_that_a_colleague_has_ended_before_is_forgotten(
    run: Command, service: OperatingService, tmp_path: Path
) -> None:
    """Cancelled between the review and the yes, it has made nobody."""

    def cancel(piece: Piece) -> None:
        piece.operation.state = Operation.STATE_CANCELLED

    service.before_start = cancel
    done = run(*MANY)
    assert (done.exit_code, memories(tmp_path)) == (3, [])
    assert "WRONG_STATE" in done.stderr


@pytest.mark.parametrize("failure", OF_THE_CALL, ids=words)
@pytest.mark.parametrize("command", AGAIN, ids=["resume", "provision"])
def test_a_look_that_fails_when_come_back_to_keeps_all(
    run: Command, service: OperatingService, tmp_path: Path, command: tuple[str, ...], failure: Failure
) -> None:
    """Who asks elsewhere, or without the right to, neither ends the operation nor loses its key."""
    interrupted(run, service)
    forget_start(tmp_path)
    service.fail("GetOperation", failure)
    assert_kept(again(run, service, command), service, tmp_path)
    assert service.piece.operation.state == Operation.STATE_DONE
    assert again(run, service, command).exit_code == 0
    assert len(rows(tmp_path / "out.csv")) == len(NAMES)
    assert [each.request.validate_only for each in service.calls("StartOperation")] == [True, False]


@pytest.mark.parametrize("failure", ALL, ids=words)
def test_a_start_that_fails_when_come_back_to_keeps_all(
    run: Command, service: OperatingService, tmp_path: Path, failure: Failure
) -> None:
    """The first run's start was lost on its way: the next run's is refused, and the one after it goes through."""
    service.fail_change("StartOperation", Failure(Code.PERMISSION_DENIED, "CALLER_NOT_ALLOWED"))
    service.fail_change("StartOperation", failure)
    run(*MANY)
    assert_kept(again(run, service, AGAIN[0]), service, tmp_path)
    assert again(run, service, AGAIN[0]).exit_code == 0
    assert len(rows(tmp_path / "out.csv")) == len(NAMES)


@pytest.mark.parametrize("failure", ALL, ids=words)
def test_watching_that_fails_when_come_back_to_keeps_all(
    run: Command, service: OperatingService, tmp_path: Path, failure: Failure
) -> None:
    """An operation whose start was accepted is not started again, and no error ends it."""
    interrupted(run, service)
    service.fail("WatchOperation", *[failure] * (1 if failure.code is not Code.INTERNAL else 100))
    done = again(run, service, AGAIN[0])
    service.heal("WatchOperation")
    assert_kept(done, service, tmp_path)
    assert len(service.calls("StartOperation")) == 2
    assert again(run, service, AGAIN[0]).exit_code == 0


def test_another_server_does_not_know_the_operation(run: Command, service: OperatingService, tmp_path: Path) -> None:
    """With the wrong --target all is kept, and the message says where it was begun."""
    interrupted(run, service)
    forget_start(tmp_path)
    other = OperatingService()
    done = run("operations", "resume", service.piece.operation.operation_id, target=other.target)
    other.stop()
    assert_kept(done, service, tmp_path)
    assert f"It was begun at {service.target}" in done.stderr
    assert f"--target {service.target} " in done.stderr
    assert service.piece.operation.state == Operation.STATE_DONE


@pytest.mark.parametrize("state", [Operation.STATE_PLANNING, Operation.STATE_PLANNED])
def test_an_operation_that_is_only_planned_is_not_taken_for_an_ended_one(
    run: Command, service: OperatingService, tmp_path: Path, state: Operation.State.ValueType
) -> None:
    """A store that was set back shows a started operation as a plan: nothing is handed out, and the key stays."""
    interrupted(run, service)
    service.piece.operation.state = state
    assert_kept(again(run, service, AGAIN[0]), service, tmp_path)


def test_an_interrupt_while_the_start_is_asked_for_promises_nothing(
    run: Command, service: OperatingService, tmp_path: Path
) -> None:
    """Ctrl-C before the answer: the operation may have begun, and the key is kept."""
    service.before_start = interrupt
    done = run(*MANY)
    assert done.exit_code == 130
    assert "the operation may have begun, and then runs on" in done.stderr
    assert len(memories(tmp_path)) == 1
    assert again(run, service, AGAIN[0]).exit_code == 0
