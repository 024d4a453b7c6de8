"""MFA devices of the fake account."""

import base64
import re

from identity_service.application.ports import Answer, MintedMfaDevice, Receipt
from identity_service.domain.entities import MfaDeviceRecord, VirtualMfaDeviceRecord
from identity_service.domain.errors import IamErrorKind
from identity_service.domain.secret import Secret
from tests.contract.fake_account import FakeAccount
from tests.contract.fake_rules import check, now, unique_id
from tests.contract.fake_state import UserState

_DEVICE_NAME = re.compile(r"[\w+=,.@-]+", re.ASCII)
_CODE = re.compile(r"[0-9]{6}")
_DEVICES_PER_USER = 8
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class FakeMfaDevices(FakeAccount):
    """The calls about MFA devices."""

    async def list_mfa_devices(self, user_name: str) -> tuple[MfaDeviceRecord, ...]:
        """ListMFADevices."""
        return await self._read_user("ListMFADevices", user_name, lambda user: tuple(user.mfa_devices))

    async def list_virtual_mfa_devices(self) -> tuple[VirtualMfaDeviceRecord, ...]:
        """ListVirtualMFADevices."""

        def read() -> tuple[VirtualMfaDeviceRecord, ...]:
            owners = self._mfa_owners()
            return tuple(VirtualMfaDeviceRecord(at, owners.get(at)) for at in sorted(self._virtual_mfa_devices))

        return await self._read("ListVirtualMFADevices", {}, read)

    async def create_virtual_mfa_device(self, device_name: str) -> Answer[MintedMfaDevice]:
        """CreateVirtualMFADevice."""

        def write() -> MintedMfaDevice:
            check(_DEVICE_NAME.fullmatch(device_name) is not None, IamErrorKind.INVALID_INPUT)
            serial_number = self._arn("mfa", "/", device_name)
            check(serial_number not in self._virtual_mfa_devices, IamErrorKind.ALREADY_EXISTS)
            self.add_virtual_mfa_device(device_name)
            image = base64.b64encode(_PNG_SIGNATURE).decode()
            return MintedMfaDevice(serial_number, Secret(unique_id("", 64)), Secret(image))

        return await self._write("CreateVirtualMFADevice", {"VirtualMFADeviceName": device_name}, write)

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
            self._virtual_mfa_devices.remove(serial_number)

        return (await self._write("DeleteVirtualMFADevice", {"SerialNumber": serial_number}, write)).receipt

    def _mfa_owners(self) -> dict[str, str]:
        return {
            device.serial_number: user.record.user_name for user in self._users.values() for device in user.mfa_devices
        }
