"""What a run of `provision -f` leaves when it ends early, and what the next one makes of it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from identity_client import IdentityClient
from identity_client.cli import operation_start
from identity_client.cli.operation_memory import OperationMemory
from identity_client.sealing import generate_identity
from identity_provisioning.v1.operation_pb2 import Operation
from tests.unit.client.conftest import Command
from tests.unit.client.fake_operations import OperatingService, Piece
from tests.unit.client.fake_service import Failure
from tests.unit.client.test_cli_operations import MANY, interrupt, memories, rows, write_users

ENDINGS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
PLAN = ("plan", "-f", "users.yaml")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[OperatingService]:
    """Start a fake service with operations, and have a file of users with access keys."""
    write_users(tmp_path, *({"name": name, "access_key": True} for name in ("ana", "bo")))
    fake = OperatingService()
    yield fake
    fake.stop()


def send(number: signal.Signals) -> Callable[[Piece], None]:
    """Answer what sends this process a signal."""
    return lambda piece: os.kill(os.getpid(), number)


def left(folder: Path) -> list[Path]:
    """Find all files in the folder of resume files, whatever they are."""
    return [path for path in (folder / "state").rglob("*") if path.is_file()]


def go_away(run: Command, service: OperatingService) -> str:
    """Begin an operation, and leave it while it runs; its id."""
    service.while_running = interrupt
    assert run(*MANY).exit_code == 130
    service.while_running = lambda piece: None
    return service.piece.operation.operation_id


@pytest.mark.parametrize("command", [MANY, PLAN], ids=["provision", "plan"])
@pytest.mark.parametrize("number", ENDINGS, ids=lambda number: number.name)
def test_a_signal_before_the_yes_leaves_nothing(
    run: Command, service: OperatingService, tmp_path: Path, command: tuple[str, ...], number: signal.Signals
) -> None:
    """Whichever ends the run while users are planned: it says so, the draft is cancelled, and no key is left."""
    service.while_planning = send(number)
    done = run(*command)
    assert (done.exit_code, left(tmp_path), service.users) == (130, [], {})
    assert "Interrupted." in done.stderr
    assert service.piece.operation.state == Operation.STATE_CANCELLED


@pytest.mark.parametrize("number", ENDINGS, ids=lambda number: number.name)
def test_a_signal_after_the_yes_leaves_the_operation_and_its_key(
    run: Command, service: OperatingService, tmp_path: Path, number: signal.Signals
) -> None:
    """Whichever ends the run: it says how to go on, and nothing is cancelled."""
    service.while_running = send(number)
    done = run(*MANY)
    assert (done.exit_code, len(memories(tmp_path))) == (130, 1)
    assert f"operations resume {service.piece.operation.operation_id} " in done.stderr
    assert service.calls("CancelOperation") == []


def test_a_run_that_is_not_to_hang_up_goes_on(run: Command, service: OperatingService, tmp_path: Path) -> None:
    """Under `nohup` the end of the terminal is ignored, and stays so."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        service.while_planning = send(signal.SIGHUP)
        assert run(*MANY).exit_code == 0
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert len(rows(tmp_path / "out.csv")) == 2


def test_signals_are_given_back(run: Command, service: OperatingService) -> None:
    """After a command a termination does what it did before."""
    before = [signal.getsignal(number) for number in ENDINGS]
    assert run(*MANY).exit_code == 0
    assert [signal.getsignal(number) for number in ENDINGS] == before


