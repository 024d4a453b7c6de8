"""Shared by the tests of authorization: plans of one user, and folders of rules."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from identity_service.domain import tags
from identity_service.domain.entities import UserRecord
from identity_service.domain.steps import CreateUser

ACCOUNT = "123456789012"
BOT = "spiffe://example.org/bot"
CALLERS = f"""\
teams:
  people-team: {{accounts: {{"*": unguarded}}}}
  ci-platform: {{accounts: {{"{ACCOUNT}": unguarded}}}}
callers:
  "{BOT}": people-team
  "spiffe://example.org/ci": ci-platform
"""

WriteFolder = Callable[..., Path]


def user_arn(name: str = "ana", path: str = "/people/") -> str:
    """Return a user's ARN."""
    return f"arn:aws:iam::{ACCOUNT}:user{path}{name}"


def policy_arn(name: str, account: str = ACCOUNT) -> str:
    """Return a policy's ARN; the name may have a path."""
    return f"arn:aws:iam::{account}:policy/{name}"


def group_arn(name: str) -> str:
    """Return a group's ARN."""
    return f"arn:aws:iam::{ACCOUNT}:group/{name}"


def who(name: str = "ana", path: str = "/people/") -> dict[str, Any]:
    """Return what every step on a user has."""
    return {"user_name": name, "user_arn": user_arn(name, path), "round": 1}


def created(
    name: str = "ana", path: str = "/people/", boundary: str | None = None, owner: str = "people-team"
) -> CreateUser:
    """Return the step that makes a user."""
    its_tags = {tags.ROW: "row", tags.OWNER: owner}
    return CreateUser(**who(name, path), path=path, boundary_arn=boundary, tags=its_tags)


def record(
    name: str = "ana", path: str = "/people/", boundary: str | None = None, owner: str = "people-team"
) -> UserRecord:
    """Return a user as it is."""
    its_tags = {tags.OWNER: owner} if owner else {}
    made_at = datetime(2026, 1, 2, tzinfo=UTC)
    return UserRecord(name, "AIDA", user_arn(name, path), path, made_at, boundary_arn=boundary, tags=its_tags)


@pytest.fixture
def write(tmp_path: Path) -> WriteFolder:
    """Write a folder of authorization: policies, files by name, and `CALLERS` unless others are given."""

    def write_folder(*policies: str, callers: str = CALLERS, files: Mapping[str, str] | None = None) -> Path:
        folder = tmp_path / "authorization"
        folder.mkdir(exist_ok=True)
        (folder / "callers.yaml").write_text(callers)
        named = [f'@id("p{index}")\n{policy}' for index, policy in enumerate(policies)]
        for name, text in {"rules.cedar": "\n".join(named), **(files or {})}.items():
            (folder / name).write_text(text)
        return folder

    return write_folder
