"""An audit log of a test's own, with what a server logs of it, and ways to tamper with it behind the service's back."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from structlog.testing import capture_logs

from identity_service.adapters.store.audit_heads import LoggedHeads
from identity_service.adapters.store.audit_reader import snapshot, stored_lines
from identity_service.adapters.store.audit_verification import Finding, Verification
from identity_service.adapters.store.engines import database_of
from identity_service.application.ledger import Denial, Intent
from identity_service.domain import target
from identity_service.domain.outcome import ExecutedStep, Outcome
from tests.unit.adapters.store.worlds import World

FORM = "identity-service/audit/1"
HASHED = (
    "id",
    "at",
    "event",
    "caller_id",
    "team",
    "action",
    "account_id",
    "target",
    "request_id",
    "row_id",
    "trace_id",
    "details",
)
COLUMNS = (*HASHED, "chain_id", "sequence", "previous_hash", "hash")
DENIAL = Denial("caller", "team", "DeleteUser", "123456789012", target.user("Ann"), "request", "CALLER_NOT_ALLOWED")

Line = dict[str, Any]
Log = list[Line]


@dataclass(frozen=True)
class Logged:
    """An audit log, and the lines that its servers wrote."""

    world: World
    server_log: bytes

    def verify(self) -> list[Finding]:
        """Verify what is there now."""
        return verify(self.world, self.server_log)[0]

    def read(self) -> Log:
        """Read all lines past the service."""
        return read(self.world)

    def replace(self, lines: Log) -> None:
        """Put other lines in their place, as somebody may who owns the database."""
        triggers = ("update", "delete", "replace")
        freeing = [f"DROP TRIGGER IF EXISTS audit_log_refuses_{trigger}" for trigger in triggers]
        if self.world.is_postgresql:
            freeing = ["ALTER TABLE audit_log DISABLE TRIGGER ALL"]
        values = ", ".join(self._value(name) for name in COLUMNS)
        insert = f"INSERT INTO audit_log ({', '.join(COLUMNS)}) VALUES ({values})"  # noqa: S608 - the names are our own
        self.world.execute_all(
            *((statement, {}) for statement in (*freeing, "DELETE FROM audit_log")), *((insert, line) for line in lines)
        )

    def _value(self, name: str) -> str:
        casts = {"at": "CAST(:at || '+00' AS timestamptz)", "details": "CAST(:details AS json)"}
        return casts.get(name, f":{name}") if self.world.is_postgresql else f":{name}"


async def write_log(world: World, make_intent: Callable[..., Intent]) -> Logged:
    """Let two processes write eleven lines, in two chains, and a denial; their heads are logged on the way too."""
    with capture_logs() as logged:
        first, second = await world.open(threads=1), await world.open(threads=1)
        for number, ledger in enumerate((first, second, first, first, second)):
            names = {"row_id": f"row-{number}", "request_id": f"request-{number}", "user_name": f"user-{number}"}
            claim = await ledger.begin(make_intent(**names))
            step = ExecutedStep("iam:CreateUser", f"arn-{number}", f"aws-request-{number}", claim.begun_at)
            await ledger.succeed(claim.lease, Outcome(steps=(step,)))
            if number == 2:
                first.log_audit_heads()
        await first.begin(make_intent(row_id="row-9", request_id="request-9", user_name="Zoë \u2028\x7f\n"))
        await second.record_denial(DENIAL)
        for ledger in (first, second):
            await ledger.close()
    return Logged(world, as_json_lines(logged))


def as_json_lines(logged: list[Any]) -> bytes:
    """Write captured log lines as the server's log has them."""
    return b"\n".join(map(orjson.dumps, logged))


def verify(world: World, server_log: bytes) -> tuple[list[Finding], Verification]:
    """Verify a log against what was logged."""
    heads = LoggedHeads()
    heads.read(server_log.splitlines())
    verification = Verification(heads)
    with snapshot(database_of(world.url)) as connection:
        found = [finding for line in stored_lines(connection) for finding in verification.look_at(line)]
    return [*found, *verification.finish()], verification


def read(world: World) -> Log:
    """Read all lines as they are stored."""
    with snapshot(database_of(world.url)) as connection:
        return [dict(line) for line in stored_lines(connection)]


def digest(*parts: object) -> str:
    """Hash as the form says; in other words than the service's."""
    text = json.dumps(parts, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def seal(line: Mapping[str, Any]) -> Line:
    """Give a line the hash that its values have."""
    values = [line[name] for name in HASHED]
    return {**line, "hash": digest(FORM, line["chain_id"], line["sequence"], line["previous_hash"], *values)}


def chain_again(lines: Log) -> Log:
    """Number and hash the lines of every chain anew, as who knows the form can."""
    heads: dict[str, tuple[int, str]] = {}
    chained = []
    for line in lines:
        if line["chain_id"] is None:
            chained.append(line)
            continue
        sequence, before = heads.get(line["chain_id"], (0, digest(FORM, line["chain_id"])))
        sealed = seal({**line, "sequence": sequence + 1, "previous_hash": before})
        heads[line["chain_id"]] = (sequence + 1, sealed["hash"])
        chained.append(sealed)
    return chained
