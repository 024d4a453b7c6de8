"""One server in several accounts: the real server, embedded accounts with access control, the shipped client."""

import json
import os
import shlex
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.request import urlopen

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from embedded_aws import EmbeddedAws, Fault, throttled
from identity_client import (
    FailedPrecondition,
    IdentityClient,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    Unavailable,
    user_spec,
)
from identity_client.cli.app import app
from identity_service.iam_policy import PolicyOptions, policy_documents
from identity_service.role_trust import POD_IDENTITY_TAGS, assume_document, trust_document
from tests.integration.conftest import (
    CALLER,
    EVERYTHING,
    INSECURE,
    SERVICE_ROLE,
    TEAM,
    Account,
    start_server,
    wait_until_ready,
)
from tests.support.operations_page import lines_of_page
from tests.support.processes import run

OWN, MEMBER, LOCKED, CLOSED, UNKNOWN = (digit * 12 for digit in "12345")
"""The server's own account; one by a role; one whose role asks for another external id; one that the caller's team is
not let into; one that is not configured."""
EXTERNAL_ID = "acme/identity-service"
CALLERS = f"""
teams:
  {TEAM}:
    accounts:
      "{OWN}": unguarded
      "{MEMBER}": {{user_name_pattern: "member-.*|same"}}
      "{LOCKED}": unguarded
callers:
  "{CALLER}": {TEAM}
"""
MANY = 12


def role_in(account_id: str) -> str:
    """Name the service's role in an account."""
    return f"arn:aws:iam::{account_id}:role/{SERVICE_ROLE}"


def accounts_file() -> str:
    """Write the file: the server's own account, and three by a role each."""
    others = "".join(
        f'  - id: "{each}"\n    role_arn: {role_in(each)}\n    external_id: {EXTERNAL_ID}\n'
        for each in (MEMBER, LOCKED, CLOSED)
    )
    return f'accounts:\n  - id: "{OWN}"\n{others}'


@dataclass(frozen=True)
class World:
    """The accounts, and the server that works in them."""

    aws: EmbeddedAws
    folder: Path
    address: str

    def iam(self, account_id: str) -> Any:
        """IAM, as an account's administrator sees it."""
        return iam_of(self.aws, account_id)

    def users(self, account_id: str) -> set[str]:
        """Name an account's users."""
        return {user["UserName"] for user in self.iam(account_id).list_users()["Users"]}

    def log(self, event: str) -> list[dict[str, Any]]:
        """Return what was logged of an event."""
        lines = map(json.loads, (self.folder / "server.log").read_text().splitlines())
        return [line for line in lines if line["event"] == event]

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run `identity-service` with the server's settings."""
        return run("identity_service", *arguments, env=self.environment())

    def environment(self) -> dict[str, str]:
        """Return what commands read, with the key of the server's own role."""
        key = self.aws.keep_role(SERVICE_ROLE, server_documents())
        return {
            **os.environ,
            "AWS_ACCESS_KEY_ID": key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
            "AWS_SESSION_TOKEN": key.session_token,
            "IDENTITY_SERVICE_AWS_ACCOUNTS_FILE": str(self.folder / "accounts.yaml"),
            "IDENTITY_SERVICE_AWS_ENDPOINT_URL": self.aws.endpoint_url,
            "IDENTITY_SERVICE_AWS_REGION": "us-east-1",
            "IDENTITY_SERVICE_AUTHORIZATION_DIR": str(self.folder / "authorization"),
            "IDENTITY_SERVICE_STORE_URL": f"sqlite:///{self.folder / 'store.sqlite3'}",
        }


def iam_of(aws: EmbeddedAws, account_id: str) -> Any:
    """Connect an account's administrator."""
    key = aws.administrators[account_id]
    return connect(aws, "iam", key.access_key_id, key.secret_access_key)


def connect(aws: EmbeddedAws, service: Literal["iam", "sts"], key: str, secret: str, token: str | None = None) -> Any:
    """Connect with a key; a call is sent once."""
    return boto3.client(
        service,
        endpoint_url=aws.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(retries={"total_max_attempts": 1}),
    )


