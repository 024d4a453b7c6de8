"""Programs that a shell finds on its PATH, and that fork servers run."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.shell_programs import shell_programs

BASH = shutil.which("bash") or "/bin/bash"


@pytest.fixture(scope="module")
def programs() -> Iterator[Path]:
    """Make the programs."""
    with shell_programs({"program": "tests.unit.support.program"}) as folder:
        yield folder


def typed(line: str, programs: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a line in a shell."""
    environment = {"PATH": os.pathsep.join([str(programs), os.environ["PATH"]]), "WORD": "hello"}
    return subprocess.run(
        [BASH, "-c", line], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=30
    )


def test_a_line_has_what_the_shell_makes_of_it(programs: Path, tmp_path: Path) -> None:
    """Arguments are expanded, a variable holds for one program, and output goes where it is led."""
    done = typed("OTHER=1 program tell \"$WORD world\" '' > told; program tell", programs, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    first, second = json.loads((tmp_path / "told").read_text()), json.loads(done.stdout)
    assert first["arguments"] == ["tell", "hello world", ""]
    assert (first["folder"], first["imported_before"]) == (str(tmp_path), True)
    assert (first["environment"]["OTHER"], "OTHER" in second["environment"]) == ("1", False)


def test_programs_of_a_line_run_side_by_side(programs: Path, tmp_path: Path) -> None:
    """One reads what the other writes, and sees its end."""
    done = typed("program exit words 2>&1 | program repeat", programs, tmp_path)
    assert (done.returncode, done.stdout) == (0, "words\n")


@pytest.mark.parametrize(("line", "code"), [("program return 7", 7), ("program raise", 1)])
def test_a_line_ends_with_the_programs_code(programs: Path, tmp_path: Path, line: str, code: int) -> None:
    """The shell sees the exit code of the program."""
    assert typed(line, programs, tmp_path).returncode == code
