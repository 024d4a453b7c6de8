"""Which work may wait: what is done in bulk lets the calls pass that somebody waits for."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_in_bulk: ContextVar[bool] = ContextVar("in_bulk", default=False)


@contextmanager
def in_bulk() -> Iterator[None]:
    """Let the IAM calls of the block, and of the tasks it starts, wait behind those of interactive work."""
    token = _in_bulk.set(True)
    try:
        yield
    finally:
        _in_bulk.reset(token)


def is_bulk() -> bool:
    """Tell whether the work here is done in bulk."""
    return _in_bulk.get()
