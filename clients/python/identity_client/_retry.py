"""Decides whether a failed call is sent again, how long to wait before, and whether its answer may be lost.

    what failed                                                     again   the answer may be lost
    UNAVAILABLE, said by the service with a reason                  yes     no
    ABORTED with reason IN_PROGRESS, CONFLICT or INTERRUPTED        yes     no
    DEADLINE_EXCEEDED of one attempt, whoever says it               yes     yes
    UNAVAILABLE, INTERNAL, UNKNOWN without a reason of the service  yes     yes
    CANCELLED without a reason of the service                       yes     yes
    anything else                                                   no      no

Where the service itself says `answer_lost` in the metadata, it is.

CANCELLED is what gRPC makes of a call that reached a server in the instant in which it began to drain: the server drops
it before any of its own code sees it. A call that its own caller ends does not come here.

One table for reads and for mutations: a mutation goes out again under its request_id, so the service never does it
twice. It is never sent a second time while the first attempt is waited for.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import grpc

from identity_client._errors import ErrorDetails, IdentityServiceError

_FIRST_WAIT = 0.1
_LONGEST_WAIT = 5.0
_TRANSIENT_REASONS = ("IN_PROGRESS", "CONFLICT", "INTERRUPTED")
_BROKEN_CONNECTION = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.CANCELLED,
)


@dataclass(frozen=True)
class Retry:
    """Tells that a call failed in a way that may pass, and will be sent again.

    Attributes:
        error: what the attempt failed with.
        attempt: how many attempts were made so far.
        wait: the seconds until the next one.
        request_id: the id that all attempts of the call carry; empty for a read.
        reissue_secrets: the next attempt asks for new secrets in the place of those that went lost with an answer.
    """

    error: IdentityServiceError
    attempt: int
    wait: float
    request_id: str
    reissue_secrets: bool


@dataclass(frozen=True)
class Pace:
    """What time is taken from, and what spreads the waits."""

    clock: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random.random


class Failed(Protocol):
    """What a failure has to say for that."""

    @property
    def code(self) -> grpc.StatusCode:
        """The gRPC status."""

    @property
    def reason(self) -> str:
        """The service's reason; empty where the answer did not come from the service itself."""


def may_retry(details: Failed) -> bool:
    """Tell whether the table above has this failure sent again."""
    if details.code is grpc.StatusCode.ABORTED:
        return details.reason in _TRANSIENT_REASONS
    if details.code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        return True
    return details.code in _BROKEN_CONNECTION and not details.reason


def answer_lost(details: ErrorDetails) -> bool:
    """Tell whether the service may have done the work, and its answer did not come through."""
    if details.code is grpc.StatusCode.DEADLINE_EXCEEDED or "answer_lost" in details.metadata:
        return True
    return details.code in _BROKEN_CONNECTION and not details.reason


def seconds_to_wait(attempt: int, retry_after: float | None, jitter: Callable[[], float] = random.random) -> float:
    """Answer how long to wait after so many attempts; spread, so that clients do not come back in step.

    What the service asks for is a minimum. Without it the wait doubles, and is drawn from all of it.
    """
    if retry_after:
        return retry_after * (1.0 + 0.25 * jitter())
    longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(attempt - 1, 16))
    return longest * jitter()
