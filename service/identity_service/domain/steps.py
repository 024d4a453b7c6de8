"""The steps of a plan: each is one IAM call, as data.

A step says what is called and with what, never a secret: passwords and new key ids are not known to it. Steps of
one round run side by side; rounds run one after the other.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from identity_service.domain.tags import PREFIX, ROW


def tag_details(tags: Mapping[str, str]) -> dict[str, str]:
    """Show tags to a reviewer, but for the row's, which is random."""
    return {f"tag {key}": value for key, value in tags.items() if key != ROW}


@dataclass(frozen=True, kw_only=True)
class Step(ABC):
    """One IAM call. `round` counts from 1."""

    iam_action: ClassVar[str]
    round: int

    @property
    @abstractmethod
    def resource(self) -> str:
        """The ARN that IAM authorizes the action on."""

    @property
    @abstractmethod
    def description(self) -> str:
        """The step in words."""

    @property
    def details(self) -> Mapping[str, str]:
        """What a reviewer has to see beside the words: documents and tags, without the row tag."""
        return {}


@dataclass(frozen=True, kw_only=True)
class UserStep(Step):
    """One IAM call on a user."""

    user_name: str
    user_arn: str

    @property
    def resource(self) -> str:
        """The ARN that IAM authorizes the action on."""
        return self.user_arn


@dataclass(frozen=True, kw_only=True)
class GroupStep(Step):
    """One IAM call on a group."""

    group_name: str
    group_arn: str

    @property
    def resource(self) -> str:
        """The ARN that IAM authorizes the action on."""
        return self.group_arn


@dataclass(frozen=True, kw_only=True)
class PolicyStep(Step):
    """One IAM call on a managed policy of the account."""

    policy_arn: str

    @property
    def resource(self) -> str:
        """The ARN that IAM authorizes the action on."""
        return self.policy_arn


@dataclass(frozen=True, kw_only=True)
class CreateUser(UserStep):
    """Make the user with path, boundary and tags in one atomic call."""

    iam_action: ClassVar[str] = "iam:CreateUser"
    path: str
    boundary_arn: str | None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def description(self) -> str:
        """The step in words."""
        bounded = f" within {self.boundary_arn}" if self.boundary_arn else ""
        own = sum(not key.startswith(PREFIX) for key in self.tags)
        tags = f"{own} {'tag' if own == 1 else 'tags'} and " if own else ""
        return f"create user {self.user_name} in {self.path}{bounded} with {tags}this service's own tags"

    @property
    def details(self) -> Mapping[str, str]:
        """What a reviewer has to see beside the words."""
        return tag_details(self.tags)


@dataclass(frozen=True, kw_only=True)
class PutUserPermissionsBoundary(UserStep):
    """Set or replace the permissions boundary."""

    iam_action: ClassVar[str] = "iam:PutUserPermissionsBoundary"
    boundary_arn: str

    @property
    def description(self) -> str:
        """The step in words."""
        return f"bound the permissions of {self.user_name} by {self.boundary_arn}"


@dataclass(frozen=True, kw_only=True)
class DeleteUserPermissionsBoundary(UserStep):
    """Take the permissions boundary off; only ever to undo."""

    iam_action: ClassVar[str] = "iam:DeleteUserPermissionsBoundary"

    @property
    def description(self) -> str:
        """The step in words."""
        return f"take the permissions boundary off {self.user_name}"


@dataclass(frozen=True, kw_only=True)
class AddUserToGroup(UserStep):
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
class RemoveUserFromGroup(UserStep):
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
class AttachUserPolicy(UserStep):
    """Attach a managed policy."""

    iam_action: ClassVar[str] = "iam:AttachUserPolicy"
    policy_arn: str

    @property
    def description(self) -> str:
        """The step in words."""
        return f"attach {self.policy_arn} to {self.user_name}"


@dataclass(frozen=True, kw_only=True)
class DetachUserPolicy(UserStep):
    """Detach a managed policy."""

    iam_action: ClassVar[str] = "iam:DetachUserPolicy"
    policy_arn: str

    @property
    def description(self) -> str:
        """The step in words."""
        return f"detach {self.policy_arn} from {self.user_name}"


@dataclass(frozen=True, kw_only=True)
class PutUserPolicy(UserStep):
    """Put an inline policy on the user, or replace the one of that name."""

    iam_action: ClassVar[str] = "iam:PutUserPolicy"
    policy_name: str
    document: str

    @property
    def description(self) -> str:
        """The step in words."""
        return f"put inline policy {self.policy_name} on {self.user_name}"

    @property
    def details(self) -> Mapping[str, str]:
        """What a reviewer has to see beside the words."""
        return {"document": self.document}


@dataclass(frozen=True, kw_only=True)
class DeleteUserPolicy(UserStep):
    """Delete an inline policy."""

    iam_action: ClassVar[str] = "iam:DeleteUserPolicy"
    policy_name: str

    @property
    def description(self) -> str:
        """The step in words."""
        return f"delete inline policy {self.policy_name} of {self.user_name}"


