"""Authorization through a real channel: what a denied caller learns, and rules that change while the server runs."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from identity_provisioning.v1.permission_pb2 import PermissionSpec
from identity_provisioning.v1.permission_service_pb2 import AssignPermissionsRequest
from identity_provisioning.v1.permission_service_pb2_grpc import PermissionServiceStub
from identity_provisioning.v1.user_pb2 import UserSpec
from identity_provisioning.v1.user_service_pb2 import CreateUserRequest, GetUserRequest, ProvisionUserRequest
from identity_provisioning.v1.user_service_pb2_grpc import UserServiceStub
from tests.integration.conftest import (
    CALLER,
    EVERYTHING,
    Account,
    error_info,
    start_server,
    wait_until_ready,
)

CALLERS = f"""
teams:
  web:
    accounts:
      "*": {{allowed_groups: [Developers]}}
callers:
  "{CALLER}": web
"""
NO_POLICIES = '@id("secret-name") forbid (principal, action == Action::"iam:AttachUserPolicy", resource);'
SECONDS = 15.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of rules: everything but attached policies, and one group alone."""
    folder = tmp_path / "authorization"
    folder.mkdir()
    (folder / "callers.yaml").write_text(CALLERS)
    (folder / "web.cedar").write_text(EVERYTHING + NO_POLICIES)
    return folder


@pytest.fixture
def channel(account: Account, folder: Path, tmp_path: Path) -> Iterator[grpc.Channel]:
    """A server of its own that reads the folder."""
    process, ready = start_server(account, tmp_path)
    try:
        with grpc.insecure_channel(wait_until_ready(process, ready)) as channel:
            yield channel
    finally:
        process.terminate()
        process.wait(30)


def refused(channel: grpc.Channel, name: str, permissions: PermissionSpec) -> tuple[dict[str, str], str]:
    """Ask for a user with permissions; return the metadata of the refusal, and all that it says."""
    request = ProvisionUserRequest(
        request_id="0b8f5a1e-6c1d-4f0e-9a54-3f6d0c2b7e11", user=UserSpec(user_name=name, permissions=permissions)
    )
    with pytest.raises(grpc.RpcError) as caught:
        UserServiceStub(channel).ProvisionUser(request, timeout=20)
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
    info = error_info(caught.value)
    assert info.reason == "CALLER_NOT_ALLOWED"
    return dict(info.metadata), f"{caught.value.details()} {info}"


def refusal_of(stub: UserServiceStub, request: CreateUserRequest) -> str | None:
    """Return the rule that refuses a request; None if none does."""
    try:
        stub.CreateUser(request, timeout=20)
    except grpc.RpcError as error:
        return str(error_info(error).metadata["rule"])
    return None


def test_a_denied_caller_learns_a_reason_code_and_no_policy(channel: grpc.Channel, account: Account) -> None:
    """What was refused of what it asked for, and the kind of rule: not the policy, its name or its file."""
    deploy = account.policy_arn("Deploy")
    told, words = refused(channel, "ana", PermissionSpec(managed_policies=[deploy]))
    arn = f"arn:aws:iam::{account.aws.account_id}:user/ana"
    assert told == {"action": "ProvisionUser", "rule": "grant", "step": "iam:AttachUserPolicy", "resource": arn}
    assert not [secret for secret in ("secret-name", "forbid", "web", "everything", "cedar") if secret in words]
    account.iam.create_group(GroupName="Admins")
    told, words = refused(channel, "ana", PermissionSpec(group_names=["Admins"]))
    assert told["rule"] == "guard-rail:allowed-groups"
    assert "Developers" not in words
    assert account.iam.list_users()["Users"] == []


def test_a_plan_is_denied_like_its_run(channel: grpc.Channel, account: Account) -> None:
    """validate_only tells nothing that a run would not."""
    stub = PermissionServiceStub(channel)
    account.iam.create_user(UserName="bo")
    request = AssignPermissionsRequest(
        request_id="5d4e1d39-7a3c-4b8c-8e0b-2c7d9a1f4e55",
        user_name="bo",
        validate_only=True,
        permissions=PermissionSpec(group_names=["Developers"]),
    )
    with pytest.raises(grpc.RpcError) as caught:
        stub.AssignPermissions(request, timeout=20)
    assert error_info(caught.value).reason == "NOT_OWNER"


def test_rules_change_while_the_server_runs(channel: grpc.Channel, folder: Path, tmp_path: Path) -> None:
    """A good change is in force within seconds; a broken one changes nothing and is logged."""
    stub = UserServiceStub(channel)
    request = CreateUserRequest(request_id="c0a8a1de-9a9f-4f9d-9d5e-8f6f2b1c3d44", user_name="ana", validate_only=True)
    stub.CreateUser(request, timeout=20)
    (folder / "web.cedar").write_text('@id("reads") permit (principal, action in Action::"reads", resource);')
    deadline = time.monotonic() + SECONDS
    while (rule := refusal_of(stub, request)) is None and time.monotonic() < deadline:
        pass
    assert rule == "rpc"
    (folder / "web.cedar").write_text("permit (")
    log = tmp_path / "server.log"
    while time.monotonic() < deadline and "authorization_reload_failed" not in log.read_text():
        with pytest.raises(grpc.RpcError) as caught:
            stub.GetUser(GetUserRequest(user_name="nobody"), timeout=20)
        assert error_info(caught.value).reason == "USER_NOT_FOUND"
    alarms = [json.loads(line) for line in log.read_text().splitlines() if "authorization_reload_failed" in line]
    assert "web.cedar:1: this is no policy" in alarms[0]["problem"]
