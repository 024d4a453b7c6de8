"""What a sweep has found, as lines for people and as JSON for programs."""

import dataclasses
import json
from collections.abc import Sequence

from identity_service.domain.sweep import Finding

NOTHING = "nothing found: the store vouches for all that this service has made"


def as_lines(findings: Sequence[Finding]) -> str:
    """Return one line for each finding, in the order of the sweep: what may be half-made comes first."""
    return "\n".join(map(_line, findings)) or NOTHING


def _line(found: Finding) -> str:
    signs = f"CHECK ({', '.join(found.signs)})" if found.signs else "looks complete"
    created = f"{found.created_at:%Y-%m-%dT%H:%M:%SZ}" if found.created_at else "no date"
    what = f"{found.kind} {found.name} {found.identifier}"
    return (
        f"{what}  team {found.owner_team or 'none'}  {created}  {signs}: {found.why}. {found.advice}: {found.command}"
    )


def as_json(account_id: str, findings: Sequence[Finding]) -> str:
    """Return one document with every field of each finding."""
    listed = [
        {
            **dataclasses.asdict(found),
            "created_at": found.created_at.isoformat() if found.created_at else None,
        }
        for found in findings
    ]
    return json.dumps({"account_id": account_id, "findings": listed}, indent=2)
