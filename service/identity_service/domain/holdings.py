"""What plans give a user and take away, thing by thing: so that what should be there can be compared with what is."""

import enum
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from identity_service.domain.entities import UserSnapshot
from identity_service.domain.names import name_key
from identity_service.domain.plan import Plan
from identity_service.domain.steps import (
    AddUserToGroup,
    AttachUserPolicy,
    CreateLoginProfile,
    CreateUser,
    DeleteLoginProfile,
    DeleteUser,
    DeleteUserPermissionsBoundary,
    DeleteUserPolicy,
    DetachUserPolicy,
    PutUserPermissionsBoundary,
    PutUserPolicy,
    RemoveUserFromGroup,
    Step,
    UpdateUser,
)


class Kind(enum.StrEnum):
    """What a user can be given under a name, so that a deletion by that name takes it, whoever gave it."""

    USER = "user"
    PASSWORD = "console password"  # noqa: S105 - a kind of thing, not one
    GROUP = "group"
    POLICY = "policy"
    INLINE = "inline policy"
    BOUNDARY = "permissions boundary"


GRANTS = frozenset({Kind.GROUP, Kind.POLICY, Kind.INLINE, Kind.BOUNDARY})


@dataclass(frozen=True)
class Thing:
    """One thing that a user has or has not; `name` is a group's key, an ARN, or an inline policy's name.

    `document` is an inline policy's, where it is known.
    """

    kind: Kind
    name: str = ""
    document: str = ""

    def is_like(self, other: "Thing") -> bool:
        """Tell whether both have the same name, which a deletion goes by."""
        return (self.kind, self.name) == (other.kind, other.name)

    def of(self, user_name: str) -> str:
        """Name it for an operator."""
        if self.kind is Kind.USER:
            return f"user {user_name}"
        return f"{self.kind} {self.name} of {user_name}" if self.name else f"{self.kind} of {user_name}"


_USER_ALONE = frozenset({Thing(Kind.USER)})


@dataclass(frozen=True)
class PastRequest:
    """A request that is done: when it was begun first and ended last, and the user's id, empty if it is not known."""

    row_id: str
    plan: Plan
    user_id: str
    begun_at: datetime
    ended_at: datetime

    def gives(self) -> frozenset[Thing]:
        """Return what is there since, also what had been there before."""
        steps = (*self.plan.steps, *self.plan.satisfied)
        if any(map(_ends_the_name, steps)):
            return frozenset()
        return frozenset(thing for step in steps for thing in given_by(step))

    def takes(self, thing: Thing) -> bool:
        """Tell whether it took a thing away, or put another one in its place."""
        return takes(self.plan, thing)


def given_by(step: Step) -> Iterator[Thing]:
    """Yield what a step gives."""
    match step:
        case CreateUser():
            yield Thing(Kind.USER)
            if step.boundary_arn:
                yield Thing(Kind.BOUNDARY, step.boundary_arn)
        case CreateLoginProfile():
            yield Thing(Kind.PASSWORD)
        case AddUserToGroup():
            yield Thing(Kind.GROUP, name_key(step.group_name))
        case AttachUserPolicy():
            yield Thing(Kind.POLICY, step.policy_arn)
        case PutUserPolicy():
            yield Thing(Kind.INLINE, step.policy_name, step.document)
        case PutUserPermissionsBoundary():
            yield Thing(Kind.BOUNDARY, step.boundary_arn)


def takes(plan: Plan, thing: Thing) -> bool:
    """Tell whether a plan takes a thing away, or puts another one in its place."""
    return any(_takes(step, thing) for step in plan.steps)


def _takes(step: Step, thing: Thing) -> bool:
    if _ends_the_name(step):
        return True
    match step, thing.kind:
        case DeleteLoginProfile(), Kind.PASSWORD:
            return True
        case RemoveUserFromGroup(), Kind.GROUP:
            return name_key(step.group_name) == thing.name
        case DetachUserPolicy(), Kind.POLICY:
            return step.policy_arn == thing.name
        case DeleteUserPolicy(), Kind.INLINE:
            return step.policy_name == thing.name
        case PutUserPermissionsBoundary(), Kind.BOUNDARY:
            return step.boundary_arn != thing.name
        case DeleteUserPermissionsBoundary(), Kind.BOUNDARY:
            return True
        case _:
            return False


def _ends_the_name(step: Step) -> bool:
    return isinstance(step, DeleteUser) or (isinstance(step, UpdateUser) and bool(step.new_user_name))


def may_delete(plan: Plan, thing: Thing) -> bool:
    """Tell whether an attempt at a plan, its undo or its reissue included, may send a deletion by a thing's name."""
    return takes(plan, thing) or any(given.is_like(thing) for step in plan.steps for given in given_by(step))


def is_there(thing: Thing, user: UserSnapshot | None) -> bool:
    """Tell whether a user has a thing."""
    if user is None:
        return False
    match thing.kind:
        case Kind.USER:
            return True
        case Kind.PASSWORD:
            return user.login_profile is not None
        case Kind.GROUP:
            return thing.name in {name_key(group.group_name) for group in user.groups}
        case Kind.POLICY:
            return thing.name in {policy.policy_arn for policy in user.attached_policies}
        case Kind.INLINE:
            return thing.name in user.inline_policies
        case Kind.BOUNDARY:
            return user.user.boundary_arn == thing.name


def has_come(thing: Thing, before: UserSnapshot, now: UserSnapshot) -> bool:
    """Tell whether a user has a thing now that it had not before, an inline policy with that very document."""
    if not is_there(thing, now):
        return False
    if thing.kind is not Kind.INLINE:
        return not is_there(thing, before)
    held, was = now.inline_policies[thing.name], before.inline_policies.get(thing.name)
    return _same_document(held, thing.document) and not (was and _same_document(was, thing.document))


def _same_document(one: str, other: str) -> bool:
    return bool(json.loads(one) == json.loads(other))


def missing(past: Iterable[PastRequest], plan: Plan, user: UserSnapshot | None) -> tuple[Thing, ...]:
    """Return what requests gave and no other took since, that is gone, and that a plan's deletions may have hit.

    Where the user itself is gone, all else went with it; where it is another one by now than a request's, too.
    """
    requests = tuple(past)
    gone = {
        thing
        for giver in requests
        if user is None or giver.user_id in ("", user.user.user_id)
        for thing in (giver.gives() if user else _USER_ALONE if giver.gives() else ())
        if not is_there(thing, user) and may_delete(plan, thing) and not _is_taken_since(thing, giver, requests)
    }
    return tuple(sorted(gone, key=lambda thing: (thing.kind, thing.name)))


def _is_taken_since(thing: Thing, giver: PastRequest, requests: Iterable[PastRequest]) -> bool:
    """Tell whether another request may have taken a thing after it was given; a repeated one has given it long ago."""
    return any(
        other.row_id != giver.row_id and other.ended_at > giver.begun_at and other.takes(thing) for other in requests
    )


def is_wanted(thing: Thing, past: Iterable[PastRequest]) -> bool:
    """Tell whether a request gave a thing that surely no later one took."""
    requests = tuple(past)
    givers = [giver for giver in requests if any(given.is_like(thing) for given in giver.gives())]
    return any(
        not any(other.begun_at >= giver.ended_at and other.takes(thing) for other in requests) for giver in givers
    )
