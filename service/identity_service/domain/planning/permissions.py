"""What a user is granted: groups, managed policies, inline policies, what is copied, and the boundary.

All ways may be used together, and the user has the union of them, within the boundary. What is asked for explicitly
comes before what is copied: an explicit inline policy takes the place of a copied one of the same name. A copied
boundary and an explicit one that differ are refused, since nobody could say which was meant.
"""

from dataclasses import dataclass, field

from identity_service.domain import policy_documents
from identity_service.domain.entities import GroupRecord, UserSnapshot
from identity_service.domain.errors import Reason, Resource
from identity_service.domain.names import group_arn, name_key
from identity_service.domain.plan import WarningKind
from identity_service.domain.planning.draft import GRANT, At
from identity_service.domain.planning.new_entities import NAME_TWICE, check_document
from identity_service.domain.planning.self_management import (
    INLINE_POLICY_NAME,
    RESERVED_POLICY_PREFIX,
    self_management_document,
    self_management_level,
)
from identity_service.domain.planning.user_draft import UserDraft
from identity_service.domain.request import SelfManagement
from identity_service.domain.steps import AddUserToGroup, AttachUserPolicy, PutUserPolicy


@dataclass
class Grants:
    """Everything to be granted, each with the field that it comes from; names and ARNs are resolved."""

    groups: list[tuple[GroupRecord, At]] = field(default_factory=list)
    policy_arns: list[tuple[str, At]] = field(default_factory=list)
    inline: dict[str, tuple[str, At]] = field(default_factory=dict)
    new_policy_arns: list[str] = field(default_factory=list)
    unresolved_groups: int = 0
    unresolved_policies: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing was asked for; what could not be resolved was asked for."""
        counts = (self.unresolved_groups, self.unresolved_policies)
        return not (self.groups or self.policy_arns or self.inline or self.new_policy_arns or any(counts))


def gather_grants(draft: UserDraft) -> Grants:
    """Resolve all that is asked for explicitly, then add what is copied and not there yet."""
    grants = Grants()
    _gather_groups(draft, grants)
    _gather_policies(draft, grants)
    _gather_inline(draft, grants)
    _gather_copied(draft, grants)
    return grants


def _gather_groups(draft: UserDraft, grants: Grants) -> None:
    for index, name in enumerate(draft.change.permissions.group_names):
        at = f"{draft.change.fields.permissions}.group_names[{index}]"
        fact = draft.facts.groups[name]
        if fact.group is None:
            grants.unresolved_groups += 1
            draft.stop(Reason.GROUP_NOT_FOUND, f"there is no group {name}", at, Resource("iam:Group", name))
        elif name_key(fact.group.group_name) in _group_keys(grants):
            draft.stop(Reason.INVALID_FIELD, f"group {name} is named twice; letter case does not count", at)
        else:
            _add_group(draft, grants, fact.group, at)


def _add_group(draft: UserDraft, grants: Grants, group: GroupRecord, at: At) -> None:
    grants.groups.append((group, at))
    if draft.user_facts.policies_of(group).grants_nothing:
        draft.warn(WarningKind.EMPTY_GROUP, f"group {group.group_name} has no policies: it grants nothing", at)


def _group_keys(grants: Grants) -> set[str]:
    return {name_key(group.group_name) for group, _ in grants.groups}


def _gather_policies(draft: UserDraft, grants: Grants) -> None:
    for index, reference in enumerate(draft.change.permissions.managed_policies):
        at = f"{draft.change.fields.permissions}.managed_policies[{index}]"
        policy = draft.resolve_policy(reference, at)
        if policy is None:
            grants.unresolved_policies += 1
        elif policy.arn in dict(grants.policy_arns):
            draft.stop(Reason.INVALID_FIELD, f"policy {policy.arn} is named twice", at)
        else:
            grants.policy_arns.append((policy.arn, at))
            draft.warn(
                WarningKind.DIRECT_ATTACHMENT,
                f"policy {policy.policy_name} is attached to the user; a group would serve the next user as well",
                at,
            )


def _gather_inline(draft: UserDraft, grants: Grants) -> None:
    seen: set[str] = set()
    for index, inline in enumerate(draft.change.permissions.inline_policies):
        at = f"{draft.change.fields.permissions}.inline_policies[{index}]"
        if name_key(inline.policy_name) in seen:
            draft.stop(Reason.INVALID_FIELD, NAME_TWICE, f"{at}.policy_name")
        seen.add(name_key(inline.policy_name))
        if name_key(inline.policy_name).startswith(RESERVED_POLICY_PREFIX):
            message = f"the prefix {RESERVED_POLICY_PREFIX} is reserved"
            draft.stop(Reason.INVALID_FIELD, message, f"{at}.policy_name")
        check_document(draft, inline.document, f"inline policy {inline.policy_name}", f"{at}.document")
        grants.inline[inline.policy_name] = (inline.document, at)
    level = draft.change.permissions.self_management
    if level is not SelfManagement.NONE:
        _grant_self_management(draft, grants, level, f"{draft.change.fields.permissions}.self_management")


def _grant_self_management(draft: UserDraft, grants: Grants, level: SelfManagement, at: At) -> None:
    document = self_management_document(level, draft.facts.partition, draft.facts.account_id, draft.user_arn)
    grants.inline[INLINE_POLICY_NAME] = (document, at)


def _gather_copied(draft: UserDraft, grants: Grants) -> None:
    source_name = draft.change.permissions.copy_from
    if source_name is None:
        return
    at = f"{draft.change.fields.permissions}.copy_from_user_name"
    source = draft.user_facts.copied
    if source is None:
        draft.stop(Reason.USER_NOT_FOUND, f"there is no user {source_name}", at, Resource("iam:User", source_name))
        return
    for group in source.groups:
        if name_key(group.group_name) not in _group_keys(grants):
            _add_group(draft, grants, group, at)
    explicit = dict(grants.policy_arns)
    for policy in source.attached_policies:
        if policy.policy_arn not in explicit:
            grants.policy_arns.append((policy.policy_arn, at))
    explicit_names = {name_key(name) for name in grants.inline}
    for name, document in source.inline_policies.items():
        if name_key(name) not in explicit_names:
            _copy_inline(draft, grants, source, name, document, at)


def _copy_inline(draft: UserDraft, grants: Grants, source: UserSnapshot, name: str, document: str, at: At) -> None:
    """Copy an inline policy. Self-management is granted anew: the model's own is about the model's credentials."""
    if name != INLINE_POLICY_NAME:
        check_document(draft, document, f"copied inline policy {name}", at)
        grants.inline[name] = (document, at)
        return
    level = self_management_level(document, draft.facts.partition, draft.facts.account_id, source.user.arn)
    if level is None:
        draft.stop(Reason.INVALID_FIELD, f"inline policy {name} of the user that is copied was changed by hand", at)
    else:
        _grant_self_management(draft, grants, level, at)


def boundary_of(draft: UserDraft, made: str | None) -> str | None:
    """Return the ARN of the boundary to be set: named, made on the way, or copied; None for none."""
    permissions, fields = draft.change.permissions, draft.change.fields
    named = draft.resolve_policy(permissions.boundary, fields.boundary) if permissions.boundary else None
    at = f"{fields.permissions}.new_permissions_boundary"
    if permissions.boundary and made:
        draft.stop(Reason.INVALID_FIELD, "a boundary is named already; ask for one of the two", at)
    explicit = named.arn if named else made
    copied = draft.user_facts.copied.user.boundary_arn if draft.user_facts.copied else None
    if copied and explicit and copied != explicit:
        draft.stop(
            Reason.INVALID_FIELD,
            f"the user that is copied has the boundary {copied}, and another one is asked for",
            f"{fields.permissions}.copy_from_user_name",
        )
    return explicit or (None if permissions.boundary else copied)


def plan_grants(draft: UserDraft, grants: Grants, needed_policy_arns: list[str]) -> None:
    """Plan everything that is granted; `needed_policy_arns` are policies that the credentials need."""
    _plan_groups(draft, grants)
    _plan_attachments(draft, grants, needed_policy_arns)
    _plan_inline(draft, grants)


def _plan_groups(draft: UserDraft, grants: Grants) -> None:
    held = {name_key(group.group_name) for group in draft.before.groups} if draft.before else set()
    facts = draft.facts
    made = [
        GroupRecord(group.group_name, group_arn(facts.partition, facts.account_id, group.path, group.group_name))
        for group in draft.change.permissions.new_groups
    ]
    for group in [*(group for group, _ in grants.groups), *made]:
        step = AddUserToGroup(
            user_name=draft.user_name,
            user_arn=draft.user_arn,
            round=GRANT,
            group_name=group.group_name,
            group_arn=group.arn,
        )
        draft.do(step, satisfied=name_key(group.group_name) in held)
    after = held | _group_keys(grants) | {name_key(group.group_name) for group in made}
    total = len(after) + grants.unresolved_groups
    if total > len(held):
        draft.use_quota("GroupsPerUserQuota", len(held), total, f"{draft.change.fields.permissions}.group_names")


def _plan_attachments(draft: UserDraft, grants: Grants, needed_policy_arns: list[str]) -> None:
    held = {policy.policy_arn for policy in draft.before.attached_policies} if draft.before else set()
    asked = [arn for arn, _ in grants.policy_arns] + grants.new_policy_arns
    needed = [arn for arn in needed_policy_arns if arn not in held and arn not in asked]
    for arn in [*asked, *needed]:
        step = AttachUserPolicy(user_name=draft.user_name, user_arn=draft.user_arn, round=GRANT, policy_arn=arn)
        draft.do(step, satisfied=arn in held)
    total = len(held | {*asked, *needed}) + grants.unresolved_policies
    if total > len(held):
        at = f"{draft.change.fields.permissions}.managed_policies"
        draft.use_quota("AttachedPoliciesPerUserQuota", len(held), total, at)


def _plan_inline(draft: UserDraft, grants: Grants) -> None:
    held = dict(draft.before.inline_policies) if draft.before else {}
    for name, (document, _) in grants.inline.items():
        step = PutUserPolicy(
            user_name=draft.user_name, user_arn=draft.user_arn, round=GRANT, policy_name=name, document=document
        )
        draft.do(step, satisfied=policy_documents.same_document(held.get(name), document))
    before = sum(map(policy_documents.size, held.values()))
    asked = {name: document for name, (document, _) in grants.inline.items()}
    after = sum(map(policy_documents.size, {**held, **asked}.values()))
    if after != before:
        at = f"{draft.change.fields.permissions}.inline_policies"
        draft.use_quota("UserPolicySizeQuota", before, after, at)
