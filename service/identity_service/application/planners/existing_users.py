"""Plans mutations of users who have to be there: update, revocation, console access, deletion."""

import asyncio
from dataclasses import replace

from identity_service.application.planners.held_documents import read_held_documents
from identity_service.application.planners.planned import PlannedMutation
from identity_service.application.ports import IamAccount
from identity_service.application.reading import read_user, read_user_for_deletion, with_pending_devices
from identity_service.domain.entities import AccountSummary, UserSnapshot
from identity_service.domain.errors import Reason, Resource
from identity_service.domain.facts import UserFacts
from identity_service.domain.names import name_key
from identity_service.domain.plan import Plan, Problem
from identity_service.domain.planning.adoption import plan_adoption
from identity_service.domain.planning.console import plan_console_disabling
from identity_service.domain.planning.deletion import plan_deletion
from identity_service.domain.planning.revocation import plan_revocation
from identity_service.domain.planning.user_move import is_moved
from identity_service.domain.planning.user_update import plan_user_update
from identity_service.domain.request import (
    ConsoleDisabling,
    PermissionRevocation,
    UserAdoption,
    UserDeletion,
    UserUpdate,
)


async def plan_user_adoption(account: IamAccount, adoption: UserAdoption, team: str) -> PlannedMutation:
    """Plan the taking of a user; nothing but the user itself is read. Raises IamError."""
    user = await account.get_user(adoption.user_name, expected=True)
    facts = UserFacts(
        account_id=account.account_id,
        partition=account.partition,
        summary=AccountSummary({}),
        snapshot=UserSnapshot(user) if user else None,
    )
    return _planned(plan_adoption(adoption, facts, team), facts)


async def plan_update(account: IamAccount, update: UserUpdate) -> PlannedMutation:
    """Plan a change of tags, path or name. Raises IamError."""
    renames = update.new_user_name and name_key(update.new_user_name) != name_key(update.user_name)
    facts, namesake = await asyncio.gather(
        _read_facts(account, update.user_name),
        account.get_user(update.new_user_name) if renames and update.new_user_name else _nobody(),
    )
    if update.new_user_name and facts.snapshot and is_moved(update, facts.snapshot.user):
        facts = replace(facts, snapshot=await with_pending_devices(account, facts.snapshot))
    held = facts.snapshot
    documents = await read_held_documents(account, held) if held and is_moved(update, held.user) else {}
    plan = plan_user_update(update, facts, new_name_taken=namesake is not None, held_documents=documents)
    return _planned(plan, facts)


async def _nobody() -> None:
    return None


async def plan_permission_revocation(account: IamAccount, revocation: PermissionRevocation) -> PlannedMutation:
    """Plan what is taken from a user. Raises IamError."""
    facts = await _read_facts(account, revocation.user_name)
    return _planned(plan_revocation(revocation, facts), facts)


async def plan_disabling(account: IamAccount, disabling: ConsoleDisabling) -> PlannedMutation:
    """Plan the end of console access. Raises IamError."""
    facts = await _read_facts(account, disabling.user_name)
    return _planned(plan_console_disabling(disabling, facts), facts)


async def plan_user_deletion(account: IamAccount, deletion: UserDeletion) -> PlannedMutation:
    """Plan a teardown. Raises IamError."""
    snapshot = await read_user_for_deletion(account, deletion.user_name)
    if snapshot is not None:
        return PlannedMutation(plan_deletion(account.account_id, snapshot), snapshot, snapshot.user.tags)
    name = deletion.user_name
    missing = Problem(
        Reason.USER_NOT_FOUND, f"there is no user {name}", "user_name", resource=Resource("iam:User", name)
    )
    return PlannedMutation(Plan(account.account_id, deletion.target, problems=(missing,)))


async def _read_facts(account: IamAccount, user_name: str) -> UserFacts:
    summary, snapshot = await asyncio.gather(
        account.get_account_summary(), read_user(account, user_name, expected=True)
    )
    return UserFacts(
        account_id=account.account_id,
        partition=account.partition,
        summary=summary,
        snapshot=snapshot,
    )


def _planned(plan: Plan, facts: UserFacts) -> PlannedMutation:
    snapshot = facts.snapshot
    return PlannedMutation(plan, snapshot, snapshot.user.tags if snapshot else None)
