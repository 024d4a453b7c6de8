"""The CI pipeline of the examples: which job runs when and with what, and its script lines, run by a shell."""

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
from tests.support.example_service import EXAMPLES, ROOT, ExampleService, example_service

FOLDER = EXAMPLES / "ci"
BASH = shutil.which("bash") or "/bin/bash"
CALLER = "spiffe://example.org/ci/pipeline"
IDENTITY = generate_identity()
USERS = ("ci-builder", "ci-releaser")
PIPELINE: dict[str, Any] = yaml.safe_load((FOLDER / "pipeline.yaml").read_text())
JOBS = {name: job for name, job in PIPELINE.items() if name not in ("stages", "default", "workflow")}
MERGE_REQUEST = '$CI_PIPELINE_SOURCE == "merge_request_event"'
DEFAULT_BRANCH = "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH"
INSTALLS = "python3 -m pip install"


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
    (folder / "tools").mkdir()
    shutil.copy(ROOT / "docs" / "users.schema.json", folder / "tools")
    return folder


def when(name: str, condition: str) -> str:
    """Tell when a job runs in a pipeline of this kind: `on_success`, `manual`, or `never`, as by GitLab's rules."""
    rules = [rule for rule in JOBS[name]["rules"] if rule["if"] == condition]
    return str(rules[0].get("when", "on_success")) if rules else "never"


def run(name: str, checkout: Path, service: ExampleService | None) -> subprocess.CompletedProcess[str]:
    """Run a job's lines as a runner does: one shell, which ends at the first that fails."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    # What it installs, the tests have.
    lines = [line for line in JOBS[name]["script"] if not line.startswith(INSTALLS)]
    return subprocess.run(
        [BASH, "-euo", "pipefail", "-c", "\n".join(lines)],
        cwd=checkout,
        env={**os.environ, **(service.connection() if service else {}), "PATH": path, "COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )


def test_jobs_run_where_their_rules_say() -> None:
    """A merge request is checked alone; the plan is made on the default branch, where a person starts what follows."""
    assert {name: when(name, MERGE_REQUEST) for name in JOBS} == {
        "check": "on_success",
        "plan": "never",
        "provision": "never",
    }
    assert {name: when(name, DEFAULT_BRANCH) for name in JOBS} == {
        "check": "never",
        "plan": "on_success",
        "provision": "manual",
    }
    assert [rule["if"] for rule in PIPELINE["workflow"]["rules"]] == [MERGE_REQUEST, DEFAULT_BRANCH]
    assert {rule["if"] for job in JOBS.values() for rule in job["rules"]} <= {MERGE_REQUEST, DEFAULT_BRANCH}


def test_only_jobs_of_the_protected_environment_call_the_service() -> None:
    """Whatever runs the client is of the environment that holds the certificate, and no merge request is."""
    calling = {name for name, job in JOBS.items() if any("identityctl" in line for line in job["script"])}
    assert calling == {"plan", "provision"}
    assert {name for name, job in JOBS.items() if job.get("environment", {}).get("name") == "identities"} == calling
    assert not {name for name in calling if when(name, MERGE_REQUEST) != "never"}


def test_jobs_have_what_they_run_with() -> None:
    """Each job has an image and the client by its hashes; what is made waits for the plan, one pipeline at a time."""
    assert PIPELINE["default"]["image"].startswith("python:3")
    first, second = PIPELINE["default"]["before_script"]
    assert "--require-hashes -r tools/requirements-cli.txt" in first
    assert "--no-deps --no-index tools/*.whl" in second
    assert [job["stage"] for job in JOBS.values()] == PIPELINE["stages"]
    assert JOBS["provision"]["needs"] == ["plan"]
    assert JOBS["provision"]["resource_group"]


def test_a_merge_request_is_told_of_a_wrong_file(checkout: Path) -> None:
    """The example's file passes the check, which needs no service, and one with a misspelt field does not."""
    assert run("check", checkout, None).returncode == 0
    users = checkout / "users.yaml"
    users.write_text(users.read_text().replace("access_key:", "acces_key:"))
    wrong = run("check", checkout, None)
    assert wrong.returncode != 0
    assert "acces_key" in wrong.stderr


def test_the_pipeline_makes_what_was_reviewed(running: ExampleService, checkout: Path) -> None:
    """Planned and then provisioned, the users are there, and their keys open with the recipients' identity alone."""
    planned = run("plan", checkout, running)
    assert planned.returncode == 0, planned.stdout + planned.stderr
    assert not set(USERS) & names(running)
    made = run("provision", checkout, running)
    assert made.returncode == 0, made.stdout + made.stderr
    assert set(USERS) <= names(running)
    for artifact in (path for each in ("plan", "provision") for path in JOBS[each]["artifacts"]["paths"]):
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
