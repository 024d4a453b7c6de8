"""Users files as JSON and as CSV, defaults from another file, and what is made on the way."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from identity_client import ConsolePassword
from identity_client.cli.failures import BadInputError
from identity_client.cli.json_reading import json_root_of
from identity_client.cli.users_file import read_users_file
from identity_client.cli.wanted import WantedUser
from identity_client.cli.yaml_reading import NodeReader, RefusedTextError
from identity_provisioning.v1.permission_pb2 import NewGroup, NewPolicy

HEADING = "name,email,path,groups,policies,boundary,access_key,console,require_reset,tags\n"


def read(folder: Path, name: str, text: str, defaults: str | None = None) -> list[WantedUser]:
    """Read a text as a users file of that name."""
    (folder / name).write_bytes(text.encode())
    if defaults is None:
        return read_users_file(folder / name)
    (folder / "defaults.yaml").write_text(defaults)
    return read_users_file(folder / name, folder / "defaults.yaml")


def complaints(folder: Path, name: str, text: str, defaults: str | None = None) -> list[str]:
    """Answer what is said about a bad file, without the folder."""
    with pytest.raises(BadInputError) as caught:
        read(folder, name, text, defaults)
    return [line.removeprefix(f"{folder}/") for line in str(caught.value).splitlines()]


def test_a_table_of_users(tmp_path: Path) -> None:
    """Each line is a user; lists are separated by semicolons, and an empty cell asks for nothing."""
    ana, bot = read(
        tmp_path,
        "users.csv",
        "\ufeff"
        + HEADING
        + "ana,ana@example.com,/people/,Developers; Ops,,Team,,TRUE,true,team=web;cost-center=4711\r\n"
        '"bot,1",,,,"ReadOnlyAccess;arn:aws:iam::aws:policy/job-function/Billing",,true,,,\r\n',
    )
    assert ana == WantedUser(
        name="ana",
        email="ana@example.com",
        path="/people/",
        groups=["Developers", "Ops"],
        boundary="Team",
        console=ConsolePassword(require_reset=True),
        tags={"team": "web", "cost-center": "4711"},
    )
    assert (bot.name, bot.access_key, bot.console) == ("bot,1", True, None)
    assert bot.policies == ["ReadOnlyAccess", "arn:aws:iam::aws:policy/job-function/Billing"]


def test_a_table_overrides_defaults(tmp_path: Path) -> None:
    """Cells override, an empty cell leaves the default, `null` removes it, and tags are merged."""
    defaults = "path: /people/\ngroups: [Developers]\nconsole: {require_reset: true}\ntags: {a: '1'}\n"
    ana, bo, cy = read(
        tmp_path,
        "users.csv",
        "Name, Path ,groups,console,require_reset,tags\nana,,,,,b=2\nbo,/x/,null,null,,null\ncy,,,,false,\n",
        defaults,
    )
    assert (ana.path, ana.groups, ana.tags) == ("/people/", ["Developers"], {"a": "1", "b": "2"})
    assert ana.console == ConsolePassword(require_reset=True)
    assert (bo.path, bo.groups, bo.console, bo.tags) == ("/x/", (), None, {})
    assert cy.console == ConsolePassword()


def test_a_user_may_be_called_null(tmp_path: Path) -> None:
    """In the column of names the word is a name."""
    assert read(tmp_path, "users.csv", "name\nnull\n")[0].name == "null"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "users.csv: asks for no users"),
        (HEADING, "users.csv: asks for no users"),
        ("email\na@b.c\n", "users.csv:1: name: is missing: the first line names the columns, separated by commas"),
        ("name;email\nana;a@b.c\n", "users.csv:1: name: is missing: the first line names the columns"),
        ("name,phone\nana,1\n", "users.csv:1: phone: is not known; known columns are name, email"),
        ("name,path,path\nana,/,/\n", "users.csv:1: path: is there twice"),
        ("name\nana,b\n", "users.csv:2: has 2 cells under 1 columns"),
        ("name\n\n\nana\nANA\n", "users.csv:5: name: 'ANA' is in line 4 already"),
        ('name,tags\n"ana","a=1;\nb=2"\nbo,c\n', "users.csv:4: tags: 'c' is not KEY=VALUE"),
        ("name,tags\nana,a=1;a=2\n", "users.csv:2: tags.a: is there twice"),
        ("name,path\na b,x\n", "users.csv:2: name: 'a b' is not 1 to 64"),
        ("name,path\n,/x/\n", "users.csv:2: name: is missing"),
        ("name,access_key\nana,yes\n", "users.csv:2: access_key: must be true or false"),
        ("name,groups\nana,A;A\n", "users.csv:2: groups[1]: 'A' is there twice"),
        ("name,console,require_reset\nana,false,true\n", "users.csv:2: require_reset: is about a console password"),
        ("name,self_management\nana,all\n", "users.csv:2: self_management: must be one of password"),
        ('name\n"ana\n', "users.csv:2: is not CSV"),
    ],
)
def test_a_mistake_in_a_table_names_its_line(tmp_path: Path, text: str, complaint: str) -> None:
    """Each mistake is told with line and column."""
    found = complaints(tmp_path, "users.csv", text)
    assert any(line.startswith(complaint) for line in found), found


def test_a_bad_heading_hides_nothing(tmp_path: Path) -> None:
    """An unknown column, one that is there twice and the mistakes of every line are told at once, in their order."""
    text = "name,phone,path,path,access_key\nana,1,x,/,yes\nbo,2,/,/,true\na b,3,/,/,\ncy,4,/,/,,more\n"
    found = complaints(tmp_path, "users.csv", text)
    assert [line.partition(" ")[0] for line in found] == [
        "users.csv:1:",
        "users.csv:1:",
        "users.csv:2:",
        "users.csv:2:",
        "users.csv:4:",
        "users.csv:5:",
    ]
    for column in ("1: path: is there twice", "1: phone: is not known", "2: access_key: must", "2: path: 'x' does"):
        assert any(line.startswith(f"users.csv:{column}") for line in found), found


def test_a_misspelt_name_column_is_told_once(tmp_path: Path) -> None:
    """The lines are checked for all else, and not each complained about for its lack of a name."""
    found = complaints(tmp_path, "users.csv", "nmae,access_key\nana,yes\nbo,true\n")
    assert [line.split(" is ")[0].split(" must")[0] for line in found] == [
        "users.csv:1: name:",
        "users.csv:1: nmae:",
        "users.csv:2: access_key:",
    ]


def test_a_table_without_a_heading_is_one_mistake(tmp_path: Path) -> None:
    """Where the first line names no column at all, its cells are not taken for misspelt ones."""
    (found,) = complaints(tmp_path, "users.csv", "ana,true\nbo,false\n")
    assert found.startswith("users.csv:1: name: is missing")


def test_a_broken_end_hides_no_mistake_before_it(tmp_path: Path) -> None:
    """The lines before the place where a table is no CSV any more are checked too."""
    found = complaints(tmp_path, "users.csv", 'name,access_key\nana,yes\n"bo,true\n')
    assert [line.partition(" ")[2][:12] for line in found] == ["access_key: ", "is not CSV: "]


def test_a_cell_that_was_made_safe_is_read_as_it_was_meant(tmp_path: Path) -> None:
    """The apostrophe with which the credentials file begins such a cell is not part of the name."""
    assert [user.name for user in read(tmp_path, "users.csv", "name\n'+ana\n'=bo\n-cy\n")] == ["+ana", "=bo", "-cy"]


def test_json_is_read_like_yaml(tmp_path: Path) -> None:
    """The same fields, merged in the same way, with the escapes that only JSON has."""
    text = json.dumps(
        {
            "defaults": {"tags": {"team": "web"}, "path": "/people/"},
            "users": [
                {"name": "ana", "console": {"require_reset": True}, "tags": {"name": "日本"}},
                {
                    "name": "bot",
                    "path": None,
                    "access_key": True,
                    "inline_policies": {"p": {"N": 1e30, "U": "\U0001f600"}},
                },
            ],
        },
        indent="\t",
    ).replace("/people/", "\\/people\\/")
    ana, bot = read(tmp_path, "users.JSON", text)
    assert (ana.path, ana.tags) == ("/people/", {"team": "web", "name": "日本"})
    assert (bot.path, bot.access_key) == ("", True)
    assert json.loads(bot.inline_policies["p"]) == {"N": 1e30, "U": "\U0001f600"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "users.json:1: is not JSON: ends too early"),
        ("{\n", "users.json:2: is not JSON: ends too early"),
        ('{"users": [\n {"name": "ana",}\n]}', "users.json:2: is not JSON: there is a comma before the end"),
        ('{"users": [\n {name: "ana"}\n]}', "users.json:2: is not JSON: a key in double quotes"),
        ('{"users": [\n {"name": ana}\n]}', "users.json:2: is not JSON: a value is expected"),
        ('{"users": [\n {"name": 01}\n]}', "users.json:2: is not JSON: '01' is no value"),
        ('{"users": [\n {"name" "ana"}\n]}', "users.json:2: is not JSON: ':' is expected"),
        ('{"users": []}\n{}', "users.json:2: is not JSON: there is more behind the end"),
        ('{"users": [\n {"name": "a\nb"}\n]}', "users.json:2: is not JSON: Invalid control character"),
        ("[" * 5000, "users.json:1: is nested too deeply"),
        ("[]", "users.json:1: file: must be a mapping"),
        ('{"users": [\n {"name": "ana",\n "path": "x"}]}', "users.json:3: users[0].path: 'x' does not begin"),
        ('{"users": [\n {"name": "ana",\n "name": "bo"}]}', "users.json:3: users[0].name: is there twice"),
        ('{"users": [\n {"name": "ana",\n "email": "\\ud800@b"}]}', "users.json:3: users[0].email: holds an escape"),
        ('{"users": [\n {"name": 42}]}', 'users.json:2: users[0].name: must be text; write "42"'),
    ],
)
def test_a_mistake_in_json_names_its_line(tmp_path: Path, text: str, complaint: str) -> None:
    """A JSON file is complained about as well as a YAML file."""
    found = complaints(tmp_path, "users.json", text)
    assert any(line.startswith(complaint) for line in found), found


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(value=VALUES, indent=st.sampled_from([None, 1, "\t"]), ascii_only=st.booleans())
def test_json_means_what_python_says(value: object, indent: str | int | None, ascii_only: bool) -> None:
    """Every document reads as Python's own reader reads it."""
    reader = NodeReader(Path("x.json"))
    node = json_root_of(json.dumps(value, indent=indent, ensure_ascii=ascii_only))
    assert (reader.document(node, "x"), reader.complaints) == (value, [])


