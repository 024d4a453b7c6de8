"""The policy documents that a user is given, each by name, and what is worth a warning in them.

Documents that a request writes itself, inline or as a new policy, are looked at where they are planned.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from identity_service.domain import policy_documents
from identity_service.domain.entities import GroupRecord
from identity_service.domain.plan import WarningKind
from identity_service.domain.planning.new_entities import warn_of_escalation
from identity_service.domain.planning.permissions import At, Grants
from identity_service.domain.planning.user_draft import UserDraft


@dataclass(frozen=True)
class NamedDocument:
    """A policy document, the words that name it, and the request's field that it comes from."""

    name: str
    document: str
    at: At


def warn_of_rights(draft: UserDraft, grants: Grants) -> None:
    """Warn of a policy that allows everything or leads to more rights, given directly or by a group."""
    for found in (*_attached(draft, grants), *_of_groups(draft, grants), *_of_new_groups(draft)):
        if policy_documents.allows_every_action(found.document):
            draft.warn(WarningKind.WILDCARD, f"{found.name} allows every action", found.at)
        warn_of_escalation(draft, found.document, found.name, found.at)


def given_documents(draft: UserDraft, grants: Grants) -> Iterator[NamedDocument]:
    """Yield all documents that a request gives the user."""
    for name, (document, at) in grants.inline.items():
        yield NamedDocument(f"inline policy {name}", document, at)
    for index, policy in enumerate(draft.change.permissions.new_policies):
        at = f"{draft.change.fields.permissions}.new_policies[{index}]"
        yield NamedDocument(f"policy {policy.policy_name}", policy.document, at)
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