@dataclass(frozen=True, kw_only=True)
class CreateLoginProfile(UserStep):
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
class DeleteLoginProfile(UserStep):
    """Delete the console password."""

    iam_action: ClassVar[str] = "iam:DeleteLoginProfile"

    @property
    def description(self) -> str:
        """The step in words."""
        return f"delete the console password of {self.user_name}"


@dataclass(frozen=True, kw_only=True)
class CreateAccessKey(UserStep):
    """Make an access key."""

    iam_action: ClassVar[str] = "iam:CreateAccessKey"

    @property
    def description(self) -> str:
        """The step in words."""
        return f"make an access key for {self.user_name}"


@dataclass(frozen=True, kw_only=True)
class DeleteAccessKey(UserStep):
    """Delete an access key."""

    iam_action: ClassVar[str] = "iam:DeleteAccessKey"
    access_key_id: str

    @property
    def description(self) -> str:
        """The step in words."""
        return f"delete access key {self.access_key_id} of {self.user_name}"


@dataclass(frozen=True, kw_only=True)
class DeleteSigningCertificate(UserStep):
    """Delete a signing certificate."""

    iam_action: ClassVar[str] = "iam:DeleteSigningCertificate"
    certificate_id: str

    @property
    def description(self) -> str:
        """The step in words."""
        return f"delete signing certificate {self.certificate_id} of {self.user_name}"


@dataclass(frozen=True, kw_only=True)
class DeleteSshPublicKey(UserStep):
    """Delete an SSH public key."""

    iam_action: ClassVar[str] = "iam:DeleteSSHPublicKey"
    ssh_public_key_id: str

    @property
    def description(self) -> str:
        """The step in words."""
        return f"delete SSH public key {self.ssh_public_key_id} of {self.user_name}"


@dataclass(frozen=True, kw_only=True)
class DeleteServiceSpecificCredential(UserStep):
    """Delete a service-specific credential."""

    iam_action: ClassVar[str] = "iam:DeleteServiceSpecificCredential"
    credential_id: str

    @property
    def description(self) -> str:
        """The step in words."""
        return f"delete service-specific credential {self.credential_id} of {self.user_name}"


@dataclass(frozen=True, kw_only=True)
class DeactivateMfaDevice(UserStep):
    """Take an MFA device off the user."""

    iam_action: ClassVar[str] = "iam:DeactivateMFADevice"
    serial_number: str

    @property
    def description(self) -> str:
        """The step in words."""
        return f"deactivate MFA device {self.serial_number} of {self.user_name}"


@dataclass(frozen=True, kw_only=True)
class DeleteVirtualMfaDevice(UserStep):
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
class DeleteUser(UserStep):
    """Delete the user, on which nothing hangs any more."""

    iam_action: ClassVar[str] = "iam:DeleteUser"

    @property
    def description(self) -> str:
        """The step in words."""
        return f"delete user {self.user_name}"


@dataclass(frozen=True, kw_only=True)
class UpdateUser(UserStep):
    """Rename the user, move it to another path, or both; all that belongs to it moves along."""

    iam_action: ClassVar[str] = "iam:UpdateUser"
    new_user_name: str | None
    new_path: str | None

    @property
    def description(self) -> str:
        """The step in words."""
        name = f" to {self.new_user_name}" if self.new_user_name else ""
        path = f" into {self.new_path}" if self.new_path else ""
        return f"rename or move {self.user_name}{name}{path}"


@dataclass(frozen=True, kw_only=True)
class TagUser(UserStep):
    """Set tags."""

    iam_action: ClassVar[str] = "iam:TagUser"
    tags: Mapping[str, str]

    @property
    def description(self) -> str:
        """The step in words."""
        return f"set the tags {', '.join(self.tags)} of {self.user_name}"

    @property
    def details(self) -> Mapping[str, str]:
        """What a reviewer has to see beside the words."""
        return tag_details(self.tags)


@dataclass(frozen=True, kw_only=True)
class UntagUser(UserStep):
    """Remove tags."""

    iam_action: ClassVar[str] = "iam:UntagUser"
    tag_keys: tuple[str, ...]

    @property
    def description(self) -> str:
        """The step in words."""
        return f"remove the tags {', '.join(self.tag_keys)} of {self.user_name}"


@dataclass(frozen=True, kw_only=True)
class CreateVirtualMfaDevice(UserStep):
    """Make a virtual MFA device with its tags, pending until it is enabled; authorized on the device."""

    iam_action: ClassVar[str] = "iam:CreateVirtualMFADevice"
    device_name: str
    device_arn: str
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def resource(self) -> str:
        """The ARN that IAM authorizes the action on."""
        return self.device_arn

    @property
    def description(self) -> str:
        """The step in words."""
        return f"make virtual MFA device {self.device_name} for {self.user_name}"

    @property
    def details(self) -> Mapping[str, str]:
        """What a reviewer has to see beside the words."""
        return tag_details(self.tags)


