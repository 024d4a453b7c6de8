"""Runs in which a client asks for many users in one operation, while servers die and stand still.

Some are planned and reviewed first, some are cancelled in the middle, some make no credentials.
"""

from collections.abc import Sequence
from random import Random

from tests.chaos.judge import Verdict
from tests.chaos.onboarding import Course, Onboarding
from tests.chaos.random_runs import draw_blows, under_blows
from tests.chaos.wishes import Kind, Wish, make, without_credentials
from tests.chaos.world import World, chance_of

FEWEST_USERS, MOST_USERS = 12, 24
WITHIN_SECONDS = 8.0
"""In which part of a run, from its beginning, the blows fall."""
MOST_BLOWS = 5
WEIGHTS = {Kind.PERSON: 5, Kind.ROBOT: 6, Kind.UNBOUNDED: 1, Kind.TAKEN: 1}


async def run_bulk(world: World, seed: int, number: int) -> Verdict:
    """Let one client, who may die himself, make many users of which some have to be refused."""
    chance = chance_of(seed, "bulk", number)
    course = Course.draw(chance)
    wishes = _draw(chance, number, world.identity.recipient, course)
    client = Onboarding(wishes, world.fleet.target, world.timing, world.identity, chance, course)
    blows = draw_blows(chance, len(world.fleet.servers), world.timing, WITHIN_SECONDS, MOST_BLOWS)
    return await under_blows(world, chance, wishes, blows, client.run)


def _draw(chance: Random, number: int, recipient: str, course: Course) -> Sequence[Wish]:
    users = chance.randint(FEWEST_USERS, MOST_USERS)
    kinds = chance.choices(list(WEIGHTS), weights=list(WEIGHTS.values()), k=users)
    wishes = [make(kind, chance, f"b{number}-{kind}-{place}", (recipient,)) for place, kind in enumerate(kinds)]
    return wishes if course.seals else [without_credentials(wish) for wish in wishes]
