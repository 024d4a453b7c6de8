"""What the application needs of the world, as Protocols that adapters fulfil and fakes stand in for."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from identity_service.domain.caller import Caller
from identity_service.domain.entities import (
    AccessKeyRecord,
    AccountSummary,
    AttachedPolicyRecord,
    GroupDetails,
    GroupPolicies,
    GroupRecord,
    LoginProfileRecord,
    MfaDeviceRecord,
    Page,
    PolicyDetails,
    PolicyRecord,
    PolicyUsage,
    UserRecord,
    VirtualMfaDeviceRecord,
)
from identity_service.domain.passwords import PasswordPolicy
from identity_service.domain.proposal import Proposal
from identity_service.domain.secret import Secret
from identity_service.domain.target import Target

T = TypeVar("T")


@dataclass(frozen=True)
class Receipt:
    """AWS's confirmation of one call: its id of the request, and when the answer came (UTC).

    `repeated` tells that an earlier sending had no answer: it may be carried out yet, after this one.
    """

    request_id: str
    completed_at: datetime
    repeated: bool = False


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What a mutating call answered, with its receipt."""

    value: T
    receipt: Receipt


@dataclass(frozen=True)
class MintedAccessKey:
    """What CreateAccessKey answers, the only time."""

    access_key_id: str
    secret: Secret
    created_at: datetime


@dataclass(frozen=True)
class MintedMfaDevice:
    """What CreateVirtualMFADevice answers, the only time: the seed in base32, the QR code's PNG image in base64."""

    serial_number: str
    seed: Secret
    qr_code_png: Secret


class PolicyScope(enum.Enum):
    """Whose managed policies."""

    ALL = "All"
    AWS = "AWS"
    CUSTOMER = "Local"


class MfaAssignment(enum.Enum):
    """Which virtual MFA devices."""

    ANY = "Any"
    ENABLED = "Assigned"
    PENDING = "Unassigned"


