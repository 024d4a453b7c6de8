"""How many calls may be under way for one account, so that one that does not answer leaves room for the others'."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import grpc

from identity_service.domain.errors import IdentityError, Reason
from identity_service.rpc.call import current_call
from identity_service.rpc.interceptors.around import AroundInterceptor, Context, Continuation, Handler
from identity_service.rpc.not_built import is_built

RETRY_AFTER_SECONDS = 1.0


class AccountShare(AroundInterceptor):
    """Refuses calls for an account that has as many as it may; `most` None refuses nothing. `streams` do not count."""

    def __init__(self, most: int | None, streams: Collection[str] = ()) -> None:
        self._most = most
        self._streams = streams
        self._under_way: Counter[str] = Counter()

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        """Surround what is built: what is not is told by its handler's own function."""
        handler = await continuation(handler_call_details)
        if handler is None or not is_built(handler) or handler_call_details.method in self._streams:
            return handler

        async def found(_: grpc.HandlerCallDetails) -> Handler | None:
            return handler

        return await super().intercept_service(found, handler_call_details)

    @asynccontextmanager
    async def around(self, method: str, context: Context) -> AsyncIterator[None]:
        """Count a call while it lasts; raise OVERLOADED for one too many."""
        account_id = current_call().account_id
        if self._most is not None and self._under_way[account_id] >= self._most:
            raise IdentityError(
                Reason.OVERLOADED,
                "the server answers as many calls as it takes for one account",
                metadata={"account_id": account_id},
                retry_after=RETRY_AFTER_SECONDS,
            )
        self._under_way[account_id] += 1
        try:
            yield
        finally:
            self._under_way[account_id] -= 1
            # What is empty is dropped: ids come from callers, also those of accounts that are not there.
            self._under_way += Counter()
