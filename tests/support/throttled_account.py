"""Replicas that make users in an account which takes so many calls a second, in virtual time and without sockets."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from random import Random

from identity_service.adapters.aws_iam.operations import Effect
from identity_service.adapters.aws_iam.pacing import PacedCall, Pacer, Turn
from identity_service.adapters.aws_iam.recent_entities import RecentEntities
from identity_service.adapters.aws_iam.retry import Clock, Reply, Retrier
from identity_service.adapters.aws_iam.send_rate import SendRate
from identity_service.application.ports import Receipt
from identity_service.application.priority import in_bulk
from identity_service.domain.errors import IamError, IamErrorKind

REPLY = Reply({}, Receipt("request-1", datetime.now(UTC)))
ROUNDS = ((Effect.READ,), (Effect.READ,), (Effect.WRITE,), (Effect.WRITE,) * 3, (Effect.MINT,) * 2)
"""What one user takes: two reads, the user, three grants side by side, two credentials side by side."""
CALLS_PER_USER = sum(map(len, ROUNDS))


def loop_time() -> float:
    """The running loop's time."""
    return asyncio.get_running_loop().time()


@dataclass
class ThrottledAccount:
    """A token bucket, `seconds` away there and back; what comes when it is empty is refused."""

    rate: float
    burst: float = 20.0
    seconds: float = 0.03
    random: Random = field(default_factory=lambda: Random(7))  # noqa: S311 - repeatable, and guards nothing
    accepted_at: list[float] = field(default_factory=list)
    refused_at: list[float] = field(default_factory=list)
    _tokens: float | None = None
    _filled_at: float = 0.0

    async def call(self) -> Reply:
        """Travel there, be taken or refused, travel back."""
        await asyncio.sleep(self._way())
        accepted = self._take()
        await asyncio.sleep(self._way())
        if not accepted:
            raise IamError(IamErrorKind.THROTTLED, "iam:Something", code="Throttling", http_status=400)
        return REPLY

    def _way(self) -> float:
        return self.seconds / 2 * self.random.uniform(0.7, 1.6)

    def _take(self) -> bool:
        now = loop_time()
        tokens = self.burst if self._tokens is None else self._tokens + (now - self._filled_at) * self.rate
        tokens, self._filled_at = min(tokens, self.burst), now
        taken = tokens >= 1
        self._tokens = tokens - 1 if taken else tokens
        (self.accepted_at if taken else self.refused_at).append(now)
        return taken


class Replica:
    """A server as far as its calls to one account go."""

    def __init__(self, account: ThrottledAccount, seed: int, threads: int = 32, maximum: float | None = None) -> None:
        clock = Clock(now=loop_time)
        self.account = account
        self.calls = 0
        jitter = Random(seed).random  # noqa: S311 - repeatable, and guards nothing
        self.pacer = Pacer(clock, SendRate(clock.now, maximum, jitter), threads)
        self._retrier = Retrier(20.0, 12, RecentEntities(15.0, clock.now), clock)

    async def call(self, effect: Effect) -> None:
        """Make one call, as `AwsCalls` does."""

        async def send(_: Turn) -> Reply:
            self.calls += 1
            return await self.account.call()

        paced = PacedCall(self.pacer, "iam:Something", effect)
        await self._retrier.run(effect, (), partial(paced.send, send), lambda: paced.waited)

    async def make_user(self) -> None:
        """Make all calls of one user."""
        for effects in ROUNDS:
            await asyncio.gather(*map(self.call, effects))

    async def make_users(self, take_next: Callable[[], bool], side_by_side: int) -> None:
        """Make users in bulk as long as there are any."""

        async def make_one_after_the_other() -> None:
            while take_next():
                await self.make_user()

        with in_bulk():
            await asyncio.gather(*(make_one_after_the_other() for _ in range(side_by_side)))


@dataclass(frozen=True)
class Figures:
    """What became of a run."""

    used: float
    """The accepted calls, as a part of those that the account would have taken in that time."""
    throttled: float
    """The refused calls, as a part of all that were sent."""
    seconds: float


def figures(account: ThrottledAccount, since: float, until: float) -> Figures:
    """Count the calls of a span of time, in which the account's rate did not change."""
    accepted = sum(since <= at <= until for at in account.accepted_at)
    refused = sum(since <= at <= until for at in account.refused_at)
    possible = account.rate * (until - since)
    return Figures(accepted / possible, refused / max(accepted + refused, 1), until - since)


async def make_users_in_bulk(users: int, replicas: list[Replica], side_by_side: int = 32) -> Figures:
    """Let replicas share out so many users; raises what any call failed with."""
    left = users

    def take_next() -> bool:
        nonlocal left
        left -= 1
        return left >= 0

    began = loop_time()
    await asyncio.gather(*(replica.make_users(take_next, side_by_side) for replica in replicas))
    return figures(replicas[0].account, began, loop_time())
