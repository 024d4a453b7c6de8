"""How long IAM is given."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Settling:
    """How long IAM is given until what was written is seen everywhere and what was sent has landed.

    AWS takes a signed request for `validity` after it was signed: 15 minutes (Signature Version 4).
    """

    seconds: float = 15.0
    validity: timedelta = timedelta(minutes=15)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def wait(self) -> None:
        """Wait until IAM has settled."""
        await self.sleep(self.seconds)
