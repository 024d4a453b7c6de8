"""Plans the enabling and the deletion of MFA devices."""

import asyncio

from identity_service.application.mfa_devices import read_named_devices
from identity_service.application.planners.planned import PlannedMutation
from identity_service.application.ports import IamAccount
from identity_service.application.reading import read_user
from identity_service.domain.facts import UserFacts
from identity_service.domain.names import MFA_MARK
from identity_service.domain.planning.mfa import is_ours_and_pending, plan_mfa_deletion, plan_mfa_enabling
from identity_service.domain.request import MfaDeviceDeletion, MfaDeviceEnabling


async def plan_enabling(account: IamAccount, enabling: MfaDeviceEnabling) -> PlannedMutation:
    """Plan the enabling of an MFA device. Raises IamError."""
    facts = await _read_facts(account, enabling)
    snapshot = facts.snapshot
    return PlannedMutation(plan_mfa_enabling(enabling, facts), snapshot, snapshot.user.tags if snapshot else None)


async def plan_device_deletion(account: IamAccount, deletion: MfaDeviceDeletion) -> PlannedMutation:
    """Plan the deletion of an MFA device. Raises IamError.

    A pending device that this service made belongs to the team in its own tags, whoever has the user by now.
    """
    facts = await _read_facts(account, deletion)
    plan = plan_mfa_deletion(deletion, facts)
    device = facts.virtual_mfa_devices.get(deletion.serial_number)
    if device is not None and is_ours_and_pending(device):
        return PlannedMutation(plan, target_tags=device.tags, owned_device=device.serial_number)
    snapshot = facts.snapshot
    return PlannedMutation(plan, snapshot, snapshot.user.tags if snapshot else None)


async def _read_facts(account: IamAccount, request: MfaDeviceEnabling | MfaDeviceDeletion) -> UserFacts:
    summary, snapshot, devices = await asyncio.gather(
        account.get_account_summary(),
        read_user(account, request.user_name, expected=True),
        read_named_devices(account, request.serial_number.rpartition(MFA_MARK)[2]),
    )
    return UserFacts(
        account_id=account.account_id,
        partition=account.partition,
        summary=summary,
        snapshot=snapshot,
        virtual_mfa_devices=devices,
    )
