"""What the store writes of an operation's users, and how it comes back. A secret cannot be written."""

from collections.abc import Mapping
from typing import Any

import orjson

from identity_service.adapters.store import codec
from identity_service.adapters.store.codec import Json, StoredValue, StoredValueError, plain
from identity_service.application.operations.ports import Progress
from identity_service.domain.errors import Reason
from identity_service.domain.outcome import Outcome
from identity_service.domain.plan import Plan, PlanWarning, Problem, QuotaUse, Severity, WarningKind
from identity_service.domain.request import RequestFields, SelfManagement, UserChange

FIELDS = RequestFields(
    user_name="user_name",
    tags="tags",
    boundary="permissions.permissions_boundary",
    permissions="permissions",
    credentials="credentials",
)
"""Where the parts of a user stand in its `UserSpec`, by which problems of an operation's user are named."""


class _StoredChange(StoredValue):
    value: UserChange


class _StoredProgress(StoredValue):
    value: Progress


class _StoredQuotaUses(StoredValue):
    value: tuple[QuotaUse, ...]


def encode_change(change: UserChange) -> str:
    """Return a user to be made as JSON. Raises TypeError for a password in it."""
    fields = codec.plain_fields(change)
    del fields["fields"]
    return orjson.dumps(fields).decode()


def decode_change(text: str) -> UserChange:
    """Read a user to be made back. Raises StoredValueError."""
    match orjson.loads(text):
        case {"permissions": {"self_management": str(level), **permissions}, **change} if (
            level in SelfManagement.__members__
        ):
            named = {**permissions, "self_management": SelfManagement[level]}
            value = {**change, "permissions": named, "fields": FIELDS}
            return codec.decode(_StoredChange, {"value": value}).value
        case _:
            raise StoredValueError("a stored user is not of this release's form")


def encode_plan(plan: Plan) -> str:
    """Return a plan as JSON, with what a reviewer reads."""
    return orjson.dumps(codec.encode_plan(plan)).decode()


def decode_plan(text: str) -> Plan:
    """Read a plan back, with what a reviewer reads. Raises StoredValueError."""
    document = orjson.loads(text)
    plan = codec.decode_plan(document)
    try:
        return Plan(
            account_id=plan.account_id,
            target=plan.target,
            user_id=plan.user_id,
            steps=plan.steps,
            satisfied=plan.satisfied,
            quota_uses=decode_quota_uses(document["quota_uses"]),
            warnings=tuple(_warning(warning) for warning in document["warnings"]),
            problems=tuple(_problem(problem) for problem in document["problems"]),
        )
    except (KeyError, TypeError):
        raise StoredValueError("a stored plan is not of this release's form") from None


def _warning(document: Mapping[str, Any]) -> PlanWarning:
    severity = Severity[document.get("severity", Severity.WARNING.name)]
    return PlanWarning(WarningKind[document["kind"]], document["message"], document["field"], severity)


def _problem(document: Mapping[str, Any]) -> Problem:
    # What an error would say besides is stored with the user's failure.
    return Problem(Reason[document["reason"]], document["message"], document["field"])


def encode_quota_uses(uses: tuple[QuotaUse, ...]) -> object:
    """Return the use of quotas as JSON."""
    return plain(uses)


def decode_quota_uses(document: object) -> tuple[QuotaUse, ...]:
    """Read the use of quotas back. Raises StoredValueError."""
    return codec.decode(_StoredQuotaUses, {"value": document}).value


def encode_progress(progress: Progress) -> Json:
    """Return progress as JSON."""
    return codec.plain_fields(progress)


def decode_progress(document: object) -> Progress:
    """Read progress back. Raises StoredValueError."""
    return codec.decode(_StoredProgress, {"value": document}).value


def encode_outcome(outcome: Outcome) -> str:
    """Return what came of a user as JSON, always without its secrets."""
    return orjson.dumps(codec.encode_outcome(outcome)).decode()


def decode_outcome(text: str) -> Outcome:
    """Read what came of a user back. Raises StoredValueError."""
    return codec.decode_outcome(orjson.loads(text))
