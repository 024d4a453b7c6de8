"""The text of messages: whole, but for what the contract calls a secret."""

from identity_provisioning.v1.credential_pb2 import IssuedAccessKey, IssuedConsolePassword, IssuedCredentials
from identity_provisioning.v1.credential_service_pb2 import EnableMfaDeviceRequest
from identity_provisioning.v1.user_pb2 import UserSpec
from identity_provisioning.v1.user_service_pb2 import ProvisionUserRequest, ProvisionUserResponse
from identity_service.rpc.message_text import hide_secrets, text_without_secrets
from identity_service.rpc.services import FILES

CANARY = "canary-wJalrXUtnFEMI"


def issued() -> ProvisionUserResponse:
    """Make an answer with secrets."""
    return ProvisionUserResponse(
        credentials=IssuedCredentials(
            access_key=IssuedAccessKey(access_key_id="AKIAEXAMPLE", secret_access_key=CANARY),
            console_password=IssuedConsolePassword(password=CANARY, generated=True),
        )
    )


def test_secrets_at_any_depth_are_left_out() -> None:
    """Of an answer with secrets everything else is written, and the answer itself keeps them."""
    message = issued()
    text = text_without_secrets(message)
    assert "AKIAEXAMPLE" in text
    assert "generated: true" in text
    assert CANARY not in text
    assert message == issued()


def test_secrets_in_lists_and_requests_are_left_out() -> None:
    """A request's codes and custom password are secrets as well; other fields of the request stay."""
    request = ProvisionUserRequest(user=UserSpec(user_name="ana"))
    request.user.credentials.console_password.custom_password = CANARY
    assert CANARY not in text_without_secrets(request)
    assert 'user_name: "ana"' in text_without_secrets(request)
    assert "418207" not in text_without_secrets(EnableMfaDeviceRequest(first_code="418207"))


def test_every_way_to_text_is_that_way() -> None:
    """In a server, `repr`, `str` and `format` of a message show no secret, of its parts neither."""
    hide_secrets(file.DESCRIPTOR for file in FILES)
    message = issued()
    for shown in (message, message.credentials, message.credentials.access_key):
        assert CANARY not in f"{shown!r} {shown!s} {shown}"
    assert "AKIAEXAMPLE" in repr(message)
