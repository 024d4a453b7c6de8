"""What IAM has: users and what belongs to them, as this service reads them. No secrets."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class UserRecord:
    """A user. `boundary_arn` is None without a boundary; times are aware, in UTC."""

    user_name: str
    user_id: str
    arn: str
    path: str
    created_at: datetime
    boundary_arn: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    password_last_used_at: datetime | None = None


@dataclass(frozen=True)
class AccessKeyRecord:
    """An access key without its secret. `last_used_at` is None if never used, not known or not asked for."""

    access_key_id: str
    active: bool
    created_at: datetime
    last_used_at: datetime | None = None


@dataclass(frozen=True)
class LoginProfileRecord:
    """A user's console password, without it."""

    created_at: datetime
    reset_required: bool


@dataclass(frozen=True)
class MfaDeviceRecord:
    """An MFA device enabled for a user; a virtual one's serial number is an ARN."""

    serial_number: str
    enabled_at: datetime

    @property
    def is_virtual(self) -> bool:
        """Whether the device has to be deleted after it was deactivated."""
        return ":mfa/" in self.serial_number


@dataclass(frozen=True)
class AttachedPolicyRecord:
    """A managed policy that is attached to something."""

    policy_name: str
    policy_arn: str


@dataclass(frozen=True)
class GroupRecord:
    """A group."""

    group_name: str
    arn: str


@dataclass(frozen=True)
class GroupPolicies:
    """What a group grants: its managed policies, and its inline policies as documents by name."""

    attached_policies: tuple[AttachedPolicyRecord, ...] = ()
    inline_policies: Mapping[str, str] = field(default_factory=dict)

    @property
    def grants_nothing(self) -> bool:
        """Whether the group has no policy at all."""
        return not self.attached_policies and not self.inline_policies


@dataclass(frozen=True)
class PolicyRecord:
    """A managed policy; one that is not attachable cannot be given to anybody."""

    policy_name: str
    arn: str
    attachable: bool
    default_version_id: str


@dataclass(frozen=True)
class GroupDetails:
    """A group with its policies and members; `inline_policy_names` without documents."""

    group_name: str
    group_id: str
    arn: str
    path: str
    created_at: datetime
    attached_policies: tuple[AttachedPolicyRecord, ...] = ()
    inline_policy_names: tuple[str, ...] = ()
    member_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class PolicyDetails:
    """A managed policy as IAM describes it; `tags` only where it was read by its ARN or just made."""

    policy_name: str
    policy_id: str
    arn: str
    path: str
    default_version_id: str
    attachment_count: int
    boundary_usage_count: int
    created_at: datetime
    updated_at: datetime
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PolicyUsage:
    """Who has a managed policy attached, and whom it bounds, by name."""

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    bounded_users: tuple[str, ...] = ()
    bounded_roles: tuple[str, ...] = ()

    @property
    def in_words(self) -> tuple[str, ...]:
        """Each use, such as `attached to user ana`."""
        kinds = (
            ("attached to user", self.users),
            ("attached to group", self.groups),
            ("attached to role", self.roles),
            ("boundary of user", self.bounded_users),
            ("boundary of role", self.bounded_roles),
        )
        return tuple(f"{kind} {name}" for kind, names in kinds for name in names)


@dataclass(frozen=True)
class VirtualMfaDeviceRecord:
    """A virtual MFA device; `user_name` is None while it waits to be enabled. No listing has its tags."""

    serial_number: str
    user_name: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_pending(self) -> bool:
        """Whether the device waits to be enabled."""
        return self.user_name is None


@dataclass(frozen=True)
class MfaDeviceDetails:
    """A virtual MFA device with its tags, and whether nobody will enable it any more."""

    device: VirtualMfaDeviceRecord
    abandoned: bool = False


@dataclass(frozen=True)
class Page(Generic[T]):
    """A page of a listing; `next_token` is None on the last one."""

    items: tuple[T, ...]
    next_token: str | None = None


@dataclass(frozen=True)
class UserSnapshot:
    """Everything on a user at one time: the pre-image of a change, and what a deletion has to take off.

    `inline_policies` maps name to document. The identifiers of certificates, SSH keys and service-specific
    credentials are read only for a deletion, pending devices for a deletion and to be shown; `pending_mfa_truncated`
    tells that the account has more of those than were looked at.
    """

    user: UserRecord
    login_profile: LoginProfileRecord | None = None
    access_keys: tuple[AccessKeyRecord, ...] = ()
    groups: tuple[GroupRecord, ...] = ()
    attached_policies: tuple[AttachedPolicyRecord, ...] = ()
    inline_policies: Mapping[str, str] = field(default_factory=dict)
    mfa_devices: tuple[MfaDeviceRecord, ...] = ()
    signing_certificate_ids: tuple[str, ...] = ()
    ssh_public_key_ids: tuple[str, ...] = ()
    service_specific_credential_ids: tuple[str, ...] = ()
    pending_mfa_devices: tuple[VirtualMfaDeviceRecord, ...] = ()
    pending_mfa_truncated: bool = False


@dataclass(frozen=True)
class AccountSummary:
    """IAM's SummaryMap: quotas and their use, by IAM's names."""

    entries: Mapping[str, int]

    def limit(self, quota_name: str, default: int) -> int:
        """Return a quota's limit, or the one that AWS documents where the summary does not have it."""
        return self.entries.get(quota_name, default)

    def used(self, name: str) -> int:
        """Return how much of an account-wide quota is used."""
        return self.entries.get(name, 0)
