"""A world: an account, a store, servers, each in processes of their own, and the runs that take place in it."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import sqlalchemy as sa

from embedded_aws import EmbeddedAws
from identity_client.sealing import GeneratedIdentity, generate_identity
from identity_service.adapters.store import migrate
from tests.chaos.account import Account, Prepared
from tests.chaos.clients import Clients, Habits, Holding
from tests.chaos.fleet import Fleet, Server, Surroundings
from tests.chaos.judge import Verdict, judge
from tests.chaos.leaks import Files, count_hits, database_text
from tests.chaos.reports import read_reports
from tests.chaos.timing import Timing
from tests.chaos.wishes import ACCOUNT_ID, TEAM, Wish
from tests.support.postgres import new_database

LOOK_EVERY = 0.1
GRACE_SECONDS = 1.0
"""For what a process does that has just been resumed, before anybody looks whether all work is over."""
UNFINISHED = sa.text(
    "SELECT (SELECT count(*) FROM requests WHERE state IN ('running', 'undoing')"
    " OR recheck_at IS NOT NULL OR lease_expires_at IS NOT NULL)"
    " + (SELECT count(*) FROM operations WHERE state IN ('planning', 'running', 'cancelling'))"
)


@dataclass(frozen=True)
class Plan:
    """How a world is made; `postgres_url` is empty for SQLite, which has one server."""

    name: str
    timing: Timing = field(default_factory=Timing)
    postgres_url: str = ""
    servers: int = 2
    sabotage: str = ""
    keep: bool = False


class World:
    """Where runs take place, one after the other; each begins with an empty account and ends when all work is over."""

    def __init__(self, plan: Plan, folder: Path, account: Account, fleet: Fleet, engine: sa.Engine) -> None:
        self.timing = plan.timing
        self.folder = folder
        self.account = account
        self.fleet = fleet
        self.engine = engine
        self.identity: GeneratedIdentity = generate_identity()
        self.pauses = 0
        self._store_log = Path(str(engine.url.query["host"]), "log") if plan.postgres_url else None
        self._files = Files()
        self._secrets_seen = 0

    async def ask(
        self, wishes: Sequence[Wish], habits: Sequence[Habits], delays: Sequence[float] | None = None
    ) -> list[Holding]:
        """Let the clients ask side by side, each after its delay."""
        clients = Clients(self.fleet.target, self.timing, self.identity)

        async def one(wish: Wish, habit: Habits, delay: float) -> Holding:
            await asyncio.sleep(delay)
            return await clients.ask(wish, habit)

        waits = delays or [0.0] * len(wishes)
        return list(await asyncio.gather(*map(one, wishes, habits, waits)))

    async def pause(self, server: Server, seconds: float) -> None:
        """Let a server stand still for so long."""
        server.pause()
        self.pauses += 1
        await asyncio.sleep(seconds)
        server.resume()

    async def end(self, prepared: Prepared, holdings: Sequence[Holding]) -> Verdict:
        """Wait until all work is over, and judge."""
        await self.fleet.recover()
        await asyncio.sleep(GRACE_SECONDS)
        is_over = await self.wait_until_over()
        self.account.behave()
        reports = await asyncio.to_thread(read_reports, self.engine)
        verdict = await asyncio.to_thread(judge, self.account, prepared, holdings, reports)
        if not is_over:
            verdict.complain(f"work is not over {self.timing.end_of_work:g} s after the last answer")
        self._look_for_leaks(verdict, holdings)
        if not verdict.is_clean:
            self._keep_calls()
        return verdict

    def _keep_calls(self) -> None:
        """Leave the account's record of calls beside the logs, for whoever looks into a failure with --keep."""
        calls = [
            f"{call.operation} {call.parameters.get('UserName', '')} {call.status} {call.error_code or ''}".rstrip()
            for call in self.account.aws.calls()
        ]
        (self.folder / "calls").write_text("\n".join(calls) + "\n")

    async def wait_until_over(self, unless: Callable[[], bool] = lambda: False) -> bool:
        """Wait until no request is open and no second look is due; False if that takes too long, or at once unless."""
        deadline = time.monotonic() + self.timing.end_of_work
        quiet = 0
        while quiet < 2:
            if time.monotonic() > deadline or unless():
                return False
            quiet = quiet + 1 if await asyncio.to_thread(self._count_unfinished) == 0 else 0
            self.account.release()
            await asyncio.sleep(LOOK_EVERY)
        return True

    def _count_unfinished(self) -> int:
        with self.engine.connect() as connection:
            return int(connection.execute(UNFINISHED).scalar_one())

    def _look_for_leaks(self, verdict: Verdict, holdings: Iterable[Holding]) -> None:
        secrets = {secret for holding in holdings for secret in holding.secrets}
        for server in self.fleet.servers:
            secrets.update(server.secrets())
        outputs = [file for server in self.fleet.servers for file in server.outputs()]
        outputs += [self._store_log] if self._store_log else []
        for where, text in (
            ("what servers and store have written", self._files.new_text(outputs)),
            ("the database", database_text(self.engine)),
        ):
            hits = count_hits(secrets, text)
            verdict.plaintext_hits += hits
            if hits:
                verdict.complain(f"{hits} secrets stand in {where}")


@asynccontextmanager
async def open_world(plan: Plan) -> AsyncIterator[World]:
    """Make a world; everything that was started ends with the block."""
    async with AsyncExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix=f"chaos-{plan.name}-"))
        if not plan.keep:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        aws = EmbeddedAws(account_id=ACCOUNT_ID, access_control=True)
        await asyncio.to_thread(aws.start)
        stack.push_async_callback(asyncio.to_thread, aws.stop)
        if plan.postgres_url:
            url = stack.enter_context(new_database(plan.postgres_url))
        else:
            url = f"sqlite:///{folder / 'store.sqlite3'}"
        await asyncio.to_thread(migrate, url)
        engine = sa.create_engine(url)
        stack.callback(engine.dispose)
        surroundings = Surroundings(
            folder=folder,
            store_url=url,
            endpoint_url=aws.endpoint_url,
            account_id=aws.account_id,
            access_key_id=aws.access_key_id,
            secret_access_key=aws.secret_access_key,
            timing=plan.timing,
            team=TEAM,
            sabotage=plan.sabotage,
        )
        surroundings.write_authorization()
        fleet = Fleet(plan.servers, surroundings)
        stack.push_async_callback(fleet.stop)
        await fleet.start()
        yield World(plan, folder, Account(aws, plan.timing), fleet, engine)


def chance_of(seed: int, *names: object) -> Random:
    """Return the chances of a run: the same for the same seed and name, whatever else runs."""
    return Random(":".join(map(str, (seed, *names))))  # noqa: S311 - it has to be repeatable, and guards nothing
