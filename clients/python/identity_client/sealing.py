"""Opens sealed secrets, with the identity that fits one of the recipients they were sealed to.

    identity = generate_identity()
    made = client.provision_user("ana", access_key=True, recipients=[identity.recipient])
    opened = open_sealed(made.credentials.sealed_secrets, parse_identities(identity.secret))
    print(opened.credentials.access_key.secret_access_key)

Identities are age's: X25519 (`AGE-SECRET-KEY-1...`) and unencrypted OpenSSH keys (ed25519). The program `age` opens the
same texts. Opening needs pyrage, which comes with the extra `seal`, and with `cli`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, NewType

from google.protobuf.json_format import ParseDict, ParseError

from identity_provisioning.v1.credential_pb2 import IssuedCredentials

FORMAT_VERSION = 1
_SECRET = "AGE-SECRET-KEY-1"  # noqa: S105 -- how a secret begins, and none
_OPENSSH = "-----BEGIN OPENSSH PRIVATE KEY-----"
_ENCRYPTED = ("age-encryption.org/", "-----BEGIN AGE ENCRYPTED FILE-----")
_LARGEST_IDENTITY_FILE = 64 * 1024

Identity = NewType("Identity", object)
"""A secret key that may open a text. It shows nothing of itself."""


class IdentityFileError(ValueError):
    """A text holds no identity that can be used; what is said holds nothing of it."""


class CannotOpenError(ValueError):
    """A sealed text cannot be opened, or is none of this service."""


@dataclass(frozen=True)
class GeneratedIdentity:
    """A new pair of keys.

    Attributes:
        recipient: the public half, to seal to.
        secret: the half that opens. Never shown by `repr`.
    """

    recipient: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class OpenedSecrets:
    """What was sealed: the secrets, and whose they are.

    Attributes:
        row_id: the service's own id of the request; the user's tag `identity-provisioning:row` where it made the user.
        credentials: as the service would have answered them unsealed, ready to be handed out. Never shown by `repr`.
    """

    row_id: str
    account_id: str
    user_name: str
    user_arn: str
    sign_in_url: str
    credentials: IssuedCredentials = field(repr=False)


def generate_identity() -> GeneratedIdentity:
    """Make a pair of keys."""
    identity = _pyrage().x25519.Identity.generate()
    return GeneratedIdentity(str(identity.to_public()), str(identity))


def read_identities(path: str | os.PathLike[str]) -> list[Identity]:
    """Read the identities of a file.

    Raises:
        IdentityFileError: it holds none that can be used; the text names the file.
        OSError: it cannot be read.
    """
    with Path(path).open("rb") as file:
        content = file.read(_LARGEST_IDENTITY_FILE + 1)
    try:
        if len(content) > _LARGEST_IDENTITY_FILE:
            raise IdentityFileError(f"is larger than {_LARGEST_IDENTITY_FILE} bytes")
        return parse_identities(content.decode("ascii", "replace"))
    except IdentityFileError as error:
        raise IdentityFileError(f"{path}: {error}") from None


def parse_identities(text: str) -> list[Identity]:
    """Read an age identity file, keys and comments each on a line of its own, or an OpenSSH private key.

    Raises:
        IdentityFileError: it holds none that can be used.
    """
    if text.startswith(_ENCRYPTED):
        raise IdentityFileError("is encrypted itself; decrypt it first with `age --decrypt`")
    if text.lstrip().startswith(_OPENSSH):
        return [_ssh_identity(text)]
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1)]
    found = [_age_identity(number, line) for number, line in lines if line and not line.startswith("#")]
    if not found:
        raise IdentityFileError("holds no identity")
    return found


def open_sealed(text: str, identities: Sequence[Identity]) -> OpenedSecrets:
    """Open a sealed text with whichever of the identities fits.

    age does not tell who sealed a text: anybody may, who knows a recipient. Compare `user_arn` with the answer's user
    where it matters.

    Raises:
        CannotOpenError: none of them fits, the text was cut or changed, or it holds something else.
    """
    pyrage = _pyrage()
    try:
        plaintext: bytes = pyrage.decrypt(text.encode(errors="replace"), list(identities))
    except pyrage.DecryptError as error:
        none_fits = str(error) == "No matching keys found"
        raise CannotOpenError(
            "was not sealed to any of these identities" if none_fits else "is no whole age text, or was changed"
        ) from None
    return _opened(plaintext)


def can_open(recipients: Sequence[str], identities: Sequence[Identity]) -> bool:
    """Tell whether one of the identities opens what is sealed to these recipients; better asked before than after.

    Raises:
        ValueError: there are no recipients, or one is none; only the service says which, and in what.
    """
    pyrage = _pyrage()
    try:
        keys = [_recipient(pyrage, text) for text in recipients]
        pyrage.decrypt(pyrage.encrypt(b"", keys), list(identities))
    except pyrage.DecryptError:
        return False
    except (pyrage.RecipientError, pyrage.EncryptError):
        raise ValueError("a recipient is neither age1... nor ssh-ed25519 AAAA...") from None
    return True


def _recipient(pyrage: ModuleType, text: str) -> object:
    kind = pyrage.x25519 if text.startswith("age1") else pyrage.ssh
    return kind.Recipient.from_str(text)


def _opened(plaintext: bytes) -> OpenedSecrets:
    """Read the plaintext; what does not fit is not quoted, since it may be a secret."""
    try:
        document = json.loads(plaintext)
        version = document["format_version"]
        if version == FORMAT_VERSION:
            return OpenedSecrets(
                row_id=_text(document, "row_id"),
                account_id=_text(document, "account_id"),
                user_name=_text(document, "user_name"),
                user_arn=_text(document, "user_arn"),
                sign_in_url=_text(document, "sign_in_url"),
                credentials=ParseDict(document["credentials"], IssuedCredentials(), ignore_unknown_fields=True),
            )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ParseError):
        raise CannotOpenError("was opened, but holds no secrets of this service") from None
    raise CannotOpenError("was sealed by a newer service; use a newer client")


def _text(document: dict[str, Any], name: str) -> str:
    value = document[name]
    if not isinstance(value, str):
        raise TypeError(name)
    return value


def _age_identity(number: int, line: str) -> Identity:
    pyrage = _pyrage()
    if not line.startswith(_SECRET):
        raise IdentityFileError(f"line {number}: is neither a comment nor {_SECRET}...")
    try:
        return Identity(pyrage.x25519.Identity.from_str(line))
    except pyrage.IdentityError:
        raise IdentityFileError(f"line {number}: is not a whole secret key") from None


def _ssh_identity(text: str) -> Identity:
    pyrage = _pyrage()
    try:
        return Identity(pyrage.ssh.Identity.from_buffer(text.encode()))
    except pyrage.IdentityError as error:
        locked = "must be decrypted" in str(error)
        raise IdentityFileError(
            "is protected by a passphrase, which only the program `age` asks for: age --decrypt --identity FILE"
            if locked
            else "is no ed25519 key, or not a whole one"
        ) from None


def _pyrage() -> ModuleType:
    """Answer the library; a plain install of the client does without it.

    Raises:
        ImportError: it is not installed.
    """
    try:
        import pyrage
    except ModuleNotFoundError:
        raise ImportError(
            "opening sealed secrets needs pyrage: pip install 'identity-provisioning-client[seal]'"
        ) from None
    module: ModuleType = pyrage
    return module
