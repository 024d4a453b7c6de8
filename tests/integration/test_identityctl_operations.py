"""`identityctl provision -f` against the real server: left in the middle, come back to, each user made once."""

from __future__ import annotations

import csv
import json
import os
import shlex
import signal
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

import pytest

from embedded_aws.faults import Delay, Fault
from identity_client import IdentityClient
from tests.integration.conftest import Account, start_server, wait_until_ready
from tests.support.processes import Process

USERS = 30
NAMES = [f"user-{index}" for index in range(USERS)]
ONE_AT_A_TIME = {"IDENTITY_SERVICE_BULK_CONCURRENCY": "1"}
SLOWLY = Delay(0.7)
"""Below the server's read timeout, so that no call is given up."""


@dataclass(frozen=True)
class Typed:
    """A command line that runs, whose messages can be read meanwhile."""

    process: Process
    messages: TextIO
    output: Path

    def end(self) -> subprocess.CompletedProcess[str]:
        """Wait for its end; return its output, and what of its messages has not been read."""
        code = self.process.wait(60)
        with self.messages:
            return subprocess.CompletedProcess(self.process.args, code, self.output.read_text(), self.messages.read())


@dataclass(frozen=True)
class Shell:
    """A shell in a folder of its own, with a server to speak to."""

    target: str
    folder: Path

    def start(self, *arguments: str) -> Typed:
        """Start `identityctl`."""
        output = self.folder / "output"
        reading, writing = os.pipe()
        with output.open("w") as stdout, os.fdopen(writing, "w") as stderr:
            process = Process(
                "identity_client.cli",
                ["--target", self.target, "--insecure", *arguments],
                env={**os.environ, "XDG_STATE_HOME": str(self.folder / "state")},
                cwd=self.folder,
                stdout=stdout,
                stderr=stderr,
            )
        return Typed(process, os.fdopen(reading), output)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `identityctl` to its end."""
        return self.start(*arguments).end()

    def memories(self) -> list[Path]:
        """Find the resume files."""
        return list((self.folder / "state" / "identityctl").glob("*.json"))


@pytest.fixture
def shell(account: Account, tmp_path: Path) -> Iterator[Shell]:
    """Run a server that makes one user at a time, beside a users file."""
    users = [{"name": name, "access_key": True, "groups": ["Developers"]} for name in NAMES]
    (tmp_path / "users.json").write_text(json.dumps({"users": users}))
    process, ready = start_server(account, tmp_path, ONE_AT_A_TIME)
    yield Shell(wait_until_ready(process, ready), tmp_path)
    account.aws.clear_faults()
    process.terminate()
    process.wait(60)


def keys_in(file: Path) -> dict[str, str]:
    """Read the ids of the access keys of a credentials file, by user."""
    with file.open(newline="") as text:
        found = [(row["User name"], row["Access key ID"]) for row in csv.DictReader(text)]
    assert len(dict(found)) == len(found)
    return dict(found)


def keys_of(account: Account) -> dict[str, str]:
    """List the account's users with the one key that each has."""
    users = [user["UserName"] for user in account.iam.list_users()["Users"]]
    keys = {name: account.iam.list_access_keys(UserName=name)["AccessKeyMetadata"] for name in users}
    return {name: key["AccessKeyId"] for name, (key,) in keys.items()}


def advised(messages: str, verb: str) -> list[str]:
    """Take the words behind the program's name and connection of a command that is advised."""
    (words,) = [each for each in map(shlex.split, messages.split("`")[1::2]) if verb in each]
    return words[words.index(verb) :]


def failed_names(shell: Shell, operation_id: str) -> list[str]:
    """List whom an operation did not make."""
    lines = shell.run("operations", "results", operation_id, "--failed", "--output", "json").stdout.splitlines()
    return sorted(json.loads(line)["user_name"] for line in lines)


def interrupted_in_the_middle(shell: Shell, account: Account, signal_number: int) -> tuple[int, str, str]:
    """Send a signal to the program once the first user is made; its exit code, messages, and the operation's id.

    The account makes users so slowly that there is a middle, until its faults are cleared.
    """
    account.aws.inject(Fault("CreateUser", SLOWLY, times=None, skip=3))
    typed = shell.start("provision", "-f", "users.json", "--csv", "out.csv", "--yes")
    line = next(line for line in typed.messages if line.startswith("Making users: "))
    (memory,) = shell.memories()
    assert stat.S_IMODE(memory.stat().st_mode) == 0o600
    with IdentityClient(shell.target, insecure=True) as client:
        for operation in client.follow_operation(memory.stem):
            if operation.progress.succeeded_users:
                break
    typed.process.send_signal(signal_number)
    done = typed.end()
    return done.returncode, line + done.stderr, memory.stem


