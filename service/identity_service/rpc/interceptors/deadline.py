"""Deadlines: the caller's, or a default one. A deadline ends the waiting; work that the server owns goes on."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from identity_service.domain.errors import IdentityError, Reason
from identity_service.rpc.interceptors.around import AroundInterceptor, Context


class Deadline(AroundInterceptor):
    """Gives every RPC a deadline; a stream only the caller's own, since it ends with what it tells of.

    `streams` are the methods of those, such as `/identity_provisioning.v1.OperationService/WatchOperation`.
    """

    def __init__(self, default_seconds: float, streams: Collection[str] = ()) -> None:
        self._default_seconds = default_seconds
        self._streams = streams

    @asynccontextmanager
    async def around(self, method: str, context: Context) -> AsyncIterator[None]:
        """Stop waiting when the deadline has passed."""
        remaining: float | None = context.time_remaining()  # None without a deadline, whatever the type stubs say
        default = None if method in self._streams else self._default_seconds
        scope = asyncio.timeout(default if remaining is None else remaining)
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
