"""From plans to the questions that policies answer: one for each thing that a plan gives, makes or takes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from identity_service.domain import tags
from identity_service.domain.caller import Caller
from identity_service.domain.entities import UserRecord
from identity_service.domain.guard_rails import path_in_arn
from identity_service.domain.proposal import Proposal
from identity_service.domain.steps import (
    AddUserToGroup,
    AttachGroupPolicy,
    AttachUserPolicy,
    CreateLoginProfile,
    CreatePolicy,
    CreateUser,
    DeleteGroupPolicy,
    DeleteUserPolicy,
    DetachGroupPolicy,
    DetachUserPolicy,
    GroupStep,
    PolicyStep,
    PutUserPermissionsBoundary,
    PutUserPolicy,
    RemoveUserFromGroup,
    Step,
    TagUser,
    UntagUser,
    UpdateUser,
    UserStep,
)
from identity_service.domain.target import Target, TargetKind

Json = dict[str, Any]

COPY = "plan:CopyPermissions"
TAKE_OWNERSHIP = "plan:TakeOwnership"
SET_BOUNDARY = PutUserPermissionsBoundary.iam_action


@dataclass(frozen=True)
class Question:
    """May the caller do an action on a resource? `about` is the resource in the words that a denial tells."""

    action: str
    resource: Json
    about: str
    context: Json = field(default_factory=dict)


@dataclass(frozen=True)
class Questions:
    """Questions of one caller, in the order in which they are asked, and the entities that they speak of."""

    caller: Json
    asked: Sequence[Question]
    entities: Sequence[Json]

    def requests(self) -> list[Json]:
        """Return the questions as Cedar has them."""
        return [
            {
                "principal": self.caller,
                "action": _uid("Action", question.action),
                "resource": question.resource,
                "context": question.context,
            }
            for question in self.asked
        ]


def about_rpc(caller: Caller, action: str, account_id: str, target: Target | None) -> Questions:
    """Ask whether a caller may call an RPC for an account."""
    context = {"target": {"kind": target.kind.value, "name": target.name}} if target else {}
    account = _uid("Account", account_id)
    question = Question(action, account, str(target) if target else account_id, context)
    return Questions(_uid("Caller", caller.id), [question], [_caller(caller)])


def about_plan(caller: Caller, proposal: Proposal) -> Questions:
    """Ask about everything that a plan comes to: first whom it copies, then its steps."""
    entities = _Entities(proposal)
    asked = [*_about_copy(proposal, entities)]
    for step in proposal.judged:
        asked += _about_step(proposal, step, entities)
    return Questions(_uid("Caller", caller.id), asked, [_caller(caller), *entities.all()])


class _Entities:
    """The entities of a plan, each once."""

    def __init__(self, proposal: Proposal) -> None:
        self._proposal = proposal
        self._made = {step.user_arn: step for step in proposal.judged if isinstance(step, CreateUser)}
        self._created = {step.policy_arn: step for step in proposal.judged if isinstance(step, CreatePolicy)}
        self._known: dict[tuple[str, str], Json] = {}

    def all(self) -> list[Json]:
        """Return what was spoken of so far."""
        return list(self._known.values())

    def user(self, name: str, arn: str) -> Json:
        """Speak of the user of a step; under a new name it is the same user."""
        made, user = self._made.get(arn), self._proposal.user
        if made:
            return self._user(name, arn, made.tags, made.boundary_arn)
        return self._user(name, arn, user.tags if user else {}, user.boundary_arn if user else None)

    def other_user(self, user: UserRecord) -> Json:
        """Speak of another user than the plan's own."""
        return self._user(user.user_name, user.arn, user.tags, user.boundary_arn)

    def group(self, name: str, arn: str) -> Json:
        """Speak of a group."""
        return self._add("Group", arn, {"name": name, "path": path_in_arn(arn)})

    def policy(self, arn: str) -> Json:
        """Speak of a managed policy."""
        attributes: Json = {"arn": arn, "name": arn.rpartition("/")[2], "path": path_in_arn(arn)}
        made, target = self._created.get(arn), self._proposal.plan.target
        its_tags = made.tags if made else self._proposal.target_tags if target == _policy_target(arn) else None
        return self._add("Policy", arn, {**attributes, **_owner(its_tags or {})})

    def _user(self, name: str, arn: str, its_tags: Mapping[str, str], boundary: str | None) -> Json:
        attributes: Json = {"name": name, "path": path_in_arn(arn), **_owner(its_tags)}
        if boundary:
            attributes["boundary"] = boundary
        return self._add("User", arn, attributes, dict(its_tags))

    def _add(self, kind: str, arn: str, attributes: Json, its_tags: Json | None = None) -> Json:
        uid = _uid(kind, arn)
        entity: Json = {"uid": uid, "attrs": attributes, "parents": [_uid("Account", arn.split(":")[4])]}
        if its_tags is not None:
            entity["tags"] = its_tags
        self._known.setdefault((kind, arn), entity)
        return uid


