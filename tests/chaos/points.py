"""Points of a server's way, before and after every IAM call and every unit of work of the store.

Runs inside the server. Each passing is written to a file, numbered by point; at the armed one the process kills or
pauses itself, so that no other moment is hit. Production code knows nothing of it: the two places through which all
calls go are wrapped from outside.
"""

import base64
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, BinaryIO

from botocore.client import BaseClient

from identity_service.adapters.aws_iam.calls import AwsCalls
from identity_service.adapters.aws_iam.clients import AccountClients
from identity_service.adapters.store.units import UnitsOfWork
from identity_service.domain.secret import Secret

ACTIONS: Mapping[str, signal.Signals] = {"kill": signal.SIGKILL, "pause": signal.SIGSTOP}
ARMED = "armed"
"""Stands among the points that were passed where counting began anew."""
SECRET_FIELDS = frozenset({"SecretAccessKey", "Base32StringSeed", "QRCodePNG"})


@dataclass(frozen=True)
class Armed:
    """At which passing of which point what happens."""

    point: str
    passing: int
    action: str

    @classmethod
    def parse(cls, text: str) -> "Armed":
        """Read `POINT PASSING ACTION`."""
        point, passing, action = text.split()
        if action not in ACTIONS:
            raise ValueError(f"the action {action} is none of {', '.join(ACTIONS)}")
        return cls(point, int(passing), action)


class Points:
    """Counts what is passed, and acts where it is armed.

    Both files are unbuffered: what was written outlives a process that dies the moment after.
    """

    def __init__(self, passed: BinaryIO, secrets: BinaryIO) -> None:
        self._passed = passed
        self._secrets = secrets
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._armed: Armed | None = None

    def arm(self, armed: Armed | None) -> None:
        """Count from the beginning, and act at a point, or at none."""
        with self._lock:
            self._counts.clear()
            self._armed = armed
            self._passed.write(f"{ARMED} 0\n".encode())

    def passing(self, point: str) -> None:
        """Note that a point is passed. A signal is the last thing that is done here."""
        with self._lock:
            self._counts[point] += 1
            number = self._counts[point]
            armed = self._armed
            acts = armed is not None and (armed.point, armed.passing) == (point, number)
            if acts:
                self._armed = None
            self._passed.write(f"{point} {number}\n".encode())
        if acts and armed is not None:
            # To this very thread: sent to the process, a stop may reach another thread first, and this one goes on for
            # long enough to send the call that it stands before.
            signal.pthread_kill(threading.get_ident(), ACTIONS[armed.action])

    def note_secrets(self, secrets: list[str]) -> None:
        """Keep the secrets that the server has held, whoever has got them, so that leaks of them can be looked for."""
        for secret in secrets:
            self._secrets.write(secret.encode() + b"\n")


def obey(points: Points, commands: BinaryIO) -> None:
    """Take `POINT PASSING ACTION`, one a line, from a pipe; an empty line disarms. The server ends with the pipe."""
    for line in commands:
        text = line.decode().strip()
        points.arm(Armed.parse(text) if text else None)
    # The harness was killed, and nobody else would end its servers.
    os.kill(os.getpid(), signal.SIGKILL)


def install(points: Points) -> None:
    """Wrap the one place that sends calls, the one that builds IAM's client, and the one that runs units of work."""
    _patch(AwsCalls, "_send_on_thread", lambda send: _around_call(points, send))
    _patch(AccountClients, "iam", lambda build: _after_signing(points, build))
    _patch(UnitsOfWork, "_attempt", lambda attempt: _around_work(points, attempt))


def _patch(owner: type, name: str, wrap: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    original = getattr(owner, name)
    setattr(owner, name, wraps(original)(wrap(original)))


def _around_call(points: Points, send: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(calls: Any, operation: str, params: Mapping[str, object], *more: Any) -> Any:
        point = f"{calls._service.lower()}:{operation}"
        points.note_secrets([value.reveal() for value in params.values() if isinstance(value, Secret)])
        points.passing(f"{point}:before")
        answer = send(calls, operation, params, *more)
        if isinstance(answer, dict):
            points.note_secrets(_secrets_in(answer))
        points.passing(f"{point}:after")
        return answer

    return wrapped


def _after_signing(points: Points, build: Callable[..., BaseClient]) -> Callable[..., BaseClient]:
    def wrapped(clients: Any) -> BaseClient:
        client = build(clients)

        def before_send(event_name: str, **_: object) -> None:
            points.passing(f"iam:{event_name.rpartition('.')[2]}:signed")

        # The last of all: what the service itself checks before sending has been checked.
        client.meta.events.register_last("before-send.iam", before_send)
        return client

    return wrapped


def _around_work(points: Points, attempt: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(units: Any, engine: Any, operation: str, *work: Any) -> Any:
        points.passing(f"store:{operation}:before")
        result = attempt(units, engine, operation, *work)
        points.passing(f"store:{operation}:after")
        return result

    return wrapped


def _secrets_in(answer: Mapping[str, Any]) -> list[str]:
    """The secrets of an answer: they stand one level deep, beside the id of what was made."""
    return [
        _text(value)
        for part in answer.values()
        if isinstance(part, Mapping)
        for name, value in part.items()
        if name in SECRET_FIELDS
    ]


def _text(secret: str | bytes) -> str:
    """What is no text, such as a picture, in base64; botocore has decoded the seed from base64 as well."""
    if isinstance(secret, str):
        return secret
    return secret.decode() if secret.isascii() else base64.b64encode(secret).decode()
