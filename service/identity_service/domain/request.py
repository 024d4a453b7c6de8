"""What a caller asks for, in the service's own terms."""

import enum
from dataclasses import dataclass, field
from typing import ClassVar

from identity_service.domain import target
from identity_service.domain.secret import Secret
from identity_service.domain.tags import Tag
from identity_service.domain.target import Target, TargetKind


@dataclass(frozen=True)
class NewUser:
    """A user to be made."""

    path: str = "/"
    tags: tuple[Tag, ...] = ()


@dataclass(frozen=True)
class ConsolePassword:
    """A console password to be made: the caller's own, or a generated one if `custom` is None."""

    custom: Secret | None = None
    require_reset: bool = False


@dataclass(frozen=True)
class VirtualMfaDevice:
    """A virtual MFA device to be made, pending; named like the user if `device_name` is empty."""

    device_name: str = ""


@dataclass(frozen=True)
class Credentials:
    """The credentials to be made."""

    access_key: bool = False
    console_password: ConsolePassword | None = None
    mfa_device: VirtualMfaDevice | None = None


@dataclass(frozen=True)
class InlinePolicy:
    """An inline policy to be put on the user."""

    policy_name: str
    document: str


@dataclass(frozen=True)
class NewGroup:
    """A group to be made, with policies by ARN or name."""

    group_name: str
    path: str = "/"
    managed_policies: tuple[str, ...] = ()


@dataclass(frozen=True)
class NewPolicy:
    """A managed policy to be made."""

    policy_name: str
    document: str
    path: str = "/"
    description: str = ""


class SelfManagement(enum.Enum):
    """How far a user may manage the own credentials."""

    NONE = enum.auto()
    PASSWORD = enum.auto()
    CREDENTIALS = enum.auto()
    CREDENTIALS_WITH_MFA = enum.auto()


@dataclass(frozen=True)
class Permissions:
    """The permissions to be given: groups by name, managed policies and the boundary by ARN or name."""

    group_names: tuple[str, ...] = ()
    managed_policies: tuple[str, ...] = ()
    inline_policies: tuple[InlinePolicy, ...] = ()
    boundary: str | None = None
    new_groups: tuple[NewGroup, ...] = ()
    new_policies: tuple[NewPolicy, ...] = ()
    new_boundary: NewPolicy | None = None
    copy_from: str | None = None
    self_management: SelfManagement = SelfManagement.NONE


@dataclass(frozen=True)
class RequestFields:
    """Where the parts stand in the caller's message, so that a problem can name its field.

    `credentials` is empty where the credential stands in the message itself.
    """

    user_name: str = "user_name"
    tags: str = "tags"
    boundary: str = "permissions_boundary"
    permissions: str = "permissions"
    credentials: str = "credentials"

    def credential(self, name: str) -> str:
        """Return the field of one of the credentials."""
        return f"{self.credentials}.{name}" if self.credentials else name


@dataclass(frozen=True)
class UserChange:
    """A change of one user: the one request behind ProvisionUser, CreateUser, CreateCredentials, AssignPermissions.

    `new_user` is None where the user has to be there already.
    """

    user_name: str
    new_user: NewUser | None = None
    credentials: Credentials = field(default_factory=Credentials)
    permissions: Permissions = field(default_factory=Permissions)
    fields: RequestFields = field(default_factory=RequestFields)
    forward_only: ClassVar[bool] = False

    @property
    def target(self) -> Target:
        """The user."""
        return target.user(self.user_name)


@dataclass(frozen=True)
class _OfUser:
    """A mutation of a user that has to be there."""

    user_name: str
    forward_only: ClassVar[bool] = True

    @property
    def target(self) -> Target:
        """The user."""
        return target.user(self.user_name)


@dataclass(frozen=True)
class UserDeletion(_OfUser):
    """A deletion of one user with everything on it."""


@dataclass(frozen=True)
class UserAdoption(_OfUser):
    """The taking of a user that nobody owns into the ownership of the caller's team."""


@dataclass(frozen=True)
class UserUpdate(_OfUser):
    """A change of a user's name, path or tags; None and empty leave things as they are."""

    new_user_name: str | None = None
    new_path: str | None = None
    set_tags: tuple[Tag, ...] = ()
    remove_tag_keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class PermissionRevocation(_OfUser):
    """What is taken from a user: groups by name, managed policies by ARN or name, inline policies by name."""

    group_names: tuple[str, ...] = ()
    managed_policies: tuple[str, ...] = ()
    inline_policy_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class ConsoleDisabling(_OfUser):
    """The end of a user's console password."""


@dataclass(frozen=True)
class MfaDeviceEnabling(_OfUser):
    """The enabling of a pending MFA device with two codes that follow one another."""

    serial_number: str
    first_code: Secret
    second_code: Secret


@dataclass(frozen=True)
class MfaDeviceDeletion(_OfUser):
    """The deletion of a user's MFA device."""

    serial_number: str


@dataclass(frozen=True)
class GroupCreation:
    """A group to be made on its own."""

    group: NewGroup
    forward_only: ClassVar[bool] = False

    @property
    def target(self) -> Target:
        """The group."""
        return Target(TargetKind.GROUP, self.group.group_name)


@dataclass(frozen=True)
class GroupDeletion:
    """A deletion of one group with its policies."""

    group_name: str
    forward_only: ClassVar[bool] = True

    @property
    def target(self) -> Target:
        """The group."""
        return Target(TargetKind.GROUP, self.group_name)


@dataclass(frozen=True)
class PolicyCreation:
    """A managed policy to be made on its own."""

    policy: NewPolicy
    forward_only: ClassVar[bool] = False

    @property
    def target(self) -> Target:
        """The policy, by name: it has no ARN yet."""
        return Target(TargetKind.POLICY, self.policy.policy_name)


@dataclass(frozen=True)
class PolicyDeletion:
    """A deletion of one managed policy with its versions."""

    policy_arn: str
    forward_only: ClassVar[bool] = True

    @property
    def target(self) -> Target:
        """The policy, by ARN."""
        return Target(TargetKind.POLICY, self.policy_arn)


Body = (
    UserChange
    | UserDeletion
    | UserAdoption
    | UserUpdate
    | PermissionRevocation
    | ConsoleDisabling
    | MfaDeviceEnabling
    | MfaDeviceDeletion
    | GroupCreation
    | GroupDeletion
    | PolicyCreation
    | PolicyDeletion
)
"""What a mutation asks for. One that goes forward only is never undone: what it has not reached is said."""


@dataclass(frozen=True)
class Mutation:
    """What every mutation brings: the RPC's name, the account ("" for the only one), and how to run it.

    `request_id` is a UUID in canonical form; an empty `expected_plan_digest` expects nothing. The secrets that are made
    are sealed to `recipients`, if there are any. `reissue_secrets` says that an earlier answer with secrets was lost.
    """

    action: str
    account_id: str
    request_id: str
    validate_only: bool
    expected_plan_digest: str
    body: Body
    recipients: tuple[str, ...] = ()
    reissue_secrets: bool = False
