"""MFA devices of the fake account."""

import base64
import re
from collections.abc import Mapping

from identity_service.application.ports import Answer, MfaAssignment, MintedMfaDevice, Receipt
from identity_service.domain.entities import MfaDeviceRecord, Page, VirtualMfaDeviceRecord
from identity_service.domain.errors import IamErrorKind
from identity_service.domain.secret import Secret
from tests.contract.fake_account import FakeAccount
from tests.contract.fake_paging import page_of
from tests.contract.fake_rules import check, now, unique_id
from tests.contract.fake_state import UserState

_DEVICE_NAME = re.compile(r"[\w+=,.@-]+", re.ASCII)
_TAG_VALUE = re.compile(r"[\w\s:/=+.@-]*")
_CODE = re.compile(r"[0-9]{6}")
_DEVICES_PER_USER = 8
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class FakeMfaDevices(FakeAccount):
    """The calls about MFA devices."""

    async def list_mfa_devices(self, user_name: str) -> tuple[MfaDeviceRecord, ...]:
        """ListMFADevices."""
        return await self._read_user("ListMFADevices", user_name, lambda user: tuple(user.mfa_devices))

    async def list_virtual_mfa_devices(
        self, assignment: MfaAssignment = MfaAssignment.ANY
    ) -> tuple[VirtualMfaDeviceRecord, ...]:
        """ListVirtualMFADevices, all pages."""
        params = {"AssignmentStatus": assignment.value}
        return await self._read("ListVirtualMFADevices", params, lambda: self._listed_devices(assignment))

    async def page_of_virtual_mfa_devices(
        self, assignment: MfaAssignment, page_size: int, token: str | None
    ) -> Page[VirtualMfaDeviceRecord]:
        """ListVirtualMFADevices, one page."""

        def read() -> Page[VirtualMfaDeviceRecord]:
            listed = [(device.serial_number, device) for device in self._listed_devices(assignment)]
            return page_of("ListVirtualMFADevices", listed, page_size, token)

        params = {"AssignmentStatus": assignment.value, "MaxItems": page_size}
        return await self._read("ListVirtualMFADevices", params, read)

    async def get_mfa_device_tags(self, serial_number: str) -> Mapping[str, str] | None:
        """ListMFADeviceTags."""

        def read() -> Mapping[str, str] | None:
            held = self._virtual_mfa_devices.get(serial_number)
            return None if held is None else dict(held)

        return await self._read("ListMFADeviceTags", {"SerialNumber": serial_number}, read)

    async def create_virtual_mfa_device(self, device_name: str, tags: Mapping[str, str]) -> Answer[MintedMfaDevice]:
        """CreateVirtualMFADevice."""

        def write() -> MintedMfaDevice:
            check(_DEVICE_NAME.fullmatch(device_name) is not None, IamErrorKind.INVALID_INPUT)
            check(all(_TAG_VALUE.fullmatch(value) for value in tags.values()), IamErrorKind.INVALID_INPUT)
            serial_number = self._arn("mfa", "/", device_name)
            check(serial_number not in self._virtual_mfa_devices, IamErrorKind.ALREADY_EXISTS)
            self.add_virtual_mfa_device(device_name, tags=tags)
            image = base64.b64encode(_PNG_SIGNATURE).decode()
            return MintedMfaDevice(serial_number, Secret(unique_id("", 64)), Secret(image))

        params = {"VirtualMFADeviceName": device_name, "Tags": dict(tags)}
        return await self._write("CreateVirtualMFADevice", params, write)

    async def tag_mfa_device(self, serial_number: str, tags: Mapping[str, str]) -> Receipt:
        """TagMFADevice."""

        def write() -> None:
            check(all(_TAG_VALUE.fullmatch(value) for value in tags.values()), IamErrorKind.INVALID_INPUT)
            check(serial_number in self._virtual_mfa_devices, IamErrorKind.NOT_FOUND)
            held = self._virtual_mfa_devices[serial_number]
            self._virtual_mfa_devices[serial_number] = {**held, **tags}

        params = {"SerialNumber": serial_number, "Tags": dict(tags)}
        return (await self._write("TagMFADevice", params, write)).receipt

    async def enable_mfa_device(self, user_name: str, serial_number: str, first: Secret, second: Secret) -> Receipt:
        """EnableMFADevice; every two codes are right but `wrong_codes`."""

        def write(user: UserState) -> None:
            codes = first.reveal(), second.reveal()
            check(all(_CODE.fullmatch(code) for code in codes), IamErrorKind.INVALID_INPUT)
            check(serial_number in self._virtual_mfa_devices, IamErrorKind.NOT_FOUND)
            check(serial_number not in self._mfa_owners(), IamErrorKind.ALREADY_EXISTS)
            check(len(user.mfa_devices) < _DEVICES_PER_USER, IamErrorKind.LIMIT_EXCEEDED)
            check(codes != self.wrong_codes, IamErrorKind.WRONG_CODE)
            user.mfa_devices.append(MfaDeviceRecord(serial_number, now()))

        params = {"SerialNumber": serial_number, "AuthenticationCode1": first, "AuthenticationCode2": second}
        return await self._write_user("EnableMFADevice", user_name, params, write)

    async def deactivate_mfa_device(self, user_name: str, serial_number: str) -> Receipt:
        """DeactivateMFADevice."""

        def write(user: UserState) -> None:
            kept = [device for device in user.mfa_devices if device.serial_number != serial_number]
            check(len(kept) < len(user.mfa_devices), IamErrorKind.NOT_FOUND)
            user.mfa_devices = kept

        return await self._write_user("DeactivateMFADevice", user_name, {"SerialNumber": serial_number}, write)

    async def delete_virtual_mfa_device(self, serial_number: str) -> Receipt:
        """DeleteVirtualMFADevice."""

        def write() -> None:
            check(serial_number in self._virtual_mfa_devices, IamErrorKind.NOT_FOUND)
            check(serial_number not in self._mfa_owners(), IamErrorKind.IN_USE)
            del self._virtual_mfa_devices[serial_number]

        return (await self._write("DeleteVirtualMFADevice", {"SerialNumber": serial_number}, write)).receipt

    def _listed_devices(self, assignment: MfaAssignment) -> tuple[VirtualMfaDeviceRecord, ...]:
        owners = self._mfa_owners()
        devices = [VirtualMfaDeviceRecord(at, owners.get(at)) for at in sorted(self._virtual_mfa_devices)]
        return tuple(
            device
            for device in devices
            if assignment is MfaAssignment.ANY or device.is_pending is (assignment is MfaAssignment.PENDING)
        )

    def _mfa_owners(self) -> dict[str, str]:
        return {
            device.serial_number: user.record.user_name for user in self._users.values() for device in user.mfa_devices
        }
