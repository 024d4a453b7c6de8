"""The published schema, and the example that `identityctl init` writes: both say what the reader does."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # ships no types

from identity_client.cli.csv_reading import COLUMNS
from identity_client.cli.failures import BadInputError
from identity_client.cli.init_command import example_text
from identity_client.cli.users_file import read_users_file
from identity_client.cli.users_format import SHARED_FIELDS, USER_FIELDS, users_schema
from tests.unit.client.conftest import Command
from tests.unit.client.fake_operations import OperatingService

ROOT = Path(__file__).resolve().parents[3]
PUBLISHED = ROOT / "docs" / "users.schema.json"


@pytest.fixture
def service() -> Iterator[OperatingService]:
    """Start a fake service with operations, which a file's users are planned by."""
    fake = OperatingService()
    yield fake
    fake.stop()


def errors(document: object) -> list[Any]:
    """Answer what the published schema has against a document."""
    return list(Draft202012Validator(json.loads(PUBLISHED.read_text())).iter_errors(document))


def test_the_published_schema_is_that_of_the_client(run: Command) -> None:
    """The file is what `identityctl init --schema` prints; run it again after a change."""
    assert run("init", "--schema").stdout == PUBLISHED.read_text()
    Draft202012Validator.check_schema(users_schema())


@pytest.mark.parametrize("text", [(ROOT / "examples" / "onboarding.yaml").read_text(), example_text()])
def test_the_examples_fit(tmp_path: Path, text: str) -> None:
    """Both examples pass the schema and the reader."""
    assert errors(yaml.safe_load(text)) == []
    (tmp_path / "users.yaml").write_text(text)
    assert read_users_file(tmp_path / "users.yaml")


@pytest.mark.parametrize(
    "user",
    [
        {},
        {"name": None},
        {"name": "a b"},
        {"name": "a", "nam": "b"},
        {"name": "a", "path": "people"},
        {"name": "a", "path": f"/{'x' * 512}/"},
        {"name": "a", "groups": "G"},
        {"name": "a", "groups": ["G", "G"]},
        {"name": "a", "groups": ["a b"]},
        {"name": "a", "policies": ["arn:aws:iam::1:policy/x"]},
        {"name": "a", "boundary": "a b"},
        {"name": "a", "tags": {"aws:x": "y"}},
        {"name": "a", "tags": {"Identity-Provisioning:x": "y"}},
        {"name": "a", "tags": {"": "y"}},
        {"name": "a", "tags": {"x": 1}},
        {"name": "a", "tags": {"x": "y" * 257}},
        {"name": "a", "access_key": "true"},
        {"name": "a", "console": {"rset": True}},
        {"name": "a", "console": 1},
        {"name": "a", "mfa_device": "a b"},
        {"name": "a", "self_management": "all"},
        {"name": "a", "copy_from": "a b"},
        {"name": "a", "inline_policies": {"p": "x"}},
        {"name": "a", "inline_policies": {"a b": {}}},
        {"name": "a", "new_groups": [{"path": "/"}]},
        {"name": "a", "new_groups": [{"name": "G", "x": 1}]},
        {"name": "a", "new_policies": [{"name": "P"}]},
        {"name": "a", "new_boundary": {"document": {}}},
    ],
)
def test_what_the_reader_refuses_the_schema_refuses(tmp_path: Path, user: dict[str, object]) -> None:
    """A mistake is underlined by an editor that has the schema, and told by the reader as well."""
    document = {"users": [user]}
    assert errors(document)
    (tmp_path / "users.json").write_text(json.dumps(document))
    with pytest.raises(BadInputError):
        read_users_file(tmp_path / "users.json")


@pytest.mark.parametrize("document", [{}, [], {"users": []}, {"users": [{"name": "a"}], "people": []}])
def test_what_is_no_users_file_is_refused(document: object) -> None:
    """A file needs users, and holds nothing but them and the defaults."""
    assert errors(document)


@pytest.mark.parametrize(
    "user",
    [
        {"name": "a", "console": True, "access_key": False, "tags": None},
        {"name": "=a", "console": {}, "tags": {"x": None, "y": ""}},
        {"name": "a", "mfa_device": True, "new_boundary": None, "inline_policies": {"p": None}},
        {"name": "a", "policies": ["arn:aws-us-gov:iam::aws:policy/ReadOnlyAccess"], "path": "/"},
    ],
)
def test_what_the_reader_takes_the_schema_takes(tmp_path: Path, user: dict[str, object]) -> None:
    """The schema underlines nothing that works."""
    document = {"defaults": None, "users": [user]}
    assert errors(document) == []
    (tmp_path / "users.json").write_text(json.dumps(document))
    assert read_users_file(tmp_path / "users.json")


def test_every_field_stands_in_the_example() -> None:
    """Who reads the example knows every field."""
    fields = [each.name for each in USER_FIELDS]
    assert [name for name in fields if not re.search(rf"\b{name}:", example_text())] == []


def test_the_columns_are_fields() -> None:
    """A table's columns are fields of a user, and the one about the password's reset."""
    assert set(COLUMNS) - {"require_reset"} <= {each.name for each in USER_FIELDS}
    table_cannot = {"inline_policies"}
    assert {each.name for each in SHARED_FIELDS} - table_cannot <= set(COLUMNS)


def test_init_writes_the_example_and_replaces_nothing(run: Command, service: OperatingService, tmp_path: Path) -> None:
    """The file is the example, readable for all; a file that is there stays, and the service hears nothing."""
    assert run("init", "team.yaml").exit_code == 0
    assert (tmp_path / "team.yaml").read_text() == example_text()
    assert stat.S_IMODE((tmp_path / "team.yaml").stat().st_mode) & 0o600 == 0o600
    (tmp_path / "users.yaml").write_text("mine")
    again = run("init")
    assert (again.exit_code, (tmp_path / "users.yaml").read_text()) == (2, "mine")
    assert "users.yaml: exists and was left as it is" in again.stderr
    assert run("init", "gone/users.yaml").exit_code == 2
    assert run("init", "users.json").exit_code == 2
    assert service.received == []


def test_the_example_can_be_read_without_a_file(run: Command, tmp_path: Path) -> None:
    """A dash is standard output, as programs have it, and no file of that name."""
    done = run("init", "-")
    assert (done.exit_code, done.stdout, done.stderr) == (0, example_text(), "")
    assert not (tmp_path / "-").exists()


def test_the_example_can_be_planned(run: Command, service: OperatingService) -> None:
    """What `init` writes goes through `plan` as it is."""
    run("init")
    assert run("plan", "-f", "users.yaml").exit_code == 0
    umbra = next(spec for spec in service.piece.specs if spec.user_name == "partner-umbra")
    assert umbra.permissions.new_groups[0].group_name == "PartnerUploads"
    assert umbra.permissions.new_permissions_boundary.policy_name == "PartnerBoundary"
