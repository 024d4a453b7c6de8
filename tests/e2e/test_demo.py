"""The demo, run as `make demo` runs it: it works, it leaves what it says, and it leaves no secret elsewhere."""

import csv
import email
import json
import os
import stat
import subprocess
import sys
from email.message import Message
from pathlib import Path

import pytest

from identity_client.handout import COLUMNS, read_credentials_csv

ROOT = Path(__file__).resolve().parents[2]
PEOPLE = {"ana.lima", "kenji.sato", "fatou.diop", "marta.kowalska"}
MACHINES = {"ci-deployer", "inventory-reader", "partner-umbra"}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Run the demo once; what it printed, and where its results are."""
    results = tmp_path_factory.mktemp("demo") / "results"
    ran = subprocess.run(
        [sys.executable, ROOT / "examples" / "demo.py", "--results", results],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1"},
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr, results


def rows(results: Path) -> dict[str, dict[str, str]]:
    """Read the hand-out, by user name."""
    read = read_credentials_csv(results / "credentials.csv")
    return {row.user_name: dict(zip(COLUMNS, row.cells, strict=True)) for row in read}


def test_everybody_is_made(demo: tuple[str, Path]) -> None:
    """Seven users are in the account, each with the credentials that were asked for."""
    _, results = demo
    account = json.loads((results / "account.json").read_text())
    assert {user["name"] for user in account["users"]} - {"olga.berg", "onboarding-bot"} == PEOPLE | MACHINES
    for name, row in rows(results).items():
        assert bool(row["Password"]) == (name in PEOPLE)
        assert bool(row["Secret access key"]) == (name in MACHINES)
        link = "https://acme-sandbox.signin.aws.amazon.com/console" if name in PEOPLE else ""
        assert row["Console login link"] == link


def test_the_hand_out_is_for_its_owner_alone(demo: tuple[str, Path]) -> None:
    """The CSV has the console's columns and mode 0600."""
    _, results = demo
    file = results / "credentials.csv"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (header,) = csv.reader(file.read_text().splitlines()[:1])
    assert header == ["User name", "Password", "Access key ID", "Secret access key", "Console login link"]


def test_each_person_has_a_mail_without_the_password(demo: tuple[str, Path]) -> None:
    """A draft says name and sign-in URL, and never the password."""
    _, results = demo
    mails = {path.stem: email.message_from_bytes(path.read_bytes()) for path in (results / "mail").glob("*.eml")}
    assert set(mails) == PEOPLE
    for name, mail in mails.items():
        text = body(mail)
        assert name in text
        assert "https://acme-sandbox.signin.aws.amazon.com/console" in text
        assert rows(results)[name]["Password"] not in text


def body(mail: Message) -> str:
    """Read a mail's text."""
    payload = mail.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


def test_the_issued_key_is_used(demo: tuple[str, Path]) -> None:
    """The demo shows who the key is, one allowed call and one refused."""
    printed, _ = demo
    assert "user/machines/inventory-reader" in printed
    assert "iam:ListUsers          allowed" in printed
    assert "iam:CreateUser         refused  AccessDenied" in printed


def test_no_secret_is_anywhere_else(demo: tuple[str, Path]) -> None:
    """Neither the terminal, nor the service's log, nor the account's dump holds a password or a secret key."""
    printed, results = demo
    elsewhere = printed + (results / "server.log").read_text() + (results / "account.json").read_text()
    secrets = [row[column] for row in rows(results).values() for column in ("Password", "Secret access key")]
    assert len([secret for secret in secrets if secret]) == 7
    assert not [secret for secret in secrets if secret and secret in elsewhere]