@dataclass(frozen=True, kw_only=True)
class TagMfaDevice(UserStep):
    """Say in a pending device's tags for whom it waits; authorized on the device.

    The owner is written with it, as it is: the role may set no tags without an owner's, and may change none.
    """

    iam_action: ClassVar[str] = "iam:TagMFADevice"
    serial_number: str
    tags: Mapping[str, str]

    @property
    def resource(self) -> str:
        """The ARN that IAM authorizes the action on."""
        return self.serial_number

    @property
    def description(self) -> str:
        """The step in words."""
        return f"let MFA device {self.serial_number} wait for {self.user_name}"

    @property
    def details(self) -> Mapping[str, str]:
        """What a reviewer has to see beside the words."""
        return tag_details(self.tags)


@dataclass(frozen=True, kw_only=True)
class EnableMfaDevice(UserStep):
    """Enable an MFA device with two codes, which are not part of the step."""

    iam_action: ClassVar[str] = "iam:EnableMFADevice"
    serial_number: str

    @property
    def description(self) -> str:
        """The step in words."""
        return f"enable MFA device {self.serial_number} for {self.user_name}"


@dataclass(frozen=True, kw_only=True)
class CreateGroup(GroupStep):
    """Make a group; IAM gives groups no tags."""

    iam_action: ClassVar[str] = "iam:CreateGroup"
    path: str

    @property
    def description(self) -> str:
        """The step in words."""
        return f"make group {self.group_name} in {self.path}"


@dataclass(frozen=True, kw_only=True)
class DeleteGroup(GroupStep):
    """Delete a group, on which nothing hangs any more."""

    iam_action: ClassVar[str] = "iam:DeleteGroup"

    @property
    def description(self) -> str:
        """The step in words."""
        return f"delete group {self.group_name}"


@dataclass(frozen=True, kw_only=True)
class AttachGroupPolicy(GroupStep):
    """Attach a managed policy to a group."""

    iam_action: ClassVar[str] = "iam:AttachGroupPolicy"
    policy_arn: str

    @property
    def description(self) -> str:
        """The step in words."""
        return f"attach {self.policy_arn} to group {self.group_name}"


@dataclass(frozen=True, kw_only=True)
class DetachGroupPolicy(GroupStep):
    """Detach a managed policy from a group."""

    iam_action: ClassVar[str] = "iam:DetachGroupPolicy"
    policy_arn: str

    @property
    def description(self) -> str:
        """The step in words."""
        return f"detach {self.policy_arn} from group {self.group_name}"


@dataclass(frozen=True, kw_only=True)
class DeleteGroupPolicy(GroupStep):
    """Delete an inline policy of a group."""

    iam_action: ClassVar[str] = "iam:DeleteGroupPolicy"
    policy_name: str

    @property
    def description(self) -> str:
        """The step in words."""
        return f"delete inline policy {self.policy_name} of group {self.group_name}"


@dataclass(frozen=True, kw_only=True)
class CreatePolicy(PolicyStep):
    """Make a managed policy with its tags in one atomic call."""

    iam_action: ClassVar[str] = "iam:CreatePolicy"
    policy_name: str
    path: str
    text: str
    document: str
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def description(self) -> str:
        """The step in words."""
        return f"make managed policy {self.policy_name} in {self.path}"

    @property
    def details(self) -> Mapping[str, str]:
        """What a reviewer has to see beside the words."""
        return {"document": self.document, **tag_details(self.tags)}


@dataclass(frozen=True, kw_only=True)
class DeletePolicyVersion(PolicyStep):
    """Delete a version of a managed policy that is not the default one."""

    iam_action: ClassVar[str] = "iam:DeletePolicyVersion"
    version_id: str

    @property
    def description(self) -> str:
        """The step in words."""
        return f"delete version {self.version_id} of {self.policy_arn}"


@dataclass(frozen=True, kw_only=True)
class DeletePolicy(PolicyStep):
    """Delete a managed policy with its last version."""

    iam_action: ClassVar[str] = "iam:DeletePolicy"

    @property
    def description(self) -> str:
        """The step in words."""
        return f"delete managed policy {self.policy_arn}"


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
    UntagUser,
    DetachGroupPolicy,
    DeleteGroupPolicy,
    DeleteGroup,
    DeletePolicyVersion,
    DeletePolicy,
)
"""Steps that take something away: what is not there any more is as good as deleted."""


def _concrete(kind: type[Any]) -> Iterator[type[Step]]:
    for subclass in kind.__subclasses__():
        yield from _concrete(subclass)
        if "iam_action" in vars(subclass):
            yield subclass


STEPS_BY_ACTION = {kind.iam_action: kind for kind in _concrete(Step)}
"""Every kind of step by its IAM action; no action has two."""
