"""Requests: from the wire to `Mutation`."""

from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from identity_provisioning.v1 import permission_pb2
from identity_provisioning.v1.credential_pb2 import MfaDeviceSpec
from identity_provisioning.v1.credential_service_pb2 import (
    CreateCredentialsRequest,
    CreateMfaDeviceRequest,
    DeleteMfaDeviceRequest,
    DisableConsoleAccessRequest,
    EnableMfaDeviceRequest,
)
from identity_provisioning.v1.permission_service_pb2 import (
    AssignPermissionsRequest,
    CreateGroupRequest,
    CreatePolicyRequest,
    DeleteGroupRequest,
    DeletePolicyRequest,
    RevokePermissionsRequest,
)
from identity_provisioning.v1.user_pb2 import Tag
from identity_provisioning.v1.user_service_pb2 import (
    CreateUserRequest,
    DeleteUserRequest,
    ProvisionUserRequest,
    UpdateUserRequest,
)
from identity_service.domain.errors import IdentityError, Reason
from identity_service.domain.request import (
    Body,
    ConsoleDisabling,
    Credentials,
    GroupCreation,
    GroupDeletion,
    InlinePolicy,
    MfaDeviceDeletion,
    MfaDeviceEnabling,
    Mutation,
    NewGroup,
    NewPolicy,
    NewUser,
    PermissionRevocation,
    Permissions,
    PolicyCreation,
    PolicyDeletion,
    RequestFields,
    SelfManagement,
    UserChange,
    UserDeletion,
    UserUpdate,
    VirtualMfaDevice,
)
from identity_service.rpc.converters import credential_requests, permission_requests, user_requests
from identity_service.rpc.converters.specs import SELF_MANAGEMENT
from tests.unit.rpc.support import INSECURE_CALLER_ID, REQUEST_ID, RunningServer, failure, reason_of

DIGEST = "ab" * 32
PASSWORD = "Tr0ub4dor&3-canary"
POLICY_ARN = "arn:aws:iam::123456789012:policy/Deploy"
SERIAL = "arn:aws:iam::123456789012:mfa/ann"


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
    mutation = user_requests.provision_user(request)
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
    change = change_of(user_requests.provision_user(request))
    assert change.new_user == NewUser(path="/", tags=())
    assert change.credentials == Credentials(access_key=False, console_password=None)
    assert change.permissions == Permissions()


def test_a_generated_password_is_asked_for_by_an_empty_part() -> None:
    """A console password that is present but empty is one to be generated."""
    request = CreateCredentialsRequest(request_id=REQUEST_ID, user_name="ann")
    request.credentials.console_password.SetInParent()
    change = change_of(credential_requests.create_credentials(request))
    assert change.credentials.console_password is not None
    assert change.credentials.console_password.custom is None
    assert change.new_user is None
    assert change.fields.credentials == "credentials"


def test_create_user_brings_its_boundary_and_its_paths() -> None:
    """CreateUser's flat fields make a new user within a boundary."""
    request = CreateUserRequest(
        request_id=REQUEST_ID, user_name="ann", path="/x/", tags=[Tag(key="a", value="1")], permissions_boundary="B"
    )
    mutation = user_requests.create_user(request)
    change = change_of(mutation)
    assert mutation.action == "CreateUser"
    assert change.new_user == NewUser(path="/x/", tags=(("a", "1"),))
    assert change.permissions == Permissions(boundary="B")
    assert change.fields == RequestFields("user_name", "tags", "permissions_boundary")


def test_assign_permissions_is_for_a_user_that_is_there() -> None:
    """AssignPermissions makes no user and names its own fields."""
    request = AssignPermissionsRequest(request_id=REQUEST_ID, user_name="ann")
    request.permissions.permissions_boundary = "B"
    mutation = permission_requests.assign_permissions(request)
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


