"""The RPC that is being answered: what interceptors learn of it, for the servicers and for its log line."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import grpc

from identity_service.domain.caller import Caller
from identity_service.domain.errors import Reason


@dataclass
class Call:
    """One RPC. Each interceptor fills in what it found out; `code` stays None until the RPC has failed."""

    method: str
    trace_id: str
    caller_id: str = ""
    caller: Caller | None = None
    account_id: str = ""
    user_name: str = ""
    group_name: str = ""
    policy: str = ""
    request_id: str = ""
    reason: Reason | None = None
    code: grpc.StatusCode | None = None


_current: ContextVar[Call] = ContextVar("rpc_call")


@contextmanager
def begin_call(call: Call) -> Iterator[Call]:
    """Make a call the current one, for this task and for those that it starts."""
    token = _current.set(call)
    try:
        yield call
    finally:
        _current.reset(token)


def current_call() -> Call:
    """Return the current call; raises LookupError outside an RPC."""
    return _current.get()


def current_caller() -> Caller:
    """Return the authenticated caller of the current call; raises LookupError if nobody authenticated it."""
    caller = current_call().caller
    if caller is None:
        raise LookupError("the call has no authenticated caller")
    return caller
