"""Requests of UserService: from the contract's messages to the service's own terms."""

from identity_provisioning.v1.user_pb2 import UserSpec
from identity_provisioning.v1.user_service_pb2 import (
    AdoptUserRequest,
    CreateUserRequest,
    DeleteUserRequest,
    ListUsersRequest,
    ProvisionUserRequest,
    UpdateUserRequest,
)
from identity_service.application.listing import UserFilter
from identity_service.domain.request import (
    Mutation,
    Permissions,
    RequestFields,
    UserAdoption,
    UserChange,
    UserDeletion,
    UserUpdate,
)
from identity_service.rpc.converters import specs
from identity_service.rpc.converters.mutation import to_minting_mutation, to_mutation


def provision_user(request: ProvisionUserRequest) -> Mutation:
    """Convert a request for a whole user."""
    return to_minting_mutation("ProvisionUser", request, new_user(request.user, "user."))


def new_user(user: UserSpec, at: str = "") -> UserChange:
    """Convert a whole user to be made; `at` is the prefix of its fields in the request."""
    return UserChange(
        user_name=user.user_name,
        new_user=specs.new_user(user.path, user.tags),
        credentials=specs.credentials(user.credentials),
        permissions=specs.permissions(user.permissions),
        fields=RequestFields(
            user_name=f"{at}user_name",
            tags=f"{at}tags",
            boundary=f"{at}permissions.permissions_boundary",
            permissions=f"{at}permissions",
            credentials=f"{at}credentials",
        ),
    )


def create_user(request: CreateUserRequest) -> Mutation:
    """Convert a request for a bare user."""
    change = UserChange(
        user_name=request.user_name,
        new_user=specs.new_user(request.path, request.tags),
        permissions=Permissions(boundary=request.permissions_boundary or None),
    )
    return to_mutation("CreateUser", request, change)


def update_user(request: UpdateUserRequest) -> Mutation:
    """Convert a request to change a user's name, path or tags."""
    update = UserUpdate(
        user_name=request.user_name,
        new_user_name=request.new_user_name or None,
        new_path=request.new_path or None,
        set_tags=specs.tag_pairs(request.set_tags),
        remove_tag_keys=tuple(request.remove_tag_keys),
    )
    return to_mutation("UpdateUser", request, update)


def adopt_user(request: AdoptUserRequest) -> Mutation:
    """Convert a request to adopt a user."""
    return to_mutation("AdoptUser", request, UserAdoption(request.user_name))


def delete_user(request: DeleteUserRequest) -> Mutation:
    """Convert a request to delete a user."""
    return to_mutation("DeleteUser", request, UserDeletion(request.user_name))


def user_filter(request: ListUsersRequest) -> UserFilter:
    """Convert the conditions of a listing; the contract has each key of a tag once."""
    return UserFilter(
        path_prefix=request.path_prefix,
        name_prefix=request.name_prefix,
        tags=dict(specs.tag_pairs(request.tags)),
        owner_team=request.owner_team,
    )
