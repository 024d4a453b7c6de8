"""Deadlines: the caller's, or a default one. A deadline ends the waiting; work that the server owns goes on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from identity_service.domain.errors import IdentityError, Reason
from identity_service.rpc.interceptors.around import AroundInterceptor, Context


class Deadline(AroundInterceptor):
    """Gives every RPC a deadline."""

    def __init__(self, default_seconds: float) -> None:
        self._default_seconds = default_seconds

    @asynccontextmanager
    async def around(self, method: str, context: Context) -> AsyncIterator[None]:
        """Stop waiting when the deadline has passed."""
        remaining: float | None = context.time_remaining()  # None without a deadline, whatever the type stubs say
        scope = asyncio.timeout(self._default_seconds if remaining is None else remaining)
        try:
            async with scope:
                yield
        except TimeoutError:
            if not scope.expired():
                raise
            raise IdentityError(
                Reason.DEADLINE_EXCEEDED,
                "the deadline passed before an answer; work that was begun goes on, ask again with the same request_id",
            ) from None