class IamAccount(Protocol):
    """IAM of one AWS account: just the calls that this service makes.

    Every method raises `IamError`. Reads and convergent writes are retried below, with jittered backoff, on
    throttling, 5xx, lost connections, ConcurrentModification and EntityTemporarilyUnmodifiable, for a bounded time.
    The minting calls, CreateAccessKey, CreateLoginProfile and CreateVirtualMFADevice, are sent at most once and are
    retried only on answers which say that nothing was done. Reads answer None for what is not there, where the type
    says so.
    """

    @property
    def account_id(self) -> str:
        """The account's id, 12 digits."""

    @property
    def partition(self) -> str:
        """The partition: `aws`, `aws-cn`, `aws-us-gov`."""

    # Reads of the account.
    async def get_account_summary(self) -> AccountSummary:
        """GetAccountSummary."""

    async def get_password_policy(self) -> PasswordPolicy:
        """GetAccountPasswordPolicy, or AWS's default policy where the account has set none."""

    async def get_alias(self) -> str:
        """ListAccountAliases; empty if there is none."""

    # Reads of groups and policies.
    async def get_group(self, group_name: str) -> GroupRecord | None:
        """GetGroup."""

    async def get_group_policies(self, group_name: str) -> GroupPolicies | None:
        """ListAttachedGroupPolicies, ListGroupPolicies, all pages, and GetGroupPolicy of each inline policy."""

    async def get_policy(self, policy_arn: str) -> PolicyRecord | None:
        """GetPolicy."""

    async def get_policy_document(self, policy: PolicyRecord) -> str:
        """GetPolicyVersion of the default version; the document as JSON text."""

    async def get_group_details(self, group_name: str) -> GroupDetails | None:
        """GetGroup with all members, ListAttachedGroupPolicies and ListGroupPolicies, all pages."""

    async def page_of_groups(self, page_size: int, token: str | None) -> Page[GroupDetails]:
        """GetAccountAuthorizationDetails(Filter=Group): groups with their policies, without their members."""

    async def get_policy_details(self, policy_arn: str) -> PolicyDetails | None:
        """GetPolicy with tags and description."""

    async def page_of_policies(self, scope: PolicyScope, page_size: int, token: str | None) -> Page[PolicyDetails]:
        """ListPolicies, sorted as IAM sorts."""

    async def list_policy_versions(self, policy_arn: str) -> tuple[str, ...]:
        """ListPolicyVersions, all pages: the ids of the versions that are not the default one."""

    async def get_policy_usage(self, policy_arn: str) -> PolicyUsage:
        """ListEntitiesForPolicy for both usages, all pages."""

    async def find_customer_policy(self, policy_name: str) -> PolicyRecord | None:
        """Find a policy of the account by its name, in any letter case and on any path: ListPolicies, all pages."""

    async def find_aws_policy(self, policy_name: str) -> PolicyRecord | None:
        """Find a policy of AWS by its name, on any path: ListPolicies, all pages."""

    # Reads of a user.
    async def get_user(self, user_name: str, *, expected: bool = False) -> UserRecord | None:
        """GetUser. `expected` waits for a user that was made here a moment ago and is not seen yet."""

    async def page_of_users(self, page_size: int, token: str | None) -> Page[UserRecord]:
        """GetAccountAuthorizationDetails(Filter=User): users with tags and boundary."""

    async def get_login_profile(self, user_name: str) -> LoginProfileRecord | None:
        """GetLoginProfile."""

    async def list_access_keys(self, user_name: str) -> tuple[AccessKeyRecord, ...]:
        """ListAccessKeys, all pages."""

    async def get_access_key_last_used(self, access_key_id: str) -> datetime | None:
        """GetAccessKeyLastUsed; None if never or not known."""

    async def list_groups(self, user_name: str) -> tuple[GroupRecord, ...]:
        """ListGroupsForUser, all pages."""

    async def list_attached_policies(self, user_name: str) -> tuple[AttachedPolicyRecord, ...]:
        """ListAttachedUserPolicies, all pages."""

    async def list_inline_policies(self, user_name: str) -> Mapping[str, str]:
        """ListUserPolicies, all pages, and GetUserPolicy of each: documents as JSON text, by name."""

    async def list_mfa_devices(self, user_name: str) -> tuple[MfaDeviceRecord, ...]:
        """ListMFADevices, all pages."""

    async def list_virtual_mfa_devices(
        self, assignment: MfaAssignment = MfaAssignment.ANY
    ) -> tuple[VirtualMfaDeviceRecord, ...]:
        """ListVirtualMFADevices of the account, all pages."""

    async def page_of_virtual_mfa_devices(
        self, assignment: MfaAssignment, page_size: int, token: str | None
    ) -> Page[VirtualMfaDeviceRecord]:
        """ListVirtualMFADevices of the account, sorted as IAM sorts."""

    async def get_mfa_device_tags(self, serial_number: str) -> Mapping[str, str] | None:
        """ListMFADeviceTags, all pages, of a virtual device."""

    async def list_signing_certificates(self, user_name: str) -> tuple[str, ...]:
        """ListSigningCertificates, all pages: the ids."""

    async def list_ssh_public_keys(self, user_name: str) -> tuple[str, ...]:
        """ListSSHPublicKeys, all pages: the ids."""

    async def list_service_specific_credentials(self, user_name: str) -> tuple[str, ...]:
        """ListServiceSpecificCredentials: the ids."""

    # Writes.
    async def create_user(
        self, user_name: str, path: str, boundary_arn: str | None, tags: Mapping[str, str]
    ) -> Answer[UserRecord]:
        """CreateUser: the user as the reply holds it, boundary and tags included."""

    async def delete_user(self, user_name: str) -> Receipt:
        """DeleteUser."""

    async def create_login_profile(self, user_name: str, password: Secret, reset_required: bool) -> Receipt:
        """CreateLoginProfile, sent at most once."""

    async def delete_login_profile(self, user_name: str) -> Receipt:
        """DeleteLoginProfile."""

    async def create_access_key(self, user_name: str) -> Answer[MintedAccessKey]:
        """CreateAccessKey, sent at most once."""

    async def delete_access_key(self, user_name: str, access_key_id: str) -> Receipt:
        """DeleteAccessKey."""

    async def add_user_to_group(self, user_name: str, group_name: str) -> Receipt:
        """AddUserToGroup."""

    async def remove_user_from_group(self, user_name: str, group_name: str) -> Receipt:
        """RemoveUserFromGroup."""

    async def attach_user_policy(self, user_name: str, policy_arn: str) -> Receipt:
        """AttachUserPolicy."""

    async def detach_user_policy(self, user_name: str, policy_arn: str) -> Receipt:
        """DetachUserPolicy."""

    async def put_user_policy(self, user_name: str, policy_name: str, document: str) -> Receipt:
        """PutUserPolicy."""

    async def delete_user_policy(self, user_name: str, policy_name: str) -> Receipt:
        """DeleteUserPolicy."""

    async def put_user_permissions_boundary(self, user_name: str, boundary_arn: str) -> Receipt:
        """PutUserPermissionsBoundary."""

    async def delete_user_permissions_boundary(self, user_name: str) -> Receipt:
        """DeleteUserPermissionsBoundary."""

    async def delete_signing_certificate(self, user_name: str, certificate_id: str) -> Receipt:
        """DeleteSigningCertificate."""

    async def delete_ssh_public_key(self, user_name: str, ssh_public_key_id: str) -> Receipt:
        """DeleteSSHPublicKey."""

    async def delete_service_specific_credential(self, user_name: str, credential_id: str) -> Receipt:
        """DeleteServiceSpecificCredential."""

    async def deactivate_mfa_device(self, user_name: str, serial_number: str) -> Receipt:
        """DeactivateMFADevice."""

    async def delete_virtual_mfa_device(self, serial_number: str) -> Receipt:
        """DeleteVirtualMFADevice."""

    async def create_virtual_mfa_device(self, device_name: str, tags: Mapping[str, str]) -> Answer[MintedMfaDevice]:
        """CreateVirtualMFADevice with its tags, sent at most once."""

    async def tag_mfa_device(self, serial_number: str, tags: Mapping[str, str]) -> Receipt:
        """TagMFADevice, of a virtual device."""

    async def enable_mfa_device(self, user_name: str, serial_number: str, first: Secret, second: Secret) -> Receipt:
        """EnableMFADevice with two codes that follow one another."""

    async def update_user(self, user_name: str, new_user_name: str | None, new_path: str | None) -> Receipt:
        """UpdateUser. The answer holds no user; read it again."""

    async def tag_user(self, user_name: str, tags: Mapping[str, str]) -> Receipt:
        """TagUser."""

    async def untag_user(self, user_name: str, tag_keys: Sequence[str]) -> Receipt:
        """UntagUser."""

    async def create_group(self, group_name: str, path: str) -> Answer[GroupDetails]:
        """CreateGroup."""

    async def delete_group(self, group_name: str) -> Receipt:
        """DeleteGroup."""

    async def attach_group_policy(self, group_name: str, policy_arn: str) -> Receipt:
        """AttachGroupPolicy."""

    async def detach_group_policy(self, group_name: str, policy_arn: str) -> Receipt:
        """DetachGroupPolicy."""

    async def delete_group_policy(self, group_name: str, policy_name: str) -> Receipt:
        """DeleteGroupPolicy."""

    async def create_policy(
        self, policy_name: str, path: str, description: str, document: str, tags: Mapping[str, str]
    ) -> Answer[PolicyDetails]:
        """CreatePolicy with its tags."""

    async def delete_policy_version(self, policy_arn: str, version_id: str) -> Receipt:
        """DeletePolicyVersion."""

    async def delete_policy(self, policy_arn: str) -> Receipt:
        """DeletePolicy."""


class Accounts(Protocol):
    """The AWS accounts that are configured."""

    def get(self, account_id: str) -> IamAccount:
        """Return an account; "" means the only one.

        Raises IdentityError ACCOUNT_NOT_FOUND if it is not configured, or if "" could mean several.
        """


class Authorizer(Protocol):
    """Decides who may do what; refuses by default. Both questions raise IdentityError CALLER_NOT_ALLOWED."""

    def identify(self, caller_id: str) -> Caller:
        """Return the caller with its team; raise CALLER_NOT_ALLOWED for one that no team knows."""

    def may_ask(self, caller: Caller, action: str, account_id: str, target: Target | None) -> None:
        """Decide before anything is read from IAM. `action` is the RPC's name, such as `ProvisionUser`.

        `target` is what it is about, None for a whole account.
        """

    def may_have(self, caller: Caller, proposal: Proposal) -> None:
        """Decide on the expanded plan, before anything is written; on each thing that it gives, makes or takes."""
