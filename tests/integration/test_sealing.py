"""Secrets sealed to recipients, through the real channel: only whoever holds the identity sees them, and they work."""

import base64
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import boto3
import pytest

from embedded_aws import consecutive_codes
from identity_client import ConsolePassword, IdentityClient, IdentityServiceError, InvalidRequest
from identity_client.sealing import OpenedSecrets, generate_identity, open_sealed, parse_identities
from identity_provisioning.v1.credential_pb2 import IssuedCredentials
from identity_provisioning.v1.user_service_pb2 import ProvisionUserResponse
from tests.integration.conftest import Account

IDENTITY = generate_identity()
OLD_FORM = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ"


def opened(credentials: IssuedCredentials) -> OpenedSecrets:
    """Open what was sealed to the identity of these tests."""
    return open_sealed(credentials.sealed_secrets, parse_identities(IDENTITY.secret))


def shows_no_secret(credentials: IssuedCredentials) -> bool:
    """Tell whether an answer has nothing but the sealed text of its secrets."""
    device = credentials.mfa_device
    shown = (
        credentials.access_key.secret_access_key,
        credentials.console_password.password,
        device.base32_seed,
        device.qr_code_png,
    )
    return not any(shown) and credentials.sealed_secrets.startswith("-----BEGIN AGE ENCRYPTED FILE-----\n")


def provision_everything(client: IdentityClient, name: str, request_id: str) -> ProvisionUserResponse:
    """Make a user with a key, a password and an MFA device, sealed."""
    return client.provision_user(
        name,
        access_key=True,
        console_password=True,
        mfa_device=True,
        recipients=[IDENTITY.recipient],
        request_id=request_id,
    )


@pytest.fixture
def made(client: IdentityClient) -> ProvisionUserResponse:
    """Make a user with all credentials, sealed."""
    return provision_everything(client, "ana", str(uuid4()))


@pytest.fixture
def guarded(account: Account) -> Iterator[Account]:
    """Let the account check permissions while a test runs."""
    account.aws.set_access_control(True)
    yield account
    account.aws.set_access_control(False)


def test_the_answer_holds_age_text_alone(made: ProvisionUserResponse) -> None:
    """Ids are there to be read, secrets are not, and nothing is said to be withheld."""
    assert shows_no_secret(made.credentials)
    assert made.credentials.access_key.access_key_id
    assert made.credentials.mfa_device.serial_number
    assert made.credentials.console_password.generated
    assert not made.credentials.secrets_withheld


def test_what_is_opened_says_whose_it_is(made: ProvisionUserResponse, account: Account) -> None:
    """The document names account, user and the row that the user's tag names."""
    secrets = opened(made.credentials)
    tags = {tag.key: tag.value for tag in made.user.tags}
    assert (secrets.account_id, secrets.user_name) == (account.aws.account_id, "ana")
    assert secrets.user_arn == made.user.arn
    assert secrets.sign_in_url == made.sign_in_url
    assert secrets.row_id == tags["identity-provisioning:row"]
    assert secrets.credentials.access_key.access_key_id == made.credentials.access_key.access_key_id


def test_the_opened_secrets_work(client: IdentityClient, guarded: Account) -> None:
    """The key signs as the user, the password is the one to be changed, and the seed's codes enable the device."""
    answer = client.provision_user(
        "ana",
        access_key=True,
        console_password=ConsolePassword(require_reset=True),
        mfa_device=True,
        recipients=[IDENTITY.recipient],
    )
    secrets = opened(answer.credentials).credentials
    key = secrets.access_key
    session = boto3.Session(key.access_key_id, key.secret_access_key, region_name="us-east-1")
    url = guarded.aws.endpoint_url
    assert session.client("sts", endpoint_url=url).get_caller_identity()["Arn"] == answer.user.arn
    session.client("iam", endpoint_url=url).change_password(
        OldPassword=secrets.console_password.password, NewPassword="Another-Horse-8"
    )
    client.enable_mfa_device(
        "ana", secrets.mfa_device.serial_number, *consecutive_codes(secrets.mfa_device.base32_seed)
    )
    assert secrets.mfa_device.qr_code_png.startswith(b"\x89PNG")


