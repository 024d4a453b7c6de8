"""MFA devices: a virtual one is made, enabled with two codes, deactivated, deleted."""

from collections.abc import Mapping

from identity_service.adapters.aws_iam import answers
from identity_service.adapters.aws_iam.iam_part import IamPart, none_if_absent, only_set, tag_list
from identity_service.adapters.aws_iam.recent_entities import Entity
from identity_service.application.ports import Answer, MfaAssignment, MintedMfaDevice, Receipt
from identity_service.domain.entities import MfaDeviceRecord, Page, VirtualMfaDeviceRecord
from identity_service.domain.names import mfa_device_arn
from identity_service.domain.secret import Secret

_LARGEST_PAGE = 1000
"""An account may have more devices than users."""


class MfaDevices(IamPart):
    """The calls about MFA devices."""

    async def list_mfa_devices(self, user_name: str) -> tuple[MfaDeviceRecord, ...]:
        """ListMFADevices, all pages."""
        found = await self._iam.items("ListMFADevices", "MFADevices", UserName=user_name)
        return tuple(answers.mfa_device(fields) for fields in found)

    async def list_virtual_mfa_devices(
        self, assignment: MfaAssignment = MfaAssignment.ANY
    ) -> tuple[VirtualMfaDeviceRecord, ...]:
        """ListVirtualMFADevices of the account, all pages."""
        found = await self._iam.items(
            "ListVirtualMFADevices", "VirtualMFADevices", AssignmentStatus=assignment.value, MaxItems=_LARGEST_PAGE
        )
        return tuple(answers.virtual_mfa_device(fields) for fields in found)

    async def page_of_virtual_mfa_devices(
        self, assignment: MfaAssignment, page_size: int, token: str | None
    ) -> Page[VirtualMfaDeviceRecord]:
        """ListVirtualMFADevices of the account, sorted as IAM sorts."""
        page, next_token = await self._iam.page(
            "ListVirtualMFADevices", token, AssignmentStatus=assignment.value, MaxItems=page_size
        )
        return Page(tuple(answers.virtual_mfa_device(fields) for fields in page["VirtualMFADevices"]), next_token)

    async def get_mfa_device_tags(self, serial_number: str) -> Mapping[str, str] | None:
        """ListMFADeviceTags, all pages, of a virtual device."""
        found = await none_if_absent(self._iam.items("ListMFADeviceTags", "Tags", SerialNumber=serial_number))
        return None if found is None else answers.tags({"Tags": found})

    async def create_virtual_mfa_device(self, device_name: str, tags: Mapping[str, str]) -> Answer[MintedMfaDevice]:
        """CreateVirtualMFADevice with its tags, sent at most once."""
        device = Entity.mfa_device(mfa_device_arn(self._partition, self._account_id, device_name))
        reply = await self._made(
            device,
            "CreateVirtualMFADevice",
            VirtualMFADeviceName=device_name,
            **only_set(Tags=tag_list(tags) or None),
        )
        return Answer(answers.minted_mfa_device(reply.value["VirtualMFADevice"]), reply.receipt)

    async def tag_mfa_device(self, serial_number: str, tags: Mapping[str, str]) -> Receipt:
        """TagMFADevice, of a virtual device."""
        return await self._done("TagMFADevice", SerialNumber=serial_number, Tags=tag_list(tags))

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