def test_all_ways_to_give_permissions_are_converted() -> None:
    """Groups and policies made on the way, the boundary made on the way, the copy and the preset arrive."""
    request = AssignPermissionsRequest(request_id=REQUEST_ID, user_name="ann")
    spec = request.permissions
    spec.new_groups.add(group_name="devs", path="/eng/", managed_policies=["ReadOnlyAccess"])
    spec.new_groups.add(group_name="ops")
    spec.new_policies.add(policy_name="Deploy", path="/eng/", description="to deploy", document="{}")
    spec.new_permissions_boundary.policy_name = "Edge"
    spec.new_permissions_boundary.document = "[]"
    spec.copy_from_user_name = "bob"
    spec.self_management = permission_pb2.SELF_MANAGEMENT_CREDENTIALS_WITH_MFA
    change = change_of(permission_requests.assign_permissions(request))
    assert change.permissions == Permissions(
        new_groups=(NewGroup("devs", "/eng/", ("ReadOnlyAccess",)), NewGroup("ops", "/")),
        new_policies=(NewPolicy("Deploy", "{}", "/eng/", "to deploy"),),
        new_boundary=NewPolicy("Edge", "[]", "/"),
        copy_from="bob",
        self_management=SelfManagement.CREDENTIALS_WITH_MFA,
    )


def test_every_level_of_self_management_is_known() -> None:
    """Each level of the contract is one of the service's, under the same name."""
    names = {
        permission_pb2.SelfManagement.Name(wire).removeprefix("SELF_MANAGEMENT_"): level.name
        for wire, level in SELF_MANAGEMENT.items()
    }
    assert names == {"UNSPECIFIED": "NONE"} | {
        level.name: level.name for level in SelfManagement if level is not SelfManagement.NONE
    }
    assert set(SELF_MANAGEMENT) == set(permission_pb2.SelfManagement.values())


@pytest.mark.parametrize("device_name", ["", "phone"])
def test_a_pending_mfa_device_may_be_asked_for_among_credentials(device_name: str) -> None:
    """A device that is present, even without a name, is one to be made; its problems are named where it stands."""
    request = ProvisionUserRequest(request_id=REQUEST_ID)
    request.user.user_name = "ann"
    request.user.credentials.mfa_device.CopyFrom(MfaDeviceSpec(device_name=device_name))
    change = change_of(user_requests.provision_user(request))
    assert change.credentials == Credentials(mfa_device=VirtualMfaDevice(device_name))
    assert change.fields.credential("mfa_device") == "user.credentials.mfa_device"


@pytest.mark.parametrize("device_name", ["", "phone"])
def test_create_mfa_device_is_a_change_with_that_device_alone(device_name: str) -> None:
    """A request without a device asks for one named like the user, and its problems are named by its own field."""
    request = CreateMfaDeviceRequest(request_id=REQUEST_ID, user_name="ann")
    if device_name:
        request.mfa_device.device_name = device_name
    mutation = credential_requests.create_mfa_device(request)
    change = change_of(mutation)
    assert mutation.action == "CreateMfaDevice"
    assert change.new_user is None
    assert change.credentials == Credentials(mfa_device=VirtualMfaDevice(device_name))
    assert change.permissions == Permissions()
    assert change.fields.credential("mfa_device") == "mfa_device"


