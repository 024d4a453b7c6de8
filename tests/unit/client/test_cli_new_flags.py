"""The options about groups and policies that are made on the way: one user without a users file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.client.conftest import Command
from tests.unit.client.fake_service import ACCOUNT, FakeIdentityService

TEAM_POLICY = f"arn:aws:iam::{ACCOUNT}:policy/teams/Team"


@pytest.fixture(autouse=True)
def documents(tmp_path: Path) -> None:
    """Have policy documents in the folder, one of them too long for the contract, and one that is none."""
    (tmp_path / "p.json").write_text('{"Version": "2012-10-17"}')
    (tmp_path / "b.json").write_text('{"Statement": []}')
    (tmp_path / "long.json").write_text('{"Statement": "' + "x" * 33_000 + '"}')
    (tmp_path / "bad.json").write_text("[]")


@pytest.mark.parametrize("command", [("plan",), ("provision", "--yes")])
def test_what_is_new_reaches_the_service(run: Command, service: FakeIdentityService, command: tuple[str, ...]) -> None:
    """Groups with their policies, policies and the boundary are in the request as the contract has them."""
    new = f"--new-group G --new-group H:ReadOnlyAccess,{TEAM_POLICY} --new-policy P=@p.json --new-boundary B=@b.json"
    done = run(*command, "ana", *new.split())
    assert done.exit_code == 0, done.stderr
    permissions = service.received[-1].request.user.permissions
    groups = [(group.group_name, list(group.managed_policies)) for group in permissions.new_groups]
    assert groups == [("G", []), ("H", ["ReadOnlyAccess", TEAM_POLICY])]
    assert [(each.policy_name, each.document) for each in permissions.new_policies] == [
        ("P", '{"Version":"2012-10-17"}')
    ]
    boundary = permissions.new_permissions_boundary
    assert (boundary.policy_name, boundary.document) == ("B", '{"Statement":[]}')


def test_nothing_new_is_nothing(run: Command, service: FakeIdentityService) -> None:
    """Without the options the request has no boundary to make, not even an empty one."""
    run("plan", "ana")
    assert not service.received[-1].request.user.permissions.HasField("new_permissions_boundary")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--new-group a!b", "--new-group: 'a!b' is not 1 to 128"),
        ("--new-group :P", "--new-group ':P': takes NAME, or NAME:POLICY,POLICY"),
        ("--new-group G:", "--new-group 'G:': takes NAME, or NAME:POLICY,POLICY"),
        ("--new-group G:P,,Q", "takes NAME, or NAME:POLICY,POLICY"),
        ("--new-group G:P!", "--new-group G: 'P!' is not a policy's ARN"),
        ("--new-group G:P,P", "--new-group G: a policy is there twice"),
        (f"--new-group G:{','.join(f'p{n}' for n in range(11))}", "--new-group G: 11 policies; a group takes 10"),
        ("--new-group G --new-group g", "--new-group: a name is there twice"),
        (" ".join(f"--new-group g{n}" for n in range(11)), "--new-group: is there 11 times; 10 at most"),
        ("--new-policy P", "--new-policy 'P': takes KEY=VALUE"),
        ("--new-policy P=p.json", "a policy document is given as @FILE.json"),
        ("--new-policy P=@gone.json", "gone.json: No such file"),
        ("--new-policy P=@bad.json", "bad.json: a policy document is a JSON object"),
        ("--new-policy a!b=@p.json", "--new-policy: 'a!b' is not 1 to 128"),
        ("--new-policy P=@long.json", "--new-policy P: the document is longer than 32768"),
        ("--new-policy P=@p.json --new-policy p=@p.json", "--new-policy: a name is there twice"),
        (" ".join(f"--new-policy p{n}=@p.json" for n in range(11)), "--new-policy: is there 11 times"),
        ("--new-boundary B", "--new-boundary 'B': takes KEY=VALUE"),
        ("--new-boundary B=@gone.json", "gone.json: No such file"),
        ("--new-boundary B=@b.json --boundary Team", "leave out --boundary or --new-boundary"),
        ("--new-policy P=@p.json --new-boundary p=@b.json", "'p' is the name of a --new-policy as well"),
        ("bo --new-group G --new-boundary B=@b.json", "--new-group, --new-boundary: what is new can be made for one"),
        ("-f users.yaml --new-group G", "leave out: names, new_groups"),
    ],
)
def test_a_mistake_is_told_before_anything_is_sent(
    run: Command, service: FakeIdentityService, options: str, message: str
) -> None:
    """What the contract would refuse has exit code 2 and a sentence, and the service hears nothing."""
    done = run("provision", "ana", *options.split(), "--yes")
    assert (done.exit_code, service.received) == (2, [])
    assert message in done.stderr


@pytest.mark.parametrize("command", ["plan", "provision"])
def test_the_help_has_an_example(run: Command, command: str) -> None:
    """The options stand in the help, and so does a command that uses them."""
    shown = run(command, "--help").stdout
    assert all(option in shown for option in ("--new-group", "--new-policy", "--new-boundary"))
    assert f"identityctl {command} bot " in shown
