"""Secrets that a spreadsheet would run: written so that it does not, and the person is told."""

from __future__ import annotations

import json
import re
from pathlib import Path

import grpc
import pytest

from identity_client.handout import read_credentials_csv
from tests.unit.client.conftest import Command
from tests.unit.client.fake_service import SECRET_KEY, Failure, FakeIdentityService

NOTICE = "the apostrophe that begins {} of {} is not part of the value"
COMMANDS = {
    "provision": ("provision", "ana", "--access-key", "--console", "--csv", "o.csv", "--yes"),
    "credentials create": ("credentials", "create", "ana", "--access-key", "--console", "--csv", "o.csv", "--yes"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_an_altered_secret_is_told(run: Command, tmp_path: Path, command: str) -> None:
    """An apostrophe begins the cell, standard error says whose and where, and the library reads the secret itself."""
    assert SECRET_KEY.startswith("+")
    done = run(*COMMANDS[command])
    assert done.exit_code == 0, done.stderr
    assert f'"\'{SECRET_KEY}"' in (tmp_path / "o.csv").read_text()
    assert f"o.csv: {NOTICE.format('Secret access key', 'ana')}" in done.stderr
    assert [row.secret_access_key for row in read_credentials_csv(tmp_path / "o.csv")] == [SECRET_KEY]
    assert SECRET_KEY not in done.stdout + done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_an_altered_secret_is_told_to_machines(run: Command, command: str) -> None:
    """JSON names the column beside the user; the secret in the document itself is not altered."""
    document = run(*COMMANDS[command], "--output", "json").document()
    (result,) = document.get("users", [document])
    assert result["altered_cells"] == ["Secret access key"]
    assert result["credentials"]["access_key"]["secret_access_key"] == SECRET_KEY


def test_what_is_not_altered_is_not_told(run: Command) -> None:
    """A generated password needs no apostrophe, and nothing is said."""
    done = run("provision", "ana", "--console", "--csv", "o.csv", "--yes")
    assert (done.exit_code, "apostrophe" in done.stderr) == (0, False)
    done = run("provision", "bo", "--console", "--csv", "p.csv", "--yes", "--output", "json")
    assert done.document()["users"][0]["altered_cells"] == []


def test_without_a_file_nothing_is_altered(run: Command) -> None:
    """What is shown is shown as it is."""
    done = run("provision", "ana", "--access-key", "--show-secrets", "--yes")
    assert f"  secret access key: {SECRET_KEY}\n" in done.stdout
    assert "apostrophe" not in done.stderr


def test_each_user_of_a_run_is_told(run: Command, service: FakeIdentityService) -> None:
    """Every altered cell is named, a user name among them; a user that failed has none."""
    service.fail_user("bo", Failure(grpc.StatusCode.FAILED_PRECONDITION, "AWS_ACCESS_DENIED"))
    done = run("provision", "--access-key", "--csv", "o.csv", "--yes", "--output", "json", "--", "=ana", "bo", "cy")
    told = [line for line in done.stderr.splitlines() if "apostrophe" in line]
    assert NOTICE.format("User name and Secret access key", "=ana") in told[0]
    assert NOTICE.format("Secret access key", "cy") in told[1]
    assert len(told) == 2
    found = {each["user_name"]: each["altered_cells"] for each in map(json.loads, done.stdout.splitlines())}
    assert found == {"=ana": ["User name", "Secret access key"], "bo": [], "cy": ["Secret access key"]}


@pytest.mark.parametrize("command", [("provision",), ("credentials", "create")])
def test_the_help_says_what_the_file_does(run: Command, command: tuple[str, ...]) -> None:
    """Who reads the help of --csv knows of the apostrophe."""
    assert "apostrophe" in run(*command, "--help").stdout


def test_the_help_says_in_which_order_the_lines_come(run: Command) -> None:
    """Of named users they come as these are made, in no order; of a file's at the end, in that of the file."""
    shown = re.sub(r"[\s│]+", " ", run("provision", "--help").stdout)
    assert "as soon as a user is made, in no set order; of the users of a file at the end, in its order" in shown
