"""A file with more users than an operation takes is refused before anything is asked of the service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from identity_client._bulk import MAXIMUM_USERS
from tests.unit.client.conftest import Command
from tests.unit.client.fake_operations import OperatingService

COMMANDS = [("plan",), ("provision", "--yes")]


@pytest.fixture
def service() -> Iterator[OperatingService]:
    """Start a fake service with operations."""
    fake = OperatingService()
    yield fake
    fake.stop()


def write_names(folder: Path, count: int) -> None:
    """Write a file of so many users."""
    (folder / "users.csv").write_text("\n".join(["name", *(f"user-{number}" for number in range(count))]))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_one_user_too_many_is_told_before_anything_is_sent(
    run: Command, service: OperatingService, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """The whole file is counted first: no draft is made, and the message has both numbers."""
    write_names(tmp_path, MAXIMUM_USERS + 1)
    done = run(*command, "-f", "users.csv")
    assert (done.exit_code, service.received) == (2, [])
    assert "users.csv: asks for 10,001 users, and one run makes 10,000 at most: split the file." in done.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_as_many_as_there_may_be_are_taken(
    run: Command, service: OperatingService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """The limit itself is not too many."""
    monkeypatch.setattr("identity_client.cli.failed_of.MAXIMUM_USERS", 3)
    write_names(tmp_path, 3)
    assert run(*command, "-f", "users.csv").exit_code == 0
    write_names(tmp_path, 4)
    assert run(*command, "-f", "users.csv").exit_code == 2


def test_a_longer_file_has_those_who_failed(
    run: Command, service: OperatingService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --failed-of the users of one operation are meant, however many others the file has."""
    write_names(tmp_path, 2)
    assert run("provision", "-f", "users.csv", "--yes").exit_code == 0
    service.piece.results[1].ClearField("made")
    service.users.clear()
    monkeypatch.setattr("identity_client.cli.failed_of.MAXIMUM_USERS", 3)
    write_names(tmp_path, 5)
    done = run("plan", "-f", "users.csv", "--failed-of", service.piece.operation.operation_id)
    assert done.exit_code == 0, done.stderr
    assert "1 of the 5 users of the file" in done.stderr
