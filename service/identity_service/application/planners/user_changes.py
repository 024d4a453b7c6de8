"""Plans `UserChange`: ProvisionUser, CreateUser, CreateCredentials, AssignPermissions."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace

from identity_service.application.mfa_devices import read_named_devices
from identity_service.application.planners.planned import PlannedMutation
from identity_service.application.planners.references import (
    find_groups,
    read_documents,
    read_grants,
    read_groups,
    resolve_policies,
    taken_names,
)
from identity_service.application.ports import IamAccount
from identity_service.application.reading import read_user
from identity_service.domain import tags
from identity_service.domain.entities import UserSnapshot, VirtualMfaDeviceRecord
from identity_service.domain.facts import UserFacts
from identity_service.domain.planning.first_sign_in import awaits_reset, makes_reset
from identity_service.domain.planning.user_change import plan_change
from identity_service.domain.request import NewPolicy, Permissions, UserChange
from identity_service.domain.sign_in import sign_in_url


async def plan_user_change(account: IamAccount, change: UserChange, row_id: str, team: str) -> PlannedMutation:
    """Read the facts and plan the change. Raises IamError."""
    facts = _without_own_user(await _read_facts(account, change), change, row_id)
    before = None if change.new_user else facts.snapshot
    return PlannedMutation(
        plan=plan_change(change, facts, row_id, team),
        before=before,
        target_tags=before.user.tags if before else None,
        copied_from=facts.copied.user if facts.copied else None,
        password_policy=facts.password_policy,
        sign_in_url=sign_in_url(facts.partition, facts.account_id, facts.alias),
    )


def _without_own_user(facts: UserFacts, change: UserChange, row_id: str) -> UserFacts:
    """Take a new user that a late call of this very request has made for absent: making it converges."""
    snapshot = facts.snapshot
    is_own = change.new_user is not None and snapshot is not None and snapshot.user.tags.get(tags.ROW) == row_id
    return replace(facts, snapshot=None) if is_own else facts


async def _read_facts(account: IamAccount, change: UserChange) -> UserFacts:
    permissions = change.permissions
    of_account, of_users, of_references, devices = await asyncio.gather(
        asyncio.gather(account.get_account_summary(), account.get_password_policy(), account.get_alias()),
        asyncio.gather(
            read_user(account, change.user_name, expected=change.new_user is None),
            _read_copied(account, permissions.copy_from),
        ),
        asyncio.gather(
            find_groups(account, (group.group_name for group in permissions.new_groups)),
            read_groups(account, permissions.group_names),
            resolve_policies(account, _references(change)),
            taken_names(account, (policy.policy_name for policy in _new_policies(change))),
        ),
        _read_devices(account, change),
    )
    summary, password_policy, alias = of_account
    snapshot, copied = of_users
    namesakes, groups, policies, taken = of_references
    facts = UserFacts(
        account_id=account.account_id,
        partition=account.partition,
        summary=summary,
        password_policy=password_policy,
        alias=alias,
        snapshot=snapshot,
        copied=copied,
        groups={**namesakes, **groups},
        policies=policies,
        taken_policy_names=taken,
        virtual_mfa_devices=devices,
    )
    facts = await _with_further_groups(account, change, facts)
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


async def _read_devices(account: IamAccount, change: UserChange) -> dict[str, VirtualMfaDeviceRecord]:
    device = change.credentials.mfa_device
    return {} if device is None else await read_named_devices(account, device.device_name or change.user_name)


async def _with_further_groups(account: IamAccount, change: UserChange, facts: UserFacts) -> UserFacts:
    """Read what the copied groups grant, and where a password must be reset those that the user is in."""
    copied = facts.copied.groups if facts.copied else ()
    before = _before(change, facts)
    held = before.groups if before and makes_reset(change) else ()
    read = {fact.group for fact in facts.groups.values() if fact.policies}
    further = await read_grants(account, (group for group in (*copied, *held) if group not in read))
    return replace(facts, groups={**further, **facts.groups})


async def _with_documents(account: IamAccount, change: UserChange, facts: UserFacts) -> UserFacts:
    """Read the documents of what is given, and of its boundary, and all that a forced password reset could run into."""
    is_judged = _gives_rights(change) or _may_deadlock(change, facts)
    boundary = _boundary_in_force(change, facts) if is_judged else None
    held = _attached(_before(change, facts)) if makes_reset(change) else ()
    wanted = (*_given(change, facts), *held, *([boundary] if boundary else []))
    known = (fact.policy for fact in facts.policies.values() if fact.policy)
    documents = await read_documents(account, known, wanted)
    made = change.permissions.new_boundary
    return replace(
        facts,
        managed_documents=documents,
        boundary_document=made.document if made else documents.get(boundary or ""),
    )


def _gives_rights(change: UserChange) -> bool:
    """Tell whether a change gives what a boundary may void; a boundary alone does so to a user who is there."""
    asked = replace(change.permissions, boundary=None) if change.new_user else change.permissions
    return asked != Permissions()


def _may_deadlock(change: UserChange, facts: UserFacts) -> bool:
    return makes_reset(change) or awaits_reset(_before(change, facts))


def _before(change: UserChange, facts: UserFacts) -> UserSnapshot | None:
    return None if change.new_user else facts.snapshot


def _given(change: UserChange, facts: UserFacts) -> Iterable[str]:
    """Yield the ARNs of the managed policies that are named or copied, and of those of all groups that were read."""
    permissions = change.permissions
    new_groups = (reference for group in permissions.new_groups for reference in group.managed_policies)
    for reference in (*permissions.managed_policies, *new_groups):
        policy = facts.policies[reference].policy
        if policy:
            yield policy.arn
    yield from _attached(facts.copied)
    for fact in facts.groups.values():
        if fact.policies:
            yield from (policy.policy_arn for policy in fact.policies.attached_policies)


def _attached(snapshot: UserSnapshot | None) -> Iterable[str]:
    return (policy.policy_arn for policy in snapshot.attached_policies) if snapshot else ()


def _boundary_in_force(change: UserChange, facts: UserFacts) -> str | None:
    """Return the ARN of the boundary that the user will have: named, else copied, else held; None if yet to be made."""
    if change.permissions.new_boundary:
        return None
    if change.permissions.boundary:
        policy = facts.policies[change.permissions.boundary].policy
        return policy.arn if policy else None
    copied = facts.copied.user.boundary_arn if facts.copied else None
    before = _before(change, facts)
    return copied or (before.user.boundary_arn if before else None)
