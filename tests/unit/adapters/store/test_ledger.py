"""What the ledger promises the application, on a store that works."""

import json
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import pytest

from identity_service.adapters.store import SqlLedger
from identity_service.application.ports import Failure, Intent, RequestKey
from identity_service.domain.entities import UserRecord, UserSnapshot
from identity_service.domain.errors import IdentityError, Reason
from identity_service.domain.outcome import Outcome
from tests.unit.adapters.store.expected import row_of

MakeIntent = Callable[..., Intent]
OpenLedger = Callable[..., Awaitable[SqlLedger]]
RETRYABLE = Failure(IdentityError(Reason.THROTTLED, "IAM asks to go slower"), retryable=True)
PERMANENT = Failure(IdentityError(Reason.QUOTA_EXCEEDED, "no more groups"), retryable=False)


class Clock(Protocol):
    """The clock of conftest.py."""

    now: datetime

    def advance(self, seconds: float) -> None:
        """Let time pass."""


async def refusal(attempt: Awaitable[None]) -> IdentityError:
    """Return the error that an attempt ends with."""
    with pytest.raises(IdentityError) as caught:
        await attempt
    return caught.value


async def test_an_unknown_request_is_none(ledger: SqlLedger) -> None:
    """What was never begun is not known."""
    assert await ledger.find(RequestKey("spiffe://example.org/bot", "no-such-request")) is None


async def test_a_begun_request_runs(ledger: SqlLedger, make_intent: MakeIntent) -> None:
    """A begun request is found running, under its row id and fingerprint, without outcome or failure."""
    intent = make_intent()
    await ledger.begin(intent)
    assert await ledger.find(intent.key) == row_of(intent, lease_expired=False)


async def test_request_ids_of_two_callers_are_two_requests(ledger: SqlLedger, make_intent: MakeIntent) -> None:
    """A request id belongs to its caller: another one's same id is another request."""
    await ledger.begin(make_intent())
    other = make_intent(row_id="row-2", caller_id="spiffe://example.org/other", user_name="Bob")
    assert await ledger.find(other.key) is None
    await ledger.begin(other)
    assert (await ledger.find(other.key)) == row_of(other, lease_expired=False)


async def test_plan_and_snapshot_are_stored(
    ledger: SqlLedger, make_intent: MakeIntent, user: UserRecord, database_file: Path
) -> None:
    """The row holds the whole authorized plan, actions and documents included, and what was there before."""
    await ledger.begin(make_intent(snapshot=UserSnapshot(user=user, inline_policies={"old": "{}"})))
    with sqlite3.connect(database_file) as connection:
        plan, snapshot = (
            json.loads(text) for text in connection.execute("SELECT plan, snapshot FROM requests").fetchone()
        )
    connection.close()
    assert [step["iam_action"] for step in plan["steps"]] == [
        "iam:CreateUser",
        "iam:AttachUserPolicy",
        "iam:PutUserPolicy",
    ]
    assert plan["steps"][2]["document"] == '{"Version":"2012-10-17"}'
    assert plan["warnings"][0]["kind"] == "DIRECT_ATTACHMENT"
    assert snapshot["user"]["user_id"] == "AIDAEXAMPLE"
    assert snapshot["user"]["created_at"] == "2026-02-03T04:05:07+00:00"
    assert snapshot["inline_policies"] == {"old": "{}"}


async def test_an_absent_user_has_no_snapshot(ledger: SqlLedger, make_intent: MakeIntent, database_file: Path) -> None:
    """Where the user was absent, the row holds SQL's NULL and not JSON's null."""
    await ledger.begin(make_intent(snapshot=None))
    with sqlite3.connect(database_file) as connection:
        assert connection.execute("SELECT snapshot IS NULL FROM requests").fetchone() == (1,)
    connection.close()


async def test_the_same_request_is_in_progress(ledger: SqlLedger, make_intent: MakeIntent) -> None:
    """A second begin of a running request is refused, with a time to come back."""
    await ledger.begin(make_intent())
    error = await refusal(ledger.begin(make_intent(row_id="row-2")))
    assert (error.reason, error.retry_after) == (Reason.IN_PROGRESS, 1.0)


