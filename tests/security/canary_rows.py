"""A request with or for secrets for each RPC that can hold one, and requests around secrets that are refused."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from identity_provisioning.v1.credential_pb2 import ConsolePasswordSpec, CredentialSpec, MfaDeviceSpec
from identity_provisioning.v1.credential_service_pb2 import (
    CreateCredentialsRequest,
    CreateMfaDeviceRequest,
    EnableMfaDeviceRequest,
    ResetPasswordRequest,
    RotateAccessKeyRequest,
)
from identity_provisioning.v1.operation_service_pb2 import (
    AppendUsersRequest,
    CreateOperationRequest,
    ListOperationResultsRequest,
    StartOperationRequest,
)
from identity_provisioning.v1.permission_pb2 import PermissionSpec
from identity_provisioning.v1.user_pb2 import UserSpec
from identity_provisioning.v1.user_service_pb2 import CreateUserRequest, ProvisionUserRequest
from identity_service.rpc.credential_service import CredentialService
from identity_service.rpc.not_built import not_built
from identity_service.rpc.operation_service import OperationService
from identity_service.rpc.user_service import UserService
from tests.security.canary_world import CODES, CUSTOM, IDENTITY, METHODS, Reply, World, is_secret

SEALED = [IDENTITY.recipient]
SERVICERS = (CredentialService, OperationService, UserService)
Prepare = Callable[[World, str], Awaitable[Message]]


@dataclass(frozen=True)
class Row:
    """A call that makes or carries secrets, and the IAM calls at which it is made to fail.

    `prepare` makes what the call needs to be there, and returns its request.
    """

    name: str
    rpc: str
    prepare: Prepare
    steps: tuple[str, ...] = ()

    @property
    def built(self) -> bool:
        """Whether the server does it."""
        return is_built(self.rpc)


async def _user(world: World, user_name: str) -> None:
    await world.call("CreateUser", CreateUserRequest(user_name=user_name))


def _everything(custom: str = "") -> CredentialSpec:
    return CredentialSpec(
        access_key=True, console_password=ConsolePasswordSpec(custom_password=custom), mfa_device=MfaDeviceSpec()
    )


def _spec(user_name: str, custom: str = "") -> UserSpec:
    permissions = PermissionSpec(group_names=["Developers"])
    return UserSpec(user_name=user_name, credentials=_everything(custom), permissions=permissions)


async def _provision(world: World, user_name: str) -> Message:
    return ProvisionUserRequest(user=_spec(user_name, CUSTOM))


async def _provision_sealed(world: World, user_name: str) -> Message:
    return ProvisionUserRequest(user=_spec(user_name), recipients=SEALED)


async def _credentials(world: World, user_name: str) -> Message:
    await _user(world, user_name)
    return CreateCredentialsRequest(user_name=user_name, credentials=_everything())


async def _credentials_sealed(world: World, user_name: str) -> Message:
    await _user(world, user_name)
    return CreateCredentialsRequest(user_name=user_name, credentials=_everything(CUSTOM), recipients=SEALED)


async def _device(world: World, user_name: str) -> Message:
    await _user(world, user_name)
    return CreateMfaDeviceRequest(user_name=user_name)


async def _enabling(world: World, user_name: str) -> Message:
    made = await world.call("CreateMfaDevice", await _device(world, user_name))
    device: Any = getattr(made.response, "credentials").mfa_device  # noqa: B009 - a message as such has no such attribute
    first, second = world.codes_of(device.base32_seed)
    return EnableMfaDeviceRequest(
        user_name=user_name, serial_number=device.serial_number, first_code=first, second_code=second
    )


async def _wrong_codes(world: World, user_name: str) -> Message:
    request: Any = await _enabling(world, user_name)
    request.first_code, request.second_code = CODES
    return request  # type: ignore[no-any-return] # it is the message that it was


async def _reset(world: World, user_name: str) -> Message:
    await world.call("CreateCredentials", await _credentials(world, user_name))
    return ResetPasswordRequest(user_name=user_name, console_password=ConsolePasswordSpec(custom_password=CUSTOM))


async def _reset_generated(world: World, user_name: str) -> Message:
    await world.call("CreateCredentials", await _credentials(world, user_name))
    return ResetPasswordRequest(user_name=user_name, console_password=ConsolePasswordSpec())


async def _rotation(world: World, user_name: str) -> Message:
    await world.call("CreateCredentials", await _credentials(world, user_name))
    return RotateAccessKeyRequest(user_name=user_name)


async def _draft(world: World) -> str:
    made = await world.call("CreateOperation", CreateOperationRequest(recipients=SEALED))
    operation: Any = getattr(made.response, "operation")  # noqa: B009 - a message as such has no such attribute
    return str(operation.operation_id)


async def _users(world: World, user_name: str) -> Message:
    return AppendUsersRequest(operation_id=await _draft(world), users=[_spec(user_name)])


async def _users_with_password(world: World, user_name: str) -> Message:
    return AppendUsersRequest(operation_id=await _draft(world), users=[_spec(user_name, CUSTOM)])


async def _results(world: World, user_name: str) -> Message:
    users = AppendUsersRequest(operation_id=await _draft(world), users=[_spec(user_name)])
    await world.call("AppendUsers", users)
    await world.call("StartOperation", StartOperationRequest(operation_id=users.operation_id))
    return ListOperationResultsRequest(operation_id=users.operation_id)


MINTS = ("CreateLoginProfile", "CreateAccessKey", "CreateVirtualMFADevice")
ROWS = (
    Row("ProvisionUser", "ProvisionUser", _provision, ("CreateUser", "AddUserToGroup", *MINTS)),
    Row("ProvisionUser sealed", "ProvisionUser", _provision_sealed, MINTS),
    Row("CreateCredentials", "CreateCredentials", _credentials, MINTS),
    Row("CreateCredentials sealed", "CreateCredentials", _credentials_sealed, MINTS),
    Row("CreateMfaDevice", "CreateMfaDevice", _device, ("CreateVirtualMFADevice",)),
    Row("EnableMfaDevice", "EnableMfaDevice", _enabling, ("EnableMFADevice",)),
    Row("EnableMfaDevice with wrong codes", "EnableMfaDevice", _wrong_codes, ("EnableMFADevice",)),
    Row("ResetPassword", "ResetPassword", _reset, ("DeleteLoginProfile", "CreateLoginProfile")),
    Row("ResetPassword generated", "ResetPassword", _reset_generated, ("CreateLoginProfile",)),
    Row("RotateAccessKey", "RotateAccessKey", _rotation, ("CreateAccessKey",)),
    Row("AppendUsers", "AppendUsers", _users),
    Row("AppendUsers with a password", "AppendUsers", _users_with_password),
    Row("ListOperationResults", "ListOperationResults", _results),
)
"""At least one for each RPC whose request or answer can hold a secret; of one that is not built, its refusal."""

REFUSED_BY_DESIGN = frozenset({"EnableMfaDevice with wrong codes", "AppendUsers with a password"})
"""The rows whose call fails without a fault."""

WITHOUT_IAM = frozenset({"AppendUsers", "ListOperationResults"})
"""The RPCs that make no IAM call, so that none can be made to fail."""


def holds_secrets(message: Descriptor, above: tuple[str, ...] = ()) -> bool:
    """Tell whether a message can hold a secret, at any depth."""
    if message.full_name in above:
        return False
    return any(
        is_secret(field)
        or (field.message_type is not None and holds_secrets(field.message_type, (*above, message.full_name)))
        for field in message.fields
    )


def is_built(rpc: str) -> bool:
    """Tell whether the server does more than refuse an RPC by name."""
    (behaviour,) = (getattr(servicer, rpc) for servicer in SERVICERS if hasattr(servicer, rpc))
    return behaviour is not not_built


def rpcs_with_secrets() -> set[str]:
    """Name the RPCs of the contract that can hold secrets."""
    return {
        name
        for name, method in METHODS.items()
        if holds_secrets(method.input_type) or holds_secrets(method.output_type)
    }


VALUES: Mapping[str, str] = {
    "user_name": "ana",
    "group_name": "Developers",
    "policy_arn": "arn:aws:iam::123456789012:policy/None",
    "access_key_id": "AKIAIOSFODNN7EXAMPLE",
    "operation_id": "3a1b2c3d-0000-4000-8000-000000000000",
}


def plain_request(method: MethodDescriptor) -> Message:
    """Fill in a request of an RPC as far as names do."""
    request = GetMessageClass(method.input_type)()
    for name, value in VALUES.items():
        if name in method.input_type.fields_by_name:
            setattr(request, name, value)
    return request


def bad_requests() -> Iterator[tuple[str, str, Message]]:
    """Write requests that are refused for what stands beside a secret, or for the secret itself."""

    def provision(**changes: Any) -> Message:
        return ProvisionUserRequest(user=_spec("ana", CUSTOM), **changes)

    def custom(password: str) -> Message:
        return ProvisionUserRequest(user=_spec("ana", password))

    def enabling(first: str, second: str = CODES[1]) -> Message:
        serial = "arn:aws:iam::123456789012:mfa/ana"
        return EnableMfaDeviceRequest(user_name="ana", serial_number=serial, first_code=first, second_code=second)

    yield "request_id", "ProvisionUser", provision(request_id="no-uuid")
    yield "account_id", "ProvisionUser", provision(account_id="x")
    yield "unknown account", "ProvisionUser", provision(account_id="999999999999")
    yield "expected_plan_digest", "ProvisionUser", provision(expected_plan_digest="x")
    yield "changed plan", "ProvisionUser", provision(expected_plan_digest="0" * 64)
    yield "user_name", "ProvisionUser", ProvisionUserRequest(user=_spec("not a name", CUSTOM))
    yield "unknown group", "ProvisionUser", _with_group("Nowhere")
    yield "unknown policy", "ProvisionUser", _with_policy("Nowhere")
    yield "plan alone", "ProvisionUser", provision(validate_only=True)
    yield "secret key as recipient", "ProvisionUser", provision(recipients=[IDENTITY.secret])
    yield "password as recipient", "ProvisionUser", provision(recipients=[CUSTOM])
    yield "both as recipients", "ProvisionUser", provision(recipients=[IDENTITY.secret, CUSTOM, *SEALED])
    yield "too long a password", "ProvisionUser", custom(CUSTOM * 8)
    yield "control character", "ProvisionUser", custom(CUSTOM + "\x07")
    yield "letters beyond Latin-1", "ProvisionUser", custom(CUSTOM + "\u20ac")
    yield "password is lower case alone", "ProvisionUser", custom("canarycanarycanary")
    yield "letters for a code", "EnableMfaDevice", enabling(CUSTOM)
    yield "seven digits for a code", "EnableMfaDevice", enabling(CODES[0] + "1")
    yield "device that is not there", "EnableMfaDevice", enabling(CODES[0])
    yield (
        "user that is not there",
        "CreateCredentials",
        CreateCredentialsRequest(user_name="nobody", credentials=_everything(CUSTOM)),
    )


def _with_group(name: str) -> Message:
    request = ProvisionUserRequest(user=_spec("ana", CUSTOM))
    request.user.permissions.group_names.append(name)
    return request


def _with_policy(name: str) -> Message:
    request = ProvisionUserRequest(user=_spec("ana", CUSTOM))
    request.user.permissions.managed_policies.append(name)
    return request


MORE_SECRETS = ("canarycanarycanary",)
"""Passwords of the bad requests that are not the usual one."""


def succeeded(row: Row, reply: Reply) -> bool:
    """Tell whether a row's call without any fault ended as it should."""
    if reply.code.name == "UNIMPLEMENTED":
        return not row.built
    return (reply.code.name == "OK") is (row.name not in REFUSED_BY_DESIGN)
