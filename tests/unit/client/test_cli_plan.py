"""`identityctl plan`, and what holds for every command: options, exit codes, outputs."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import grpc
import pytest
from rich.console import Console

from identity_client.cli.review import show_plan
from identity_provisioning.v1.error_pb2 import ErrorReason
from identity_provisioning.v1.plan_pb2 import Plan, PlanStep
from tests.unit.client.certificates import Authority
from tests.unit.client.conftest import Command
from tests.unit.client.fake_service import ACCOUNT, Failure, FakeIdentityService

QUOTA = ErrorReason.ERROR_REASON_QUOTA_EXCEEDED


def test_a_plan_is_shown_for_people(run: Command) -> None:
    """Steps, quota, and warnings are on standard output, and nothing is made."""
    done = run("plan", "ana.lima", "--path", "/people/")
    assert done.exit_code == 0
    for text in ("iam:CreateUser", f"arn:aws:iam::{ACCOUNT}:user/people/ana.lima", "7 → 8 of 5000", "may do nothing"):
        assert text in done.stdout


def test_a_plan_makes_nothing(run: Command, service: FakeIdentityService) -> None:
    """Every call says validate_only."""
    run("plan", "a", "b")
    assert sorted(each.request.user.user_name for each in service.received) == ["a", "b"]
    assert service.provisioned() == []


def test_all_flags_reach_the_service(run: Command, service: FakeIdentityService, tmp_path: Path) -> None:
    """Each option is one of the contract's fields."""
    (tmp_path / "deploy.json").write_text('{"Version": "2012-10-17"}')
    flags = (
        "--group Developers --group Ops --policy ReadOnlyAccess --access-key --console --require-reset --path /x/ "
        "--tag k=v --tag e= --boundary Team --inline deploy=@deploy.json --copy-from bo --self-management password"
    )
    assert run("--account", ACCOUNT, "plan", "ana", *flags.split()).exit_code == 0
    request = service.received[0].request
    user = request.user
    assert request.account_id == ACCOUNT
    assert list(user.permissions.group_names) == ["Developers", "Ops"]
    assert {tag.key: tag.value for tag in user.tags} == {"k": "v", "e": ""}
    assert user.credentials.access_key
    assert user.credentials.console_password.require_reset
    assert user.permissions.inline_policies[0].document == '{"Version":"2012-10-17"}'
    assert user.permissions.self_management == 1


def test_a_problem_ends_with_its_exit_code(run: Command, service: FakeIdentityService) -> None:
    """A plan that cannot run is shown with its reason, and the exit code is 3."""
    service.refuse_plan("bo", QUOTA, "too many users")
    done = run("plan", "ana", "bo")
    assert done.exit_code == 3
    assert "QUOTA_EXCEEDED: too many users (user.user_name)" in done.stdout
    assert "1 of 2 plans cannot run: bo" in done.stderr


def test_an_error_of_one_plan_is_shown_beside_the_others(run: Command, service: FakeIdentityService) -> None:
    """A refusal by status counts as a problem of that user and hides no other plan."""
    service.fail("ProvisionUser", Failure(grpc.StatusCode.PERMISSION_DENIED, "CALLER_NOT_ALLOWED", "not you"))
    done = run("--output", "json", "plan", "ana", "bo")
    plans = done.document()["plans"]
    assert done.exit_code == 3
    assert sorted(plan["can_run"] for plan in plans) == [False, True]
    (error,) = (plan["error"] for plan in plans if plan["error"])
    assert (error["reason"], error["code"]) == ("CALLER_NOT_ALLOWED", "PERMISSION_DENIED")


def test_json_is_one_document_with_the_contracts_names(run: Command) -> None:
    """A machine finds everything under the names that the contract has."""
    plan = run("plan", "ana", "--output", "json").document()["plans"][0]["plan"]
    assert plan["steps"][0]["iam_action"] == "iam:CreateUser"
    assert plan["quota_uses"][0]["used_after"] == "8"
    assert plan["problems"] == []


