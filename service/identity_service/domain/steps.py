"""The steps of a plan: each is one IAM call, as data.

A step says what is called and with what, never a secret: passwords and new key ids are not known to it. Steps of
one round run side by side; rounds run one after the other.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar


@dataclass(frozen=True, kw_only=True)
class Step(ABC):
    """One IAM call on a user. `round` counts from 1."""

    iam_action: ClassVar[str]
    user_name: str
    user_arn: str
    round: int

    @property
    def resource(self) -> str:
        """The ARN that IAM authorizes the action on."""
        return self.user_arn

    @property
    @abstractmethod
    def description(self) -> str:
        """The step in words."""


@dataclass(frozen=True, kw_only=True)
class CreateUser(Step):
    """Make the user with path, boundary and tags in one atomic call."""

    iam_action: ClassVar[str] = "iam:CreateUser"
    path: str
    boundary_arn: str | None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def description(self) -> str:
        """The step in words."""
        bounded = f" within {self.boundary_arn}" if self.boundary_arn else ""
        return f"create user {self.user_name} in {self.path}{bounded} with {len(self.tags)} tags"


@dataclass(frozen=True, kw_only=True)
class PutUserPermissionsBoundary(Step):
    """Set or replace the permissions boundary."""

    iam_action: ClassVar[str] = "iam:PutUserPermissionsBoundary"
    boundary_arn: str

    @property
    def description(self) -> str:
        """The step in words."""
        return f"bound the permissions of {self.user_name} by {self.boundary_arn}"


@dataclass(frozen=True, kw_only=True)
class DeleteUserPermissionsBoundary(Step):
    """Take the permissions boundary off; only ever to undo."""

    iam_action: ClassVar[str] = "iam:DeleteUserPermissionsBoundary"

    @property
    def description(self) -> str:
        """The step in words."""
        return f"take the permissions boundary off {self.user_name}"


@dataclass(frozen=True, kw_only=True)
class AddUserToGroup(Step):
    """Add the user to a group; IAM authorizes this on the group."""

    iam_action: ClassVar[str] = "iam:AddUserToGroup"
    group_name: str
    group_arn: str

    @property
    def resource(self) -> str:
        """The ARN that IAM authorizes the action on."""
        return self.group_arn

    @property
    def description(self) -> str:
        """The step in words."""
        return f"add {self.user_name} to group {self.group_name}"


@dataclass(frozen=True, kw_only=True)
class RemoveUserFromGroup(Step):
    """Take the user out of a group; IAM authorizes this on the group."""

    iam_action: ClassVar[str] = "iam:RemoveUserFromGroup"
    group_name: str
    group_arn: str

    @property
    def resource(self) -> str:
        """The ARN that IAM authorizes the action on."""
        return self.group_arn

    @property
    def description(self) -> str:
        """The step in words."""
        return f"take {self.user_name} out of group {self.group_name}"


@dataclass(frozen=True, kw_only=True)
class AttachUserPolicy(Step):
    """Attach a managed policy."""

    iam_action: ClassVar[str] = "iam:AttachUserPolicy"
    policy_arn: str

    @property
    def description(self) -> str:
        """The step in words."""
        return f"attach {self.policy_arn} to {self.user_name}"


@dataclass(frozen=True, kw_only=True)
class DetachUserPolicy(Step):
    """Detach a managed policy."""

    iam_action: ClassVar[str] = "iam:DetachUserPolicy"
    policy_arn: str

    @property
    def description(self) -> str:
        """The step in words."""
        return f"detach {self.policy_arn} from {self.user_name}"


@dataclass(frozen=True, kw_only=True)
class PutUserPolicy(Step):
    """Put an inline policy on the user, or replace the one of that name."""

    iam_action: ClassVar[str] = "iam:PutUserPolicy"
    policy_name: str
    document: str

    @property
    def description(self) -> str:
        """The step in words."""
        return f"put inline policy {self.policy_name} on {self.user_name}"


@dataclass(frozen=True, kw_only=True)
class DeleteUserPolicy(Step):
    """Delete an inline policy."""

    iam_action: ClassVar[str] = "iam:DeleteUserPolicy"
    policy_name: str

    @property
    def description(self) -> str:
        """The step in words."""
        return f"delete inline policy {self.policy_name} of {self.user_name}"


@dataclass(frozen=True, kw_only=True)
class CreateLoginProfile(Step):
    """Give the user a console password."""

    iam_action: ClassVar[str] = "iam:CreateLoginProfile"
    reset_required: bool
    generated: bool

    @property
    def description(self) -> str:
        """The step in words."""
        password = "generated" if self.generated else "custom"
        reset = ", to be reset at first sign-in" if self.reset_required else ""
        return f"give {self.user_name} a {password} console password{reset}"


@dataclass(frozen=True, kw_only=True)
class DeleteLoginProfile(Step):
    """Delete the console password."""

    iam_action: ClassVar[str] = "iam:DeleteLoginProfile"

    @property
    def description(self) -> str:
        """The step in words."""
        return f"delete the console password of {self.user_name}"


@dataclass(frozen=True, kw_only=True)
class CreateAccessKey(Step):
    """Make an access key."""

    iam_action: ClassVar[str] = "iam:CreateAccessKey"

    @property
    def description(self) -> str:
        """The step in words."""
        return f"make an access key for {self.user_name}"


@dataclass(frozen=True, kw_only=True)
class DeleteAccessKey(Step):
    """Delete an access key."""

    iam_action: ClassVar[str] = "iam:DeleteAccessKey"
    access_key_id: str

    @property
    def description(self) -> str:
        """The step in words."""
        return f"delete access key {self.access_key_id} of {self.user_name}"


@dataclass(frozen=True, kw_only=True)
class DeleteSigningCertificate(Step):
    """Delete a signing certificate."""

    iam_action: ClassVar[str] = "iam:DeleteSigningCertificate"
    certificate_id: str

    @property
    def description(self) -> str:
        """The step in words."""
        return f"delete signing certificate {self.certificate_id} of {self.user_name}"


@dataclass(frozen=True, kw_only=True)
class DeleteSshPublicKey(Step):
    """Delete an SSH public key."""

    iam_action: ClassVar[str] = "iam:DeleteSSHPublicKey"
    ssh_public_key_id: str

    @property
    def description(self) -> str:
        """The step in words."""
        return f"delete SSH public key {self.ssh_public_key_id} of {self.user_name}"


@dataclass(frozen=True, kw_only=True)
class DeleteServiceSpecificCredential(Step):
    """Delete a service-specific credential."""

    iam_action: ClassVar[str] = "iam:DeleteServiceSpecificCredential"
    credential_id: str

    @property
    def description(self) -> str:
        """The step in words."""
        return f"delete service-specific credential {self.credential_id} of {self.user_name}"


@dataclass(frozen=True, kw_only=True)
class DeactivateMfaDevice(Step):
    """Take an MFA device off the user."""

    iam_action: ClassVar[str] = "iam:DeactivateMFADevice"
    serial_number: str

    @property
    def description(self) -> str:
        """The step in words."""
        return f"deactivate MFA device {self.serial_number} of {self.user_name}"


@dataclass(frozen=True, kw_only=True)
class DeleteVirtualMfaDevice(Step):
    """Delete a virtual MFA device, which would block a new one of its name; authorized on the device."""

    iam_action: ClassVar[str] = "iam:DeleteVirtualMFADevice"
    serial_number: str

    @property
    def resource(self) -> str:
        """The ARN that IAM authorizes the action on."""
        return self.serial_number

    @property
    def description(self) -> str:
        """The step in words."""
        return f"delete virtual MFA device {self.serial_number}"


@dataclass(frozen=True, kw_only=True)
class DeleteUser(Step):
    """Delete the user, on which nothing hangs any more."""

    iam_action: ClassVar[str] = "iam:DeleteUser"

    @property
    def description(self) -> str:
        """The step in words."""
        return f"delete user {self.user_name}"


DELETIONS = (
    DeleteUserPermissionsBoundary,
    RemoveUserFromGroup,
    DetachUserPolicy,
    DeleteUserPolicy,
    DeleteLoginProfile,
    DeleteAccessKey,
    DeleteSigningCertificate,
    DeleteSshPublicKey,
    DeleteServiceSpecificCredential,
    DeactivateMfaDevice,
    DeleteVirtualMfaDevice,
    DeleteUser,
)
"""Steps that take something away: what is not there any more is as good as deleted."""
