"""What is sealed, and what of an outcome stays outside."""

import json
from datetime import UTC, datetime

import pytest

from identity_service.domain.outcome import (
    IssuedAccessKey,
    IssuedCredentials,
    IssuedMfaDevice,
    IssuedPassword,
    Outcome,
)
from identity_service.domain.sealed import SealedDocument
from identity_service.domain.secret import Secret

CREATED = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
SERIAL = "arn:aws:iam::123456789012:mfa/ana"
ARMORED = "-----BEGIN AGE ENCRYPTED FILE-----"
SECRETS = ("secret-key", "secret-password", "SECRETSEED", "c2VjcmV0")
CREDENTIALS = IssuedCredentials(
    access_key=IssuedAccessKey("AKIAEXAMPLE", CREATED, Secret("secret-key")),
    password=IssuedPassword(reset_required=True, generated=True, password=Secret("secret-password")),
    mfa_device=IssuedMfaDevice(SERIAL, Secret("SECRETSEED"), Secret("c2VjcmV0")),
)
CHOSEN = IssuedCredentials(password=IssuedPassword(reset_required=False, generated=False))


def document(credentials: IssuedCredentials) -> SealedDocument:
    """Build what is sealed of some credentials."""
    return SealedDocument(
        row_id="row-1",
        account_id="123456789012",
        user_name="ana",
        user_arn="arn:aws:iam::123456789012:user/ana",
        sign_in_url="https://acme.signin.aws.amazon.com/console",
        credentials=credentials,
    )


def test_the_plaintext_says_whose_secrets_it_holds() -> None:
    """The JSON has version, row, account, user, sign-in page, and the credentials by the contract's names."""
    assert json.loads(document(CREDENTIALS).reveal()) == {
        "format_version": 1,
        "row_id": "row-1",
        "account_id": "123456789012",
        "user_name": "ana",
        "user_arn": "arn:aws:iam::123456789012:user/ana",
        "sign_in_url": "https://acme.signin.aws.amazon.com/console",
        "credentials": {
            "access_key": {
                "access_key_id": "AKIAEXAMPLE",
                "secret_access_key": "secret-key",
                "create_time": "2026-05-04T03:02:01+00:00",
            },
            "console_password": {"password": "secret-password", "reset_required": True, "generated": True},
            "mfa_device": {"serial_number": SERIAL, "base32_seed": "SECRETSEED", "qr_code_png": "c2VjcmV0"},
        },
    }


def test_a_chosen_password_is_not_in_the_plaintext() -> None:
    """What the caller chose is no secret of the answer; that there is a password is said."""
    assert json.loads(document(CHOSEN).reveal())["credentials"] == {
        "console_password": {"password": "", "reset_required": False, "generated": False}
    }


def test_no_repr_shows_a_secret() -> None:
    """Whoever prints a document to be sealed sees whose it is and nothing more."""
    shown = f"{document(CREDENTIALS)!r} {document(CREDENTIALS)}"
    assert "arn:aws:iam::123456789012:user/ana" in shown
    assert not [secret for secret in SECRETS if secret in shown]


def test_a_sealed_outcome_keeps_nothing_but_the_text() -> None:
    """Ids stay, secrets go, and nothing is withheld: the text has it all."""
    sealed = Outcome(credentials=CREDENTIALS).sealed(ARMORED).credentials
    assert sealed is not None
    assert sealed.sealed_secrets == ARMORED
    assert not sealed.secrets_withheld
    assert not sealed.has_secrets
    assert sealed.access_key == IssuedAccessKey("AKIAEXAMPLE", CREATED)
    assert sealed.password == IssuedPassword(reset_required=True, generated=True)
    assert sealed.mfa_device == IssuedMfaDevice(SERIAL)


def test_a_replay_has_the_sealed_text_again() -> None:
    """What is stored of a sealed outcome, and what a later call gets, is the same text."""
    sealed = Outcome(credentials=CREDENTIALS).sealed(ARMORED)
    assert sealed.without_secrets() == sealed
    assert sealed.replay().credentials == sealed.credentials


@pytest.mark.parametrize(
    ("credentials", "there_are"),
    [
        (CREDENTIALS, True),
        (IssuedCredentials(access_key=CREDENTIALS.access_key), True),
        (IssuedCredentials(password=CREDENTIALS.password), True),
        (IssuedCredentials(mfa_device=CREDENTIALS.mfa_device), True),
        (CHOSEN, False),
        (IssuedCredentials(), False),
        (CREDENTIALS.without_secrets(), False),
    ],
)
def test_secrets_are_told_from_none(credentials: IssuedCredentials, there_are: bool) -> None:
    """A key, a generated password and a device hold secrets until they are taken out; a chosen password does not."""
    assert credentials.has_secrets is there_are


def test_an_unsealed_outcome_is_withheld_as_ever() -> None:
    """Without recipients a replay says that the secrets went out before."""
    withheld = CREDENTIALS.without_secrets()
    assert (withheld.secrets_withheld, withheld.sealed_secrets) == (True, "")
