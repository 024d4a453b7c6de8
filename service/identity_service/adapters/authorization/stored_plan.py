"""Reads a plan that somebody wrote down, to explain what would be decided on it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from identity_service.domain import tags
from identity_service.domain.entities import UserRecord
from identity_service.domain.plan import Plan
from identity_service.domain.proposal import Proposal
from identity_service.domain.steps import STEPS_BY_ACTION, Step
from identity_service.domain.target import Target

Json = dict[str, Any]


class PlanFileError(ValueError):
    """A plan that cannot be read; the text says what is wrong."""


class _User(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    user_name: str
    arn: str
    owner: str | None = None
    boundary_arn: str | None = None
    tags: dict[str, str] = Field(default_factory=dict)

    def record(self) -> UserRecord:
        """Return the user; what policies cannot see of it is empty."""
        owned = {tags.OWNER: self.owner} if self.owner else {}
        made_at = datetime.fromtimestamp(0, UTC)
        return UserRecord(self.user_name, "", self.arn, "", made_at, self.boundary_arn, {**self.tags, **owned})


class _PlanFile(BaseModel):
    # What else a stored plan has, such as its account and target, is not needed here.
    model_config = ConfigDict(extra="ignore", strict=True)

    steps: list[Json] = Field(default_factory=list)
    satisfied: list[Json] = Field(default_factory=list)
    user: _User | None = None
    copied_from: _User | None = None
    tags: dict[str, str] | None = None


def read_proposal(document: Mapping[str, Any], action: str, account_id: str, target: Target) -> Proposal:
    """Build a proposal from `steps`, as the store writes them, each with its `iam_action`.

    `user` and `copied_from` are users as they are: `user_name` and `arn`, and if they have them `owner`, `boundary_arn`
    and `tags`. `tags` are those of a policy that is changed. Raises PlanFileError.
    """
    try:
        file = _PlanFile.model_validate(document)
    except ValidationError as error:
        raise PlanFileError(_words("the plan", error)) from None
    steps, satisfied = tuple(map(_step, file.steps)), tuple(map(_step, file.satisfied))
    return Proposal(
        action=action,
        plan=Plan(account_id, target, steps=steps, satisfied=satisfied),
        user=file.user.record() if file.user else None,
        target_tags=file.tags,
        copied_from=file.copied_from.record() if file.copied_from else None,
    )


def _step(document: Json) -> Step:
    fields = {"round": 1, **document}
    action = fields.pop("iam_action", None)
    if action not in STEPS_BY_ACTION:
        raise PlanFileError(f"there are no steps with the iam_action {action!r}")
    try:
        step: Step = TypeAdapter(STEPS_BY_ACTION[action]).validate_python(fields)
    except ValidationError as error:
        raise PlanFileError(_words(f"a step {action}", error)) from None
    return step


def _words(what: str, error: ValidationError) -> str:
    return "\n".join(f"{what}: {'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
