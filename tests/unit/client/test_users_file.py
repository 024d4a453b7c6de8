"""The users file: how defaults and users become wishes, and how every mistake is named."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from identity_client import ConsolePassword
from identity_client.cli.failures import BadInputError
from identity_client.cli.users_file import read_users_file
from identity_client.cli.wanted import WantedUser

EXAMPLE = """\
defaults:
  path: /people/
  groups: [Developers]
  boundary: TeamBoundary
  tags: {cost-center: "4711"}
  console: {require_reset: true}
  access_key: false
users:
  - name: ana.lima
    email: ana@example.com
    tags: {role: engineer}
  - name: ci-deployer
    path: /machines/
    console: null
    access_key: true
    groups: null
    tags: {cost-center: null}
    policies: [AmazonS3ReadOnlyAccess]
    inline_policies:
      deploy: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: "s3:*", Resource: "*", N: 1}]}
"""


def read(folder: Path, text: str) -> list[WantedUser]:
    """Read a text as a users file."""
    (folder / "users.yaml").write_text(text)
    return read_users_file(folder / "users.yaml")


def complaints(folder: Path, text: str) -> list[str]:
    """Answer what is said about a bad file, without the folder."""
    with pytest.raises(BadInputError) as caught:
        read(folder, text)
    return [line.removeprefix(f"{folder}/") for line in str(caught.value).splitlines()]


def test_users_override_defaults(tmp_path: Path) -> None:
    """Maps are merged, lists and values replaced, null removes; a date in a document is text."""
    ana, deployer = read(tmp_path, EXAMPLE)
    assert ana == WantedUser(
        name="ana.lima",
        email="ana@example.com",
        path="/people/",
        groups=["Developers"],
        boundary="TeamBoundary",
        tags={"cost-center": "4711", "role": "engineer"},
        console=ConsolePassword(require_reset=True),
    )
    assert (deployer.path, deployer.console, deployer.access_key) == ("/machines/", None, True)
    assert (deployer.groups, deployer.tags, deployer.boundary) == ((), {}, "TeamBoundary")
    document = json.loads(deployer.inline_policies["deploy"])
    assert document["Version"] == "2012-10-17"
    assert document["Statement"][0]["N"] == 1


def test_a_policy_may_stand_in_a_file_beside(tmp_path: Path) -> None:
    """`@deploy.json` is looked for beside the users file."""
    (tmp_path / "deploy.json").write_text('{ "Version": "2012-10-17" }')
    (user,) = read(tmp_path, "users: [{name: a, inline_policies: {deploy: '@deploy.json'}}]")
    assert user.inline_policies == {"deploy": '{"Version":"2012-10-17"}'}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("users: []", "users.yaml: asks for no users"),
        ("", "users.yaml: asks for no users"),
        ("- a", "users.yaml:1: file: must be a mapping of names to values"),
        ("users:\n  - nam: a", "users.yaml:2: users[0].nam: is not known"),
        ("users:\n  - email: a@b.c", "users.yaml:2: users[0].name: is missing"),
        ("people: []\nusers: [{name: a}]", "users.yaml:1: people: is not known"),
        ("users:\n  - name: a\n  - name: A", "users.yaml:3: users[1].name: 'A' is in line 2 already"),
        ("users: [{name: a}, {name: A}]", "users.yaml:1: users[1].name: 'A' is in line 1 already"),
        ("users:\n  - name: a b", "users.yaml:2: users[0].name: 'a b' is not 1 to 64"),
        ("users:\n  - name: 42", 'users.yaml:2: users[0].name: must be text; write "42"'),
        ("users:\n  - name: a\n    tags: {x: no}", 'users.yaml:3: users[0].tags.x: must be text; write "no"'),
        ("users:\n  - name: a\n    groups: G", "users.yaml:3: users[0].groups: must be a list"),
        ("users:\n  - name: a\n    groups: [G, G]", "users.yaml:3: users[0].groups[1]: 'G' is there twice"),
        ("users:\n  - name: a\n    groups: ['a b']", "users.yaml:3: users[0].groups: 'a b' is not 1 to 128"),
        ("users:\n  - name: a\n    path: people", "users.yaml:3: users[0].path: 'people' does not begin"),
        ("users:\n  - name: a\n    console: 1", "users.yaml:3: users[0].console: must be true or false"),
        ("users:\n  - name: a\n    console: {rset: true}", "users.yaml:3: users[0].console.rset: is not known"),
        ("users:\n  - name: a\n    email: x", "users.yaml:3: users[0].email: 'x' is not a mail address"),
        ("users:\n  - name: a\n    name: b", "users.yaml:3: users[0].name: is there twice"),
        ("users:\n  - name: a\n    self_management: all", "users.yaml:3: users[0].self_management: must be one of"),
        ("users:\n  - name: a\n    inline_policies: {p: x}", "users.yaml:3: users[0].inline_policies.p: must be a"),
        ("defaults: {name: a}\nusers: [{name: b}]", "users.yaml:1: defaults.name: is not known"),
        ("users:\n  - &a {name: a}\n  - *a", "users.yaml:3: aliases are not taken"),
        ("users:\n  [", "users.yaml:2: expected the node content"),
        ("users:\n  - name: a\n    access_key: !!bool x", "users.yaml:3: users[0].access_key: must be true or false"),
        ("users: [{name: a, inline_policies: {p: {N: .nan}}}]", "users.yaml:1: users[0].inline_policies.p.N: is no"),
        ("[" * 5000, "users.yaml:1: is nested too deeply"),
        ("users: !!python/object:os.x {}", "users.yaml:1: users: must be a list"),
        ("users:\n  - name: a\n    inline_policies: {p: '@gone.json'}", "users.yaml:3: users[0].inline_policies.p:"),
    ],
)
def test_mistakes_name_file_line_and_field(tmp_path: Path, text: str, complaint: str) -> None:
    """Each mistake is told with the place to correct it."""
    assert any(line.startswith(complaint) for line in complaints(tmp_path, text)), complaints(tmp_path, text)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """The person corrects the file once, from top to bottom."""
    text = "defaults: {path: x}\nusers:\n  - name: a\n    groups: G\n  - email: y\n"
    lines = [line.split(":")[1] for line in complaints(tmp_path, text)]
    assert lines == ["1", "4", "5", "5"]


def test_a_missing_or_unreadable_file_is_told(tmp_path: Path) -> None:
    """No traceback for a wrong name or for bytes that are no text."""
    with pytest.raises(BadInputError, match="No such file"):
        read_users_file(tmp_path / "gone.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInputError):
        read_users_file(tmp_path / "binary.yaml")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(text=st.text(st.characters(codec="utf-8"), max_size=60) | st.text("users:-[]{}&*! \nna", max_size=60))
def test_no_text_makes_it_stumble(tmp_path: Path, text: str) -> None:
    """Whatever the file holds, the answer is users or a complaint."""
    with contextlib.suppress(BadInputError):
        assert read(tmp_path, text)


@pytest.mark.parametrize(
    "value",
    ["1" * 5000, "0b_", '!!float "[1"', '!!int "' + "[" * 5000 + '"'],
    ids=["digits", "empty", "list", "nested"],
)
def test_a_number_that_is_none_is_told(tmp_path: Path, value: str) -> None:
    """Whatever YAML takes for a number and Python or JSON does not is a complaint with its line."""
    text = f"users:\n- name: ana\n  inline_policies:\n    p: {{N: {value}}}\n"
    assert complaints(tmp_path, text) == ["users.yaml:4: users[0].inline_policies.p.N: is no number that JSON has"]


def test_a_policy_file_whose_name_is_none_is_told(tmp_path: Path) -> None:
    """A name with a NUL in it is bad input."""
    (complaint,) = complaints(tmp_path, 'users: [{name: ana, inline_policies: {p: "@a\\0b"}}]')
    assert "null byte" in complaint