def test_a_repeated_request_gets_the_same_text(client: IdentityClient, account: Account) -> None:
    """A retry is answered byte for byte, and the account is not touched again."""
    request_id = str(uuid4())
    first = provision_everything(client, "ana", request_id)
    writes = account.writes()
    again = provision_everything(client, "ana", request_id)
    assert again.replayed
    assert again.credentials == first.credentials
    assert account.writes() == writes


def test_neither_store_nor_log_holds_a_secret(made: ProvisionUserResponse, server_folder: Path) -> None:
    """At log level DEBUG no file of the server holds a sealed secret in the clear, while the store has the text."""
    secrets = opened(made.credentials).credentials
    values = [
        secrets.access_key.secret_access_key.encode(),
        secrets.console_password.password.encode(),
        secrets.mfa_device.base32_seed.encode(),
        secrets.mfa_device.qr_code_png,
    ]
    files = {path.name: path.read_bytes() for path in server_folder.iterdir() if path.is_file()}
    assert {"server.log", "store.sqlite3"} <= set(files)
    for name, content in files.items():
        assert not [value for value in values if value in content or base64.b64encode(value) in content], name
    assert any(made.credentials.sealed_secrets.splitlines()[1].encode() in content for content in files.values())


@pytest.mark.parametrize("validate_only", [True, False])
def test_a_bad_recipient_costs_no_call(client: IdentityClient, account: Account, validate_only: bool) -> None:
    """Each bad recipient is named by its field, and AWS is asked for nothing, not even to look."""
    recipients = [IDENTITY.recipient, "age1example", OLD_FORM, IDENTITY.secret]
    with pytest.raises(InvalidRequest) as caught:
        client.provision_user("ana", access_key=True, recipients=recipients, validate_only=validate_only)
    violations = caught.value.field_violations
    assert caught.value.reason == "INVALID_FIELD"
    assert [each.field for each in violations] == [f"recipients[{index}]" for index in (1, 2, 3)]
    assert IDENTITY.secret not in f"{caught.value} {violations}"
    assert account.aws.calls() == []


def test_other_recipients_are_another_request(client: IdentityClient) -> None:
    """A request_id stands for its recipients too: nobody is answered a text that was sealed to somebody else."""
    request_id = str(uuid4())
    provision_everything(client, "ana", request_id)
    with pytest.raises(IdentityServiceError, match="REQUEST_ID_REUSED"):
        client.provision_user(
            "ana",
            access_key=True,
            console_password=True,
            mfa_device=True,
            recipients=[generate_identity().recipient],
            request_id=request_id,
        )


def test_single_credentials_are_sealed_too(client: IdentityClient, account: Account) -> None:
    """CreateCredentials and CreateMfaDevice seal what they make for a user that is there."""
    client.provision_user("ana")
    keyed = client.create_credentials(
        "ana", access_key=True, console_password=True, recipients=[IDENTITY.recipient]
    ).credentials
    device = client.create_mfa_device("ana", recipients=[IDENTITY.recipient]).credentials
    assert shows_no_secret(keyed)
    assert shows_no_secret(device)
    assert opened(keyed).user_name == opened(device).user_name == "ana"
    assert opened(keyed).credentials.access_key.secret_access_key
    assert opened(keyed).credentials.console_password.password
    assert opened(device).credentials.mfa_device.base32_seed


def test_a_chosen_password_leaves_nothing_to_seal(client: IdentityClient, account: Account) -> None:
    """Where the caller brings the only secret there is no text, and none is missing."""
    answer = client.provision_user(
        "ana", console_password=ConsolePassword(custom="Chosen-Horse-9"), recipients=[IDENTITY.recipient]
    )
    assert answer.credentials.sealed_secrets == ""
    assert not answer.credentials.secrets_withheld
