"""What the service has against a user of a file is told with the line that says it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest

from identity_client.cli.places import place_of
from identity_client.cli.users_file import read_users_file
from identity_client.cli.wanted import WantedUser
from identity_provisioning.v1.error_pb2 import ErrorReason
from tests.unit.client.conftest import Command
from tests.unit.client.fake_operations import OperatingService
from tests.unit.client.fake_service import Failure

FILE = """\
defaults:
  boundary: Team
  inline_policies:
    all: {Statement: []}
users:
  - name: ana
    groups: [Developers,
      Ops]
    inline_policies:
      mine: {Statement: []}
    new_policies:
      - name: P
        document:
          Statement: []
    new_groups:
      - name: G
        policies:
          - ReadOnlyAccess
          - Gone
"""
INVALID = ErrorReason.ERROR_REASON_MALFORMED_POLICY_DOCUMENT


@pytest.fixture
def service(tmp_path: Path) -> Iterator[OperatingService]:
    """Start a fake service with operations, and have a file of one user."""
    (tmp_path / "users.yaml").write_text(FILE)
    fake = OperatingService()
    yield fake
    fake.stop()


@pytest.fixture
def ana(tmp_path: Path) -> WantedUser:
    """Read the user of the file."""
    (tmp_path / "users.yaml").write_text(FILE)
    (user,) = read_users_file(tmp_path / "users.yaml")
    return user


@pytest.mark.parametrize(
    ("field", "line"),
    [
        ("user_name", 6),
        ("permissions.group_names[1]", 8),
        ("permissions.permissions_boundary", 2),
        ("permissions.inline_policies[0].document", 4),
        ("permissions.inline_policies[1].document", 10),
        ("permissions.new_policies[0].document", 14),
        ("user.permissions.new_policies[0].document", 14),
        ("permissions.new_policies[0].policy_name", 12),
        ("permissions.new_groups[0].managed_policies[1]", 19),
        ("permissions.new_groups[0].path", 16),
        ("permissions.managed_policies[7]", 6),
        ("permissions", 6),
        ("", 6),
    ],
)
def test_a_field_is_found_or_else_what_is_around_it(ana: WantedUser, tmp_path: Path, field: str, line: int) -> None:
    """The contract's names lead to the lines, those of defaults among them; an absent value to its user."""
    assert place_of(ana, field) == f"{tmp_path / 'users.yaml'}:{line}"


def test_without_a_file_there_is_no_place() -> None:
    """A user of the command line has no lines."""
    assert place_of(WantedUser("ana"), "permissions.new_policies[0].document") == ""


def test_the_lines_of_other_files_name_those(tmp_path: Path) -> None:
    """What stands in the defaults' own file, or in a table, is found there."""
    (tmp_path / "team.yaml").write_text("path: /x/\nboundary: Team\n")
    (tmp_path / "users.csv").write_text("name,groups\nana,A;B\nbo,C\n")
    _, bo = read_users_file(tmp_path / "users.csv", tmp_path / "team.yaml")
    assert place_of(bo, "permissions.permissions_boundary") == f"{tmp_path / 'team.yaml'}:2"
    assert place_of(bo, "permissions.group_names[0]") == f"{tmp_path / 'users.csv'}:3"


@pytest.mark.parametrize("command", [("plan", "-f", "users.yaml"), ("provision", "-f", "users.yaml", "--yes")])
def test_problems_of_a_file_have_their_line(run: Command, service: OperatingService, command: tuple[str, ...]) -> None:
    """A document that the service refuses is found by file and line."""
    service.refuse_plan("ana", INVALID, "no Resource", field="permissions.new_policies[0].document")
    done = run(*command)
    assert done.exit_code == 3
    said = "no Resource (permissions.new_policies[0].document, users.yaml:14)"
    assert said in done.stdout + done.stderr


def test_users_that_are_not_taken_have_their_line(run: Command, service: OperatingService) -> None:
    """A batch that is refused is told by the lines of the file, and not by places in the batch."""
    violation = BadRequest.FieldViolation(field="users[0].permissions.new_groups[0].group_name", description="is bad")
    details = (BadRequest(field_violations=[violation]),)
    service.fail("AppendUsers", Failure(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", "bad", more_details=details))
    done = run("plan", "-f", "users.yaml")
    assert done.exit_code == 2
    assert "users.yaml:16: ana.permissions.new_groups[0].group_name: is bad" in done.stderr
