"""Passwords, keys and certificates of the fake account's users."""

import secrets
from datetime import datetime

from identity_service.application.ports import Answer, MintedAccessKey, Receipt
from identity_service.domain import passwords
from identity_service.domain.entities import AccessKeyRecord, LoginProfileRecord
from identity_service.domain.errors import IamErrorKind
from identity_service.domain.secret import Secret
from tests.contract.fake_account import FakeAccount
from tests.contract.fake_rules import check, fold, now, remove
from tests.contract.fake_state import UserState


class FakeCredentials(FakeAccount):
    """The calls about passwords, access keys, certificates, SSH keys and service-specific credentials."""

    async def get_login_profile(self, user_name: str) -> LoginProfileRecord | None:
        """GetLoginProfile."""

        def read() -> LoginProfileRecord | None:
            user = self._users.get(fold(user_name))
            return user.login_profile if user else None

        return await self._read("GetLoginProfile", {"UserName": user_name}, read)

    async def create_login_profile(self, user_name: str, password: Secret, reset_required: bool) -> Receipt:
        """CreateLoginProfile."""

        def write(user: UserState) -> None:
            check(user.login_profile is None, IamErrorKind.ALREADY_EXISTS)
            broken = passwords.violations(password, self._policy_in_force, user.record.user_name)
            check(not broken, IamErrorKind.PASSWORD_REFUSED)
            user.login_profile = LoginProfileRecord(now(), reset_required)
            self.passwords[user.record.user_name] = password

        params = {"Password": password, "PasswordResetRequired": reset_required}
        return await self._write_user("CreateLoginProfile", user_name, params, write)

    async def delete_login_profile(self, user_name: str) -> Receipt:
        """DeleteLoginProfile."""

        def write(user: UserState) -> None:
            check(user.login_profile is not None, IamErrorKind.NOT_FOUND)
            user.login_profile = None

        return await self._write_user("DeleteLoginProfile", user_name, {}, write)

    async def list_access_keys(self, user_name: str) -> tuple[AccessKeyRecord, ...]:
        """ListAccessKeys."""
        return await self._read_user("ListAccessKeys", user_name, lambda user: tuple(user.access_keys))

    async def get_access_key_last_used(self, access_key_id: str) -> datetime | None:
        """GetAccessKeyLastUsed."""
        params: dict[str, object] = {"AccessKeyId": access_key_id}
        return await self._read("GetAccessKeyLastUsed", params, lambda: self._last_used.get(access_key_id))

    async def create_access_key(self, user_name: str) -> Answer[MintedAccessKey]:
        """CreateAccessKey."""

        def write() -> MintedAccessKey:
            user = self._user(user_name)
            limit = self.quotas["AccessKeysPerUserQuota"]
            check(len(user.access_keys) < limit, IamErrorKind.LIMIT_EXCEEDED)
            access_key_id = self.add_access_key(user_name)
            return MintedAccessKey(access_key_id, Secret(secrets.token_urlsafe(30)), now())

        return await self._write("CreateAccessKey", {"UserName": user_name}, write)

    async def delete_access_key(self, user_name: str, access_key_id: str) -> Receipt:
        """DeleteAccessKey."""

        def write(user: UserState) -> None:
            kept = [key for key in user.access_keys if key.access_key_id != access_key_id]
            check(len(kept) < len(user.access_keys), IamErrorKind.NOT_FOUND)
            user.access_keys = kept

        return await self._write_user("DeleteAccessKey", user_name, {"AccessKeyId": access_key_id}, write)

    async def list_signing_certificates(self, user_name: str) -> tuple[str, ...]:
        """ListSigningCertificates."""
        return await self._read_user("ListSigningCertificates", user_name, lambda user: tuple(user.certificates))

    async def delete_signing_certificate(self, user_name: str, certificate_id: str) -> Receipt:
        """DeleteSigningCertificate."""
        params = {"CertificateId": certificate_id}
        return await self._write_user(
            "DeleteSigningCertificate", user_name, params, lambda user: remove(user.certificates, certificate_id)
        )

    async def list_ssh_public_keys(self, user_name: str) -> tuple[str, ...]:
        """ListSSHPublicKeys."""
        return await self._read_user("ListSSHPublicKeys", user_name, lambda user: tuple(user.ssh_keys))

    async def delete_ssh_public_key(self, user_name: str, ssh_public_key_id: str) -> Receipt:
        """DeleteSSHPublicKey."""
        params = {"SSHPublicKeyId": ssh_public_key_id}
        return await self._write_user(
            "DeleteSSHPublicKey", user_name, params, lambda user: remove(user.ssh_keys, ssh_public_key_id)
        )

    async def list_service_specific_credentials(self, user_name: str) -> tuple[str, ...]:
        """ListServiceSpecificCredentials."""
        operation = "ListServiceSpecificCredentials"
        return await self._read_user(operation, user_name, lambda user: tuple(user.service_credentials))

    async def delete_service_specific_credential(self, user_name: str, credential_id: str) -> Receipt:
        """DeleteServiceSpecificCredential."""
        params = {"ServiceSpecificCredentialId": credential_id}
        return await self._write_user(
            "DeleteServiceSpecificCredential",
            user_name,
            params,
            lambda user: remove(user.service_credentials, credential_id),
        )