def _about_copy(proposal: Proposal, entities: _Entities) -> Iterator[Question]:
    user = proposal.copied_from
    if user:
        yield Question(COPY, entities.other_user(user), f"user/{user.user_name}", {"rpc": proposal.action})


def _about_step(proposal: Proposal, step: Step, entities: _Entities) -> Iterator[Question]:
    context: Json = {"rpc": proposal.action, **_context(step, entities)}
    match step:
        case UserStep():
            resource = entities.user(step.user_name, step.user_arn)
        case GroupStep():
            resource = entities.group(step.group_name, step.group_arn)
        case PolicyStep():
            resource = entities.policy(step.policy_arn)
        case _:
            raise TypeError(f"nobody asks about {type(step).__name__}")
    yield Question(step.iam_action, resource, step.resource, context)
    if isinstance(step, CreateUser) and step.boundary_arn:
        boundary = {"rpc": proposal.action, "policy": _entity(entities.policy(step.boundary_arn))}
        yield Question(SET_BOUNDARY, resource, step.resource, boundary)
    if isinstance(step, TagUser) and tags.OWNER in step.tags:
        yield Question(TAKE_OWNERSHIP, resource, step.resource, {"rpc": proposal.action})


def _context(step: Step, entities: _Entities) -> Json:
    match step:
        case AddUserToGroup() | RemoveUserFromGroup():
            return {"group": _entity(entities.group(step.group_name, step.group_arn))}
        case AttachUserPolicy() | DetachUserPolicy() | AttachGroupPolicy() | DetachGroupPolicy():
            return {"policy": _entity(entities.policy(step.policy_arn))}
        case PutUserPermissionsBoundary():
            return {"policy": _entity(entities.policy(step.boundary_arn))}
        case PutUserPolicy() | DeleteUserPolicy() | DeleteGroupPolicy():
            return {"policy_name": step.policy_name}
        case CreateLoginProfile():
            return {"generated": step.generated, "reset_required": step.reset_required}
        case UpdateUser():
            new = {"new_name": step.new_user_name, "new_path": step.new_path}
            return {key: value for key, value in new.items() if value is not None}
        case TagUser():
            return {"tag_keys": sorted(step.tags)}
        case UntagUser():
            return {"tag_keys": sorted(step.tag_keys)}
        case _:
            return {}


def _uid(kind: str, name: str) -> Json:
    return {"type": kind, "id": name}


def _entity(uid: Json) -> Json:
    return {"__entity": uid}


def _caller(caller: Caller) -> Json:
    return {"uid": _uid("Caller", caller.id), "attrs": {}, "parents": [_uid("Team", caller.team)]}


def _owner(its_tags: Mapping[str, str]) -> Json:
    owner = tags.owner_of(its_tags)
    return {"owner": _entity(_uid("Team", owner))} if owner else {}


def _policy_target(arn: str) -> Target:
    return Target(TargetKind.POLICY, arn)
