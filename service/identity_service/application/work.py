"""Work that the server owns: it goes on when nobody waits for it any more, and is drained at shutdown."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Set
from typing import Any, TypeVar

import structlog

from identity_service.domain.errors import ANSWER_LOST, IdentityError, Reason

T = TypeVar("T")
RETRY_AFTER_SECONDS = 1.0
FINISHING_SHARE = 0.6
"""The part of a drain in which work may finish; the rest is for undoing it."""
CANCELLATION_SECONDS = 1.0
"""How long cancelled work may take to end."""


class OwnedWork:
    """Runs mutations as tasks of its own, `maximum` of them at a time, and `maximum_each` in one account."""

    def __init__(self, maximum: int, maximum_each: int | None = None) -> None:
        self._maximum = maximum
        self._maximum_each = maximum if maximum_each is None else maximum_each
        self._of_accounts: Counter[str] = Counter()
        self._draining = False
        self._stopping = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._abandoned: set[asyncio.Task[Any]] = set()
        self._beside: set[asyncio.Task[Any]] = set()

    @property
    def running(self) -> int:
        """How many tasks are not finished."""
        return len(self._tasks)

    async def run(self, start: Callable[[], Coroutine[Any, Any, T]], account_id: str = "") -> T:
        """Start work and wait for it. Who waits may be cancelled; the work is not.

        Work of an account counts against what one account may have. Raises IdentityError SHUTTING_DOWN while the server
        drains, and OVERLOADED if there is too much work already.
        """
        self._check_admission(account_id)
        task = asyncio.create_task(start())
        if account_id:
            self._of_accounts[account_id] += 1
            task.add_done_callback(lambda _: self._leave(account_id))
        return await self._wait_for(task)

    async def run_beside(self, start: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Start work whose number its starter bounds, and wait for it: it takes no place from callers and needs none.

        Raises IdentityError SHUTTING_DOWN while the server drains.
        """
        self._check_draining()
        task = asyncio.create_task(start())
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)
        return await self._wait_for(task)

    async def _wait_for(self, task: asyncio.Task[T]) -> T:
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                error = _shutting_down("the server stopped before the work was done")
                error.metadata = dict(ANSWER_LOST)
                raise error from None
            self._abandoned.add(task)
            raise

    def is_draining(self) -> bool:
        """Whether no more work is taken."""
        return self._draining

    def is_stopping(self) -> bool:
        """Whether work should be given up and undone, rather than gone on with: the end of the drain is near."""
        return self._stopping

    async def drain(self, timeout: float) -> int:  # noqa: ASYNC109 - what is left is cancelled, not the caller
        """Take no more work and let what runs finish, for `timeout` seconds; return how many tasks had to be cut off.

        The last part of the time is for undoing what is not finished by then; only after it, work is cancelled.
        """
        self._draining = True
        unfinished = await self._wait(self._tasks, timeout * FINISHING_SHARE)
        self._stopping = True
        unfinished = await self._wait(unfinished, timeout * (1 - FINISHING_SHARE))
        for task in unfinished:
            task.cancel()
        await self._wait(unfinished, CANCELLATION_SECONDS)
        return len(unfinished)

    async def _wait(self, tasks: Set[asyncio.Task[Any]], seconds: float) -> Set[asyncio.Task[Any]]:
        """Wait for tasks and return those that have not ended."""
        if not tasks:
            return tasks
        return (await asyncio.wait(tuple(tasks), timeout=seconds))[1]

    def _leave(self, account_id: str) -> None:
        self._of_accounts[account_id] -= 1
        # What is empty is dropped: ids come from callers, also those of accounts that are not there.
        self._of_accounts += Counter()

    def _check_draining(self) -> None:
        if self._draining:
            raise _shutting_down("the server is shutting down")

    def _check_admission(self, account_id: str) -> None:
        self._check_draining()
        if self._of_accounts[account_id] >= self._maximum_each:
            raise IdentityError(
                Reason.OVERLOADED,
                "the server has as many mutations as it takes for one account",
                metadata={"account_id": account_id},
                retry_after=RETRY_AFTER_SECONDS,
            )
        if len(self._tasks) - len(self._beside) >= self._maximum:
            raise IdentityError(
                Reason.OVERLOADED, "the server has as many mutations as it takes", retry_after=RETRY_AFTER_SECONDS
            )

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        abandoned = task in self._abandoned
        self._abandoned.discard(task)
        if task.cancelled():
            return
        error = task.exception()  # Read in any case, so that asyncio does not print it.
        if abandoned:
            structlog.get_logger().info(
                "work finished without its caller",
                outcome=_outcome(error),
                # Only what is not the service's own way of saying no is a fault worth its stack.
                exc_info=error if error and not isinstance(error, IdentityError) else None,
            )


def _outcome(error: BaseException | None) -> str:
    if error is None:
        return "OK"
    return error.reason.name if isinstance(error, IdentityError) else type(error).__name__


def _shutting_down(message: str) -> IdentityError:
    return IdentityError(Reason.SHUTTING_DOWN, message, retry_after=RETRY_AFTER_SECONDS)
