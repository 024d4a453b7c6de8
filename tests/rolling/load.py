"""The load: callers with the shipped client who make users, look at them and delete most of them again."""

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from identity_client import AsyncIdentityClient, IdentityServiceError, Retry, TlsFiles
from identity_client._client import DEFAULT_TIMEOUT
from identity_client.sealing import GeneratedIdentity, open_sealed, parse_identities

GROUP = "Developers"
KEEP_EVERY = 4
"""One user in so many stays, to be looked at in the end; the others would fill the account's quota."""


@dataclass
class Tally:
    """What the callers have seen and hold; `kept` has the access key id that was answered for each user that stays."""

    seconds: list[float] = field(default_factory=list)
    retries: int = 0
    failures: list[str] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    """Users of whom a call failed: nobody can say whether they are there."""

    @property
    def calls(self) -> int:
        """How many calls were made, each counted once however often the client has sent it."""
        return len(self.seconds)

    def note_retry(self, retry: Retry) -> None:
        """Count an attempt that the client makes anew."""
        self.retries += 1


class Caller:
    """One program with a client of its own, as it is shipped; only a test of this one changes its timeout."""

    def __init__(
        self,
        name: str,
        target: str,
        tls: TlsFiles,
        identity: GeneratedIdentity,
        tally: Tally,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> None:
        self._name = name
        self._target = target
        self._tls = tls
        self._identity = identity
        self._tally = tally
        self._timeout = timeout

    async def run(self, stop: asyncio.Event, pause: float) -> None:
        """Make one user after the other until told to stop."""
        number = 0
        noting = self._tally.note_retry
        async with AsyncIdentityClient(self._target, tls=self._tls, timeout=self._timeout, on_retry=noting) as client:
            while not stop.is_set():
                user_name = f"{self._name}-{number}"
                if not await self._handle(client, user_name, keep=number % KEEP_EVERY == 0):
                    self._tally.unknown.add(user_name)
                number += 1
                await asyncio.sleep(pause)

    async def _handle(self, client: AsyncIdentityClient, user_name: str, *, keep: bool) -> bool:
        """Make a user, look at it, and delete it unless it is kept; False if a call failed."""
        made = await self._call(
            client.provision_user(
                user_name,
                groups=[GROUP],
                access_key=True,
                recipients=[self._identity.recipient],
                request_id=str(uuid4()),
            )
        )
        if made is None or await self._call(client.get_user(user_name)) is None:
            return False
        if not keep:
            return await self._call(client.delete_user(user_name, request_id=str(uuid4()))) is not None
        opened = open_sealed(made.credentials.sealed_secrets, parse_identities(self._identity.secret))
        self._tally.kept[user_name] = opened.credentials.access_key.access_key_id
        return True

    async def _call(self, call: Awaitable[Any]) -> Any:
        """Await a call and take its time; None if the client gave it up."""
        begun = time.monotonic()
        try:
            return await call
        except IdentityServiceError as error:
            self._tally.failures.append(str(error))
            return None
        finally:
            self._tally.seconds.append(time.monotonic() - begun)
