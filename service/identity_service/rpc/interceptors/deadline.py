"""Deadlines: the caller's, or a default one. A deadline ends the waiting; work that the server owns goes on."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from identity_service.domain.errors import IdentityError, Reason
from identity_service.rpc.interceptors.around import AroundInterceptor, Context
from identity_service.rpc.reflection import is_reflection


class Deadline(AroundInterceptor):
    """Gives every RPC a deadline; a stream only the caller's own, since it ends with what it tells of.

    Reflection, which ends when its client likes, has the default one at most.
    `streams` are the methods of those, such as `/identity_provisioning.v1.OperationService/WatchOperation`.
    """

    def __init__(self, default_seconds: float, streams: Collection[str] = ()) -> None:
        self._default_seconds = default_seconds
        self._streams = streams

    @asynccontextmanager
    async def around(self, method: str, context: Context) -> AsyncIterator[None]:
        """Stop waiting when the deadline has passed."""
        scope = asyncio.timeout(self._seconds(method, context.time_remaining()))
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

    def _seconds(self, method: str, remaining: float | None) -> float | None:
        """Choose; `remaining` is None without a deadline of the caller's, whatever the type stubs say of it."""
        if is_reflection(method):
            return self._default_seconds if remaining is None else min(remaining, self._default_seconds)
        default = None if method in self._streams else self._default_seconds
        return default if remaining is None else remaining
