"""One call from its description to its last attempt; what the blocking and the asyncio client share."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Generic

import grpc
from google.protobuf.message import Message

from identity_client._contract import Response, Rpc
from identity_client._errors import ErrorDetails, IdentityServiceError, error_from
from identity_client._retry import may_retry, mints, seconds_to_wait
from identity_client._status import details_of
from identity_client._trace import current_trace


@dataclass(frozen=True)
class Call(Generic[Response]):
    """What to ask. The request may hold a password, so it is in no `repr`."""

    rpc: Rpc[Response]
    request: Message = field(repr=False)
    timeout: float | None = None


@dataclass(frozen=True)
class CallDefaults:
    """What a client adds to calls that do not say it themselves."""

    account_id: str
    timeout: float


class Attempts(Generic[Response]):
    """A call under way: one request_id, one trace and one deadline over all of its attempts."""

    def __init__(
        self, call: Call[Response], defaults: CallDefaults, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Complete the request on a copy; the caller's own message is left as it is."""
        self.rpc = call.rpc
        self.request = _completed(call.request, defaults.account_id)
        self.request_id: str = getattr(self.request, "request_id", "")
        self._trace = current_trace()
        self.metadata = self._trace.metadata
        self._clock = clock
        self._deadline = clock() + (defaults.timeout if call.timeout is None else call.timeout)
        self._made = 0
        self._begun = clock()
        self._last_told: ErrorDetails | None = None

    def remaining(self) -> float:
        """Answer the seconds until the deadline."""
        return max(0.0, self._deadline - self._clock())

    def begin(self) -> float:
        """Note that an attempt begins now, and answer the seconds that it has."""
        self._begun = self._clock()
        return self.remaining()

    def wait_after(self, failure: grpc.RpcError) -> float:
        """Answer the seconds to wait before the next attempt.

        Raises:
            IdentityServiceError: there is no next attempt, or it would have less time than the last one took. gRPC's
                own error is not shown as its cause: all that it says is in the attributes, and its text is long and
                says no more.
        """
        self._made += 1
        error = self.final(failure)
        wait = seconds_to_wait(self._made, error.retry_after)
        left = self.remaining() - wait
        if left <= 0 or left < self._clock() - self._begun or not may_retry(self.rpc, self.request, error):
            raise error from None
        return wait

    def final(self, failure: grpc.RpcError) -> IdentityServiceError:
        """Answer the exception that tells the caller of a failure.

        A deadline says less than the reason that the service gave for an earlier attempt, so that is told. Not of a
        mint: the attempt that was cut may have made secrets, and the caller has to know that this is open.
        """
        details = details_of(failure, request_id=self.request_id, trace_id=self._trace.trace_id)
        if details.code is not grpc.StatusCode.DEADLINE_EXCEEDED:
            self._last_told = details if details.reason else self._last_told
            return error_from(details)
        if self._last_told is None:
            return error_from(details)
        if not mints(self.rpc, self.request):
            return error_from(self._last_told)
        before = f"{self._last_told.reason}: {self._last_told.message}"
        return error_from(replace(details, message=f"{details.message} (the attempt before was answered {before})"))


def _completed(request: Message, account_id: str) -> Message:
    """Copy the request, with a request_id and the client's account where they are wanted and missing."""
    complete = type(request)()
    complete.CopyFrom(request)
    fields = complete.DESCRIPTOR.fields_by_name
    for name, value in (("request_id", str(uuid.uuid4())), ("account_id", account_id)):
        if name in fields and not getattr(complete, name):
            setattr(complete, name, value)
    return complete
