"""Which failures are sent again, how often, and what the caller is told in the end."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from identity_service.adapters.aws_iam.operations import Effect
from identity_service.adapters.aws_iam.recent_entities import Entity, RecentEntities
from identity_service.adapters.aws_iam.retry import Reply, Retrier
from identity_service.application.ports import Receipt
from identity_service.domain.errors import IamError, IamErrorKind

MARIA = (Entity.user("maria"),)
REPLY = Reply({}, Receipt("request-ok", datetime.now(UTC)))
PASSING = (IamErrorKind.BUSY, IamErrorKind.THROTTLED, IamErrorKind.UNAVAILABLE)


def failure(kind: IamErrorKind, *, lost: bool = False, request_id: str = "request-1") -> IamError:
    """Build an error of one call; `lost`: nobody knows whether it was carried out."""
    return IamError(kind, "iam:Something", request_id=request_id, outcome_unknown=lost)


class Script:
    """A call that fails as written, then succeeds."""

    def __init__(self, *failures: IamError) -> None:
        self.left = list(failures)
        self.sent = 0

    async def send(self) -> Reply:
        """Send once."""
        self.sent += 1
        if self.left:
            raise self.left.pop(0)
        return REPLY


@pytest.fixture
def recent(time: Any) -> RecentEntities:
    """Nothing recent."""
    return RecentEntities(15.0, time.clock.now)


@pytest.fixture
def retrier(time: Any, recent: RecentEntities) -> Retrier:
    """Twenty seconds, twelve attempts."""
    return Retrier(20.0, 12, recent, time.clock)


@pytest.mark.parametrize("effect", [Effect.READ, Effect.WRITE, Effect.REMOVAL])
@pytest.mark.parametrize("kind", PASSING)
async def test_passing_failure_is_sent_again(retrier: Retrier, time: Any, effect: Effect, kind: IamErrorKind) -> None:
    """Reads and convergent writes are repeated on what passes; the receipt tells whether a sending is unanswered."""
    lost = kind is IamErrorKind.UNAVAILABLE
    script = Script(failure(kind, lost=lost), failure(kind))
    reply = await retrier.run(effect, MARIA, script.send)
    assert reply.value is REPLY.value
    assert reply.receipt == replace(REPLY.receipt, repeated=lost)
    assert script.sent == 3
    assert len(time.sleeps) == 2


@pytest.mark.parametrize("effect", Effect)
@pytest.mark.parametrize("kind", [kind for kind in IamErrorKind if kind not in (*PASSING, IamErrorKind.IN_USE)])
async def test_lasting_failure_is_raised_at_once(
    retrier: Retrier, time: Any, effect: Effect, kind: IamErrorKind
) -> None:
    """What does not pass is raised after one sending, without a wait."""
    script = Script(failure(kind))
    with pytest.raises(IamError) as caught:
        await retrier.run(effect, MARIA, script.send)
    assert caught.value.kind is kind
    assert script.sent == 1
    assert time.sleeps == []


@pytest.mark.parametrize("kind", PASSING)
async def test_mint_is_repeated_when_nothing_was_done(retrier: Retrier, kind: IamErrorKind) -> None:
    """A mint is sent again on a refusal, and when it could not be sent at all."""
    script = Script(failure(kind), failure(kind))
    assert await retrier.run(Effect.MINT, MARIA, script.send) is REPLY
    assert script.sent == 3


async def test_mint_is_not_repeated_when_its_outcome_is_unknown(retrier: Retrier) -> None:
    """A mint that may have been carried out is not sent again, also after a harmless failure."""
    script = Script(failure(IamErrorKind.THROTTLED), failure(IamErrorKind.UNAVAILABLE, lost=True))
    with pytest.raises(IamError) as caught:
        await retrier.run(Effect.MINT, MARIA, script.send)
    assert caught.value.outcome_unknown
    assert script.sent == 2


@pytest.mark.parametrize("effect", [Effect.WRITE, Effect.MINT])
async def test_write_on_a_recent_user_waits_for_it(retrier: Retrier, recent: RecentEntities, effect: Effect) -> None:
    """IAM is eventually consistent: a user made a moment ago may not be found yet."""
    recent.add(Entity.user("Maria"))
    script = Script(failure(IamErrorKind.NOT_FOUND), failure(IamErrorKind.NOT_FOUND))
    assert await retrier.run(effect, MARIA, script.send) is REPLY
    assert script.sent == 3


@pytest.mark.parametrize("effect", [Effect.READ, Effect.REMOVAL])
async def test_absence_is_an_answer_to_reads_and_removals(
    retrier: Retrier, recent: RecentEntities, effect: Effect
) -> None:
    """Reading or removing what is absent is not repeated, where no user is needed for it."""
    recent.add(*MARIA)
    script = Script(failure(IamErrorKind.NOT_FOUND))
    with pytest.raises(IamError):
        await retrier.run(effect, (), script.send)
    assert script.sent == 1


async def test_waiting_for_a_recent_user_ends_with_the_window(
    retrier: Retrier, recent: RecentEntities, time: Any
) -> None:
    """When the window is over, a user who is not found is not there."""
    recent.add(*MARIA)
    time.now += 15.0
    script = Script(failure(IamErrorKind.NOT_FOUND))
    with pytest.raises(IamError) as caught:
        await retrier.run(Effect.WRITE, MARIA, script.send)
    assert caught.value.kind is IamErrorKind.NOT_FOUND
    assert script.sent == 1


async def test_gone_after_a_lost_removal_is_removed(retrier: Retrier) -> None:
    """NOT_FOUND after a removal whose answer was lost is success, with that answer's request id."""
    lost = failure(IamErrorKind.UNAVAILABLE, lost=True)
    script = Script(lost, failure(IamErrorKind.THROTTLED), failure(IamErrorKind.NOT_FOUND, request_id="request-9"))
    reply = await retrier.run(Effect.REMOVAL, MARIA, script.send)
    assert reply.receipt.request_id == "request-9"
    assert reply.receipt.repeated


