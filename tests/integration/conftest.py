"""The real server in a process of its own, an embedded account in another, and the shipped client between."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import grpc
import pytest
from botocore.config import Config
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from embedded_aws import EmbeddedAws, RoleKey
from identity_client import IdentityClient
from identity_provisioning.v1.credential_service_pb2_grpc import CredentialServiceStub
from identity_provisioning.v1.permission_service_pb2_grpc import PermissionServiceStub
from identity_provisioning.v1.user_service_pb2_grpc import UserServiceStub
from identity_service.iam_policy import PolicyOptions, policy_documents
from identity_service.rpc_actions import RPC_ACTIONS
from tests.support.processes import Process

INSECURE = ("--insecure",)
CALLER = "spiffe://insecure.local/caller"
TEAM = "try-out"
AUTHORIZATION = f'teams: {{{TEAM}: {{accounts: {{"*": unguarded}}}}}}\ncallers: {{"{CALLER}": {TEAM}}}\n'
EVERYTHING = '@id("everything") permit (principal, action, resource);\n'
RESET_POLICY = "arn:aws:iam::aws:policy/IAMUserChangePassword"
BOUNDARY_STATEMENTS = [{"Effect": "Allow", "Action": ["s3:*", "iam:ChangePassword"], "Resource": "*"}]


def document(*statements: Mapping[str, object]) -> str:
    """Write a policy document, compact as the service reads it back."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, separators=(",", ":"))


def error_info(error: grpc.RpcError) -> ErrorInfo:
    """Read what an answer's details say first."""
    metadata: Any = error.trailing_metadata()
    info = ErrorInfo()
    assert Status.FromString(dict(metadata)["grpc-status-details-bin"]).details[0].Unpack(info)
    return info


def reason_of(error: grpc.RpcError) -> str:
    """Read the reason out of an answer's details."""
    return str(error_info(error).reason)


def metadata_of(error: grpc.RpcError) -> dict[str, str]:
    """Read the metadata out of an answer's details."""
    return dict(error_info(error).metadata)


SERVICE_ROLE = "identity-service"


@dataclass
class Account:
    """The AWS account under test, seen from outside the service; the service has just the rights that it prints."""

    aws: EmbeddedAws
    iam: Any = field(init=False)
    service_key: RoleKey = field(init=False)

    def __post_init__(self) -> None:
        self.service_key = self.allow_service(policy_documents(PolicyOptions(self.aws.account_id)))
        self.iam = boto3.client(
            "iam",
            endpoint_url=self.aws.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id=self.aws.access_key_id,
            aws_secret_access_key=self.aws.secret_access_key,
            config=Config(retries={"total_max_attempts": 1}),
        )

    def prepare(self) -> None:
        """Empty the account and give it a group, three policies and an alias."""
        self.aws.reset()
        self.iam.create_account_alias(AccountAlias="acme")
        for name in ("Deploy", "Boundary", "OtherBoundary"):
            self.iam.create_policy(PolicyName=name, PolicyDocument=document(*BOUNDARY_STATEMENTS))
        self.iam.create_group(GroupName="Developers")
        self.iam.attach_group_policy(GroupName="Developers", PolicyArn=self.policy_arn("Deploy"))
        self.aws.clear_calls()

    def allow_service(self, documents: Iterable[Mapping[str, object]]) -> RoleKey:
        """Give the service's role these policies and no others."""
        return self.aws.keep_role(SERVICE_ROLE, [json.dumps(document) for document in documents])

    def policy_arn(self, name: str) -> str:
        """Name a policy of the account."""
        return f"arn:aws:iam::{self.aws.account_id}:policy/{name}"

    def writes(self) -> list[tuple[str, dict[str, Any]]]:
        """List the calls since the account was prepared that were not mere reads."""
        return [
            (call.operation, dict(call.parameters))
            for call in self.aws.calls()
            if not call.operation.startswith(("Get", "List"))
        ]


@dataclass(frozen=True)
class Stubs:
    """The services, one attempt a call."""

    users: UserServiceStub
    credentials: CredentialServiceStub
    permissions: PermissionServiceStub

    def call(self, rpc: str, request: Any) -> Any:
        """Send a request once, a mutation under a new request id unless it has one."""
        if hasattr(request, "request_id"):
            request.request_id = request.request_id or str(uuid4())
        for stub in (self.users, self.credentials, self.permissions):
            if hasattr(stub, rpc):
                return getattr(stub, rpc)(request, timeout=20)
        raise LookupError(rpc)


@pytest.fixture(scope="session")
def embedded_account() -> Iterator[Account]:
    """Run one account for all tests."""
    with EmbeddedAws(access_control=True) as aws:
        yield Account(aws)


