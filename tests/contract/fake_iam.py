"""A small IAM account in memory that fulfils `IamAccount`: for tests of everything above the adapter.

It refuses what IAM refuses: names, quotas, conflicts, password policy. Methods named `add_` and `set_` arrange the
account; they are no calls. `mutations` is the record, `inject` plants failures, `drop_boundary` makes CreateUser
lose the boundary, as some IAM emulators do.
"""

import asyncio
import json
import re
import secrets
import string
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import NoReturn, TypeVar
from uuid import uuid4

from identity_service.application.ports import Answer, MintedAccessKey, Receipt
from identity_service.domain import passwords
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
from identity_service.domain.passwords import DEFAULT_POLICY, PasswordPolicy
from identity_service.domain.secret import Secret

T = TypeVar("T")

ALLOW_NOTHING = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'
DEFAULT_QUOTAS = {
    "UsersQuota": 5000,
    "GroupsQuota": 300,
    "PoliciesQuota": 1500,
    "GroupsPerUserQuota": 10,
    "AttachedPoliciesPerUserQuota": 10,
    "AccessKeysPerUserQuota": 2,
    "UserPolicySizeQuota": 2048,
    "PolicySizeQuota": 6144,
}
_MAXIMUM_TAGS = 50
_USER_NAME = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)
_PATH = re.compile(r"/|/[\x21-\x7e]{1,510}/")
_POLICY_ARN = re.compile(r"arn:aws[\w-]*:iam::(aws|\d{12}):policy/[\w+=,.@/-]+", re.ASCII)
_ID_ALPHABET = string.ascii_uppercase + "234567"
_CODES = {
    IamErrorKind.NOT_FOUND: ("NoSuchEntity", 404),
    IamErrorKind.ALREADY_EXISTS: ("EntityAlreadyExists", 409),
    IamErrorKind.LIMIT_EXCEEDED: ("LimitExceeded", 409),
    IamErrorKind.IN_USE: ("DeleteConflict", 409),
    IamErrorKind.INVALID_INPUT: ("ValidationError", 400),
    IamErrorKind.MALFORMED_DOCUMENT: ("MalformedPolicyDocument", 400),
    IamErrorKind.PASSWORD_REFUSED: ("PasswordPolicyViolation", 400),
    IamErrorKind.NOT_ATTACHABLE: ("PolicyNotAttachable", 400),
}


@dataclass
class _User:
    record: UserRecord
    login_profile: LoginProfileRecord | None = None
    access_keys: list[AccessKeyRecord] = field(default_factory=list)
    group_keys: set[str] = field(default_factory=set)
    attached: set[str] = field(default_factory=set)
    inline: dict[str, str] = field(default_factory=dict)
    mfa_devices: list[MfaDeviceRecord] = field(default_factory=list)
    certificates: list[str] = field(default_factory=list)
    ssh_keys: list[str] = field(default_factory=list)
    service_credentials: list[str] = field(default_factory=list)


@dataclass
class _Group:
    record: GroupRecord
    grants_nothing: bool


@dataclass
class _Policy:
    record: PolicyRecord
    document: str


@dataclass
class _Fault:
    action: str
    error: IamError
    after_effect: bool
    times: int


