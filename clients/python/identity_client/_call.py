"""One call from its description to its last attempt; what the blocking and the asyncio client share."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Generic

import grpc
from google.protobuf.message import Message

from identity_client._contract import Response, Rpc
from identity_client._errors import ErrorDetails, IdentityServiceError, error_from
from identity_client._retry import Pace, Retry, answer_lost, may_retry, seconds_to_wait
from identity_client._secrets import ask_for_new_secrets, secrets_can_be_lost
from identity_client._status import details_of
from identity_client._trace import current_trace

# An attempt that cannot end in time would only leave open what it did.
_LEAST_ATTEMPT = 0.1
_SHORTEST_SHARE = 5.0
_LONGEST_SHARE = 20.0


@dataclass(frozen=True)
class Call(Generic[Response]):
    """What to ask. The request may hold a password, so it is in no `repr`.

    Attributes:
        reissue_secrets: False forbids retries to ask for new secrets in the place of lost ones.
    """

    rpc: Rpc[Response]
    request: Message = field(repr=False)
    timeout: float | None = None
    reissue_secrets: bool | None = None


@dataclass(frozen=True)
class CallDefaults:
    """What a client adds to calls that do not say it themselves.

    Attributes:
        attempt_timeout: seconds for the first attempt of a call; a share of the call's time where it is None.
        on_retry: is told before each wait for another attempt.
    """

    account_id: str
    timeout: float
    attempt_timeout: float | None = None
    on_retry: Callable[[Retry], None] | None = None


class Attempts(Generic[Response]):
    """A call under way: one request_id, one trace and one deadline over all of its attempts."""

    def __init__(self, call: Call[Response], defaults: CallDefaults, pace: Pace | None = None) -> None:
        """Complete the request on a copy; the caller's own message is left as it is."""
        self.rpc = call.rpc
        self.request = _completed(call.request, defaults.account_id)
        self.request_id: str = getattr(self.request, "request_id", "")
        self._trace = current_trace()
        self.metadata = self._trace.metadata
        self._pace = pace or Pace()
        timeout = defaults.timeout if call.timeout is None else call.timeout
        self._deadline = self._pace.clock() + timeout
        self._attempt_timeout = defaults.attempt_timeout or _share_of(timeout)
        self._on_retry = defaults.on_retry
        self._can_lose_secrets = secrets_can_be_lost(self.rpc, self.request)
        self._may_reissue = self._can_lose_secrets and call.reissue_secrets is not False
        self._lost = False
        self._made = 0
        self._begun = self._pace.clock()
        self._last_told: ErrorDetails | None = None

    def remaining(self) -> float:
        """Answer the seconds until the deadline."""
        return max(0.0, self._deadline - self._pace.clock())

    def begin(self) -> float:
        """Note that an attempt begins now, and answer the seconds that it has.

        That is less than all that remain: on a connection that has gone dead no answer would ever come.
        """
        self._begun = self._pace.clock()
        return min(self._attempt_timeout, self.remaining())

    def wait_after(self, failure: grpc.RpcError) -> float:
        """Answer the seconds to wait before the next attempt, and make the request ready for it.

        Raises:
            IdentityServiceError: there is no next attempt, or it would have no time. gRPC's own error is not shown as
                its cause: all that it says is in the attributes, and its text is long and says no more.
        """
        self._made += 1
        details = self._details(failure)
        error = self._error(details)
        wait = seconds_to_wait(self._made, details.retry_after, self._pace.jitter)
        if not may_retry(details) or not self._has_time(details, wait):
            raise error from None
        if details.code is grpc.StatusCode.DEADLINE_EXCEEDED:
            self._attempt_timeout *= 2  # the service may only have been slow
        reissue = self._lost and self._may_reissue
        if reissue:
            ask_for_new_secrets(self.request)
        if self._on_retry is not None:
            self._on_retry(Retry(error, self._made, wait, self.request_id, reissue))
        return wait

    def final(self, failure: grpc.RpcError) -> IdentityServiceError:
        """Answer the exception that tells the caller of a failure."""
        return self._error(self._details(failure))

    def _details(self, failure: grpc.RpcError) -> ErrorDetails:
        """Take a failure apart, and remember what it means for the attempts after it."""
        details = details_of(failure, request_id=self.request_id, trace_id=self._trace.trace_id)
        self._lost = self._lost or answer_lost(details)
        if details.reason and details.code is not grpc.StatusCode.DEADLINE_EXCEEDED:
            self._last_told = details
        open_ended = may_retry(details) or answer_lost(details)
        return replace(details, secrets_may_be_lost=self._lost and self._can_lose_secrets and open_ended)

    def _error(self, details: ErrorDetails) -> IdentityServiceError:
        """Make the exception.

        A deadline says less than the reason that the service gave for an earlier attempt, so that is told. Not of a
        mint: the attempt that was cut may have made secrets, and the caller has to know that this is open.
        """
        if details.code is not grpc.StatusCode.DEADLINE_EXCEEDED or self._last_told is None:
            return error_from(details)
        if not details.secrets_may_be_lost:
            return error_from(self._last_told)
        before = f"{self._last_told.reason}: {self._last_told.message}"
        return error_from(replace(details, message=f"{details.message} (an attempt before was answered {before})"))

    def _has_time(self, details: ErrorDetails, wait: float) -> bool:
        """Tell whether another attempt could end in time; one that was answered will take as long again."""
        left = self.remaining() - wait
        took = 0.0 if answer_lost(details) else self._pace.clock() - self._begun
        return left >= max(took, _LEAST_ATTEMPT)


def _share_of(timeout: float) -> float:
    """Answer the seconds for the first attempt of a call that has so many in all."""
    return min(max(timeout / 3, _SHORTEST_SHARE), _LONGEST_SHARE)


def _completed(request: Message, account_id: str) -> Message:
    """Copy the request, with a request_id and the client's account where they are wanted and missing."""
    complete = type(request)()
    complete.CopyFrom(request)
    fields = complete.DESCRIPTOR.fields_by_name
    for name, value in (("request_id", str(uuid.uuid4())), ("account_id", account_id)):
        if name in fields and not getattr(complete, name):
            setattr(complete, name, value)
    return complete
