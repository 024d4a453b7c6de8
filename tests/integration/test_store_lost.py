"""The store is lost: docs/store-lost.md, followed step by step with the real commands on a real server."""

import json
import os
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import grpc
import pytest
from typer.testing import CliRunner

from embedded_aws import Fault
from embedded_aws.faults import AnswerError, Hold
from identity_client import IdentityClient, IdentityServiceError
from identity_client.cli.app import app
from identity_client.sealing import generate_identity
from identity_provisioning.v1.credential_pb2 import CredentialSpec
from identity_provisioning.v1.credential_service_pb2 import CreateCredentialsRequest
from identity_provisioning.v1.credential_service_pb2_grpc import CredentialServiceStub
from identity_provisioning.v1.permission_pb2 import PermissionSpec
from identity_provisioning.v1.user_pb2 import UserSpec
from identity_provisioning.v1.user_service_pb2 import ProvisionUserRequest
from identity_provisioning.v1.user_service_pb2_grpc import UserServiceStub
from tests.integration.conftest import TEAM, Account, start_server, wait_until_ready
from tests.support.processes import Process, run

NEWLY_MADE = "made within the last hour"
KEY = CredentialSpec(access_key=True)


@dataclass(frozen=True)
class Command:
    """What a run of `identity-service` left."""

    exit_code: int
    stdout: str
    stderr: str

    def findings(self) -> list[dict[str, Any]]:
        """Return what a sweep has found, in its order."""
        document: dict[str, list[dict[str, Any]]] = json.loads(self.stdout)
        return document["findings"]

    def named(self) -> set[tuple[str, str]]:
        """Return kind and name of what a sweep has found."""
        return {(found["kind"], found["name"]) for found in self.findings()}


class Operator:
    """Whoever runs the server in a folder, on an account, and has to get over the loss."""

    def __init__(self, account: Account, folder: Path) -> None:
        self.account = account
        self.store = folder / "store.sqlite3"
        self._folder = folder
        self._running: Process | None = None

    @contextmanager
    def server(self) -> Iterator[str]:
        """Run a server while the block lasts, unless it is killed before; its address."""
        (self._folder / "ready.json").unlink(missing_ok=True)
        self._running, ready = start_server(self.account, self._folder)
        try:
            yield wait_until_ready(self._running, ready)
        finally:
            self._running.terminate()
            self._running.wait(30)

    def kill(self) -> None:
        """Kill the server, and what it has on its way to AWS."""
        assert self._running is not None
        self._running.kill()
        self._running.wait(30)
        self.account.aws.clear_faults()

    def run(self, *arguments: str) -> Command:
        """Run `identity-service` with the server's own settings."""
        aws = self.account.aws
        settings = {
            "AWS_ACCESS_KEY_ID": aws.access_key_id,
            "AWS_SECRET_ACCESS_KEY": aws.secret_access_key,
            "IDENTITY_SERVICE_AWS_ACCOUNT_ID": aws.account_id,
            "IDENTITY_SERVICE_AWS_ENDPOINT_URL": aws.endpoint_url,
            "IDENTITY_SERVICE_AUTHORIZATION_DIR": str(self._folder / "authorization"),
            "IDENTITY_SERVICE_STORE_URL": f"sqlite:///{self.store}",
        }
        done = run("identity_service", *arguments, env={**os.environ, **settings})
        assert "Traceback" not in done.stderr
        return Command(done.returncode, done.stdout, done.stderr)

    def lose_the_store(self) -> None:
        """Take the store away, as a broken disk does."""
        for file in self._folder.glob("store.sqlite3*"):
            file.unlink()

    def back_up(self, to: Path) -> None:
        """Copy the store as `sqlite3 FILE .backup` does, while the server runs."""
        with closing(sqlite3.connect(self.store)) as store, closing(sqlite3.connect(to)) as copy:
            store.backup(copy)

    def restore(self, backup: Path) -> None:
        """Put an old backup in the place of the store; the leases in it have run out long ago."""
        self.lose_the_store()
        backup.rename(self.store)
        with closing(sqlite3.connect(self.store)) as store, store:
            store.execute("UPDATE requests SET lease_expires_at = '2020-01-01 00:00:00.000000' WHERE state = 'running'")

    def obey(self, command: str, server: str) -> None:
        """Carry out the command of a finding: `identityctl` itself, and `aws` by the same call."""
        match shlex.split(command):
            case ["identityctl", *arguments]:
                done = CliRunner().invoke(app, ["--target", server, "--insecure", *arguments, "--yes"])
                assert done.exit_code == 0, done.output
            case ["aws", "iam", "delete-access-key", user, key]:
                self.account.iam.delete_access_key(
                    UserName=user.removeprefix("--user-name="), AccessKeyId=key.removeprefix("--access-key-id=")
                )
            case _:
                raise LookupError(command)

    def keys_of(self, user: str) -> list[str]:
        """Return the ids of a user's keys."""
        return [key["AccessKeyId"] for key in self.account.iam.list_access_keys(UserName=user)["AccessKeyMetadata"]]

    def groups_of(self, user: str) -> list[str]:
        """Return the names of a user's groups."""
        return [group["GroupName"] for group in self.account.iam.list_groups_for_user(UserName=user)["Groups"]]


