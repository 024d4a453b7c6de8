"""Groups and managed policies that are made: on their own, or on the way to a user."""

from collections.abc import Sequence

from identity_service.domain import policy_documents, tags
from identity_service.domain.errors import Reason, Resource
from identity_service.domain.names import group_arn, name_key, policy_arn
from identity_service.domain.plan import WarningKind
from identity_service.domain.planning.draft import ENTITIES, GRANT, POLICIES, Draft
from identity_service.domain.request import NewGroup, NewPolicy
from identity_service.domain.steps import AttachGroupPolicy, CreateGroup, CreatePolicy

NAME_TWICE = "the name is there more than once; letter case does not count"


def plan_new_policies(draft: Draft, policies: Sequence[tuple[NewPolicy, str]], row_id: str, team: str) -> list[str]:
    """Plan policies, each with its field; return their ARNs in the same order."""
    seen: set[str] = set()
    for policy, at in policies:
        if name_key(policy.policy_name) in seen:
            draft.stop(Reason.INVALID_FIELD, NAME_TWICE, f"{at}.policy_name")
        seen.add(name_key(policy.policy_name))
        _plan_new_policy(draft, policy, at, row_id, team)
    draft.use_account_quota("PoliciesQuota", len(policies), policies[0][1] if policies else "")
    return [_arn_of(draft, policy) for policy, _ in policies]


def _plan_new_policy(draft: Draft, policy: NewPolicy, at: str, row_id: str, team: str) -> None:
    if policy.policy_name in draft.facts.taken_policy_names:
        draft.stop(
            Reason.POLICY_ALREADY_EXISTS,
            f"the account has a policy {policy.policy_name}; names are unique in any letter case",
            f"{at}.policy_name",
            Resource("iam:Policy", policy.policy_name),
        )
    check_document(draft, policy.document, f"managed policy {policy.policy_name}", f"{at}.document")
    size = policy_documents.size(policy.document)
    draft.use_quota("PolicySizeQuota", 0, size, f"{at}.document", subject=policy.policy_name)
    draft.do(
        CreatePolicy(
            policy_arn=_arn_of(draft, policy),
            round=POLICIES,
            policy_name=policy.policy_name,
            path=policy.path,
            text=policy.description,
            document=policy.document,
            tags=dict(tags.service_tags(row_id, team)),
        )
    )


def _arn_of(draft: Draft, policy: NewPolicy) -> str:
    return policy_arn(draft.facts.partition, draft.facts.account_id, policy.path, policy.policy_name)


def check_document(draft: Draft, document: str, what: str, at: str) -> None:
    """Add a problem for everything that IAM refuses in a document."""
    for violation in policy_documents.violations(document):
        draft.stop(Reason.MALFORMED_POLICY_DOCUMENT, f"{what}: {violation}", at)


def plan_new_groups(draft: Draft, groups: Sequence[tuple[NewGroup, str]]) -> None:
    """Plan groups with their policies, each with its field."""
    seen: set[str] = set()
    for group, at in groups:
        if name_key(group.group_name) in seen:
            draft.stop(Reason.INVALID_FIELD, NAME_TWICE, f"{at}.group_name")
        seen.add(name_key(group.group_name))
        _plan_new_group(draft, group, at)
    draft.use_account_quota("GroupsQuota", len(groups), groups[0][1] if groups else "")


def _plan_new_group(draft: Draft, group: NewGroup, at: str) -> None:
    existing = draft.facts.groups[group.group_name].group
    if existing:
        draft.stop(
            Reason.GROUP_ALREADY_EXISTS,
            f"there is a group {existing.group_name}; names are unique in any letter case",
            f"{at}.group_name",
            Resource("iam:Group", existing.group_name),
        )
    arn = group_arn(draft.facts.partition, draft.facts.account_id, group.path, group.group_name)
    draft.do(CreateGroup(group_name=group.group_name, group_arn=arn, round=ENTITIES, path=group.path))
    attached: set[str] = set()
    for index, reference in enumerate(group.managed_policies):
        policy_at = f"{at}.managed_policies[{index}]"
        policy = draft.resolve_policy(reference, policy_at)
        if policy and policy.arn in attached:
            draft.stop(Reason.INVALID_FIELD, f"policy {policy.arn} is named twice", policy_at)
        elif policy:
            attached.add(policy.arn)
            draft.do(AttachGroupPolicy(group_name=group.group_name, group_arn=arn, round=GRANT, policy_arn=policy.arn))
    if attached:
        count, name = len(group.managed_policies), group.group_name
        draft.use_quota("AttachedPoliciesPerGroupQuota", 0, count, f"{at}.managed_policies", subject=name)
    elif not group.managed_policies:
        draft.warn(WarningKind.EMPTY_GROUP, f"group {group.group_name} gets no policies: it grants nothing", at)
