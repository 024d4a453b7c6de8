"""Whose a virtual MFA device is that waits to be enabled, and when nobody will enable it any more."""

from identity_service.domain import tags
from identity_service.domain.entities import MfaDeviceRecord, UserRecord, VirtualMfaDeviceRecord
from identity_service.domain.names import MFA_MARK, name_key


def is_named_like(user_name: str, serial_number: str) -> bool:
    """Tell whether a virtual device bears a name, in any letter case."""
    return name_key(serial_number.rpartition(MFA_MARK)[2]) == name_key(user_name)


def waits_for(device: VirtualMfaDeviceRecord, user_name: str, owner: str) -> bool:
    """Tell whether a pending device is for a user of a team.

    The device's tags tell. One without, which this service did not make, is the user's if it bears the user's name.
    """
    if not device.is_pending:
        return False
    if not tags.owner_of(device.tags):
        return is_named_like(user_name, device.serial_number)
    return tags.owner_of(device.tags) == owner and name_key(tags.user_of(device.tags)) == name_key(user_name)


def concerns(device: VirtualMfaDeviceRecord, user_name: str) -> bool:
    """Tell whether a device is enabled for a user or was made for it."""
    return name_key(user_name) in {name_key(device.user_name or ""), name_key(tags.user_of(device.tags))}


def is_abandoned(device: VirtualMfaDeviceRecord, user: UserRecord | None, enabled: tuple[MfaDeviceRecord, ...]) -> bool:
    """Tell whether a device was made by this service and nobody will enable it any more.

    `user` is the one that it was made for, None if absent, and `enabled` what is enabled for that user. A user who was
    made again by another team is not the one that the device waits for, and one with another device did without it.
    """
    owner = tags.owner_of(device.tags)
    if not device.is_pending or not owner:
        return False
    return user is None or tags.owner_of(user.tags) != owner or bool(enabled)
