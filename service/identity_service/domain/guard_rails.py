"""Guard rails: what no plan of a team may do in an account, whatever the policies allow.

They judge what policies cannot see, such as who wrote a document and what a whole plan leaves behind. Each is set by
the operator or left out; all that are set have to hold.
"""

import enum
import functools
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from identity_service.domain.names import name_key
from identity_service.domain.planning.self_management import INLINE_POLICY_NAME, self_management_level
from identity_service.domain.policy_credentials import ways_to_credentials
from identity_service.domain.proposal import Proposal
from identity_service.domain.steps import (
    DELETIONS,
    AddUserToGroup,
    AttachGroupPolicy,
    AttachUserPolicy,
    CreatePolicy,
    CreateUser,
    DeletePolicy,
    DeletePolicyVersion,
    DeleteUser,
    DeleteUserPermissionsBoundary,
    DeleteUserPolicy,
    DetachUserPolicy,
    GroupStep,
    PolicyStep,
    PutUserPermissionsBoundary,
    PutUserPolicy,
    RemoveUserFromGroup,
    Step,
    UntagUser,
    UpdateUser,
    UserStep,
)

Patterns = tuple[str, ...]
"""Texts in which `*` stands for anything, also for nothing and for `/`."""


class Rail(enum.StrEnum):
    """The guard rails, by the names that a denial tells."""

    REQUIRED_BOUNDARY = "required-boundary"
    ALLOWED_PATHS = "allowed-paths"
    USER_NAME_PATTERN = "user-name-pattern"
    ALLOWED_POLICIES = "allowed-policies"
    ALLOWED_GROUPS = "allowed-groups"
    INLINE_DOCUMENTS = "inline-documents"
    SELF_MANAGEMENT = "self-management"


@dataclass(frozen=True)
class GuardRails:
    """What is set for a team in an account; None leaves a rail out.

    Attributes:
        required_boundary: the boundaries, by ARN, one of which every user has whom a plan makes or changes.
        allowed_paths: the paths of the users whom the team makes, changes and deletes.
        user_name_pattern: a regular expression for the whole of each new name of a user.
        allowed_policies: the managed policies, by ARN, that the team gives, takes, makes and deletes.
        allowed_groups: the groups, by name, that the team gives, takes, makes, changes and deletes.
        inline_documents: whether the team gives and takes inline policies, and makes managed ones.
        self_management: whether the team lets users manage their own credentials, or writes documents that
            let them, or let them grant it to themselves.
    """

    required_boundary: Patterns | None = None
    allowed_paths: Patterns | None = None
    user_name_pattern: str | None = None
    allowed_policies: Patterns | None = None
    allowed_groups: Patterns | None = None
    inline_documents: bool = True
    self_management: bool = True


@dataclass(frozen=True)
class Breach:
    """A step that a guard rail forbids, and why, in words for the operator."""

    rail: Rail
    step: Step
    words: str


def breaches(rails: GuardRails, proposal: Proposal) -> Iterator[Breach]:
    """Yield each breach of a plan, rail by rail."""
    for judge in JUDGES:
        yield from judge(rails, proposal)


def _required_boundary(rails: GuardRails, proposal: Proposal) -> Iterator[Breach]:
    """Judge the boundary that the plan leaves its user with, and keep the boundary itself out of the team's hands."""
    required = rails.required_boundary
    if required is None:
        return
    kept = proposal.user is not None and _fits_any(required, proposal.user.boundary_arn)
    set_anew = any(isinstance(step, PutUserPermissionsBoundary) for step in proposal.judged)
    for step in proposal.judged:
        match step:
            case CreateUser() if not _fits_any(required, step.boundary_arn):
                yield Breach(Rail.REQUIRED_BOUNDARY, step, f"the boundary would be {step.boundary_arn or 'none'}")
            case PutUserPermissionsBoundary() if not _fits_any(required, step.boundary_arn):
                yield Breach(Rail.REQUIRED_BOUNDARY, step, f"the boundary would be {step.boundary_arn}")
            case DeleteUserPermissionsBoundary():
                yield Breach(Rail.REQUIRED_BOUNDARY, step, "a boundary is never taken off")
            case CreatePolicy() | DeletePolicy() | DeletePolicyVersion() if _fits_any(required, step.policy_arn):
                yield Breach(Rail.REQUIRED_BOUNDARY, step, f"{step.policy_arn} is a required boundary itself")
            case UserStep() if proposal.user and not (kept or set_anew or _only_takes(step)):
                words = f"the user's boundary is {proposal.user.boundary_arn or 'none'}"
                yield Breach(Rail.REQUIRED_BOUNDARY, step, words)


def _only_takes(step: Step) -> bool:
    """Tell whether a step takes something from a user that gave it rights: that is good for everybody at any time."""
    return isinstance(step, DELETIONS) and not isinstance(step, UntagUser | DeleteUserPermissionsBoundary)


