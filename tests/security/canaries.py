"""Lets secrets through the whole service, breaks it in every way, and looks where the secrets are afterwards.

`python -m tests.security.canaries [--quick] [--json]` prints how many places were searched and the hits; the exit code
is 1 if there is a hit, or if what was tried did not come about. A program of its own, because it turns every logger up
and exchanges the code of running functions.
"""

import argparse
import asyncio
import gc
import json
import sys
import tempfile
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from itertools import cycle
from pathlib import Path
from types import FunctionType
from typing import Any, BinaryIO
from uuid import uuid4

import grpc
import sqlalchemy as sa
from google.protobuf.message import Message

from embedded_aws import Fault
from embedded_aws.faults import AnswerError, AnswerHtml, CloseConnection, Effect, LoseReply, throttled
from identity_service.adapters.store import migrate
from tests.security.canary_functions import Watch, functions_of, name_of, raising
from tests.security.canary_rows import MORE_SECRETS, ROWS, Row, bad_requests, is_built, plain_request, succeeded
from tests.security.canary_search import Search
from tests.security.canary_starts import look_at_commands, look_at_starts
from tests.security.canary_stores import look_at_store
from tests.security.canary_world import CUSTOM, METHODS, Reply, World, redirect_stderr, running
from tests.support.postgres import database_folder, start_postgres

TIMEOUT = 3.0
"""What is broken on purpose may never answer."""
EFFECTS: tuple[tuple[str, Effect], ...] = (
    ("denied with the password in the text", AnswerError("AccessDenied", 403, f"not allowed: {CUSTOM}")),
    ("refused with the password in the text", AnswerError("ValidationError", 400, f"Value '{CUSTOM}' failed")),
    ("password in the error's code", AnswerError("PasswordPolicyViolation", 400, CUSTOM)),
    ("throttled", throttled()),
    ("answer lost", LoseReply()),
    ("connection cut", CloseConnection()),
    ("page of a proxy", AnswerHtml(do_it=True)),
)
QUICK = 20
"""In a quick run, one function of so many is made to raise."""
QUICK_EFFECTS = 2
"""In a quick run, a step fails in so many ways, and the next step in the ways after them."""


@dataclass
class Report:
    """What came of a run."""

    places: int = 0
    scrapes: int = 0
    hits: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    secrets: int = 0
    cases: dict[str, int] = field(default_factory=dict)
    types: list[str] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


