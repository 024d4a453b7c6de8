"""The calls that an attempt at a request has sent to change the account, for the audit of one that fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class SentCall:
    """One sending: the IAM action, AWS's id of the request ("" without an answer), the kind of error ("" if done)."""

    iam_action: str
    aws_request_id: str
    error: str = ""


_calls: ContextVar[list[SentCall] | None] = ContextVar("sent_calls", default=None)


@contextmanager
def noting_calls() -> Iterator[None]:
    """Note the calls that are sent in the block, and by the tasks that it starts, those that undo included."""
    token = _calls.set([])
    try:
        yield
    finally:
        _calls.reset(token)


def note_call(call: SentCall) -> None:
    """Note that a call was sent; outside of an attempt nothing happens."""
    calls = _calls.get()
    if calls is not None:
        calls.append(call)


def noted_calls() -> tuple[SentCall, ...]:
    """Return the calls of this attempt so far, in the order of their answers."""
    return tuple(_calls.get() or ())
