"""Reads everything about a user, side by side."""

import asyncio
from dataclasses import replace

from identity_service.application.mfa_devices import read_pending_devices
from identity_service.application.ports import IamAccount
from identity_service.domain.entities import AccessKeyRecord, UserSnapshot


async def read_user(account: IamAccount, user_name: str, *, expected: bool = False) -> UserSnapshot | None:
    """Read a user with all that a change or an answer needs to know; None if there is no such user.

    `expected` waits for one that was made here a moment ago. Not read from one moment: IAM has no such read.
    Raises IamError.
    """
    user = await account.get_user(user_name, expected=expected)
    if user is None:
        return None
    profile, keys, groups, attached, inline, devices = await asyncio.gather(
        account.get_login_profile(user.user_name),
        account.list_access_keys(user.user_name),
        account.list_groups(user.user_name),
        account.list_attached_policies(user.user_name),
        account.list_inline_policies(user.user_name),
        account.list_mfa_devices(user.user_name),
    )
    return UserSnapshot(
        user=user,
        login_profile=profile,
        access_keys=keys,
        groups=groups,
        attached_policies=attached,
        inline_policies=inline,
        mfa_devices=devices,
    )


async def read_user_for_deletion(account: IamAccount, user_name: str) -> UserSnapshot | None:
    """Read a user with everything that has to be taken off before it can be deleted. Raises IamError."""
    snapshot = await read_user(account, user_name, expected=True)
    if snapshot is None:
        return None
    name = snapshot.user.user_name
    certificates, ssh_keys, service_credentials, with_devices = await asyncio.gather(
        account.list_signing_certificates(name),
        account.list_ssh_public_keys(name),
        account.list_service_specific_credentials(name),
        with_pending_devices(account, snapshot),
    )
    return replace(
        with_devices,
        signing_certificate_ids=certificates,
        ssh_public_key_ids=ssh_keys,
        service_specific_credential_ids=service_credentials,
    )


async def with_pending_devices(account: IamAccount, snapshot: UserSnapshot) -> UserSnapshot:
    """Add the virtual MFA devices that the user could still enable. Raises IamError."""
    devices, truncated = await read_pending_devices(account, snapshot.user)
    return replace(snapshot, pending_mfa_devices=devices, pending_mfa_truncated=truncated)


async def with_last_use(account: IamAccount, snapshot: UserSnapshot) -> UserSnapshot:
    """Add to each access key when it was last used. Raises IamError."""

    async def look_up(key: AccessKeyRecord) -> AccessKeyRecord:
        return replace(key, last_used_at=await account.get_access_key_last_used(key.access_key_id))

    return replace(snapshot, access_keys=tuple(await asyncio.gather(*map(look_up, snapshot.access_keys))))
