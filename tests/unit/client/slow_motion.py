"""Time for the client's retries that passes only when they wait, and a connection that can be cut."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress
from typing import Any, Literal

from identity_client import AsyncIdentityClient, IdentityClient
from identity_client._retry import Pace
from tests.unit.client.fake_service import FakeIdentityService

Kind = Literal["blocking", "asyncio"]
KINDS: tuple[Kind, ...] = ("blocking", "asyncio")


class SlowMotion:
    """A clock that only sleeping moves; every draw is the longest."""

    def __init__(self) -> None:
        """Begin at nought."""
        self.now = 0.0
        self.slept: list[float] = []
        self.pace = Pace(clock=lambda: self.now, jitter=lambda: 1.0)

    def sleep(self, seconds: float) -> None:
        """Let the time pass at once."""
        self.slept.append(seconds)
        self.now += seconds

    async def sleep_awaited(self, seconds: float) -> None:
        """Let the time pass at once, and the other tasks run."""
        self.sleep(seconds)
        await asyncio.sleep(0)


async def ask(
    kind: Kind, service: FakeIdentityService, method: str, *args: Any, time: SlowMotion, **kwargs: Any
) -> Any:
    """Call a method of a new client of this kind; what concerns the client itself is taken out of the arguments."""
    options = {name: kwargs.pop(name) for name in ("target", "on_retry", "attempt_timeout") if name in kwargs}
    target = options.pop("target", service.target)
    if kind == "blocking":
        with IdentityClient(target, insecure=True, **options) as blocking:
            blocking._pace, blocking._sleep = time.pace, time.sleep
            return await asyncio.to_thread(getattr(blocking, method), *args, **kwargs)
    async with AsyncIdentityClient(target, insecure=True, **options) as client:
        client._pace, client._sleep = time.pace, time.sleep_awaited
        return await getattr(client, method)(*args, **kwargs)


class CuttableRoad:
    """Carries connections to a port of this machine until they are cut; new ones are carried again."""

    def __init__(self, port: int) -> None:
        """Listen on a free port."""
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.target = f"localhost:{self._listener.getsockname()[1]}"
        self._start(self._accept)

    def cut(self) -> None:
        """Cut every connection that is there now."""
        ends, self._open = self._open, []
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Cut every connection and carry no more."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join()

    def _start(self, work: Any, *args: Any) -> None:
        thread = threading.Thread(target=work, args=args)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._port))
                self._open += [near, far]
                self._start(_carry, near, far)
                self._start(_carry, far, near)


def _carry(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while carried := source.recv(65536):
            sink.sendall(carried)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
    source.close()
