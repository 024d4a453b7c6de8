"""Plans mutations of groups and of managed policies on their own."""

import asyncio

from identity_service.application.planners.planned import PlannedMutation
from identity_service.application.planners.references import find_groups, resolve_policies, taken_names
from identity_service.application.ports import IamAccount
from identity_service.domain.entities import PolicyUsage
from identity_service.domain.facts import AccountFacts
from identity_service.domain.planning.groups import plan_group_creation, plan_group_deletion
from identity_service.domain.planning.policies import plan_policy_creation, plan_policy_deletion
from identity_service.domain.request import GroupCreation, GroupDeletion, PolicyCreation, PolicyDeletion


async def plan_creation_of_group(account: IamAccount, creation: GroupCreation) -> PlannedMutation:
    """Plan a group. Raises IamError."""
    summary, groups, policies = await asyncio.gather(
        account.get_account_summary(),
        find_groups(account, [creation.group.group_name]),
        resolve_policies(account, creation.group.managed_policies),
    )
    facts = AccountFacts(
        account_id=account.account_id,
        partition=account.partition,
        summary=summary,
        groups=groups,
        policies=policies,
    )
    return PlannedMutation(plan_group_creation(creation, facts))


async def plan_deletion_of_group(account: IamAccount, deletion: GroupDeletion) -> PlannedMutation:
    """Plan the deletion of a group. Raises IamError."""
    facts, group = await asyncio.gather(_read_facts(account), account.get_group_details(deletion.group_name))
    return PlannedMutation(plan_group_deletion(deletion, facts, group))


async def plan_creation_of_policy(
    account: IamAccount, creation: PolicyCreation, row_id: str, team: str
) -> PlannedMutation:
    """Plan a managed policy. Raises IamError."""
    summary, taken = await asyncio.gather(
        account.get_account_summary(), taken_names(account, [creation.policy.policy_name])
    )
    facts = AccountFacts(
        account_id=account.account_id, partition=account.partition, summary=summary, taken_policy_names=taken
    )
    return PlannedMutation(plan_policy_creation(creation, facts, row_id, team))


async def plan_deletion_of_policy(account: IamAccount, deletion: PolicyDeletion) -> PlannedMutation:
    """Plan the deletion of a managed policy; only an owned one is deleted. Raises IamError."""
    facts, policy = await asyncio.gather(_read_facts(account), account.get_policy_details(deletion.policy_arn))
    if policy is None:
        return PlannedMutation(plan_policy_deletion(deletion, facts, None, PolicyUsage(), ()))
    usage, versions = await asyncio.gather(
        account.get_policy_usage(deletion.policy_arn), account.list_policy_versions(deletion.policy_arn)
    )
    plan = plan_policy_deletion(deletion, facts, policy, usage, versions)
    return PlannedMutation(plan, target_tags=policy.tags)


async def _read_facts(account: IamAccount) -> AccountFacts:
    return AccountFacts(
        account_id=account.account_id,
        partition=account.partition,
        summary=await account.get_account_summary(),
    )
