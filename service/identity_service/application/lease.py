"""The right to work on a request: it runs out by itself, and whoever has lost it must not touch the account."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class LeaseLostError(Exception):
    """The lease has run out, or another attempt has taken the request over. Holds no words: nobody is told them."""


class Lease:
    """An attempt's claim on a ledger row, `epoch` being the attempt's number.

    The database says when a lease ends. Here it ends earlier: its time is counted on this machine's monotonic clock,
    which goes on while a process is paused, from before the database was asked. Threads may share a lease.
    """

    def __init__(
        self, row_id: str, epoch: int, valid_until: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.row_id = row_id
        self.epoch = epoch
        self._valid_until = valid_until
        self._monotonic = monotonic
        self._lost = False

    def remaining(self) -> float:
        """Return for how many seconds the lease surely holds; 0 or less once it may be somebody else's."""
        return 0.0 if self._lost else self._valid_until - self._monotonic()

    def extend(self, valid_until: float) -> None:
        """Note that the database has renewed it, until a time of the monotonic clock."""
        self._valid_until = max(self._valid_until, valid_until)

    @property
    def is_lost(self) -> bool:
        """Whether it is gone for good."""
        return self._lost

    def lose(self) -> None:
        """Note that it is gone for good."""
        self._lost = True

    def require(self, seconds: float = 0.0) -> None:
        """Raise LeaseLostError unless it holds for more than so many seconds."""
        if self.remaining() <= seconds:
            raise LeaseLostError


_current: ContextVar[Lease | None] = ContextVar("lease", default=None)


@contextmanager
def holding(lease: Lease) -> Iterator[None]:
    """Let every IAM write of the block, and of the tasks it starts, be sent under a lease only."""
    token = _current.set(lease)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def unfenced() -> Iterator[None]:
    """Let the writes of the block be sent whoever holds the lease: only for deleting what is surely our own, by id."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)


def current_lease() -> Lease | None:
    """Return the lease that IAM writes are sent under here; None outside of an attempt."""
    return _current.get()
