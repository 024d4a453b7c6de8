"""Reads what a request's names stand for: groups, managed policies, names that are to be taken."""

import asyncio
from collections.abc import Iterable, Mapping

from identity_service.application.ports import IamAccount
from identity_service.domain.facts import GroupFact, PolicyFact
from identity_service.domain.names import is_arn


async def read_groups(account: IamAccount, names: Iterable[str]) -> Mapping[str, GroupFact]:
    """Read groups by name. Raises IamError."""
    unique = list(dict.fromkeys(names))
    facts = await asyncio.gather(*(_read_group(account, name) for name in unique))
    return dict(zip(unique, facts, strict=True))


async def _read_group(account: IamAccount, name: str) -> GroupFact:
    group = await account.get_group(name)
    if group is None:
        return GroupFact(None)
    return GroupFact(group, await account.group_grants_nothing(group.group_name))


async def resolve_policies(account: IamAccount, references: Iterable[str]) -> Mapping[str, PolicyFact]:
    """Resolve managed policies by ARN or name. Raises IamError."""
    unique = list(dict.fromkeys(references))
    facts = await asyncio.gather(*(_resolve_policy(account, reference) for reference in unique))
    return dict(zip(unique, facts, strict=True))


async def _resolve_policy(account: IamAccount, reference: str) -> PolicyFact:
    if is_arn(reference):
        return PolicyFact(await account.get_policy(reference))
    own, aws = await asyncio.gather(account.find_customer_policy(reference), account.find_aws_policy(reference))
    return PolicyFact(own or aws, ambiguous=own is not None and aws is not None)


async def taken_names(account: IamAccount, policy_names: Iterable[str]) -> frozenset[str]:
    """Return those of the names that a policy of the account has already. Raises IamError."""
    unique = list(dict.fromkeys(policy_names))
    found = await asyncio.gather(*(account.find_customer_policy(name) for name in unique))
    return frozenset(name for name, policy in zip(unique, found, strict=True) if policy)
