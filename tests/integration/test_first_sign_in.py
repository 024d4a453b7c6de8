"""The first sign-in: whoever must reset the password also can, on a path as well as on none."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from identity_client import ConsolePassword, IdentityClient
from tests.integration.conftest import Account

NEW_PASSWORD = "Another-Horse-8"


@pytest.fixture
def guarded(account: Account) -> Iterator[Account]:
    """Let the account check permissions while a test runs."""
    account.aws.set_access_control(True)
    yield account
    account.aws.set_access_control(False)


def user_iam(account: Account, user_name: str) -> Any:
    """Make an IAM client with a key of the user."""
    key = account.iam.create_access_key(UserName=user_name)["AccessKey"]
    return boto3.client(
        "iam",
        endpoint_url=account.aws.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )


@pytest.mark.parametrize("path", ["/", "/people/"])
@pytest.mark.parametrize("boundary", ["", "Boundary"])
def test_the_password_can_be_reset(client: IdentityClient, guarded: Account, path: str, boundary: str) -> None:
    """A user who must choose another password is allowed to."""
    made = client.provision_user(
        "ana", path=path, boundary=boundary, console_password=ConsolePassword(require_reset=True)
    )
    user_iam(guarded, "ana").change_password(
        OldPassword=made.credentials.console_password.password, NewPassword=NEW_PASSWORD
    )


def test_an_impossible_reset_is_warned_of(client: IdentityClient, guarded: Account) -> None:
    """A boundary that forbids the reset is named in the review."""
    guarded.iam.create_policy(
        PolicyName="Narrow",
        PolicyDocument='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}',
    )
    plan = client.provision_user(
        "ana", boundary="Narrow", console_password=ConsolePassword(require_reset=True), validate_only=True
    ).plan
    assert any("iam:ChangePassword" in warning.message for warning in plan.warnings)