COMMON: dict[str, Any] = {
    "account_id": "123456789012",
    "request_id": REQUEST_ID.upper(),
    "expected_plan_digest": DIGEST,
}
CONVERTED: list[tuple[str, Message, Body]] = [
    (
        "UserService/UpdateUser",
        UpdateUserRequest(
            user_name="ann",
            new_user_name="anne",
            new_path="/x/",
            set_tags=[Tag(key="b", value="2"), Tag(key="a")],
            remove_tag_keys=["c"],
            **COMMON,
        ),
        UserUpdate("ann", "anne", "/x/", (("b", "2"), ("a", "")), ("c",)),
    ),
    ("UserService/UpdateUser", UpdateUserRequest(user_name="ann", **COMMON), UserUpdate("ann", None, None, (), ())),
    (
        "PermissionService/RevokePermissions",
        RevokePermissionsRequest(
            user_name="ann",
            group_names=["g", "h"],
            managed_policies=["ReadOnlyAccess"],
            inline_policy_names=["p"],
            **COMMON,
        ),
        PermissionRevocation("ann", ("g", "h"), ("ReadOnlyAccess",), ("p",)),
    ),
    (
        "PermissionService/CreateGroup",
        CreateGroupRequest(
            group=permission_pb2.NewGroup(group_name="g", managed_policies=["ReadOnlyAccess"]), **COMMON
        ),
        GroupCreation(NewGroup("g", "/", ("ReadOnlyAccess",))),
    ),
    ("PermissionService/DeleteGroup", DeleteGroupRequest(group_name="g", **COMMON), GroupDeletion("g")),
    (
        "PermissionService/CreatePolicy",
        CreatePolicyRequest(
            policy=permission_pb2.NewPolicy(policy_name="p", path="/x/", description="d", document="{}"), **COMMON
        ),
        PolicyCreation(NewPolicy("p", "{}", "/x/", "d")),
    ),
    (
        "PermissionService/DeletePolicy",
        DeletePolicyRequest(policy_arn=POLICY_ARN, **COMMON),
        PolicyDeletion(POLICY_ARN),
    ),
    (
        "CredentialService/DisableConsoleAccess",
        DisableConsoleAccessRequest(user_name="ann", **COMMON),
        ConsoleDisabling("ann"),
    ),
    (
        "CredentialService/DeleteMfaDevice",
        DeleteMfaDeviceRequest(user_name="ann", serial_number=SERIAL, **COMMON),
        MfaDeviceDeletion("ann", SERIAL),
    ),
]


@pytest.mark.parametrize("validate_only", [False, True])
@pytest.mark.parametrize(("method", "request_message", "body"), CONVERTED)
async def test_each_mutation_reaches_the_application(
    server: RunningServer, method: str, request_message: Message, body: Body, validate_only: bool
) -> None:
    """What a request asks for arrives whole over the wire, under the RPC's name, with how it is to be run."""
    request_message.validate_only = validate_only  # type: ignore[attr-defined] # every mutating request has it
    await server.call(method, request_message)
    ((caller, mutation),) = server.application.mutations
    action = method.partition("/")[2]
    assert caller.id == INSECURE_CALLER_ID
    assert mutation == Mutation(action, "123456789012", REQUEST_ID, validate_only, DIGEST, body)


async def test_the_codes_of_an_mfa_device_arrive_as_secrets(server: RunningServer) -> None:
    """The two codes reach the application, and neither log nor trace nor any text of the mutation holds one."""
    request = EnableMfaDeviceRequest(
        request_id=REQUEST_ID, user_name="ann", serial_number=SERIAL, first_code="274913", second_code="580364"
    )
    await server.call("CredentialService/EnableMfaDevice", request)
    ((_, mutation),) = server.application.mutations
    assert mutation.action == "EnableMfaDevice"
    assert isinstance(mutation.body, MfaDeviceEnabling)
    assert (mutation.body.user_name, mutation.body.serial_number) == ("ann", SERIAL)
    assert (mutation.body.first_code.reveal(), mutation.body.second_code.reveal()) == ("274913", "580364")
    spans = "".join(span.to_json() for span in await server.finished_spans())
    written = f"{mutation!r} {mutation} {server.log.getvalue().decode()} {spans}"
    assert "274913" not in written
    assert "580364" not in written


async def test_the_codes_are_in_no_error(server: RunningServer) -> None:
    """A wrong code is answered by its reason, and is repeated neither to the caller nor to the log."""
    server.application.error = IdentityError(Reason.INVALID_MFA_CODE, "a code of the MFA device is wrong")
    request = EnableMfaDeviceRequest(
        request_id=REQUEST_ID, user_name="ann", serial_number=SERIAL, first_code="274913", second_code="580364"
    )
    error = await failure(server.call("CredentialService/EnableMfaDevice", request))
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_MFA_CODE")
    await server.logged("rpc")
    written = f"{error} {server.log.getvalue().decode()}"
    assert "274913" not in written
    assert "580364" not in written