class FakeIam:
    """The account. `mutations` holds every mutating call as it came, refused ones included: (operation, params)."""

    def __init__(self, account_id: str = "123456789012", partition: str = "aws") -> None:
        self._account_id = account_id
        self._partition = partition
        self._users: dict[str, _User] = {}
        self._groups: dict[str, _Group] = {}
        self._policies: dict[str, _Policy] = {}
        self._virtual_mfa_devices: set[str] = set()
        self._last_used: dict[str, datetime] = {}
        self._alias = ""
        self._password_policy: PasswordPolicy | None = None
        self._faults: list[_Fault] = []
        self.quotas = dict(DEFAULT_QUOTAS)
        self.drop_boundary = False
        self.mutations: list[tuple[str, dict[str, object]]] = []
        self.reads: list[tuple[str, dict[str, object]]] = []
        self.passwords: dict[str, Secret] = {}

    # Arranging and looking.

    @property
    def operations(self) -> list[str]:
        """The mutating calls in order, by operation alone."""
        return [operation for operation, _ in self.mutations]

    def inject(self, action: str, error: IamError, *, after_effect: bool = False, times: int = 1) -> None:
        """Let the next `times` calls of an action, such as `iam:CreateUser`, raise before or after their effect."""
        self._faults.append(_Fault(action, error, after_effect, times))

    def add_user(
        self,
        user_name: str,
        *,
        path: str = "/",
        tags: Mapping[str, str] | None = None,
        boundary_arn: str | None = None,
        password_last_used_at: datetime | None = None,
    ) -> UserRecord:
        """Put a user there."""
        record = UserRecord(
            user_name=user_name,
            user_id=_unique_id("AIDA", 21),
            arn=self._arn("user", path, user_name),
            path=path,
            created_at=_now(),
            boundary_arn=boundary_arn,
            tags=dict(tags or {}),
            password_last_used_at=password_last_used_at,
        )
        self._users[_key(user_name)] = _User(record)
        return record

    def add_group(self, group_name: str, *, path: str = "/", grants_nothing: bool = False) -> GroupRecord:
        """Put a group there."""
        record = GroupRecord(group_name, self._arn("group", path, group_name))
        self._groups[_key(group_name)] = _Group(record, grants_nothing)
        return record

    def add_policy(
        self, policy_name: str, *, path: str = "/", document: str = ALLOW_NOTHING, attachable: bool = True
    ) -> PolicyRecord:
        """Put a managed policy of the account there."""
        return self._add_policy(self._arn("policy", path, policy_name), policy_name, document, attachable)

    def add_aws_policy(
        self, policy_name: str, *, path: str = "/", document: str = ALLOW_NOTHING, attachable: bool = True
    ) -> PolicyRecord:
        """Put a managed policy of AWS there."""
        arn = f"arn:{self._partition}:iam::aws:policy{path}{policy_name}"
        return self._add_policy(arn, policy_name, document, attachable)

    def add_login_profile(self, user_name: str, *, reset_required: bool = False) -> None:
        """Give a user a password."""
        self._users[_key(user_name)].login_profile = LoginProfileRecord(_now(), reset_required)

    def add_access_key(self, user_name: str, *, active: bool = True, last_used_at: datetime | None = None) -> str:
        """Give a user a key; returns its id."""
        key = AccessKeyRecord(_unique_id("AKIA", 20), active, _now())
        self._users[_key(user_name)].access_keys.append(key)
        if last_used_at is not None:
            self._last_used[key.access_key_id] = last_used_at
        return key.access_key_id

    def add_membership(self, user_name: str, group_name: str) -> None:
        """Make a user a member."""
        self._users[_key(user_name)].group_keys.add(_key(group_name))

    def add_attachment(self, user_name: str, policy_arn: str) -> None:
        """Attach a managed policy to a user."""
        self._users[_key(user_name)].attached.add(policy_arn)

    def add_inline_policy(self, user_name: str, policy_name: str, document: str = ALLOW_NOTHING) -> None:
        """Put an inline policy on a user."""
        self._users[_key(user_name)].inline[policy_name] = document

    def add_mfa_device(self, user_name: str, *, virtual: bool = True) -> str:
        """Enable an MFA device for a user; returns its serial number."""
        serial_number = self._arn("mfa", "/", _unique_id("", 8)) if virtual else _unique_id("GAHT", 12)
        if virtual:
            self._virtual_mfa_devices.add(serial_number)
        self._users[_key(user_name)].mfa_devices.append(MfaDeviceRecord(serial_number, _now()))
        return serial_number

    def add_signing_certificate(self, user_name: str) -> str:
        """Give a user a signing certificate; returns its id."""
        return _appended(self._users[_key(user_name)].certificates, _unique_id("", 32))

    def add_ssh_public_key(self, user_name: str) -> str:
        """Give a user an SSH key; returns its id."""
        return _appended(self._users[_key(user_name)].ssh_keys, _unique_id("APKA", 20))

    def add_service_specific_credential(self, user_name: str) -> str:
        """Give a user a service-specific credential; returns its id."""
        return _appended(self._users[_key(user_name)].service_credentials, _unique_id("ACCA", 21))

    def set_alias(self, alias: str) -> None:
        """Give the account an alias."""
        self._alias = alias

    def set_password_policy(self, policy: PasswordPolicy) -> None:
        """Set the account's password policy."""
        self._password_policy = policy

    # Reads of the account.

    @property
    def account_id(self) -> str:
        """The account's id."""
        return self._account_id

    @property
    def partition(self) -> str:
        """The partition."""
        return self._partition

    async def get_account_summary(self) -> AccountSummary:
        """GetAccountSummary."""

        def read() -> AccountSummary:
            own = [arn for arn in self._policies if f"::{self._account_id}:" in arn]
            used = {"Users": len(self._users), "Groups": len(self._groups), "Policies": len(own)}
            return AccountSummary({**self.quotas, **used})

        return await self._read("GetAccountSummary", {}, read)

    async def get_password_policy(self) -> PasswordPolicy:
        """GetAccountPasswordPolicy."""
        return await self._read("GetAccountPasswordPolicy", {}, lambda: self._policy_in_force)

    async def get_alias(self) -> str:
        """ListAccountAliases."""
        return await self._read("ListAccountAliases", {}, lambda: self._alias)

    # Reads of groups and policies.

    async def get_group(self, group_name: str) -> GroupRecord | None:
        """GetGroup."""

        def read() -> GroupRecord | None:
            group = self._groups.get(_key(group_name))
            return group.record if group else None

        return await self._read("GetGroup", {"GroupName": group_name}, read)

    async def group_grants_nothing(self, group_name: str) -> bool:
        """ListAttachedGroupPolicies and ListGroupPolicies."""

        def read() -> bool:
            group = self._groups.get(_key(group_name))
            return _refuse(IamErrorKind.NOT_FOUND) if group is None else group.grants_nothing

        return await self._read("ListGroupPolicies", {"GroupName": group_name}, read)

    async def get_policy(self, policy_arn: str) -> PolicyRecord | None:
        """GetPolicy."""

        def read() -> PolicyRecord | None:
            self._check_arn(policy_arn)
            policy = self._policies.get(policy_arn)
            return policy.record if policy else None

        return await self._read("GetPolicy", {"PolicyArn": policy_arn}, read)

    async def get_policy_document(self, policy: PolicyRecord) -> str:
        """GetPolicyVersion."""

        def read() -> str:
            found = self._policies.get(policy.arn)
            if found is None or found.record.default_version_id != policy.default_version_id:
                _refuse(IamErrorKind.NOT_FOUND)
            return _compact(found.document)

        return await self._read("GetPolicyVersion", {"PolicyArn": policy.arn}, read)

    async def find_customer_policy(self, policy_name: str) -> PolicyRecord | None:
        """ListPolicies, the account's own."""
        return await self._read("ListPolicies", {"Scope": "Local"}, lambda: self._find(self._account_id, policy_name))

    async def find_aws_policy(self, policy_name: str) -> PolicyRecord | None:
        """ListPolicies, AWS's."""
        return await self._read("ListPolicies", {"Scope": "AWS"}, lambda: self._find("aws", policy_name))

    # Reads of a user.

    async def get_user(self, user_name: str) -> UserRecord | None:
        """GetUser."""

        def read() -> UserRecord | None:
            user = self._users.get(_key(user_name))
            return user.record if user else None

        return await self._read("GetUser", {"UserName": user_name}, read)

    async def get_login_profile(self, user_name: str) -> LoginProfileRecord | None:
        """GetLoginProfile."""

        def read() -> LoginProfileRecord | None:
            user = self._users.get(_key(user_name))
            return user.login_profile if user else None

        return await self._read("GetLoginProfile", {"UserName": user_name}, read)

    async def list_access_keys(self, user_name: str) -> tuple[AccessKeyRecord, ...]:
        """ListAccessKeys."""
        return await self._read_user("ListAccessKeys", user_name, lambda user: tuple(user.access_keys))

    async def get_access_key_last_used(self, access_key_id: str) -> datetime | None:
        """GetAccessKeyLastUsed."""
        params: dict[str, object] = {"AccessKeyId": access_key_id}
        return await self._read("GetAccessKeyLastUsed", params, lambda: self._last_used.get(access_key_id))

    async def list_groups(self, user_name: str) -> tuple[GroupRecord, ...]:
        """ListGroupsForUser."""

        def read(user: _User) -> tuple[GroupRecord, ...]:
            return tuple(self._groups[key].record for key in sorted(user.group_keys))

        return await self._read_user("ListGroupsForUser", user_name, read)

    async def list_attached_policies(self, user_name: str) -> tuple[AttachedPolicyRecord, ...]:
        """ListAttachedUserPolicies."""

        def read(user: _User) -> tuple[AttachedPolicyRecord, ...]:
            records = [self._policies[arn].record for arn in user.attached]
            records.sort(key=lambda record: _key(record.policy_name))
            return tuple(AttachedPolicyRecord(record.policy_name, record.arn) for record in records)

        return await self._read_user("ListAttachedUserPolicies", user_name, read)

    async def list_inline_policies(self, user_name: str) -> Mapping[str, str]:
        """ListUserPolicies and GetUserPolicy."""

        def read(user: _User) -> Mapping[str, str]:
            return {name: _compact(user.inline[name]) for name in sorted(user.inline, key=_key)}

        return await self._read_user("ListUserPolicies", user_name, read)

    async def list_mfa_devices(self, user_name: str) -> tuple[MfaDeviceRecord, ...]:
        """ListMFADevices."""
        return await self._read_user("ListMFADevices", user_name, lambda user: tuple(user.mfa_devices))

    async def list_signing_certificates(self, user_name: str) -> tuple[str, ...]:
        """ListSigningCertificates."""
        return await self._read_user("ListSigningCertificates", user_name, lambda user: tuple(user.certificates))

    async def list_ssh_public_keys(self, user_name: str) -> tuple[str, ...]:
        """ListSSHPublicKeys."""
        return await self._read_user("ListSSHPublicKeys", user_name, lambda user: tuple(user.ssh_keys))

    async def list_service_specific_credentials(self, user_name: str) -> tuple[str, ...]:
        """ListServiceSpecificCredentials."""
        operation = "ListServiceSpecificCredentials"
        return await self._read_user(operation, user_name, lambda user: tuple(user.service_credentials))

    # Writes.

    async def create_user(
        self, user_name: str, path: str, boundary_arn: str | None, tags: Mapping[str, str]
    ) -> Answer[UserRecord]:
        """CreateUser."""
        params = {"UserName": user_name, "Path": path, "PermissionsBoundary": boundary_arn, "Tags": dict(tags)}

        def write() -> UserRecord:
            _check(_USER_NAME.fullmatch(user_name) is not None, IamErrorKind.INVALID_INPUT)
            _check(_PATH.fullmatch(path) is not None, IamErrorKind.INVALID_INPUT)
            _check_tags(tags)
            if boundary_arn is not None:
                self._policy(boundary_arn)
            _check(_key(user_name) not in self._users, IamErrorKind.ALREADY_EXISTS)
            _check(len(self._users) < self.quotas["UsersQuota"], IamErrorKind.LIMIT_EXCEEDED)
            kept = None if self.drop_boundary else boundary_arn
            return self.add_user(user_name, path=path, tags=tags, boundary_arn=kept)

        return await self._write("CreateUser", params, write)

    async def delete_user(self, user_name: str) -> Receipt:
        """DeleteUser."""

        def write(user: _User) -> None:
            held = (
                user.login_profile, user.access_keys, user.certificates, user.ssh_keys, user.service_credentials,
                user.mfa_devices, user.inline, user.attached, user.group_keys,
            )  # fmt: skip
            _check(not any(held), IamErrorKind.IN_USE)
            del self._users[_key(user_name)]

        return await self._write_user("DeleteUser", user_name, {}, write)

    async def create_login_profile(self, user_name: str, password: Secret, reset_required: bool) -> Receipt:
        """CreateLoginProfile."""

        def write(user: _User) -> None:
            _check(user.login_profile is None, IamErrorKind.ALREADY_EXISTS)
            broken = passwords.violations(password, self._policy_in_force, user.record.user_name)
            _check(not broken, IamErrorKind.PASSWORD_REFUSED)
            user.login_profile = LoginProfileRecord(_now(), reset_required)
            self.passwords[user.record.user_name] = password

        params = {"Password": password, "PasswordResetRequired": reset_required}
        return await self._write_user("CreateLoginProfile", user_name, params, write)

    async def delete_login_profile(self, user_name: str) -> Receipt:
        """DeleteLoginProfile."""

        def write(user: _User) -> None:
            _check(user.login_profile is not None, IamErrorKind.NOT_FOUND)
            user.login_profile = None

        return await self._write_user("DeleteLoginProfile", user_name, {}, write)

    async def create_access_key(self, user_name: str) -> Answer[MintedAccessKey]:
        """CreateAccessKey."""

        def write() -> MintedAccessKey:
            user = self._user(user_name)
            limit = self.quotas["AccessKeysPerUserQuota"]
            _check(len(user.access_keys) < limit, IamErrorKind.LIMIT_EXCEEDED)
            access_key_id = self.add_access_key(user_name)
            return MintedAccessKey(access_key_id, Secret(secrets.token_urlsafe(30)), _now())

        return await self._write("CreateAccessKey", {"UserName": user_name}, write)

    async def delete_access_key(self, user_name: str, access_key_id: str) -> Receipt:
        """DeleteAccessKey."""

        def write(user: _User) -> None:
            kept = [key for key in user.access_keys if key.access_key_id != access_key_id]
            _check(len(kept) < len(user.access_keys), IamErrorKind.NOT_FOUND)
            user.access_keys = kept

        return await self._write_user("DeleteAccessKey", user_name, {"AccessKeyId": access_key_id}, write)

    async def add_user_to_group(self, user_name: str, group_name: str) -> Receipt:
        """AddUserToGroup; a member stays one."""

        def write(user: _User) -> None:
            _check(_key(group_name) in self._groups, IamErrorKind.NOT_FOUND)
            wanted = user.group_keys | {_key(group_name)}
            _check(len(wanted) <= self.quotas["GroupsPerUserQuota"], IamErrorKind.LIMIT_EXCEEDED)
            user.group_keys = wanted

        return await self._write_user("AddUserToGroup", user_name, {"GroupName": group_name}, write)

    async def remove_user_from_group(self, user_name: str, group_name: str) -> Receipt:
        """RemoveUserFromGroup; one who is no member stays none."""

        def write(user: _User) -> None:
            _check(_key(group_name) in self._groups, IamErrorKind.NOT_FOUND)
            user.group_keys.discard(_key(group_name))

        return await self._write_user("RemoveUserFromGroup", user_name, {"GroupName": group_name}, write)

    async def attach_user_policy(self, user_name: str, policy_arn: str) -> Receipt:
        """AttachUserPolicy; what is attached stays so."""

        def write(user: _User) -> None:
            policy = self._policy(policy_arn)
            _check(policy.record.attachable, IamErrorKind.NOT_ATTACHABLE)
            wanted = user.attached | {policy_arn}
            _check(len(wanted) <= self.quotas["AttachedPoliciesPerUserQuota"], IamErrorKind.LIMIT_EXCEEDED)
            user.attached = wanted

        return await self._write_user("AttachUserPolicy", user_name, {"PolicyArn": policy_arn}, write)

    async def detach_user_policy(self, user_name: str, policy_arn: str) -> Receipt:
        """DetachUserPolicy."""

        def write(user: _User) -> None:
            self._check_arn(policy_arn)
            _check(policy_arn in user.attached, IamErrorKind.NOT_FOUND)
            user.attached.remove(policy_arn)

        return await self._write_user("DetachUserPolicy", user_name, {"PolicyArn": policy_arn}, write)

    async def put_user_policy(self, user_name: str, policy_name: str, document: str) -> Receipt:
        """PutUserPolicy; one of the same name is replaced."""

        def write(user: _User) -> None:
            _check_document(document)
            wanted = {**user.inline, policy_name: document}
            size = sum(len("".join(text.split())) for text in wanted.values())
            _check(size <= self.quotas["UserPolicySizeQuota"], IamErrorKind.LIMIT_EXCEEDED)
            user.inline = wanted

        params = {"PolicyName": policy_name, "PolicyDocument": document}
        return await self._write_user("PutUserPolicy", user_name, params, write)

    async def delete_user_policy(self, user_name: str, policy_name: str) -> Receipt:
        """DeleteUserPolicy."""

        def write(user: _User) -> None:
            _check(policy_name in user.inline, IamErrorKind.NOT_FOUND)
            del user.inline[policy_name]

        return await self._write_user("DeleteUserPolicy", user_name, {"PolicyName": policy_name}, write)

    async def put_user_permissions_boundary(self, user_name: str, boundary_arn: str) -> Receipt:
        """PutUserPermissionsBoundary."""

        def write(user: _User) -> None:
            self._policy(boundary_arn)
            user.record = replace(user.record, boundary_arn=boundary_arn)

        params = {"PermissionsBoundary": boundary_arn}
        return await self._write_user("PutUserPermissionsBoundary", user_name, params, write)

    async def delete_user_permissions_boundary(self, user_name: str) -> Receipt:
        """DeleteUserPermissionsBoundary."""

        def write(user: _User) -> None:
            _check(user.record.boundary_arn is not None, IamErrorKind.NOT_FOUND)
            user.record = replace(user.record, boundary_arn=None)

        return await self._write_user("DeleteUserPermissionsBoundary", user_name, {}, write)

    async def delete_signing_certificate(self, user_name: str, certificate_id: str) -> Receipt:
        """DeleteSigningCertificate."""
        params = {"CertificateId": certificate_id}
        return await self._write_user(
            "DeleteSigningCertificate", user_name, params, lambda user: _remove(user.certificates, certificate_id)
        )

    async def delete_ssh_public_key(self, user_name: str, ssh_public_key_id: str) -> Receipt:
        """DeleteSSHPublicKey."""
        params = {"SSHPublicKeyId": ssh_public_key_id}
        return await self._write_user(
            "DeleteSSHPublicKey", user_name, params, lambda user: _remove(user.ssh_keys, ssh_public_key_id)
        )

    async def delete_service_specific_credential(self, user_name: str, credential_id: str) -> Receipt:
        """DeleteServiceSpecificCredential."""
        params = {"ServiceSpecificCredentialId": credential_id}
        return await self._write_user(
            "DeleteServiceSpecificCredential",
            user_name,
            params,
            lambda user: _remove(user.service_credentials, credential_id),
        )

    async def deactivate_mfa_device(self, user_name: str, serial_number: str) -> Receipt:
        """DeactivateMFADevice."""

        def write(user: _User) -> None:
            kept = [device for device in user.mfa_devices if device.serial_number != serial_number]
            _check(len(kept) < len(user.mfa_devices), IamErrorKind.NOT_FOUND)
            user.mfa_devices = kept

        return await self._write_user("DeactivateMFADevice", user_name, {"SerialNumber": serial_number}, write)

    async def delete_virtual_mfa_device(self, serial_number: str) -> Receipt:
        """DeleteVirtualMFADevice."""

        def write() -> None:
            _check(serial_number in self._virtual_mfa_devices, IamErrorKind.NOT_FOUND)
            enabled = {device.serial_number for user in self._users.values() for device in user.mfa_devices}
            _check(serial_number not in enabled, IamErrorKind.IN_USE)
            self._virtual_mfa_devices.remove(serial_number)

        return (await self._write("DeleteVirtualMFADevice", {"SerialNumber": serial_number}, write)).receipt

    # What every call has in common.

    async def _read(self, operation: str, params: Mapping[str, object], read: Callable[[], T]) -> T:
        self.reads.append((operation, dict(params)))
        return await self._carry_out(operation, read)

    async def _read_user(self, operation: str, user_name: str, read: Callable[[_User], T]) -> T:
        return await self._read(operation, {"UserName": user_name}, lambda: read(self._user(user_name)))

    async def _write(self, operation: str, params: Mapping[str, object], write: Callable[[], T]) -> Answer[T]:
        self.mutations.append((operation, dict(params)))
        value = await self._carry_out(operation, write)
        return Answer(value, Receipt(str(uuid4()), datetime.now(UTC)))

    async def _write_user(
        self, operation: str, user_name: str, params: Mapping[str, object], write: Callable[[_User], None]
    ) -> Receipt:
        whole = {"UserName": user_name, **params}
        return (await self._write(operation, whole, lambda: write(self._user(user_name)))).receipt

    async def _carry_out(self, operation: str, effect: Callable[[], T]) -> T:
        # Let others in, as a call over the network does.
        await asyncio.sleep(0)
        action = f"iam:{operation}"
        fault = self._strike(action)
        if fault is not None and not fault.after_effect:
            raise replace(fault.error, action=action)
        try:
            value = effect()
        except _RefusedError as refused:
            code, http_status = _CODES[refused.kind]
            raise IamError(refused.kind, action, code, http_status, request_id=str(uuid4())) from None
        if fault is not None:
            raise replace(fault.error, action=action)
        return value

    def _strike(self, action: str) -> _Fault | None:
        fault = next((fault for fault in self._faults if fault.action == action and fault.times > 0), None)
        if fault is not None:
            fault.times -= 1
        return fault

    @property
    def _policy_in_force(self) -> PasswordPolicy:
        return self._password_policy or DEFAULT_POLICY

    def _user(self, user_name: str) -> _User:
        user = self._users.get(_key(user_name))
        return _refuse(IamErrorKind.NOT_FOUND) if user is None else user

    def _policy(self, policy_arn: str) -> _Policy:
        self._check_arn(policy_arn)
        policy = self._policies.get(policy_arn)
        return _refuse(IamErrorKind.NOT_FOUND) if policy is None else policy

    def _find(self, owner: str, policy_name: str) -> PolicyRecord | None:
        for arn, policy in self._policies.items():
            if f"::{owner}:" in arn and _key(policy.record.policy_name) == _key(policy_name):
                return policy.record
        return None

    def _add_policy(self, arn: str, policy_name: str, document: str, attachable: bool) -> PolicyRecord:
        record = PolicyRecord(policy_name, arn, attachable, "v1")
        self._policies[arn] = _Policy(record, document)
        return record

    def _arn(self, kind: str, path: str, name: str) -> str:
        return f"arn:{self._partition}:iam::{self._account_id}:{kind}{path}{name}"

    @staticmethod
    def _check_arn(policy_arn: str) -> None:
        _check(_POLICY_ARN.fullmatch(policy_arn) is not None, IamErrorKind.INVALID_INPUT)


