"""Recipients and sealed secrets, on their way in and out."""

from typing import Any

import pytest
from google.protobuf.message import Message

from identity_provisioning.v1.credential_pb2 import CredentialSpec
from identity_provisioning.v1.credential_service_pb2 import (
    CreateCredentialsRequest,
    CreateCredentialsResponse,
    CreateMfaDeviceRequest,
    CreateMfaDeviceResponse,
)
from identity_provisioning.v1.user_pb2 import UserSpec
from identity_provisioning.v1.user_service_pb2 import ProvisionUserRequest, ProvisionUserResponse
from tests.unit.rpc.support import REQUEST_ID, RunningServer, details_of, failure, reason_of, status_of
from tests.unit.rpc.test_responses import OUTCOME

ARMORED = "-----BEGIN AGE ENCRYPTED FILE-----\nAAAA\n-----END AGE ENCRYPTED FILE-----\n"
RECIPIENTS = ["age1example", "ssh-ed25519 AAAA"]
SECRETS = ("secret-key", "secret-password", "SECRETSEED")
MINTING: list[tuple[str, type[Any], type[Any], dict[str, Any]]] = [
    ("UserService/ProvisionUser", ProvisionUserRequest, ProvisionUserResponse, {"user": UserSpec(user_name="ann")}),
    (
        "CredentialService/CreateCredentials",
        CreateCredentialsRequest,
        CreateCredentialsResponse,
        {"user_name": "ann", "credentials": CredentialSpec(access_key=True)},
    ),
    ("CredentialService/CreateMfaDevice", CreateMfaDeviceRequest, CreateMfaDeviceResponse, {"user_name": "ann"}),
]


@pytest.mark.parametrize(("method", "request_type", "response_type", "fields"), MINTING)
async def test_recipients_and_the_wish_for_new_secrets_arrive(
    server: RunningServer, method: str, request_type: type[Any], response_type: type[Any], fields: dict[str, Any]
) -> None:
    """Every RPC that mints hands on to whom to seal, and whether to make the secrets anew."""
    request: Message = request_type(request_id=REQUEST_ID, recipients=RECIPIENTS, reissue_secrets=True, **fields)
    await server.call(method, request)
    (mutation,) = (each for _, each in server.application.mutations)
    assert (mutation.recipients, mutation.reissue_secrets) == (tuple(RECIPIENTS), True)


async def test_without_them_nothing_is_sealed_or_made_anew(server: RunningServer) -> None:
    """A request that says nothing of both asks for neither."""
    await server.call("UserService/ProvisionUser", ProvisionUserRequest(request_id=REQUEST_ID, **MINTING[0][3]))
    (mutation,) = (each for _, each in server.application.mutations)
    assert (mutation.recipients, mutation.reissue_secrets) == ((), False)


@pytest.mark.parametrize(("method", "request_type", "response_type", "fields"), MINTING)
async def test_a_sealed_answer_holds_age_text_alone(
    server: RunningServer, method: str, request_type: type[Any], response_type: type[Any], fields: dict[str, Any]
) -> None:
    """The answer has the armored text and the ids, and no secret beside it."""
    server.application.answer = OUTCOME.sealed(ARMORED)
    response = await server.call(method, request_type(request_id=REQUEST_ID, **fields), response_type)
    credentials = response.credentials
    assert credentials.sealed_secrets == ARMORED
    assert not credentials.secrets_withheld
    assert credentials.access_key.access_key_id == "AKIAEXAMPLE"
    assert not [secret for secret in SECRETS if secret.encode() in response.SerializeToString()]


@pytest.mark.parametrize("recipients", [["age1x", "age1x"], [""], ["a" * 1025], [f"age1{n}" for n in range(21)]])
async def test_recipients_are_few_short_and_different(server: RunningServer, recipients: list[str]) -> None:
    """The contract's limits on recipients hold before the application is asked."""
    request = ProvisionUserRequest(request_id=REQUEST_ID, recipients=recipients, **MINTING[0][3])
    error = await failure(server.call("UserService/ProvisionUser", request))
    assert reason_of(error) == "INVALID_FIELD"
    assert details_of(status_of(error))["BadRequest"].field_violations[0].field.startswith("recipients")
    assert server.application.mutations == []
