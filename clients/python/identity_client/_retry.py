"""Decides whether a failed call is sent again, and how long to wait before.

    what failed                               reads, validate_only   mutations   mutations that mint
    UNAVAILABLE, said by the service          again                  again       again
    UNAVAILABLE, said by the transport        again                  again       no
    ABORTED with reason IN_PROGRESS           again                  again       again
    anything else                             no                     no          no

A mutation goes out again under its request_id, so the service never does it twice. A minting call whose
reply was cut off is not sent again by itself: the replay would show no secret, and only the caller knows
whether to ask for new ones. After IN_PROGRESS the replay is right: another call with this id has, or will
have, the answer.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import grpc
from google.protobuf.message import Message

from identity_client._contract import Response, Rpc
from identity_client._errors import IdentityServiceError, InProgress

_FIRST_WAIT = 0.1
_LONGEST_WAIT = 5.0


def may_retry(rpc: Rpc[Response], request: Message, error: IdentityServiceError) -> bool:
    """Tell whether the table above allows this call to be sent again."""
    if isinstance(error, InProgress):
        return True
    if error.code is not grpc.StatusCode.UNAVAILABLE:
        return False
    said_by_service = bool(error.reason)
    return said_by_service or not mints(rpc, request)


def mints(rpc: Rpc[Response], request: Message) -> bool:
    """Tell whether a call makes secrets, which only one answer shows; its plan makes none."""
    return rpc.mints and not getattr(request, "validate_only", False)


def seconds_to_wait(attempt: int, retry_after: float | None, jitter: Callable[[], float] = random.random) -> float:
    """Answer how long to wait after so many attempts; spread, so that clients do not come back in step.

    What the service asks for is a minimum. Without it the wait doubles, and is drawn from all of it.
    """
    if retry_after is not None:
        return retry_after * (1.0 + 0.25 * jitter())
    longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(attempt - 1, 16))
    return longest * jitter()