class Run:
    """One run through all parts, each against the same world."""

    def __init__(self, world: World, terminal: BinaryIO, quick: bool) -> None:
        self.world = world
        self.search = world.search
        self.report = Report()
        self._terminal = terminal
        self._quick = quick
        self._users = 0
        self._all_effects = cycle(EFFECTS)
        self._watch = Watch(world.search)

    async def all(self) -> None:
        """Run every part, and search the server's files after each."""
        parts: Sequence[Callable[[], Awaitable[None]]] = (
            self.successes, self.others, self.bad_input, self.aws_faults, self.failing_reads, self.statements,
            self.slow_callbacks, self.forced_exceptions, self.outside, self.postgresql,
        )  # fmt: skip
        for part in parts:
            began = time.perf_counter()
            await part()
            self.world.look_at_rest(f"after {part.__name__}")
            self.world.look_at_files(f"after {part.__name__}")
            await self.world.look_at_metrics(f"after {part.__name__}")
            self.report.seconds[part.__name__] = round(time.perf_counter() - began, 1)
            self._say(
                f"{part.__name__}: {self.report.seconds[part.__name__]} s, {len(self.search.places)} places, "
                f"{len(self.search.hits)} hits"
            )

    async def successes(self) -> None:
        """Each row as it should go, its retries, and how every object on the way shows itself."""
        self._watch.install()
        for row in ROWS:
            request: Any = await row.prepare(self.world, self._name())
            if "request_id" in request.DESCRIPTOR.fields_by_name:
                request.request_id = str(uuid4())
            for case in ("first", "again", "new secrets"):
                if case == "new secrets" and "reissue_secrets" in request.DESCRIPTOR.fields_by_name:
                    request.reissue_secrets = True
                with self._watch.watching(f"{row.name}, {case}"):
                    reply = await self._call(f"{row.name}, {case}", row.rpc, request, 20)
                if case == "first":
                    self._expect(succeeded(row, reply), f"{row.name}: {reply.code} {reply.text[:200]}")
                    self.report.rows.append(row.rpc)
            request = await row.prepare(self.world, self._name())
            if "validate_only" in request.DESCRIPTOR.fields_by_name:
                request.validate_only = True
                await self._call(f"{row.name}, plan alone", row.rpc, request, 20)
        self._watch.remove()
        self.report.types = sorted(self._watch.types)

    async def others(self) -> None:
        """Every RPC that holds no secret, after others have: none of theirs comes out of it."""
        for rpc in METHODS.keys() - {row.rpc for row in ROWS}:
            await self._call(f"{rpc}, plain", rpc, plain_request(METHODS[rpc]), 20)

    async def bad_input(self) -> None:
        """Requests that are refused, and bytes that are no request."""
        for secret in MORE_SECRETS:
            self.search.add("custom password", secret)
        for name, rpc, request in bad_requests():
            reply = await self._call(f"bad input, {name}", rpc, request, 20)
            self._expect(reply.code is not grpc.StatusCode.OK or name == "plan alone", f"{name} was not refused")
        for row in ROWS:
            await self._broken_bytes(row)

    async def _broken_bytes(self, row: Row) -> None:
        request = await row.prepare(self.world, self._name())
        whole = request.SerializeToString() + CUSTOM.encode()
        method = METHODS[row.rpc]
        stub = self.world.channel.unary_unary(f"/{method.containing_service.full_name}/{row.rpc}")
        for name, content in (("with more", whole), ("cut", whole[:-3]), ("as text", str(request).encode())):
            case = f"broken bytes, {row.name} {name}"
            try:
                await stub(content, timeout=20)
            except grpc.aio.AioRpcError as error:
                self.search.look(f"{case}: status", f"{error.details()} {error.trailing_metadata()}")
            self.world.look_at_rest(case)

    async def aws_faults(self) -> None:
        """Each step of each row, failing as AWS fails, with the password in what AWS says."""
        for row in (row for row in ROWS if is_built(row.rpc)):
            for step in row.steps:
                for name, effect in self._effects(QUICK_EFFECTS):
                    request = await row.prepare(self.world, self._name())
                    await asyncio.to_thread(self.world.aws.inject, Fault(step, effect))
                    await self._call(f"AWS, {row.name}, {step} {name}", row.rpc, request, 20)
                    await asyncio.to_thread(self.world.aws.clear_faults)

    async def failing_reads(self) -> None:
        """Each call by which a mutation reads the account, and the RPCs that only read, failing as AWS fails."""
        rows = {row.rpc: row for row in self._main_rows()}
        for rpc in (*rows, "GetAccount", "GetUser", "ListUsers", "ListGroups", "ListPolicies", "ListMfaDevices"):
            for read in await self._reads_of(rpc, rows.get(rpc)):
                for name, effect in self._effects(1):
                    request = await self._request(rpc, rows.get(rpc))
                    await asyncio.to_thread(self.world.aws.inject, Fault(read, effect))
                    await self._call(f"AWS read, {rpc}, {read} {name}", rpc, request, 20)
                    await asyncio.to_thread(self.world.aws.clear_faults)

    def _effects(self, quick: int) -> Sequence[tuple[str, Effect]]:
        """Choose all effects, or in a quick run so many, which are the next ones each time."""
        return [next(self._all_effects) for _ in range(quick)] if self._quick else EFFECTS

    async def _reads_of(self, rpc: str, row: Row | None) -> list[str]:
        """Name the calls of AWS that an RPC reads by."""
        request = await self._request(rpc, row)
        await asyncio.to_thread(self.world.aws.clear_calls)
        await self._call(f"{rpc}, to see what it reads", rpc, request, 20)
        calls = await asyncio.to_thread(self.world.aws.calls)
        reads = {call.operation for call in calls if call.operation.startswith(("Get", "List"))}
        self._expect(bool(reads), f"{rpc} has read nothing")
        return sorted(reads)

    async def _request(self, rpc: str, row: Row | None) -> Message:
        return await row.prepare(self.world, self._name()) if row else plain_request(METHODS[rpc])

    async def statements(self) -> None:
        """The store failing at each of its statements, with SQLAlchemy's error, which quotes the parameters."""
        for row in self._main_rows():
            for number in range(1, 100, 5 if self._quick else 1):
                request = await row.prepare(self.world, self._name())
                async with _store_failing_at(number) as counted:
                    await self._call(f"store, {row.name}, statement {number}", row.rpc, request, TIMEOUT)
                if len(counted) < number:
                    break
                await self._mend()

    async def slow_callbacks(self) -> None:
        """Asyncio's debug mode, which writes every callback that it takes for slow, with its arguments."""
        loop = asyncio.get_running_loop()
        before = loop.slow_callback_duration
        loop.set_debug(True)
        loop.slow_callback_duration = 0.0
        try:
            for row in self._main_rows():
                request = await row.prepare(self.world, self._name())
                await self._call(f"asyncio's debug mode, {row.name}", row.rpc, request, 20)
        finally:
            loop.slow_callback_duration = before
            loop.set_debug(False)

    async def forced_exceptions(self) -> None:
        """Every function that ran, raising an exception whose text is a secret."""
        functions = functions_of(self._watch.codes)
        chosen = functions[::QUICK] if self._quick else functions
        self._expect(len(functions) > 300, f"only {len(functions)} functions were seen")
        for function in chosen:
            for row in self._rows_for(function):
                request = await row.prepare(self.world, self._name())
                with raising(function):
                    reply = await self.world.call(row.rpc, request, TIMEOUT)
                self._look(f"exception, {name_of(function)} in {row.name}", reply)
                await self._mend()

    async def postgresql(self) -> None:
        """A server on PostgreSQL, calls that succeed and calls that fail, and then every row of its store."""
        await look_at_store(self.world, "SQLite")
        with database_folder() as folder, start_postgres(folder) as url:
            await asyncio.to_thread(migrate, url)
            before = self.world.store_url
            await self.world.move(url)
            for row in self._main_rows():
                for case, fault in (("", None), (" refused", Fault(row.steps[-1], EFFECTS[1][1]))):
                    request = await row.prepare(self.world, self._name())
                    if fault:
                        await asyncio.to_thread(self.world.aws.inject, fault)
                    reply = await self._call(f"PostgreSQL, {row.name}{case}", row.rpc, request, 20)
                    await asyncio.to_thread(self.world.aws.clear_faults)
                    self._expect(bool(fault) or succeeded(row, reply), f"PostgreSQL, {row.name}: {reply.text[:200]}")
            await look_at_store(self.world, "PostgreSQL")
            await self.world.move(before)

    async def outside(self) -> None:
        """The command line against this server, and servers that do not start: in a quick run one of each kind."""
        await look_at_commands(self.world)
        await look_at_starts(self.world, quick=self._quick)

    def _main_rows(self) -> list[Row]:
        """Choose the rows that together hold every kind of secret."""
        return [row for row in ROWS if row.name in ("ProvisionUser", "ProvisionUser sealed", "EnableMfaDevice")]

    def _rows_for(self, function: FunctionType) -> list[Row]:
        """Choose the row with the most secrets, and for what concerns one step alone the row of that step."""
        name = name_of(function).lower()
        wanted = ["ProvisionUser"]
        wanted += ["ProvisionUser sealed"] if "seal" in name else []
        wanted += ["EnableMfaDevice"] if "enabl" in name or "mfa" in name else []
        return [row for row in ROWS if row.name in wanted]

    async def _mend(self) -> None:
        """Start the server anew if what was done to it has broken it for good."""
        reply = await self.world.call("ListGroups", plain_request(METHODS["ListGroups"]), TIMEOUT)
        if reply.code is not grpc.StatusCode.OK:
            self.report.cases["restarts"] = self.report.cases.get("restarts", 0) + 1
            await self.world.restart()

    async def _call(self, case: str, rpc: str, request: Message, seconds: float) -> Reply:
        reply = await self.world.call(rpc, request, seconds)
        self._look(case, reply)
        return reply

    def _look(self, case: str, reply: Reply) -> None:
        """Search what a case has left, and count it."""
        gc.collect(0)  # so that what nobody has awaited complains now
        self.world.look_at_reply(case, reply)
        self.world.look_at_rest(case)
        kind = case.partition(",")[0]
        self.report.cases[kind] = self.report.cases.get(kind, 0) + 1

    def _name(self) -> str:
        self._users += 1
        return f"u{self._users}"

    def _expect(self, is_so: bool, problem: str) -> None:
        if not is_so:
            self.report.problems.append(problem)

    def _say(self, line: str) -> None:
        self._terminal.write(f"canaries: {line}\n".encode())