def test_a_draft_that_cannot_be_remembered_is_cancelled(
    run: Command, service: OperatingService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the resume file cannot be written no draft stays at the service, and no user was sent."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    done = run(*MANY)
    assert (done.exit_code, "Not a directory" in done.stderr) == (2, True)
    assert service.piece.operation.state == Operation.STATE_CANCELLED
    assert service.calls("AppendUsers") == []


def test_ctrl_c_while_the_resume_file_is_written_leaves_no_part_of_it(
    run: Command, service: OperatingService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key is on the disk by then, in a file that is to become the resume file: it goes, and so does the draft."""

    def press(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("identity_client.cli.resume.os.fsync", press)
    assert run(*MANY).exit_code == 130
    assert left(tmp_path) == []
    assert service.piece.operation.state == Operation.STATE_CANCELLED


def test_a_fault_of_the_program_before_the_yes_leaves_nothing(
    run: Command, service: OperatingService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even what nobody has thought of ends the draft, such as a terminal that cannot show a letter."""

    def fail(*given: object) -> None:
        raise UnicodeEncodeError("ascii", "→", 0, 1, "ordinal not in range")

    monkeypatch.setattr("identity_client.cli.operation_draft.BulkReview.add", fail)
    assert run(*MANY).exit_code == 2
    assert (left(tmp_path), service.piece.operation.state) == ([], Operation.STATE_CANCELLED)


def take_the_yes_back(path: Path) -> None:
    """Let a resume file be as it was before somebody has agreed to its operation."""
    path.write_text(json.dumps(json.loads(path.read_text()) | {"agreed_digest": "", "started": False}))


def test_an_operation_that_another_terminal_agrees_to_meanwhile_is_not_cancelled(
    run: Command, service: OperatingService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was found as one that nobody had agreed to; by the time that it would be dropped it runs."""
    operation_id = go_away(run, service)
    begun = OperationMemory.find
    service.piece.operation.state = Operation.STATE_RUNNING

    def find_as_before_the_yes(input_digest: str, named: Path | None) -> OperationMemory | None:
        memory = begun(input_digest, named)
        assert memory is not None
        memory.agreed_digest, memory.started = "", False
        return memory

    monkeypatch.setattr(OperationMemory, "find", find_as_before_the_yes)
    done = run(*MANY)
    assert done.exit_code == 0, done.stderr
    assert (service.calls("CancelOperation"), service.piece.operation.operation_id) == ([], operation_id)
    assert len(rows(tmp_path / "out.csv")) == 2


def test_an_operation_that_another_terminal_is_at_work_with_is_not_cancelled(
    run: Command, service: OperatingService, tmp_path: Path
) -> None:
    """Who holds it has said yes: the other run is told, and touches nothing."""
    go_away(run, service)
    (path,) = memories(tmp_path)
    take_the_yes_back(path)
    with OperationMemory.read(path).held():
        done = run(*MANY)
    assert (done.exit_code, "another run is at work" in done.stderr) == (2, True)
    assert (service.calls("CancelOperation"), memories(tmp_path)) == ([], [path])


def test_a_draft_is_dropped_under_its_lock(
    run: Command, service: OperatingService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can begin to work with an operation between the last look at it and its cancellation."""
    go_away(run, service)
    (path,) = memories(tmp_path)
    take_the_yes_back(path)
    service.piece.operation.progress.succeeded_users = 0
    drop, locked = operation_start.drop, []

    def look(client: IdentityClient, memory: OperationMemory) -> None:
        locked.append(path.with_name(f"{path.name}.lock").exists())
        drop(client, memory)

    monkeypatch.setattr(operation_start, "drop", look)
    service.users.clear()
    service.piece.operation.state = Operation.STATE_PLANNED
    assert run(*MANY).exit_code == 0
    assert locked == [True]


@pytest.mark.parametrize("changed", ["users", "recipient"])
def test_what_an_earlier_run_began_is_named(
    run: Command, service: OperatingService, tmp_path: Path, changed: str
) -> None:
    """Another file or recipient is another command: it begins anew, and says what is not handed out yet."""
    operation_id = go_away(run, service)
    words = [*MANY]
    if changed == "users":
        write_users(tmp_path, {"name": "cy", "access_key": True})
    else:
        words[3:5] = ["--recipient", generate_identity().recipient, "--sealed-out", "out.age"]
    done = run(*words)
    advice = f"Go on with `identityctl operations resume {operation_id} --target {service.target} --insecure`."
    assert [line for line in done.stderr.splitlines() if line.endswith(advice)] != []
    assert len(service.pieces) == 2
    assert [path.stem for path in memories(tmp_path)] == [operation_id]


def test_what_was_begun_elsewhere_is_not_named(run: Command, service: OperatingService, tmp_path: Path) -> None:
    """An operation at another server, in another account, or that nobody agreed to is none to go on with here."""
    go_away(run, service)
    (path,) = memories(tmp_path)
    content = json.loads(path.read_text())
    elsewhere = [{"target": "other:8443"}, {"account": "222222222222"}, {"agreed_digest": "", "started": False}]
    for number, changes in enumerate(elsewhere):
        path.with_name(f"{number}.json").write_text(json.dumps(content | {"account": "111111111111"} | changes))
    path.unlink()
    write_users(tmp_path, {"name": "cy", "access_key": True})
    done = run(*MANY, "--account", "111111111111")
    assert (done.exit_code, "not handed out yet" in done.stderr) == (0, False), done.stderr


def test_many_operations_that_were_begun_are_one_line(run: Command, service: OperatingService, tmp_path: Path) -> None:
    """Three are named, and how many more there are."""
    go_away(run, service)
    (path,) = memories(tmp_path)
    for number in range(4):
        path.with_name(f"{number}.json").write_bytes(path.read_bytes())
    write_users(tmp_path, {"name": "cy", "access_key": True})
    (line,) = [line for line in run(*MANY).stderr.splitlines() if "not handed out yet" in line]
    assert (line.count("operations resume"), line.endswith(" and 2 more.")) == (3, True)


def test_a_refused_first_call_names_them_as_well(run: Command, service: OperatingService, tmp_path: Path) -> None:
    """Whatever comes after, the person has read of the earlier operation before."""
    operation_id = go_away(run, service)
    write_users(tmp_path, {"name": "cy", "access_key": True})
    service.fail("CreateOperation", Failure(grpc.StatusCode.PERMISSION_DENIED, "CALLER_NOT_ALLOWED"))
    done = run(*MANY)
    assert (done.exit_code, operation_id in done.stderr) == (3, True)
