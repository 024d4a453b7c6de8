"""What the servers' second looks have reported, as it stands in the audit log."""

import json
from dataclasses import dataclass

import sqlalchemy as sa

SECOND_LOOKS = sa.text("SELECT details FROM audit_log WHERE event = 'second-look'")


@dataclass(frozen=True)
class Reports:
    """Things in words, such as `console password of ann`: what is gone that was given, and what nobody can attribute.

    Access keys stand there by their ids.
    """

    missing: frozenset[str] = frozenset()
    unattributed: frozenset[str] = frozenset()


def read_reports(engine: sa.Engine) -> Reports:
    """Read all of them."""
    with engine.connect() as connection:
        found = [_parsed(details) for details in connection.execute(SECOND_LOOKS).scalars()]
    return Reports(
        missing=frozenset(thing for one in found for thing in one.get("missing", ())),
        unattributed=frozenset(thing for one in found for thing in one.get("unattributed", ())),
    )


def _parsed(details: str | dict[str, list[str]]) -> dict[str, list[str]]:
    """JSON comes as text from SQLite, and parsed from PostgreSQL."""
    parsed: dict[str, list[str]] = json.loads(details) if isinstance(details, str) else details
    return parsed