@pytest.fixture(scope="session")
def server_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the folder in which the server keeps its store and its log."""
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="session")
def server(embedded_account: Account, server_folder: Path) -> Iterator[str]:
    """Run one server for all tests; its address."""
    process, ready = start_server(embedded_account, server_folder)
    try:
        yield wait_until_ready(process, ready)
    finally:
        process.terminate()
        process.wait(30)


def start_server(
    account: Account, folder: Path, variables: Mapping[str, str] | None = None, options: Sequence[str] = INSECURE
) -> tuple[Process, Path]:
    """Start a server that keeps its files in a folder; it writes its address to the second of what is returned."""
    ready = folder / "ready.json"
    environment = server_environment(account, folder, variables)
    return Process("identity_service", [*options, "--ready-file", str(ready)], env=environment), ready


def start_fresh_server(
    account: Account, folder: Path, variables: Mapping[str, str] | None = None, options: Sequence[str] = INSECURE
) -> tuple[subprocess.Popen[bytes], Path]:
    """Start a server likewise, but with an interpreter of its own: its start and its memory are as in production."""
    ready = folder / "ready.json"
    command = [sys.executable, "-m", "identity_service", *options, "--ready-file", str(ready)]
    return subprocess.Popen(command, env=server_environment(account, folder, variables)), ready


def server_environment(account: Account, folder: Path, variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return a server's variables, those given before its usual ones, and write the files that they name."""
    authorization = folder / "authorization"
    if not authorization.exists():
        authorization.mkdir()
        (authorization / "callers.yaml").write_text(AUTHORIZATION)
        (authorization / "everything.cedar").write_text(EVERYTHING)
    settings = {
        "AWS_SHARED_CREDENTIALS_FILE": str(write_credentials(account.service_key, folder)),
        "IDENTITY_SERVICE_AWS_ACCOUNT_ID": account.aws.account_id,
        "IDENTITY_SERVICE_AWS_ENDPOINT_URL": account.aws.endpoint_url,
        "IDENTITY_SERVICE_AWS_REGION": "us-east-1",
        "IDENTITY_SERVICE_AWS_RETRY_BUDGET": "0.6",
        "IDENTITY_SERVICE_SETTLE_SECONDS": "0.2",
        "IDENTITY_SERVICE_AUTHORIZATION_DIR": str(authorization),
        "IDENTITY_SERVICE_STORE_URL": f"sqlite:///{folder / 'store.sqlite3'}",
        "IDENTITY_SERVICE_LISTEN_ADDRESS": "127.0.0.1:0",
        "IDENTITY_SERVICE_HEALTH_ADDRESS": "127.0.0.1:0",
        "IDENTITY_SERVICE_LOG_FILE": str(folder / "server.log"),
        "IDENTITY_SERVICE_LOG_LEVEL": "DEBUG",
    }
    return {**os.environ, **settings, **(variables or {})}


def write_credentials(key: RoleKey, folder: Path) -> Path:
    """Write a key as boto3 reads it from a file; with TLS the server takes none from variables."""
    file = folder / "aws-credentials"
    file.touch(mode=0o600)
    file.write_text(
        f"[default]\naws_access_key_id = {key.access_key_id}\naws_secret_access_key = {key.secret_access_key}\n"
        f"aws_session_token = {key.session_token}\n"
    )
    return file


def wait_until_ready(process: Process | subprocess.Popen[bytes], ready: Path) -> str:
    """Wait until the server has written its address."""
    while not ready.exists():
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(f"the server ended with {process.returncode}")
    address: str = json.loads(ready.read_text())["listen_address"]
    return address


@pytest.fixture
def stub(server: str, account: Account) -> Iterator[UserServiceStub]:
    """Connect without the shipped client: each call is one attempt."""
    with grpc.insecure_channel(server) as channel:
        yield UserServiceStub(channel)


@pytest.fixture
def account(embedded_account: Account) -> Account:
    """Prepare the account anew for each test."""
    embedded_account.prepare()
    return embedded_account


@pytest.fixture(autouse=True)
def _no_rpc_calls_more_than_its_actions(request: pytest.FixtureRequest) -> Iterator[None]:
    """Hold what each RPC of a test has called against the table that its comment and the role's policy agree with."""
    if "server" not in request.fixturenames:
        yield
        return
    account: Account = request.getfixturevalue("embedded_account")
    log = request.getfixturevalue("server_folder") / "server.log"
    request.getfixturevalue("server")
    seen = log.stat().st_size
    yield
    called = {call.request_id: f"iam:{call.operation}" for call in account.aws.calls()}
    with log.open() as lines:
        lines.seek(seen)
        ended = [line for line in map(json.loads, lines) if line.get("event") == "rpc"]
    for line in ended:
        actions = {called[request_id] for request_id in line["aws_request_ids"] if request_id in called}
        rpc = line["method"].rpartition("/")[2]
        assert actions <= RPC_ACTIONS.get(rpc, frozenset()), rpc


@pytest.fixture
def client(server: str, account: Account) -> Iterator[IdentityClient]:
    """Connect the shipped client."""
    with IdentityClient(server, insecure=True) as connected:
        yield connected


@pytest.fixture
def stubs(server: str, account: Account) -> Iterator[Stubs]:
    """Connect without the shipped client."""
    with grpc.insecure_channel(server) as channel:
        yield Stubs(UserServiceStub(channel), CredentialServiceStub(channel), PermissionServiceStub(channel))
