"""Runs in which one server dies or stands still at one exact point: before or after one call, or one unit of work.

The points are found by clean runs, in which each server writes down what it passes.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from tests.chaos.clients import Habits, Holding
from tests.chaos.fleet import Server
from tests.chaos.judge import Verdict
from tests.chaos.onboarding import Course, Onboarding
from tests.chaos.points import ACTIONS, ARMED, Armed
from tests.chaos.timing import Timing
from tests.chaos.wishes import AGAIN, Kind, Wish, make
from tests.chaos.world import World, chance_of

OF_THE_WORKER = (
    "store:take_over_abandoned:",
    "store:claim_second_look:",
    "store:remove_old",
    "store:claim_users:",
    "store:settle_operations:",
    "store:ping:",
)
"""Passed several times a second, whatever is asked: only their first passing is a point."""
LOOK_EVERY = 0.01
LATE_LEASES = 2.0
"""After how many leases a late call arrives."""
STILL_VALID = 0.96
"""Up to which part of a signature's validity a process stands still, so that it gets to send what it has signed."""
READS = ("iam:Get", "iam:List")


@dataclass(frozen=True)
class Story:
    """What is asked, and what has happened to another server before: `first` is where that one has died.

    More than one of `users` are asked for in one operation, sealed, which all servers work on and are armed for.
    """

    name: str
    kind: Kind
    sealed: bool = False
    first: Armed | None = None
    users: int = 1


STORIES: Sequence[Story] = (
    Story("person", Kind.PERSON),
    Story("sealed-person", Kind.PERSON, sealed=True),
    Story("credentials", Kind.CREDENTIALS),
    Story("key", Kind.KEY),
    Story("device", Kind.DEVICE),
    Story("permissions", Kind.PERMISSIONS),
    Story("revocation", Kind.REVOCATION),
    Story("deletion", Kind.DELETION),
    Story("unbounded", Kind.UNBOUNDED),
    Story("key-again", Kind.KEY_AGAIN),
    Story("password-again", Kind.PASSWORD_AGAIN),
    Story("grant-again", Kind.GRANT_AGAIN),
    Story("takeover", Kind.KEY, first=Armed("store:record_mint:before", 1, "kill")),
    Story("reissue", Kind.CREDENTIALS, first=Armed("store:succeed:after", 1, "kill")),
)


@dataclass(frozen=True)
class Case:
    """One story with one blow at one point.

    `pause` is how many seconds a pause lasts, drawn where it is 0. `faults` tells whether the account misbehaves
    once the blow has fallen. `late_call` is a call that arrives long after
    its sender has given up on it, while its signature is still valid.
    """

    story: Story
    armed: Armed | None
    pause: float = 0.0
    late_call: str = ""
    faults: bool = True

    def __str__(self) -> str:
        if self.armed is None:
            return f"{self.story.name}/{self.late_call or 'clean'}"
        return f"{self.story.name}/{self.armed.point}/{self.armed.passing}/{self.armed.action}"


@dataclass(frozen=True)
class PointRun:
    """What came of a case; `struck` tells whether the point was passed at all."""

    verdict: Verdict
    struck: bool


async def find_points(world: World, story: Story) -> list[Case]:
    """Run a story without faults and without blows, and list what was passed by the server that ends it."""
    server = _server_of(world, story)
    begun = server.passed_so_far()
    run = await _run(world, Case(story, None), chance_of(0, "find", story.name))
    if not run.verdict.is_clean:
        raise RuntimeError(f"the clean run of {story.name} failed: {run.verdict.complaints}")
    passed = [line.split() for line in server.passed(begun)]
    seen = dict.fromkeys((point, int(passing)) for point, passing in passed)
    return [
        Case(story, Armed(point, passing, action))
        for point, passing in seen
        if _is_point(story, point)
        if passing == 1 or not point.startswith(OF_THE_WORKER)
        for action in ACTIONS
    ]


def _is_point(story: Story, point: str) -> bool:
    """Tell what is worth a blow: a read that is signed does nothing that one before its signing does not do."""
    if point == ARMED or (point.startswith(READS) and point.endswith(":signed")):
        return False
    return not (story.sealed or story.kind in AGAIN) or not point.startswith(READS)


