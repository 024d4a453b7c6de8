"""The plans of making, of enabling and of deleting an MFA device of a user."""

from identity_service.domain import tags, target
from identity_service.domain.entities import UserRecord, VirtualMfaDeviceRecord
from identity_service.domain.errors import Reason, Resource
from identity_service.domain.facts import UserFacts
from identity_service.domain.mfa_devices import concerns, waits_for
from identity_service.domain.names import MFA_MARK, mfa_device_arn, user_arn
from identity_service.domain.plan import Plan, WarningKind
from identity_service.domain.planning.draft import MINT, Draft
from identity_service.domain.planning.user_draft import UserDraft, draft_for_existing
from identity_service.domain.request import MfaDeviceDeletion, MfaDeviceEnabling, VirtualMfaDevice
from identity_service.domain.steps import (
    CreateVirtualMfaDevice,
    DeactivateMfaDevice,
    DeleteVirtualMfaDevice,
    EnableMfaDevice,
)

MAXIMUM_DEVICES = 8


def plan_mfa_device(draft: UserDraft, device: VirtualMfaDevice) -> None:
    """Plan a pending device; one of its name that nobody enabled would block it, and is deleted before."""
    name = device.device_name or draft.user_name
    arn = mfa_device_arn(draft.facts.partition, draft.facts.account_id, name)
    held = draft.user_facts.virtual_mfa_devices.get(arn)
    if held:
        _make_way(draft, held, name)
    draft.do(
        CreateVirtualMfaDevice(
            user_name=draft.user_name,
            user_arn=draft.user_arn,
            round=MINT,
            device_name=name,
            device_arn=arn,
            tags=dict(tags.mfa_device_tags(draft.row_id, draft.team, draft.user_name)),
        )
    )


def _make_way(draft: UserDraft, held: VirtualMfaDeviceRecord, name: str) -> None:
    at = draft.change.fields.credential("mfa_device")
    resource = Resource("iam:MFADevice", held.serial_number)
    if not held.is_pending:
        draft.stop(Reason.IN_USE, f"the MFA device {name} is in use", at, resource)
    elif not waits_for(held, draft.user_name, draft.team):
        whom = _whom(held)
        draft.stop(Reason.IN_USE, f"a device {name} waits to be enabled, {whom}; choose another name", at, resource)
    else:
        draft.do(
            DeleteVirtualMfaDevice(
                user_name=draft.user_name, user_arn=draft.user_arn, round=MINT - 1, serial_number=held.serial_number
            )
        )
        draft.warn(WarningKind.ABANDONED_MFA_DEVICE, f"the MFA device {name}, which nobody enabled, is replaced", at)


def _whom(device: VirtualMfaDeviceRecord) -> str:
    """Say for whom a pending device waits, as far as its tags tell."""
    owner = tags.owner_of(device.tags)
    return f"made by {owner} for user {tags.user_of(device.tags)}" if owner else "and nobody can tell for whom"


def plan_mfa_enabling(enabling: MfaDeviceEnabling, facts: UserFacts) -> Plan:
    """Plan the enabling; a device that is enabled for this user is left as it is."""
    draft = draft_for_existing(facts, enabling.user_name)
    serial = enabling.serial_number
    held = {device.serial_number for device in facts.snapshot.mfa_devices} if facts.snapshot else set()
    if serial not in held:
        _require_pending(draft, serial, facts)
        draft.use_quota("MFADevicesPerUser", len(held), len(held) + 1, "serial_number", limit=MAXIMUM_DEVICES)
    if facts.snapshot:
        user = facts.snapshot.user
        step = EnableMfaDevice(user_name=user.user_name, user_arn=user.arn, round=1, serial_number=serial)
        draft.do(step, satisfied=serial in held)
    return draft.finish()


def _require_pending(draft: Draft, serial: str, facts: UserFacts) -> None:
    if MFA_MARK not in serial:
        return
    device = facts.virtual_mfa_devices.get(serial)
    if device is None:
        _stop_without_device(draft, f"there is no MFA device {serial}", serial)
    elif not device.is_pending:
        draft.stop(Reason.IN_USE, "the device is enabled for another user", "serial_number")
    elif facts.snapshot and is_ours_and_pending(device) and not _waits_for_user(device, facts.snapshot.user):
        draft.stop(Reason.IN_USE, f"the device waits to be enabled, {_whom(device)}", "serial_number")


def _waits_for_user(device: VirtualMfaDeviceRecord, user: UserRecord) -> bool:
    return waits_for(device, user.user_name, tags.owner_of(user.tags))


def plan_mfa_deletion(deletion: MfaDeviceDeletion, facts: UserFacts) -> Plan:
    """Plan the deactivation and, for a virtual device, the deletion; a pending device is only deleted."""
    device = facts.virtual_mfa_devices.get(deletion.serial_number)
    if device is not None and is_ours_and_pending(device):
        return _plan_deletion_of_ours(deletion, device, facts)
    draft = draft_for_existing(facts, deletion.user_name)
    if facts.snapshot is None:
        return draft.finish()
    serial = deletion.serial_number
    user = facts.snapshot.user
    enabled = serial in {held.serial_number for held in facts.snapshot.mfa_devices}
    pending = device is not None and waits_for(device, user.user_name, owner="")
    if enabled:
        draft.do(DeactivateMfaDevice(user_name=user.user_name, user_arn=user.arn, round=1, serial_number=serial))
    if (enabled and MFA_MARK in serial) or pending:
        draft.do(DeleteVirtualMfaDevice(user_name=user.user_name, user_arn=user.arn, round=2, serial_number=serial))
    if not enabled and not pending:
        _stop_without_device(draft, f"user {user.user_name} has no MFA device {serial}", serial)
    return draft.finish()


def is_ours_and_pending(device: VirtualMfaDeviceRecord) -> bool:
    """Tell whether this service made a device that waits to be enabled: its own tags say who may delete it."""
    return device.is_pending and bool(tags.owner_of(device.tags))


def _plan_deletion_of_ours(deletion: MfaDeviceDeletion, device: VirtualMfaDeviceRecord, facts: UserFacts) -> Plan:
    """Plan the deletion of a pending device; the user is not touched, and may be absent or another team's by now."""
    name, serial = deletion.user_name, device.serial_number
    draft = Draft(facts, target.user(name))
    if not concerns(device, name):
        _stop_without_device(draft, f"the MFA device {serial} waits for user {tags.user_of(device.tags)}", serial)
    arn = facts.snapshot.user.arn if facts.snapshot else user_arn(facts.partition, facts.account_id, "/", name)
    draft.do(DeleteVirtualMfaDevice(user_name=name, user_arn=arn, round=1, serial_number=serial))
    return draft.finish()


def _stop_without_device(draft: Draft, message: str, serial: str) -> None:
    draft.stop(Reason.MFA_DEVICE_NOT_FOUND, message, "serial_number", Resource("iam:MFADevice", serial))
