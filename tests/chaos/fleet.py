"""The server processes of a world: started, killed, paused, and watched over as an operator would."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.points import ARMED, Armed
from tests.chaos.timing import Timing

START_SECONDS = 60.0
ARM_SECONDS = 10.0
LOOK_EVERY = 0.02
USERS_AT_A_TIME = "4"
"""Of an operation, in one server: with more in several worlds, answers of the account come after the short timeouts."""
FOREIGN = ("AWS_", "IDENTITY_SERVICE_", "OTEL_", "GRPC_")
"""Settings that happen to be around."""
LOOPBACK = "127.0.0.1"
AUTHORIZATION = "authorization"
EVERYTHING = '@id("everything") permit (principal, action, resource);\n'
CALLER = "spiffe://insecure.local/caller"


@dataclass(frozen=True)
class Surroundings:
    """What all servers of a world share."""

    folder: Path
    store_url: str
    endpoint_url: str
    account_id: str
    access_key_id: str
    secret_access_key: str
    timing: Timing
    team: str
    sabotage: str = ""

    def write_authorization(self) -> None:
        """Write once who may do what: a server that starts must not meet half a file."""
        folder = self.folder / AUTHORIZATION
        folder.mkdir()
        callers = f'teams: {{{self.team}: {{accounts: {{"*": unguarded}}}}}}\ncallers: {{"{CALLER}": {self.team}}}\n'
        (folder / "callers.yaml").write_text(callers)
        (folder / "everything.cedar").write_text(EVERYTHING)

    def variables(self, log_file: Path, port: int) -> Mapping[str, str]:
        """Return the environment of a server that listens on a port."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        return {
            **inherited,
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_EC2_METADATA_DISABLED": "true",
            "IDENTITY_SERVICE_AWS_ACCOUNT_ID": self.account_id,
            "IDENTITY_SERVICE_AWS_ENDPOINT_URL": self.endpoint_url,
            "IDENTITY_SERVICE_AWS_REGION": "us-east-1",
            "IDENTITY_SERVICE_AUTHORIZATION_DIR": str(self.folder / AUTHORIZATION),
            "IDENTITY_SERVICE_STORE_URL": self.store_url,
            "IDENTITY_SERVICE_LISTEN_ADDRESS": f"{LOOPBACK}:{port}",
            "IDENTITY_SERVICE_HEALTH_ADDRESS": f"{LOOPBACK}:0",
            "IDENTITY_SERVICE_LOG_FILE": str(log_file),
            "IDENTITY_SERVICE_LOG_LEVEL": "DEBUG",
            "IDENTITY_SERVICE_BULK_CONCURRENCY": USERS_AT_A_TIME,
            **self.timing.variables(),
        }


