"""The CI pipeline of the examples: its script lines, run in their order by a shell, against a server and an account."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from identity_client.sealing import generate_identity
from tests.support.example_service import EXAMPLES, ExampleService, example_service

FOLDER = EXAMPLES / "ci"
BASH = shutil.which("bash") or "/bin/bash"
CALLER = "spiffe://example.org/ci/pipeline"
IDENTITY = generate_identity()
USERS = ("ci-builder", "ci-releaser")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[ExampleService]:
    """Run a server for the pipeline, with the authorization that stands beside it."""
    folder = tmp_path / "service"
    folder.mkdir()
    with example_service(folder, CALLER, FOLDER / "authorization") as service:
        yield service


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Make the folder that a runner has checked out."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    shutil.copy(FOLDER / "users.yaml", folder)
    (folder / "recipients.txt").write_text(f"{IDENTITY.recipient}\n")
    return folder


def job(name: str) -> dict[str, Any]:
    """Read one job of the pipeline."""
    found: dict[str, Any] = yaml.safe_load((FOLDER / "pipeline.yaml").read_text())[name]
    return found


def run(name: str, checkout: Path, service: ExampleService) -> subprocess.CompletedProcess[str]:
    """Run a job's lines as a runner does: one shell, which ends at the first that fails."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        [BASH, "-euo", "pipefail", "-c", "\n".join(job(name)["script"])],
        cwd=checkout,
        env={**os.environ, **service.connection(), "PATH": path, "COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )


def test_the_pipeline_makes_what_was_reviewed(running: ExampleService, checkout: Path) -> None:
    """Planned and then provisioned, the users are there, and their keys open with the recipients' identity alone."""
    planned = run("plan", checkout, running)
    assert planned.returncode == 0, planned.stdout + planned.stderr
    assert not set(USERS) & names(running)
    made = run("provision", checkout, running)
    assert made.returncode == 0, made.stdout + made.stderr
    assert set(USERS) <= names(running)
    for artifact in (path for each in ("plan", "provision") for path in job(each)["artifacts"]["paths"]):
        if artifact != "mail":  # machines get none
            assert (checkout / artifact).is_file()
    shown = "".join(each.stdout + each.stderr for each in (planned, made)) + running.log.read_text()
    secrets = opened_secrets(checkout)
    assert len(secrets) == len(USERS)
    assert not [secret for secret in secrets if secret in shown]


def test_what_was_not_reviewed_is_not_made(running: ExampleService, checkout: Path) -> None:
    """When the users change after the review, nobody is made and the exit code says why."""
    assert run("plan", checkout, running).returncode == 0
    users = checkout / "users.yaml"
    users.write_text(users.read_text().replace("ci-releaser", "ci-stranger"))
    made = run("provision", checkout, running)
    assert made.returncode == 3
    assert not {*USERS, "ci-stranger"} & names(running)


def test_a_plan_that_cannot_run_stops_the_pipeline(running: ExampleService, checkout: Path) -> None:
    """A user without the boundary fails the review, and leaves no plan that could be approved."""
    users = checkout / "users.yaml"
    users.write_text(users.read_text().replace("  boundary: TeamBoundary\n", ""))
    planned = run("plan", checkout, running)
    assert planned.returncode != 0
    assert "CALLER_NOT_ALLOWED" in planned.stdout + planned.stderr
    assert not (checkout / "plan.json").exists()


def names(service: ExampleService) -> set[str]:
    """Name the account's users."""
    return {user["UserName"] for user in service.iam.list_users()["Users"]}


def opened_secrets(checkout: Path) -> list[str]:
    """Open the artifact as the recipient does, with the command line."""
    identity = checkout / "key.txt"
    identity.write_text(IDENTITY.secret)
    identity.chmod(0o600)
    program = str(Path(sys.executable).with_name("identityctl"))
    command = [program, "open", "credentials.age", "--identity", "key.txt", "--csv", "opened.csv"]
    subprocess.run(command, cwd=checkout, check=True, capture_output=True)
    rows = (checkout / "opened.csv").read_text().splitlines()[1:]
    return [row.split(",")[3].strip('"').removeprefix("'") for row in rows]
