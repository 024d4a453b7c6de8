"""How much memory and processor time a server takes at its limits, and a migration: what the manifests ask for.

One server as in production (PostgreSQL, mutual TLS, log level INFO) makes users for 100 callers at a time while an
operation makes 16 at a time; each user has a group and a sealed access key. Account, database and callers are other
processes of the same machine. Options other than of the figures are the server's defaults.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from embedded_aws import EmbeddedAws
from identity_client import AsyncIdentityClient, IdentityClient, IdentityServiceError, TlsFiles, user_spec
from identity_client.sealing import generate_identity
from tests.integration.conftest import Account, start_fresh_server, wait_until_ready
from tests.support.mutual_tls import write_mutual_tls
from tests.support.postgres import new_database, start_postgres

PRODUCTION = {
    "IDENTITY_SERVICE_AWS_READ_TIMEOUT": "7",
    "IDENTITY_SERVICE_AWS_RETRY_BUDGET": "20",
    "IDENTITY_SERVICE_SETTLE_SECONDS": "15",
    "IDENTITY_SERVICE_LOG_LEVEL": "INFO",
}
IDLE_SECONDS = 5.0
LOOK_EVERY = 0.5
MIB = 1024
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Use:
    """What a process has used: processor seconds, and the most memory that it had, in MiB."""

    cpu: float
    peak_mib: int


def use_of(process_id: int) -> Use:
    """Look at a process that runs."""
    status = Path(f"/proc/{process_id}/status").read_text()
    peak = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    # After the name, which stands in parentheses: the eleventh and twelfth field are its time in user and system.
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return Use((int(fields[11]) + int(fields[12])) / TICKS, int(peak) // MIB)


class Watch:
    """Looks at a server while something is done, and prints what that took."""

    def __init__(self, process_id: int) -> None:
        self._process_id = process_id
        self.busiest = 0.0

    @contextmanager
    def row(self, what: str) -> Iterator[None]:
        """Print a row of the table when the block is over."""
        before, began = use_of(self._process_id), time.perf_counter()
        yield
        after, took = use_of(self._process_id), time.perf_counter() - began
        cores = (after.cpu - before.cpu) / took
        print(
            f"{what:<44}{took:>8.1f}{after.cpu - before.cpu:>8.1f}{max(cores, self.busiest):>8.2f}{after.peak_mib:>6}"
        )

    async def look(self) -> None:
        """Find the busiest half second until cancelled."""
        self.busiest = 0.0
        used, at = use_of(self._process_id).cpu, time.perf_counter()
        while True:
            await asyncio.sleep(LOOK_EVERY)
            now, then = use_of(self._process_id).cpu, time.perf_counter()
            self.busiest = max(self.busiest, (now - used) / (then - at))
            used, at = now, then


def migrate(store_url: str) -> None:
    """Migrate an empty database, and print what that took."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "identity_service", "migrate"],
        env={**os.environ, "IDENTITY_SERVICE_STORE_URL": store_url},
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    took, cpu = time.perf_counter() - began, usage.ru_utime + usage.ru_stime
    print(f"{'migrate, an empty database':<44}{took:>8.1f}{cpu:>8.1f}{cpu / took:>8.2f}{usage.ru_maxrss // MIB:>6}")


async def load(target: str, tls: TlsFiles, callers: int, rounds: int, users: int) -> int:
    """Make users side by side and in bulk; return how many calls failed, each of which the client has tried again."""
    recipient = generate_identity().recipient

    async def one(client: AsyncIdentityClient, name: str) -> int:
        failed = 0
        for number in range(rounds):
            try:
                await client.provision_user(
                    f"{name}-{number}",
                    groups=["Developers"],
                    access_key=True,
                    recipients=[recipient],
                    request_id=str(uuid4()),
                )
            except IdentityServiceError:
                failed += 1
        return failed

    def bulk() -> int:
        specs = [user_spec(f"bulk-{number}", access_key=True, groups=["Developers"]) for number in range(users)]
        with IdentityClient(target, tls=tls, timeout=300) as client:
            return sum(not result.HasField("made") for result in client.provision_many(specs, recipients=[recipient]))

    async with AsyncIdentityClient(target, tls=tls, timeout=300) as client:
        singles = [one(client, f"single-{number}") for number in range(callers)]
        return sum(await asyncio.gather(asyncio.to_thread(bulk), *singles))


async def measure(watch: Watch, target: str, tls: TlsFiles, options: argparse.Namespace) -> None:
    """Look at the server while it rests and while it works."""
    with watch.row("server, started and idle"):
        await asyncio.sleep(IDLE_SECONDS)
    looking = asyncio.create_task(watch.look())
    with watch.row(f"server, {options.callers} callers and an operation"):
        failed = await load(target, tls, options.callers, options.rounds, options.users)
    looking.cancel()
    print(f"users asked for: {options.callers * options.rounds + options.users}, not made: {failed}")


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--callers", type=int, default=100, help="how many call at a time")
    parser.add_argument("--rounds", type=int, default=3, help="how many users each makes")
    parser.add_argument("--users", type=int, default=300, help="how many users the operation makes")
    options = parser.parse_args()
    with (
        EmbeddedAws() as aws,
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary,
        tempfile.TemporaryDirectory(prefix="pg-") as database_folder,
        start_postgres(Path(database_folder)) as postgres,
        new_database(postgres) as store_url,
    ):
        print(f"{'':<44}{'seconds':>8}{'CPU s':>8}{'cores':>8}{'MiB':>6}")
        migrate(store_url)
        folder = Path(temporary)
        tls = write_mutual_tls(folder / "tls")
        account = Account(aws)
        account.prepare()
        variables = {**PRODUCTION, **tls.variables, "IDENTITY_SERVICE_STORE_URL": store_url}
        server, ready = start_fresh_server(account, folder, variables, options=())
        try:
            asyncio.run(measure(Watch(server.pid), wait_until_ready(server, ready), tls.client, options))
        finally:
            server.terminate()
            server.wait(60)


if __name__ == "__main__":
    main()
