"""What the store writes of plans, snapshots, outcomes and failures, and how it comes back.

Everything goes through `plain`, which knows a few types and refuses all others: a secret cannot be written.
"""

import dataclasses
import enum
import functools
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter

from identity_service.application.ledger import Failure
from identity_service.domain.entities import UserSnapshot
from identity_service.domain.errors import Reason
from identity_service.domain.outcome import Outcome
from identity_service.domain.plan import Plan
from identity_service.domain.steps import STEPS_BY_ACTION, Step
from identity_service.domain.target import Target, TargetKind

Json = dict[str, Any]
Stored = TypeVar("Stored", bound="StoredValue")


class StoredValueError(ValueError):
    """A stored value that this release cannot read. Holds nothing of the value."""


def plain(value: object) -> object:
    """Turn a value into what JSON knows: data classes to objects, enums to their names, times to ISO 8601.

    Raises TypeError, without the value, for any other type: `Secret` above all.
    """
    match value:
        case enum.Enum():
            return value.name
        case None | bool() | int() | float() | str():
            return value
        case datetime():
            return value.isoformat()
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case tuple() | list():
            return [plain(item) for item in value]
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return plain_fields(value)
        case _:
            raise TypeError(f"the store does not take a {type(value).__name__}")


def plain_fields(value: Any) -> Json:
    """Turn the fields of a data class into what JSON knows. Raises TypeError, without the value."""
    fields = {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    # A step's action is its class, so it is no field.
    return {"iam_action": value.iam_action, **fields} if isinstance(value, Step) else fields


def encode_plan(plan: Plan) -> Json:
    """Return a plan as JSON, each step with its IAM action. Inline documents are part of it, they are no secrets."""
    return plain_fields(plan)


def decode_plan(document: object) -> Plan:
    """Read back what carrying a plan out needs: target, user, steps; not its figures, warnings and problems.

    Raises StoredValueError.
    """
    match document:
        case {
            "account_id": str(account_id),
            "target": {"kind": str(kind), "name": str(name)},
            "user_id": str(user_id),
            "steps": list(steps),
            "satisfied": list(satisfied),
        } if kind in TargetKind.__members__:
            return Plan(
                account_id=account_id,
                target=Target(TargetKind[kind], name),
                user_id=user_id,
                steps=tuple(map(_decode_step, steps)),
                satisfied=tuple(map(_decode_step, satisfied)),
            )
        case _:
            raise StoredValueError("a stored plan is not of this release's form")


def _decode_step(document: object) -> Step:
    match document:
        case {"iam_action": str(action), **fields} if action in STEPS_BY_ACTION:
            try:
                step: Step = _reader_of(STEPS_BY_ACTION[action]).validate_python(fields)
            except ValueError:
                raise StoredValueError("a stored step is not of this release's form") from None
            return step
        case _:
            raise StoredValueError("a stored step has no action that this release knows")


@functools.cache
def _reader_of(kind: type[Step]) -> TypeAdapter[Step]:
    return TypeAdapter(kind)


def decode_snapshot(document: object) -> UserSnapshot | None:
    """Read a snapshot back; None where the user was absent. Raises StoredValueError."""
    return None if document is None else decode(_StoredSnapshot, {"value": document}).value


def encode_snapshot(snapshot: UserSnapshot | None) -> Json | None:
    """Return a snapshot as JSON; None where the user was absent."""
    return None if snapshot is None else plain_fields(snapshot)


def encode_outcome(outcome: Outcome) -> Json:
    """Return an outcome as JSON, always without its secrets."""
    return plain_fields(outcome.without_secrets())


def decode_outcome(document: object) -> Outcome:
    """Read an outcome back. Raises StoredValueError."""
    return decode(_StoredOutcome, {"value": document}).value


def encode_failure(failure: Failure) -> Json:
    """Return a failure as JSON, its reason by name."""
    return plain_fields(failure)


def decode_failure(document: object) -> Failure:
    """Read a failure back. Raises StoredValueError."""
    return decode(_StoredFailure, {"value": _with_reason(document)}).value


def _with_reason(document: object) -> object:
    """Put the reason in place of its name; numbers of reasons change with the code, names do not."""
    match document:
        case {"error": {"reason": str(name), **error}, **rest} if name in Reason.__members__:
            return {**rest, "error": {**error, "reason": Reason[name]}}
        case _:
            raise StoredValueError("a stored failure has no reason that this release knows")


class StoredValue(BaseModel):
    """A value around what is read back, for whose parts its settings hold."""

    # Data classes of the standard library take these settings from the model around them. `Secret` is the arbitrary
    # type: only an instance would fit, so that a stored text can never become one.
    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid", hide_input_in_errors=True)


class _StoredOutcome(StoredValue):
    value: Outcome


class _StoredSnapshot(StoredValue):
    value: UserSnapshot


class _StoredFailure(StoredValue):
    value: Failure


def decode(model: type[Stored], document: object) -> Stored:
    """Read a value back. Raises StoredValueError."""
    try:
        return model.model_validate(document)
    except ValueError:
        raise StoredValueError("a stored value is not of this release's form") from None