async def test_a_request_whose_lease_ran_out_is_still_not_begun_again(
    ledger: SqlLedger, make_intent: MakeIntent, clock: Clock
) -> None:
    """A dead attempt is shown as such, but begin alone does not put another one in its place."""
    intent = make_intent()
    await ledger.begin(intent)
    clock.advance(299)
    assert (await ledger.find(intent.key)) == row_of(intent, lease_expired=False)
    clock.advance(1)
    assert (await ledger.find(intent.key)) == row_of(intent, lease_expired=True)
    assert (await refusal(ledger.begin(make_intent(row_id="row-2")))).reason is Reason.IN_PROGRESS


@pytest.mark.parametrize("user_name", ["Ann", "ANN", "ann"])
async def test_one_change_of_a_user_at_a_time(ledger: SqlLedger, make_intent: MakeIntent, user_name: str) -> None:
    """Another request for the same user, in any letter case, waits; it is told neither whose nor which request runs."""
    await ledger.begin(make_intent())
    waiting = make_intent("row-2", "spiffe://example.org/other", "another-request", user_name)
    error = await refusal(ledger.begin(waiting))
    assert (error.reason, error.retry_after) == (Reason.IN_PROGRESS, 1.0)
    told = f"{error} {error.metadata}"
    assert not [word for word in ("onboarding-bot", "6f1c0e9e", "row-1", "people-team") if word in told]


async def test_users_and_accounts_do_not_wait_for_each_other(ledger: SqlLedger, make_intent: MakeIntent) -> None:
    """Another user, and the same name in another account, may be changed meanwhile."""
    await ledger.begin(make_intent())
    await ledger.begin(make_intent(row_id="row-2", request_id="request-2", user_name="Bob"))
    await ledger.begin(make_intent(row_id="row-3", request_id="request-3", account_id="210987654321"))


async def test_a_refused_begin_leaves_nothing(ledger: SqlLedger, make_intent: MakeIntent) -> None:
    """A request that did not get the user's lock has neither row nor audit line."""
    await ledger.begin(make_intent())
    waiting = make_intent(row_id="row-2", request_id="request-2")
    await refusal(ledger.begin(waiting))
    assert await ledger.find(waiting.key) is None
    assert [event.row_id for event in await ledger.read_audit()] == ["row-1"]


async def test_an_expired_lock_is_taken_over_and_kept(ledger: SqlLedger, make_intent: MakeIntent, clock: Clock) -> None:
    """After the lease another request gets the user, and the late end of the first one does not free it."""
    await ledger.begin(make_intent())
    clock.advance(299)
    second = make_intent(row_id="row-2", request_id="request-2")
    assert (await refusal(ledger.begin(second))).reason is Reason.IN_PROGRESS
    clock.advance(1)
    await ledger.begin(second)
    await ledger.succeed("row-1", Outcome())
    third = make_intent(row_id="row-3", request_id="request-3")
    assert (await refusal(ledger.begin(third))).reason is Reason.IN_PROGRESS


async def test_success_is_stored_and_frees_the_user(
    ledger: SqlLedger, make_intent: MakeIntent, user: UserRecord
) -> None:
    """The outcome comes back equal, and the next change of the user may begin."""
    intent = make_intent()
    outcome = Outcome(user=user, sign_in_url="https://example.signin.aws.amazon.com/console")
    await ledger.begin(intent)
    await ledger.succeed("row-1", outcome)
    assert await ledger.find(intent.key) == row_of(intent, lease_expired=False, outcome=outcome)
    await ledger.begin(make_intent(row_id="row-2", request_id="request-2"))


async def test_failure_is_stored_and_frees_the_user(ledger: SqlLedger, make_intent: MakeIntent) -> None:
    """The failure comes back with its error, and the next change of the user may begin."""
    intent = make_intent()
    await ledger.begin(intent)
    await ledger.fail("row-1", PERMANENT)
    row = await ledger.find(intent.key)
    assert row is not None
    assert row.failure is not None
    assert row.failure.retryable is False
    assert vars(row.failure.error) == vars(PERMANENT.error)
    await ledger.begin(make_intent(row_id="row-2", request_id="request-2"))


async def test_a_finished_row_has_no_expired_lease(ledger: SqlLedger, make_intent: MakeIntent, clock: Clock) -> None:
    """However long ago it ended, a finished request is nobody's to take over."""
    intent = make_intent()
    await ledger.begin(intent)
    await ledger.succeed("row-1", Outcome())
    clock.advance(10_000)
    assert await ledger.find(intent.key) == row_of(intent, lease_expired=False, outcome=Outcome())


