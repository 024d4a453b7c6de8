"""Reads what a request's names stand for: groups, managed policies, names that are to be taken."""

import asyncio
from collections.abc import Iterable, Mapping

from identity_service.application.ports import IamAccount
from identity_service.domain.entities import GroupPolicies, GroupRecord, PolicyRecord
from identity_service.domain.facts import GroupFact, PolicyFact
from identity_service.domain.names import is_arn


async def find_groups(account: IamAccount, names: Iterable[str]) -> Mapping[str, GroupFact]:
    """Find groups by name, without what they grant. Raises IamError."""
    unique = list(dict.fromkeys(names))
    groups = await asyncio.gather(*map(account.get_group, unique))
    return {name: GroupFact(group) for name, group in zip(unique, groups, strict=True)}


async def read_groups(account: IamAccount, names: Iterable[str]) -> Mapping[str, GroupFact]:
    """Read groups by name, with what they grant. Raises IamError."""
    unique = list(dict.fromkeys(names))
    facts = await asyncio.gather(*(_read_group(account, name) for name in unique))
    return dict(zip(unique, facts, strict=True))


async def _read_group(account: IamAccount, name: str) -> GroupFact:
    group, policies = await asyncio.gather(account.get_group(name), account.get_group_policies(name))
    return GroupFact(group, policies) if group and policies else GroupFact(None)


async def read_grants(account: IamAccount, groups: Iterable[GroupRecord]) -> Mapping[str, GroupFact]:
    """Read what groups grant that are known already; one that is gone meanwhile grants nothing. Raises IamError."""
    unique = list(dict.fromkeys(groups))
    read = await asyncio.gather(*(account.get_group_policies(group.group_name) for group in unique))
    return {
        group.group_name: GroupFact(group, policies or GroupPolicies())
        for group, policies in zip(unique, read, strict=True)
    }


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


async def read_documents(account: IamAccount, known: Iterable[PolicyRecord], arns: Iterable[str]) -> Mapping[str, str]:
    """Read the documents of managed policies by ARN, each once; only those not `known` are looked up. Raises IamError.

    A policy that is gone meanwhile is left out.
    """
    records = {policy.arn: policy for policy in known}
    unique = list(dict.fromkeys(arns))
    found = await asyncio.gather(*(account.get_policy(arn) for arn in unique if arn not in records))
    records.update({policy.arn: policy for policy in found if policy})
    wanted = [records[arn] for arn in unique if arn in records]
    documents = await asyncio.gather(*map(account.get_policy_document, wanted))
    return {policy.arn: document for policy, document in zip(wanted, documents, strict=True)}


async def taken_names(account: IamAccount, policy_names: Iterable[str]) -> frozenset[str]:
    """Return those of the names that a policy of the account has already. Raises IamError."""
    unique = list(dict.fromkeys(policy_names))
    found = await asyncio.gather(*(account.find_customer_policy(name) for name in unique))
    return frozenset(name for name, policy in zip(unique, found, strict=True) if policy)
