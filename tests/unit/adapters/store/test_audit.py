"""What the audit log tells, what it keeps to itself, and that it only grows."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from identity_service.adapters.store import SqlLedger
from identity_service.adapters.store.audit import MOST_CALLS
from identity_service.application.ledger import AuditEvent, Denial, Failure, Intent
from identity_service.application.sent_calls import SentCall
from identity_service.domain import target
from identity_service.domain.entities import UserRecord
from identity_service.domain.errors import IdentityError, Reason
from identity_service.domain.outcome import ExecutedStep, IssuedAccessKey, IssuedCredentials, Outcome
from identity_service.domain.secret import Secret
from tests.unit.adapters.store.worlds import World

MakeIntent = Callable[..., Intent]
NOW = datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
ANN = "arn:aws:iam::123456789012:user/Ann"


def line(event: str, row_id: str = "row-1", **details: object) -> AuditEvent:
    """Build the line that is expected of the request of conftest.py."""
    return AuditEvent(
        at=NOW,
        event=event,
        caller_id="spiffe://example.org/onboarding-bot",
        team="people-team",
        action="ProvisionUser",
        account_id="123456789012",
        target="user/Ann",
        request_id="6f1c0e9e-0f63-4e0b-9d4f-0a4f3b5d8a01",
        row_id=row_id,
        details=details,
    )


async def read(ledger: SqlLedger, after: int = 0) -> list[AuditEvent]:
    """Read the log, with one time in every line: PostgreSQL's clock does not stand still."""
    return [replace(event, at=NOW) for event in await ledger.read_audit(after=after)]


async def test_lines_have_the_time_of_the_database(sqlite_world: World, make_intent: MakeIntent) -> None:
    """A line's time is that of the unit of work it was written in."""
    ledger = await sqlite_world.open()
    await ledger.begin(make_intent())
    assert [event.at for event in await ledger.read_audit()] == [NOW]


async def test_an_intent_names_what_will_be_done(ledger: SqlLedger, make_intent: MakeIntent) -> None:
    """The intent's line has each step's action, resource and what it gives, the plan's digest and the warnings."""
    intent = make_intent()
    await ledger.begin(intent)
    steps = [
        {
            "action": "iam:CreateUser",
            "resource": ANN,
            "boundary_arn": "arn:aws:iam::123456789012:policy/Boundary",
        },
        {"action": "iam:AttachUserPolicy", "resource": ANN, "policy_arn": "arn:aws:iam::aws:policy/ReadOnly"},
        {"action": "iam:PutUserPolicy", "resource": ANN, "policy_name": "inline-1"},
    ]
    expected = line("intent", plan_digest=intent.plan.digest, steps=steps, warnings=["DIRECT_ATTACHMENT"])
    assert await read(ledger) == [expected]


async def test_contents_stay_out_of_the_audit(ledger: SqlLedger, make_intent: MakeIntent) -> None:
    """Neither an inline document nor a tag nor a warning's words stand in the audit log."""
    await ledger.begin(make_intent(document='{"Sid":"CanaryDocument"}'))
    (event,) = await ledger.read_audit()
    told = json.dumps(dict(event.details))
    assert not [word for word in ("CanaryDocument", "cost-center", "4711", "words for people") if word in told]


async def test_an_outcome_names_what_was_made(ledger: SqlLedger, make_intent: MakeIntent, user: UserRecord) -> None:
    """The outcome's line has the user's id, the key's id and AWS's id of each call."""
    claim = await ledger.begin(make_intent())
    key = IssuedAccessKey("AKIAEXAMPLE", NOW, Secret("not told"))
    step = ExecutedStep("iam:CreateUser", ANN, "aws-request-1", NOW)
    await ledger.succeed(claim.lease, Outcome(user=user, credentials=IssuedCredentials(access_key=key), steps=(step,)))
    executed = {"action": "iam:CreateUser", "resource": ANN, "aws_request_id": "aws-request-1", "unchanged": False}
    expected = line("outcome", user_id="AIDAEXAMPLE", access_key_id="AKIAEXAMPLE", steps=[executed])
    assert await read(ledger, after=1) == [expected]


async def test_a_failure_names_its_reason(ledger: SqlLedger, make_intent: MakeIntent) -> None:
    """The failure's line has the reason and whether it may be tried again, and none of the words."""
    claim = await ledger.begin(make_intent())
    await ledger.fail(claim.lease, Failure(IdentityError(Reason.THROTTLED, "words"), retryable=True))
    assert await read(ledger, after=1) == [line("failure", reason="THROTTLED", retryable=True)]


