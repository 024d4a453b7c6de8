"""`identityctl` against the real server: what a person types is what the account then has."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from identity_client.cli.app import app
from tests.integration.conftest import TEAM, Account, document

READ = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::acme/*"}
ANYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


@dataclass(frozen=True)
class Run:
    """What a run of the command line left."""

    exit_code: int
    stdout: str
    stderr: str

    def document(self) -> dict[str, Any]:
        """Answer standard output as one JSON document."""
        found: dict[str, Any] = json.loads(self.stdout)
        return found


Command = Callable[..., Run]


@pytest.fixture
def run(server: str, account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run `identityctl` in a folder of its own, with consent given where it is asked for."""
    monkeypatch.chdir(tmp_path)

    def run_command(*args: str) -> Run:
        done = CliRunner().invoke(app, ["--target", server, "--insecure", *args])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Run(done.exit_code, done.stdout, done.stderr)

    return run_command


@pytest.fixture
def ana(run: Command) -> str:
    """Have a user to begin with."""
    assert run("provision", "ana", "--tag", "team=web", "--path", "/people/", "--yes").exit_code == 0
    return "ana"


def test_a_user_is_listed_changed_and_deleted(run: Command, ana: str, account: Account) -> None:
    """`list` finds the user by tag and owner, `update` moves and renames it, `delete` ends it."""
    found = run("list", "--path", "/people/", "--tag", "team", "--owner", TEAM, "--output", "json").document()
    assert [user["user_name"] for user in found["users"]] == [ana]
    assert run("list", "--tag", "team=other", "--output", "json").document() == {"users": []}
    done = run("update", ana, "--rename", "ana.lima", "--path", "/staff/", "--tag", "a=b", "--untag", "team", "--yes")
    assert (done.exit_code, done.stderr.count("iam:UpdateUser")) == (0, 1)
    user = account.iam.get_user(UserName="ana.lima")["User"]
    tags = {tag["Key"]: tag["Value"] for tag in user["Tags"] if ":" not in tag["Key"]}
    assert (user["Path"], tags) == ("/staff/", {"a": "b"})
    assert "ana.lima" in run("list").stdout
    assert run("delete", "ana.lima", "--yes").exit_code == 0
    assert account.iam.list_users()["Users"] == []


def test_permissions_are_given_and_taken(run: Command, ana: str, account: Account, tmp_path: Path) -> None:
    """`assign` gives, and says what was so already; `revoke` takes."""
    (tmp_path / "read.json").write_text(document(READ))
    flags = ("--group", "Developers", "--policy", "Deploy", "--inline", "read=@read.json", "--boundary", "Boundary")
    assert run("assign", ana, *flags, "--yes").exit_code == 0
    assert account.iam.list_user_policies(UserName=ana)["PolicyNames"] == ["read"]
    assert "PermissionsBoundary" in account.iam.get_user(UserName=ana)["User"]
    again = run("assign", ana, "--group", "Developers")
    assert again.exit_code == 0, again.stderr
    assert "Nothing had to be changed." in again.stdout
    assert run("revoke", ana, "--group", "Developers", "--policy", "Deploy", "--inline", "read", "--yes").exit_code == 0
    assert account.iam.list_groups_for_user(UserName=ana)["Groups"] == []
    assert account.iam.list_attached_user_policies(UserName=ana)["AttachedPolicies"] == []
    assert account.iam.list_user_policies(UserName=ana)["PolicyNames"] == []


def test_credentials_are_made_and_console_access_ends(run: Command, ana: str, account: Account, tmp_path: Path) -> None:
    """Key and password come into the file; without the password the key is what remains."""
    done = run("credentials", "create", ana, "--access-key", "--console", "--csv", "ana.csv", "--yes")
    assert done.exit_code == 0, done.stderr
    (key,) = account.iam.list_access_keys(UserName=ana)["AccessKeyMetadata"]
    assert key["AccessKeyId"] in (tmp_path / "ana.csv").read_text()
    done = run("credentials", "disable-console", ana, "--yes")
    assert done.exit_code == 0
    assert f"stays: access key {key['AccessKeyId']}, active" in done.stdout
    with pytest.raises(account.iam.exceptions.NoSuchEntityException):
        account.iam.get_login_profile(UserName=ana)


def test_an_mfa_device_is_made_and_a_wrong_code_leaves_it_pending(run: Command, ana: str, account: Account) -> None:
    """The seed is shown once, a wrong code is told as one, and a pending device can be deleted."""
    made = run("mfa", "create", ana, "--output", "json", "--yes").document()
    device = made["credentials"]["mfa_device"]
    assert device["base32_seed"]
    serial = device["serial_number"]
    wrong = run("mfa", "enable", ana, serial, "000000", "000001", "--yes")
    assert wrong.exit_code == 1
    assert "INVALID_MFA_CODE" in wrong.stderr
    assert "stays pending" in wrong.stderr
    assert account.iam.list_mfa_devices(UserName=ana)["MFADevices"] == []
    assert run("mfa", "delete", ana, serial, "--yes").exit_code == 0
    assert account.iam.list_virtual_mfa_devices()["VirtualMFADevices"] == []


