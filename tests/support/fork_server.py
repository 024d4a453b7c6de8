"""A process that has imported one of the project's programs, and forks off a process that runs it for each start.

`tests.support.processes` starts it, `python -m tests.support.fork_server PROGRAM SOCKET`, and speaks with it by that
socket. It has one thread, and has made nothing of gRPC's: that has to come after the fork.
"""

import gc
import importlib
import io
import json
import os
import signal
import socket
import struct
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

IMPORTED_LATER = {"identity_client.cli": ("identity_client.cli.app",)}
"""What programs import within functions, as nearly every run does."""
_LENGTH = struct.Struct("!I")
_FILES = 4


class Start(NamedTuple):
    """A run of the program that was asked for: how, and with which files for its standard streams and its sentinel."""

    arguments: list[str]
    environment: dict[str, str]
    folder: str
    files: list[int]


def send(connection: socket.socket, message: object, files: Sequence[int] = ()) -> None:
    """Send what JSON can hold, and descriptors of open files with it."""
    body = json.dumps(message).encode()
    if files:
        socket.send_fds(connection, [_LENGTH.pack(len(body))], files)
    else:
        connection.sendall(_LENGTH.pack(len(body)))
    connection.sendall(body)


def receive(connection: socket.socket) -> tuple[Any, list[int]]:
    """Receive what `send` has sent. Raises EOFError once the other side has gone."""
    head, files, _, _ = socket.recv_fds(connection, _LENGTH.size, _FILES)
    if not head:
        raise EOFError
    (left,) = _LENGTH.unpack(head)
    parts = []
    while left:
        parts.append(connection.recv(left))
        left -= len(parts[-1])
    return json.loads(b"".join(parts)), files


def main(program: str, requests: socket.socket) -> int:
    """Serve until the other side goes. In each process that was forked off, run the program; return its exit code."""
    module = importlib.import_module(f"{program}.__main__")
    for name in IMPORTED_LATER.get(program, ()):
        importlib.import_module(name)
    # Ctrl-C at a terminal goes to all of its processes; those that run the program answer it themselves.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What is not looked at stays shared with the processes.
    gc.collect()
    gc.freeze()
    start = _serve(requests)
    if start is None:
        return 0
    requests.close()
    _become(start)
    sys.argv = [str(module.__file__), *start.arguments]
    exit_code: int | None = module.main()
    return exit_code or 0


def _serve(requests: socket.socket) -> Start | None:
    """Answer a start with the new process's id, in which this returns, and the id of one that ended with its code."""
    while True:
        try:
            message, files = receive(requests)
        except EOFError:
            return None
        if "ended" in message:
            send(requests, os.waitstatus_to_exitcode(os.waitpid(message["ended"], 0)[1]))
            continue
        process_id = os.fork()
        if not process_id:
            return Start(**message, files=files)
        for file in files:
            os.close(file)
        send(requests, process_id)


def _become(start: Start) -> None:
    """Make of the forked process what the start has asked for."""
    *streams, sentinel = start.files
    for number, file in enumerate(streams):
        os.dup2(file, number)
        os.close(file)
    # It is closed by the end of this process, so nothing that is started by it may keep it open.
    os.set_inheritable(sentinel, False)
    os.chdir(start.folder)
    os.environ.clear()
    os.environ.update(start.environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=sys.stdout.isatty())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], socket.socket(fileno=int(sys.argv[2]))))