def server_documents() -> list[str]:
    """Write the policies of the server's own role, as `iam-policy` prints them."""
    may_assume = printed("--assume"), assume_document([role_in(LOCKED), role_in(CLOSED)])
    return [json.dumps(document) for document in (*policy_documents(PolicyOptions(OWN)), *may_assume)]


def printed(option: str) -> dict[str, Any]:
    """Run the line of docs/operations.md with an option of `iam-policy`, for these accounts; return its document."""
    (line,) = [line for line in lines_of_page() if f"iam-policy {option} " in line]
    for on_the_page, here in (("210987654321", MEMBER), ("123456789012", OWN)):
        line = line.replace(on_the_page, here)
    arguments = shlex.split(line.partition(" > ")[0])[1:]
    done = run("identity_service", *arguments, env=os.environ)
    done.check_returncode()
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def make_role(aws: EmbeddedAws, account_id: str, external_id: str) -> None:
    """Make the service's role in an account, with the two policies that `iam-policy` prints."""
    iam = iam_of(aws, account_id)
    trust = printed("--trust") if external_id == EXTERNAL_ID else trust_document(role_in(OWN), external_id)
    iam.create_role(RoleName=SERVICE_ROLE, AssumeRolePolicyDocument=json.dumps(trust))
    for number, document in enumerate(policy_documents(PolicyOptions(account_id))):
        iam.put_role_policy(RoleName=SERVICE_ROLE, PolicyName=f"service-{number}", PolicyDocument=json.dumps(document))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Run accounts and a server."""
    folder = tmp_path_factory.mktemp("accounts")
    (folder / "accounts.yaml").write_text(accounts_file())
    (folder / "authorization").mkdir()
    (folder / "authorization" / "callers.yaml").write_text(CALLERS)
    (folder / "authorization" / "everything.cedar").write_text(EVERYTHING)
    with EmbeddedAws(account_id=OWN, access_control=True, more_accounts=(MEMBER, LOCKED, CLOSED)) as aws:
        account = Account(aws)
        account.allow_service(map(json.loads, server_documents()))
        make_role(aws, MEMBER, EXTERNAL_ID)
        make_role(aws, LOCKED, "another-one")
        variables = {
            "IDENTITY_SERVICE_AWS_ACCOUNT_ID": "",
            "IDENTITY_SERVICE_AWS_ACCOUNTS_FILE": str(folder / "accounts.yaml"),
            "IDENTITY_SERVICE_METRICS_LISTEN_ADDRESS": "127.0.0.1:0",
        }
        process, ready = start_server(account, folder, variables)
        try:
            yield World(aws, folder, wait_until_ready(process, ready))
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture
def client(world: World) -> Iterator[IdentityClient]:
    """Connect the shipped client; nothing of an earlier test disturbs the accounts any more."""
    world.aws.clear_faults()
    with IdentityClient(world.address, insecure=True) as connected:
        yield connected


def test_the_same_name_is_another_user_in_another_account(world: World, client: IdentityClient) -> None:
    """A user is made in each account under one name; deleting the one leaves the other, with its key."""
    made = {each: client.provision_user("same", access_key=True, account_id=each) for each in (OWN, MEMBER)}
    assert {each: reply.user.arn for each, reply in made.items()} == {
        each: f"arn:aws:iam::{each}:user/same" for each in (OWN, MEMBER)
    }
    client.delete_user("same", account_id=OWN)
    assert "same" not in world.users(OWN)
    (key,) = world.iam(MEMBER).list_access_keys(UserName="same")["AccessKeyMetadata"]
    assert key["AccessKeyId"] == made[MEMBER].credentials.access_key.access_key_id


def test_a_client_may_have_an_account_of_its_own(world: World) -> None:
    """Who names an account once, for the client, need not name it in each call."""
    with IdentityClient(world.address, insecure=True, account_id=MEMBER) as client:
        assert client.get_account().account.account_id == MEMBER


def test_a_request_has_to_name_its_account(client: IdentityClient) -> None:
    """Without one it is INVALID_FIELD, with all that is wrong besides, and names what the caller may use, no more."""
    with pytest.raises(InvalidRequest) as raised:
        client.provision_user("no spaces")
    described = {violation.field: violation.description for violation in raised.value.field_violations}
    assert raised.value.reason == "INVALID_FIELD"
    assert set(described) == {"account_id", "user.user_name"}
    assert described["account_id"] == f"must name an account: {OWN}, {MEMBER}, {LOCKED}"


def test_accounts_that_are_closed_to_a_team_are_not_told_from_unknown_ones(client: IdentityClient) -> None:
    """Whether an account is configured or not, who is let into neither gets the same answer."""
    answers = []
    for account_id in (CLOSED, UNKNOWN):
        with pytest.raises(PermissionDenied) as raised:
            client.get_user("ana", account_id=account_id)
        answers.append((raised.value.reason, str(raised.value), dict(raised.value.metadata)))
    first, second = ({**metadata, "trace_id": ""} for _, _, metadata in answers)
    assert answers[0][0] == answers[1][0] == "CALLER_NOT_ALLOWED"
    assert first == second
    assert CLOSED not in answers[0][1]


def test_guard_rails_are_those_of_the_account(client: IdentityClient) -> None:
    """A name that is free to choose in one account breaks the rule of the other."""
    client.create_user("free-name", account_id=OWN)
    with pytest.raises(PermissionDenied) as raised:
        client.create_user("free-name", account_id=MEMBER)
    assert raised.value.metadata["rule"] == "guard-rail:user-name-pattern"
    client.create_user("member-1", account_id=MEMBER)


def test_a_role_that_cannot_be_assumed_fails_its_account_alone(world: World, client: IdentityClient) -> None:
    """Calls for it answer AWS_CREDENTIALS_REFUSED at once, the start has said why, and the others are served."""
    with pytest.raises(FailedPrecondition) as raised:
        client.get_account(account_id=LOCKED)
    assert raised.value.reason == "AWS_CREDENTIALS_REFUSED"
    assert client.get_account(account_id=MEMBER).account.account_id == MEMBER
    assert {line["account_id"] for line in world.log("the AWS account is verified")} == {OWN, MEMBER}
    unverified = world.log("the AWS account could not be verified")
    assert {line["account_id"] for line in unverified} == {LOCKED, CLOSED}
    assert {line["problem"] for line in unverified} == {"AWS refuses to let the service assume the account's role"}


def test_throttling_slows_one_account_alone(world: World, client: IdentityClient) -> None:
    """While one account is throttled its calls fail or wait, those to the other have no pace and go on."""
    world.aws.inject(Fault("GetUser", throttled(), {"UserName": "member-busy"}, times=None))

    def ask_the_throttled() -> None:
        with pytest.raises(Unavailable) as raised:
            client.get_user("member-busy", account_id=MEMBER, timeout=3)
        assert raised.value.reason == "THROTTLED"

    with ThreadPoolExecutor(4) as threads:
        throttled_calls = [threads.submit(ask_the_throttled) for _ in range(4)]
        for _ in range(20):
            with pytest.raises(NotFound):
                client.get_user("nobody", account_id=OWN)
        for call in throttled_calls:
            call.result()
    paces = [line for line in scrape(world).splitlines() if line.startswith("identity_service_aws_pace")]
    assert [line for line in paces if MEMBER in line]
    assert not [line for line in paces if OWN in line]


def test_an_operation_runs_in_each_account(world: World, client: IdentityClient) -> None:
    """Two operations side by side make their users each in its own account; neither account sees the other's."""

    def run(account_id: str) -> list[str]:
        users = (user_spec(f"member-bulk-{number}") for number in range(MANY))
        return [result.WhichOneof("outcome") or "" for result in client.provision_many(users, account_id=account_id)]

    with ThreadPoolExecutor(2) as threads:
        outcomes = list(threads.map(run, (OWN, MEMBER)))
    assert outcomes == [["made"] * MANY] * 2
    for account_id in (OWN, MEMBER):
        assert len([name for name in world.users(account_id) if name.startswith("member-bulk-")]) == MANY
        (operation,) = client.list_operations(account_id=account_id).operations
        with pytest.raises(NotFound):
            client.get_operation(operation.operation_id, account_id=MEMBER if account_id == OWN else OWN)


