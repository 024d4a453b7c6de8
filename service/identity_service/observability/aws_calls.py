"""The AWS calls made on behalf of the current request, for its log line."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(frozen=True)
class AwsCall:
    """One answered call: the IAM action, AWS's id of the request, and `ok` or AWS's error code.

    `paced_seconds` is how long it was held back before it was sent.
    """

    action: str
    request_id: str
    outcome: str
    paced_seconds: float = field(default=0.0, compare=False)


_calls: ContextVar[list[AwsCall] | None] = ContextVar("aws_calls", default=None)


@contextmanager
def collect_aws_calls() -> Iterator[list[AwsCall]]:
    """Collect the calls recorded inside, by this task and by those that it starts."""
    calls: list[AwsCall] = []
    token = _calls.set(calls)
    try:
        yield calls
    finally:
        _calls.reset(token)


def record_aws_call(call: AwsCall) -> None:
    """Add a call to the current request's; nothing happens outside a request."""
    calls = _calls.get()
    if calls is not None:
        calls.append(call)