@given(text=st.text('{}[]",:0123truefalsn \n\\ue.-', max_size=40))
def test_what_python_refuses_is_refused(text: str) -> None:
    """Nothing passes for JSON that is none, and nothing makes the reader stumble."""
    try:
        json.loads(text)
        good = True
    except ValueError:
        good = False
    try:
        json_root_of(text)
    except RefusedTextError:
        assert not good
    else:
        assert good


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(text=st.text(st.characters(codec="utf-8"), max_size=60) | st.text('name,path\n"\r;= a', max_size=60))
def test_no_table_makes_it_stumble(tmp_path: Path, text: str) -> None:
    """Whatever the table holds, the answer is users or a complaint."""
    with contextlib.suppress(BadInputError):
        assert read(tmp_path, "users.csv", text)


def test_a_files_own_defaults_go_before_those_of_another(tmp_path: Path) -> None:
    """The other file comes first, the file's defaults over it, the user over both."""
    text = "defaults: {tags: {b: '2'}, path: null}\nusers: [{name: ana, tags: {c: '3'}}, {name: bo, path: /bo/}]\n"
    ana, bo = read(tmp_path, "users.yaml", text, "path: /people/\ntags: {a: '1', b: '1'}\n")
    assert (ana.path, ana.tags) == ("", {"a": "1", "b": "2", "c": "3"})
    assert bo.path == "/bo/"


