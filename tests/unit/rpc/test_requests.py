"""Requests: from the wire to `Mutation`."""

import pytest

from identity_provisioning.v1.credential_service_pb2 import CreateCredentialsRequest
from identity_provisioning.v1.permission_service_pb2 import AssignPermissionsRequest
from identity_provisioning.v1.user_pb2 import Tag
from identity_provisioning.v1.user_service_pb2 import CreateUserRequest, DeleteUserRequest, ProvisionUserRequest
from identity_service.domain.request import (
    Credentials,
    InlinePolicy,
    Mutation,
    NewUser,
    Permissions,
    RequestFields,
    UserChange,
    UserDeletion,
)
from identity_service.rpc.converters import requests
from tests.unit.rpc.support import INSECURE_CALLER_ID, REQUEST_ID, RunningServer

DIGEST = "ab" * 32
PASSWORD = "Tr0ub4dor&3-canary"


def change_of(mutation: Mutation) -> UserChange:
    """Return the change that a mutation brings."""
    assert isinstance(mutation.body, UserChange)
    return mutation.body


def test_provision_user_is_converted_whole() -> None:
    """Every part of the wizard arrives, and problems will be named by this request's own paths."""
    request = ProvisionUserRequest(
        account_id="123456789012", request_id=REQUEST_ID.upper(), validate_only=True, expected_plan_digest=DIGEST
    )
    request.user.user_name = "ann"
    request.user.path = "/people/"
    request.user.tags.extend([Tag(key="b", value="2"), Tag(key="a")])
    request.user.credentials.access_key = True
    request.user.credentials.console_password.custom_password = PASSWORD
    request.user.credentials.console_password.require_reset = True
    request.user.permissions.group_names.append("devs")
    request.user.permissions.managed_policies.append("ReadOnlyAccess")
    request.user.permissions.inline_policies.add(policy_name="p", document="{}")
    request.user.permissions.permissions_boundary = "Boundary"
    mutation = requests.provision_user(request)
    change = change_of(mutation)
    assert (mutation.action, mutation.account_id) == ("ProvisionUser", "123456789012")
    assert (mutation.request_id, mutation.validate_only, mutation.expected_plan_digest) == (REQUEST_ID, True, DIGEST)
    assert change.user_name == "ann"
    assert change.new_user == NewUser(path="/people/", tags=(("b", "2"), ("a", "")))
    assert change.permissions == Permissions(
        group_names=("devs",),
        managed_policies=("ReadOnlyAccess",),
        inline_policies=(InlinePolicy("p", "{}"),),
        boundary="Boundary",
    )
    assert change.fields == RequestFields(
        user_name="user.user_name",
        path="user.path",
        tags="user.tags",
        boundary="user.permissions.permissions_boundary",
        permissions="user.permissions",
        credentials="user.credentials",
    )
    assert change.credentials.access_key
    password = change.credentials.console_password
    assert password is not None
    assert password.require_reset
    assert password.custom is not None
    assert password.custom.reveal() == PASSWORD
    assert PASSWORD not in repr(mutation)


def test_what_is_not_given_is_absent() -> None:
    """A request with a name alone asks for a user in `/`, without boundary, credentials and permissions."""
    request = ProvisionUserRequest(request_id=REQUEST_ID)
    request.user.user_name = "ann"
    change = change_of(requests.provision_user(request))
    assert change.new_user == NewUser(path="/", tags=())
    assert change.credentials == Credentials(access_key=False, console_password=None)
    assert change.permissions == Permissions()


def test_a_generated_password_is_asked_for_by_an_empty_part() -> None:
    """A console password that is present but empty is one to be generated."""
    request = CreateCredentialsRequest(request_id=REQUEST_ID, user_name="ann")
    request.credentials.console_password.SetInParent()
    change = change_of(requests.create_credentials(request))
    assert change.credentials.console_password is not None
    assert change.credentials.console_password.custom is None
    assert change.new_user is None
    assert change.fields.credentials == "credentials"


def test_create_user_brings_its_boundary_and_its_paths() -> None:
    """CreateUser's flat fields make a new user within a boundary."""
    request = CreateUserRequest(
        request_id=REQUEST_ID, user_name="ann", path="/x/", tags=[Tag(key="a", value="1")], permissions_boundary="B"
    )
    mutation = requests.create_user(request)
    change = change_of(mutation)
    assert mutation.action == "CreateUser"
    assert change.new_user == NewUser(path="/x/", tags=(("a", "1"),))
    assert change.permissions == Permissions(boundary="B")
    assert change.fields == RequestFields("user_name", "path", "tags", "permissions_boundary")


def test_assign_permissions_is_for_a_user_that_is_there() -> None:
    """AssignPermissions makes no user and names its own fields."""
    request = AssignPermissionsRequest(request_id=REQUEST_ID, user_name="ann")
    request.permissions.permissions_boundary = "B"
    mutation = requests.assign_permissions(request)
    change = change_of(mutation)
    assert mutation.action == "AssignPermissions"
    assert change.new_user is None
    assert change.permissions == Permissions(boundary="B")
    assert (change.fields.boundary, change.fields.permissions) == ("permissions.permissions_boundary", "permissions")


@pytest.mark.parametrize("request_id", [REQUEST_ID, REQUEST_ID.upper()])
async def test_a_mutation_reaches_the_application_with_its_caller(server: RunningServer, request_id: str) -> None:
    """The application sees who calls, and the request id in one form whatever case it came in."""
    await server.call("UserService/DeleteUser", DeleteUserRequest(request_id=request_id, user_name="ann"))
    ((caller, mutation),) = server.application.mutations
    assert (caller.id, caller.team) == (INSECURE_CALLER_ID, "people-team")
    assert mutation == Mutation("DeleteUser", "", REQUEST_ID, False, "", UserDeletion("ann"))
