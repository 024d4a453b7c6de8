"""Many users: cutting them into messages, and watching an operation over broken connections."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from identity_client._errors import IdentityServiceError
from identity_client._retry import Pace, Retry, may_retry, seconds_to_wait
from identity_provisioning.v1.operation_pb2 import Operation
from identity_provisioning.v1.operation_service_pb2 import WatchOperationRequest, WatchOperationResponse
from identity_provisioning.v1.user_pb2 import UserSpec

MAXIMUM_USERS = 10_000
"""How many users the service takes in one operation, as AppendUsers says in the contract."""
# The service takes messages of 64 KiB; the rest of the message and the framing of each user need some of it.
_BATCH_BYTES = 48 * 1024
_BATCH_USERS = 500
DEFAULT_PATIENCE = 120.0
_ACTIVE = (Operation.STATE_PLANNING, Operation.STATE_RUNNING, Operation.STATE_CANCELLING)


def in_batches(users: Iterable[UserSpec]) -> Iterator[list[UserSpec]]:
    """Cut users into batches for `append_users`, in their order; they are taken as they are needed."""
    batch: list[UserSpec] = []
    room = _BATCH_BYTES
    for user in users:
        size = user.ByteSize()
        if batch and (size > room or len(batch) == _BATCH_USERS):
            yield batch
            batch, room = [], _BATCH_BYTES
        batch.append(user)
        room -= size
    if batch:
        yield batch


class Watch:
    """An operation that is watched, over as many streams as it takes."""

    def __init__(
        self,
        operation_id: str,
        account_id: str,
        patience: float,
        pace: Pace,
        on_retry: Callable[[Retry], None] | None = None,
    ) -> None:
        """Take what to watch, for how many seconds to try again without hearing anything, and whom to tell of it."""
        self.request = WatchOperationRequest(operation_id=operation_id, account_id=account_id)
        self.ended = False
        self._patience = patience
        self._pace = pace
        self._on_retry = on_retry
        self._heard_at = pace.clock()
        self._failures = 0

    def hear(self, answer: WatchOperationResponse) -> Operation:
        """Take an answer of the stream."""
        self._heard_at = self._pace.clock()
        self._failures = 0
        self.ended = answer.operation.state not in _ACTIVE
        return answer.operation

    def wait_after(self, failure: IdentityServiceError | None = None) -> float:
        """Answer the seconds until the next stream; raise the failure if there is no sense in one."""
        self._failures += 1
        wait = seconds_to_wait(self._failures, failure.retry_after if failure else None, self._pace.jitter)
        is_over = self._pace.clock() + wait - self._heard_at > self._patience
        if failure is not None and (is_over or not may_retry(failure)):
            raise failure
        if failure is not None and self._on_retry is not None:
            self._on_retry(Retry(failure, self._failures, wait, request_id="", reissue_secrets=False))
        return wait
