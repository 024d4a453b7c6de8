"""How much of an account's limit the real server uses, and how much of what it sends is throttled.

The embedded account, the servers and this client are processes of one machine; with two servers they share a
PostgreSQL. First each run is made without a limit, which shows what the machine itself gives: a limit above that is
not reached, and then the figures are the machine's and not the pacing's.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from embedded_aws import EmbeddedAws, Fault, Throttle
from identity_client import IdentityClient, user_spec
from identity_client.sealing import generate_identity
from identity_provisioning.v1.user_pb2 import UserSpec
from identity_service.adapters.store import migrate
from tests.integration.conftest import Account, document, start_server, wait_until_ready
from tests.support.postgres import new_database, start_postgres

BURST = 20.0


@dataclass(frozen=True)
class Figures:
    """What was counted of one run."""

    seconds: float
    accepted: int
    throttled: int
    failed: int


@contextmanager
def running(account: Account, replicas: int) -> Iterator[list[str]]:
    """Run so many servers; their addresses."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        variables = {
            "IDENTITY_SERVICE_AWS_READ_TIMEOUT": "7",
            "IDENTITY_SERVICE_AWS_RETRY_BUDGET": "20",
            "IDENTITY_SERVICE_LOG_LEVEL": "WARNING",
        }
        if replicas > 1:
            database = Path(tempfile.mkdtemp())
            url = stack.enter_context(new_database(stack.enter_context(start_postgres(database))))
            migrate(url)
            variables["IDENTITY_SERVICE_STORE_URL"] = url
        servers = []
        for number in range(replicas):
            own = folder / str(number)
            own.mkdir()
            servers.append(start_server(account, own, variables))
            stack.callback(servers[-1][0].wait, 60)
            stack.callback(servers[-1][0].terminate)
        yield [wait_until_ready(process, ready) for process, ready in servers]


def make_users(address: str, users: int) -> tuple[float, int]:
    """Make users as one operation, which all servers carry out; the seconds that it took, and how many failed."""
    recipient = generate_identity().recipient
    specs = (_spec(f"user-{number}") for number in range(users))
    with IdentityClient(address, insecure=True) as client:
        began = time.perf_counter()
        made = [result.HasField("made") for result in client.provision_many(specs, recipients=[recipient])]
        return time.perf_counter() - began, made.count(False)


def _spec(user_name: str) -> UserSpec:
    """Describe a user of eight calls: one to make it, four grants and looks at them, two credentials."""
    return user_spec(
        user_name,
        groups=["Developers"],
        policies=["Deploy"],
        inline_policies={"read": document({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"})},
        access_key=True,
        console_password=True,
    )


def measure(aws: EmbeddedAws, replicas: int, limit: float, options: argparse.Namespace) -> Figures:
    """Make the users once."""
    account = Account(aws)
    account.prepare()
    with running(account, replicas) as addresses:
        if limit:
            aws.inject(Fault("*", Throttle(limit, BURST), times=None))
        aws.clear_calls()
        seconds, failed = make_users(addresses[0], options.users)
        calls = aws.calls()
        aws.clear_faults()
    throttled = sum(call.error_code == "Throttling" for call in calls)
    return Figures(seconds, len(calls) - throttled, throttled, failed)


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--limit", type=float, default=200, help="calls a second that the account takes")
    options = parser.parse_args()
    print(f"{options.users} users in one operation, {os.cpu_count()} processors")
    print(
        f"{'replicas':>8}{'limit/s':>9}{'seconds':>9}{'accepted':>10}{'per second':>12}{'used':>7}{'throttled':>11}",
        end="",
    )
    print(f"{'failed':>8}")
    for replicas in (1, 2):
        for limit in (0.0, options.limit):
            with EmbeddedAws() as aws:
                run = measure(aws, replicas, limit, options)
            speed = run.accepted / run.seconds
            used = f"{speed / limit:.1%}" if limit else "-"
            share = run.throttled / (run.accepted + run.throttled)
            print(
                f"{replicas:8}{limit or 'none':>9}{run.seconds:9.1f}{run.accepted:10}{speed:12.1f}"
                f"{used:>7}{share:11.2%}{run.failed:8}",
                flush=True,
            )


if __name__ == "__main__":
    main()