def test_global_options_may_follow_the_command(run: Command, service: FakeIdentityService) -> None:
    """`plan ana --account X` and `--account X plan ana` are the same."""
    run("plan", "ana", "--account", ACCOUNT, "--timeout=5")
    assert service.received[0].request.account_id == ACCOUNT


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "Name users"),
        (["a b"], "is not 1 to 64"),
        (["ana", "ANA"], "named twice"),
        (["ana", "--tag", "k"], "NAME=VALUE"),
        (["ana", "--tag", "k=1", "--tag", "k=2"], "there twice"),
        (["ana", "--path", "people"], "slash"),
        (["ana", "--inline", "p={}"], "NAME=@FILE.json"),
        (["ana", "--inline", "p=@gone.json"], "No such file"),
        (["ana", "--require-reset"], "add --console"),
        (["ana", "--self-management", "all"], "takes one of"),
        (["ana", "-f", "users.yaml"], "leave out: names"),
        (["-f", "gone.yaml"], "No such file"),
        (["a", "b", "--password-stdin"], "for one user"),
        (["a", "--password-stdin"], "no password"),
    ],
)
def test_bad_input_is_told_before_anything_is_sent(
    run: Command, service: FakeIdentityService, args: list[str], message: str
) -> None:
    """Each mistake has exit code 2 and a sentence, and the service hears nothing."""
    done = run("plan", *args)
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stdout == ""
    assert service.received == []


def test_a_policy_file_that_is_no_json_names_its_line(run: Command, tmp_path: Path) -> None:
    """The person sees where the document is broken."""
    (tmp_path / "p.json").write_text('{\n "Version": }')
    assert "p.json:2: is not JSON" in run("plan", "ana", "--inline", "p=@p.json").stderr


def test_nobody_there_is_exit_code_4(run: Command) -> None:
    """An unreachable service is told in a sentence with what to check."""
    done = run("--timeout", "0.2", "plan", "ana", target="127.0.0.1:1")
    assert done.exit_code == 4
    assert "No connection to 127.0.0.1:1" in done.stderr


def test_an_unknown_caller_is_exit_code_4(run: Command, service: FakeIdentityService) -> None:
    """Who is not known need not go on with the other users."""
    service.fail("ProvisionUser", Failure(grpc.StatusCode.UNAUTHENTICATED, "CALLER_UNKNOWN"))
    done = run("plan", "ana")
    assert done.exit_code == 4
    assert "--cert and --key" in done.stderr


def test_plain_text_to_another_machine_is_exit_code_2(run: Command) -> None:
    """--insecure is refused for anything but this machine."""
    done = run("plan", "ana", target="identity.example:8443")
    assert done.exit_code == 2
    assert "loopback" in done.stderr


def test_a_missing_target_or_file_is_told(run: Command) -> None:
    """No target is exit code 2, and so is a certificate that is not there."""
    assert "IDENTITY_TARGET" in run("plan", "ana", target="").stderr
    program = [sys.executable, "-m", "identity_client.cli", "--target", "localhost:1", "--ca", "gone.pem", "account"]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert (done.returncode, "gone.pem" in done.stderr, "Traceback" in done.stderr) == (2, True, False)


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_no_color_is_respected(
    run: Command, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], coloured: bool
) -> None:
    """Warnings are yellow at a terminal, and NO_COLOR takes every colour away."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in {"FORCE_COLOR": "1", "TERM": "xterm", **variables}.items():
        monkeypatch.setenv(name, value)
    done = run("plan", "ana")
    assert "iam:CreateUser" in done.stdout
    assert bool(re.search(r"\x1b\[(\d+;)*[349]\d[;m]", done.stdout)) == coloured


@pytest.mark.parametrize("target", ["nonsense", "http://localhost:1", "https://identity.example", "a b:1", "x:y:z"])
def test_a_target_that_is_none_is_told(run: Command, target: str) -> None:
    """The form that is wanted is named at once; nobody waits for a name that cannot resolve."""
    done = run("account", target=target)
    assert done.exit_code == 2
    assert "HOST:PORT is wanted" in done.stderr


@pytest.mark.parametrize("option", ["--ca", "--cert", "--key", "--server-name"])
def test_plain_text_with_tls_options_is_refused(run: Command, option: str) -> None:
    """Who names TLS files does not want to speak in clear."""
    done = run("account", option, "x.pem")
    assert done.exit_code == 2
    assert f"--insecure speaks in clear and takes no {option}" in done.stderr


def secured(*args: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own, without --insecure."""
    program = [sys.executable, "-m", "identity_client.cli", *args]
    return subprocess.run(program, capture_output=True, text=True, check=False)


