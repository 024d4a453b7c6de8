"""Mutating requests: from the contract's messages to `Mutation`.

A custom password becomes a `Secret` here and is a plain string nowhere behind.
"""

import uuid
from collections.abc import Iterable

from identity_provisioning.v1.credential_pb2 import ConsolePasswordSpec, CredentialSpec
from identity_provisioning.v1.credential_service_pb2 import CreateCredentialsRequest
from identity_provisioning.v1.permission_pb2 import PermissionSpec
from identity_provisioning.v1.permission_service_pb2 import AssignPermissionsRequest
from identity_provisioning.v1.user_pb2 import Tag
from identity_provisioning.v1.user_service_pb2 import CreateUserRequest, DeleteUserRequest, ProvisionUserRequest
from identity_service.domain import tags
from identity_service.domain.request import (
    ConsolePassword,
    Credentials,
    InlinePolicy,
    Mutation,
    NewUser,
    Permissions,
    RequestFields,
    UserChange,
    UserDeletion,
)
from identity_service.domain.secret import Secret

MutatingRequest = (
    ProvisionUserRequest | CreateUserRequest | CreateCredentialsRequest | AssignPermissionsRequest | DeleteUserRequest
)
DEFAULT_PATH = "/"


def provision_user(request: ProvisionUserRequest) -> Mutation:
    """Convert a request for a whole user."""
    user = request.user
    change = UserChange(
        user_name=user.user_name,
        new_user=_new_user(user.path, user.tags),
        credentials=_credentials(user.credentials),
        permissions=_permissions(user.permissions),
        fields=RequestFields(
            user_name="user.user_name",
            path="user.path",
            tags="user.tags",
            boundary="user.permissions.permissions_boundary",
            permissions="user.permissions",
            credentials="user.credentials",
        ),
    )
    return _mutation("ProvisionUser", request, change)


def create_user(request: CreateUserRequest) -> Mutation:
    """Convert a request for a bare user."""
    change = UserChange(
        user_name=request.user_name,
        new_user=_new_user(request.path, request.tags),
        permissions=Permissions(boundary=request.permissions_boundary or None),
    )
    return _mutation("CreateUser", request, change)


def create_credentials(request: CreateCredentialsRequest) -> Mutation:
    """Convert a request for credentials of a user that is there."""
    change = UserChange(user_name=request.user_name, credentials=_credentials(request.credentials))
    return _mutation("CreateCredentials", request, change)


def assign_permissions(request: AssignPermissionsRequest) -> Mutation:
    """Convert a request for permissions of a user that is there."""
    change = UserChange(
        user_name=request.user_name,
        permissions=_permissions(request.permissions),
        fields=RequestFields(boundary="permissions.permissions_boundary"),
    )
    return _mutation("AssignPermissions", request, change)


def delete_user(request: DeleteUserRequest) -> Mutation:
    """Convert a request to delete a user."""
    return _mutation("DeleteUser", request, UserDeletion(user_name=request.user_name))


def _mutation(action: str, request: MutatingRequest, body: UserChange | UserDeletion) -> Mutation:
    return Mutation(
        action=action,
        account_id=request.account_id,
        # A UUID means the same in any letter case.
        request_id=str(uuid.UUID(request.request_id)),
        validate_only=request.validate_only,
        expected_plan_digest=request.expected_plan_digest,
        body=body,
    )


def _new_user(path: str, its_tags: Iterable[Tag]) -> NewUser:
    return NewUser(path=path or DEFAULT_PATH, tags=tuple(_tag(tag) for tag in its_tags))


def _tag(tag: Tag) -> tags.Tag:
    return tag.key, tag.value


def _credentials(spec: CredentialSpec) -> Credentials:
    return Credentials(
        access_key=spec.access_key,
        console_password=_console_password(spec.console_password) if spec.HasField("console_password") else None,
    )


def _console_password(spec: ConsolePasswordSpec) -> ConsolePassword:
    return ConsolePassword(
        custom=Secret(spec.custom_password) if spec.custom_password else None, require_reset=spec.require_reset
    )


def _permissions(spec: PermissionSpec) -> Permissions:
    return Permissions(
        group_names=tuple(spec.group_names),
        managed_policies=tuple(spec.managed_policies),
        inline_policies=tuple(InlinePolicy(policy.policy_name, policy.document) for policy in spec.inline_policies),
        boundary=spec.permissions_boundary or None,
    )
