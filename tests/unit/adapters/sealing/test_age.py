"""The age adapter: which recipients it takes, and that what it seals is sealed."""

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime

import pyrage
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from identity_service.adapters.sealing import AgeSealer
from identity_service.domain.errors import IdentityError, Reason
from identity_service.domain.outcome import IssuedAccessKey, IssuedCredentials, IssuedMfaDevice, IssuedPassword
from identity_service.domain.sealed import SealedDocument
from identity_service.domain.secret import Secret

SHOWABLE = st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_categories=["Cc"])
SECRETS = st.text(SHOWABLE, min_size=8, max_size=128)
IDENTITY = pyrage.x25519.Identity.generate()
RECIPIENT = str(IDENTITY.to_public())
SSH_KEY = ed25519.Ed25519PrivateKey.generate()
P = 2**255 - 19
ORDER_EIGHT = 325606250916557431795983626356110631294008115727848805560023387167927233504
# The points of low order of https://cr.yp.to/ecdh.html#validate, in bech32 by the reference code of BIP 173.
LOW_ORDER = [
    "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq5cu47z",
    "age1qyqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqj7vrya",
    "age1ur4h5lpmgxu2u9jku0a0r87ydtdqnr0tnsetrlvxvgz3vh6fhqqqzyt4v9",
    "age1t7wft09r2zxzfvwsk92eeql0tvzyghxytqwgapkcyf8dm5ylz9ts6wm9s8",
    "age1anlllllllllllllllllllllllllllllllllllllllllllllllals4n2t7m",
    "age1ahlllllllllllllllllllllllllllllllllllllllllllllllalsn46ayy",
    "age1amlllllllllllllllllllllllllllllllllllllllllllllllalselrwrv",
    "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqzqqsuwj9m",
]