async def test_gone_after_a_harmless_failure_is_not_found(retrier: Retrier) -> None:
    """NOT_FOUND after a throttled removal is what it says: nobody removed anything."""
    script = Script(failure(IamErrorKind.THROTTLED), failure(IamErrorKind.NOT_FOUND))
    with pytest.raises(IamError) as caught:
        await retrier.run(Effect.REMOVAL, MARIA, script.send)
    assert caught.value.kind is IamErrorKind.NOT_FOUND


async def test_lost_answer_is_remembered_to_the_end(retrier: Retrier) -> None:
    """If one attempt may have been carried out, the last error says so, whatever it is itself."""
    script = Script(failure(IamErrorKind.UNAVAILABLE, lost=True), failure(IamErrorKind.ALREADY_EXISTS))
    with pytest.raises(IamError) as caught:
        await retrier.run(Effect.WRITE, MARIA, script.send)
    assert caught.value.kind is IamErrorKind.ALREADY_EXISTS
    assert caught.value.outcome_unknown


async def test_retries_end_after_the_attempts(recent: RecentEntities, time: Any) -> None:
    """The last attempt's own error is raised, and no error of the retry library."""
    retrier = Retrier(3600.0, 12, recent, time.clock)
    script = Script(*(failure(IamErrorKind.THROTTLED, request_id=f"request-{number}") for number in range(12)))
    with pytest.raises(IamError) as caught:
        await retrier.run(Effect.READ, (), script.send)
    assert caught.value.request_id == "request-11"
    assert caught.value.__cause__ is None
    assert script.sent == 12


async def test_retries_end_with_the_budget(recent: RecentEntities, time: Any) -> None:
    """However many attempts are allowed, the waits together stay within the budget."""
    retrier = Retrier(20.0, 10_000, recent, time.clock)
    script = Script(*(failure(IamErrorKind.THROTTLED) for _ in range(10_000)))
    with pytest.raises(IamError):
        await retrier.run(Effect.READ, (), script.send)
    assert sum(time.sleeps) <= 20.0
    assert script.sent < 10_000


async def test_slow_attempts_use_the_budget_up(recent: RecentEntities, time: Any) -> None:
    """The time that attempts take counts against the budget like the waits between them."""
    retrier = Retrier(20.0, 12, recent, time.clock)
    script = Script(*(failure(IamErrorKind.UNAVAILABLE, lost=True) for _ in range(12)))

    async def send_slowly() -> Reply:
        time.now += 10.0
        return await script.send()

    with pytest.raises(IamError):
        await retrier.run(Effect.READ, (), send_slowly)
    assert script.sent == 2


async def test_waits_are_jittered(retrier: Retrier, time: Any) -> None:
    """Two callers that are refused together do not come back together."""
    for _ in range(2):
        await retrier.run(Effect.READ, (), Script(*(failure(IamErrorKind.THROTTLED) for _ in range(5))).send)
    assert time.sleeps[:5] != time.sleeps[5:]


def test_reply_shows_no_value() -> None:
    """A reply may hold a secret key, and does not print it."""
    reply = Reply({"AccessKey": {"SecretAccessKey": "hunter2"}}, REPLY.receipt)
    assert "hunter2" not in repr(reply)


async def test_other_exceptions_pass(retrier: Retrier) -> None:
    """A defect of the program is not taken for a failure of AWS."""

    async def broken() -> Reply:
        raise KeyError("defect")

    with pytest.raises(KeyError):
        await retrier.run(Effect.READ, (), broken)


async def test_a_deletion_that_meets_what_was_just_taken_off_is_tried_again(retrier: Retrier) -> None:
    """DeleteConflict may be IAM's lag, so it is tried a few times, and then it is the answer."""
    passing = Script(failure(IamErrorKind.IN_USE), failure(IamErrorKind.IN_USE))
    await retrier.run(Effect.REMOVAL, (), passing.send)
    assert passing.sent == 3
    lasting = Script(*(failure(IamErrorKind.IN_USE) for _ in range(20)))
    with pytest.raises(IamError) as caught:
        await retrier.run(Effect.REMOVAL, (), lasting.send)
    assert caught.value.kind is IamErrorKind.IN_USE
    assert lasting.sent == 5
