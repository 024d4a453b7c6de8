"""The command `embedded-aws` as people use it: what it says, where it listens, how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import pytest

from embedded_aws import EmbeddedAws
from tests.unit.embedded_aws.raw_http import Connection


@contextmanager
def command(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The command, running; it is killed if the test leaves it behind."""
    process = subprocess.Popen(
        [sys.executable, "-m", "embedded_aws", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def line_of(stream: IO[str] | None) -> str:
    """The next line."""
    assert stream is not None
    return stream.readline()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_how_to_use_it_and_ends_cleanly(number: signal.Signals) -> None:
    """The ready line goes to standard output, the guide without the secret to standard error; a signal ends with 0."""
    with command("--account", "210987654321", "--alias", "acme", "--access-control") as process:
        ready = json.loads(line_of(process.stdout))
        assert ready["account_id"] == "210987654321"
        with Connection(ready["endpoint_url"]) as connection:
            assert connection.call("ListUsers")[0] == "InvalidClientTokenId"
            process.send_signal(number)
            output, guide = process.communicate(timeout=10)
    assert process.returncode == 0
    assert output == ""
    assert "Traceback" not in guide
    for told in (
        "210987654321 (acme)",
        "aws --endpoint-url",
        "boto3.client",
        "/_embedded/",
        ready["access_key_id"],
        ready["endpoint_url"],
    ):
        assert told in guide
    assert ready["secret_access_key"] not in guide


def test_it_stays_on_loopback_unless_told_otherwise() -> None:
    """Another interface needs a word that it is meant; with that word it is taken."""
    refused = subprocess.run(
        [sys.executable, "-m", "embedded_aws", "--host", "0.0.0.0"],  # noqa: S104 - it is refused
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert refused.returncode == 2
    assert "--beyond-loopback" in refused.stderr
    with command("--host", "0.0.0.0", "--beyond-loopback") as process:  # noqa: S104 - asked for and gone at once
        assert json.loads(line_of(process.stdout))["endpoint_url"].startswith("http://0.0.0.0:")


def test_several_accounts_are_announced() -> None:
    """Each --account is opened and told with its administrator's key; the first is the default."""
    with EmbeddedAws(account_id="111111111111", more_accounts=["222222222222"]) as aws:
        assert list(aws.administrators) == ["111111111111", "222222222222"]
        assert aws.administrators["111111111111"].access_key_id == aws.access_key_id
        assert aws.dump("222222222222")["account_id"] == "222222222222"
        assert aws.cpu_seconds() > 0


def test_a_taken_port_is_said() -> None:
    """A port that is in use ends the command with a reason."""
    with EmbeddedAws() as aws:
        port = aws.endpoint_url.rpartition(":")[2]
        ended = subprocess.run(
            [sys.executable, "-m", "embedded_aws", "--port", port],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    assert ended.returncode == 1
    assert "cannot listen" in ended.stderr
