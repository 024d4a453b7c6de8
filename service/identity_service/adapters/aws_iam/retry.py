"""Which failed calls are sent again, when, and for how long."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    stop_after_attempt,
    wait_random_exponential,
)
from tenacity.stop import stop_base

from identity_service.adapters.aws_iam.operations import Effect
from identity_service.adapters.aws_iam.recent_entities import Entity, RecentEntities
from identity_service.application.ports import Receipt
from identity_service.domain.errors import IamError, IamErrorKind

_FIRST_WAIT = 0.1
_LONGEST_WAIT = 5.0
_CONFLICT_ATTEMPTS = 5
"""How often a deletion is sent that IAM refuses since something hung on the entity a moment ago."""
_PASSING = frozenset({IamErrorKind.BUSY, IamErrorKind.THROTTLED, IamErrorKind.UNAVAILABLE})


@dataclass(frozen=True)
class Reply:
    """What AWS answered; `value` has no metadata any more and may hold a secret, so it has no `repr`."""

    value: dict[str, Any]
    receipt: Receipt

    def __repr__(self) -> str:
        return f"Reply({self.receipt!r})"


@dataclass(frozen=True)
class Clock:
    """Time as the retries know it; tests bring their own and do not wait."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class Retrier:
    """Sends a call again while that is safe and may help, with full jitter, inside a budget.

    It is given a closure and no parameters, logs nothing, and raises the last attempt's own `IamError`.
    """

    def __init__(self, budget: float, max_attempts: int, recent: RecentEntities, clock: Clock) -> None:
        self._budget = budget
        self._max_attempts = max_attempts
        self._recent = recent
        self._clock = clock

    async def run(
        self,
        effect: Effect,
        needed: Collection[Entity],
        send: Callable[[], Awaitable[Reply]],
        excused: Callable[[], float] = lambda: 0.0,
    ) -> Reply:
        """Send until there is an answer to keep; `needed` is what the call cannot do without.

        `excused` tells how many seconds of the sendings so far do not count against the budget.
        """
        attempts = _Attempts(effect, send)
        deadline = self._clock.now() + self._budget
        retrying = AsyncRetrying(
            sleep=self._clock.sleep,
            retry=partial(self._may_help, effect, needed),
            wait=wait_random_exponential(multiplier=_FIRST_WAIT, max=_LONGEST_WAIT),
            stop=stop_after_attempt(self._max_attempts) | _OverBudget(self._clock.now, lambda: deadline + excused()),
            reraise=True,
        )
        return await retrying(attempts.attempt)

    def _may_help(self, effect: Effect, needed: Collection[Entity], state: RetryCallState) -> bool:
        failure = state.outcome.exception() if state.outcome else None
        if not isinstance(failure, IamError):
            return False
        if effect is Effect.MINT and failure.outcome_unknown:
            return False
        if failure.kind is IamErrorKind.NOT_FOUND:
            return any(entity in self._recent for entity in needed)
        if failure.kind is IamErrorKind.IN_USE:
            return state.attempt_number < _CONFLICT_ATTEMPTS
        return failure.kind in _PASSING


class _OverBudget(stop_base):
    """Stops before a wait that would end after the deadline."""

    def __init__(self, now: Callable[[], float], deadline: Callable[[], float]) -> None:
        self._now = now
        self._deadline = deadline

    def __call__(self, retry_state: RetryCallState) -> bool:
        return self._now() + retry_state.upcoming_sleep > self._deadline()


class _Attempts:
    """The attempts at one call: a lost answer to one of them colours all that follow."""

    def __init__(self, effect: Effect, send: Callable[[], Awaitable[Reply]]) -> None:
        self._effect = effect
        self._send = send
        self._outcome_unknown = False

    async def attempt(self) -> Reply:
        """Send once. What is gone after a removal whose answer was lost has been removed."""
        try:
            reply = await self._send()
        except IamError as error:
            removed_before = self._effect is Effect.REMOVAL and self._outcome_unknown
            if removed_before and error.kind is IamErrorKind.NOT_FOUND:
                return Reply({}, Receipt(error.request_id, datetime.now(UTC), repeated=True))
            self._outcome_unknown |= error.outcome_unknown
            error.outcome_unknown = self._outcome_unknown
            raise
        if self._outcome_unknown:
            return Reply(reply.value, replace(reply.receipt, repeated=True))
        return reply
