"""How much of an account's limit the real server uses, and how much of what it sends is throttled.

The embedded account, the servers and this client are processes of one machine; with two servers they share a
PostgreSQL. First each run is made without a limit, which shows what the machine itself gives: a limit above that is
not reached, and then the figures are the machine's and not the pacing's.

`used` counts the seconds from the draft to the last result, `of calls` those from the first call to IAM to the last.
With --check, runs of which one has used less than 90 % of the limit, by either, been throttled in more than 5 % of its
calls, or failed to make a user, end with exit code 1.
"""

import argparse
import os
import sys
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
from tests.integration.conftest import Account, document, start_fresh_server, wait_until_ready
from tests.support.postgres import new_database, start_postgres

BURST = 20.0
LEAST_USED = 0.9
MOST_THROTTLED = 0.05


@dataclass(frozen=True)
class Figures:
    """What was counted of one run; `calling` are the seconds from the first call to the last, `limit` is 0 for none."""

    limit: float
    seconds: float
    calling: float
    accepted: int
    throttled: int
    failed: int

    @property
    def used(self) -> float:
        """The share of the limit that was used from the draft to the last result."""
        return self.accepted / self.seconds / self.limit if self.limit else 0.0

    @property
    def used_by_calls(self) -> float:
        """The share of the limit that was used from the first call to the last."""
        return self.accepted / self.calling / self.limit if self.limit else 0.0

    @property
    def throttled_share(self) -> float:
        """How much of what was sent was throttled."""
        return self.throttled / (self.accepted + self.throttled)

    @property
    def is_good(self) -> bool:
        """Whether everybody was made, and under a limit enough of it was used, with little throttled."""
        is_paced = min(self.used, self.used_by_calls) >= LEAST_USED and self.throttled_share <= MOST_THROTTLED
        return not self.failed and (is_paced or not self.limit)

    def __str__(self) -> str:
        used = [f"{share:.1%}" if self.limit else "-" for share in (self.used, self.used_by_calls)]
        return (
            f"{self.limit or 'none':>9}{self.seconds:9.1f}{self.accepted:10}{self.accepted / self.seconds:12.1f}"
            f"{used[0]:>8}{used[1]:>10}{self.throttled_share:11.2%}{self.failed:8}"
        )


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
            servers.append(start_fresh_server(account, own, variables))
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
    """Describe a user of seven calls: a look whether it is there, one to make it, three grants, two credentials."""
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
    calling = calls[-1].answered_at - calls[0].answered_at
    return Figures(limit, seconds, calling, len(calls) - throttled, throttled, failed)


def measure_all(options: argparse.Namespace) -> list[Figures]:
    """Make the users with one server and with two, without a limit and with it, and print each run and the worst."""
    runs = []
    for replicas in (1, 2):
        for limit, repeat in ((0.0, 1), (options.limit, options.repeat)):
            of_case = []
            for _ in range(repeat):
                with EmbeddedAws() as aws:
                    of_case.append(measure(aws, replicas, limit, options))
                print(f"{replicas:8}{of_case[-1]}", flush=True)
            if repeat > 1:
                least = min(min(run.used, run.used_by_calls) for run in of_case)
                most = max(run.throttled_share for run in of_case)
                print(
                    f"{replicas:8}{limit:9} the worst of {repeat}: {least:.1%} used, {most:.2%} throttled", flush=True
                )
            runs += of_case
    return runs


def main() -> int:
    """Measure and print the figures; with --check, 1 if one of them is too bad."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--limit", type=float, default=200, help="calls a second that the account takes")
    parser.add_argument("--repeat", type=int, default=1, help="how often each limited run is made")
    parser.add_argument("--check", action="store_true", help="fail where a figure is too bad")
    options = parser.parse_args()
    print(f"{options.users} users in one operation, {os.cpu_count()} processors")
    head = f"{'replicas':>8}{'limit/s':>9}{'seconds':>9}{'accepted':>10}{'per second':>12}{'used':>8}{'of calls':>10}"
    print(f"{head}{'throttled':>11}{'failed':>8}", flush=True)
    runs = measure_all(options)
    return int(options.check and not all(run.is_good for run in runs))


if __name__ == "__main__":
    sys.exit(main())