def test_identityctl_names_the_account(world: World, client: IdentityClient) -> None:
    """`--account` leads each command to its account; without it the answer names those that there are."""
    client.create_user("member-shown", account_id=MEMBER)

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(app, ["--target", world.address, "--insecure", *arguments])

    shown = run("--account", MEMBER, "get", "member-shown", "--output", "json")
    assert shown.exit_code == 0, shown.output
    assert MEMBER in shown.stdout
    unnamed = run("get", "member-shown")
    assert unnamed.exit_code == 1, unnamed.output
    assert f"must name an account: {OWN}, {MEMBER}, {LOCKED}" in unnamed.output.replace("\n", " ")


def test_the_audit_log_tells_the_accounts_apart(world: World, client: IdentityClient) -> None:
    """Each line of the export names its account, and one account's lines can be had alone."""
    for account_id in (OWN, MEMBER):
        client.create_user("member-audited", account_id=account_id)
    exported = world.run("audit", "export", "--user", "member-audited")
    lines = [json.loads(line) for line in exported.stdout.splitlines()]
    assert {line["account_id"] for line in lines if line["event"] == "outcome"} == {OWN, MEMBER}
    of_one = world.run("audit", "export", "--user", "member-audited", "--account", MEMBER)
    assert {json.loads(line)["account_id"] for line in of_one.stdout.splitlines()} == {MEMBER}


