"""The harness: worlds side by side that carry out the runs, and the sum of what came of them."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

from tests.chaos.bulk_runs import run_bulk
from tests.chaos.judge import Verdict
from tests.chaos.point_runs import STORIES, Case, choose, find_points, run_point
from tests.chaos.provoked import Exceptions, provoke
from tests.chaos.random_runs import run_random
from tests.chaos.timing import Timing
from tests.chaos.world import Plan, World, open_world
from tests.support.postgres import database_folder, start_postgres

SHORT_WINDOW = 6.0
"""The retry window where the exceptions are provoked: one of them waits for its end."""


@dataclass(frozen=True)
class Options:
    """What is to be done; `mode` is random, points, both or bulk, `sealed` is sealed, unsealed or both."""

    runs: int = 200
    seed: int = 1
    mode: str = "both"
    store: str = "postgresql"
    sealed: str = "both"
    worlds: int = 6
    sabotage: str = ""
    exceptions: int = 1
    only: str = ""
    stop_at_first: bool = False
    keep: bool = False
    timing: Timing = field(default_factory=Timing)


@dataclass
class Total:
    """The sum over all runs."""

    runs: int = 0
    kills: int = 0
    pauses: int = 0
    points: int = 0
    points_found: int = 0
    points_chosen: int = 0
    verdict: Verdict = field(default_factory=Verdict)
    exceptions: Exceptions = field(default_factory=Exceptions)

    def add(self, verdict: Verdict) -> None:
        """Count a run in."""
        total = self.verdict
        self.runs += 1
        total.users_asked += verdict.users_asked
        total.users_ok += verdict.users_ok
        total.orphans += verdict.orphans
        total.duplicate_keys += verdict.duplicate_keys
        total.lost_secrets += verdict.lost_secrets
        total.plaintext_hits += verdict.plaintext_hits
        total.left_out += verdict.left_out
        total.taken_late += verdict.taken_late
        total.left_late += verdict.left_late
        total.complaints += verdict.complaints

    @property
    def is_clean(self) -> bool:
        """Whether everything is as it should be."""
        return self.verdict.is_clean and self.exceptions.is_clean

    @property
    def has_struck(self) -> bool:
        """Whether blows fell, and at points where points were chosen: otherwise the runs prove nothing."""
        return bool(self.kills + self.pauses) and bool(self.points or not self.points_chosen)

    def __str__(self) -> str:
        verdict, exceptions = self.verdict, self.exceptions
        return (
            f"runs={self.runs} kills={self.kills} users_asked={verdict.users_asked} users_ok={verdict.users_ok} "
            f"orphans={verdict.orphans} duplicate_keys={verdict.duplicate_keys} lost_secrets={verdict.lost_secrets} "
            f"plaintext_hits={verdict.plaintext_hits} pauses={self.pauses} points={self.points} "
            f"taken_late_reported={verdict.taken_late} left_late_reported={verdict.left_late} "
            f"used_keys_kept={exceptions.used_keys_kept} "
            f"custom_passwords_expired={exceptions.custom_passwords_expired} "
            f"unattributable_reported={exceptions.unattributable_reported}"
        )


Job = Callable[[World], Awaitable[None]]


class NumberedRun(Protocol):
    """A run that is drawn from the seed and its number."""

    def __call__(self, world: World, seed: int, number: int) -> Awaitable[Verdict]:
        """Carry it out."""


class Harness:
    """Carries out what the options say."""

    def __init__(self, options: Options, say: Callable[[str], None] | None = None) -> None:
        self._options = options
        self._say = say or _say
        self._total = Total()
        self._jobs: asyncio.Queue[Job] = asyncio.Queue()
        self._failed = False

    async def run(self) -> Total:
        """Carry out all runs and return their sum."""
        options = self._options
        with _database(options.store) as postgres_url:
            plan = Plan(
                options.store,
                options.timing,
                postgres_url,
                servers=2 if postgres_url else 1,
                sabotage=options.sabotage,
                keep=options.keep,
            )
            await self._find_jobs(plan)
            count = min(options.worlds, self._jobs.qsize())
            worlds = [self._work(replace(plan, name=f"world-{number}")) for number in range(1, count + 1)]
            if options.exceptions:
                worlds.append(self._provoke(replace(plan, name="exceptions", timing=Timing(retry_window=SHORT_WINDOW))))
            await _side_by_side(worlds)
        return self._total

    async def run_cases(self, cases: Sequence[Case]) -> Total:
        """Carry out these cases and nothing else."""
        with _database(self._options.store) as postgres_url:
            for case in cases:
                self._put_case(case)
            plan = Plan("cases", self._options.timing, postgres_url, servers=2 if postgres_url else 1)
            plan = replace(plan, sabotage=self._options.sabotage, keep=self._options.keep)
            await _side_by_side([self._work(plan) for _ in range(min(self._options.worlds, len(cases)))])
        return self._total

    async def _find_jobs(self, plan: Plan) -> None:
        options = self._options
        if options.mode == "bulk":
            self._put_numbered("bulk", options.runs, run_bulk)
            return
        random_runs = {"random": options.runs, "points": 0, "both": options.runs - options.runs // 2}[options.mode]
        self._put_numbered("random", random_runs, partial(run_random, sealed=options.sealed))
        if options.mode != "random":
            cases = await self._find_cases(plan)
            self._total.points_found = len(cases)
            chosen = choose(cases, options.runs - random_runs, options.seed)
            for case in cases if options.only else chosen:
                if options.only in ("", str(case)):
                    self._put_case(case)
            self._say(f"{len(cases)} points were found; {len(chosen)} of them are struck")

    async def _find_cases(self, plan: Plan) -> list[Case]:
        """Find all points, by a clean server: a broken one might not pass them."""
        found: dict[str, list[Case]] = {}

        async def find(stories: Sequence[int]) -> None:
            async with open_world(replace(plan, name="clean", sabotage="")) as world:
                for place in stories:
                    story = STORIES[place]
                    if story.first is None or plan.servers > 1:
                        found[story.name] = await find_points(world, story)

        worlds = min(self._options.worlds, 3)
        await _side_by_side([find(range(first, len(STORIES), worlds)) for first in range(worlds)])
        return [case for story in STORIES for case in found.get(story.name, [])]

    def _put_case(self, case: Case) -> None:
        self._total.points_chosen += case.armed is not None
        self._jobs.put_nowait(self._point_job(case))

    def _put_numbered(self, kind: str, count: int, run: NumberedRun) -> None:
        for number in range(count):
            name = f"{kind}/{number}"
            if self._options.only in ("", name):
                self._jobs.put_nowait(self._numbered_job(name, partial(run, seed=self._options.seed, number=number)))

    def _numbered_job(self, name: str, run: Callable[[World], Awaitable[Verdict]]) -> Job:
        async def job(world: World) -> None:
            self._note(name, await run(world))

        return job

    def _point_job(self, case: Case) -> Job:
        async def job(world: World) -> None:
            run = await run_point(world, self._options.seed, case)
            self._total.points += run.struck
            self._note(str(case), run.verdict, "" if run.struck else " (the point was not passed)")

        return job

    async def _work(self, plan: Plan) -> None:
        async with open_world(plan) as world:
            while not self._jobs.empty() and not (self._failed and self._options.stop_at_first):
                await self._jobs.get_nowait()(world)
            self._count(world)

    async def _provoke(self, plan: Plan) -> None:
        async with open_world(plan) as world:
            for number in range(self._options.exceptions):
                found = await provoke(world, self._options.seed, number)
                self._total.exceptions.add(found)
                for complaint in found.complaints:
                    self._say(f"exceptions/{number}: {complaint}")
            self._count(world)

    def _count(self, world: World) -> None:
        self._total.kills += world.fleet.deaths
        self._total.pauses += world.pauses

    def _note(self, name: str, verdict: Verdict, more: str = "") -> None:
        self._total.add(verdict)
        self._failed = self._failed or not verdict.is_clean
        state = "ok" if verdict.is_clean else "FAILED"
        more += f" ({verdict.left_out} were left out by a cancellation)" if verdict.left_out else ""
        late = verdict.taken_late + verdict.left_late
        more += f" ({late} came or went late, and were reported)" if late else ""
        self._say(f"{self._total.runs}: {name}: {verdict.users_ok} of {verdict.users_asked} {state}{more}")
        for complaint in verdict.complaints:
            self._say(f"    {complaint}")
        if not verdict.is_clean:
            self._say(f"    again: {self._again(name)}")

    def _again(self, name: str) -> str:
        options = self._options
        kind = name.partition("/")[0]
        mode = kind if kind in ("random", "bulk") else "points"
        runs = options.runs - options.runs // 2 if mode == "random" and options.mode == "both" else options.runs
        return (
            f"make chaos RUNS={runs} SEED={options.seed} "
            f'ARGS="--mode {mode} --store {options.store} --sealed {options.sealed} --only {name} --keep"'
        )


async def _side_by_side(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Carry out all; where one fails, the others are ended in order, before anything that they share is."""
    async with asyncio.TaskGroup() as group:
        for one in work:
            group.create_task(one)


@contextmanager
def _database(store: str) -> Iterator[str]:
    """Start PostgreSQL where it is wanted; yield its URL, or nothing for SQLite."""
    if store == "sqlite":
        yield ""
        return
    with database_folder() as folder, start_postgres(folder) as url:
        yield url


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