async def test_a_failure_names_every_call_that_was_sent(ledger: SqlLedger, make_intent: MakeIntent) -> None:
    """The failure's line has the calls before it, itself and those that undid, each with AWS's id and its error."""
    claim = await ledger.begin(make_intent())
    failure = Failure(IdentityError(Reason.AWS_ACCESS_DENIED, "words"), retryable=False)
    calls = (
        SentCall("iam:CreateUser", "aws-request-1"),
        SentCall("iam:CreateAccessKey", "aws-request-2", "ACCESS_DENIED"),
        SentCall("iam:DeleteUser", "", "UNAVAILABLE"),
    )
    await ledger.fail(claim.lease, failure, calls=calls)
    told = [
        {"action": "iam:CreateUser", "aws_request_id": "aws-request-1"},
        {"action": "iam:CreateAccessKey", "aws_request_id": "aws-request-2", "error": "ACCESS_DENIED"},
        {"action": "iam:DeleteUser", "aws_request_id": "", "error": "UNAVAILABLE"},
    ]
    assert await read(ledger, after=1) == [line("failure", reason="AWS_ACCESS_DENIED", retryable=False, calls=told)]


async def test_a_line_has_an_end(ledger: SqlLedger, make_intent: MakeIntent) -> None:
    """Of very many calls the first are named, and how many there were besides."""
    claim = await ledger.begin(make_intent())
    failure = Failure(IdentityError(Reason.THROTTLED, "words"), retryable=True)
    calls = [SentCall("iam:DeleteUser", f"aws-request-{number}", "THROTTLED") for number in range(MOST_CALLS + 2)]
    await ledger.fail(claim.lease, failure, calls=calls)
    (told,) = await ledger.read_audit(after=1)
    text = json.dumps(dict(told.details))
    details = json.loads(text)
    assert len(text) < 100_000
    assert details["calls"][-1]["aws_request_id"] == calls[MOST_CALLS - 1].aws_request_id
    assert (len(details["calls"]), details["calls_left_out"]) == (MOST_CALLS, 2)


async def test_a_denial_is_kept(ledger: SqlLedger) -> None:
    """A refusal stands in the log with who asked for what, and has no row."""
    await ledger.record_denial(
        Denial(
            "spiffe://example.org/x",
            "",
            "DeleteUser",
            "123456789012",
            target.user("Ann"),
            "request",
            "CALLER_NOT_ALLOWED",
        )
    )
    expected = AuditEvent(
        at=NOW,
        event="denied",
        caller_id="spiffe://example.org/x",
        team="",
        action="DeleteUser",
        account_id="123456789012",
        target="user/Ann",
        request_id="request",
        row_id="",
        details={"reason": "CALLER_NOT_ALLOWED"},
    )
    assert await read(ledger) == [expected]


async def test_each_attempt_is_audited(ledger: SqlLedger, make_intent: MakeIntent) -> None:
    """A request that runs again has an intent and an end of each attempt, all of one row."""
    claim = await ledger.begin(make_intent())
    await ledger.fail(claim.lease, Failure(IdentityError(Reason.THROTTLED, "words"), retryable=True))
    again = await ledger.begin(make_intent())
    await ledger.release(again.lease)
    taken = await ledger.take_over(again.intent.key)
    assert taken is not None
    await ledger.succeed(taken.lease, Outcome())
    assert [(event.event, event.row_id) for event in await ledger.read_audit()] == [
        ("intent", "row-1"),
        ("failure", "row-1"),
        ("intent", "row-1"),
        ("takeover", "row-1"),
        ("outcome", "row-1"),
    ]


async def test_the_log_is_read_in_pages(ledger: SqlLedger, world: World, make_intent: MakeIntent) -> None:
    """Pages follow one another without overlap, also where a unit of work was rolled back between."""
    await ledger.begin(make_intent())
    with pytest.raises(IdentityError):
        await ledger.begin(make_intent(row_id="row-2", request_id="request-2"))
    for number in range(3, 6):
        await ledger.begin(make_intent(f"row-{number}", request_id=f"request-{number}", user_name=f"user-{number}"))
    numbers = [row["id"] for row in world.execute("SELECT id FROM audit_log ORDER BY id")]
    assert [event.row_id for event in await ledger.read_audit(limit=2)] == ["row-1", "row-3"]
    assert [event.row_id for event in await ledger.read_audit(limit=2, after=numbers[1])] == ["row-4", "row-5"]
    assert await ledger.read_audit(limit=2, after=numbers[3]) == ()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET team = 'another'",
        "DELETE FROM audit_log",
        "INSERT OR REPLACE INTO audit_log SELECT * FROM audit_log",
    ],
)
async def test_the_log_only_grows(sqlite_world: World, make_intent: MakeIntent, statement: str) -> None:
    """SQLite itself refuses to change, delete or replace a line, whoever asks; for PostgreSQL see its own tests."""
    ledger = await sqlite_world.open()
    await ledger.begin(make_intent())
    before = await ledger.read_audit()
    with pytest.raises(sa.exc.IntegrityError, match="append-only"):
        sqlite_world.execute(statement)
    assert await ledger.read_audit() == before