def test_tls_mistakes_name_their_option(tmp_path: Path) -> None:
    """A key that is another certificate's, or half an identity, is told by the option's name."""
    authority = Authority()
    certificate, _ = authority.issue("a").write(tmp_path, "a")
    _, key = authority.issue("b").write(tmp_path, "b")
    done = secured("--target", "localhost:1", "--cert", str(certificate), "--key", str(key), "account")
    assert (done.returncode, "--key" in done.stderr, "b.key: is not the key" in done.stderr) == (2, True, True)
    done = secured("--target", "localhost:1", "--cert", str(certificate), "account")
    assert (done.returncode, "--cert and --key" in done.stderr) == (2, True)


def test_a_failed_handshake_is_told_once_and_in_words(tmp_path: Path) -> None:
    """The hint names every option that it may be, and no line of gRPC's own log is among it."""
    mine = Authority().issue("localhost")
    service = FakeIdentityService(grpc.ssl_server_credentials([(mine.key, mine.certificate)]))
    (tmp_path / "ca.pem").write_bytes(Authority("somebody else").pem)
    done = secured("--target", service.target, "--ca", str(tmp_path / "ca.pem"), "--timeout", "1", "account")
    service.stop()
    assert done.returncode == 4
    assert all(option in done.stderr for option in ("--target", "--ca", "--server-name", "--cert", "--key"))
    assert len(done.stderr.splitlines()) == 1


def test_several_plans_end_with_a_summary(run: Command, service: FakeIdentityService) -> None:
    """Users, calls, warnings and plans that cannot run are counted, for people and machines."""
    service.refuse_plan("bo", QUOTA, "too many users")
    done = run("plan", "ana", "bo", "cy")
    assert "3 users, 3 calls, 3 warnings, 1 cannot run" in done.stdout
    document = run("plan", "ana", "bo", "cy", "--output", "json").document()
    assert document["summary"] == {"users": 3, "calls": 3, "warnings": 3, "cannot_run": 1}
    assert "1 users" not in run("plan", "ana").stdout


def test_errors_are_json_where_results_are(run: Command, service: FakeIdentityService) -> None:
    """Bad input, bad usage and refusals end in one document with reason, message and exit code."""
    refused = Failure(grpc.StatusCode.PERMISSION_DENIED, "CALLER_NOT_ALLOWED", "not you")
    service.fail("GetUser", refused)
    error = run("get", "ana", "--output", "json").document()["error"]
    assert (error["reason"], error["message"], error["exit_code"]) == ("CALLER_NOT_ALLOWED", "not you", 1)
    assert run("plan", "a b", "--output", "json").document()["error"]["exit_code"] == 2
    unused = run("get", "--output", "json")
    assert (unused.exit_code, unused.document()["error"]["exit_code"]) == (2, 2)
    assert run("--output", "json", "account", target="nonsense").document()["error"]["exit_code"] == 2