def test_mistakes_of_both_files_are_told_at_once(tmp_path: Path) -> None:
    """The person corrects all of them in one go."""
    found = complaints(tmp_path, "users.csv", "name\na b\n", "path: x\nname: y\n")
    assert [line.rpartition(": ")[0] for line in found] == [
        "defaults.yaml:1: path",
        "defaults.yaml:2: name",
        "users.csv:2: name",
    ]


def test_defaults_are_no_table(tmp_path: Path) -> None:
    """A CSV file of defaults is refused."""
    (tmp_path / "d.csv").write_text("path\n/x/\n")
    (tmp_path / "u.csv").write_text("name\nana\n")
    with pytest.raises(BadInputError, match="YAML or JSON"):
        read_users_file(tmp_path / "u.csv", tmp_path / "d.csv")


ON_THE_WAY = """\
defaults: {boundary: TeamBoundary}
users:
  - name: ana
    copy_from: bo
    self_management: credentials-with-mfa
    mfa_device: phone-of-ana
    new_groups: [{name: G, path: /g/, policies: [ReadOnlyAccess]}]
    new_policies:
      - {name: P, path: /p/, description: For ana., document: {Version: "2012-10-17"}}
    new_boundary: {name: B, document: '@b.json'}
"""


def test_groups_and_policies_may_be_made_on_the_way(tmp_path: Path) -> None:
    """Each becomes the contract's message, and a boundary of one's own takes the place of the defaults'."""
    (tmp_path / "b.json").write_text("{}")
    (ana,) = read(tmp_path, "users.yaml", ON_THE_WAY)
    assert ana == WantedUser(
        name="ana",
        copy_from="bo",
        self_management="credentials-with-mfa",
        mfa_device="phone-of-ana",
        new_groups=[NewGroup(group_name="G", path="/g/", managed_policies=["ReadOnlyAccess"])],
        new_policies=[
            NewPolicy(policy_name="P", path="/p/", description="For ana.", document='{"Version":"2012-10-17"}')
        ],
        new_boundary=NewPolicy(policy_name="B", document="{}"),
    )


