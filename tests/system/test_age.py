"""Sealed secrets with the program `age`, which recipients have: what the service seals it opens, and the reverse."""

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from identity_client.sealing import generate_identity, open_sealed, parse_identities, read_identities
from identity_service.adapters.sealing import AgeSealer
from identity_service.domain.outcome import IssuedAccessKey, IssuedCredentials
from identity_service.domain.sealed import SealedDocument
from identity_service.domain.secret import Secret

pytestmark = pytest.mark.system

Need = Callable[[str], str]
DOCUMENT = SealedDocument(
    row_id="row-1",
    account_id="123456789012",
    user_name="ana",
    user_arn="arn:aws:iam::123456789012:user/ana",
    sign_in_url="",
    credentials=IssuedCredentials(
        access_key=IssuedAccessKey("AKIAEXAMPLE", datetime(2026, 5, 4, tzinfo=UTC), Secret("secret-key"))
    ),
)


def run(*command: str, given: str = "") -> str:
    """Run a program; answer what it wrote."""
    return subprocess.run(command, input=given, capture_output=True, text=True, check=True, timeout=60).stdout


def sealed_to(recipient: str) -> str:
    """Seal as the service does, after its check."""
    AgeSealer().check([recipient])
    return AgeSealer().seal([recipient], DOCUMENT)


def test_age_opens_what_the_service_seals(need: Need, tmp_path: Path) -> None:
    """A key of age-keygen is taken as a recipient, and `age --decrypt` shows the document."""
    need("age")
    run("age-keygen", "-o", str(tmp_path / "key.txt"))
    recipient = run("age-keygen", "-y", str(tmp_path / "key.txt")).strip()
    shown = run("age", "--decrypt", "--identity", str(tmp_path / "key.txt"), given=sealed_to(recipient))
    assert json.loads(shown)["credentials"]["access_key"]["secret_access_key"] == "secret-key"


def test_age_opens_it_with_an_ssh_key(need: Need, tmp_path: Path) -> None:
    """An ssh-ed25519 public key, comment and all, is a recipient; the client and age open with the private key."""
    need("age")
    key = tmp_path / "id_ed25519"
    run(need("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", "ana@laptop", "-f", str(key))
    sealed = sealed_to(key.with_suffix(".pub").read_text().strip())
    assert run("age", "--decrypt", "--identity", str(key), given=sealed) == DOCUMENT.reveal()
    assert open_sealed(sealed, read_identities(key)).user_arn == DOCUMENT.user_arn


def test_age_opens_with_a_key_of_ours(need: Need, tmp_path: Path) -> None:
    """An identity that the client has made is one for age."""
    need("age")
    identity = generate_identity()
    (tmp_path / "key.txt").write_text(f"{identity.secret}\n")
    assert run("age-keygen", "-y", str(tmp_path / "key.txt")).strip() == identity.recipient
    shown = run("age", "--decrypt", "--identity", str(tmp_path / "key.txt"), given=sealed_to(identity.recipient))
    assert shown == DOCUMENT.reveal()


def test_the_client_opens_what_age_seals(need: Need, tmp_path: Path) -> None:
    """Texts of age itself, armored, are opened by the client."""
    age, identity = need("age"), generate_identity()
    sealed = run(age, "--encrypt", "--armor", "--recipient", identity.recipient, given=DOCUMENT.reveal())
    assert open_sealed(sealed, parse_identities(identity.secret)).user_name == "ana"
