"""The clients: they ask with the shipped client, come back with the same request_id, and keep what they are told."""

import asyncio
import time
from dataclasses import dataclass, field
from random import Random
from typing import Any

import grpc

from identity_client import AsyncIdentityClient, IdentityServiceError
from identity_client.sealing import GeneratedIdentity, open_sealed, parse_identities
from identity_provisioning.v1.credential_pb2 import IssuedCredentials
from tests.chaos.timing import Timing
from tests.chaos.wishes import Wish

WAIT_BETWEEN_CALLS = 0.2
PASSING = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.ABORTED)


@dataclass
class Holding:
    """What a client has in its hands in the end: an answer, or the error that it gave up with.

    `left_out` is who was told not to have been made since the operation was cancelled. `earlier` are the answers to the
    requests for the same user before this one.
    """

    wish: Wish
    granted: bool = False
    left_out: bool = False
    reason: str = ""
    trouble: str = ""
    credentials: IssuedCredentials = field(default_factory=IssuedCredentials, repr=False)
    secrets: list[str] = field(default_factory=list, repr=False)
    calls: int = 0
    seconds: float = 0.0
    earlier: tuple["Holding", ...] = ()

    @property
    def is_final(self) -> bool:
        """Whether there is nothing more to ask."""
        return self.granted or self.left_out or bool(self.reason)

    def take(self, issued: IssuedCredentials, identity: GeneratedIdentity) -> None:
        """Keep what was granted, opened where it is sealed."""
        if issued.sealed_secrets:
            issued = open_sealed(issued.sealed_secrets, parse_identities(identity.secret)).credentials
        self.granted = True
        self.credentials = issued
        self.secrets += [
            secret
            for secret in (
                issued.access_key.secret_access_key,
                issued.console_password.password,
                issued.mfa_device.base32_seed,
            )
            if secret
        ]


@dataclass(frozen=True)
class Habits:
    """How a client behaves: `dies_after` is when its process dies and another one asks in its place."""

    dies_after: float | None = None
    first_target: str = ""

    @classmethod
    def draw(cls, chance: Random) -> "Habits":
        """One client in four dies once."""
        return cls(dies_after=chance.uniform(0.05, 1.5) if chance.random() < 0.25 else None)


class Caller:
    """One client with one request."""

    def __init__(self, wish: Wish, target: str, timing: Timing, identity: GeneratedIdentity, habits: Habits) -> None:
        self._wish = wish
        self._target = target
        self._timing = timing
        self._identity = identity
        self._habits = habits
        self._holding = Holding(wish)
        self._cut = False

    async def run(self) -> Holding:
        """Ask until there is an answer that is final, or patience ends."""
        begun = time.monotonic()
        deadline = begun + self._timing.patience
        if self._habits.first_target:
            await self._call(self._habits.first_target, self._timing.attempt, None)
        elif self._habits.dies_after is not None:
            await self._call(self._target, deadline - time.monotonic(), self._habits.dies_after)
        while not self._holding.is_final and time.monotonic() < deadline:
            await self._call(self._target, deadline - time.monotonic(), None)
            await asyncio.sleep(0 if self._holding.is_final else WAIT_BETWEEN_CALLS)
        self._holding.seconds = time.monotonic() - begun
        return self._holding

    async def _call(self, target: str, seconds: float, dies_after: float | None) -> None:
        self._holding.calls += 1
        # Only this very call's own losses are known to the shipped client; a caller knows of its earlier calls.
        reissue = {"reissue_secrets": True} if self._cut and self._wish.makes_secrets and not self._wish.sealed else {}
        client = AsyncIdentityClient(target, insecure=True, attempt_timeout=self._timing.attempt)
        try:
            async with asyncio.timeout(dies_after):
                self._take(await self._wish.ask(client, timeout=max(0.1, seconds), **reissue))
        except TimeoutError:
            self._cut = True
        except IdentityServiceError as error:
            self._cut = self._cut or error.secrets_may_be_lost
            self._holding.trouble = f"{error} {error.metadata.get('remaining', '')}"
            if error.code not in PASSING:
                self._holding.reason = error.reason or error.code.name
        finally:
            await client.close()

    def _take(self, answer: Any) -> None:
        issued = getattr(answer, "credentials", IssuedCredentials())
        if issued.secrets_withheld and not self._wish.sealed:
            # Somebody got them: an attempt whose answer was cut. The caller holds nothing, and says so.
            self._holding.trouble = "secrets withheld"
            self._cut = True
            return
        self._holding.take(issued, self._identity)


@dataclass(frozen=True)
class Clients:
    """The clients of a world: each asks for a wish, and for what follows it as soon as it is granted."""

    target: str
    timing: Timing
    identity: GeneratedIdentity

    async def ask(self, wish: Wish, habits: Habits) -> Holding:
        """Return the last answer about a user. A client stays with its first server as long as that one answers."""
        holding = await self._ask_once(wish, habits)
        while holding.granted and holding.wish.then:
            # What IAM does not show yet, a plan may rightly not know: that is no part of what is tried here.
            await asyncio.sleep(self.timing.settle)
            stays = habits.first_target if holding.calls == 1 else ""
            after = await self._ask_patiently(holding.wish.then, Habits(first_target=stays))
            after.earlier = (*holding.earlier, holding)
            holding = after
        return holding

    async def _ask_patiently(self, wish: Wish, habits: Habits) -> Holding:
        """Ask by new requests as long as the wish is refused for something that passes."""
        deadline = time.monotonic() + self.timing.patience
        holding = await self._ask_once(wish, habits)
        while wish.may_be_asked_anew(holding.reason) and time.monotonic() < deadline:
            await asyncio.sleep(WAIT_BETWEEN_CALLS)
            wish = wish.anew()
            holding = await self._ask_once(wish, Habits())
        return holding

    async def _ask_once(self, wish: Wish, habits: Habits) -> Holding:
        return await Caller(wish, self.target, self.timing, self.identity, habits).run()