def test_the_version_is_shown(run: Command) -> None:
    """`--version` needs no service."""
    done = run("--version", target="")
    assert (done.exit_code, done.stdout) == (0, f"identityctl {version('identity-provisioning-client')}\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands(shell: str) -> None:
    """What a shell asks is answered with the commands that begin so."""
    variables = {
        "_IDENTITYCTL_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": "identityctl pol",
        "COMP_CWORD": "1",
        "_TYPER_COMPLETE_ARGS": "identityctl pol",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    program = [sys.executable, "-m", "identity_client.cli"]
    done = subprocess.run(program, capture_output=True, text=True, check=False, env=os.environ | variables)
    assert "policies" in done.stdout
    assert "provision" not in done.stdout


def test_every_command_has_help_with_an_example(run: Command) -> None:
    """Each command shows how it is used, and what its exit codes mean."""
    alone = ("plan", "provision", "init", "get", "list", "update", "delete", "assign", "revoke", "account")
    inner = {
        "credentials": ("create", "disable-console"),
        "mfa": ("create", "enable", "list", "delete"),
        "groups": ("list", "create", "delete"),
        "policies": ("list", "create", "delete"),
        "operations": ("list", "watch", "resume", "results", "cancel"),
    }
    commands = [(name,) for name in alone] + [(group, name) for group, names in inner.items() for name in names]
    for command in commands:
        done = run(*command, "--help")
        assert done.exit_code == 0
        assert f"identityctl {' '.join(command)}" in done.stdout.split("Example")[1]
        assert "Exit codes: 0 all was done" in done.stdout


def test_texts_cannot_steer_the_terminal(run: Command, service: FakeIdentityService) -> None:
    """Control characters in a message are shown as replacement characters, and brackets are no markup."""
    service.refuse_plan("ana", QUOTA, "[red]evil\x1b]0;title\x07[/red]")
    stdout = run("plan", "ana").stdout
    assert "\x1b" not in stdout
    assert "[red]evil\N{REPLACEMENT CHARACTER}" in stdout


def test_help_documents_the_exit_codes(run: Command) -> None:
    """Scripts can be written from `--help` alone."""
    for args in (["--help"], ["provision", "--help"]):
        done = run(*args)
        assert done.exit_code == 0
        assert "Exit codes: 0 all was done" in done.stdout


def test_a_plan_is_readable_on_a_narrow_terminal() -> None:
    """At 80 columns an action stands unbroken on its line, and an ARN begins a line of its own."""
    arn = f"arn:aws:iam::{ACCOUNT}:user/people/engineering/ana.lima"
    step = PlanStep(iam_action="iam:DeactivateMFADevice", resource=arn, description="deactivate it", round=12)
    shown = io.StringIO()
    console = Console(width=80, file=shown)
    show_plan(console, "ana.lima", Plan(account_id=ACCOUNT, steps=[step]))
    lines = shown.getvalue().splitlines()
    cells = [line.strip("│ ").split("│")[-1].strip() for line in lines]
    assert max(len(line) for line in lines) <= 80
    assert {"iam:DeactivateMFADevice", "deactivate it", arn} <= set(cells)


def test_a_number_that_python_refuses_is_told(run: Command, tmp_path: Path) -> None:
    """A policy document with a number beyond all bounds is bad input, not a traceback."""
    (tmp_path / "p.json").write_text('{"a": ' + "1" * 5000 + "}")
    done = run("plan", "ana", "--inline", "p=@p.json")
    assert done.exit_code == 2
    assert "p.json: " in done.stderr


@pytest.mark.parametrize("words", [("policies", "list", "--scope", "nosuch"), ("--output", "nosuch", "account")])
def test_a_word_that_is_no_choice_is_told_plainly(run: Command, words: tuple[str, ...]) -> None:
    """The message is this program's, and not that of the library that reads the options."""
    done = run(*words)
    assert done.exit_code == 2
    assert "'nosuch' is not one of" in done.stderr
    assert "Value error" not in done.stderr
    refused = run("policies", "list", "--scope", "nosuch", "--output", "json").document()["error"]
    assert "Value error" not in refused["message"]
