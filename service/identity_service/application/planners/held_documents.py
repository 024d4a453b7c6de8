"""Reads the policies of the account that a user holds, directly and by groups, beside the user's own inline ones."""

import asyncio
from collections.abc import Mapping

from identity_service.application.ports import IamAccount
from identity_service.domain.entities import GroupPolicies, UserSnapshot


async def read_held_documents(account: IamAccount, held: UserSnapshot) -> Mapping[str, str]:
    """Return the documents by what a reader calls them; each group and policy is read once. Raises IamError.

    AWS's own policies name no user, so they are not read.
    """
    names = [group.group_name for group in held.groups]
    read = await asyncio.gather(*map(account.get_group_policies, names))
    groups = {name: policies for name, policies in zip(names, read, strict=True) if policies}
    managed = _managed_policies(held, groups)
    own = {arn: holder for arn, holder in managed.items() if f"::{account.account_id}:" in arn}
    documents = await asyncio.gather(*(_read(account, arn) for arn in own))
    return {
        **{
            f"inline policy {policy} of group {group}": document
            for group, policies in groups.items()
            for policy, document in policies.inline_policies.items()
        },
        **{holder: text for holder, text in zip(own.values(), documents, strict=True) if text is not None},
    }


def _managed_policies(held: UserSnapshot, groups: Mapping[str, GroupPolicies]) -> dict[str, str]:
    """Name each managed policy, by ARN, by the most direct way in which the user holds it."""
    bounding = held.user.boundary_arn
    return {
        **{
            policy.policy_arn: f"policy {policy.policy_arn} of group {group}"
            for group, policies in groups.items()
            for policy in policies.attached_policies
        },
        **({bounding: f"permissions boundary {bounding}"} if bounding else {}),
        **{policy.policy_arn: f"attached policy {policy.policy_arn}" for policy in held.attached_policies},
    }


async def _read(account: IamAccount, policy_arn: str) -> str | None:
    policy = await account.get_policy(policy_arn)
    return await account.get_policy_document(policy) if policy else None