def choose(cases: Sequence[Case], count: int, seed: int) -> list[Case]:
    """Choose so many of all points, without repetition; a count of 0 chooses all."""
    if not count or count >= len(cases):
        return list(cases)
    return chance_of(seed, "points").sample(list(cases), count)


async def run_point(world: World, seed: int, case: Case) -> PointRun:
    """Let a client ask a server that is armed. The account's faults are on as soon as the blow has fallen."""
    return await _run(world, case, chance_of(seed, "point", case))


async def _run(world: World, case: Case, chance: Random) -> PointRun:
    story = case.story
    is_sealed = story.sealed or story.users > 1
    recipients = (world.identity.recipient,) if is_sealed else ()
    wishes = [make(story.kind, chance, f"p{chance.getrandbits(32):08x}", recipients) for _ in range(story.users)]
    prepared = await asyncio.to_thread(world.account.prepare, wishes)
    # What somebody else has just made, a service may rightly not find yet.
    await asyncio.sleep(world.timing.settle)
    world.account.lose_boundaries(wishes)
    if case.late_call:
        world.account.delay(case.late_call, wishes[0].user_name, LATE_LEASES * world.timing.lease)
    await _arm(world, case)
    blow = _Blow(world, case, wishes, chance)
    falling = asyncio.create_task(blow.fall() if case.armed else asyncio.sleep(0))
    try:
        holdings = await _ask(world, wishes, chance)
        # The blow may still fall, in the second look.
        await world.wait_until_over(unless=lambda: blow.has_fallen)
        if blow.has_fallen:
            await falling
    finally:
        falling.cancel()
    return PointRun(await world.end(prepared, holdings), blow.has_fallen)


async def _ask(world: World, wishes: Sequence[Wish], chance: Random) -> Sequence[Holding]:
    if len(wishes) > 1:
        return await Onboarding(wishes, world.fleet.target, world.timing, world.identity, chance, Course()).run()
    return await world.ask(wishes, (Habits(first_target=f"ipv4:{world.fleet.servers[0].address}"),))


def draw_pause(chance: Random, timing: Timing) -> float:
    """Return seconds: half of the pauses end when others have just taken over, half after their callers were answered.

    Also the long ones end before the signature does: what was signed before is still taken by the account.
    """
    soon, late = timing.lease * 1.2, timing.lease * 2.4
    if chance.random() < 0.5:
        return chance.uniform(soon, late)
    return chance.uniform(late, timing.signature_validity * STILL_VALID)


class _Blow:
    """What happens at the point: the server has done it to itself, and is found dead or paused."""

    def __init__(self, world: World, case: Case, wishes: Sequence[Wish], chance: Random) -> None:
        self._world = world
        self._targets = _servers_of(world, case.story)
        self._pause = case.pause or draw_pause(chance, world.timing)
        self._wishes = wishes
        self._chance = chance
        self._faults = case.faults
        self.has_fallen = False

    async def fall(self) -> None:
        """Wait for it; from then on the account's faults are on, unless the case says otherwise.

        What is paused is resumed once its lease has ended.
        """
        deaths = {target.name: target.deaths for target in self._targets}
        while not any(  # noqa: ASYNC110 - a process tells nobody
            target.is_paused or target.deaths > deaths[target.name] for target in self._targets
        ):
            await asyncio.sleep(LOOK_EVERY)
        self.has_fallen = True
        if self._faults:
            await asyncio.to_thread(self._world.account.misbehave, self._chance, self._wishes)
        for target in self._targets:
            if target.is_paused:
                self._world.pauses += 1
                await asyncio.sleep(self._pause)
                target.resume()


def _servers_of(world: World, story: Story) -> Sequence[Server]:
    """The servers that a story is about: of an operation, any may work on any user."""
    return world.fleet.servers if story.users > 1 else (_server_of(world, story),)


def _server_of(world: World, story: Story) -> Server:
    """The server that a story is about: where one has died before, it is another one, if there is another one."""
    return world.fleet.servers[-1 if story.first else 0]


async def _arm(world: World, case: Case) -> None:
    servers = world.fleet.servers
    for server in servers:
        # Where one has to die first, another one has to be asked in its place.
        server.restart_after = world.timing.attempt if case.story.first else 0.0
        await server.arm(None)
    if case.story.first:
        await servers[0].arm(case.story.first)
    for target in _servers_of(world, case.story) if case.armed else ():
        await target.arm(case.armed)