def test_a_sweep_goes_through_all_accounts(world: World, client: IdentityClient) -> None:
    """What one account has is told with its commands, though others cannot be read; one alone is swept on request."""
    owner = [{"Key": "identity-provisioning:owner", "Value": TEAM}, {"Key": "identity-provisioning:row", "Value": "x"}]
    world.iam(MEMBER).create_user(UserName="member-lost", Tags=owner)
    whole = world.run("sweep", "--json")
    assert whole.returncode == 1, whole.stderr
    document = json.loads(whole.stdout)
    assert document["account_ids"] == [OWN, MEMBER, LOCKED, CLOSED]
    assert [(found["account_id"], found["name"], found["command"]) for found in document["findings"]] == [
        (MEMBER, "member-lost", f"identityctl --account {MEMBER} delete member-lost")
    ]
    for account_id in (LOCKED, CLOSED):
        assert f"identity-service: account {account_id} could not be swept: " in whole.stderr
    one = world.run("sweep", "--account", MEMBER)
    assert one.returncode == 3
    assert one.stdout.startswith(f"{MEMBER} user member-lost ")
    assert world.run("sweep", "--account", OWN).returncode == 0
    world.iam(MEMBER).delete_user(UserName="member-lost")


@pytest.mark.parametrize(("own_side", "other_side"), [(False, False), (False, True), (True, False), (True, True)])
def test_under_pod_identity_both_policies_have_to_let_its_tags_along(
    world: World, own_side: bool, other_side: bool
) -> None:
    """A session with EKS Pod Identity's tags needs `--pod-identity` on both sides, and can give itself no other tag."""
    own, other = iam_of(world.aws, OWN), iam_of(world.aws, MEMBER)
    own_name, other_name = (f"pod-{own_side}-{other_side}-{end}" for end in ("own", "other"))
    own_arn, other_arn = f"arn:aws:iam::{OWN}:role/{own_name}", f"arn:aws:iam::{MEMBER}:role/{other_name}"
    of_eks = {"Effect": "Allow", "Principal": {"AWS": OWN}, "Action": ["sts:AssumeRole", "sts:TagSession"]}
    trust = {"Version": "2012-10-17", "Statement": [of_eks]}
    own.create_role(RoleName=own_name, AssumeRolePolicyDocument=json.dumps(trust))
    may_assume = json.dumps(assume_document([other_arn], pod_identity=own_side))
    own.put_role_policy(RoleName=own_name, PolicyName="assume", PolicyDocument=may_assume)
    trusted = json.dumps(trust_document(own_arn, EXTERNAL_ID, pod_identity=other_side))
    other.create_role(RoleName=other_name, AssumeRolePolicyDocument=trusted)
    tags = [{"Key": key, "Value": "of-eks"} for key in POD_IDENTITY_TAGS]
    administrator = world.aws.administrators[OWN]
    sts = connect(world.aws, "sts", administrator.access_key_id, administrator.secret_access_key)
    keys = list(POD_IDENTITY_TAGS)
    made = sts.assume_role(RoleArn=own_arn, RoleSessionName="pod", Tags=tags, TransitiveTagKeys=keys)["Credentials"]
    pod = connect(world.aws, "sts", made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])
    asked = {"RoleArn": other_arn, "RoleSessionName": "server", "ExternalId": EXTERNAL_ID}
    if own_side and other_side:
        pod.assume_role(**asked)
    else:
        with pytest.raises(ClientError, match="not authorized to perform: sts:TagSession"):
            pod.assume_role(**asked)
    with pytest.raises(ClientError, match="not authorized to perform: sts:TagSession"):
        pod.assume_role(**asked, Tags=[{"Key": "department", "Value": "finance"}])


