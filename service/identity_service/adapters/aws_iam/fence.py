"""Keeps a write from being sent by an attempt that may have lost its lease, at the last moment before it is sent.

A process may be paused at any instant, also between signing a request and sending it; botocore's event `before-send`
is the last one before the socket.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.client import BaseClient

from identity_service.application.lease import Lease

_thread = threading.local()


@contextmanager
def sending_under(lease: Lease | None) -> Iterator[None]:
    """Let this thread send only while a lease holds; None lets it send at any time."""
    _thread.lease = lease
    try:
        yield
    finally:
        _thread.lease = None


def fence(client: BaseClient, seconds: float) -> None:
    """Refuse, with LeaseLostError, what a client is about to send under a lease that holds for less than so long.

    `seconds` is how long one call takes at most: what was sent in time is answered before somebody else goes on.
    """

    def check(**_: object) -> None:
        lease: Lease | None = getattr(_thread, "lease", None)
        if lease is not None:
            lease.require(seconds)

    client.meta.events.register("before-send.iam.*", check)