@pytest.mark.parametrize(
    ("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_a_program_that_ends_in_the_middle_is_gone_on_with(
    shell: Shell, account: Account, number: int, exit_code: int
) -> None:
    """After Ctrl-C, SIGTERM and SIGKILL `resume` ends with each user made once and the whole file; no key is left."""
    code, messages, operation_id = interrupted_in_the_middle(shell, account, number)
    account.aws.clear_faults()
    assert code == exit_code
    assert (f"operations resume {operation_id}" in messages) == (number != signal.SIGKILL)
    done = shell.run("operations", "resume", operation_id)
    assert done.returncode == 0, done.stderr
    file = shell.folder / "out.csv"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert sorted(keys_of(account)) == sorted(NAMES)
    assert keys_in(file) == keys_of(account)
    assert shell.memories() == []


def test_a_termination_while_users_are_planned_leaves_nothing(shell: Shell, account: Account) -> None:
    """Nobody has said yes: the program says that nothing was created, and neither draft, key nor lock is left."""
    account.aws.inject(Fault("GetUser", SLOWLY, times=None))
    typed = shell.start("provision", "-f", "users.json", "--csv", "out.csv", "--yes")
    assert any(line.startswith("Planning users: ") for line in typed.messages)
    typed.process.send_signal(signal.SIGTERM)
    done = typed.end()
    assert (done.returncode, list((shell.folder / "state" / "identityctl").iterdir())) == (130, [])
    assert "Interrupted. Nothing was created." in done.stderr
    (operation,) = json.loads(shell.run("operations", "list", "--output", "json").stdout)["operations"]
    assert operation["state"] in ("STATE_CANCELLING", "STATE_CANCELLED")


def test_one_user_that_fails_is_an_exit_code(shell: Shell, account: Account) -> None:
    """The account changes between the review and the start: that user has failed, all others are handed out."""
    plan = shell.run("plan", "-f", "users.json", "--output", "json")
    digest = json.loads(plan.stdout)["digest"]
    account.aws.inject(Fault("CreateUser", SLOWLY, times=None))
    typed = shell.start("provision", "-f", "users.json", "--csv", "out.csv", "--approved", digest, "--yes")
    for line in typed.messages:
        if line.startswith("Users planned: 30"):
            break
    account.iam.create_user(UserName="USER-29")
    account.aws.clear_faults()
    done = typed.end()
    assert done.returncode == 1, done.stderr
    assert "user-29: " in done.stdout
    assert sorted(keys_in(shell.folder / "out.csv")) == sorted(NAMES[:-1])
    assert shell.memories() == []
    listed = json.loads(shell.run("operations", "list", "--output", "json").stdout)["operations"]
    (operation,) = (each for each in listed if each["state"] == "STATE_DONE")
    failed = shell.run("operations", "results", operation["operation_id"], "--failed")
    assert ("user-29" in failed.stdout, "user-28" in failed.stdout) == (True, False)


def test_what_cannot_be_made_together_is_not_approved(shell: Shell, account: Account) -> None:
    """Each user alone would fit into the account's groups, and all do not: `plan` refuses what `provision` would."""
    users = [
        {"name": f"user-{user}", "new_groups": [{"name": f"group-{user}-{group}"} for group in range(10)]}
        for user in range(30)
    ]
    for number, exit_code in ((29, 0), (30, 3)):
        (shell.folder / "groups.json").write_text(json.dumps({"users": users[:number]}))
        plan = shell.run("plan", "-f", "groups.json", "--output", "json")
        assert plan.returncode == exit_code, plan.stderr
    assert json.loads(plan.stdout)["error"]["reason"] == "QUOTA_EXCEEDED"
    (shell.folder / "one.json").write_text(json.dumps({"users": users[:1]}))
    digest = json.loads(shell.run("plan", "-f", "one.json", "--output", "json").stdout)["digest"]
    made = shell.run("provision", "-f", "one.json", "--approved", digest, "--yes")
    assert made.returncode == 0, made.stderr
    assert [user["UserName"] for user in account.iam.list_users()["Users"]] == ["user-0"]


def test_a_cancelled_operation_hands_out_what_was_made(shell: Shell, account: Account) -> None:
    """Who was made before the cancellation has a key, and it comes into the file."""
    _, _, operation_id = interrupted_in_the_middle(shell, account, signal.SIGINT)
    cancelled = shell.run("operations", "cancel", operation_id, "--yes")
    assert cancelled.returncode == 0, cancelled.stderr
    account.aws.clear_faults()
    done = shell.run("operations", "resume", operation_id)
    assert done.returncode == 1
    assert "cancelled before it began with this user" in done.stdout
    made = keys_of(account)
    assert keys_in(shell.folder / "out.csv") == made
    assert 0 < len(made) < USERS
    assert shell.memories() == []
    assert failed_names(shell, operation_id) == sorted(set(NAMES) - set(made))
    again = shell.run(*advised(done.stderr, "provision"), "--yes")
    assert again.returncode == 0, again.stderr
    assert made | keys_in(shell.folder / "out-2.csv") == keys_of(account)
    assert sorted(keys_of(account)) == sorted(NAMES)


def test_a_server_that_does_not_know_the_operation_costs_nothing(
    shell: Shell, account: Account, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Resumed at the wrong server, the operation runs on and its key stays: the right one hands everything out."""
    _, _, operation_id = interrupted_in_the_middle(shell, account, signal.SIGINT)
    account.aws.clear_faults()
    folder = tmp_path_factory.mktemp("other")
    process, ready = start_server(account, folder)
    other = replace(shell, target=wait_until_ready(process, ready))
    refused = other.run("operations", "resume", operation_id)
    process.terminate()
    process.wait(60)
    assert (refused.returncode, "Nothing is lost." in refused.stderr) == (1, True)
    assert f"It was begun at {shell.target}" in refused.stderr
    assert [memory.stem for memory in shell.memories()] == [operation_id]
    done = shell.run("operations", "resume", operation_id)
    assert done.returncode == 0, done.stderr
    assert keys_in(shell.folder / "out.csv") == keys_of(account)
    assert sorted(keys_of(account)) == sorted(NAMES)
