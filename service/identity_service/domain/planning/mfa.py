"""The plans of enabling and of deleting an MFA device of a user."""

from identity_service.domain.errors import Reason, Resource
from identity_service.domain.facts import UserFacts
from identity_service.domain.names import MFA_MARK
from identity_service.domain.plan import Plan
from identity_service.domain.planning.credentials import is_named_like
from identity_service.domain.planning.draft import Draft
from identity_service.domain.planning.user_draft import draft_for_existing
from identity_service.domain.request import MfaDeviceDeletion, MfaDeviceEnabling
from identity_service.domain.steps import DeactivateMfaDevice, DeleteVirtualMfaDevice, EnableMfaDevice

MAXIMUM_DEVICES = 8


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
    if serial in facts.used_mfa_devices:
        draft.stop(Reason.IN_USE, "the device is enabled for another user", "serial_number")
    elif serial not in facts.pending_mfa_devices:
        draft.stop(
            Reason.MFA_DEVICE_NOT_FOUND,
            f"there is no MFA device {serial}",
            "serial_number",
            Resource("iam:MFADevice", serial),
        )


def plan_mfa_deletion(deletion: MfaDeviceDeletion, facts: UserFacts) -> Plan:
    """Plan the deactivation and, for a virtual device, the deletion.

    A pending device is only deleted, and only if it bears the user's name: nothing else tells whose it is.
    """
    draft = draft_for_existing(facts, deletion.user_name)
    if facts.snapshot is None:
        return draft.finish()
    serial = deletion.serial_number
    user = facts.snapshot.user
    enabled = serial in {device.serial_number for device in facts.snapshot.mfa_devices}
    pending = serial in facts.pending_mfa_devices and is_named_like(user.user_name, serial)
    if enabled:
        draft.do(DeactivateMfaDevice(user_name=user.user_name, user_arn=user.arn, round=1, serial_number=serial))
    if (enabled and MFA_MARK in serial) or pending:
        draft.do(DeleteVirtualMfaDevice(user_name=user.user_name, user_arn=user.arn, round=2, serial_number=serial))
    if not enabled and not pending:
        draft.stop(
            Reason.MFA_DEVICE_NOT_FOUND,
            f"user {user.user_name} has no MFA device {serial}",
            "serial_number",
            Resource("iam:MFADevice", serial),
        )
    return draft.finish()
