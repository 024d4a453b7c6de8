"""Faults that a test plants in the account: which call they meet, and what then goes wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from threading import Condition, Lock
from typing import Any, get_args


@dataclass(frozen=True, slots=True)
class AnswerError:
    """Answer this error and do nothing."""

    code: str
    status: int
    message: str = "injected"


@dataclass(frozen=True, slots=True)
class LoseReply:
    """Do what was asked, then answer an error as if it had failed."""

    code: str = "ServiceFailure"
    status: int = 500
    message: str = "injected after the work was done"


@dataclass(frozen=True, slots=True)
class CloseConnection:
    """Close the connection without an answer, after doing what was asked or (`do_it=False`) before."""

    do_it: bool = True


@dataclass(frozen=True, slots=True)
class AnswerHtml:
    """Answer a page of HTML, as a proxy does, with or (`do_it=False`) without doing what was asked."""

    status: int = 502
    do_it: bool = False


@dataclass(frozen=True, slots=True)
class Delay:
    """Wait, then serve the call as usual."""

    seconds: float


@dataclass(frozen=True, slots=True)
class DropParameter:
    """Serve the call as if this parameter had never been sent."""

    name: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep the call waiting until it is released: before the work, or (`done=True`) after it."""

    done: bool = False


Effect = AnswerError | LoseReply | CloseConnection | AnswerHtml | Delay | DropParameter | Hold
_EFFECTS: dict[str, type[Effect]] = {kind.__name__: kind for kind in get_args(Effect)}


def throttled() -> AnswerError:
    """The answer that IAM gives when it is called too fast."""
    return AnswerError("Throttling", 400, "Rate exceeded")


@dataclass(frozen=True, slots=True)
class Fault:
    """An effect on calls of one operation (`*` for all), optionally with given parameter values.

    The first `skip` matching calls pass; then `times` calls are met (None: every one from there on).
    """

    operation: str
    effect: Effect
    parameters: Mapping[str, Any] = field(default_factory=dict)
    times: int | None = 1
    skip: int = 0

    def matches(self, operation: str, params: Mapping[str, Any]) -> bool:
        """Whether a call is of the kind that this fault waits for."""
        return self.operation in {"*", operation} and all(
            params.get(name) == value for name, value in self.parameters.items()
        )

    def to_json(self) -> dict[str, Any]:
        """A form that `json` can write."""
        plain = {name: getattr(self, name) for name in ("operation", "times", "skip")}
        effect = {"kind": type(self.effect).__name__, **asdict(self.effect)}
        return {**plain, "parameters": dict(self.parameters), "effect": effect}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Fault:
        """The fault that `to_json` wrote."""
        effect = dict(document["effect"])
        kind = _EFFECTS[effect.pop("kind")]
        return cls(**{**document, "effect": kind(**effect)})


class CallDropped(Exception):  # noqa: N818 - it is a signal to the server, no error of anyone
    """A held call was given up: it ends without work, answer and record, lest it reach into the next test."""


class FaultBox:
    """The planted faults; several may meet one call. Calls that are held wait here for their release."""

    def __init__(self) -> None:
        """Start without faults."""
        self._planted: list[_Planted] = []
        self._lock = Lock()
        self._gate = Condition()
        self._held = 0
        self._releases = 0
        self._drops = 0

    def plant(self, fault: Fault) -> None:
        """Add a fault."""
        with self._lock:
            self._planted.append(_Planted(fault, fault.skip, fault.times))

    def clear(self) -> None:
        """Remove every fault, used up or not; a call that is still held is dropped."""
        with self._lock:
            self._planted.clear()
        with self._gate:
            self._drops += 1
            self._gate.notify_all()

    def hold(self) -> None:
        """Wait for the next release; CallDropped if the faults are cleared before."""
        with self._gate:
            self._held += 1
            self._gate.notify_all()
            releases, drops = self._releases, self._drops
            self._gate.wait_for(lambda: self._releases > releases or self._drops > drops)
            self._held -= 1
            if self._drops > drops:
                raise CallDropped

    def release(self) -> None:
        """Let every held call go on."""
        with self._gate:
            self._releases += 1
            self._gate.notify_all()

    def wait_for_held(self, count: int, timeout: float) -> bool:
        """Wait until so many calls are held; False if that takes too long."""
        with self._gate:
            return self._gate.wait_for(lambda: self._held >= count, timeout)

    def effects_on(self, operation: str, params: Mapping[str, Any]) -> list[Effect]:
        """The effects that meet this call; each is used up by one."""
        with self._lock:
            return [
                planted.fault.effect
                for planted in self._planted
                if planted.fault.matches(operation, params) and planted.strikes()
            ]


@dataclass(slots=True)
class _Planted:
    fault: Fault
    skips_left: int
    times_left: int | None

    def strikes(self) -> bool:
        if self.skips_left > 0:
            self.skips_left -= 1
            return False
        if self.times_left is None:
            return True
        self.times_left -= 1
        return self.times_left >= 0
