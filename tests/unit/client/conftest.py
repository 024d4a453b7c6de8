"""What the client's tests share: a fake service, clients of it, and the command line run against it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from identity_client import IdentityClient
from identity_client.cli.app import app
from tests.unit.client.fake_service import FakeIdentityService
from tests.unit.client.slow_motion import SlowMotion


@pytest.fixture
def service() -> Iterator[FakeIdentityService]:
    """Start a fake service."""
    fake = FakeIdentityService()
    yield fake
    fake.stop()


@pytest.fixture
def client(service: FakeIdentityService) -> Iterator[IdentityClient]:
    """Connect a client to the fake service."""
    with IdentityClient(service.target, insecure=True, timeout=5.0) as connected:
        yield connected


@dataclass(frozen=True)
class Run:
    """What a run of the command line left."""

    exit_code: int
    stdout: str
    stderr: str

    def document(self) -> dict[str, Any]:
        """Answer standard output as the one JSON document that it has to be."""
        document: dict[str, Any] = json.loads(self.stdout)
        return document


Command = Callable[..., Run]


@pytest.fixture
def run(service: FakeIdentityService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run `identityctl` in a folder of its own against the fake service; the waits between retries take no time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    motion = SlowMotion()
    monkeypatch.setattr("identity_client._client.time", motion)
    monkeypatch.setattr("identity_client._client.Pace", lambda: motion.pace)

    def run_command(*args: str, stdin: str = "", target: str = service.target) -> Run:
        result = CliRunner().invoke(app, ["--target", target, "--insecure", *args], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Run(result.exit_code, result.stdout, result.stderr)

    return run_command
