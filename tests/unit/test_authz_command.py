"""`identity-service authz`: what it prints, and its exit codes."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from identity_service.__main__ import main

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = str(ROOT / "examples" / "authorization")
BOT = "spiffe://example.org/onboarding-bot"
ANA = "arn:aws:iam::123456789012:user/people/ana"
BOUNDARY = "arn:aws:iam::123456789012:policy/TeamBoundary"
EXPLAIN = ("authz", "explain", "--folder", EXAMPLE, "--caller", BOT, "--account", "123456789012")

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine reaches a test."""
    monkeypatch.delenv("IDENTITY_SERVICE_AUTHORIZATION_DIR", raising=False)


def plan_file(tmp_path: Path, *steps: Mapping[str, object], **more: object) -> str:
    """Write a plan on ana."""
    file = tmp_path / "plan.json"
    file.write_text(json.dumps({"steps": [{"user_name": "ana", "user_arn": ANA, **step} for step in steps], **more}))
    return str(file)


MAKE = {"iam_action": "iam:CreateUser", "path": "/people/", "boundary_arn": BOUNDARY}


def test_good_files_are_counted(capsys: Capture) -> None:
    """The shipped example passes."""
    assert main(["authz", "check", "--folder", EXAMPLE]) == 0
    assert capsys.readouterr().out == "good: 4 teams, 5 callers, 11 policies\n"


def test_the_folder_may_come_from_the_setting(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """The variable of the service is read, and no other setting is needed; without both it is asked for."""
    assert main(["authz", "check"]) == 2
    assert "IDENTITY_SERVICE_AUTHORIZATION_DIR" in capsys.readouterr().err
    monkeypatch.setenv("IDENTITY_SERVICE_AUTHORIZATION_DIR", EXAMPLE)
    assert main(["authz", "check"]) == 0


def test_broken_files_are_told_line_by_line(tmp_path: Path, capsys: Capture) -> None:
    """Each mistake has file and line; the exit code is 2."""
    (tmp_path / "callers.yaml").write_text((Path(EXAMPLE) / "callers.yaml").read_text())
    (tmp_path / "x.cedar").write_text('\npermit (principal in Team::"x", action, resource);\npermit')
    assert main(["authz", "check", "--folder", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert f"identity-service: {tmp_path}/x.cedar:2: there is no team 'x'" in said
    assert f"identity-service: {tmp_path}/x.cedar:3: this is no policy" in said


def test_an_rpc_is_explained(capsys: Capture) -> None:
    """Who acts for which team, and which policy stands where; what it may have is another question."""
    assert main([*EXPLAIN, "--action", "ProvisionUser", "--target", "user:ana"]) == 0
    said = capsys.readouterr().out
    assert f"{BOT} acts for people-team" in said
    assert "allowed  ProvisionUser on user/ana" in said
    assert f"people-team: calls ({EXAMPLE}/people-team.cedar:2)" in said
    assert "give --plan" in said


def test_a_denied_rpc_is_explained(capsys: Capture) -> None:
    """The exit code is 3, and what the caller is told stands there."""
    assert main([*EXPLAIN, "--action", "CreatePolicy"]) == 3
    said = capsys.readouterr().out
    assert "DENIED   CreatePolicy on 123456789012" in said
    assert "no policy allows it" in said
    assert "rule=rpc" in said


def test_a_plan_is_explained_step_by_step(tmp_path: Path, capsys: Capture) -> None:
    """Each step with its policy, and then each guard rail that stops one."""
    inline = {"iam_action": "iam:PutUserPolicy", "policy_name": "p", "document": "{}"}
    file = plan_file(tmp_path, MAKE, {"iam_action": "iam:CreateAccessKey"}, inline)
    assert main([*EXPLAIN, "--action", "ProvisionUser", "--target", "user:ana", "--plan", file]) == 3
    said = capsys.readouterr().out
    assert f"allowed  iam:CreateUser on {ANA}" in said
    assert f"allowed  iam:PutUserPermissionsBoundary on {ANA}" in said
    assert f"DENIED   iam:CreateAccessKey on {ANA}" in said
    assert "guard rail inline-documents: the inline policy is p" in said
    assert "the caller is told: rule=grant" in said


def test_an_allowed_plan_is_explained(tmp_path: Path, capsys: Capture) -> None:
    """The exit code is 0 if everything is allowed."""
    assert (
        main([*EXPLAIN, "--action", "ProvisionUser", "--target", "user:ana", "--plan", plan_file(tmp_path, MAKE)]) == 0
    )
    assert capsys.readouterr().out.endswith("\nallowed\n")


def test_a_plan_may_say_how_things_are(tmp_path: Path, capsys: Capture) -> None:
    """Owner and boundary of the user, and of the one who is copied, decide as well."""
    copied = {"user_name": "olga", "arn": f"{ANA}x", "owner": "ci-platform"}
    user = {"user_name": "ana", "arn": ANA, "owner": "people-team"}
    file = plan_file(tmp_path, {"iam_action": "iam:UntagUser", "tag_keys": ["a"]}, user=user, copied_from=copied)
    assert main([*EXPLAIN, "--action", "UpdateUser", "--target", "user:ana", "--plan", file]) == 3
    said = capsys.readouterr().out
    assert "DENIED   plan:CopyPermissions on user/olga" in said
    assert "guard rail required-boundary: the user's boundary is none" in said


def test_an_unknown_caller_is_denied(capsys: Capture) -> None:
    """Nobody's caller may do nothing."""
    arguments = ["authz", "explain", "--folder", EXAMPLE, "--caller", "spiffe://x/y", "--account", "123456789012"]
    assert main([*arguments, "--action", "GetUser"]) == 3
    assert "nobody's caller" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--action", "getUser"), "there is no RPC 'getUser'"),
        (("--action", "GetUser", "--target", "ana"), "must be user:NAME, group:NAME or policy:ARN"),
        (("--action", "GetUser", "--target", "role:ana"), "must be user:NAME, group:NAME or policy:ARN"),
        (("--action", "GetUser", "--plan", "PLAN"), "say what the plan is about"),
        (("--action", "GetUser", "--target", "user:ana", "--plan", "none.json"), "none.json: No such file"),
    ],
)
def test_wrong_options_are_named(tmp_path: Path, capsys: Capture, arguments: tuple[str, ...], said: str) -> None:
    """Each mistake has its words, and the exit code 2."""
    file = plan_file(tmp_path, MAKE)
    assert main([*EXPLAIN, *(file if each == "PLAN" else each for each in arguments)]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "this is no JSON"),
        ("[]", "must be an object"),
        ('{"steps": [1]}', "the plan: steps.0"),
        ('{"steps": [{"iam_action": "iam:Nope"}]}', "there are no steps with the iam_action 'iam:Nope'"),
        ('{"steps": [{"iam_action": "iam:DeleteUser"}]}', "a step iam:DeleteUser: user_name"),
        ('{"user": {"user_name": "ana"}}', "the plan: user.arn"),
    ],
)
def test_a_plan_that_is_none_is_named(tmp_path: Path, capsys: Capture, text: str, said: str) -> None:
    """What cannot be read is said, without a traceback."""
    (tmp_path / "plan.json").write_text(text)
    arguments = ("--action", "GetUser", "--target", "user:ana", "--plan", str(tmp_path / "plan.json"))
    assert main([*EXPLAIN, *arguments]) == 2
    assert said in capsys.readouterr().err
