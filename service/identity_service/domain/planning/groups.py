"""The plans of making and of deleting a group on its own."""

from identity_service.domain.entities import GroupDetails
from identity_service.domain.errors import Reason, Resource
from identity_service.domain.facts import AccountFacts
from identity_service.domain.plan import Plan
from identity_service.domain.planning.draft import Draft
from identity_service.domain.planning.new_entities import plan_new_groups
from identity_service.domain.request import GroupCreation, GroupDeletion
from identity_service.domain.steps import DeleteGroup, DeleteGroupPolicy, DetachGroupPolicy


def plan_group_creation(creation: GroupCreation, facts: AccountFacts) -> Plan:
    """Plan a group with its policies."""
    draft = Draft(facts, creation.target)
    plan_new_groups(draft, [(creation.group, "group")])
    return draft.finish()


def plan_group_deletion(deletion: GroupDeletion, facts: AccountFacts, group: GroupDetails | None) -> Plan:
    """Plan the deletion of a group with its policies; a group with members is not deleted."""
    draft = Draft(facts, deletion.target)
    if group is None:
        name = deletion.group_name
        draft.stop(Reason.GROUP_NOT_FOUND, f"there is no group {name}", "group_name", Resource("iam:Group", name))
        return draft.finish()
    if group.member_names:
        members = ", ".join(group.member_names)
        draft.stop(
            Reason.IN_USE,
            f"group {group.group_name} has members: {members}",
            "group_name",
            Resource("iam:Group", group.group_name),
        )
    name, arn = group.group_name, group.arn
    for policy in group.attached_policies:
        draft.do(DetachGroupPolicy(group_name=name, group_arn=arn, round=1, policy_arn=policy.policy_arn))
    for policy_name in group.inline_policy_names:
        draft.do(DeleteGroupPolicy(group_name=name, group_arn=arn, round=1, policy_name=policy_name))
    draft.do(DeleteGroup(group_name=name, group_arn=arn, round=2))
    return draft.finish()