@pytest.mark.parametrize(
    ("field", "complaint"),
    [
        ("new_groups: [{path: /x/}]", "new_groups[0].name: is missing"),
        ("new_groups: [{name: a b}]", "new_groups[0].name: 'a b' is not 1 to 128"),
        ("new_groups: [{name: G, policies: [a b]}]", "new_groups[0].policies: 'a b' is not a policy's ARN"),
        ("new_groups: [{name: G}, {name: g}]", "new_groups: 'g' is in line 3 already"),
        ("new_policies: [{name: P}]", "new_policies[0].document: is missing"),
        ("new_policies: [{name: P, document: x}]", "new_policies[0].document: must be a policy document, or @FILE"),
        ("new_policies: [{name: P, document: {}, path: x}]", "new_policies[0].path: 'x' does not begin"),
        ("new_boundary: {name: B, document: {}}\n    boundary: B", "new_boundary: there is a boundary already"),
        ("new_boundary: [B]", "new_boundary: must be a mapping"),
        ("mfa_device: 1", "mfa_device: must be true or false"),
        ("mfa_device: a b", "mfa_device: 'a b' is not 1 to 226"),
        ("copy_from: a b", "copy_from: 'a b' is not 1 to 64"),
        ("boundary: arn:aws:iam::1:policy/x", "boundary: 'arn:aws:iam::1:policy/x' is not a policy's ARN"),
        ("policies: [a b]", "policies: 'a b' is not a policy's ARN"),
        ("inline_policies: {a b: {}}", "inline_policies.a b: 'a b' is not 1 to 128"),
        ("tags: {aws:x: y}", "tags.aws:x: 'aws:x' begins with a reserved prefix"),
        ("tags: {a!: y}", "tags.a!: 'a!' is not 1 to 128 letters"),
        ("tags: {a: y, A: z}", "tags: 'A' is there as 'a' already"),
        ("tags: {D: y}", "tags: with those of the defaults: 'D' is there as 'd' already"),
        (f"groups: [{', '.join(f'g{n}' for n in range(101))}]", "groups: has 101 entries; 100 at most"),
        ("inline_policies: {p: {x: " + "y" * 33_000 + "}}", "inline_policies.p: is longer than 32768"),
    ],
)
def test_what_the_contract_would_refuse_is_told_first(tmp_path: Path, field: str, complaint: str) -> None:
    """Each rule of the contract is checked before anything is sent."""
    found = complaints(tmp_path, "users.yaml", f"defaults: {{tags: {{d: x}}}}\nusers:\n  - name: a\n    {field}\n")
    assert any(complaint in line for line in found), found


def test_a_thing_is_made_once(tmp_path: Path) -> None:
    """Two users cannot both make the same group or policy, in any letter case; the hint says how to go about it."""
    text = (
        "users:\n  - {name: a, new_groups: [{name: G}], new_policies: [{name: P, document: {}}]}\n"
        "  - {name: b, new_groups: [{name: g}], new_boundary: {name: p, document: {}}}\n"
    )
    found = complaints(tmp_path, "users.yaml", text)
    assert [line.split(" already")[0] for line in found] == [
        "users.yaml:3: users[1].new_groups: 'g' is in line 2",
        "users.yaml:3: users[1].new_policies: 'p' is in line 2",
    ]
    assert all("make it first" in line for line in found)


def test_things_to_make_are_no_defaults(tmp_path: Path) -> None:
    """What is made once cannot hold for every user."""
    (found,) = complaints(tmp_path, "users.yaml", "defaults: {new_groups: [{name: G}]}\nusers: [{name: a}]")
    assert found.startswith("users.yaml:1: defaults.new_groups: is not known")


def test_defaults_of_a_file_stand_without_the_word(tmp_path: Path) -> None:
    """Who copies the block with its heading is told what to leave out."""
    assert complaints(tmp_path, "users.yaml", "users: [{name: ana}]", "# Team\ndefaults:\n  path: /x/\n") == [
        "defaults.yaml:2: defaults: the file of --defaults holds the fields themselves, without this word"
    ]
