"""The audit log: what is told of each event, how it is appended, and reading it back.

Details name things and never hold their content: no policy document, no tag, no word of an error.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields

import sqlalchemy as sa

from identity_service.adapters.store import audit_chain
from identity_service.adapters.store.database import write_json
from identity_service.adapters.store.rows import Row
from identity_service.adapters.store.schema import AuditEventName, audit_log
from identity_service.adapters.store.units import Unit
from identity_service.application.ledger import AuditEvent, Denial, Failure, Intent
from identity_service.application.sent_calls import SentCall
from identity_service.domain.outcome import ExecutedStep, Outcome
from identity_service.domain.steps import Step

Details = dict[str, object]

INSERT = audit_log.insert()
NEXT_ID_OF_POSTGRESQL = sa.text("SELECT nextval(pg_get_serial_sequence('audit_log', 'id'))")
LAST_ID_OF_SQLITE = sa.text("SELECT seq FROM sqlite_sequence WHERE name = 'audit_log'")

NAMING_FIELDS = (
    "boundary_arn",
    "group_name",
    "policy_arn",
    "policy_name",
    "access_key_id",
    "certificate_id",
    "ssh_public_key_id",
    "credential_id",
    "serial_number",
)
"""Fields of steps that name what is given or taken; listed one by one, so that a new field is not audited unseen."""

EVENT_FIELDS = tuple(field.name for field in fields(AuditEvent))

AWS_ANSWER = ("aws_action", "aws_error_code", "aws_request_id")
"""What an error's metadata tells of the answer that it comes from."""

MOST_CALLS = 500
"""How many calls of a failed request are named; where an undo was throttled again and again there are more."""


def intent_details(intent: Intent) -> Details:
    """Tell what is going to be done, by the digest that a reviewer saw, and what there was to warn of."""
    return {
        "plan_digest": intent.plan.digest,
        "steps": [_planned(step) for step in intent.plan.steps],
        "warnings": [warning.kind.name for warning in intent.plan.warnings],
    }


def _planned(step: Step) -> Details:
    named = {name: getattr(step, name, None) for name in NAMING_FIELDS}
    return {
        "action": step.iam_action,
        "resource": step.resource,
        **{name: value for name, value in named.items() if value is not None},
    }


def outcome_details(outcome: Outcome) -> Details:
    """Tell what was done, by ids that CloudTrail knows too."""
    details: Details = {"steps": [_executed(step) for step in outcome.steps]}
    if outcome.user is not None:
        details["user_id"] = outcome.user.user_id
    if outcome.credentials is not None and outcome.credentials.access_key is not None:
        details["access_key_id"] = outcome.credentials.access_key.access_key_id
    return details


def _executed(step: ExecutedStep) -> Details:
    return {
        "action": step.iam_action,
        "resource": step.resource,
        "aws_request_id": step.aws_request_id,
        "unchanged": step.unchanged,
    }


def failure_details(failure: Failure, calls: Sequence[SentCall] = ()) -> Details:
    """Tell why it failed, which answer of AWS's it was, if it was one, and all that was sent, to undo it as well."""
    metadata = failure.error.metadata
    details: Details = {"reason": failure.error.reason.name, "retryable": failure.retryable}
    details.update({name: metadata[name] for name in AWS_ANSWER if metadata.get(name)})
    if calls:
        details["calls"] = [_sent(call) for call in calls[:MOST_CALLS]]
    if len(calls) > MOST_CALLS:
        details["calls_left_out"] = len(calls) - MOST_CALLS
    return details


def _sent(call: SentCall) -> Details:
    error = {"error": call.error} if call.error else {}
    return {"action": call.iam_action, "aws_request_id": call.aws_request_id, **error}


def append_intent(unit: Unit, intent: Intent) -> None:
    """Write that a mutation begins."""
    _append(
        unit,
        event=AuditEventName.INTENT,
        caller_id=intent.key.caller_id,
        team=intent.team,
        action=intent.action,
        account_id=intent.plan.account_id,
        target=str(intent.plan.target),
        request_id=intent.key.request_id,
        row_id=intent.row_id,
        details=intent_details(intent),
    )


def append(unit: Unit, event: AuditEventName, row: Row, details: Details) -> None:
    """Write what became of a mutation; who asked for what is in its ledger row."""
    about = ("caller_id", "team", "action", "account_id", "target", "request_id", "row_id")
    _append(unit, event=event, details=details, **{name: row[name] for name in about})


def takeovers_of(connection: sa.Connection, row_id: str) -> int:
    """Count how often a request was taken over since it was begun last, or opened again."""
    of_row = audit_log.c.row_id == row_id
    beginnings = (AuditEventName.INTENT, AuditEventName.REISSUE)
    begun = sa.select(sa.func.max(audit_log.c.id)).where(of_row, audit_log.c.event.in_(beginnings)).scalar_subquery()
    query = sa.select(sa.func.count()).where(
        of_row, audit_log.c.event == AuditEventName.TAKEOVER, audit_log.c.id > sa.func.coalesce(begun, 0)
    )
    return int(connection.execute(query).scalar_one())


def append_denial(unit: Unit, denial: Denial) -> None:
    """Write that a request was refused; in no chain, so that who is refused makes nobody else's line wait."""
    _insert(
        unit,
        {},
        event=AuditEventName.DENIED,
        caller_id=denial.caller_id,
        team=denial.team,
        action=denial.action,
        account_id=denial.account_id,
        target=str(denial.target),
        request_id=denial.request_id,
        row_id="",
        details={"reason": denial.reason},
    )


def _append(unit: Unit, **values: object) -> None:
    stored = {
        **values,
        "id": _next_id(unit.connection),
        "at": audit_chain.time_text(unit.now),
        "event": str(values["event"]),
        "trace_id": unit.trace_id,
        "details": write_json(values["details"]),
    }
    _insert(unit, {"id": stored["id"], **unit.chain.link(stored)}, **values)


def _insert(unit: Unit, chained: Mapping[str, object], **values: object) -> None:
    unit.connection.execute(INSERT, {"at": unit.now, "trace_id": unit.trace_id, **chained, **values})


def _next_id(connection: sa.Connection) -> int:
    """Take the id that the next line gets: its hash covers the id too."""
    if connection.dialect.name == "postgresql":
        return int(connection.execute(NEXT_ID_OF_POSTGRESQL).scalar_one())
    return int(connection.execute(LAST_ID_OF_SQLITE).scalar() or 0) + 1


def read(connection: sa.Connection, limit: int, after: int) -> tuple[AuditEvent, ...]:
    """Return the events that follow the one numbered `after`, oldest first."""
    query = sa.select(audit_log).where(audit_log.c.id > after).order_by(audit_log.c.id).limit(limit)
    return tuple(_event(row) for row in connection.execute(query).mappings())


def _event(row: sa.RowMapping) -> AuditEvent:
    return AuditEvent(**{name: row[name] for name in EVENT_FIELDS})
