"""How much memory a bulk takes, in the server and in the client, and how long.

One server on SQLite makes one operation after the other, each user with a group and a sealed access key. The account
and this client are processes of the same machine.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

from embedded_aws import EmbeddedAws
from identity_client import IdentityClient, user_spec
from identity_client.sealing import generate_identity
from identity_provisioning.v1.operation_pb2 import Operation
from tests.integration.conftest import Account, start_server, wait_until_ready


def resident_mib(process_id: int) -> int:
    """Return how much memory a process has, in MiB."""
    lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS:"))) // 1024


class Peak:
    """The most memory that a server had while it was looked at."""

    def __init__(self, process_id: int) -> None:
        self._process_id = process_id
        self.mib = 0

    def look(self, _: Operation | None = None) -> None:
        """Look once more."""
        self.mib = max(self.mib, resident_mib(self._process_id))


def make(client: IdentityClient, users: int, recipient: str, peak: Peak) -> int:
    """Make users as one operation, and return how many were made."""
    specs = (user_spec(f"user-{users}-{number}", access_key=True, groups=["Developers"]) for number in range(users))
    results = client.provision_many(specs, recipients=[recipient], on_progress=peak.look)
    return sum(result.HasField("made") for result in results)


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, nargs="+", default=[100, 1000])
    options = parser.parse_args()
    recipient = generate_identity().recipient
    with EmbeddedAws() as aws, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        account = Account(aws)
        account.prepare()
        server, ready = start_server(account, Path(folder), {"IDENTITY_SERVICE_LOG_LEVEL": "WARNING"})
        try:
            with IdentityClient(wait_until_ready(server, ready), insecure=True) as client:
                print(f"{'users':>6}{'made':>6}{'seconds':>9}{'server, peak MiB':>18}{'client MiB':>12}")
                for users in options.users:
                    peak, began = Peak(server.pid), time.perf_counter()
                    peak.look()
                    made = make(client, users, recipient, peak)
                    seconds = time.perf_counter() - began
                    peak.look()
                    print(f"{users:6}{made:6}{seconds:9.1f}{peak.mib:18}{resident_mib(os.getpid()):12}", flush=True)
                    aws.clear_calls()
        finally:
            server.terminate()
            server.wait(60)


if __name__ == "__main__":
    main()
