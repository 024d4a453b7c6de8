"""The record of every call that the account was asked for, secrets left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from threading import Lock
from typing import Any


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """One call and how it was answered; `status` is None when the connection was closed without an answer.

    `answered_at` is the time of the account's clock, in seconds since the epoch.
    """

    operation: str
    parameters: Mapping[str, Any]
    access_key_id: str
    request_id: str
    status: int | None
    error_code: str | None
    account_id: str = ""
    answered_at: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """A form that `json` can write."""
        return asdict(self)


class CallLog:
    """The calls since the last clearing, in the order in which they were answered."""

    def __init__(self) -> None:
        """Start empty."""
        self._calls: list[RecordedCall] = []
        self._lock = Lock()

    def add(self, call: RecordedCall) -> None:
        """Record one call."""
        with self._lock:
            self._calls.append(call)

    def all(self) -> list[RecordedCall]:
        """A copy of the record."""
        with self._lock:
            return list(self._calls)

    def clear(self) -> None:
        """Forget every call."""
        with self._lock:
            self._calls.clear()
