"""The answer to an RPC that failed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from identity_service.domain.errors import IdentityError
from identity_service.rpc.errors import abort
from identity_service.rpc.interceptors.around import AroundInterceptor, Context


class ErrorAnswer(AroundInterceptor):
    """Answers with the error that is raised inside, once everything inside has ended.

    So a failed call, like one that went well, is in log, trace and metrics before its caller has the answer.
    """

    @asynccontextmanager
    async def around(self, method: str, context: Context) -> AsyncIterator[None]:
        """Turn an application's error into the status of the RPC."""
        try:
            yield
        except IdentityError as error:
            await abort(context, error)