class _RefusedError(Exception):
    """IAM refuses; the call's name is known further up."""

    def __init__(self, kind: IamErrorKind) -> None:
        super().__init__(kind)
        self.kind = kind


def _refuse(kind: IamErrorKind) -> NoReturn:
    raise _RefusedError(kind)


def _check(is_so: bool, otherwise: IamErrorKind) -> None:
    if not is_so:
        _refuse(otherwise)


def _check_tags(tags: Mapping[str, str]) -> None:
    _check(len(tags) <= _MAXIMUM_TAGS, IamErrorKind.INVALID_INPUT)
    _check(all(times == 1 for times in Counter(map(_key, tags)).values()), IamErrorKind.INVALID_INPUT)
    for key, value in tags.items():
        _check(1 <= len(key) <= 128 and len(value) <= 256, IamErrorKind.INVALID_INPUT)
        _check(not _key(key).startswith("aws:"), IamErrorKind.INVALID_INPUT)


def _check_document(document: str) -> None:
    try:
        decoded = json.loads(document)
    except ValueError:
        decoded = None
    _check(isinstance(decoded, dict) and "Statement" in decoded, IamErrorKind.MALFORMED_DOCUMENT)


def _compact(document: str) -> str:
    return json.dumps(json.loads(document), separators=(",", ":"), ensure_ascii=False)


def _appended(ids: list[str], new_id: str) -> str:
    ids.append(new_id)
    return new_id


def _remove(ids: list[str], unwanted: str) -> None:
    _check(unwanted in ids, IamErrorKind.NOT_FOUND)
    ids.remove(unwanted)


def _key(name: str) -> str:
    return name.casefold()


def _unique_id(prefix: str, length: int) -> str:
    return prefix + "".join(secrets.choice(_ID_ALPHABET) for _ in range(length - len(prefix)))


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
