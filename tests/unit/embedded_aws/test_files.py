"""The files that people write for the embedded account: what it holds at the start, and how it misbehaves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from embedded_aws import EmbeddedAws
from embedded_aws.faults import CloseConnection, Delay, Fault, Throttle
from embedded_aws.faults_file import read_faults
from embedded_aws.yaml_files import FileError

EXAMPLES = Path(__file__).parents[3] / "examples"


def client(aws: EmbeddedAws, service: Any, key: str = "", secret: str = "") -> Any:
    """A client of the account."""
    return boto3.client(
        service,
        endpoint_url=aws.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=key or aws.access_key_id,
        aws_secret_access_key=secret or aws.secret_access_key,
        config=Config(proxies={}, retries={"total_max_attempts": 1}),
    )


def test_the_example_account() -> None:
    """examples/account.yaml makes what it says, and its bot may do what its group allows and nothing else."""
    with EmbeddedAws(access_control=True, arguments=["--seed", str(EXAMPLES / "account.yaml")]) as aws:
        dump, iam = aws.dump(), client(aws, "iam")
        assert dump["aliases"] == ["acme-sandbox"]
        assert dump["password_policy"]["PasswordReusePrevention"] == 5
        olga, bot = dump["users"]
        assert (olga["name"], olga["path"], olga["groups"]) == ("olga.berg", "/people/", ["Developers"])
        assert olga["boundary"] == "arn:aws:iam::123456789012:policy/TeamBoundary"
        assert olga["tags"] == {"cost-center": "4711", "team": "platform"}
        assert olga["login_profile"]["reset_required"] is True
        assert bot["access_keys"][0]["id"] == "AKIAIOSFODNN7EXAMPLE"
        assert iam.get_role(RoleName="auditor")["Role"]["RoleName"] == "auditor"
        assert aws.calls()[0].operation == "GetRole"
        secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
        bots = client(aws, "iam", "AKIAIOSFODNN7EXAMPLE", secret)
        bots.create_user(UserName="bob", Path="/people/", PermissionsBoundary=olga["boundary"])
        with pytest.raises(ClientError, match="AccessDenied"):
            bots.create_user(UserName="eve", Path="/people/")


@pytest.mark.parametrize(
    ("text", "line", "complaint"),
    [
        ("users:\n  - name: ada\n    colour: red\n", 3, "Extra inputs are not permitted"),
        ("users:\n  - path: /a/\n", 2, "Field required"),
        ("users: ada\n", 1, "valid list"),
        ("alias: acme\nusers:\n  - name: ada\n  - name: Ada\n", 4, "EntityAlreadyExists"),
        ("users:\n  - name: ada\n    groups:\n      - none\n", 4, "NoSuchEntity"),
        ("users:\n  - name: ada\n    password:\n      value: weak\n", 3, "PasswordPolicyViolation"),
        ("users:\n  - name: ada\n    access_keys:\n      - {id: mine, secret: 0123456789abcdef}\n", 4, "pattern"),
        ("alias: [\n", 0, "is not YAML"),
        ("policies:\n  - name: p\n    document: {Version: '2012-10-17'}\n", 2, "MalformedPolicyDocument"),
    ],
)
def test_a_mistake_in_a_seed_is_named_by_line(tmp_path: Path, text: str, line: int, complaint: str) -> None:
    """The command ends with 2, no traceback, and the line of the mistake."""
    path = tmp_path / "account.yaml"
    path.write_text(text)
    ended = subprocess.run(
        [sys.executable, "-m", "embedded_aws", "--seed", str(path)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 2
    assert complaint in ended.stderr
    assert "Traceback" not in ended.stderr
    assert f"{path}:{line or ''}" in ended.stderr


def test_the_example_faults() -> None:
    """examples/faults.yaml is read as it is written."""
    faults = read_faults(EXAMPLES / "faults.yaml")
    assert faults[0] == Fault("*", Delay(0.05), times=None)
    assert faults[1] == Fault("Create*", Throttle(rate=20, burst=40), times=None)
    assert (faults[2].probability, faults[2].seed) == (0.02, 7)
    assert faults[3] == Fault("CreateAccessKey", CloseConnection(do_it=True), times=1, skip=2)


def test_faults_of_a_file_meet_calls(tmp_path: Path) -> None:
    """--faults is in force from the first call."""
    path = tmp_path / "faults.yaml"
    path.write_text("faults:\n  - operation: Create*\n    effect: {AnswerError: {code: ServiceFailure, status: 500}}\n")
    with EmbeddedAws(arguments=["--faults", str(path)]) as aws:
        with pytest.raises(ClientError, match="ServiceFailure"):
            client(aws, "iam").create_user(UserName="ada")
        assert client(aws, "iam").list_users()["Users"] == []


@pytest.mark.parametrize(
    ("entry", "line", "complaint"),
    [
        ("operation: CreateUsers\n    effect: {Delay: {seconds: 1}}", 2, "no operation"),
        ("effect: {Explode: {}}", 2, "no such effect"),
        ("effect:\n      Delay:\n        minutes: 1", 4, "no such setting"),
        ("effect:\n      Delay:\n        seconds: soon", 4, "valid number"),
        ("effect:\n      Throttle: {}", 3, "required"),
        ("effect: {Delay: {seconds: 1}}\n    probability: 2", 3, "less than or equal to 1"),
        ("effect: {Delay: {seconds: 1}}\n    chance: 1", 3, "Extra inputs"),
    ],
)
def test_a_mistake_in_a_faults_file_is_named_by_line(tmp_path: Path, entry: str, line: int, complaint: str) -> None:
    """Unknown operations, effects and settings, and values out of range, are named with their line."""
    path = tmp_path / "faults.yaml"
    path.write_text(f"faults:\n  - {entry}\n")
    with pytest.raises(FileError, match=complaint) as raised:
        read_faults(path)
    assert str(raised.value).startswith(f"{path}:{line}:")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A file that is not there is an error without a traceback."""
    with pytest.raises(FileError, match="cannot be read"):
        read_faults(tmp_path / "none.yaml")
