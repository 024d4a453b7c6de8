"""Kept roles: they outlast a reset, and act under the policies that they were given last."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from embedded_aws import EmbeddedAws, EmbeddedAwsError, RoleKey


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    """An account of its own: what is kept would be in the way of other tests."""
    with EmbeddedAws(access_control=True) as account:
        yield account


def allow(action: str) -> str:
    """A policy that allows one action on everything."""
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})


def iam_of(aws: EmbeddedAws, key: RoleKey | None = None) -> Any:
    """IAM with a kept role's key, or with the administrator's."""
    return boto3.client(
        "iam",
        endpoint_url=aws.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=key.access_key_id if key else aws.access_key_id,
        aws_secret_access_key=key.secret_access_key if key else aws.secret_access_key,
        aws_session_token=key.session_token if key else None,
    )


def test_a_kept_role_outlasts_a_reset(aws: EmbeddedAws) -> None:
    """Its key works before and after a reset, under the policies that it has then; it is the only role left."""
    key = aws.keep_role("service", [allow("iam:GetUser")])
    administrator, service = iam_of(aws), iam_of(aws, key)
    for _ in range(2):
        administrator.create_user(UserName="ada")
        assert service.get_user(UserName="ada")["User"]["UserName"] == "ada"
        with pytest.raises(ClientError, match="AccessDenied"):
            service.delete_user(UserName="ada")
        aws.reset()
    administrator.create_user(UserName="ada")
    assert aws.keep_role("service", [allow("iam:DeleteUser")]) == key
    service.delete_user(UserName="ada")
    with pytest.raises(ClientError, match="AccessDenied"):
        service.get_user(UserName="ada")
    assert [role["RoleName"] for role in administrator.list_roles()["Roles"]] == ["service"]


def test_a_key_of_a_kept_role_hides_its_secrets(aws: EmbeddedAws) -> None:
    """Neither secret nor token is shown."""
    key = aws.keep_role("service", [])
    assert key.secret_access_key not in repr(key)
    assert key.session_token not in repr(key)


def test_a_kept_role_needs_a_free_name_and_sound_policies(aws: EmbeddedAws) -> None:
    """A role that somebody has made is not taken over, and a malformed document is refused."""
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam_of(aws).create_role(RoleName="taken", AssumeRolePolicyDocument=document)
    with pytest.raises(EmbeddedAwsError, match="role taken already"):
        aws.keep_role("taken", [])
    with pytest.raises(EmbeddedAwsError, match="Syntax errors"):
        aws.keep_role("service", ["{"])
