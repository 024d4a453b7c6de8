"""A run: two servers on one PostgreSQL, callers that never stop, and one server after the other restarted.

Callers and servers speak mutual TLS, as in production. What is not as there: the callers know a list of addresses that
stays the same, instead of a DNS name whose answers change; a server comes back at its address, on the same machine; and
nothing takes a pod out of a Service before SIGTERM.
"""

import asyncio
import math
import sys
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from embedded_aws import EmbeddedAws
from identity_client import TlsFiles
from identity_client.sealing import generate_identity
from identity_service.adapters.store import migrate
from tests.integration.conftest import Account
from tests.rolling.effects import doubled_effects, lost_effects
from tests.rolling.load import Caller, Tally
from tests.rolling.replica import Replica
from tests.support.mutual_tls import write_mutual_tls
from tests.support.postgres import database_folder, new_database, start_postgres

REPLICAS = 2


@dataclass(frozen=True)
class Options:
    """How much is done: `callers` work side by side, each resting `pause` seconds after each of its users.

    A server that is ready has been so for `rest` seconds before the other is restarted; 0 is the hardest.
    """

    restarts: int = 100
    callers: int = 6
    pause: float = 0.2
    rest: float = 0.0


@dataclass(frozen=True)
class Result:
    """What came of it."""

    restarts: int
    tally: Tally
    doubled: list[str]
    lost: list[str]

    @property
    def is_clean(self) -> bool:
        """Whether nobody has noticed the restarts but by waiting, and there was somebody to notice."""
        return self.tally.calls > 0 and not self.complaints

    @property
    def complaints(self) -> list[str]:
        """Everything that is not as it should be."""
        return [*self.tally.failures, *self.doubled, *self.lost]

    def __str__(self) -> str:
        tally = self.tally
        return (
            f"restarts={self.restarts} calls={tally.calls} retries={tally.retries} failed={len(tally.failures)} "
            f"doubled={len(self.doubled)} lost={len(self.lost)} "
            f"p99_ms={percentile(tally.seconds, 99) * 1000:.0f} max_ms={percentile(tally.seconds, 100) * 1000:.0f}"
        )


def percentile(values: list[float], rank: int) -> float:
    """Return the least of the values that so many in a hundred do not exceed; 0 if there are none."""
    return sorted(values)[max(0, math.ceil(len(values) * rank / 100) - 1)] if values else 0.0


async def roll(options: Options) -> Result:
    """Carry a run out."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rolling-")))
        directory = stack.enter_context(database_folder())
        store_url = stack.enter_context(new_database(stack.enter_context(start_postgres(directory))))
        await asyncio.to_thread(migrate, store_url)
        account = Account(stack.enter_context(EmbeddedAws(access_control=True)))
        account.prepare()
        tls = write_mutual_tls(folder / "tls")
        replicas = [Replica(folder / f"server-{number}", account, store_url, tls) for number in range(REPLICAS)]
        for replica in replicas:
            stack.push_async_callback(replica.stop)
        await asyncio.gather(*(replica.start() for replica in replicas))
        tally = await _restart_under_load(replicas, tls.client, options)
        users = account.aws.dump()["users"]
        doubled = doubled_effects(account.aws.calls(), users, tally.kept, tally.unknown)
        return Result(options.restarts, tally, doubled, lost_effects(users, tally.kept))


async def _restart_under_load(replicas: list[Replica], tls: TlsFiles, options: Options) -> Tally:
    target = f"ipv4:{','.join(replica.address for replica in replicas)}"
    tally, stop, identity = Tally(), asyncio.Event(), generate_identity()
    async with asyncio.TaskGroup() as group:
        for number in range(options.callers):
            group.create_task(Caller(f"caller-{number}", target, tls, identity, tally).run(stop, options.pause))
        for number in range(options.restarts):
            await replicas[number % len(replicas)].restart()
            await asyncio.sleep(options.rest)
            if sys.stderr.isatty():
                print(f"\r{number + 1}/{options.restarts}", end="", file=sys.stderr)
        stop.set()
    return tally