async def test_a_retryable_failure_is_taken_over(
    ledger: SqlLedger, make_intent: MakeIntent, database_file: Path
) -> None:
    """The same request runs again after a retryable failure: one row, the new row id, the next epoch."""
    intent = make_intent()
    await ledger.begin(intent)
    await ledger.fail("row-1", RETRYABLE)
    second = make_intent(row_id="row-2", fingerprint="fingerprint-2")
    await ledger.begin(second)
    assert await ledger.find(intent.key) == row_of(second, lease_expired=False)
    with sqlite3.connect(database_file) as connection:
        assert connection.execute("SELECT row_id, epoch, state FROM requests").fetchall() == [("row-2", 2, "running")]
    connection.close()


@pytest.mark.parametrize("end", ["succeed", "fail"])
async def test_a_finished_request_does_not_begin_again(ledger: SqlLedger, make_intent: MakeIntent, end: str) -> None:
    """Whoever begins a request that has just ended has lost a race, and finds its end on the next try."""
    await ledger.begin(make_intent())
    await (ledger.succeed("row-1", Outcome()) if end == "succeed" else ledger.fail("row-1", PERMANENT))
    assert (await refusal(ledger.begin(make_intent(row_id="row-2")))).reason is Reason.IN_PROGRESS


@pytest.mark.parametrize("end", ["succeed", "fail"])
async def test_only_a_running_row_ends(ledger: SqlLedger, make_intent: MakeIntent, end: str) -> None:
    """An end is refused for an unknown row, a finished one, and one whose place another attempt has taken."""

    async def finish(row_id: str) -> None:
        await (ledger.succeed(row_id, Outcome()) if end == "succeed" else ledger.fail(row_id, PERMANENT))

    assert (await refusal(finish("no-such-row"))).reason is Reason.CONFLICT
    await ledger.begin(make_intent())
    await ledger.fail("row-1", RETRYABLE)
    assert (await refusal(finish("row-1"))).reason is Reason.CONFLICT
    await ledger.begin(make_intent(row_id="row-2"))
    assert (await refusal(finish("row-1"))).reason is Reason.CONFLICT
    await finish("row-2")
    assert (await refusal(finish("row-2"))).reason is Reason.CONFLICT


async def test_a_refused_end_is_not_audited(ledger: SqlLedger) -> None:
    """What did not happen does not stand in the audit log."""
    await refusal(ledger.succeed("no-such-row", Outcome()))
    assert await ledger.read_audit() == ()


async def test_the_store_is_kept_over_a_restart(
    ledger: SqlLedger, open_ledger: OpenLedger, make_intent: MakeIntent, user: UserRecord
) -> None:
    """What was stored is there after the store was closed and opened again."""
    intent = make_intent()
    await ledger.begin(intent)
    await ledger.succeed("row-1", Outcome(user=user))
    await ledger.close()
    reopened = await open_ledger()
    assert await reopened.find(intent.key) == row_of(intent, lease_expired=False, outcome=Outcome(user=user))


async def test_the_store_works_on_a_thread_of_its_own(tmp_path: Path, make_intent: MakeIntent) -> None:
    """All work is done by one thread, neither the event loop's nor one of its default pool."""
    threads: set[threading.Thread] = set()

    def watching_clock() -> datetime:
        threads.add(threading.current_thread())
        return datetime(2026, 2, 3, tzinfo=UTC)

    ledger = SqlLedger(f"sqlite:///{tmp_path / 'own.db'}", clock=watching_clock)
    await ledger.open()
    await ledger.begin(make_intent())
    await ledger.succeed("row-1", Outcome())
    await ledger.close()
    assert [thread.name for thread in threads] == ["ledger_0"]


async def test_what_an_earlier_process_left_unfinished_is_ended(
    ledger: SqlLedger, open_ledger: OpenLedger, make_intent: MakeIntent
) -> None:
    """At the start of a server, running requests of the one before are failed, and their targets are free."""
    left, done = make_intent(), make_intent(row_id="row-2", request_id="request-2", user_name="Bob")
    await ledger.begin(left)
    await ledger.begin(done)
    await ledger.succeed("row-2", Outcome())
    reopened = await open_ledger()
    failure = Failure(IdentityError(Reason.INTERRUPTED, "cut off"), retryable=False)
    assert await reopened.end_unfinished(failure) == 1
    row = await reopened.find(left.key)
    assert row is not None
    assert row.failure is not None
    assert row.failure.error.reason is Reason.INTERRUPTED
    await reopened.begin(make_intent(row_id="row-3", request_id="request-3"))
