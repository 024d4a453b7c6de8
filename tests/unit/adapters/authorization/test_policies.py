"""Which policies are taken, and in which words, with which line, the others are refused."""

import re
from pathlib import Path

import pytest

from identity_service.adapters.authorization import AuthorizationFileError, FileAuthorizer
from identity_service.adapters.authorization.cedar_text import Statement, is_too_deep, statements
from tests.unit.adapters.authorization.conftest import WriteFolder

PERMIT = "permit (principal, action, resource);"


def complaint(folder: Path) -> list[str]:
    """Return what is said about a folder, line by line, without the folder."""
    with pytest.raises(AuthorizationFileError) as caught:
        FileAuthorizer(folder)
    return [line.removeprefix(f"{folder}/") for line in str(caught.value).splitlines()]


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("permit (principal, action", "this is no policy: unexpected end of input"),
        ("permit (principal, action, resource) whenever { true };", "this is no policy: "),
        (
            'permit (principal, action == Action::"GetUsers", resource);',
            'unrecognized action `Action::"GetUsers"`',
        ),
        (
            'permit (principal, action == Action::"GetUser", resource) when { resource.owner == principal };',
            "attribute `owner` on entity type `Account` not found",
        ),
        (
            'permit (principal, action == Action::"iam:CreateUser", resource) when { principal in resource.owner };',
            "unable to guarantee safety of access to optional attribute `owner`",
        ),
        ('permit (principal in Tame::"x", action, resource);', "unrecognized entity type `Tame`"),
        ('permit (principal in Team::"people", action, resource);', "there is no team 'people'"),
        (
            'permit (principal, action, resource is User) when { resource has owner && resource.owner == Team::"x" };',
            "there is no team 'x'",
        ),
        ('permit (principal == Caller::"spiffe://x/y", action, resource);', "there is no caller 'spiffe://x/y'"),
        ('permit (principal, action, resource in Account::"12345");', "there can be no account '12345'"),
        ("permit (principal == ?principal, action, resource);", "this is a template, which allows nothing"),
    ],
)
def test_a_policy_that_is_no_good_is_refused_with_its_line(write: WriteFolder, policy: str, said: str) -> None:
    """Syntax, types, and names that lead nowhere: each has file, line and words, in one line."""
    folder = write(files={"people.cedar": f'// First.\n@id("good")\n{PERMIT}\n\n// Then.\n@id("bad")\n{policy}\n'})
    assert any(line.startswith(f"people.cedar:6: {said}") for line in complaint(folder))


@pytest.mark.parametrize(
    "condition",
    [" || ".join(["true"] * 1000), "(" * 101 + "true" + ")" * 101],
    ids=["a chain that Python cannot read", "brackets"],
)
def test_a_policy_that_is_nested_too_deeply_is_refused_with_its_line(write: WriteFolder, condition: str) -> None:
    """What would end the process, or cannot be read, is a mistake like any other, told along with the others."""
    deep = f'@id("deep") permit (principal, action, resource) when {{ {condition} }};'
    folder = write(files={"people.cedar": f'@id("good")\n{PERMIT}\n{deep}\n{PERMIT}\n'})
    too_deep, unnamed = complaint(folder)
    assert too_deep.startswith("people.cedar:3: this is nested too deeply")
    assert unnamed.startswith("people.cedar:4: the policy needs a name")


@pytest.mark.parametrize("operator", ["||", "&&", "+", "else", "."])
def test_a_chain_that_the_engine_may_not_survive_is_kept_from_it(operator: str) -> None:
    """Some 20,000 operators overflow the engine's stack, which no exception tells: 2,001 are refused before."""
    assert is_too_deep(f"a {operator} " * 2001 + "a")
    assert not is_too_deep(f"a {operator} " * 2000 + "a")


@pytest.mark.parametrize(
    "condition",
    [
        " || ".join(["true"] * 300),
        f"[{', '.join(['(1)'] * 1000)}].contains(1)",
        f'"{"(" * 1000}" like "*" // {"[" * 1000}\n',
    ],
    ids=["a chain", "a long set", "what is no code"],
)
def test_a_long_policy_is_not_taken_for_a_deep_one(write: WriteFolder, condition: str) -> None:
    """Many terms, many brackets one after the other, and brackets in a string or a comment are fine."""
    FileAuthorizer(write(files={"a.cedar": f'@id("a") permit (principal, action, resource) when {{ {condition} }};'}))


def test_every_mistake_is_told_at_once(write: WriteFolder) -> None:
    """Mistakes in two files are told together."""
    folder = write(files={"a.cedar": "permit (", "b.cedar": 'forbid (principal in Team::"x", action, resource);'})
    assert [line.partition(": ")[0] for line in complaint(folder)] == ["a.cedar:1", "b.cedar:1", "b.cedar:1"]


def test_a_policy_needs_a_name(write: WriteFolder) -> None:
    """Without a name nobody could be told which policy decided."""
    (line,) = complaint(write(files={"people.cedar": PERMIT}))
    assert line == 'people.cedar:1: the policy needs a name of its own: @id("...") before it'


def test_a_name_stands_once(write: WriteFolder) -> None:
    """Two policies of one name, in one file or in two, are refused, and the first one is named."""
    text = f'@id("same") {PERMIT}'
    (line,) = complaint(write(files={"a.cedar": text, "b.cedar": f"\n{text}"}))
    assert re.fullmatch(r'b\.cedar:2: @id\("same"\) is at .*/a\.cedar:1 already', line)


def test_what_is_not_utf8_is_refused(write: WriteFolder) -> None:
    """A policy in another encoding is refused, not guessed at."""
    folder = write(PERMIT)
    (folder / "people.cedar").write_bytes(b"\xff")
    assert complaint(folder) == ["people.cedar: this is not UTF-8"]


def test_no_policy_at_all_is_good(write: WriteFolder) -> None:
    """An empty file, or none, allows nothing."""
    FileAuthorizer(write(files={"people.cedar": "// Later.\n"}))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        (" // a; b\n", []),
        ("a;b;", [Statement("a;", 1), Statement("b;", 1)]),
        ("\n a ;\n// x;\n\n b\n;\n", [Statement("a ;", 2), Statement("b\n;", 5)]),
        ('a ";" b;\nc', [Statement('a ";" b;', 1), Statement("c", 2)]),
        ('a "\\";//" b; // c;', [Statement('a "\\";//" b;', 1)]),
        ('a "no end; b;', [Statement('a "no end;', 1), Statement("b;", 1)]),
    ],
)
def test_policies_are_told_apart(text: str, found: list[Statement]) -> None:
    """A semicolon in a comment or in a text ends no policy."""
    assert list(statements(text)) == found
