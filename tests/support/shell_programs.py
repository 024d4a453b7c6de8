"""The project's programs for a shell: files that a PATH leads to, and that let the fork servers do the work.

Such a file begins a bare interpreter, which imports nothing of the program; it hands over its arguments, variables,
folder and streams, and ends with the program's exit code.
"""

import os
import socketserver
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

from tests.support.fork_server import receive, send
from tests.support.processes import ROOT, Process

PROGRAMS = {"identity-service": "identity_service", "identityctl": "identity_client.cli"}
_FILE = """#!{interpreter} -IS
import os, socket, sys
sys.path.append({root!r})
from tests.support.fork_server import receive, send
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect({address!r})
    send(connection, [{program!r}, sys.argv[1:], dict(os.environ), os.getcwd()], (0, 1, 2))
    sys.exit(receive(connection)[0])
"""


@contextmanager
def shell_programs(programs: Mapping[str, str] = PROGRAMS) -> Iterator[Path]:
    """Make a folder of programs, each with the name in a shell and for `python -m`; they work while the block lasts."""
    with TemporaryDirectory(prefix="programs-") as name:
        folder = Path(name)
        address = str(folder / "socket")
        for called, program in programs.items():
            file = folder / called
            file.write_text(_FILE.format(interpreter=sys.executable, root=str(ROOT), address=address, program=program))
            file.chmod(0o700)
        with socketserver.ThreadingUnixStreamServer(address, _Call) as server:
            thread = Thread(target=server.serve_forever, args=(0.05,))
            thread.start()
            try:
                yield folder
            finally:
                server.shutdown()
                thread.join()


class _Call(socketserver.BaseRequestHandler):
    """One line's program, from its start to its end."""

    def handle(self) -> None:
        """Run the program with what the file's interpreter has sent, and answer with what a shell calls its code."""
        (program, arguments, environment, folder), files = receive(self.request)
        stdin, stdout, stderr = files
        process = Process(
            program, arguments, env=environment, cwd=Path(folder), stdin=stdin, stdout=stdout, stderr=stderr
        )
        for file in files:
            os.close(file)
        code = process.wait()
        send(self.request, code if code >= 0 else 128 - code)
