"""What a program is started with where its process is forked: what it is given, and nothing else."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from tests.support.processes import Process, run

PROGRAM = "tests.unit.support.program"
GIVEN = {"ONE": "1", "ODD": "\udcff =\n"}


def told(*arguments: str, cwd: Path | None = None) -> dict[str, Any]:
    """Let the program tell what it was started with."""
    done = run(PROGRAM, "tell", *arguments, env=GIVEN, cwd=cwd)
    assert (done.returncode, done.stderr) == (0, "")
    about: dict[str, Any] = json.loads(done.stdout)
    return about


@pytest.fixture
def waiting() -> Iterator[Process]:
    """Start the program and wait until it waits for a signal."""
    reading, writing = os.pipe()
    with closing(os.fdopen(reading)) as output:
        process = Process(PROGRAM, ["wait"], env={}, stdout=writing)
        os.close(writing)
        assert output.readline() == "waiting\n"
        yield process
        process.kill()
        process.wait(10)


def test_a_program_has_the_arguments_folder_and_variables_that_it_is_given(tmp_path: Path) -> None:
    """None of the three is taken from the tests, and the program was imported before the process was made."""
    about = told("--option", "", "ä", cwd=tmp_path)
    assert about["arguments"] == ["tell", "--option", "", "ä"]
    assert about["environment"] == GIVEN
    assert about["folder"] == str(tmp_path)
    assert about["imported_before"]


def test_the_variables_of_the_first_start_are_not_those_of_the_import() -> None:
    """What a module reads from the environment at its import is neither the tests' nor an earlier start's."""
    assert "PYTEST_CURRENT_TEST" in os.environ
    assert not {"PYTEST_CURRENT_TEST", *GIVEN} & set(told()["environment_of_import"])


def test_nothing_of_the_tests_process_is_left() -> None:
    """Neither its threads nor its open files are there, not even an inheritable one, and Ctrl-C interrupts."""
    end = Event()
    thread = Thread(target=end.wait)
    thread.start()
    inherited = os.dup(0)
    os.set_inheritable(inherited, True)
    about = told()
    end.set()
    thread.join()
    os.close(inherited)
    sentinel = 1
    assert (about["threads"], about["interruptible"], len(about["files"])) == (1, True, 3 + sentinel)
    assert about["files"][:3] == [0, 1, 2]


def test_two_processes_have_nothing_of_each_other(waiting: Process) -> None:
    """While one runs, another has no file of it, ends first, and is another process."""
    other = Process(PROGRAM, ["return", "0"], env={})
    assert other.pid != waiting.pid
    assert other.wait(10) == 0
    assert len(told()["files"]) == 4
    assert waiting.poll() is None


def test_the_standard_streams_are_the_files_that_are_given(tmp_path: Path) -> None:
    """The program reads what stands in the one, and writes into the other."""
    (tmp_path / "input").write_text("some words")
    with (tmp_path / "input").open() as source, (tmp_path / "output").open("w") as target:
        assert Process(PROGRAM, ["repeat"], env={}, stdin=source, stdout=target).wait(10) == 0
    assert (tmp_path / "output").read_text() == "some words"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["return", "0"], 0, ""),
        (["return", "7"], 7, ""),
        (["exit", "in words"], 1, "in words\n"),
        (["raise"], 1, "LookupError: on purpose\n"),
    ],
)
def test_a_program_ends_as_an_interpreter_ends(arguments: list[str], code: int, message: str) -> None:
    """A returned code, an exit with words, and an error that nobody catches come out as they do of `python -m`."""
    done = run(PROGRAM, *arguments, env={})
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.endswith(message)
    assert bool(done.stderr) == bool(message)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_signal_ends_a_process(waiting: Process, number: signal.Signals) -> None:
    """The exit code says which it was; a signal to a process that has ended goes nowhere."""
    assert waiting.poll() is None
    waiting.send_signal(number)
    assert waiting.wait(10) == -number
    assert (waiting.poll(), waiting.returncode) == (-number, -number)
    waiting.terminate()


def test_waiting_has_an_end(waiting: Process) -> None:
    """Who waits for a process for some time only is told that it still runs, and it does."""
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(0.01)
    assert waiting.poll() is None
    waiting.terminate()
    assert waiting.wait(10) == -signal.SIGTERM


def test_a_run_that_takes_too_long_is_killed() -> None:
    """It is an error, and the process is gone."""
    with pytest.raises(subprocess.TimeoutExpired):
        run(PROGRAM, "wait", env={}, timeout=0.01)


def test_a_program_that_cannot_be_imported_is_an_error() -> None:
    """There is no process, and no waiting for one."""
    with pytest.raises(RuntimeError, match="fork server has ended"):
        run("tests.unit.support.absent", env={})


def test_the_fork_server_ends_with_the_process_that_started_it() -> None:
    """Killed, which tidies nothing up, it leaves no fork server that would hold its output open."""
    program = (
        "import os, signal; from tests.support.processes import run\n"
        f"run({PROGRAM!r}, 'return', '0', env={{}}); os.kill(os.getpid(), signal.SIGKILL)"
    )
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False, timeout=30
    )
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGKILL, "", "")