@pytest.fixture
def operator(account: Account, tmp_path: Path) -> Operator:
    """Have a folder for a server of the test's own."""
    return Operator(account, tmp_path)


def provision(client: IdentityClient, user: str, **options: Any) -> Any:
    """Make a user with a group and a key."""
    return client.provision_user(user, groups=["Developers"], access_key=True, timeout=25, **options)


def begin_to_provision(server: str, user: str) -> tuple[grpc.Channel, Any]:
    """Ask for such a user once, and do not wait for the answer."""
    channel = grpc.insecure_channel(server)
    spec = UserSpec(user_name=user, permissions=PermissionSpec(group_names=["Developers"]), credentials=KEY)
    request = ProvisionUserRequest(request_id=str(uuid4()), user=spec)
    return channel, UserServiceStub(channel).ProvisionUser.future(request, timeout=20)


def begin_another_key(server: str, user: str) -> tuple[grpc.Channel, Any]:
    """Ask for a key once, and do not wait for the answer."""
    channel = grpc.insecure_channel(server)
    request = CreateCredentialsRequest(request_id=str(uuid4()), user_name=user, credentials=KEY)
    return channel, CredentialServiceStub(channel).CreateCredentials.future(request, timeout=20)


def told_nothing(*calls: tuple[grpc.Channel, Any]) -> None:
    """Expect that callers get no answer of a server that was killed."""
    for channel, call in calls:
        with channel, pytest.raises(grpc.RpcError):
            call.result()


def test_a_lost_store_is_got_over(operator: Operator) -> None:
    """Starting empty: the sweep names all that is unknown, the half-made first, and its commands put it right."""
    account, request_id = operator.account, str(uuid4())
    with operator.server() as server, IdentityClient(server, insecure=True) as client:
        ana_key = provision(client, "ana", request_id=request_id).credentials.access_key.access_key_id
        provision(client, "bot", recipients=[generate_identity().recipient])
        account.aws.inject(Fault("AddUserToGroup", Hold(), {"UserName": "carl"}))
        account.aws.inject(Fault("CreateAccessKey", Hold(done=True), {"UserName": "ana"}))
        calls = begin_to_provision(server, "carl"), begin_another_key(server, "ana")
        account.aws.wait_for_held(2)
        operator.kill()
        told_nothing(*calls)
    (lost_key,) = set(operator.keys_of("ana")) - {ana_key}

    operator.lose_the_store()
    assert operator.run("migrate").exit_code == 0
    swept = operator.run("sweep", "--json")
    assert swept.exit_code == 3
    first, *others = swept.findings()
    assert (first["kind"], first["name"], first["owner_team"]) == ("user", "carl", TEAM)
    assert first["signs"] == ["no group and no policy", "no credentials", NEWLY_MADE]
    assert first["command"] == "identityctl delete carl"
    assert {(found["kind"], found["name"], found["identifier"]) for found in others if found["kind"] != "user"} == {
        ("access-key", "ana", ana_key),
        ("access-key", "ana", lost_key),
        ("access-key", "bot", operator.keys_of("bot")[0]),
    }
    assert {(found["name"], *found["signs"]) for found in others if found["kind"] == "user"} == {
        ("ana", NEWLY_MADE),
        ("bot", NEWLY_MADE),
    }
    lost = next(found for found in others if found["identifier"] == lost_key)
    lines = operator.run("sweep")
    assert (lines.exit_code, len(lines.stdout.splitlines())) == (3, len(others) + 1)
    assert lines.stdout.startswith(f"user carl AIDA{first['identifier'][4:]}  team {TEAM}  20")

    with operator.server() as server, IdentityClient(server, insecure=True) as client:
        operator.obey(first["command"], server)
        operator.obey(lost["command"], server)
        provision(client, "carl")
        # What the document says of old request ids: they are not known any more.
        with pytest.raises(IdentityServiceError) as caught:
            provision(client, "ana", request_id=request_id)
        assert caught.value.reason == "USER_ALREADY_EXISTS"
    assert {user: operator.groups_of(user) for user in ("ana", "bot", "carl")} == {
        "ana": ["Developers"],
        "bot": ["Developers"],
        "carl": ["Developers"],
    }
    assert operator.keys_of("ana") == [ana_key]
    assert [len(operator.keys_of(user)) for user in ("bot", "carl")] == [1, 1]
    again = operator.run("sweep", "--json")
    assert again.named() == {(kind, user) for kind in ("user", "access-key") for user in ("ana", "bot")}
    assert again.exit_code == 3


