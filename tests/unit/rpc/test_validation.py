"""Well-formedness: the contract's constraints, fields that are unknown, bytes that are no message."""

import re
from contextlib import suppress
from importlib import resources

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import Message

from identity_provisioning.v1.credential_pb2 import CredentialSpec
from identity_provisioning.v1.credential_service_pb2 import CreateCredentialsRequest, EnableMfaDeviceRequest
from identity_provisioning.v1.permission_service_pb2 import RevokePermissionsRequest
from identity_provisioning.v1.user_pb2 import Tag, UserSpec
from identity_provisioning.v1.user_service_pb2 import GetUserRequest, ListUsersRequest, ProvisionUserRequest
from identity_service.domain.errors import IdentityError, Reason
from identity_service.rpc.patterns import PATTERNS
from identity_service.rpc.services import FILES
from identity_service.rpc.validation import RequestValidator
from tests.unit.rpc.support import REQUEST_ID, RunningServer, failure, reason_of, violations_of


@pytest.fixture(scope="module")
def validator() -> RequestValidator:
    """Build the validator once, as the server does."""
    return RequestValidator()


def violations(validator: RequestValidator, request: Message) -> dict[str, str]:
    """Return what the validator says of a request, by field."""
    with pytest.raises(IdentityError) as raised:
        validator.check(request)
    assert raised.value.reason is Reason.INVALID_FIELD
    return {violation.field: violation.message for violation in raised.value.field_violations}


def test_not_everything_is_looked_for_in_a_request_that_is_wrong_everywhere(validator: RequestValidator) -> None:
    """Tens of thousands of violations take seconds of the event loop; one is told, and of a usual request all are."""
    tags = [Tag()] * 32_000
    assert len(violations(validator, ProvisionUserRequest(request_id=REQUEST_ID, user=UserSpec(tags=tags)))) == 1
    assert len(violations(validator, ProvisionUserRequest(request_id=REQUEST_ID, user=UserSpec(tags=tags[:60])))) > 60


async def test_every_violation_comes_at_once_and_the_application_is_not_asked(server: RunningServer) -> None:
    """A request with several mistakes is answered with all of them, each with its path."""
    request = ProvisionUserRequest(account_id="12", request_id="not-a-uuid")
    request.user.user_name = "no spaces"
    request.user.tags.extend([Tag(key="team", value="a"), Tag(key="aws:x"), Tag(key="")])
    request.user.permissions.group_names.extend(["devs", "no/slash"])
    request.user.permissions.inline_policies.add(policy_name="p")
    error = await failure(server.call("UserService/ProvisionUser", request))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason_of(error) == "INVALID_FIELD"
    assert set(violations_of(error)) == {
        "account_id",
        "request_id",
        "user.user_name",
        "user.tags[1].key",
        "user.tags[2].key",
        "user.permissions.group_names[1]",
        "user.permissions.inline_policies[0].document",
    }
    assert server.application.mutations == []


async def test_the_message_counts_and_the_details_say(server: RunningServer) -> None:
    """A client that prints message and violations does not print the same twice."""
    request = GetUserRequest(account_id="12", user_name="no spaces")
    error = await failure(server.call("UserService/GetUser", request))
    assert error.details() == "the request is not well formed: 2 field violations"
    assert violations_of(error) == {
        "account_id": "must be an AWS account id: 12 digits",
        "user_name": "must have 1 to 64 characters, only ASCII letters, digits and +=,.@_-",
    }


def test_every_pattern_of_the_contract_has_words() -> None:
    """No caller is told to read a regular expression, and the table holds nothing that the contract does not."""
    image = resources.files("identity_service.rpc").joinpath("contract.binpb").read_bytes()
    contract = FileDescriptorSet.FromString(image)
    rules = {
        match.decode()
        for file in contract.file
        if file.package == "identity_provisioning.v1"
        for match in re.findall(rb"\^[\x20-\x7e]*\$", file.SerializeToString())
    }
    assert rules == set(PATTERNS)


def test_a_pattern_of_a_list_is_put_into_words(validator: RequestValidator) -> None:
    """An element of a list is told what is wrong with it like any other value."""
    request = RevokePermissionsRequest(request_id=REQUEST_ID, user_name="ann", managed_policies=["a b"])
    assert violations(validator, request) == {
        "managed_policies[0]": "must be the ARN of a managed policy, or its name: "
        "1 to 128 characters, only ASCII letters, digits and +=,.@_-"
    }


def test_a_tag_is_listed_for_once(validator: RequestValidator) -> None:
    """A listing by two values of one tag, which no user can have, is refused rather than half ignored."""
    request = ListUsersRequest(tags=[Tag(key="team", value="a"), Tag(key="team", value="b")])
    assert violations(validator, request) == {"tags": "a key may be there once"}