def ssh_line(key: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    """Write a public key as OpenSSH does."""
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def ssh_identity(key: ed25519.Ed25519PrivateKey) -> pyrage.ssh.Identity:
    """Read a private key as age does."""
    text = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    return pyrage.ssh.Identity.from_buffer(text)


def ssh_point(y: int) -> str:
    """Write an ed25519 public key with just this coordinate."""
    name = b"ssh-ed25519"
    blob = len(name).to_bytes(4, "big") + name + (32).to_bytes(4, "big") + y.to_bytes(32, "little")
    return f"ssh-ed25519 {base64.b64encode(blob).decode()}"


def document(chosen: str = "secret-password", key: str = "secret-key", seed: str = "SECRETSEED") -> SealedDocument:
    """Build what is sealed."""
    return SealedDocument(
        row_id="row-1",
        account_id="123456789012",
        user_name="ana",
        user_arn="arn:aws:iam::123456789012:user/ana",
        sign_in_url="",
        credentials=IssuedCredentials(
            access_key=IssuedAccessKey("AKIAEXAMPLE", datetime(2026, 5, 4, tzinfo=UTC), Secret(key)),
            password=IssuedPassword(reset_required=True, generated=True, password=Secret(chosen)),
            mfa_device=IssuedMfaDevice("arn:aws:iam::123456789012:mfa/ana", Secret(seed), Secret("AAAA")),
        ),
    )


def complaints(recipients: Sequence[str]) -> dict[str, str]:
    """Have recipients refused; answer what is said of each field."""
    with pytest.raises(IdentityError) as caught:
        AgeSealer().check(recipients)
    assert caught.value.reason is Reason.INVALID_FIELD
    return {violation.field: violation.message for violation in caught.value.field_violations}


@pytest.mark.parametrize("comment", ["", " ana@laptop"])
def test_every_recipient_can_open_the_text_alone(comment: str) -> None:
    """What is sealed to an age key and an ssh-ed25519 key opens with either, to the same document."""
    line = ssh_line(SSH_KEY) + comment
    AgeSealer().check([RECIPIENT, line])
    sealed = AgeSealer().seal([RECIPIENT, line], document())
    assert sealed.startswith("-----BEGIN AGE ENCRYPTED FILE-----\n")
    assert sealed.endswith("-----END AGE ENCRYPTED FILE-----\n")
    for identity in (IDENTITY, ssh_identity(SSH_KEY)):
        assert pyrage.decrypt(sealed.encode(), [identity]).decode() == document().reveal()


def test_nobody_else_can_open_it() -> None:
    """Another key opens nothing, and neither does the right one once the text was changed."""
    sealed = AgeSealer().seal([RECIPIENT], document()).encode()
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(sealed, [pyrage.x25519.Identity.generate()])
    lines = sealed.split(b"\n")
    lines[-4] = lines[-4][::-1]
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(b"\n".join(lines), [IDENTITY])


def test_no_recipients_are_fine() -> None:
    """Nothing to seal to is no mistake: then nothing is sealed."""
    AgeSealer().check([])


@pytest.mark.parametrize(
    ("recipient", "said"),
    [
        pytest.param("age1example", "was it cut", id="cut"),
        pytest.param(RECIPIENT[:-1], "was it cut", id="one less"),
        pytest.param(RECIPIENT[:-1] + ("q" if RECIPIENT[-1] != "q" else "p"), "was it cut", id="mistyped"),
        pytest.param(f"{RECIPIENT}\n", "was it cut", id="line break"),
        pytest.param(f"{RECIPIENT} ana", "was it cut", id="age comment"),
        pytest.param(RECIPIENT.upper(), "is no age recipient", id="upper"),
        pytest.param(f" {RECIPIENT}", "is no age recipient", id="space"),
        pytest.param("", "is no age recipient", id="empty"),
        pytest.param("ana@example.com", "is no age recipient", id="address"),
        pytest.param("ssh-ed25519-AAAA", "is no age recipient", id="ssh without key"),
        pytest.param("ssh-ed25519 AAAA", "was it cut", id="ssh cut"),
        pytest.param(f"{ssh_line(SSH_KEY)}\n{ssh_line(SSH_KEY)}", "is no age recipient", id="two lines"),
        pytest.param(ssh_line(rsa.generate_private_key(65537, 2048)), "ssh-rsa keys are not taken", id="ssh-rsa"),
        pytest.param(ssh_line(ec.generate_private_key(ec.SECP256R1())), "is no age recipient", id="ecdsa"),
        pytest.param(
            "age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t", "age plugins", id="plugin"
        ),
        pytest.param("age1tag1qt8lw0ual6avlwmwatk888yqnmdamm7xfd0wak53ut6elz5c4swx2yqdj4e", "age plugins", id="tagged"),
    ],
)
def test_what_is_no_recipient_is_refused_and_not_repeated(recipient: str, said: str) -> None:
    """The field is named, what is wrong is said, and the text itself is not."""
    found = complaints([recipient])
    assert list(found) == ["recipients[0]"]
    assert said in found["recipients[0]"]
    assert not recipient or recipient not in found["recipients[0]"]


@pytest.mark.parametrize("secret", [str(IDENTITY), str(IDENTITY).lower()], ids=["upper", "lower"])
def test_a_secret_key_by_mistake_is_told_and_repeated_nowhere(secret: str) -> None:
    """Who gives the secret half learns that it is disclosed now; no text of the error holds a part of it."""
    with pytest.raises(IdentityError) as caught:
        AgeSealer().check([secret])
    shown = f"{caught.value} {caught.value!r} {caught.value.__cause__} {caught.value.__context__}"
    assert "disclosed" in caught.value.field_violations[0].message
    assert secret.upper()[16:32] not in shown.upper()


def test_each_bad_recipient_has_its_own_violation() -> None:
    """All that is wrong is said at once, by position."""
    assert list(complaints(["nobody", RECIPIENT, "age1x"])) == ["recipients[0]", "recipients[2]"]


@pytest.mark.parametrize("recipient", [*LOW_ORDER, *map(ssh_point, (0, 1, P - 1))])
def test_keys_that_everybody_can_open_are_refused(recipient: str) -> None:
    """A point of low order is the public key of nobody: the library would panic, or encrypt to everybody."""
    assert "everybody" in complaints([recipient])["recipients[0]"]


@given(password=SECRETS, key=SECRETS, seed=SECRETS)
def test_the_text_holds_no_secret_in_any_form(password: str, key: str, seed: str) -> None:
    """Neither as it is, nor in base64 of the text or of what is under the armor, does a sealed text show a secret."""
    sealed = AgeSealer().seal([RECIPIENT], document(password, key, seed))
    lines = sealed.splitlines()[1:-1]
    under_armor = base64.b64decode("".join(lines))
    for secret in (password, key, seed):
        for form in (secret.encode(), base64.b64encode(secret.encode()), json.dumps(secret)[1:-1].encode()):
            assert form not in sealed.encode()
            assert form not in under_armor
