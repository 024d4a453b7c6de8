"""MFA devices: a virtual one is made, enabled with two codes, deactivated, deleted."""

from identity_service.adapters.aws_iam import answers
from identity_service.adapters.aws_iam.iam_part import IamPart
from identity_service.adapters.aws_iam.recent_entities import Entity
from identity_service.application.ports import Answer, MintedMfaDevice, Receipt
from identity_service.domain.entities import MfaDeviceRecord, VirtualMfaDeviceRecord
from identity_service.domain.names import mfa_device_arn
from identity_service.domain.secret import Secret


class MfaDevices(IamPart):
    """The calls about MFA devices."""

    async def list_mfa_devices(self, user_name: str) -> tuple[MfaDeviceRecord, ...]:
        """ListMFADevices, all pages."""
        found = await self._iam.items("ListMFADevices", "MFADevices", UserName=user_name)
        return tuple(answers.mfa_device(fields) for fields in found)

    async def list_virtual_mfa_devices(self) -> tuple[VirtualMfaDeviceRecord, ...]:
        """ListVirtualMFADevices of the account, all pages, assigned or not."""
        found = await self._iam.items("ListVirtualMFADevices", "VirtualMFADevices")
        return tuple(answers.virtual_mfa_device(fields) for fields in found)

    async def create_virtual_mfa_device(self, device_name: str) -> Answer[MintedMfaDevice]:
        """CreateVirtualMFADevice, sent at most once."""
        device = Entity.mfa_device(mfa_device_arn(self._partition, self._account_id, device_name))
        reply = await self._made(device, "CreateVirtualMFADevice", VirtualMFADeviceName=device_name)
        return Answer(answers.minted_mfa_device(reply.value["VirtualMFADevice"]), reply.receipt)

    async def enable_mfa_device(self, user_name: str, serial_number: str, first: Secret, second: Secret) -> Receipt:
        """EnableMFADevice with two codes that follow one another, sent at most once."""
        return await self._done(
            "EnableMFADevice",
            UserName=user_name,
            SerialNumber=serial_number,
            AuthenticationCode1=first,
            AuthenticationCode2=second,
        )

    async def deactivate_mfa_device(self, user_name: str, serial_number: str) -> Receipt:
        """DeactivateMFADevice."""
        return await self._done("DeactivateMFADevice", UserName=user_name, SerialNumber=serial_number)

    async def delete_virtual_mfa_device(self, serial_number: str) -> Receipt:
        """DeleteVirtualMFADevice."""
        return await self._deleted(
            Entity.mfa_device(serial_number), "DeleteVirtualMFADevice", SerialNumber=serial_number
        )
