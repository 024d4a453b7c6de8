"""What README.md says to type in a shell is typed, at a server that is started as README.md says.

Only the address is exchanged, for a free port, and the server is told to say when it is ready.
"""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
ADDRESS = "localhost:8443"
FREE_PORTS = {
    "IDENTITY_SERVICE_LISTEN_ADDRESS": "127.0.0.1:0",
    "IDENTITY_SERVICE_HEALTH_ADDRESS": "127.0.0.1:0",
}


def lines_of(program: str) -> list[list[str]]:
    """List the command lines of README.md that begin with a program, as words."""
    blocks = re.findall(r"```console\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    lines = [
        shlex.split(line[2:], comments=True) for block in blocks for line in block.splitlines() if line[:2] == "$ "
    ]
    return [words for words in lines if words[0] == program]


@dataclass(frozen=True)
class Done:
    """A command line as README.md has it, and what it came to."""

    words: list[str]
    exit_code: int
    output: str


@dataclass(frozen=True)
class Session:
    """What the shell session of README.md left: its results, and the folder that it was typed in."""

    folder: Path
    results: list[Done]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """Type the lines in their order, in a folder with the examples, at a terminal where every question gets a yes."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "examples", folder / "examples")
    exported = dict(word.split("=", 1) for words in lines_of("export") for word in words[1:])
    environment = {**os.environ, **exported, **FREE_PORTS, "COLUMNS": "200"}
    (command,) = lines_of("identity-service")
    with serving(command, folder, environment) as address:
        typed = [[address if word == ADDRESS else word for word in words] for words in lines_of("identityctl")]
        return Session(folder, [type_in(words, folder, environment) for words in typed])


@contextmanager
def serving(words: list[str], folder: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """Run the server; its address."""
    ready, log = folder / "ready.json", folder / "server.log"
    with log.open("wb") as errors:
        command = [str(BIN / words[0]), *words[1:], "--ready-file", str(ready)]
        process = subprocess.Popen(command, cwd=folder, env=environment, stderr=errors)
        try:
            while not ready.exists():
                try:
                    process.wait(0.05)
                except subprocess.TimeoutExpired:
                    continue
                raise AssertionError(f"the server ended with {process.returncode}:\n{log.read_text()}")
            yield json.loads(ready.read_text())["listen_address"]
        finally:
            process.terminate()
            process.wait(30)


def type_in(words: list[str], folder: Path, environment: Mapping[str, str]) -> Done:
    """Run one line with a terminal as its input, on which a yes waits."""
    mine, theirs = pty.openpty()
    try:
        os.write(mine, b"y\n")
        done = subprocess.run(
            [BIN / words[0], *words[1:]],
            cwd=folder,
            env=environment,
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=60,
        )
    finally:
        os.close(mine)
        os.close(theirs)
    return Done(words, done.returncode, done.stdout)


def test_there_is_something_to_type() -> None:
    """README.md shows a server and how to plan, provision and delete at it; otherwise the tests here check nothing."""
    typed = [word for words in lines_of("identityctl") for word in words]
    assert len(lines_of("identity-service")) == 1
    assert {"plan", "provision", "delete"} <= set(typed)


def test_every_line_works(session: Session) -> None:
    """Each line, typed after the ones before it, ends well."""
    failed = [
        f"{shlex.join(done.words)}: {done.exit_code}\n{done.output}" for done in session.results if done.exit_code
    ]
    assert not failed, "\n".join(failed)


def test_the_credentials_file_is_where_the_line_says(session: Session) -> None:
    """A line with --csv leaves that file, and the terminal shows no secret of it."""
    named = [done.words[done.words.index("--csv") + 1] for done in session.results if "--csv" in done.words]
    assert named
    shown = "".join(done.output for done in session.results)
    for name in named:
        (secret,) = re.findall(r'"([A-Za-z0-9/+\']{40,41})"', (session.folder / name).read_text())
        assert secret.lstrip("'") not in shown


def test_make_has_what_the_lines_ask_of_it() -> None:
    """Each `make` line names a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    asked = {words[1] for words in lines_of("make")}
    assert asked
    assert asked <= targets