@asynccontextmanager
async def _store_failing_at(number: int) -> AsyncIterator[list[None]]:
    """Let the store's statement with this number fail, and all after it for a while; yields one item a statement."""
    executed: list[None] = []

    def before(_connection: Any, _cursor: Any, _statement: str, parameters: Any, *_: Any) -> None:
        executed.append(None)
        if len(executed) == number:
            raise sa.exc.OperationalError(f"INSERT {CUSTOM}", parameters, ValueError(f"disk I/O error: {CUSTOM}"))

    sa.event.listen(sa.engine.Engine, "before_cursor_execute", before)
    try:
        yield executed
    finally:
        sa.event.remove(sa.engine.Engine, "before_cursor_execute", before)


async def run(folder: Path, terminal: BinaryIO, quick: bool) -> Report:
    """Run everything in a folder; return what came of it."""
    search = Search()
    (folder / "server").mkdir()
    async with running(folder / "server", folder / "stderr", search) as world:
        current = Run(world, terminal, quick)
        await current.all()
    world.look_at_rest("after the end")
    report = current.report
    report.places, report.secrets = len(search.places), len(search.secrets)
    report.scrapes = sum(place.endswith("metrics scraped") for place in search.places)
    report.hits = sorted({str(hit) for hit in search.hits})
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print the figures, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.security.canaries", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=f"force an exception in one function of {QUICK} only")
    parser.add_argument("--json", action="store_true", help="print the whole report as one JSON document")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        terminal = redirect_stderr(Path(folder) / "stderr")
        try:
            report = asyncio.run(run(Path(folder), terminal, options.quick))
        except BaseException:
            terminal.write(traceback.format_exc().encode())
            raise
    if options.json:
        print(json.dumps(asdict(report)))
    else:
        print(f"places={report.places} secrets={report.secrets} hits={len(report.hits)}")
    for line in (*report.hits[:50], *report.problems):
        terminal.write(f"canaries: {line}\n".encode())
    return 1 if report.hits or report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
