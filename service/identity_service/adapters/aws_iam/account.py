"""IAM of one AWS account through boto3."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from identity_service.adapters.aws_iam import answers
from identity_service.adapters.aws_iam.aws_policies import COMMON_PATHS, AwsPolicyIndex
from identity_service.adapters.aws_iam.calls import AwsCalls
from identity_service.adapters.aws_iam.recent_users import RecentUsers
from identity_service.adapters.aws_iam.retry import Reply
from identity_service.application.ports import Answer, MintedAccessKey, Receipt
from identity_service.domain.entities import (
    AccessKeyRecord,
    AccountSummary,
    AttachedPolicyRecord,
    GroupRecord,
    LoginProfileRecord,
    MfaDeviceRecord,
    PolicyRecord,
    UserRecord,
)
from identity_service.domain.errors import IamError, IamErrorKind
from identity_service.domain.names import name_key
from identity_service.domain.passwords import DEFAULT_POLICY, PasswordPolicy
from identity_service.domain.secret import Secret


class BotoIamAccount:
    """Fulfils `IamAccount`."""

    def __init__(
        self,
        account_id: str,
        partition: str,
        iam: AwsCalls,
        recent_users: RecentUsers,
        aws_policies: AwsPolicyIndex,
    ) -> None:
        self._account_id = account_id
        self._partition = partition
        self._iam = iam
        self._recent_users = recent_users
        self._aws_policies = aws_policies

    @property
    def account_id(self) -> str:
        """The account's id, 12 digits."""
        return self._account_id

    @property
    def partition(self) -> str:
        """The partition: `aws`, `aws-cn`, `aws-us-gov`."""
        return self._partition

    # Reads of the account.

    async def get_account_summary(self) -> AccountSummary:
        """GetAccountSummary."""
        reply = await self._iam.call("GetAccountSummary")
        return AccountSummary(reply.value["SummaryMap"])

    async def get_password_policy(self) -> PasswordPolicy:
        """GetAccountPasswordPolicy, or AWS's default policy where the account has set none."""
        value = await self._found("GetAccountPasswordPolicy")
        return DEFAULT_POLICY if value is None else answers.password_policy(value["PasswordPolicy"])

    async def get_alias(self) -> str:
        """ListAccountAliases; empty if there is none."""
        aliases = await self._iam.items("ListAccountAliases", "AccountAliases")
        return str(aliases[0]) if aliases else ""

    # Reads of groups and policies.

    async def get_group(self, group_name: str) -> GroupRecord | None:
        """GetGroup."""
        value = await self._found("GetGroup", GroupName=group_name)
        return None if value is None else answers.group(value["Group"])

    async def group_grants_nothing(self, group_name: str) -> bool:
        """Tell whether ListAttachedGroupPolicies and ListGroupPolicies are both empty."""
        attached, inline = await asyncio.gather(
            self._iam.items("ListAttachedGroupPolicies", "AttachedPolicies", GroupName=group_name),
            self._iam.items("ListGroupPolicies", "PolicyNames", GroupName=group_name),
        )
        return not attached and not inline

    async def get_policy(self, policy_arn: str) -> PolicyRecord | None:
        """GetPolicy."""
        value = await self._found("GetPolicy", PolicyArn=policy_arn)
        return None if value is None else answers.policy(value["Policy"])

    async def get_policy_document(self, policy: PolicyRecord) -> str:
        """GetPolicyVersion of the default version; the document as JSON text."""
        reply = await self._iam.call("GetPolicyVersion", PolicyArn=policy.arn, VersionId=policy.default_version_id)
        return answers.document(reply.value["PolicyVersion"]["Document"])

    async def find_customer_policy(self, policy_name: str) -> PolicyRecord | None:
        """Find a policy of the account by its name, in any letter case and on any path: ListPolicies, all pages."""
        async for page in self._iam.pages("ListPolicies", Scope="Local"):
            for fields in page["Policies"]:
                if name_key(fields["PolicyName"]) == name_key(policy_name):
                    return answers.policy(fields)
        return None

    async def find_aws_policy(self, policy_name: str) -> PolicyRecord | None:
        """Find a policy of AWS by its name, on any path.

        Asks for the few paths where nearly all are, before it reads the listing of 1,500 for one of the others.
        """
        arn = self._aws_policies.find(policy_name)
        if arn is not None:
            return await self.get_policy(arn)
        for path in COMMON_PATHS:
            policy = await self.get_policy(f"arn:{self._partition}:iam::aws:policy{path}{policy_name}")
            if policy is not None:
                return policy
        if not self._aws_policies.is_fresh:
            listed = await self._iam.items("ListPolicies", "Policies", Scope="AWS")
            self._aws_policies.fill({fields["PolicyName"]: fields["Arn"] for fields in listed})
        arn = self._aws_policies.find(policy_name)
        return None if arn is None else await self.get_policy(arn)

    # Reads of a user.

    async def get_user(self, user_name: str) -> UserRecord | None:
        """GetUser."""
        value = await self._found("GetUser", UserName=user_name)
        return None if value is None else answers.user(value["User"])

    async def get_login_profile(self, user_name: str) -> LoginProfileRecord | None:
        """GetLoginProfile."""
        value = await self._found("GetLoginProfile", UserName=user_name)
        return None if value is None else answers.login_profile(value["LoginProfile"])

    async def list_access_keys(self, user_name: str) -> tuple[AccessKeyRecord, ...]:
        """ListAccessKeys, all pages."""
        found = await self._iam.items("ListAccessKeys", "AccessKeyMetadata", UserName=user_name)
        return tuple(answers.access_key(fields) for fields in found)

    async def get_access_key_last_used(self, access_key_id: str) -> datetime | None:
        """GetAccessKeyLastUsed; None if never or not known."""
        value = await self._found("GetAccessKeyLastUsed", AccessKeyId=access_key_id)
        last_used = value["AccessKeyLastUsed"].get("LastUsedDate") if value else None
        return answers.in_utc(last_used) if last_used else None

    async def list_groups(self, user_name: str) -> tuple[GroupRecord, ...]:
        """ListGroupsForUser, all pages."""
        found = await self._iam.items("ListGroupsForUser", "Groups", UserName=user_name)
        return tuple(answers.group(fields) for fields in found)

    async def list_attached_policies(self, user_name: str) -> tuple[AttachedPolicyRecord, ...]:
        """ListAttachedUserPolicies, all pages."""
        found = await self._iam.items("ListAttachedUserPolicies", "AttachedPolicies", UserName=user_name)
        return tuple(answers.attached_policy(fields) for fields in found)

    async def list_inline_policies(self, user_name: str) -> Mapping[str, str]:
        """ListUserPolicies, all pages, and GetUserPolicy of each: documents as JSON text, by name.

        A policy that was deleted between the two is left out.
        """
        names = await self._iam.items("ListUserPolicies", "PolicyNames", UserName=user_name)
        values = await asyncio.gather(
            *(self._found("GetUserPolicy", UserName=user_name, PolicyName=name) for name in names)
        )
        return {value["PolicyName"]: answers.document(value["PolicyDocument"]) for value in values if value}

    async def list_mfa_devices(self, user_name: str) -> tuple[MfaDeviceRecord, ...]:
        """ListMFADevices, all pages."""
        found = await self._iam.items("ListMFADevices", "MFADevices", UserName=user_name)
        return tuple(answers.mfa_device(fields) for fields in found)

    async def list_signing_certificates(self, user_name: str) -> tuple[str, ...]:
        """ListSigningCertificates, all pages: the ids."""
        found = await self._iam.items("ListSigningCertificates", "Certificates", UserName=user_name)
        return tuple(fields["CertificateId"] for fields in found)

    async def list_ssh_public_keys(self, user_name: str) -> tuple[str, ...]:
        """ListSSHPublicKeys, all pages: the ids."""
        found = await self._iam.items("ListSSHPublicKeys", "SSHPublicKeys", UserName=user_name)
        return tuple(fields["SSHPublicKeyId"] for fields in found)

    async def list_service_specific_credentials(self, user_name: str) -> tuple[str, ...]:
        """ListServiceSpecificCredentials: the ids."""
        found = await self._iam.items(
            "ListServiceSpecificCredentials", "ServiceSpecificCredentials", UserName=user_name
        )
        return tuple(fields["ServiceSpecificCredentialId"] for fields in found)

    # Writes.

    async def create_user(
        self, user_name: str, path: str, boundary_arn: str | None, tags: Mapping[str, str]
    ) -> Answer[UserRecord]:
        """CreateUser: the user as the reply holds it, boundary and tags included."""
        boundary = {} if boundary_arn is None else {"PermissionsBoundary": boundary_arn}
        pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
        try:
            reply = await self._iam.call("CreateUser", UserName=user_name, Path=path, Tags=pairs, **boundary)
        except IamError as error:
            if error.outcome_unknown:
                self._recent_users.add(user_name)
            raise
        self._recent_users.add(user_name)
        return Answer(answers.user(reply.value["User"]), reply.receipt)

    async def delete_user(self, user_name: str) -> Receipt:
        """DeleteUser."""
        receipt = await self._done("DeleteUser", UserName=user_name)
        self._recent_users.remove(user_name)
        return receipt

    async def create_login_profile(self, user_name: str, password: Secret, reset_required: bool) -> Receipt:
        """CreateLoginProfile, sent at most once."""
        return await self._done(
            "CreateLoginProfile", UserName=user_name, Password=password, PasswordResetRequired=reset_required
        )

    async def delete_login_profile(self, user_name: str) -> Receipt:
        """DeleteLoginProfile."""
        return await self._done("DeleteLoginProfile", UserName=user_name)

    async def create_access_key(self, user_name: str) -> Answer[MintedAccessKey]:
        """CreateAccessKey, sent at most once."""
        reply = await self._iam.call("CreateAccessKey", UserName=user_name)
        return Answer(_minted(reply), reply.receipt)

    async def delete_access_key(self, user_name: str, access_key_id: str) -> Receipt:
        """DeleteAccessKey."""
        return await self._done("DeleteAccessKey", UserName=user_name, AccessKeyId=access_key_id)

    async def add_user_to_group(self, user_name: str, group_name: str) -> Receipt:
        """AddUserToGroup."""
        return await self._done("AddUserToGroup", UserName=user_name, GroupName=group_name)

    async def remove_user_from_group(self, user_name: str, group_name: str) -> Receipt:
        """RemoveUserFromGroup."""
        return await self._done("RemoveUserFromGroup", UserName=user_name, GroupName=group_name)

    async def attach_user_policy(self, user_name: str, policy_arn: str) -> Receipt:
        """AttachUserPolicy."""
        return await self._done("AttachUserPolicy", UserName=user_name, PolicyArn=policy_arn)

    async def detach_user_policy(self, user_name: str, policy_arn: str) -> Receipt:
        """DetachUserPolicy."""
        return await self._done("DetachUserPolicy", UserName=user_name, PolicyArn=policy_arn)

    async def put_user_policy(self, user_name: str, policy_name: str, document: str) -> Receipt:
        """PutUserPolicy."""
        return await self._done("PutUserPolicy", UserName=user_name, PolicyName=policy_name, PolicyDocument=document)

    async def delete_user_policy(self, user_name: str, policy_name: str) -> Receipt:
        """DeleteUserPolicy."""
        return await self._done("DeleteUserPolicy", UserName=user_name, PolicyName=policy_name)

    async def put_user_permissions_boundary(self, user_name: str, boundary_arn: str) -> Receipt:
        """PutUserPermissionsBoundary."""
        return await self._done("PutUserPermissionsBoundary", UserName=user_name, PermissionsBoundary=boundary_arn)

    async def delete_user_permissions_boundary(self, user_name: str) -> Receipt:
        """DeleteUserPermissionsBoundary."""
        return await self._done("DeleteUserPermissionsBoundary", UserName=user_name)

    async def delete_signing_certificate(self, user_name: str, certificate_id: str) -> Receipt:
        """DeleteSigningCertificate."""
        return await self._done("DeleteSigningCertificate", UserName=user_name, CertificateId=certificate_id)

    async def delete_ssh_public_key(self, user_name: str, ssh_public_key_id: str) -> Receipt:
        """DeleteSSHPublicKey."""
        return await self._done("DeleteSSHPublicKey", UserName=user_name, SSHPublicKeyId=ssh_public_key_id)

    async def delete_service_specific_credential(self, user_name: str, credential_id: str) -> Receipt:
        """DeleteServiceSpecificCredential."""
        return await self._done(
            "DeleteServiceSpecificCredential", UserName=user_name, ServiceSpecificCredentialId=credential_id
        )

    async def deactivate_mfa_device(self, user_name: str, serial_number: str) -> Receipt:
        """DeactivateMFADevice."""
        return await self._done("DeactivateMFADevice", UserName=user_name, SerialNumber=serial_number)

    async def delete_virtual_mfa_device(self, serial_number: str) -> Receipt:
        """DeleteVirtualMFADevice."""
        return await self._done("DeleteVirtualMFADevice", SerialNumber=serial_number)

    async def _found(self, operation: str, /, **params: object) -> dict[str, Any] | None:
        try:
            return (await self._iam.call(operation, **params)).value
        except IamError as error:
            if error.kind is IamErrorKind.NOT_FOUND:
                return None
            raise

    async def _done(self, operation: str, /, **params: object) -> Receipt:
        return (await self._iam.call(operation, **params)).receipt


def _minted(reply: Reply) -> MintedAccessKey:
    fields = reply.value["AccessKey"]
    return MintedAccessKey(
        fields["AccessKeyId"], Secret(fields["SecretAccessKey"]), answers.in_utc(fields["CreateDate"])
    )
