"""Reads virtual MFA devices with their tags, which IAM lists for no more than one device at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from identity_service.application.ports import IamAccount, MfaAssignment
from identity_service.domain import tags
from identity_service.domain.entities import MfaDeviceDetails, MfaDeviceRecord, UserRecord, VirtualMfaDeviceRecord
from identity_service.domain.mfa_devices import is_abandoned, is_named_like, waits_for
from identity_service.domain.names import name_key

T = TypeVar("T")
R = TypeVar("R")

SIDE_BY_SIDE = 8
"""How many are read at a time: IAM's rate is the whole account's."""
MOST_PENDING = 200
"""How many pending devices of an account are looked at to find those of one user."""


async def read_pending_devices(
    account: IamAccount, user: UserRecord
) -> tuple[tuple[VirtualMfaDeviceRecord, ...], bool]:
    """Read the devices that a user could still enable, and whether the account has more than were looked at.

    Those that bear the user's name are looked at first. Raises IamError.
    """
    listed = await account.list_virtual_mfa_devices(MfaAssignment.PENDING)
    likely_first = sorted(listed, key=lambda device: not is_named_like(user.user_name, device.serial_number))
    looked_at = await with_tags(account, likely_first[:MOST_PENDING])
    owner = tags.owner_of(user.tags)
    found = tuple(device for device in looked_at if waits_for(device, user.user_name, owner))
    return found, len(listed) > MOST_PENDING


async def read_named_devices(account: IamAccount, device_name: str) -> dict[str, VirtualMfaDeviceRecord]:
    """Read all virtual devices by serial number, a pending one of this name with its tags. Raises IamError."""
    listed = await account.list_virtual_mfa_devices()
    named = [device for device in listed if device.is_pending and is_named_like(device_name, device.serial_number)]
    return {device.serial_number: device for device in (*listed, *await with_tags(account, named))}


async def with_tags(
    account: IamAccount, devices: Iterable[VirtualMfaDeviceRecord]
) -> tuple[VirtualMfaDeviceRecord, ...]:
    """Add its tags to each device; one that is gone meanwhile has none. Raises IamError."""

    async def read(device: VirtualMfaDeviceRecord) -> VirtualMfaDeviceRecord:
        return replace(device, tags=await account.get_mfa_device_tags(device.serial_number) or {})

    return await few_at_a_time(read, devices)


async def describe_devices(
    account: IamAccount, devices: Iterable[VirtualMfaDeviceRecord]
) -> tuple[MfaDeviceDetails, ...]:
    """Read of each device its tags and, if it is pending, whether it is abandoned. Raises IamError.

    Each user that a device waits for is read once.
    """
    tagged = await with_tags(account, devices)
    waiting = [device for device in tagged if device.is_pending and tags.user_of(device.tags)]
    names = list(dict.fromkeys(name_key(tags.user_of(device.tags)) for device in waiting))

    async def read(user_name: str) -> tuple[UserRecord | None, tuple[MfaDeviceRecord, ...]]:
        user = await account.get_user(user_name)
        return user, await account.list_mfa_devices(user_name) if user else ()

    users = dict(zip(names, await few_at_a_time(read, names), strict=True))
    absent: tuple[None, tuple[()]] = (None, ())
    return tuple(
        MfaDeviceDetails(device, is_abandoned(device, *users.get(name_key(tags.user_of(device.tags)), absent)))
        for device in tagged
    )


async def few_at_a_time(read: Callable[[T], Awaitable[R]], items: Iterable[T]) -> tuple[R, ...]:
    """Read something of each item, in their order, some side by side."""
    room = asyncio.Semaphore(SIDE_BY_SIDE)

    async def read_one(item: T) -> R:
        async with room:
            return await read(item)

    return tuple(await asyncio.gather(*map(read_one, items)))
