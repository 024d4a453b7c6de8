"""The audit log as it is handed on: one JSON object for each line, with the plan that it belongs to."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from identity_service.adapters.store.audit_reader import STORED, StoredLine, stored_lines, stored_pages
from identity_service.adapters.store.schema import AuditEventName, UtcDateTime
from identity_service.domain import target

COPIED = ("id", "event", "caller_id", "team", "action", "account_id", "target", "request_id", "row_id", "trace_id")
CHAIN = ("chain_id", "sequence", "hash")
ROWS_AT_ONCE = 500
"""How many intents are looked for at once: databases take a limited number of parameters."""

Exported = dict[str, Any]


@dataclass(frozen=True)
class Selection:
    """Which lines are wanted; None leaves a condition out. `since` is included, `until` is not."""

    since: datetime | None = None
    until: datetime | None = None
    caller_id: str | None = None
    team: str | None = None
    user_name: str | None = None
    account_id: str | None = None

    def conditions(self) -> Iterator[sa.ColumnElement[bool]]:
        """Yield the conditions on STORED."""
        at = sa.type_coerce(STORED.c.at, UtcDateTime)
        if self.since is not None:
            yield at >= self.since
        if self.until is not None:
            yield at < self.until
        if self.caller_id is not None:
            yield STORED.c.caller_id == self.caller_id
        if self.team is not None:
            yield STORED.c.team == self.team
        if self.account_id is not None:
            yield STORED.c.account_id == self.account_id
        if self.user_name is not None:
            # IAM's names differ in more than their case.
            yield sa.func.lower(STORED.c.target) == str(target.user(self.user_name)).lower()


def export(connection: sa.Connection, selection: Selection) -> Iterator[Exported]:
    """Yield the selected lines in the order of their ids. Raises ValueError for a line whose details are no JSON."""
    for page in stored_pages(connection, *selection.conditions()):
        intents = _intents(connection, page)
        for line in page:
            yield _exported(line, intents.get(line["row_id"], ()))


def _intents(connection: sa.Connection, page: Sequence[StoredLine]) -> dict[str, list[StoredLine]]:
    """Return the intents of all requests of a page, the oldest first; a request that ran again has several."""
    row_ids = sorted({str(line["row_id"]) for line in page} - {""})
    found: dict[str, list[StoredLine]] = {}
    for start in range(0, len(row_ids), ROWS_AT_ONCE):
        of_rows = STORED.c.row_id.in_(row_ids[start : start + ROWS_AT_ONCE])
        for intent in stored_lines(connection, of_rows, STORED.c.event == AuditEventName.INTENT.value):
            found.setdefault(intent["row_id"], []).append(intent)
    return found


def _exported(line: StoredLine, intents: Sequence[StoredLine]) -> Exported:
    details = orjson.loads(line["details"])
    is_denied = line["event"] == AuditEventName.DENIED
    plans = [intent["details"] for intent in intents if intent["id"] <= line["id"]]
    return {
        "time": f"{line['at'].replace(' ', 'T')}Z",
        **{name: line[name] for name in COPIED},
        "decision": "denied" if is_denied else "allowed",
        "reason": details.get("reason", ""),
        "plan": _plan(orjson.loads(plans[-1])) if plans else None,
        "result": None if is_denied or line["event"] == AuditEventName.INTENT else details,
        "aws_request_ids": _aws_request_ids(details),
        **{name: line[name] for name in CHAIN},
    }


def _plan(details: Mapping[str, Any]) -> Exported:
    return {"digest": details["plan_digest"], "steps": details["steps"], "warnings": details["warnings"]}


def _aws_request_ids(details: Mapping[str, Any]) -> list[str]:
    """Return AWS's ids of the calls that a line tells of, by which CloudTrail knows them, each once."""
    calls = (*details.get("steps", ()), *details.get("calls", ()), details)
    ids = [call.get("aws_request_id") for call in calls]
    return list(dict.fromkeys(id_ for id_ in ids if id_))