def _allowed_paths(rails: GuardRails, proposal: Proposal) -> Iterator[Breach]:
    allowed = rails.allowed_paths
    made = any(isinstance(step, CreateUser) for step in proposal.judged)
    # Of a user who is neither made nor there, the path is a guess: only a pending MFA device is deleted for one.
    if allowed is None or not (made or proposal.user):
        return
    for step in proposal.judged:
        if isinstance(step, UserStep) and not _fits_any(allowed, path_in_arn(step.user_arn)):
            yield Breach(Rail.ALLOWED_PATHS, step, f"the user's path is {path_in_arn(step.user_arn)}")
        elif isinstance(step, UpdateUser) and step.new_path is not None and not _fits_any(allowed, step.new_path):
            yield Breach(Rail.ALLOWED_PATHS, step, f"the user's path would be {step.new_path}")


def _user_name_pattern(rails: GuardRails, proposal: Proposal) -> Iterator[Breach]:
    if rails.user_name_pattern is None:
        return
    for step in proposal.judged:
        name = _new_name(step)
        if name is not None and not re.fullmatch(rails.user_name_pattern, name):
            yield Breach(Rail.USER_NAME_PATTERN, step, f"the name would be {name}")


def _new_name(step: Step) -> str | None:
    if isinstance(step, CreateUser):
        return step.user_name
    return step.new_user_name if isinstance(step, UpdateUser) else None


def _allowed_policies(rails: GuardRails, proposal: Proposal) -> Iterator[Breach]:
    allowed = rails.allowed_policies
    if allowed is None:
        return
    for step in _outside_a_teardown(proposal):
        match step:
            case AttachUserPolicy() | DetachUserPolicy() | AttachGroupPolicy() | PolicyStep():
                if not _fits_any(allowed, step.policy_arn):
                    yield Breach(Rail.ALLOWED_POLICIES, step, f"the policy is {step.policy_arn}")


def _allowed_groups(rails: GuardRails, proposal: Proposal) -> Iterator[Breach]:
    if rails.allowed_groups is None:
        return
    allowed = tuple(map(name_key, rails.allowed_groups))
    for step in _outside_a_teardown(proposal):
        match step:
            case AddUserToGroup() | RemoveUserFromGroup() | GroupStep():
                if not _fits_any(allowed, name_key(step.group_name)):
                    yield Breach(Rail.ALLOWED_GROUPS, step, f"the group is {step.group_name}")


def _inline_documents(rails: GuardRails, proposal: Proposal) -> Iterator[Breach]:
    """Judge the documents that the caller wrote or copied.

    A managed policy that the team makes would be a way around, so it counts as well.
    """
    if rails.inline_documents:
        return
    for step in _outside_a_teardown(proposal):
        match step:
            case PutUserPolicy() | DeleteUserPolicy() if not _is_self_management(proposal, step):
                yield Breach(Rail.INLINE_DOCUMENTS, step, f"the inline policy is {step.policy_name}")
            case CreatePolicy():
                yield Breach(Rail.INLINE_DOCUMENTS, step, f"the policy made would be {step.policy_name}")


def _self_management(rails: GuardRails, proposal: Proposal) -> Iterator[Breach]:
    """Judge documents by what they allow, whoever wrote them: under another name they allow the same."""
    if rails.self_management:
        return
    for step in proposal.judged:
        if isinstance(step, PutUserPolicy | CreatePolicy):
            for action in ways_to_credentials(step.document)[:1]:
                words = f"{step.policy_name} would allow {action}"
                yield Breach(Rail.SELF_MANAGEMENT, step, words)


def _is_self_management(proposal: Proposal, step: PutUserPolicy | DeleteUserPolicy) -> bool:
    """Tell whether an inline policy is one that this service wrote: by its document, the name alone proves nothing."""
    if step.policy_name != INLINE_POLICY_NAME or isinstance(step, DeleteUserPolicy):
        return step.policy_name == INLINE_POLICY_NAME
    partition = step.user_arn.split(":")[1]
    level = self_management_level(step.document, partition, proposal.plan.account_id, step.user_arn)
    return level is not None


def _outside_a_teardown(proposal: Proposal) -> Iterable[Step]:
    """Return the steps, but not those of a plan that deletes the user.

    A teardown takes off whatever anybody has put on; otherwise what is taken may be what held the user back: a denial.
    """
    torn_down = any(isinstance(step, DeleteUser) for step in proposal.judged)
    return () if torn_down else proposal.judged


Judge = Callable[[GuardRails, Proposal], Iterator[Breach]]
JUDGES: tuple[Judge, ...] = (
    _required_boundary,
    _allowed_paths,
    _user_name_pattern,
    _allowed_policies,
    _allowed_groups,
    _inline_documents,
    _self_management,
)
"""One for each rail, in the order in which they are asked."""


def path_in_arn(arn: str) -> str:
    """Return the path of a user, group or policy from its ARN: `/` or `/a/b/`."""
    path_and_name = arn.split(":", 5)[5].partition("/")[2]
    path, slash, _ = path_and_name.rpartition("/")
    return f"/{path}{slash}"


def _fits_any(patterns: Patterns, text: str | None) -> bool:
    return text is not None and any(_compiled(pattern).fullmatch(text) for pattern in patterns)


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)
