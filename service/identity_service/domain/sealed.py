"""What is sealed: the secrets that a request made, and whose they are."""

import json
from dataclasses import dataclass

from identity_service.domain.outcome import IssuedAccessKey, IssuedCredentials, IssuedMfaDevice, IssuedPassword
from identity_service.domain.secret import Secret

FORMAT_VERSION = 1
"""Raised when a reader of the version before could no longer read it."""

Json = dict[str, object]


@dataclass(frozen=True)
class SealedDocument:
    """The plaintext of a sealed answer.

    age binds a text to nothing around it, so whose secrets these are, and which request made them, stands inside: who
    opens it can tell that it was not put in the place of another one.
    """

    row_id: str
    account_id: str
    user_name: str
    user_arn: str
    sign_in_url: str
    credentials: IssuedCredentials

    def reveal(self) -> str:
        """Return the JSON with its secrets, `credentials` by the contract's names, for people and programs to read."""
        document = {
            "format_version": FORMAT_VERSION,
            "row_id": self.row_id,
            "account_id": self.account_id,
            "user_name": self.user_name,
            "user_arn": self.user_arn,
            "sign_in_url": self.sign_in_url,
            "credentials": _credentials(self.credentials),
        }
        return json.dumps(document, indent=2) + "\n"


def _credentials(issued: IssuedCredentials) -> Json:
    document: Json = {}
    if issued.access_key:
        document["access_key"] = _access_key(issued.access_key)
    if issued.password:
        document["console_password"] = _password(issued.password)
    if issued.mfa_device:
        document["mfa_device"] = _mfa_device(issued.mfa_device)
    return document


def _access_key(key: IssuedAccessKey) -> Json:
    return {
        "access_key_id": key.access_key_id,
        "secret_access_key": _revealed(key.secret),
        "create_time": key.created_at.isoformat(),
    }


def _password(password: IssuedPassword) -> Json:
    return {
        "password": _revealed(password.password),
        "reset_required": password.reset_required,
        "generated": password.generated,
    }


def _mfa_device(device: IssuedMfaDevice) -> Json:
    return {
        "serial_number": device.serial_number,
        "base32_seed": _revealed(device.seed),
        "qr_code_png": _revealed(device.qr_code_png),
    }


def _revealed(secret: Secret | None) -> str:
    return secret.reveal() if secret else ""
