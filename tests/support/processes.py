"""The project's own programs, started in processes of their own without importing all that they need each time.

A start of `python -m identity_service` spends more than a second of processor time on imports alone. Here the first
start makes a process that imports the program once, `tests.support.fork_server`; it and each later start fork from
that. A process so made has just the environment, folder and files that it is given, and ends as an interpreter does. It
differs from a fresh one in what is read from the environment before a program's first line: PYTHON..., the locale,
OTEL_PROPAGATORS, OTEL_PYTHON_CONTEXT. Its memory is partly shared, and its parent is the fork server.
"""

import atexit
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from threading import Lock
from typing import IO

from tests.support.fork_server import receive, send

ROOT = Path(__file__).resolve().parents[2]
BEGINNING = ("PATH", "LANG", "LC_", "PYTHON", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_")
"""The variables that a fork server has: a program must not see at its import what the next start of it is not given."""
RUN_SECONDS = 60.0


class Process:
    """A running program; of `subprocess.Popen` it has what the tests use, alike in all."""

    def __init__(
        self,
        program: str,
        arguments: Sequence[str] = (),
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        stdin: IO[str] | IO[bytes] | int = 0,
        stdout: IO[str] | IO[bytes] | int = 1,
        stderr: IO[str] | IO[bytes] | int = 2,
    ) -> None:
        """Start a program, named as for `python -m`; its streams are open files, or are shared with this process."""
        self.args = (program, *arguments)
        self.returncode: int | None = None
        self._lock = Lock()
        self._server = _fork_server(program)
        # Whatever ends the process closes the other end.
        self._sentinel, sentinel = os.pipe()
        streams = [stream if isinstance(stream, int) else stream.fileno() for stream in (stdin, stdout, stderr)]
        message = {"arguments": list(arguments), "environment": dict(env), "folder": str(cwd or Path.cwd())}
        try:
            self.pid = self._server.ask(message, (*streams, sentinel))
        finally:
            os.close(sentinel)

    def poll(self) -> int | None:
        """Return the exit code of a process that has ended, the negative number of a signal that ended it, or None."""
        return self._returncode_within(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit code. Raises subprocess.TimeoutExpired after so many seconds."""
        code = self._returncode_within(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _returncode_within(self, seconds: float | None) -> int | None:
        if self.returncode is not None:
            return self.returncode
        poll = select.poll()
        poll.register(self._sentinel, select.POLLIN)
        if not poll.poll(None if seconds is None else seconds * 1000):
            return None
        with self._lock:
            if self.returncode is None:
                self.returncode = self._server.ask({"ended": self.pid})
                os.close(self._sentinel)
        return self.returncode


def run(
    program: str, *arguments: str, env: Mapping[str, str], cwd: Path | None = None, timeout: float = RUN_SECONDS
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, and return what it has written.

    Raises:
        subprocess.TimeoutExpired: it has not ended within so many seconds, and is killed.
    """
    with TemporaryFile("w+") as stdout, TemporaryFile("w+") as stderr:
        process = Process(program, arguments, env=env, cwd=cwd, stdout=stdout, stderr=stderr)
        try:
            code = process.wait(timeout)
        finally:
            process.kill()
            process.wait()
        for file in (stdout, stderr):
            file.seek(0)
        return subprocess.CompletedProcess(process.args, code, stdout.read(), stderr.read())


class _ForkServer:
    """The fork server of one program, which ends with this process, however that ends."""

    def __init__(self, program: str) -> None:
        self._lock = Lock()
        self._connection, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.fork_server", program, str(theirs.fileno())],
                cwd=ROOT,
                env={name: value for name, value in os.environ.items() if name.startswith(BEGINNING)},
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        atexit.register(self._stop)

    def ask(self, message: object, files: Sequence[int] = ()) -> int:
        """Send a request; return the number that it is answered with."""
        try:
            with self._lock:
                send(self._connection, message, files)
                answer, _ = receive(self._connection)
        except (EOFError, OSError) as error:
            raise RuntimeError("the fork server has ended; why, stands in what it has written") from error
        return int(answer)

    def _stop(self) -> None:
        self._connection.close()
        self._process.wait()


_servers: dict[str, _ForkServer] = {}
_servers_lock = Lock()


def _fork_server(program: str) -> _ForkServer:
    """Return the fork server of a program; start it if there is none."""
    with _servers_lock:
        if program not in _servers:
            _servers[program] = _ForkServer(program)
        return _servers[program]
