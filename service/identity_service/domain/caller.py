"""Who calls."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Caller:
    """An authenticated caller: its id (a SPIFFE id) and the team that it acts for."""

    id: str
    team: str
