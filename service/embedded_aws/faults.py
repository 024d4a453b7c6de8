"""Faults that a test plants in the account: which call they meet, and what then goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from random import Random
from threading import Condition, Lock
from typing import Any, get_args

# How often a call without answer looks whether anybody still waits for it.
_LOOK_FOR_THE_CLIENT_SECONDS = 0.05


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


@dataclass(frozen=True, slots=True)
class Hang:
    """Never answer, after doing what was asked or (`do_it=False`) before: the client gives up in the end."""

    do_it: bool = False


@dataclass(frozen=True, slots=True)
class Throttle:
    """Answer Throttling when calls come faster than a bucket of `burst` tokens fills by `rate` a second."""

    rate: float
    burst: float = 1.0


@dataclass(frozen=True, slots=True)
class FreshPassword:
    """Answer EntityTemporarilyUnmodifiable to changes of a login profile that is newer than this."""

    seconds: float


@dataclass(frozen=True, slots=True)
class NotFoundYet:
    """Answer NoSuchEntity to calls that name something newer than this."""

    seconds: float


@dataclass(frozen=True, slots=True)
class StaleRead:
    """Answer Get and List as the account was so long ago, as far back as the planting of this fault."""

    seconds: float


@dataclass(frozen=True, slots=True)
class KeyNotReady:
    """Answer InvalidClientTokenId to calls that are signed with an access key newer than this."""

    seconds: float


@dataclass(frozen=True, slots=True)
class KeyOutlivesDeletion:
    """Let a deleted access key sign calls for so long."""

    seconds: float


Effect = (
    AnswerError
    | LoseReply
    | CloseConnection
    | AnswerHtml
    | Delay
    | DropParameter
    | Hold
    | Hang
    | Throttle
    | FreshPassword
    | NotFoundYet
    | StaleRead
    | KeyNotReady
    | KeyOutlivesDeletion
)
EFFECTS: dict[str, type[Effect]] = {kind.__name__: kind for kind in get_args(Effect)}


def throttled() -> AnswerError:
    """The answer that IAM gives when it is called too fast."""
    return AnswerError("Throttling", 400, "Rate exceeded")


@dataclass(frozen=True, slots=True)
class Fault:
    """An effect on calls of one operation (or all that match a pattern such as `Create*`), by parameter values.

    The first `skip` matching calls pass; of the others, each is met with this probability, until `times`
    calls have been met (None: without end). The same seed meets the same calls again.
    """

    operation: str
    effect: Effect
    parameters: Mapping[str, Any] = field(default_factory=dict)
    times: int | None = 1
    skip: int = 0
    probability: float = 1.0
    seed: int = 0

    def matches(self, operation: str, params: Mapping[str, Any]) -> bool:
        """Whether a call is of the kind that this fault waits for."""
        return fnmatchcase(operation, self.operation) and all(
            params.get(name) == value for name, value in self.parameters.items()
        )

    def to_json(self) -> dict[str, Any]:
        """A form that `json` can write."""
        names = ("operation", "times", "skip", "probability", "seed")
        effect = {"kind": type(self.effect).__name__, **asdict(self.effect)}
        return {**{name: getattr(self, name) for name in names}, "parameters": dict(self.parameters), "effect": effect}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Fault:
        """The fault that `to_json` wrote."""
        effect = dict(document["effect"])
        kind = EFFECTS[effect.pop("kind")]
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
            self._planted.append(_Planted(fault))

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

    def hang(self, is_given_up: Callable[[], bool]) -> None:
        """Wait until the client has gone; CallDropped if the faults are cleared before."""
        with self._gate:
            self._held += 1
            self._gate.notify_all()
            drops, dropped = self._drops, False
            while not dropped and not is_given_up():
                dropped = self._gate.wait_for(lambda: self._drops > drops, _LOOK_FOR_THE_CLIENT_SECONDS)
            self._held -= 1
            if dropped:
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

    def effects_on(
        self, operation: str, params: Mapping[str, Any], applies: Callable[[Effect], bool], now: float
    ) -> list[Effect]:
        """The effects that meet this call; each is used up by one. `applies` tells whether time is right for one."""
        if not self._planted:
            return []
        with self._lock:
            return [
                planted.fault.effect
                for planted in self._planted
                if planted.fault.matches(operation, params) and applies(planted.fault.effect) and planted.strikes(now)
            ]

    def longest_memory(self) -> float | None:
        """How many seconds of history stale reads need; None if there are none."""
        if not self._planted:
            return None
        with self._lock:
            effects = [planted.fault.effect for planted in self._planted]
        return max((effect.seconds for effect in effects if isinstance(effect, StaleRead)), default=None)


class _Planted:
    """A fault with what is left of it."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self._skips_left = fault.skip
        self._times_left = fault.times
        self._chance = Random(fault.seed)  # noqa: S311 - it has to be repeatable, and guards nothing
        self._tokens: float | None = None
        self._filled_at = 0.0

    def strikes(self, now: float) -> bool:
        if self._skips_left > 0:
            self._skips_left -= 1
            return False
        if self._chance.random() >= self.fault.probability:
            return False
        if isinstance(self.fault.effect, Throttle) and self._takes_a_token(self.fault.effect, now):
            return False
        if self._times_left is None:
            return True
        self._times_left -= 1
        return self._times_left >= 0

    def _takes_a_token(self, bucket: Throttle, now: float) -> bool:
        filled = bucket.burst if self._tokens is None else self._tokens + (now - self._filled_at) * bucket.rate
        tokens, self._filled_at = min(filled, bucket.burst), now
        self._tokens = tokens - 1 if tokens >= 1 else tokens
        return tokens >= 1
