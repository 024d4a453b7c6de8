"""The text of messages: whole, but for what the contract calls a secret, in every program that has the contract."""

import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

import identity_provisioning.v1
from identity_provisioning.message_text import text_without_secrets
from identity_provisioning.v1.credential_pb2 import IssuedAccessKey, IssuedConsolePassword, IssuedCredentials
from identity_provisioning.v1.credential_service_pb2 import EnableMfaDeviceRequest
from identity_provisioning.v1.user_pb2 import UserSpec
from identity_provisioning.v1.user_service_pb2 import ProvisionUserRequest, ProvisionUserResponse

CANARY = "canary-wJalrXUtnFEMI"
MODULES = sorted(path.stem for folder in identity_provisioning.v1.__path__ for path in Path(folder).glob("*_pb2.py"))


def issued() -> ProvisionUserResponse:
    """Make an answer with secrets."""
    return ProvisionUserResponse(
        credentials=IssuedCredentials(
            access_key=IssuedAccessKey(access_key_id="AKIAEXAMPLE", secret_access_key=CANARY),
            console_password=IssuedConsolePassword(password=CANARY, generated=True),
        )
    )


def secret_fields() -> Iterator[FieldDescriptor]:
    """Yield every field of the contract that is a secret."""

    def within(messages: Any) -> Iterator[FieldDescriptor]:
        for message in messages:
            yield from (field for field in message.fields if field.GetOptions().debug_redact)
            yield from within(message.nested_types)

    for name in MODULES:
        file = import_module(f"identity_provisioning.v1.{name}").DESCRIPTOR
        yield from within(file.message_types_by_name.values())


def holding(field: FieldDescriptor) -> Message:
    """Make a message that holds a canary in a field."""
    descriptor = field.containing_type
    assert descriptor is not None
    message: Message = GetMessageClass(descriptor)()
    canary = CANARY.encode() if field.type == FieldDescriptor.TYPE_BYTES else CANARY
    if field.is_repeated:
        getattr(message, field.name).append(canary)
    else:
        setattr(message, field.name, canary)
    return message


@pytest.mark.parametrize("field", list(secret_fields()), ids=lambda field: str(field.full_name))
def test_no_secret_of_the_contract_is_shown(field: FieldDescriptor) -> None:
    """Each field that the contract calls a secret is left out of every text, and stays in the message."""
    message = holding(field)
    assert CANARY not in f"{message!r} {message!s} {message}"
    assert CANARY.encode() in message.SerializeToString()


def test_secrets_at_any_depth_are_left_out() -> None:
    """Of an answer with secrets everything else is written, of its parts as well, and the answer itself keeps them."""
    message = issued()
    for shown in (message, message.credentials, message.credentials.access_key, [message]):
        assert CANARY not in f"{shown!r} {shown!s} {shown}"
    assert "AKIAEXAMPLE" in repr(message)
    assert "generated: true" in str(message)
    assert message == issued()


def test_secrets_of_requests_are_left_out() -> None:
    """A request's codes and custom password are secrets as well; other fields of the request stay."""
    request = ProvisionUserRequest(user=UserSpec(user_name="ana"))
    request.user.credentials.console_password.custom_password = CANARY
    assert CANARY not in text_without_secrets(request)
    assert 'user_name: "ana"' in text_without_secrets(request)
    assert "418207" not in text_without_secrets(EnableMfaDeviceRequest(first_code="418207"))


def test_a_client_that_prints_an_answer_prints_no_secret() -> None:
    """In a program that has the client alone, and asks for nothing, an answer is printed without its secrets."""
    program = (
        "from identity_client import IdentityClient\n"
        "from identity_provisioning.v1.user_service_pb2 import ProvisionUserResponse\n"
        "made = ProvisionUserResponse.FromString(bytes.fromhex(input()))\n"
        "print(made, repr(made), f'{made.credentials.access_key}', [made])\n"
    )
    sent = issued().SerializeToString().hex()
    done = subprocess.run([sys.executable, "-c", program], input=sent, capture_output=True, text=True, check=True)
    assert "AKIAEXAMPLE" in done.stdout
    assert CANARY not in done.stdout + done.stderr