def test_an_old_backup_is_got_over(operator: Operator, tmp_path: Path) -> None:
    """With a backup, only what is younger is named, and what it takes for running is ended, not undone or redone."""
    account, backup = operator.account, tmp_path / "backup"
    with operator.server() as server, IdentityClient(server, insecure=True) as client:
        provision(client, "ana")
        account.aws.inject(Fault("CreateAccessKey", Hold(done=True), {"UserName": "dora"}))
        channel, dora = begin_to_provision(server, "dora")
        account.aws.wait_for_held()
        operator.back_up(backup)
        account.aws.release()
        with channel:
            dora_key = dora.result().credentials.access_key
        provision(client, "bot")
        account.aws.inject(Fault("AddUserToGroup", Hold(), {"UserName": "carl"}))
        call = begin_to_provision(server, "carl")
        account.aws.wait_for_held()
        operator.kill()
        told_nothing(call)
    boto3.client(
        "sts",
        endpoint_url=account.aws.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=dora_key.access_key_id,
        aws_secret_access_key=dora_key.secret_access_key,
    ).get_caller_identity()

    operator.restore(backup)
    assert operator.run("migrate").exit_code == 0
    request, *others = operator.run("sweep", "--json").findings()
    assert (request["kind"], request["name"]) == ("request", "user/dora")
    assert request["command"] == "identity-service sweep --end-abandoned"
    assert {(found["kind"], found["name"]) for found in others} == {
        ("user", "carl"),
        ("user", "bot"),
        ("access-key", "bot"),
    }
    ended = operator.run("sweep", "--end-abandoned", "--json")
    assert "abandoned requests that were ended: 1" in ended.stderr
    assert ended.named() == {(found["kind"], found["name"]) for found in others} | {
        ("user", "dora"),
        ("access-key", "dora"),
    }
    used = next(found for found in ended.findings() if found["identifier"] == dora_key.access_key_id)
    assert used["advice"] == "somebody uses it: keep it"

    with operator.server() as server, IdentityClient(server, insecure=True) as client:
        operator.obey(ended.findings()[0]["command"], server)
        provision(client, "carl")
    assert {user: len(operator.keys_of(user)) for user in ("ana", "bot", "carl")} == {"ana": 1, "bot": 1, "carl": 1}
    assert operator.keys_of("dora") == [dora_key.access_key_id]
    again = operator.run("sweep", "--json")
    assert again.named() == {(kind, user) for kind in ("user", "access-key") for user in ("bot", "dora")}


def test_with_the_store_there_a_sweep_finds_nothing(operator: Operator) -> None:
    """All that the store knows is vouched for; nothing found is exit code 0."""
    with operator.server() as server, IdentityClient(server, insecure=True) as client:
        provision(client, "ana", mfa_device=True)
        swept = operator.run("sweep")
    assert (swept.exit_code, swept.stdout) == (
        0,
        "nothing found: the store vouches for all that this service has made\n",
    )


def test_what_a_sweep_cannot_do_is_told(operator: Operator, tmp_path: Path) -> None:
    """Wrong settings are code 2, an AWS that refuses is code 1; both in words."""
    (tmp_path / "authorization").mkdir()
    operator.account.aws.inject(Fault("ListVirtualMFADevices", AnswerError("AccessDenied", 403)))
    refused = operator.run("sweep")
    assert refused.exit_code == 1
    assert "AWS denies this service the action" in refused.stderr
    (tmp_path / "authorization").rmdir()
    wrong = operator.run("sweep")
    assert wrong.exit_code == 2
    assert "IDENTITY_SERVICE_AUTHORIZATION_DIR" in wrong.stderr
