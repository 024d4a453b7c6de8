"""How much memory a bulk takes, in the server and in the command line, and how long.

For each size a new server on SQLite, in a process of its own, makes the users of a file for `identityctl provision -f
--csv`, another process; each user has a group and a sealed access key. The account is a third process of the same
machine. Memory is the most that was resident at any time, which the kernel counts.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from embedded_aws import EmbeddedAws
from tests.integration.conftest import Account, start_fresh_server, wait_until_ready

LOOK_EVERY = 0.1
SERVER = {
    "IDENTITY_SERVICE_AWS_READ_TIMEOUT": "7",
    "IDENTITY_SERVICE_AWS_RETRY_BUDGET": "20",
    "IDENTITY_SERVICE_LOG_LEVEL": "WARNING",
}


@dataclass(frozen=True)
class Figures:
    """What was counted of one size; memory in MiB."""

    made: int
    seconds: float
    server: int
    client: int


def peak_mib(process_id: int) -> int:
    """Return the most memory that a process had, in MiB; 0 once it has ended."""
    lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM:")), 0)


def measure(aws: EmbeddedAws, users: int, folder: Path) -> Figures:
    """Make so many users in an account without others."""
    account = Account(aws)
    account.prepare()
    aws.set_quota("UsersQuota", users)
    server, ready = start_fresh_server(account, folder, SERVER)
    try:
        address = wait_until_ready(server, ready)
        began = time.perf_counter()
        client = provision(address, users, folder)
        seconds = time.perf_counter() - began
        # The first line names the columns.
        made = len((folder / "new.csv").read_text().splitlines()) - 1
        return Figures(made, seconds, peak_mib(server.pid), client)
    finally:
        server.terminate()
        server.wait(60)


def provision(address: str, users: int, folder: Path) -> int:
    """Run the command line to its end; return the most memory that it had, in MiB."""
    names = "".join(f"  - name: user-{number}\n" for number in range(users))
    (folder / "users.yaml").write_text(f"defaults:\n  groups: [Developers]\n  access_key: true\n\nusers:\n{names}")
    command = ("--insecure", "--target", address, "provision", "-f", "users.yaml", "--csv", "new.csv", "--yes")
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "identity_client.cli", *command],
            cwd=folder,
            env={**os.environ, "XDG_STATE_HOME": str(folder / "state")},
            stdout=output,
            stderr=output,
        )
        peak = 0
        while process.poll() is None:
            peak = max(peak, peak_mib(process.pid))
            time.sleep(LOOK_EVERY)
    if process.returncode:
        raise RuntimeError(f"identityctl ended with {process.returncode}: {(folder / 'output').read_text()[-2000:]}")
    return peak


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--users", type=int, nargs="+", default=[100, 1000, 10_000], help="the sizes; 100 1000 is short"
    )
    options = parser.parse_args()
    print(f"{'users':>6}{'made':>7}{'seconds':>9}{'server, peak MiB':>18}{'client, peak MiB':>18}")
    for users in options.users:
        with EmbeddedAws() as aws, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            found = measure(aws, users, Path(folder))
        print(f"{users:6}{found.made:7}{found.seconds:9.1f}{found.server:18}{found.client:18}", flush=True)


if __name__ == "__main__":
    main()
