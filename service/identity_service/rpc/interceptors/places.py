"""How many calls are answered at a time, and how many streams beside them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager

from identity_service.domain.errors import IdentityError, Reason
from identity_service.rpc.interceptors.around import AroundInterceptor, Context
from identity_service.rpc.reflection import MOST_REFLECTIONS, is_reflection

CALL_RETRY_SECONDS = 1.0
STREAM_RETRY_SECONDS = 5.0
"""A stream lasts, so that its place comes back later than a call's."""


class Places(AroundInterceptor):
    """Refuses calls beyond `most_calls` and, counted by themselves, streams beyond `most_streams`, with OVERLOADED.

    Reflection is counted by itself too: whoever holds its streams keeps nobody else from calling.

    It comes after authentication, which waits for nothing: who is no caller is told so and never holds a place. It
    comes before the message is read, which may take a caller ten seconds: else calls without a message would be bounded
    by gRPC's own limit alone, whose refusals nobody sees.
    """

    def __init__(self, most_calls: int, most_streams: int, streams: Collection[str] = ()) -> None:
        self._calls = _Room(most_calls, "the server answers as many calls as it takes", CALL_RETRY_SECONDS)
        self._watchers = _Room(most_streams, "the server has as many watchers as it takes", STREAM_RETRY_SECONDS)
        self._reflections = _Room(MOST_REFLECTIONS, "the server shows its contract to others now", STREAM_RETRY_SECONDS)
        self._streams = streams

    @asynccontextmanager
    async def around(self, method: str, context: Context) -> AsyncIterator[None]:
        """Hold a place while the call lasts; raise OVERLOADED if there is none."""
        with self._room_of(method).place():
            yield

    def _room_of(self, method: str) -> _Room:
        if is_reflection(method):
            return self._reflections
        return self._watchers if method in self._streams else self._calls


class _Room:
    """A number of places, and what those are told for whom there is none."""

    def __init__(self, most: int, full: str, retry_after: float) -> None:
        self._most = most
        self._full = full
        self._retry_after = retry_after
        self._taken = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        if self._taken >= self._most:
            raise IdentityError(Reason.OVERLOADED, self._full, retry_after=self._retry_after)
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1