def test_abandoned_devices_go_together(run: Command, ana: str, account: Account) -> None:
    """Devices whose users are gone are found and deleted; one that still waits for its user stays."""
    for name in ("bo", "cy"):
        assert run("provision", name, "--mfa-device", "--output", "json", "--yes").exit_code == 0
        account.iam.delete_user(UserName=name)
    waiting = run("mfa", "create", ana, "--output", "json", "--yes").document()["credentials"]["mfa_device"]
    done = run("mfa", "delete", "--abandoned", "--yes")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.count("Deleted arn:") == 2
    left = account.iam.list_virtual_mfa_devices()["VirtualMFADevices"]
    assert [device["SerialNumber"] for device in left] == [waiting["serial_number"]]
    assert "None was found." in run("mfa", "delete", "--abandoned", "--yes").stderr


def test_groups_are_made_listed_and_deleted(run: Command, account: Account) -> None:
    """A group comes with its policies, and goes when it has no members."""
    assert run("groups", "create", "Readers", "--policy", "Deploy", "--path", "/teams/", "--yes").exit_code == 0
    (group,) = run("groups", "list", "--path", "/teams/", "--output", "json").document()["groups"]
    assert [policy["policy_name"] for policy in group["attached_policies"]] == ["Deploy"]
    assert "Readers" in run("groups", "list").stdout
    account.iam.create_user(UserName="bo")
    account.iam.add_user_to_group(GroupName="Readers", UserName="bo")
    refused = run("groups", "delete", "Readers", "--yes")
    assert (refused.exit_code, "IN_USE" in refused.stderr, "bo" in refused.stderr) == (3, True, True)
    account.iam.remove_user_from_group(GroupName="Readers", UserName="bo")
    assert run("groups", "delete", "Readers", "--yes").exit_code == 0
    assert [group["GroupName"] for group in account.iam.list_groups()["Groups"]] == ["Developers"]


def test_policies_are_made_listed_and_deleted(run: Command, account: Account, tmp_path: Path) -> None:
    """What is risky in a document is named in the review, and the policy goes with its ARN."""
    (tmp_path / "all.json").write_text(document(ANYTHING))
    done = run("policies", "create", "Everything", "@all.json", "--description", "too much", "--yes")
    assert done.exit_code == 0, done.stderr
    assert "warning:" in done.stderr
    found = run("policies", "list", "--scope", "customer", "--search", "every", "--output", "json").document()
    assert [policy["policy_name"] for policy in found["policies"]] == ["Everything"]
    assert "Everything" in run("policies", "list", "--scope", "customer").stdout
    assert run("policies", "delete", account.policy_arn("Everything"), "--yes").exit_code == 0
    assert run("policies", "delete", account.policy_arn("Deploy"), "--yes").exit_code in (1, 3)


def test_a_policy_is_deleted_by_name(run: Command, account: Account, tmp_path: Path) -> None:
    """A name in any letter case finds the account's own policy and no other; an absent one is told."""
    (tmp_path / "read.json").write_text(document(READ))
    for name in ("Read", "Reader"):
        assert run("policies", "create", name, "@read.json", "--path", "/teams/", "--yes").exit_code == 0
    done = run("policies", "delete", "read", "--yes")
    assert done.exit_code == 0, done.stderr
    left = {policy["PolicyName"] for policy in account.iam.list_policies(Scope="Local")["Policies"]}
    assert left == {"Deploy", "Boundary", "OtherBoundary", "Reader"}
    absent = run("policies", "delete", "ReadOnlyAccess", "--yes")
    assert (absent.exit_code, "no policy of its own named 'ReadOnlyAccess'" in absent.stderr) == (1, True)


def test_a_user_comes_with_what_is_new(run: Command, account: Account, tmp_path: Path) -> None:
    """Flags alone make one user with a group, a policy and a boundary of its own."""
    (tmp_path / "read.json").write_text(document(READ))
    new = ("--new-group", "Readers:Deploy", "--new-policy", "Read=@read.json", "--new-boundary", "Bound=@read.json")
    done = run("provision", "bo", *new, "--yes")
    assert done.exit_code == 0, done.stderr
    assert [group["GroupName"] for group in account.iam.list_groups_for_user(UserName="bo")["Groups"]] == ["Readers"]
    attached = account.iam.list_attached_group_policies(GroupName="Readers")["AttachedPolicies"]
    assert [policy["PolicyName"] for policy in attached] == ["Deploy"]
    (policy,) = account.iam.list_attached_user_policies(UserName="bo")["AttachedPolicies"]
    assert policy["PolicyName"] == "Read"
    boundary = account.iam.get_user(UserName="bo")["User"]["PermissionsBoundary"]["PermissionsBoundaryArn"]
    assert boundary == account.policy_arn("Bound")


def test_an_absent_user_is_told_to_people_and_machines(run: Command) -> None:
    """`get` and `delete` say that the user is not there; JSON has the reason."""
    missing = run("get", "nobody", "--output", "json")
    assert (missing.exit_code, missing.document()["error"]["reason"]) == (1, "USER_NOT_FOUND")
    refused = run("delete", "nobody", "--yes")
    assert refused.exit_code in (1, 3)
    assert "USER_NOT_FOUND" in refused.stderr
    assert "IAM action" not in refused.stderr
