"""What requests ask for, part by part: users, credentials, permissions, groups and policies to be made.

A custom password becomes a `Secret` here and is a plain string nowhere behind.
"""

from collections.abc import Iterable

from identity_provisioning.v1 import credential_pb2, permission_pb2, user_pb2
from identity_service.domain import tags
from identity_service.domain.request import (
    ConsolePassword,
    Credentials,
    InlinePolicy,
    NewGroup,
    NewPolicy,
    NewUser,
    Permissions,
    SelfManagement,
    VirtualMfaDevice,
)
from identity_service.domain.secret import Secret

DEFAULT_PATH = "/"
SELF_MANAGEMENT = {
    permission_pb2.SELF_MANAGEMENT_UNSPECIFIED: SelfManagement.NONE,
    permission_pb2.SELF_MANAGEMENT_PASSWORD: SelfManagement.PASSWORD,
    permission_pb2.SELF_MANAGEMENT_CREDENTIALS: SelfManagement.CREDENTIALS,
    permission_pb2.SELF_MANAGEMENT_CREDENTIALS_WITH_MFA: SelfManagement.CREDENTIALS_WITH_MFA,
}


def new_user(path: str, its_tags: Iterable[user_pb2.Tag]) -> NewUser:
    """Convert a user to be made."""
    return NewUser(path=path or DEFAULT_PATH, tags=tag_pairs(its_tags))


def tag_pairs(its_tags: Iterable[user_pb2.Tag]) -> tuple[tags.Tag, ...]:
    """Convert tags."""
    return tuple((tag.key, tag.value) for tag in its_tags)


def credentials(spec: credential_pb2.CredentialSpec) -> Credentials:
    """Convert credentials to be made."""
    return Credentials(
        access_key=spec.access_key,
        console_password=_console_password(spec.console_password) if spec.HasField("console_password") else None,
        mfa_device=mfa_device(spec.mfa_device) if spec.HasField("mfa_device") else None,
    )


def mfa_device(spec: credential_pb2.MfaDeviceSpec) -> VirtualMfaDevice:
    """Convert a virtual MFA device to be made."""
    return VirtualMfaDevice(spec.device_name)


def permissions(spec: permission_pb2.PermissionSpec) -> Permissions:
    """Convert permissions to be given."""
    return Permissions(
        group_names=tuple(spec.group_names),
        managed_policies=tuple(spec.managed_policies),
        inline_policies=tuple(InlinePolicy(policy.policy_name, policy.document) for policy in spec.inline_policies),
        boundary=spec.permissions_boundary or None,
        new_groups=tuple(map(new_group, spec.new_groups)),
        new_policies=tuple(map(new_policy, spec.new_policies)),
        new_boundary=new_policy(spec.new_permissions_boundary) if spec.HasField("new_permissions_boundary") else None,
        copy_from=spec.copy_from_user_name or None,
        self_management=SELF_MANAGEMENT[spec.self_management],
    )


def new_group(spec: permission_pb2.NewGroup) -> NewGroup:
    """Convert a group to be made."""
    return NewGroup(
        group_name=spec.group_name, path=spec.path or DEFAULT_PATH, managed_policies=tuple(spec.managed_policies)
    )


def new_policy(spec: permission_pb2.NewPolicy) -> NewPolicy:
    """Convert a managed policy to be made."""
    return NewPolicy(
        policy_name=spec.policy_name,
        document=spec.document,
        path=spec.path or DEFAULT_PATH,
        description=spec.description,
    )


def _console_password(spec: credential_pb2.ConsolePasswordSpec) -> ConsolePassword:
    return ConsolePassword(
        custom=Secret(spec.custom_password) if spec.custom_password else None, require_reset=spec.require_reset
    )
