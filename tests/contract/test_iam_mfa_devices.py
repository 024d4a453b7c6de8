"""What `IamAccount` promises of virtual MFA devices, held against the fake and the boto3 adapter."""

import base64
import re

import pytest

from identity_service.application.ports import IamAccount, MfaAssignment
from identity_service.domain.entities import VirtualMfaDeviceRecord
from identity_service.domain.errors import IamErrorKind
from identity_service.domain.secret import Secret
from tests.contract.support import ACCOUNT, make_user, refusal
from tests.contract.worlds import World


async def enable(world: World, user_name: str, device_name: str) -> str:
    """Make a device and enable it; returns its serial number."""
    device = (await world.iam.create_virtual_mfa_device(device_name, {})).value
    await world.iam.enable_mfa_device(user_name, device.serial_number, *world.codes(device.seed))
    return device.serial_number


async def test_made_device(iam: IamAccount) -> None:
    """A device is made with its seed in base32 and its QR code as a PNG image, neither of which shows."""
    answer = await iam.create_virtual_mfa_device("maria-phone", {})
    device = answer.value
    assert device.serial_number == f"arn:aws:iam::{ACCOUNT}:mfa/maria-phone"
    assert re.fullmatch(r"[A-Z2-7]{16,}=*", device.seed.reveal())
    assert base64.b64decode(device.qr_code_png.reveal(), validate=True).startswith(b"\x89PNG\r\n\x1a\n")
    assert device.seed.reveal() not in repr(answer)
    assert device.qr_code_png.reveal() not in repr(answer)
    assert answer.receipt.request_id
    other = (await iam.create_virtual_mfa_device("noor-phone", {})).value
    assert other.seed.reveal() != device.seed.reveal()


async def test_device_name_is_taken(iam: IamAccount) -> None:
    """A device that was made and abandoned blocks its name, until it is deleted."""
    device = (await iam.create_virtual_mfa_device("phone", {})).value
    assert (await refusal(iam.create_virtual_mfa_device("phone", {}))).kind is IamErrorKind.ALREADY_EXISTS
    await iam.delete_virtual_mfa_device(device.serial_number)
    again = (await iam.create_virtual_mfa_device("phone", {})).value
    assert again.serial_number == device.serial_number
    assert again.seed.reveal() != device.seed.reveal()


async def test_malformed_device_name(iam: IamAccount) -> None:
    """IAM's constraints on names are INVALID_INPUT, and nothing is made."""
    assert (await refusal(iam.create_virtual_mfa_device("with space", {}))).kind is IamErrorKind.INVALID_INPUT
    assert await iam.list_virtual_mfa_devices() == ()


async def test_enabled_device(world: World) -> None:
    """Two right codes enable a device for a user, once."""
    await make_user(world.iam)
    device = (await world.iam.create_virtual_mfa_device("phone", {})).value
    assert await world.iam.list_mfa_devices("maria") == ()
    receipt = await world.iam.enable_mfa_device("MARIA", device.serial_number, *world.codes(device.seed))
    assert receipt.request_id
    (enabled,) = await world.iam.list_mfa_devices("maria")
    assert enabled.serial_number == device.serial_number
    again = world.iam.enable_mfa_device("maria", device.serial_number, *world.codes(device.seed))
    assert (await refusal(again)).kind is IamErrorKind.ALREADY_EXISTS


async def test_wrong_codes(world: World) -> None:
    """Wrong codes are WRONG_CODE and leave the device pending; right ones enable it afterwards."""
    await make_user(world.iam)
    device = (await world.iam.create_virtual_mfa_device("phone", {})).value
    wrong = world.wrong_codes(device.seed)
    error = await refusal(world.iam.enable_mfa_device("maria", device.serial_number, *wrong))
    assert error.kind is IamErrorKind.WRONG_CODE
    assert (error.action, error.code, error.http_status) == (
        "iam:EnableMFADevice",
        "InvalidAuthenticationCode",
        403,
    )
    assert not error.outcome_unknown
    assert await world.iam.list_mfa_devices("maria") == ()
    assert await world.iam.list_virtual_mfa_devices() == (VirtualMfaDeviceRecord(device.serial_number),)
    await world.iam.enable_mfa_device("maria", device.serial_number, *world.codes(device.seed))
    assert len(await world.iam.list_mfa_devices("maria")) == 1


@pytest.mark.parametrize("code", ["12345", "1234567", "12345a", ""])
async def test_malformed_code(iam: IamAccount, code: str) -> None:
    """A code has six digits; what has not is INVALID_INPUT, and is not in the error."""
    await make_user(iam)
    device = (await iam.create_virtual_mfa_device("phone", {})).value
    error = await refusal(iam.enable_mfa_device("maria", device.serial_number, Secret(code), Secret("123456")))
    assert error.kind is IamErrorKind.INVALID_INPUT
    assert not code or code not in repr(error) + str(error)


async def test_ninth_device(world: World) -> None:
    """A user has eight devices at most."""
    await make_user(world.iam)
    for number in range(8):
        await enable(world, "maria", f"device-{number}")
    ninth = (await world.iam.create_virtual_mfa_device("device-8", {})).value
    error = await refusal(world.iam.enable_mfa_device("maria", ninth.serial_number, *world.codes(ninth.seed)))
    assert error.kind is IamErrorKind.LIMIT_EXCEEDED


