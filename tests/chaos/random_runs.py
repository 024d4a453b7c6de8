"""Runs with random kills and pauses, every fault of the account's catalogue being on."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from random import Random

from tests.chaos.clients import Habits, Holding
from tests.chaos.judge import Verdict
from tests.chaos.timing import Timing
from tests.chaos.wishes import Wish, draw
from tests.chaos.world import World, chance_of

USERS = 5
SPREAD_SECONDS = 1.5
RELEASE_EVERY = 0.7


@dataclass(frozen=True)
class Blow:
    """What the operator does to a server, and when; a pause of 0 is a kill."""

    at: float
    server: int
    pause: float
    restart_after: float


async def run_random(world: World, seed: int, number: int, sealed: str = "both") -> Verdict:
    """Let clients ask for users while servers die and stand still."""
    chance = chance_of(seed, "random", number)
    recipients = () if sealed == "unsealed" else (world.identity.recipient,)
    wishes = draw(chance, number, USERS, recipients, always_sealed=sealed == "sealed")
    habits = [Habits.draw(chance) for _ in wishes]
    delays = [chance.uniform(0, SPREAD_SECONDS) for _ in wishes]
    blows = draw_blows(chance, len(world.fleet.servers), world.timing)
    return await under_blows(world, chance, wishes, blows, lambda: world.ask(wishes, habits, delays))


async def under_blows(
    world: World,
    chance: Random,
    wishes: Sequence[Wish],
    blows: Sequence[Blow],
    ask: Callable[[], Awaitable[Sequence[Holding]]],
) -> Verdict:
    """Let clients ask while the account misbehaves and the blows fall, and judge."""
    prepared = await asyncio.to_thread(world.account.prepare, wishes)
    # What was just made is known everywhere before anybody asks: it is no part of what is tried here.
    await asyncio.sleep(world.timing.settle)
    await asyncio.to_thread(world.account.misbehave, chance, wishes)
    releasing = asyncio.create_task(_release_for_ever(world))
    try:
        striking = [asyncio.create_task(_strike(world, blow)) for blow in blows]
        holdings = await ask()
        await asyncio.gather(*striking)
        return await world.end(prepared, holdings)
    finally:
        releasing.cancel()


def draw_blows(
    chance: Random, servers: int, timing: Timing, within: float = SPREAD_SECONDS + 1.5, most: int = 3
) -> Sequence[Blow]:
    """Draw one blow or more: half of them kills.

    Most pauses outlast the lease. Some end when callers were answered and signatures are valid, some after all windows.
    """
    return [
        Blow(
            at=chance.uniform(0.1, within),
            server=chance.randrange(servers),
            pause=_draw_pause(chance, timing),
            restart_after=chance.uniform(0, 0.5),
        )
        for _ in range(chance.randint(1, most))
    ]


def _draw_pause(chance: Random, timing: Timing) -> float:
    kind = chance.random()
    if kind < 0.5:
        return 0.0
    if kind < 0.65:
        return chance.uniform(0.2, timing.lease * 0.8)
    if kind < 0.8:
        return chance.uniform(timing.lease * 1.2, timing.lease * 2)
    if kind < 0.95:
        return chance.uniform(timing.lease * 2, timing.signature_validity)
    return timing.lease + timing.signature_validity + timing.settle + 1


async def _strike(world: World, blow: Blow) -> None:
    await asyncio.sleep(blow.at)
    server = world.fleet.servers[blow.server]
    if blow.pause:
        await world.pause(server, blow.pause)
    else:
        server.restart_after = blow.restart_after
        server.kill()


async def _release_for_ever(world: World) -> None:
    while True:
        await asyncio.sleep(RELEASE_EVERY)
        await asyncio.to_thread(world.account.release)
