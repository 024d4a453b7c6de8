"""MFA devices: a virtual one is made, enrolled with two codes of its seed, taken off, deleted."""

from __future__ import annotations

from io import BytesIO
from typing import Any
from urllib.parse import quote

import segno
from moto.iam.models import MFADevice, VirtualMfaDevice

from embedded_aws.account import Account, AccountUser
from embedded_aws.errors import AwsError, already_exists, delete_conflict, limit_exceeded, no_such_entity
from embedded_aws.query_protocol import Call
from embedded_aws.rulebook import Result, answers, rule
from embedded_aws.subjects.tags import put_tags, remove_tags
from embedded_aws.subjects.users import user_fields
from embedded_aws.totp import are_consecutive

_QR_SCALE = 4


@answers("CreateVirtualMFADevice")
def create_virtual_mfa_device(account: Account, call: Call) -> Result:
    """The only answer that holds the seed."""
    name = call.params.get("Path", "/") + call.params["VirtualMFADeviceName"]
    device = VirtualMfaDevice(account.account_id, region_name=account.region, device_name=name)
    if device.serial_number in account.iam.virtual_mfa_devices:
        raise already_exists("MFADevice entity at the same path and name already exists.")
    account.iam.virtual_mfa_devices[device.serial_number] = device
    put_tags(account, device.serial_number, call.params.get("Tags", []))
    seed = device.base32_string_seed
    return {
        "VirtualMFADevice": {
            "SerialNumber": device.serial_number,
            "Base32StringSeed": seed,
            "QRCodePNG": _qr_code(account, call.params["VirtualMFADeviceName"], seed),
            "Tags": account.tags_on(device.serial_number) or None,
        }
    }


@rule("TagMFADevice")
def device_has_room_for_tags(account: Account, call: Call) -> None:
    """The tags that a device has and the new ones together stay within the quota."""
    held = {tag["Key"].casefold() for tag in account.tags_on(_device(account, call).serial_number)}
    limit = account.quotas["TagsPerEntityQuota"]
    if len(held | {tag["Key"].casefold() for tag in call.params["Tags"]}) > limit:
        raise limit_exceeded("TagsPerMFADevice", limit)


@answers("TagMFADevice")
def tag_mfa_device(account: Account, call: Call) -> None:
    """Add or replace tags."""
    put_tags(account, _device(account, call).serial_number, call.params["Tags"])


@answers("UntagMFADevice")
def untag_mfa_device(account: Account, call: Call) -> None:
    """Remove by key; a key that is not there is no error."""
    remove_tags(account, _device(account, call).serial_number, call.params["TagKeys"])


@answers("ListMFADeviceTags")
def list_mfa_device_tags(account: Account, call: Call) -> Result:
    """A device's tags by key."""
    return {"Tags": account.tags_on(_device(account, call).serial_number)}


@answers("EnableMFADevice")
def enable_mfa_device(account: Account, call: Call) -> None:
    """Two consecutive codes prove that the user holds the seed."""
    user, device = account.user(call.params["UserName"]), _device(account, call)
    if device.user is not None:
        raise already_exists("MFA Device is already in use.")
    limit = account.quotas["MFADevicesPerUserQuota"]
    if len(user.mfa_devices) >= limit:
        raise limit_exceeded("MFADevicesPerUser", limit)
    codes = _check_codes(call, device)
    device.user, device.enable_date = user, account.now()
    user.mfa_devices[device.serial_number] = MFADevice(device.serial_number, *codes)


@answers("ResyncMFADevice")
def resync_mfa_device(account: Account, call: Call) -> None:
    """Two codes again, for a device whose clock went off; ours keeps good time, so they are only checked."""
    if call.params["SerialNumber"] not in account.user(call.params["UserName"]).mfa_devices:
        raise _no_such_device(call)
    _check_codes(call, _device(account, call))


@answers("DeactivateMFADevice")
def deactivate_mfa_device(account: Account, call: Call) -> None:
    """Take the device off the user; the device stays."""
    user, serial = account.user(call.params["UserName"]), call.params["SerialNumber"]
    if serial not in user.mfa_devices:
        raise _no_such_device(call)
    del user.mfa_devices[serial]
    device = _device(account, call)
    device.user = device.enable_date = None


@answers("DeleteVirtualMFADevice")
def delete_virtual_mfa_device(account: Account, call: Call) -> None:
    """Only a device that nobody uses."""
    device = _device(account, call)
    if device.user is not None:
        raise delete_conflict("The virtual MFA device is in use; it must be deactivated first.")
    account.iam.tagger.delete_all_tags_for_resource(device.serial_number)
    del account.iam.virtual_mfa_devices[device.serial_number]


@answers("ListMFADevices")
def list_mfa_devices(account: Account, call: Call) -> Result:
    """The devices of one user."""
    user = account.user(call.params["UserName"])
    return {"MFADevices": [_enrolled_fields(account, user, serial) for serial in user.mfa_devices]}


@answers("ListVirtualMFADevices")
def list_virtual_mfa_devices(account: Account, call: Call) -> Result:
    """Assigned ones, unassigned ones or both; never a seed."""
    wanted = call.params.get("AssignmentStatus", "Any")
    devices = [
        device
        for device in account.iam.virtual_mfa_devices.values()
        if wanted == "Any" or (device.user is not None) == (wanted == "Assigned")
    ]
    return {"VirtualMFADevices": [_virtual_fields(device) for device in devices]}


@answers("GetMFADevice")
def get_mfa_device(account: Account, call: Call) -> Result:
    """One device of a user."""
    user, serial = account.user(call.params["UserName"]), call.params["SerialNumber"]
    if serial not in user.mfa_devices:
        raise _no_such_device(call)
    return _enrolled_fields(account, user, serial)


def _device(account: Account, call: Call) -> VirtualMfaDevice:
    device = account.iam.virtual_mfa_devices.get(call.params["SerialNumber"])
    if device is None:
        raise _no_such_device(call)
    return device


def _check_codes(call: Call, device: VirtualMfaDevice) -> tuple[str, str]:
    codes = call.params["AuthenticationCode1"], call.params["AuthenticationCode2"]
    if not are_consecutive(device.base32_string_seed, *codes):
        raise AwsError("InvalidAuthenticationCode", "Authentication code for device is not valid.")
    return codes


def _no_such_device(call: Call) -> Exception:
    return no_such_entity(f"MFA Device with serial number {call.params['SerialNumber']} does not exist.")


def _enrolled_fields(account: Account, user: AccountUser, serial: str) -> dict[str, Any]:
    device = account.iam.virtual_mfa_devices[serial]
    return {"UserName": user.name, "SerialNumber": serial, "EnableDate": device.enable_date}


def _virtual_fields(device: VirtualMfaDevice) -> dict[str, Any]:
    fields: dict[str, Any] = {"SerialNumber": device.serial_number, "EnableDate": device.enable_date}
    if isinstance(device.user, AccountUser):
        fields["User"] = user_fields(device.user)
    return fields


def _qr_code(account: Account, device_name: str, seed: str) -> bytes:
    """What an authenticator app scans, in the form that the API's reference documents."""
    label = quote(f"{device_name}@{account.account_id}", safe="@")
    image = BytesIO()
    segno.make(f"otpauth://totp/{label}?secret={seed}").save(image, kind="png", scale=_QR_SCALE)
    return image.getvalue()