async def test_devices_of_the_account(world: World) -> None:
    """All virtual devices are listed, with their owner or, while they are pending, without."""
    await make_user(world.iam)
    assert await world.iam.list_virtual_mfa_devices() == ()
    pending = (await world.iam.create_virtual_mfa_device("a-pending", {})).value.serial_number
    enabled = await enable(world, "maria", "b-enabled")
    assert await world.iam.list_virtual_mfa_devices() == (
        VirtualMfaDeviceRecord(pending),
        VirtualMfaDeviceRecord(enabled, "maria"),
    )
    await world.iam.deactivate_mfa_device("maria", enabled)
    assert await world.iam.list_virtual_mfa_devices() == (
        VirtualMfaDeviceRecord(pending),
        VirtualMfaDeviceRecord(enabled),
    )


async def test_device_is_listed_under_the_new_name_of_its_owner(world: World) -> None:
    """A rename takes the device along."""
    await make_user(world.iam)
    serial_number = await enable(world, "maria", "phone")
    await world.iam.update_user("maria", "mary", None)
    assert await world.iam.list_virtual_mfa_devices() == (VirtualMfaDeviceRecord(serial_number, "mary"),)


TAGS = {"identity-provisioning:row": "row-1", "identity-provisioning:user": "Lima:Ana", "empty": ""}


async def test_device_is_tagged_when_it_is_made(iam: IamAccount) -> None:
    """The tags of the making call are on the device at once; no listing shows them, and they go with it."""
    serial_number = (await iam.create_virtual_mfa_device("phone", TAGS)).value.serial_number
    assert await iam.get_mfa_device_tags(serial_number) == TAGS
    assert await iam.list_virtual_mfa_devices() == (VirtualMfaDeviceRecord(serial_number),)
    await iam.delete_virtual_mfa_device(serial_number)
    assert await iam.get_mfa_device_tags(serial_number) is None
    await iam.create_virtual_mfa_device("phone", {})
    assert await iam.get_mfa_device_tags(serial_number) == {}


async def test_tags_of_a_device_are_replaced_by_key(iam: IamAccount) -> None:
    """TagMFADevice writes what it names and leaves the others; a value that no tag may have changes nothing."""
    serial_number = (await iam.create_virtual_mfa_device("phone", TAGS)).value.serial_number
    assert (await iam.tag_mfa_device(serial_number, {"identity-provisioning:user": "Anna", "new": "x"})).request_id
    changed = {**TAGS, "identity-provisioning:user": "Anna", "new": "x"}
    assert await iam.get_mfa_device_tags(serial_number) == changed
    assert (await refusal(iam.tag_mfa_device(serial_number, {"new": "a,b"}))).kind is IamErrorKind.INVALID_INPUT
    assert await iam.get_mfa_device_tags(serial_number) == changed


async def test_tags_of_an_enabled_device(world: World) -> None:
    """Enabling a device leaves its tags."""
    await make_user(world.iam)
    device = (await world.iam.create_virtual_mfa_device("phone", TAGS)).value
    await world.iam.enable_mfa_device("maria", device.serial_number, *world.codes(device.seed))
    assert await world.iam.get_mfa_device_tags(device.serial_number) == TAGS


async def test_value_that_no_tag_may_have(iam: IamAccount) -> None:
    """A comma, which a user's name may have, is INVALID_INPUT in a tag's value, and nothing is made."""
    error = await refusal(iam.create_virtual_mfa_device("phone", {"name": "Lima,Ana"}))
    assert error.kind is IamErrorKind.INVALID_INPUT
    assert await iam.list_virtual_mfa_devices() == ()


async def test_devices_by_assignment_and_by_page(world: World) -> None:
    """Pending and enabled devices are listed apart, whole or page by page in one order."""
    await make_user(world.iam)
    enabled = await enable(world, "maria", "b-enabled")
    pending = [(await world.iam.create_virtual_mfa_device(name, TAGS)).value.serial_number for name in ("a", "c", "d")]
    assert await world.iam.list_virtual_mfa_devices(MfaAssignment.ENABLED) == (
        VirtualMfaDeviceRecord(enabled, "maria"),
    )
    listed = await world.iam.list_virtual_mfa_devices(MfaAssignment.PENDING)
    assert [device.serial_number for device in listed] == pending
    first = await world.iam.page_of_virtual_mfa_devices(MfaAssignment.PENDING, 2, None)
    assert [device.serial_number for device in first.items] == pending[:2]
    rest = await world.iam.page_of_virtual_mfa_devices(MfaAssignment.PENDING, 2, first.next_token)
    assert ([device.serial_number for device in rest.items], rest.next_token) == (pending[2:], None)
    everything = await world.iam.page_of_virtual_mfa_devices(MfaAssignment.ANY, 1000, None)
    assert len(everything.items) == 4
    made_up = world.iam.page_of_virtual_mfa_devices(MfaAssignment.ANY, 2, "made-up")
    assert (await refusal(made_up)).kind is IamErrorKind.INVALID_INPUT
