"""Everything a user signs in or signs calls with, but MFA."""

from datetime import datetime

from identity_service.adapters.aws_iam import answers
from identity_service.adapters.aws_iam.iam_part import IamPart
from identity_service.application.ports import Answer, MintedAccessKey, Receipt
from identity_service.domain.entities import AccessKeyRecord, LoginProfileRecord
from identity_service.domain.secret import Secret


class Credentials(IamPart):
    """The calls about passwords, access keys, certificates, SSH keys and service-specific credentials."""

    async def get_login_profile(self, user_name: str) -> LoginProfileRecord | None:
        """GetLoginProfile."""
        value = await self._found("GetLoginProfile", UserName=user_name)
        return None if value is None else answers.login_profile(value["LoginProfile"])

    async def create_login_profile(self, user_name: str, password: Secret, reset_required: bool) -> Receipt:
        """CreateLoginProfile, sent at most once."""
        return await self._done(
            "CreateLoginProfile", UserName=user_name, Password=password, PasswordResetRequired=reset_required
        )

    async def delete_login_profile(self, user_name: str) -> Receipt:
        """DeleteLoginProfile."""
        return await self._done("DeleteLoginProfile", UserName=user_name)

    async def list_access_keys(self, user_name: str) -> tuple[AccessKeyRecord, ...]:
        """ListAccessKeys, all pages."""
        found = await self._iam.items("ListAccessKeys", "AccessKeyMetadata", UserName=user_name)
        return tuple(answers.access_key(fields) for fields in found)

    async def get_access_key_last_used(self, access_key_id: str) -> datetime | None:
        """GetAccessKeyLastUsed; None if never or not known."""
        value = await self._found("GetAccessKeyLastUsed", AccessKeyId=access_key_id)
        last_used = value["AccessKeyLastUsed"].get("LastUsedDate") if value else None
        return answers.in_utc(last_used) if last_used else None

    async def create_access_key(self, user_name: str) -> Answer[MintedAccessKey]:
        """CreateAccessKey, sent at most once."""
        reply = await self._iam.call("CreateAccessKey", UserName=user_name)
        return Answer(answers.minted_access_key(reply.value["AccessKey"]), reply.receipt)

    async def delete_access_key(self, user_name: str, access_key_id: str) -> Receipt:
        """DeleteAccessKey."""
        return await self._done("DeleteAccessKey", UserName=user_name, AccessKeyId=access_key_id)

    async def list_signing_certificates(self, user_name: str) -> tuple[str, ...]:
        """ListSigningCertificates, all pages: the ids."""
        found = await self._iam.items("ListSigningCertificates", "Certificates", UserName=user_name)
        return tuple(fields["CertificateId"] for fields in found)

    async def delete_signing_certificate(self, user_name: str, certificate_id: str) -> Receipt:
        """DeleteSigningCertificate."""
        return await self._done("DeleteSigningCertificate", UserName=user_name, CertificateId=certificate_id)

    async def list_ssh_public_keys(self, user_name: str) -> tuple[str, ...]:
        """ListSSHPublicKeys, all pages: the ids."""
        found = await self._iam.items("ListSSHPublicKeys", "SSHPublicKeys", UserName=user_name)
        return tuple(fields["SSHPublicKeyId"] for fields in found)

    async def delete_ssh_public_key(self, user_name: str, ssh_public_key_id: str) -> Receipt:
        """DeleteSSHPublicKey."""
        return await self._done("DeleteSSHPublicKey", UserName=user_name, SSHPublicKeyId=ssh_public_key_id)

    async def list_service_specific_credentials(self, user_name: str) -> tuple[str, ...]:
        """ListServiceSpecificCredentials: the ids."""
        found = await self._iam.items(
            "ListServiceSpecificCredentials", "ServiceSpecificCredentials", UserName=user_name
        )
        return tuple(fields["ServiceSpecificCredentialId"] for fields in found)

    async def delete_service_specific_credential(self, user_name: str, credential_id: str) -> Receipt:
        """DeleteServiceSpecificCredential."""
        return await self._done(
            "DeleteServiceSpecificCredential", UserName=user_name, ServiceSpecificCredentialId=credential_id
        )
