"""What the ledger is expected to know of a request, and the refusals that are expected of it."""

from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

import pytest

from identity_service.application.lease import Lease, LeaseLostError
from identity_service.application.ledger import Failure, Intent, LedgerRow, RequestState
from identity_service.domain.errors import IdentityError, Reason

RETRYABLE = Failure(IdentityError(Reason.THROTTLED, "IAM asks to go slower"), retryable=True)
PERMANENT = Failure(IdentityError(Reason.QUOTA_EXCEEDED, "no more groups"), retryable=False)


def stored(intent: Intent) -> Intent:
    """Expect of an intent what carrying it out needs: its plan without figures, warnings and problems."""
    return replace(intent, plan=replace(intent.plan, warnings=(), quota_uses=(), problems=()))


def row_of(
    intent: Intent, state: RequestState = RequestState.RUNNING, *, epoch: int = 1, abandoned: bool = False, **ends: Any
) -> LedgerRow:
    """Expect an intent's row, and how it ended."""
    return LedgerRow(stored(intent), state, epoch, abandoned, **ends)


async def refusal(attempt: Awaitable[object]) -> IdentityError:
    """Return the error that an attempt ends with."""
    with pytest.raises(IdentityError) as caught:
        await attempt
    return caught.value


async def assert_in_progress(attempt: Awaitable[object]) -> None:
    """Expect to be sent away for a moment."""
    error = await refusal(attempt)
    assert (error.reason, error.retry_after) == (Reason.IN_PROGRESS, 1.0)


async def assert_lost(attempt: Awaitable[object], lease: Lease) -> None:
    """Expect that an attempt was overtaken, and that its lease knows."""
    with pytest.raises(LeaseLostError):
        await attempt
    assert lease.remaining() == 0


async def assert_unavailable(attempt: Awaitable[object]) -> None:
    """Expect STORE_UNAVAILABLE that brings nothing of the driver's along."""
    error = await refusal(attempt)
    assert error.reason is Reason.STORE_UNAVAILABLE
    assert error.__cause__ is None
    assert error.__context__ is None
    assert str(error) == "STORE_UNAVAILABLE: the service's store cannot be used now"


def failure_fields(failure: Failure | None) -> dict[str, object]:
    """Return a failure's parts; errors are equal to themselves only."""
    assert failure is not None
    return {**vars(failure.error), "retryable": failure.retryable}
