"""What every part of the fake account stands on: what it holds, how it is arranged, what all calls share."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar
from uuid import uuid4

from identity_service.application.ports import Answer, Receipt
from identity_service.domain.entities import (
    AccessKeyRecord,
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
from tests.contract.fake_rules import (
    CODES,
    DEFAULT_QUOTAS,
    POLICY_ARN,
    RefusedError,
    appended,
    check,
    fold,
    now,
    refuse,
    unique_id,
)
from tests.contract.fake_state import ALLOW_NOTHING, Fault, GroupState, PolicyState, RoleState, UserState

T = TypeVar("T")


class FakeAccount:
    """The account without its calls.

    `mutations` holds every mutating call as it came, refused ones included: (operation, params).
    """

    def __init__(self, account_id: str = "123456789012", partition: str = "aws") -> None:
        self._account_id = account_id
        self._partition = partition
        self._users: dict[str, UserState] = {}
        self._groups: dict[str, GroupState] = {}
        self._policies: dict[str, PolicyState] = {}
        self._roles: dict[str, RoleState] = {}
        self._virtual_mfa_devices: dict[str, dict[str, str]] = {}
        self._last_used: dict[str, datetime] = {}
        self._alias = ""
        self._password_policy: PasswordPolicy | None = None
        self._faults: list[Fault] = []
        self.quotas = dict(DEFAULT_QUOTAS)
        self.drop_boundary = False
        self.wrong_codes = ("000000", "111111")
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
        self._faults.append(Fault(action, error, after_effect, times))

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
            user_id=unique_id("AIDA", 21),
            arn=self._arn("user", path, user_name),
            path=path,
            created_at=now(),
            boundary_arn=boundary_arn,
            tags=dict(tags or {}),
            password_last_used_at=password_last_used_at,
        )
        self._users[fold(user_name)] = UserState(record)
        return record

    def add_group(self, group_name: str, *, path: str = "/", grants_nothing: bool = False) -> GroupRecord:
        """Put a group there, with an inline policy `some` unless it grants nothing."""
        record = GroupRecord(group_name, self._arn("group", path, group_name))
        inline = {} if grants_nothing else {"some": ALLOW_NOTHING}
        self._groups[fold(group_name)] = GroupState(record, path, inline=inline)
        return record

    def add_policy(
        self,
        policy_name: str,
        *,
        path: str = "/",
        document: str = ALLOW_NOTHING,
        attachable: bool = True,
        description: str = "",
        tags: Mapping[str, str] | None = None,
    ) -> PolicyRecord:
        """Put a managed policy of the account there."""
        record = PolicyRecord(policy_name, self._arn("policy", path, policy_name), attachable, "v1")
        self._policies[record.arn] = PolicyState(record, path, document, description, dict(tags or {}))
        return record

    def add_aws_policy(
        self, policy_name: str, *, path: str = "/", document: str = ALLOW_NOTHING, attachable: bool = True
    ) -> PolicyRecord:
        """Put a managed policy of AWS there."""
        arn = f"arn:{self._partition}:iam::aws:policy{path}{policy_name}"
        record = PolicyRecord(policy_name, arn, attachable, "v1")
        self._policies[arn] = PolicyState(record, path, document, description="", tags={})
        return record

    def add_policy_version(self, policy_arn: str) -> str:
        """Add a version to a policy, not as its default one; returns its id."""
        versions = self._policies[policy_arn].old_versions
        return appended(versions, f"v{len(versions) + 2}")

    def add_role(self, role_name: str, *, attached: tuple[str, ...] = (), boundary_arn: str | None = None) -> None:
        """Put a role there, with managed policies and a boundary."""
        self._roles[fold(role_name)] = RoleState(role_name, set(attached), boundary_arn)

    def add_group_attachment(self, group_name: str, policy_arn: str) -> None:
        """Attach a managed policy to a group."""
        self._groups[fold(group_name)].attached.add(policy_arn)

    def add_group_policy(self, group_name: str, policy_name: str, document: str) -> None:
        """Put an inline policy on a group."""
        self._groups[fold(group_name)].inline[policy_name] = document

    def add_login_profile(self, user_name: str, *, reset_required: bool = False) -> None:
        """Give a user a password."""
        self._users[fold(user_name)].login_profile = LoginProfileRecord(now(), reset_required)

    def add_access_key(self, user_name: str, *, active: bool = True, last_used_at: datetime | None = None) -> str:
        """Give a user a key; returns its id."""
        key = AccessKeyRecord(unique_id("AKIA", 20), active, now())
        self._users[fold(user_name)].access_keys.append(key)
        if last_used_at is not None:
            self._last_used[key.access_key_id] = last_used_at
        return key.access_key_id

    def add_membership(self, user_name: str, group_name: str) -> None:
        """Make a user a member."""
        self._users[fold(user_name)].group_keys.add(fold(group_name))

    def add_attachment(self, user_name: str, policy_arn: str) -> None:
        """Attach a managed policy to a user."""
        self._users[fold(user_name)].attached.add(policy_arn)

    def add_inline_policy(self, user_name: str, policy_name: str, document: str = ALLOW_NOTHING) -> None:
        """Put an inline policy on a user."""
        self._users[fold(user_name)].inline[policy_name] = document

    def add_mfa_device(self, user_name: str, *, virtual: bool = True) -> str:
        """Enable an MFA device for a user; returns its serial number."""
        serial_number = self._arn("mfa", "/", unique_id("", 8)) if virtual else unique_id("GAHT", 12)
        if virtual:
            self._virtual_mfa_devices[serial_number] = {}
        self._users[fold(user_name)].mfa_devices.append(MfaDeviceRecord(serial_number, now()))
        return serial_number

    def add_virtual_mfa_device(self, device_name: str, *, tags: Mapping[str, str] | None = None) -> str:
        """Put a virtual MFA device there that nobody has enabled; returns its serial number."""
        serial_number = self._arn("mfa", "/", device_name)
        self._virtual_mfa_devices[serial_number] = dict(tags or {})
        return serial_number

    def add_signing_certificate(self, user_name: str) -> str:
        """Give a user a signing certificate; returns its id."""
        return appended(self._users[fold(user_name)].certificates, unique_id("", 32))

    def add_ssh_public_key(self, user_name: str) -> str:
        """Give a user an SSH key; returns its id."""
        return appended(self._users[fold(user_name)].ssh_keys, unique_id("APKA", 20))

    def add_service_specific_credential(self, user_name: str) -> str:
        """Give a user a service-specific credential; returns its id."""
        return appended(self._users[fold(user_name)].service_credentials, unique_id("ACCA", 21))

    def set_alias(self, alias: str) -> None:
        """Give the account an alias."""
        self._alias = alias

    def set_password_policy(self, policy: PasswordPolicy) -> None:
        """Set the account's password policy."""
        self._password_policy = policy

    # What every call has in common.

    async def _read(self, operation: str, params: Mapping[str, object], read: Callable[[], T]) -> T:
        self.reads.append((operation, dict(params)))
        return await self._carry_out(operation, read)

    async def _read_user(self, operation: str, user_name: str, read: Callable[[UserState], T]) -> T:
        return await self._read(operation, {"UserName": user_name}, lambda: read(self._user(user_name)))

    async def _write(self, operation: str, params: Mapping[str, object], write: Callable[[], T]) -> Answer[T]:
        self.mutations.append((operation, dict(params)))
        value = await self._carry_out(operation, write)
        return Answer(value, Receipt(str(uuid4()), datetime.now(UTC)))

    async def _write_user(
        self, operation: str, user_name: str, params: Mapping[str, object], write: Callable[[UserState], None]
    ) -> Receipt:
        whole = {"UserName": user_name, **params}
        return (await self._write(operation, whole, lambda: write(self._user(user_name)))).receipt

    async def _write_group(
        self, operation: str, group_name: str, params: Mapping[str, object], write: Callable[[GroupState], None]
    ) -> Receipt:
        whole = {"GroupName": group_name, **params}
        return (await self._write(operation, whole, lambda: write(self._group(group_name)))).receipt

    async def _carry_out(self, operation: str, effect: Callable[[], T]) -> T:
        # Let others in, as a call over the network does.
        await asyncio.sleep(0)
        action = f"iam:{operation}"
        fault = self._strike(action)
        if fault is not None and not fault.after_effect:
            raise replace(fault.error, action=action)
        try:
            value = effect()
        except RefusedError as refused:
            code, http_status = CODES[refused.kind]
            raise IamError(refused.kind, action, code, http_status, request_id=str(uuid4())) from None
        if fault is not None:
            raise replace(fault.error, action=action)
        return value

    def _strike(self, action: str) -> Fault | None:
        fault = next((fault for fault in self._faults if fault.action == action and fault.times > 0), None)
        if fault is not None:
            fault.times -= 1
        return fault

    @property
    def _policy_in_force(self) -> PasswordPolicy:
        return self._password_policy or DEFAULT_POLICY

    def _user(self, user_name: str) -> UserState:
        user = self._users.get(fold(user_name))
        return refuse(IamErrorKind.NOT_FOUND) if user is None else user

    def _group(self, group_name: str) -> GroupState:
        group = self._groups.get(fold(group_name))
        return refuse(IamErrorKind.NOT_FOUND) if group is None else group

    def _policy(self, policy_arn: str) -> PolicyState:
        self._check_arn(policy_arn)
        policy = self._policies.get(policy_arn)
        return refuse(IamErrorKind.NOT_FOUND) if policy is None else policy

    def _attachable_policy(self, policy_arn: str) -> None:
        check(self._policy(policy_arn).record.attachable, IamErrorKind.NOT_ATTACHABLE)

    def _attached_records(self, arns: Iterable[str]) -> tuple[AttachedPolicyRecord, ...]:
        records = sorted((self._policies[arn].record for arn in arns), key=lambda record: fold(record.policy_name))
        return tuple(AttachedPolicyRecord(record.policy_name, record.arn) for record in records)

    def _arn(self, kind: str, path: str, name: str) -> str:
        return f"arn:{self._partition}:iam::{self._account_id}:{kind}{path}{name}"

    @staticmethod
    def _check_arn(policy_arn: str) -> None:
        check(POLICY_ARN.fullmatch(policy_arn) is not None, IamErrorKind.INVALID_INPUT)