class Server:
    """One server: a process that is started again, on the same port, whenever it has died."""

    def __init__(self, name: str, surroundings: Surroundings) -> None:
        self.name = name
        self.folder = surroundings.folder / name
        self.folder.mkdir()
        self.deaths = 0
        self.restart_after = 0.0
        self._surroundings = surroundings
        self._process: asyncio.subprocess.Process | None = None
        self._reserved = reserve_port()
        self._ready = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"{LOOPBACK}:{self._port}"

    @property
    def _port(self) -> int:
        return int(self._reserved.getsockname()[1])

    @property
    def is_paused(self) -> bool:
        """Whether it is stopped by a signal now."""
        process = self._process
        if process is None or process.returncode is not None:
            return False
        try:
            # After the name, which stands in parentheses, comes the state.
            state = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        return state in ("T", "t")

    async def start(self) -> None:
        """Start it and wait until it serves; from then on it is watched over."""
        await self._start()
        if not self._ready.is_set():
            said = (self.folder / "stderr").read_text(errors="replace")
            raise RuntimeError(f"the server {self.name} ended before it served:\n{said}")
        self._watch = asyncio.create_task(self._restart_for_ever())

    async def stop(self) -> None:
        """Let it go for good."""
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        self._reserved.close()

    def kill(self) -> None:
        """Kill it, as a power cut would."""
        self._signal(signal.SIGKILL)

    def pause(self) -> None:
        """Let it stand still, as a long collection of garbage or a moved virtual machine would."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on, not knowing that it stood still."""
        self._signal(signal.SIGCONT)

    async def wait_until_serving(self) -> None:
        """Wait until it is there."""
        await asyncio.wait_for(self._ready.wait(), START_SECONDS)

    async def arm(self, armed: Armed | None) -> None:
        """Let the process act by itself at a point, or at none; wait until it knows."""
        process, begun = self._process, self.passed_so_far()
        if process is None or process.stdin is None or process.returncode is not None:
            return
        text = f"{armed.point} {armed.passing} {armed.action}" if armed else ""
        process.stdin.write(text.encode() + b"\n")
        deadline = time.monotonic() + ARM_SECONDS
        while process.returncode is None and not any(line.startswith(ARMED) for line in self.passed(begun)):
            if time.monotonic() > deadline:
                raise RuntimeError(f"the server {self.name} does not listen")
            await asyncio.sleep(LOOK_EVERY)

    def passed_so_far(self) -> int:
        """Return how much was written about points that were passed."""
        return (self.folder / "passed").stat().st_size

    def passed(self, begun: int = 0) -> list[str]:
        """Return what was passed since then, `POINT PASSING` each, of all its processes in order."""
        with (self.folder / "passed").open("rb") as file:
            file.seek(begun)
            return file.read().decode().splitlines()

    def secrets(self) -> list[str]:
        """Return the secrets that its processes have held."""
        return (self.folder / "secrets").read_text().splitlines()

    def outputs(self) -> list[Path]:
        """Return the files that it has written for people."""
        return [self.folder / "log", self.folder / "stderr", self.folder / "stdout"]

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    async def _restart_for_ever(self) -> None:
        while True:
            if self._process is not None:
                await self._process.wait()
                if self._process.stdin is not None:
                    self._process.stdin.close()
            self._ready.clear()
            self.deaths += 1
            await asyncio.sleep(self.restart_after)
            await self._start()

    async def _start(self) -> None:
        ready_file = self.folder / "ready.json"
        ready_file.unlink(missing_ok=True)
        for name in ("passed", "secrets", "log"):
            (self.folder / name).touch()
        arguments = ["--rest", str(self._surroundings.timing.rest)]
        if self._surroundings.sabotage:
            arguments += ["--sabotage", self._surroundings.sabotage]
        with (self.folder / "stdout").open("ab") as out, (self.folder / "stderr").open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.chaos.server",
                str(self.folder),
                *arguments,
                "--",
                "--insecure",
                "--ready-file",
                str(ready_file),
                stdin=asyncio.subprocess.PIPE,
                stdout=out,
                stderr=errors,
                env=self._surroundings.variables(self.folder / "log", self._port),
                # Ctrl-C is the harness's to answer.
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not ready_file.exists():
            if self._process.returncode is not None:
                return  # killed at its start, by an operator without mercy: whoever watches over it starts it again
            if time.monotonic() > deadline:
                raise RuntimeError(f"the server {self.name} did not start; see {self.folder}")
            await asyncio.sleep(LOOK_EVERY)
        self._ready.set()


def reserve_port() -> socket.socket:
    """Find a free port and keep it: bound and not listened on, it is nobody else's while the server is dead."""
    reserved = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind((LOOPBACK, 0))
    return reserved


class Fleet:
    """All servers of a world."""

    def __init__(self, count: int, surroundings: Surroundings) -> None:
        self.servers = tuple(Server(f"server-{number}", surroundings) for number in range(1, count + 1))

    async def start(self) -> None:
        """Start all, and wait until all serve."""
        await asyncio.gather(*(server.start() for server in self.servers))

    async def stop(self) -> None:
        """Let all go."""
        await asyncio.gather(*(server.stop() for server in self.servers))

    async def recover(self) -> None:
        """Resume what is paused, and wait until all serve."""
        for server in self.servers:
            server.resume()
        await asyncio.gather(*(server.wait_until_serving() for server in self.servers))
        await asyncio.gather(*(server.arm(None) for server in self.servers))

    @property
    def target(self) -> str:
        """Name all servers for a client."""
        return f"ipv4:{','.join(server.address for server in self.servers)}"

    @property
    def deaths(self) -> int:
        """How often a process has died."""
        return sum(server.deaths for server in self.servers)
