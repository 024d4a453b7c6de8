"""How fast one account is called: as fast as it likes until AWS refuses, then at a rate that is found by trying.

AWS tells nobody how many calls it takes, and other programs and replicas use up the same limit. So the limit is felt:
a refusal lowers the rate, time without one raises it again, quickly to just below what was refused last, slowly
from there on.
"""

import random
from collections import deque
from collections.abc import Callable

CUT = 0.7
"""What is left of the rate after a refusal: so little that what was refused can be sent besides."""
RETURN_TO = 0.97
"""The part of the refused rate that the rate returns to quickly."""
RETURN_SECONDS = 0.5
PROBE_LINEAR = 0.01
PROBE_CUBIC = 0.0002
"""How the rate grows after the return, per second and per cubed second, in parts of the refused rate: one per cent in
the first seconds, and in half a minute without a refusal to the sixfold, because then the limit must have changed."""
FAR_OFF = 0.3
MANY = 8
CUT_AT_MOST = 0.25
"""Which part of the late answers, of so many at least, has to be refused so that the limit is searched for elsewhere,
and how much is left of the rate at least."""
SEARCH_GROWTH = 2.0
"""By what the rate grows in a second of the search, until it is refused again."""
CALLS_PER_REFUSAL = 100
BACK_OFF = 0.95
"""How many calls should pass for each that is refused, and how far the rate falls back if they were fewer: where
several replicas share a low limit, trying it out would cost too much otherwise."""
SLOWEST = 1.0
"""Calls per second that are sent in any case, however often they are refused."""
SPREAD = 0.5
"""By which part of itself the time between two calls varies, so that replicas do not keep step."""
CATCH_UP_SECONDS = 0.05
CATCH_UP_CALLS = 8
"""How much a sender that comes late may send at once; two replicas together stay within a small bucket."""
MEASURED_SECONDS = 0.25
MEASURED_CALLS = 256
"""Over how long, and how many calls at most, the speed is measured of what was not held back."""
UNHURRIED = 50.0
"""Calls per second for which, as we take it, nobody is refused who is alone: AWS publishes no number."""

SHORTEST_SECONDS = 0.001
"""As how long an answer at once counts."""


class SendRate:
    """Says when the next call may be sent, and learns from refusals.

    `maximum` bounds the rate from the start. `jitter` draws from 0 to 1.
    """

    def __init__(
        self,
        now: Callable[[], float],
        maximum: float | None = None,
        # Not for secrets: it only keeps replicas apart.
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._now = now
        self._maximum = maximum
        self._jitter = jitter
        self._refused: float | None = None
        self._lowered_until = float("-inf")
        self._late = 0
        self._late_refused = 0
        self._used_seconds = 0.0
        self._used_calls = 0
        self._searching = False
        self._next_at = float("-inf")
        self._is_used_up = False
        self._sent_at: deque[float] = deque(maxlen=MEASURED_CALLS)

    @property
    def per_second(self) -> float | None:
        """The rate; None while there is none."""
        if self._refused is None:
            return self._maximum
        rate = max(self._refused * self._part_regained(), SLOWEST)
        return rate if self._maximum is None else min(rate, self._maximum)

    def pause(self) -> float:
        """Return for how many seconds no call may be sent."""
        return max(self._next_at - self._now(), 0.0)

    def sent(self) -> float:
        """Note that a call is sent, and return when.

        Only a rate that is used up grows: what nobody asked for was not tried.
        """
        now = self._now()
        self._sent_at.append(now)
        rate = self.per_second
        if rate is not None:
            earliest = now - min(CATCH_UP_SECONDS, CATCH_UP_CALLS / rate)
            self._is_used_up = self._next_at >= earliest
            self._used_calls += 1
            if self._is_used_up and rate != self._maximum:
                self._used_seconds += 1 / rate
            self._next_at = max(self._next_at, earliest) + self._interval(rate)
        return now

    def answered(self, sent_at: float, *, refused: bool) -> None:
        """Learn from AWS's answer to a call sent at that time: lower the rate if it was refused.

        Once per round trip is enough: what was under way when the rate was last lowered, or met those calls, was sent
        at the former rate. It tells how far that one was off.
        """
        if sent_at < self._lowered_until:
            self._late += 1
            self._late_refused += refused
        elif refused and not self._is_unhurried():
            self._lower(sent_at)

    def _is_unhurried(self) -> bool:
        """Tell whether it would help nobody to send even less: the retries' own waits are enough.

        One call that is refused over and over, or a few of them, say nothing of the rate.
        """
        rate = self.per_second
        few = not self._is_used_up or self._used_calls < MANY
        return rate is not None and rate <= UNHURRIED and few

    def _lower(self, sent_at: float) -> None:
        now = self._now()
        self._refused = self._speed(now, sent_at) * self._part_believed()
        self._used_seconds = 0.0
        self._used_calls = 0
        self._lowered_until = now + (now - sent_at)
        self._late = self._late_refused = 0
        self._next_at = now + self._interval(self.per_second or SLOWEST)

    def _part_believed(self) -> float:
        """Return the part of the present rate that may be the limit, and note whether it has to be searched for."""
        if self._refused is None:
            self._searching = True
            return 1.0
        share = self._late_refused / self._late if self._late >= MANY else 0.0
        if self._used_seconds < RETURN_SECONDS and share > FAR_OFF:
            # Refused again on the way back, and before that much was refused: the limit is elsewhere.
            self._searching = True
            return max(1 - share, CUT_AT_MOST)
        self._searching = False
        return 1.0 if self._used_calls >= CALLS_PER_REFUSAL else BACK_OFF

    def _speed(self, now: float, sent_at: float) -> float:
        """Return how fast calls were sent at last: at the rate, if it was used up, else as measured."""
        rate = self.per_second
        if rate is not None and self._is_used_up:
            return rate
        # At least a round trip, since as long no answer could have held anything back.
        since = min(sent_at, now - MEASURED_SECONDS)
        recent = [at for at in self._sent_at if at >= since] or [sent_at]
        measured = max(len(recent) / max(now - recent[0], SHORTEST_SECONDS), UNHURRIED)
        return measured if rate is None else min(rate, measured)

    def _interval(self, rate: float) -> float:
        return (1 + SPREAD * (2 * self._jitter() - 1)) / rate

    def _part_regained(self) -> float:
        """Return the part of the refused rate that may be sent again, after what was sent since."""
        if self._used_seconds < RETURN_SECONDS:
            return CUT + (RETURN_TO - CUT) * self._used_seconds / RETURN_SECONDS
        probing = self._used_seconds - RETURN_SECONDS
        if self._searching:
            return float(RETURN_TO * SEARCH_GROWTH**probing)
        return RETURN_TO + PROBE_LINEAR * probing + PROBE_CUBIC * probing**3