def test_a_wrong_file_stops_the_start(world: World, tmp_path: Path) -> None:
    """Every mistake is told with file, line and key, and nothing is served: exit code 2."""
    file = tmp_path / "accounts.yaml"
    file.write_text(accounts_file().replace(role_in(MEMBER), role_in(LOCKED)) + "  - id: 12\n")
    environment = {**world.environment(), "IDENTITY_SERVICE_AWS_ACCOUNTS_FILE": str(file)}
    ended = run("identity_service", *INSECURE, env=environment)
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert line.startswith("identity-service: IDENTITY_SERVICE_AWS_ACCOUNTS_FILE: accounts.yaml:12: accounts[4].id: ")
    file.write_text(accounts_file().replace(role_in(MEMBER), role_in(LOCKED)))
    ended = run("identity_service", *INSECURE, env=environment)
    assert ended.returncode == 2
    assert "accounts.yaml:4: accounts[1].role_arn: the role is in another account than this one" in ended.stderr


def test_an_account_without_a_role_has_to_be_the_servers_own(world: World, tmp_path: Path) -> None:
    """Where the server's own credentials belong to another account than the file says, it does not start."""
    file = tmp_path / "accounts.yaml"
    file.write_text(f'accounts:\n  - id: "{UNKNOWN}"\n  - id: "{MEMBER}"\n    role_arn: {role_in(MEMBER)}\n')
    environment = {
        **world.environment(),
        "IDENTITY_SERVICE_AWS_ACCOUNTS_FILE": str(file),
        "IDENTITY_SERVICE_STORE_URL": f"sqlite:///{tmp_path / 'store.sqlite3'}",
        "IDENTITY_SERVICE_LISTEN_ADDRESS": "127.0.0.1:0",
        "IDENTITY_SERVICE_HEALTH_ADDRESS": "127.0.0.1:0",
    }
    ended = run("identity_service", *INSECURE, env=environment)
    assert ended.returncode == 2
    assert f"IDENTITY_SERVICE_AWS_ACCOUNTS_FILE: account {UNKNOWN}: the credentials belong to another" in ended.stderr


def scrape(world: World) -> str:
    """Read the server's metrics."""
    address = json.loads((world.folder / "ready.json").read_text())["metrics_address"]
    with urlopen(f"http://{address}/metrics", timeout=10) as answer:
        return str(answer.read().decode())
