"""The embedded account with the real AWS CLI: what people type works, and refusals reach them."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from embedded_aws import EmbeddedAws, consecutive_codes

pytestmark = pytest.mark.system

Aws = Callable[..., Any]


@pytest.fixture
def account(root: Path) -> Iterator[EmbeddedAws]:
    """An account with access control that holds the example's users."""
    with EmbeddedAws(access_control=True, arguments=["--seed", str(root / "examples/account.yaml")]) as account:
        yield account


@pytest.fixture
def aws(account: EmbeddedAws, need: Callable[[str], str], tmp_path: Path) -> Aws:
    """Runs the AWS CLI as the administrator, or with another key; the answer, or the error's text."""
    program = need("aws")

    def run(*arguments: str, key: str = account.access_key_id, secret: str = account.secret_access_key) -> Any:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_PAGER": "",
        }
        ended = subprocess.run(
            [program, "--endpoint-url", account.endpoint_url, "--output", "json", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if ended.returncode != 0:
            return ended.stderr
        return json.loads(ended.stdout) if ended.stdout.strip() else None

    return run


def test_a_user_from_making_to_deleting(aws: Aws, tmp_path: Path) -> None:
    """Create, tag, key, password, group, policy, MFA by QR code file, and the way back."""
    user = ("--user-name", "bob")
    made = aws("iam", "create-user", *user, "--path", "/people/", "--tags", "Key=team,Value=core")
    assert made["User"]["Arn"] == "arn:aws:iam::123456789012:user/people/bob"
    key = aws("iam", "create-access-key", *user)["AccessKey"]
    assert aws("sts", "get-caller-identity", key=key["AccessKeyId"], secret=key["SecretAccessKey"])["Arn"] == (
        "arn:aws:iam::123456789012:user/people/bob"
    )
    assert "AccessDenied" in aws("iam", "list-users", key=key["AccessKeyId"], secret=key["SecretAccessKey"])
    assert "SignatureDoesNotMatch" in aws("iam", "list-users", key=key["AccessKeyId"], secret="wrong")
    assert "PasswordPolicyViolation" in aws("iam", "create-login-profile", *user, "--password", "weak")
    aws("iam", "create-login-profile", *user, "--password", "Long-enough-password-1", "--password-reset-required")
    aws("iam", "add-user-to-group", *user, "--group-name", "Analysts")
    listed = aws("iam", "list-users", key=key["AccessKeyId"], secret=key["SecretAccessKey"])
    assert [each["UserName"] for each in listed["Users"]] == ["bob", "olga.berg", "onboarding-bot"]
    seed, picture = tmp_path / "seed", tmp_path / "qr.png"
    for method, file in (("Base32StringSeed", seed), ("QRCodePNG", picture)):
        device = aws(
            "iam",
            "create-virtual-mfa-device",
            "--virtual-mfa-device-name",
            method,
            *("--outfile", str(file), "--bootstrap-method", method),
        )
    assert picture.read_bytes().startswith(b"\x89PNG")
    first, second = consecutive_codes(seed.read_text())
    serial = device["VirtualMFADevice"]["SerialNumber"].replace("QRCodePNG", "Base32StringSeed")
    codes = ("--authentication-code1", first, "--authentication-code2", second)
    assert aws("iam", "enable-mfa-device", *user, "--serial-number", serial, *codes) is None
    assert "DeleteConflict" in aws("iam", "delete-user", *user)
    aws("iam", "deactivate-mfa-device", *user, "--serial-number", serial)
    aws("iam", "remove-user-from-group", *user, "--group-name", "Analysts")
    aws("iam", "delete-login-profile", *user)
    aws("iam", "delete-access-key", *user, "--access-key-id", key["AccessKeyId"])
    assert aws("iam", "delete-user", *user) is None
    assert "NoSuchEntity" in aws("iam", "get-user", *user)


def test_a_role_is_assumed(aws: Aws) -> None:
    """Temporary credentials come out of assume-role, and a role that is not there is AccessDenied."""
    arn = "arn:aws:iam::123456789012:role/auditor"
    session = aws("sts", "assume-role", "--role-arn", arn, "--role-session-name", "s1")
    assert session["AssumedRoleUser"]["Arn"] == "arn:aws:sts::123456789012:assumed-role/auditor/s1"
    assert "AccessDenied" in aws("sts", "assume-role", "--role-arn", f"{arn}s", "--role-session-name", "s1")


def test_lists_are_paged_by_the_cli(aws: Aws) -> None:
    """The CLI goes from page to page by itself."""
    listed = aws("iam", "list-users", "--page-size", "1")
    assert [user["UserName"] for user in listed["Users"]] == ["olga.berg", "onboarding-bot"]
    simulated = aws(
        *("iam", "simulate-principal-policy", "--policy-source-arn", "arn:aws:iam::123456789012:user/people/olga.berg"),
        *("--action-names", "s3:GetObject", "sqs:SendMessage"),
    )
    assert [result["EvalDecision"] for result in simulated["EvaluationResults"]] == ["allowed", "implicitDeny"]
