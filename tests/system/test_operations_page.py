"""The `aws` lines of docs/operations.md, typed into a shell with the real AWS CLI, and what they are to achieve."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from embedded_aws import EmbeddedAws
from tests.support.operations_page import ROLE, lines_of_page, program_of

pytestmark = pytest.mark.system

USER = "onboarding-bot"
BASH = shutil.which("bash") or "/bin/bash"
TO_EMBEDDED = """
aws() { "$AWS_PROGRAM" --endpoint-url "$ENDPOINT" "$@"; }
date() { command date --date="+60 seconds" "$@"; }
"""
"""Leads to the embedded account; what is typed is typed a minute after what the test did before."""
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
Type = Callable[[str], None]


@pytest.fixture
def account(root: Path) -> Iterator[EmbeddedAws]:
    """An account with access control that holds the example's users, and the service's role."""
    with EmbeddedAws(access_control=True, arguments=["--seed", str(root / "examples/account.yaml")]) as account:
        trust = {"Effect": "Allow", "Principal": {"AWS": account.account_id}, "Action": "sts:AssumeRole"}
        iam = client(account, "iam", account.access_key_id, account.secret_access_key)
        iam.create_role(
            RoleName=ROLE, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        )
        iam.put_role_policy(RoleName=ROLE, PolicyName="service", PolicyDocument=json.dumps(EVERYTHING))
        iam.put_user_policy(UserName=USER, PolicyName="everything", PolicyDocument=json.dumps(EVERYTHING))
        yield account


@pytest.fixture
def type_lines(account: EmbeddedAws, need: Callable[[str], str], tmp_path: Path) -> Type:
    """Types the page's lines of one command, as an administrator of the account."""
    environment = variables(account, need("aws"), tmp_path)

    def run(command: str) -> None:
        lines = [line for line in lines_of_page() if program_of(line) == "aws" and f" {command} " in line]
        assert lines
        for line in lines:
            type_in(line, tmp_path, environment)

    return run


def variables(account: EmbeddedAws, program: str, home: Path) -> dict[str, str]:
    """Return what leads the AWS CLI to an account, as its administrator."""
    return {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "HOME": str(home),
        "AWS_PROGRAM": program,
        "ENDPOINT": account.endpoint_url,
        "AWS_ACCESS_KEY_ID": account.access_key_id,
        "AWS_SECRET_ACCESS_KEY": account.secret_access_key,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_PAGER": "",
    }


def type_in(line: str, folder: Path, environment: dict[str, str]) -> None:
    """Type a line in a folder; it has to work."""
    done = subprocess.run(
        [BASH, "-c", TO_EMBEDDED + line],
        check=False,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def client(account: EmbeddedAws, service: str, key: str, secret: str, token: str | None = None) -> Any:
    """Connect to the account with a key."""
    return boto3.client(
        service,  # type: ignore[call-overload] # the stubs know literal names alone
        endpoint_url=account.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
    )


def session(account: EmbeddedAws, service: str, credentials: dict[str, str]) -> Any:
    """Connect with temporary credentials."""
    return client(
        account, service, credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"]
    )


def outcome(call: Callable[..., object], **parameters: str) -> str:
    """Call AWS; the error's code, "" if there is none."""
    try:
        call(**parameters)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def test_the_role_is_made(need: Callable[[str], str], root: Path, tmp_path: Path) -> None:
    """In an empty account the lines of "Install" make boundary and role, in their order, and files of their own."""
    (tmp_path / "examples").mkdir()
    shutil.copy(root / "examples" / "team-boundary.json", tmp_path / "examples")
    with EmbeddedAws(access_control=True) as account:
        environment = variables(account, need("aws"), tmp_path)
        for line in lines_of_page("Install"):
            if program_of(line) == "aws" or " iam-policy " in line:
                type_in(line, tmp_path, environment)
        iam = client(account, "iam", account.access_key_id, account.secret_access_key)
        made = {policy["PolicyName"] for policy in iam.list_policies(Scope="Local")["Policies"]}
        attached = iam.list_attached_role_policies(RoleName=ROLE)["AttachedPolicies"]
    assert made == {"TeamBoundary", "identity-service"}
    assert [policy["PolicyName"] for policy in attached] == ["identity-service"]


def test_a_leaked_key_and_its_sessions_are_stopped(account: EmbeddedAws, type_lines: Type) -> None:
    """The key stops at once; a session that was begun with it goes on until the policy that denies everything."""
    admin = client(account, "iam", account.access_key_id, account.secret_access_key)
    spare = admin.create_access_key(UserName=USER)["AccessKey"]
    sts = client(account, "sts", spare["AccessKeyId"], spare["SecretAccessKey"])
    # Such a session may do nothing in IAM without MFA, but assume roles.
    began = session(account, "sts", sts.get_session_token()["Credentials"])
    assuming = {"RoleArn": f"arn:aws:iam::{account.account_id}:role/auditor", "RoleSessionName": "thief"}
    assert outcome(began.assume_role, **assuming) == ""
    type_lines("update-access-key")
    keys = admin.list_access_keys(UserName=USER)["AccessKeyMetadata"]
    assert {key["AccessKeyId"]: key["Status"] for key in keys} == {
        "AKIAIOSFODNN7EXAMPLE": "Inactive",
        spare["AccessKeyId"]: "Active",
    }
    assert outcome(began.assume_role, **assuming) == ""
    type_lines("attach-user-policy")
    assert outcome(began.assume_role, **assuming) == "AccessDenied"


def test_sessions_of_the_leaked_role_are_revoked(account: EmbeddedAws, type_lines: Type) -> None:
    """A session that was begun before the policy is denied; the next one, begun after it, is not."""
    sts = client(account, "sts", account.access_key_id, account.secret_access_key)
    arn = f"arn:aws:iam::{account.account_id}:role/{ROLE}"
    before = session(account, "iam", sts.assume_role(RoleArn=arn, RoleSessionName="before")["Credentials"])
    assert outcome(before.list_users) == ""
    type_lines("put-role-policy")
    assert outcome(before.list_users) == "AccessDenied"
    account.advance_clock(120)
    after = session(account, "iam", sts.assume_role(RoleArn=arn, RoleSessionName="after")["Credentials"])
    assert outcome(after.list_users) == ""