@pytest.mark.parametrize("code", ["12345", "1234567", "canary", "١٢٣٤٥٦"])
async def test_a_code_is_not_quoted(server: RunningServer, code: str) -> None:
    """A code that is none is refused without being repeated, to the caller or to the log."""
    request = EnableMfaDeviceRequest(request_id=REQUEST_ID, user_name="ann", serial_number="x" * 9)
    request.first_code, request.second_code = code, "123456"
    error = await failure(server.call("CredentialService/EnableMfaDevice", request))
    assert violations_of(error) == {"first_code": "must be a code of the MFA device: 6 digits"}
    await server.logged("rpc")
    assert code not in str(error) + server.log.getvalue().decode()


async def test_a_missing_message_is_named(server: RunningServer) -> None:
    """A required part that is not there at all is a violation of its field."""
    error = await failure(server.call("UserService/ProvisionUser", ProvisionUserRequest(request_id=REQUEST_ID)))
    assert set(violations_of(error)) == {"user"}


def test_credentials_must_ask_for_something(validator: RequestValidator) -> None:
    """A rule over several fields is named at the message that holds them."""
    request = CreateCredentialsRequest(request_id=REQUEST_ID, user_name="ann", credentials=CredentialSpec())
    assert violations(validator, request) == {"credentials": "ask for at least one credential"}


@pytest.mark.parametrize("password", ["canary-" + "x" * 130, "canary-\u1234", "canary-\x00"])
def test_a_password_is_not_quoted(validator: RequestValidator, password: str) -> None:
    """What is wrong with a custom password is said without the password."""
    request = CreateCredentialsRequest(request_id=REQUEST_ID, user_name="ann")
    request.credentials.console_password.custom_password = password
    with pytest.raises(IdentityError) as raised:
        validator.check(request)
    assert "credentials.console_password.custom_password" in {v.field for v in raised.value.field_violations}
    assert "canary" not in f"{raised.value} {raised.value.field_violations}"


def test_a_good_request_passes(validator: RequestValidator) -> None:
    """A whole request with a custom password breaks nothing."""
    request = ProvisionUserRequest(account_id="123456789012", request_id=REQUEST_ID.upper())
    request.user.user_name = "a+=,.@_-Z9"
    request.user.path = "/people/"
    request.user.tags.add(key="team", value="")
    request.user.credentials.console_password.custom_password = "Tr0ub4dor&3"
    validator.check(request)


@pytest.mark.parametrize("where", ["at the top", "inside", "in a list"])
async def test_unknown_fields_are_refused(server: RunningServer, where: str) -> None:
    """A field that only a newer contract has is refused, wherever it stands, rather than ignored."""
    request = ProvisionUserRequest(request_id=REQUEST_ID)
    request.user.user_name = "ann"
    tag = request.user.tags.add(key="team")
    unknown = b"\xa0\x06\x01"  # field 100, a varint
    path = {"at the top": "100", "inside": "user.100", "in a list": "user.tags[0].100"}[where]
    target: Message = {"at the top": request, "inside": request.user, "in a list": tag}[where]
    target.MergeFromString(unknown)
    error = await failure(server.call("UserService/ProvisionUser", request))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert violations_of(error) == {path: "this server does not know a field of this number"}


@pytest.mark.parametrize("data", [b"\xff\xff\xff", b"\x12\x02\xc3\x28"], ids=["no message", "not UTF-8"])
async def test_bytes_that_are_no_message_are_refused(server: RunningServer, data: bytes) -> None:
    """What cannot be read is the client's mistake, and no fault of the service."""
    error = await failure(server.call_raw("UserService/GetUser", data))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason_of(error) == "INVALID_FIELD"
    assert server.log_lines("fault") == []


async def test_a_request_above_64_kib_is_refused(server: RunningServer) -> None:
    """The server takes requests of 64 KiB and refuses one byte more before reading it."""
    empty = GetUserRequest(user_name="x").ByteSize() - 1
    fits = GetUserRequest(user_name="x" * (64 * 1024 - empty - 2))
    assert fits.ByteSize() == 64 * 1024
    too_large = GetUserRequest(user_name=fits.user_name + "x")
    assert (await failure(server.call("UserService/GetUser", fits))).code() is grpc.StatusCode.INVALID_ARGUMENT
    assert (await failure(server.call("UserService/GetUser", too_large))).code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_constraints_of_every_request_can_be_checked(validator: RequestValidator) -> None:
    """No request's constraints are out of form: each type is checked once, empty."""
    for file in FILES:
        for service in file.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                # Whether an empty request is well formed is not the question.
                with suppress(IdentityError):
                    validator.check(method.input_type._concrete_class())


def test_no_request_has_a_map_field() -> None:
    """The walk over a request's fields may take repeated fields for lists."""
    seen = set()
    waiting = [m.input_type for file in FILES for s in file.DESCRIPTOR.services_by_name.values() for m in s.methods]
    while waiting:
        descriptor = waiting.pop()
        if descriptor.full_name in seen:
            continue
        seen.add(descriptor.full_name)
        assert not descriptor.GetOptions().map_entry
        waiting.extend(field.message_type for field in descriptor.fields if field.message_type)
    assert len(seen) > 30
