"""Sealed secrets in the library: identities, opening, and handing out what was opened."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pyrage
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from identity_client.handout import CredentialsRow, csv_row, write_mfa_device
from identity_client.sealing import (
    CannotOpenError,
    IdentityFileError,
    can_open,
    generate_identity,
    open_sealed,
    parse_identities,
    read_identities,
)

SECRET_KEY, PASSWORD, SEED = "wJalr/XUtn", 'correct,Horse"battery7', "JBSWY3DPEHPK3PXP"
DOCUMENT: dict[str, Any] = {
    "format_version": 1,
    "row_id": "row-1",
    "account_id": "123456789012",
    "user_name": "ana",
    "user_arn": "arn:aws:iam::123456789012:user/ana",
    "sign_in_url": "https://acme.signin.aws.amazon.com/console",
    "credentials": {
        "access_key": {
            "access_key_id": "AKIAEXAMPLE",
            "secret_access_key": SECRET_KEY,
            "create_time": "2026-05-04T03:02:01+00:00",
        },
        "console_password": {"password": PASSWORD, "reset_required": True, "generated": True},
        "mfa_device": {
            "serial_number": "arn:aws:iam::123456789012:mfa/ana",
            "base32_seed": SEED,
            "qr_code_png": "iVBORw==",
        },
    },
}
IDENTITY = generate_identity()
SSH_KEY = ed25519.Ed25519PrivateKey.generate()
# Made by `ssh-keygen -t ed25519` for this test, with a passphrase; nothing is sealed to it.
LOCKED_SSH_KEY = """\
-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABAqyUlXc5
nHatKNFwN44/ZzAAAAEAAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIHwqAmQDe+iPkTpP
W7OaLG1/RjDeGxw1LsryJVPrJiMAAAAAkNxYTzxbyltB2XR458XBPtI9EcuwNey5q7pJ8r
2J/kThUFKa1mp2taly4izqC2+G0lCw/BRtz2719gw0Lc3wgl993U7cLNkD1vrDITcK5Dyz
1y5QVNzGqoNfmA4Ux9DI8TQ4DV59Hb7AlumuVUgoandXG0PwUd66l+jM/E1KiX52T8GuQ8
I2JS1Dt8JE9y+55A==
-----END OPENSSH PRIVATE KEY-----
"""


def seal(document: object, recipient: str = IDENTITY.recipient) -> str:
    """Seal a document as the service does."""
    text = document if isinstance(document, str) else json.dumps(document)
    kind: Any = pyrage.x25519 if recipient.startswith("age1") else pyrage.ssh
    sealed: bytes = pyrage.encrypt(text.encode(), [kind.Recipient.from_str(recipient)], armored=True)
    return sealed.decode()


def ssh_file(folder: Path, key: Any) -> Path:
    """Write a private key as OpenSSH does."""
    path = folder / "id_ed25519"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    return path


def test_what_was_sealed_is_opened_whole() -> None:
    """Whose it is and every secret come out as the service put them in."""
    opened = open_sealed(seal(DOCUMENT), parse_identities(IDENTITY.secret))
    assert (opened.row_id, opened.account_id, opened.user_name) == ("row-1", "123456789012", "ana")
    assert opened.user_arn == DOCUMENT["user_arn"]
    assert opened.sign_in_url == DOCUMENT["sign_in_url"]
    key, password = opened.credentials.access_key, opened.credentials.console_password
    assert (key.access_key_id, key.secret_access_key) == ("AKIAEXAMPLE", SECRET_KEY)
    assert key.create_time.ToJsonString() == "2026-05-04T03:02:01Z"
    assert (password.password, password.reset_required, password.generated) == (PASSWORD, True, True)
    assert opened.credentials.mfa_device.base32_seed == SEED
    assert opened.credentials.mfa_device.qr_code_png == b"\x89PNG"


def test_what_was_opened_is_handed_out_like_an_unsealed_answer(tmp_path: Path) -> None:
    """The credentials file and the MFA device's files take it as it is."""
    opened = open_sealed(seal(DOCUMENT), parse_identities(IDENTITY.secret))
    row = CredentialsRow.from_credentials(opened.user_name, opened.credentials, opened.sign_in_url)
    assert row == CredentialsRow("ana", PASSWORD, "AKIAEXAMPLE", SECRET_KEY, opened.sign_in_url)
    assert SECRET_KEY in csv_row(row)
    assert SEED in write_mfa_device(tmp_path, opened.user_name, opened.credentials.mfa_device).read_text()
    assert (tmp_path / "ana.mfa.png").read_bytes() == b"\x89PNG"


def test_no_repr_shows_a_secret() -> None:
    """Neither what was opened nor a key is shown by accident."""
    identities = parse_identities(IDENTITY.secret)
    shown = f"{open_sealed(seal(DOCUMENT), identities)!r} {IDENTITY!r} {identities!r}"
    assert not [secret for secret in (SECRET_KEY, "battery7", SEED, IDENTITY.secret) if secret in shown]
    assert IDENTITY.recipient in shown


