"""The policy documents that a user is given or has, each by name, and what is worth a warning in them."""

from collections.abc import Iterator

from identity_service.domain.entities import GroupRecord
from identity_service.domain.plan import WarningKind
from identity_service.domain.planning.draft import At
from identity_service.domain.planning.permissions import Grants
from identity_service.domain.planning.rights import (
    NamedDocument,
    named,
    warn_of_escalation,
    warn_of_void,
    warn_of_width,
)
from identity_service.domain.planning.self_management import INLINE_POLICY_NAME, PURPOSES, self_management_level
from identity_service.domain.planning.user_draft import UserDraft
from identity_service.domain.policy_documents import violations
from identity_service.domain.policy_rights import may_allow


def warn_of_rights(draft: UserDraft, grants: Grants) -> None:
    """Warn of what is given and grants too much, or nothing within the boundary that the user will have.

    A boundary itself grants nothing, so it may be as wide as it likes.
    """
    boundary = draft.user_facts.boundary_document
    for found in _without_self_management(given_documents(draft, grants)):
        warn_of_width(draft, found, boundary)
        warn_of_escalation(draft, found, boundary)
        if boundary is not None:
            warn_of_void(draft, found, boundary)
    if boundary is not None:
        _warn_of_void_self_management(draft, grants, boundary)
        if sets_boundary(draft):
            at = draft.change.fields.permissions
            for found in _without_self_management(held_documents(draft, grants, at)):
                warn_of_void(draft, found, boundary)


def sets_boundary(draft: UserDraft) -> bool:
    """Tell whether a change asks for a boundary: by name, as a new policy, or with what is copied."""
    permissions, copied = draft.change.permissions, draft.user_facts.copied
    return bool(permissions.boundary or permissions.new_boundary or (copied and copied.user.boundary_arn))


def _without_self_management(documents: Iterator[NamedDocument]) -> Iterator[NamedDocument]:
    """Leave out what this service writes itself; and what is malformed, which stops the plan already."""
    for found in documents:
        malformed = found.is_written_here and violations(found.document)
        if found.name != _SELF_MANAGEMENT and not malformed:
            yield found


_SELF_MANAGEMENT = f"inline policy {INLINE_POLICY_NAME}"


def _warn_of_void_self_management(draft: UserDraft, grants: Grants, boundary: str) -> None:
    """Warn of what a user may not do within the boundary though self-management is for it."""
    if INLINE_POLICY_NAME not in grants.inline:
        return
    document, at = grants.inline[INLINE_POLICY_NAME]
    level = self_management_level(document, draft.facts.partition, draft.facts.account_id, draft.user_arn)
    voided = (
        tuple(action for action in PURPOSES[level] if not may_allow(boundary, action, draft.user_arn)) if level else ()
    )
    if voided:
        draft.warn(WarningKind.VOID, f"the boundary does not allow what self-management is for: {named(voided)}", at)


def given_documents(draft: UserDraft, grants: Grants) -> Iterator[NamedDocument]:
    """Yield all documents that a request gives the user."""
    for name, (document, at) in grants.inline.items():
        yield NamedDocument(f"inline policy {name}", document, at, is_written_here=True)
    for index, policy in enumerate(draft.change.permissions.new_policies):
        at = f"{draft.change.fields.permissions}.new_policies[{index}]"
        yield NamedDocument(f"policy {policy.policy_name}", policy.document, at, is_written_here=True)
    yield from _attached(draft, grants)
    yield from _of_groups(draft, grants)
    yield from _of_new_groups(draft)


def held_documents(draft: UserDraft, grants: Grants, at: At) -> Iterator[NamedDocument]:
    """Yield the documents that the user has and keeps: an inline policy that is written anew is no longer there."""
    if draft.before is None:
        return
    for name, document in draft.before.inline_policies.items():
        if name not in grants.inline:
            yield NamedDocument(f"inline policy {name}", document, at)
    for policy in draft.before.attached_policies:
        yield from _managed(draft, policy.policy_arn, at)
    for group in draft.before.groups:
        yield from _of_group(draft, group, at)


def _attached(draft: UserDraft, grants: Grants) -> Iterator[NamedDocument]:
    for policy_arn, at in grants.policy_arns:
        yield from _managed(draft, policy_arn, at)


def _of_groups(draft: UserDraft, grants: Grants) -> Iterator[NamedDocument]:
    for group, at in grants.groups:
        yield from _of_group(draft, group, at)


def _of_new_groups(draft: UserDraft) -> Iterator[NamedDocument]:
    for number, group in enumerate(draft.change.permissions.new_groups):
        for index, reference in enumerate(group.managed_policies):
            policy = draft.facts.policies[reference].policy
            at = f"{draft.change.fields.permissions}.new_groups[{number}].managed_policies[{index}]"
            if policy is not None:
                yield from _managed(draft, policy.arn, at, f" of group {group.group_name}")


def _of_group(draft: UserDraft, group: GroupRecord, at: At) -> Iterator[NamedDocument]:
    policies = draft.user_facts.policies_of(group)
    of_group = f" of group {group.group_name}"
    for policy in policies.attached_policies:
        yield from _managed(draft, policy.policy_arn, at, of_group)
    for name, document in policies.inline_policies.items():
        yield NamedDocument(f"inline policy {name}{of_group}", document, at)


def _managed(draft: UserDraft, policy_arn: str, at: At, of_group: str = "") -> Iterator[NamedDocument]:
    document = draft.user_facts.managed_documents.get(policy_arn)
    if document is not None:
        yield NamedDocument(f"policy {policy_arn}{of_group}", document, at)
