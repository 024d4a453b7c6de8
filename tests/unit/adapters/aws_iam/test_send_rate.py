"""How the rate follows AWS's refusals."""

from dataclasses import dataclass, field

import pytest

from identity_service.adapters.aws_iam.send_rate import SendRate

ROUND_TRIP = 0.03


@dataclass
class Sender:
    """Sends as fast as the rate allows, on a clock of its own; the jitter is always in the middle."""

    maximum: float | None = None
    now: float = 1000.0
    rate: SendRate = field(init=False)

    def __post_init__(self) -> None:
        self.rate = SendRate(lambda: self.now, self.maximum, lambda: 0.5)

    def send(self, seconds: float) -> int:
        """Send for so long and return how much was sent."""
        until, count = self.now + seconds, 0
        while self.now + self.rate.pause() < until:
            self.now += self.rate.pause()
            self.rate.sent()
            count += 1
        self.now = until
        return count

    def send_calls(self, count: int) -> None:
        """Send so many calls as fast as the rate allows."""
        for _ in range(count):
            self.now += self.rate.pause()
            self.rate.sent()

    def refuse(self) -> None:
        """Let a call that is sent now be refused a round trip later."""
        sent_at = self.rate.sent()
        self.now += ROUND_TRIP
        self.rate.answered(sent_at, refused=True)


@pytest.fixture
def found() -> Sender:
    """A sender that has found its rate: about 100 calls a second were refused last, and not for the first time."""
    sender = Sender(maximum=100.0)
    sender.send(5)
    sender.refuse()
    sender.send(5)
    sender.refuse()
    return sender


def speed(sender: Sender) -> float:
    """Return the rate, which there is."""
    assert sender.rate.per_second is not None
    return sender.rate.per_second


def test_without_a_refusal_nothing_is_held_back() -> None:
    """As long as AWS takes everything, calls go at once."""
    sender = Sender()
    for _ in range(1000):
        sender.rate.answered(sender.rate.sent(), refused=False)
        assert sender.rate.pause() == 0
    assert sender.rate.per_second is None


def test_the_first_refusal_starts_from_the_measured_speed() -> None:
    """100 calls in half a second, of which the last is refused, go on at 0.7 of 200 a second."""
    sender = Sender()
    for _ in range(100):
        sender.now += 0.005
        sent_at = sender.rate.sent()
    sender.rate.answered(sent_at, refused=True)
    assert speed(sender) == pytest.approx(140, rel=0.05)


def test_a_refusal_leaves_seven_tenths(found: Sender) -> None:
    """The rate falls to 0.7 of what was refused."""
    assert speed(found) == pytest.approx(70)


def test_one_round_trip_counts_once(found: Sender) -> None:
    """Refusals of what was under way already, and of what met it, change nothing any more."""
    before = speed(found)
    for lead in (ROUND_TRIP, ROUND_TRIP / 2, 0.0, -ROUND_TRIP / 2):
        found.rate.answered(found.now - lead, refused=True)
    assert speed(found) == before


def test_a_refusal_of_the_lowered_rate_lowers_it_again(found: Sender) -> None:
    """What was sent a round trip after the cut, and is refused, was sent too fast as well."""
    before = speed(found)
    found.send(2 * ROUND_TRIP)
    found.refuse()
    assert speed(found) < 0.8 * before


def test_the_rate_returns_quickly_to_just_below_what_was_refused(found: Sender) -> None:
    """After half a second it is 97 % of it, and then it grows slowly: one per cent a second."""
    found.send(0.55)
    assert speed(found) == pytest.approx(97, rel=0.01)
    found.send(2)
    assert speed(found) == pytest.approx(99, rel=0.01)


def test_a_rate_that_nobody_uses_does_not_grow(found: Sender) -> None:
    """One call a second proves nothing of seventy."""
    found.send(0.1)
    before = speed(found)
    for _ in range(60):
        found.now += 1
        found.rate.answered(found.rate.sent(), refused=False)
    assert speed(found) == pytest.approx(before, rel=0.01)


def test_far_too_fast_is_lowered_in_few_steps() -> None:
    """Where nearly everything was refused, and then again, the limit is looked for far below."""
    sender = Sender()
    burst = [sender.rate.sent() for _ in range(32)]
    sender.now += ROUND_TRIP
    for sent_at in burst:
        sender.rate.answered(sent_at, refused=True)
    before = speed(sender)
    sender.send(2 * ROUND_TRIP)
    sender.refuse()
    assert speed(sender) < 0.3 * before


def test_the_search_comes_back_from_too_low() -> None:
    """Until it is refused again, a rate that is searched for doubles within a second."""
    sender = Sender()
    for _ in range(10):
        sender.now += 0.01
        sent_at = sender.rate.sent()
    sender.rate.answered(sent_at, refused=True)
    sender.send(0.6)
    before = speed(sender)
    sender.send(1)
    assert speed(sender) >= 1.7 * before


def test_frequent_refusals_keep_farther_away(found: Sender) -> None:
    """A rate that is refused after few calls comes back to less than one that held for long."""
    found.send(0.7)
    refused_at = speed(found)
    found.refuse()
    assert speed(found) == pytest.approx(0.7 * 0.95 * refused_at, rel=0.01)


def test_it_never_stands_still() -> None:
    """However often AWS refuses, one call a second is sent, or the end of it would never be seen."""
    sender = Sender(maximum=100.0)
    for _ in range(100):
        sender.send_calls(8)
        sender.refuse()
    assert 1 <= speed(sender) < 1.5
    assert sender.rate.pause() <= 1.5


def test_who_comes_late_sends_little_at_once(found: Sender) -> None:
    """After a pause at most 50 ms, and at most eight calls, are made up for."""
    found.now += 60
    at_once = 0
    while found.rate.pause() == 0:
        found.rate.sent()
        at_once += 1
    assert at_once <= 1 + 0.05 * 100


def test_the_maximum_holds_whatever_grows() -> None:
    """Also after hours without a refusal, a configured maximum is not passed."""
    sender = Sender(maximum=10.0)
    assert sender.send(60) <= 10 * 60 + 1
    sender.refuse()
    assert sender.send(7200) <= 10 * 7200 + 1
    assert speed(sender) == 10


def test_a_few_calls_are_not_slowed_down_much() -> None:
    """Who sends a call now and then meets what others send to the account: to send even less would help nobody."""
    sender = Sender()
    for _ in range(20):
        sender.now += 1.0
        sender.refuse()
    assert speed(sender) >= 30


def test_one_call_that_is_refused_over_and_over_slows_nothing_down() -> None:
    """Its retries are refused for a reason of their own: the others go on at nearly the same rate."""
    sender = Sender()
    for _ in range(12):
        sender.refuse()
    assert speed(sender) >= 25


def test_a_low_limit_is_followed_all_the_same() -> None:
    """Who uses a low rate up and is refused again goes below it."""
    sender = Sender()
    sender.refuse()
    for _ in range(40):
        sender.send(1)
        sender.refuse()
    assert speed(sender) < 10
