"""docs/audit.md, followed with the real commands on the log and the store of a real server."""

import json
import os
import re
import shlex
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from embedded_aws import Fault
from embedded_aws.faults import AnswerError
from identity_client import ConsolePassword, IdentityClient, IdentityServiceError
from identity_service.adapters.store.audit_verification import Kind
from tests.integration.conftest import CALLER, TEAM, Account, start_server, wait_until_ready
from tests.support.processes import run

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "audit.md"
CUSTOM = 'Canary-"7&kept/secret'


@dataclass
class Audited:
    """A folder with the store and the log of a server that has stopped, and what happened in the account."""

    folder: Path
    account: Account
    secrets: list[str]

    def run(self, *arguments: str, store: str = "store.sqlite3") -> subprocess.CompletedProcess[str]:
        """Run `identity-service audit` beside the log."""
        url = store if "://" in store else f"sqlite:///{self.folder / store}"
        environment = {**os.environ, "IDENTITY_SERVICE_STORE_URL": url}
        return run("identity_service", "audit", *arguments, env=environment, cwd=self.folder)

    def export(self, *options: str) -> list[dict[str, Any]]:
        """Return the exported lines."""
        return [json.loads(line) for line in self.run("export", *options).stdout.splitlines()]

    def tamper(self, statement: str) -> None:
        """Run a statement on a copy of the store, as its owner may."""
        with closing(sqlite3.connect(self.folder / "store.sqlite3")) as store:
            (self.folder / "copy.sqlite3").unlink(missing_ok=True)
            store.execute("VACUUM INTO ?", (str(self.folder / "copy.sqlite3"),))
        with closing(sqlite3.connect(self.folder / "copy.sqlite3")) as copy, copy:
            for trigger in ("update", "delete"):
                copy.execute(f"DROP TRIGGER audit_log_refuses_{trigger}")
            copy.execute(statement)


@pytest.fixture(scope="module")
def audited(embedded_account: Account, tmp_path_factory: pytest.TempPathFactory) -> Audited:
    """Let a server provision a user, fail with another one and deny a third; then stop it."""
    account, folder = embedded_account, tmp_path_factory.mktemp("audited")
    account.prepare()
    process, ready = start_server(account, folder, {"IDENTITY_SERVICE_LOG_LEVEL": "ERROR"})
    try:
        address = wait_until_ready(process, ready)
        with IdentityClient(address, insecure=True) as client:
            made = client.provision_user(
                "ana.lima", groups=["Developers"], access_key=True, console_password=ConsolePassword(custom=CUSTOM)
            )
            account.aws.inject(Fault("CreateAccessKey", AnswerError("AccessDenied", 403)))
            with pytest.raises(IdentityServiceError):
                client.provision_user("ben", access_key=True)
            account.iam.create_user(UserName="somebody-else")
            with pytest.raises(IdentityServiceError):
                client.delete_user("somebody-else")
    finally:
        process.terminate()
        process.wait(30)
    assert made.credentials.access_key.secret_access_key
    return Audited(folder, account, [made.credentials.access_key.secret_access_key, CUSTOM])


def test_an_untouched_log_is_intact(audited: Audited) -> None:
    """The server's own log, at level ERROR, vouches for every line of its store."""
    done = audited.run("verify", "--heads", "server.log")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"intact: 5 lines, 1 chains, 1 denials in no chain\n", done.stdout)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE audit_log SET caller_id = 'somebody' WHERE id = 2", "altered: line 2 (outcome), number 2 of chain"),
        ("DELETE FROM audit_log WHERE id = 2", "missing: number 2 of chain"),
        ("DELETE FROM audit_log WHERE id > 2", "cut: numbers 3 to 4 of chain"),
    ],
)
def test_tampering_is_told(audited: Audited, statement: str, words: str) -> None:
    """An edit, a deletion and a cut tail end the command with 3 and say what and where."""
    audited.tamper(statement)
    done = audited.run("verify", "--heads", "server.log", store="copy.sqlite3")
    assert done.returncode == 3
    assert done.stdout.startswith(words)
    assert "NOT INTACT: 1 findings" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "store", "exit_code", "words"),
    [
        (["verify"], "store.sqlite3", 2, "required: --heads"),
        (["verify", "--heads", "no-such-file"], "store.sqlite3", 1, "no-such-file: No such file or directory"),
        (["verify", "--heads", "authorization/callers.yaml"], "store.sqlite3", 1, "there is no line audit_heads in"),
        (["verify", "--heads", "server.log"], "no-such.sqlite3", 1, "no-such.sqlite3 cannot be used (SQLITE_CANTOPEN)"),
        (["verify", "--heads", "server.log"], "mysql://hunter2@h/d", 2, "IDENTITY_SERVICE_STORE_URL: databases of"),
        (["verify", "--heads", "server.log"], "postgresql://hunter2@127.0.0.1:1/d", 1, "cannot be used"),
        (["export", "--since", "yesterday"], "store.sqlite3", 2, "invalid _time value: 'yesterday'"),
    ],
)
def test_what_cannot_be_done_is_said(
    audited: Audited, arguments: list[str], store: str, exit_code: int, words: str
) -> None:
    """Wrong options and settings end the command with 2, a store or a file that is away with 1, and no password."""
    done = audited.run(*arguments, store=store)
    assert done.returncode == exit_code
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr


def test_printed_heads_vouch_for_the_log(audited: Audited) -> None:
    """What `audit heads` prints is taken as heads, and finds what is done afterwards."""
    heads = audited.run("heads").stdout
    (audited.folder / "heads.jsonl").write_text(heads)
    assert audited.run("verify", "--heads", "heads.jsonl").returncode == 0
    audited.tamper("DELETE FROM audit_log WHERE id = 4")
    assert audited.run("verify", "--heads", "heads.jsonl", store="copy.sqlite3").returncode == 3


def test_an_outcome_leads_to_cloudtrail(audited: Audited) -> None:
    """Caller, decision, plan, trace and the ids under which AWS knows each call stand in one exported line."""
    (_, outcome) = audited.export("--user", "ANA.lima")
    arn = f"arn:aws:iam::{audited.account.aws.account_id}:user/ana.lima"
    asked = {name: outcome[name] for name in ("event", "caller_id", "team", "action", "target", "decision")}
    assert asked == {
        "event": "outcome",
        "caller_id": CALLER,
        "team": TEAM,
        "action": "ProvisionUser",
        "target": "user/ana.lima",
        "decision": "allowed",
    }
    assert outcome["account_id"] == audited.account.aws.account_id
    assert re.fullmatch("[0-9a-f]{32}", outcome["trace_id"])
    assert re.fullmatch("[0-9a-f]{64}", outcome["plan"]["digest"])
    planned = [(step["action"], step["resource"]) for step in outcome["plan"]["steps"]]
    assert ("iam:CreateUser", arn) in planned
    assert ("iam:CreateAccessKey", arn) in planned
    done = [(step["action"], step["resource"]) for step in outcome["result"]["steps"]]
    assert sorted(done) == sorted(planned)
    ids = [step["aws_request_id"] for step in outcome["result"]["steps"]]
    assert outcome["aws_request_ids"] == ids
    assert all(ids)
    assert len(set(ids)) == len(ids)


def test_intent_and_outcome_have_one_trace_and_one_row(audited: Audited) -> None:
    """What was meant and what came of it are found by the row, the trace and the caller's id."""
    intent, outcome = audited.export("--user", "ana.lima")
    same = ("row_id", "trace_id", "request_id", "plan", "caller_id")
    assert [intent[name] for name in same] == [outcome[name] for name in same]
    assert (intent["event"], intent["result"], intent["aws_request_ids"]) == ("intent", None, [])


def test_a_failure_leads_to_the_call_that_failed(audited: Audited) -> None:
    """The line of a failure has its reason and AWS's id of the call, among those of all others."""
    _, failure = audited.export("--user", "ben")
    assert (failure["event"], failure["reason"]) == ("failure", "AWS_ACCESS_DENIED")
    assert failure["result"]["aws_action"] == "iam:CreateAccessKey"
    calls = [(call["action"], call.get("error")) for call in failure["result"]["calls"]]
    assert calls == [
        ("iam:CreateUser", None),
        ("iam:CreateAccessKey", "ACCESS_DENIED"),
        ("iam:DeleteUser", None),
    ]
    assert failure["aws_request_ids"] == [call["aws_request_id"] for call in failure["result"]["calls"]]
    assert failure["aws_request_ids"][1] == failure["result"]["aws_request_id"]
    assert all(failure["aws_request_ids"])


def test_a_denial_is_exported(audited: Audited) -> None:
    """A refusal is a line with its reason and without a plan."""
    (denied,) = audited.export("--user", "somebody-else")
    kept = {name: denied[name] for name in ("event", "decision", "reason", "plan", "chain_id", "caller_id")}
    assert kept == {
        "event": "denied",
        "decision": "denied",
        "reason": "NOT_OWNER",
        "plan": None,
        "chain_id": None,
        "caller_id": CALLER,
    }


def test_an_export_is_narrowed_down(audited: Audited) -> None:
    """Times, caller and team choose the lines; until is not included."""
    lines = audited.export()
    assert [line["id"] for line in lines] == [1, 2, 3, 4, 5]
    third = lines[2]["time"]
    assert [line["id"] for line in audited.export("--since", third)] == [3, 4, 5]
    assert [line["id"] for line in audited.export("--until", third)] == [1, 2]
    assert len(audited.export("--caller", CALLER, "--team", TEAM, "--since", "2020-01-01")) == 5
    assert audited.export("--caller", "spiffe://example.org/nobody") == []
    assert audited.export("--team", "nobody") == []


def test_nothing_secret_is_exported_or_logged(audited: Audited) -> None:
    """Neither the export nor the heads nor the server's log has a key's secret or a password."""
    told = audited.run("export").stdout + audited.run("heads").stdout + (audited.folder / "server.log").read_text()
    escaped = [json.dumps(secret)[1:-1] for secret in audited.secrets]
    assert told
    assert [secret for secret in (*audited.secrets, *escaped) if secret in told] == []


def test_the_guide_s_commands_work(audited: Audited) -> None:
    """Each command of the guide ends with 0, and names every kind of finding that there is."""
    commands = re.findall(r"^identity-service audit (.+?)(?: > .*)?$", GUIDE.read_text(), flags=re.MULTILINE)
    assert len(commands) == 3
    assert [audited.run(*shlex.split(command)).returncode for command in commands] == [0, 0, 0]
    assert set(re.findall(r"^\| `([a-z-]+)` \|", GUIDE.read_text(), flags=re.MULTILINE)) >= set(Kind)
