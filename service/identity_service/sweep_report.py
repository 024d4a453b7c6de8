"""What a sweep has found, as lines for people and as JSON for programs."""

import dataclasses
import json
from collections.abc import Sequence

from identity_service.domain.sweep import Finding

NOTHING = "nothing found: the store vouches for all that this service has made"


def as_lines(findings: Sequence[Finding], *, several: bool = False) -> str:
    """Return one line for each finding, in the order of the sweep: what may be half-made comes first.

    With `several` accounts each line begins with its own.
    """
    lines = (f"{found.account_id} {_line(found)}" if several else _line(found) for found in findings)
    return "\n".join(lines) or NOTHING


def _line(found: Finding) -> str:
    signs = f"CHECK ({', '.join(found.signs)})" if found.signs else "looks complete"
    created = f"{found.created_at:%Y-%m-%dT%H:%M:%SZ}" if found.created_at else "no date"
    what = f"{found.kind} {found.name} {found.identifier}"
    return (
        f"{what}  team {found.owner_team or 'none'}  {created}  {signs}: {found.why}. {found.advice}: {found.command}"
    )


def as_json(account_ids: Sequence[str], findings: Sequence[Finding]) -> str:
    """Return one document with every field of each finding, and the accounts that were swept."""
    listed = [
        {
            **dataclasses.asdict(found),
            "created_at": found.created_at.isoformat() if found.created_at else None,
        }
        for found in findings
    ]
    return json.dumps({"account_ids": list(account_ids), "findings": listed}, indent=2)
