"""Plans `UserChange`: ProvisionUser, CreateUser, CreateCredentials, AssignPermissions."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace

from identity_service.application.planners.planned import PlannedMutation
from identity_service.application.planners.references import read_groups, resolve_policies, taken_names
from identity_service.application.ports import IamAccount
from identity_service.application.reading import read_user
from identity_service.domain.entities import PolicyRecord, UserSnapshot
from identity_service.domain.facts import UserFacts
from identity_service.domain.planning.user_change import plan_change
from identity_service.domain.request import NewPolicy, UserChange
from identity_service.domain.sign_in import sign_in_url


async def plan_user_change(account: IamAccount, change: UserChange, row_id: str, team: str) -> PlannedMutation:
    """Read the facts and plan the change. Raises IamError."""
    facts = await _read_facts(account, change)
    before = None if change.new_user else facts.snapshot
    return PlannedMutation(
        plan=plan_change(change, facts, row_id, team),
        before=before,
        target_tags=before.user.tags if before else None,
        copied_from=facts.copied.user.user_name if facts.copied else None,
        password_policy=facts.password_policy,
        sign_in_url=sign_in_url(facts.partition, facts.account_id, facts.alias),
    )


async def _read_facts(account: IamAccount, change: UserChange) -> UserFacts:
    permissions = change.permissions
    of_account, of_users, of_references, (pending, used) = await asyncio.gather(
        asyncio.gather(account.get_account_summary(), account.get_password_policy(), account.get_alias()),
        asyncio.gather(
            read_user(account, change.user_name, expected=change.new_user is None),
            _read_copied(account, permissions.copy_from),
        ),
        asyncio.gather(
            read_groups(account, [*permissions.group_names, *(group.group_name for group in permissions.new_groups)]),
            resolve_policies(account, _references(change)),
            taken_names(account, (policy.policy_name for policy in _new_policies(change))),
        ),
        _read_devices(account, change),
    )
    summary, password_policy, alias = of_account
    snapshot, copied = of_users
    groups, policies, taken = of_references
    copied_groups = await read_groups(account, (group.group_name for group in copied.groups)) if copied else {}
    facts = UserFacts(
        account_id=account.account_id,
        partition=account.partition,
        summary=summary,
        password_policy=password_policy,
        alias=alias,
        snapshot=snapshot,
        copied=copied,
        groups={**copied_groups, **groups},
        policies=policies,
        taken_policy_names=taken,
        pending_mfa_devices=pending,
        used_mfa_devices=used,
    )
    return await _with_documents(account, change, facts)


def _references(change: UserChange) -> Iterable[str]:
    yield from change.permissions.managed_policies
    for group in change.permissions.new_groups:
        yield from group.managed_policies
    if change.permissions.boundary:
        yield change.permissions.boundary


def _new_policies(change: UserChange) -> Iterable[NewPolicy]:
    yield from change.permissions.new_policies
    if change.permissions.new_boundary:
        yield change.permissions.new_boundary


async def _read_copied(account: IamAccount, user_name: str | None) -> UserSnapshot | None:
    return await read_user(account, user_name, expected=True) if user_name else None


async def _read_devices(account: IamAccount, change: UserChange) -> tuple[frozenset[str], frozenset[str]]:
    if change.credentials.mfa_device is None:
        return frozenset(), frozenset()
    devices = await account.list_virtual_mfa_devices()
    pending = frozenset(device.serial_number for device in devices if device.user_name is None)
    return pending, frozenset(device.serial_number for device in devices) - pending


async def _with_documents(account: IamAccount, change: UserChange, facts: UserFacts) -> UserFacts:
    """Read the documents of what is granted directly, and all those that a forced password reset could run into."""
    facts = replace(facts, granted_documents=await _read_granted_documents(account, change, facts))
    password = change.credentials.console_password
    if password is None or not password.require_reset:
        return facts
    boundary, documents = await asyncio.gather(
        _read_boundary(account, change, facts), _read_policy_documents(account, facts)
    )
    return replace(facts, boundary_document=boundary, policy_documents=documents)


async def _read_granted_documents(account: IamAccount, change: UserChange, facts: UserFacts) -> dict[str, str]:
    named = [facts.policies[reference].policy for reference in change.permissions.managed_policies]
    copied = await asyncio.gather(*map(account.get_policy, _attached(facts.copied)))
    granted = [policy for policy in (*named, *copied) if policy]
    documents = await asyncio.gather(*map(account.get_policy_document, granted))
    return {policy.arn: document for policy, document in zip(granted, documents, strict=True)}


async def _read_boundary(account: IamAccount, change: UserChange, facts: UserFacts) -> str | None:
    if change.permissions.new_boundary:
        return change.permissions.new_boundary.document
    if change.permissions.boundary:
        return await _read_document(account, facts.policies[change.permissions.boundary].policy)
    held = facts.snapshot.user.boundary_arn if facts.snapshot and not change.new_user else None
    arn = held or (facts.copied.user.boundary_arn if facts.copied else None)
    return await _read_document(account, await account.get_policy(arn)) if arn else None


async def _read_policy_documents(account: IamAccount, facts: UserFacts) -> tuple[str, ...]:
    records = [fact.policy for fact in facts.policies.values()]
    held = [*_attached(facts.snapshot), *_attached(facts.copied), *await _group_policy_arns(account, facts)]
    records += await asyncio.gather(*(account.get_policy(arn) for arn in dict.fromkeys(held)))
    documents = await asyncio.gather(*(_read_document(account, record) for record in records))
    return tuple(document for document in documents if document is not None)


def _attached(snapshot: UserSnapshot | None) -> Iterable[str]:
    return (policy.policy_arn for policy in snapshot.attached_policies) if snapshot else ()


async def _group_policy_arns(account: IamAccount, facts: UserFacts) -> list[str]:
    named = [fact.group.group_name for fact in facts.groups.values() if fact.group]
    held = [group.group_name for user in (facts.snapshot, facts.copied) if user for group in user.groups]
    details = await asyncio.gather(*(account.get_group_details(name) for name in dict.fromkeys([*named, *held])))
    return [policy.policy_arn for group in details if group for policy in group.attached_policies]


async def _read_document(account: IamAccount, policy: PolicyRecord | None) -> str | None:
    return await account.get_policy_document(policy) if policy else None
