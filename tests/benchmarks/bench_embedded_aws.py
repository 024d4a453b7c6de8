"""What a call costs the embedded account in processor time, beside moto's own server, in the same run.

Each server runs in a child process of its own, with AWS's managed policies loaded and without access control.
The same calls go to both over one kept connection; the processor time is the child's, user and system.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from embedded_aws import EmbeddedAws
from tests.unit.embedded_aws.raw_http import Connection

PLAIN_MOTO = Path(__file__).parents[1] / "unit/embedded_aws/plain_moto.py"
DOCUMENT = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}'
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
OPERATIONS: dict[str, Callable[[int], dict[str, str]]] = {
    "CreateUser": lambda n: {"UserName": f"u{n}", "Path": "/p/", "Tags.member.1.Key": "a", "Tags.member.1.Value": "b"},
    "GetUser": lambda n: {"UserName": f"u{n}"},
    "CreateAccessKey": lambda n: {"UserName": f"u{n}"},
    "ListAccessKeys": lambda n: {"UserName": f"u{n}"},
    "PutUserPolicy": lambda n: {"UserName": f"u{n}", "PolicyName": "p", "PolicyDocument": DOCUMENT},
    "AttachUserPolicy": lambda n: {"UserName": f"u{n}", "PolicyArn": READ_ONLY},
    "ListAttachedUserPolicies": lambda n: {"UserName": f"u{n}"},
    # Of no users: moto would answer all of them where one page was asked for.
    "ListUsers": lambda n: {"PathPrefix": "/none/"},
}


def processor_seconds(pid: int) -> float:
    """The processor time of a process, as Linux tells it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def microseconds_per_call(endpoint_url: str, pid: int, calls: int) -> dict[str, float]:
    """For each operation the processor time of one call."""
    costs = {}
    with Connection(endpoint_url) as connection:
        connection.call("ListUsers")
        for operation, params in OPERATIONS.items():
            before = processor_seconds(pid)
            for number in range(calls):
                outcome, body = connection.call(operation, **params(number))
                if outcome != "ok":
                    raise RuntimeError(f"{operation} answered {outcome}: {body!r}")
            costs[operation] = (processor_seconds(pid) - before) / calls * 1e6
    return costs


def of_moto(calls: int) -> dict[str, float]:
    """The figures of moto's own server."""
    with subprocess.Popen(
        [sys.executable, str(PLAIN_MOTO)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        if server.stdin is None or server.stdout is None:
            raise RuntimeError("moto's server has no pipes")
        port = int(server.stdout.readline())
        costs = microseconds_per_call(f"http://127.0.0.1:{port}", server.pid, calls)
        server.stdin.close()
    return costs


def of_embedded(calls: int) -> dict[str, float]:
    """The figures of the embedded account."""
    with EmbeddedAws() as account:
        return microseconds_per_call(account.endpoint_url, account.pid or 0, calls)


def listing_seconds(users: int) -> tuple[float, float]:
    """The longest page, and all pages, of a listing of so many users by 1,000."""
    with EmbeddedAws() as account, Connection(account.endpoint_url) as connection:
        account.set_quota("UsersQuota", users)
        for number in range(users):
            connection.call("CreateUser", UserName=f"u{number}")
        pages, marker = [], ""
        while True:
            began = time.perf_counter()
            _, body = connection.call("ListUsers", MaxItems="1000", **({"Marker": marker} if marker else {}))
            pages.append(time.perf_counter() - began)
            marker = body.decode().partition("<Marker>")[2].partition("</Marker>")[0]
            if not marker:
                return max(pages), sum(pages)


def main() -> None:
    """Measure both, in turns, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1000, help="of each operation")
    options = parser.parse_args()
    embedded, moto = of_embedded(options.calls), of_moto(options.calls)
    print(f"Processor time per call in microseconds, {options.calls} calls of each operation:")
    print(f"{'':26}{'embedded':>10}{'moto':>10}{'ratio':>8}")
    for operation, cost in embedded.items():
        print(f"{operation:26}{cost:10.0f}{moto[operation]:10.0f}{cost / moto[operation]:8.2f}")
    ours, theirs = sum(embedded.values()) / len(embedded), sum(moto.values()) / len(moto)
    print(f"{'all, each alike':26}{ours:10.0f}{theirs:10.0f}{ours / theirs:8.2f}")
    longest, whole = listing_seconds(10_000)
    print(f"10,000 users listed by 1,000: {whole:.2f} s in all, {longest:.3f} s for the longest page")


if __name__ == "__main__":
    main()
