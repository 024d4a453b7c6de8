"""The whole wizard in China and in GovCloud: ARNs, the policies of AWS, where to sign in, and the hand-out."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from embedded_aws import EmbeddedAws
from identity_client.cli.app import app
from identity_service.iam_policy import PolicyOptions, policy_documents
from tests.integration.conftest import BOUNDARY_STATEMENTS, Account, document, start_server, wait_until_ready

SIGN_IN_HOSTS = {"aws-cn": "signin.amazonaws.cn", "aws-us-gov": "signin.amazonaws-us-gov.com"}


class Partition:
    """A server and its account in a partition."""

    def __init__(self, name: str, account: Account, address: str) -> None:
        self.name = name
        self.account = account
        self._address = address

    def run(self, *args: str) -> None:
        """Run `identityctl`, which has to succeed."""
        done = CliRunner().invoke(app, ["--target", self._address, "--insecure", *args])
        assert done.exit_code == 0, done.output

    def arn(self, rest: str, account_id: str = "123456789012") -> str:
        """Name a thing of IAM."""
        return f"arn:{self.name}:iam::{account_id}:{rest}"


@pytest.fixture(scope="module", params=sorted(SIGN_IN_HOSTS))
def partition(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Partition]:
    """Run an account of another partition, and a server that has just the rights that it prints for it."""
    folder = tmp_path_factory.mktemp("server")
    name: str = request.param
    with EmbeddedAws(partition=name, access_control=True) as aws:
        account = Account(aws)
        account.service_key = account.allow_service(policy_documents(PolicyOptions(aws.account_id, name)))
        variables = {"IDENTITY_SERVICE_AWS_PARTITION": name, "IDENTITY_SERVICE_AWS_REGION": ""}
        process, ready = start_server(account, folder, variables)
        try:
            yield Partition(name, account, wait_until_ready(process, ready))
        finally:
            process.terminate()
            process.wait(30)


def test_a_user_is_made_whole_in_another_partition(partition: Partition, tmp_path: Path) -> None:
    """Console password to be reset, policies by ARN and by name, boundary, self-management, key, device, CSV."""
    iam: Any = partition.account.iam
    iam.create_policy(PolicyName="Boundary", PolicyDocument=document(*BOUNDARY_STATEMENTS))
    handed_out = tmp_path / "ana.csv"
    partition.run(
        *("provision", "ana", "--path", "/people/", "--console", "--access-key", "--mfa-device"),
        *("--policy", partition.arn("policy/ReadOnlyAccess", "aws"), "--policy", "SecurityAudit"),
        *("--boundary", partition.arn("policy/Boundary"), "--self-management", "credentials"),
        *("--require-reset", "--csv", str(handed_out), "--mfa-dir", str(tmp_path / "mfa"), "--yes"),
    )
    user = iam.get_user(UserName="ana")["User"]
    assert user["Arn"] == partition.arn("user/people/ana")
    assert user["PermissionsBoundary"]["PermissionsBoundaryArn"] == partition.arn("policy/Boundary")
    attached = {policy["PolicyArn"] for policy in iam.list_attached_user_policies(UserName="ana")["AttachedPolicies"]}
    names = ("ReadOnlyAccess", "SecurityAudit", "IAMUserChangePassword")
    assert attached == {partition.arn(f"policy/{name}", "aws") for name in names}
    (inline,) = iam.list_user_policies(UserName="ana")["PolicyNames"]
    granted = str(iam.get_user_policy(UserName="ana", PolicyName=inline)["PolicyDocument"])
    assert partition.arn("user/people/ana") in granted
    assert "arn:aws:" not in granted
    devices = {device["SerialNumber"] for device in iam.list_virtual_mfa_devices()["VirtualMFADevices"]}
    assert partition.arn("mfa/ana") in devices
    (row,) = csv.DictReader(handed_out.read_text(encoding="utf-8-sig").splitlines())
    assert f"https://123456789012.{SIGN_IN_HOSTS[partition.name]}/console" in row.values()


def test_a_user_is_moved_and_deleted_in_another_partition(partition: Partition, tmp_path: Path) -> None:
    """What is named by ARN on the way is named in the partition, so that nothing is missed and nothing is left."""
    iam: Any = partition.account.iam
    partition.run("provision", "bo", "--mfa-device", "--mfa-dir", str(tmp_path / "mfa"), "--yes")
    partition.run("update", "bo", "--rename", "bob", "--path", "/staff/", "--yes")
    assert iam.get_user(UserName="bob")["User"]["Arn"] == partition.arn("user/staff/bob")
    partition.run("delete", "bob", "--yes")
    assert partition.arn("user/staff/bob") not in {user["Arn"] for user in iam.list_users()["Users"]}
    devices = {device["SerialNumber"] for device in iam.list_virtual_mfa_devices()["VirtualMFADevices"]}
    assert partition.arn("mfa/bo") not in devices


def test_the_embedded_account_of_a_server_is_in_its_partition(embedded_account: Account, tmp_path: Path) -> None:
    """`--embedded-aws` takes the partition that is set: the account's users sign in there."""
    variables = {"IDENTITY_SERVICE_AWS_PARTITION": "aws-cn"}
    process, ready = start_server(embedded_account, tmp_path, variables, ("--insecure", "--embedded-aws"))
    try:
        found = CliRunner().invoke(app, ["--target", wait_until_ready(process, ready), "--insecure", "account"])
    finally:
        process.terminate()
        process.wait(30)
    assert "https://123456789012.signin.amazonaws.cn/console" in found.output