def test_fields_of_later_releases_are_passed_over() -> None:
    """A field that this client does not know keeps nothing from being opened."""
    document = {**DOCUMENT, "later": 1, "credentials": {**DOCUMENT["credentials"], "later": {}}}
    opened = open_sealed(seal(document), parse_identities(IDENTITY.secret))
    assert opened.credentials.access_key.secret_access_key == SECRET_KEY


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({**DOCUMENT, "format_version": 2}, "newer service"),
        ({"format_version": 1}, "no secrets of this service"),
        ({**DOCUMENT, "user_name": 7}, "no secrets of this service"),
        (
            {**DOCUMENT, "credentials": {"access_key": {"secret_access_key": [SECRET_KEY]}}},
            "no secrets of this service",
        ),
        ({**DOCUMENT, "credentials": None}, "no secrets of this service"),
        ([DOCUMENT], "no secrets of this service"),
        (SECRET_KEY, "no secrets of this service"),
        ("[" * 100_000, "no secrets of this service"),
    ],
    ids=range(8),
)
def test_a_plaintext_of_another_kind_is_refused_and_not_quoted(document: object, said: str) -> None:
    """What is no document of this version is said so, and nothing of it is shown."""
    with pytest.raises(CannotOpenError, match=said) as caught:
        open_sealed(seal(document), parse_identities(IDENTITY.secret))
    assert SECRET_KEY not in f"{caught.value!r} {caught.value.__cause__!r}"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_text_for_somebody_else_or_a_broken_one_is_not_opened() -> None:
    """The two are told apart, since the person does something else about each."""
    identities = parse_identities(IDENTITY.secret)
    with pytest.raises(CannotOpenError, match="not sealed to any"):
        open_sealed(seal(DOCUMENT, generate_identity().recipient), identities)
    with pytest.raises(CannotOpenError, match="not sealed to any"):
        open_sealed(seal(DOCUMENT), [])
    for broken in (seal(DOCUMENT)[:-100], seal(DOCUMENT)[40:], "", "hello", "\ud800", seal(DOCUMENT) + "more"):
        with pytest.raises(CannotOpenError, match="no whole age text"):
            open_sealed(broken, identities)


def test_an_identity_file_is_read_with_its_comments(tmp_path: Path) -> None:
    """The form of age-keygen: comments, empty lines, one key a line, any number of them."""
    other = generate_identity()
    path = tmp_path / "key.txt"
    path.write_text(f"# created: now\n# public key: x\n{other.secret}\n\n  {IDENTITY.secret}\r\n")
    assert len(read_identities(path)) == 2
    assert open_sealed(seal(DOCUMENT), read_identities(path)).user_name == "ana"
    assert open_sealed(seal(DOCUMENT, other.recipient), read_identities(path)).user_name == "ana"


def test_an_openssh_key_opens_what_was_sealed_to_it(tmp_path: Path) -> None:
    """Whoever has an ssh-ed25519 key needs no other."""
    line = SSH_KEY.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    opened = open_sealed(seal(DOCUMENT, line), read_identities(ssh_file(tmp_path, SSH_KEY)))
    assert opened.credentials.access_key.secret_access_key == SECRET_KEY


def test_ssh_keys_that_do_not_serve_are_refused_in_words(tmp_path: Path) -> None:
    """One with a passphrase and one of another kind are told apart."""
    with pytest.raises(IdentityFileError, match="passphrase"):
        parse_identities(LOCKED_SSH_KEY)
    with pytest.raises(IdentityFileError, match="no ed25519 key"):
        read_identities(ssh_file(tmp_path, ec.generate_private_key(ec.SECP256R1())))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no identity"),
        ("# only a comment\n", "holds no identity"),
        (f"#\n{IDENTITY.secret[:-1]}", "line 2: is not a whole secret key"),
        (IDENTITY.recipient, "line 1: is neither"),
        ("AGE-PLUGIN-YUBIKEY-1QQQQ", "line 1: is neither"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n", "no ed25519 key"),
        ("age-encryption.org/v1\n-> scrypt", "encrypted itself"),
        ("-----BEGIN AGE ENCRYPTED FILE-----\n", "encrypted itself"),
        ("#" * 70_000, "larger than"),
    ],
    ids=range(9),
)
def test_a_file_without_identities_is_refused_by_its_name(tmp_path: Path, text: str, said: str) -> None:
    """What is wrong is said with the file and the line, and without the key."""
    path = tmp_path / "key.txt"
    path.write_text(text)
    with pytest.raises(IdentityFileError, match=said) as caught:
        read_identities(path)
    assert str(path) in str(caught.value)
    assert IDENTITY.secret[20:40] not in str(caught.value)


def test_generated_identities_are_all_different() -> None:
    """Each is a pair of its own, in age's form."""
    first, second = generate_identity(), generate_identity()
    assert first.secret != second.secret
    assert first.recipient.startswith("age1")
    assert first.secret.startswith("AGE-SECRET-KEY-1")


def test_it_can_be_tried_beforehand_whether_something_will_open() -> None:
    """The identities are held against the recipients before anything is sealed to them."""
    identities = parse_identities(IDENTITY.secret)
    other = generate_identity().recipient
    assert can_open([other, IDENTITY.recipient], identities)
    assert not can_open([other], identities)
    for bad in ([], ["age1x"], ["ana"]):
        with pytest.raises(ValueError, match="recipient"):
            can_open(bad, identities)


def test_a_plain_install_says_what_opening_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pyrage the module can be imported, and its use names the extra to install."""
    monkeypatch.setitem(sys.modules, "pyrage", None)
    with pytest.raises(ImportError, match=r"identity-provisioning-client\[seal\]"):
        generate_identity()
