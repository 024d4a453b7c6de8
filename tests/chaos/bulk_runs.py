"""Runs in which a client asks for many users in one operation, while servers die and stand still."""

from collections.abc import Sequence
from random import Random

from tests.chaos.judge import Verdict
from tests.chaos.onboarding import Onboarding
from tests.chaos.random_runs import draw_blows, under_blows
from tests.chaos.wishes import Kind, Wish, make
from tests.chaos.world import World, chance_of

USERS = 16
WITHIN_SECONDS = 8.0
"""In which part of a run, from its beginning, the blows fall."""
MOST_BLOWS = 5
WEIGHTS = {Kind.PERSON: 5, Kind.ROBOT: 6, Kind.UNBOUNDED: 1, Kind.TAKEN: 1}


async def run_bulk(world: World, seed: int, number: int) -> Verdict:
    """Let one client, who may die himself, make many users of which some have to be refused."""
    chance = chance_of(seed, "bulk", number)
    wishes = _draw(chance, number, world.identity.recipient)
    client = Onboarding(wishes, world.fleet.target, world.timing, world.identity, chance)
    blows = draw_blows(chance, len(world.fleet.servers), world.timing, WITHIN_SECONDS, MOST_BLOWS)
    return await under_blows(world, chance, wishes, blows, client.run)


def _draw(chance: Random, number: int, recipient: str) -> Sequence[Wish]:
    kinds = chance.choices(list(WEIGHTS), weights=list(WEIGHTS.values()), k=USERS)
    return [make(kind, chance, f"b{number}-{kind}-{place}", (recipient,)) for place, kind in enumerate(kinds)]
