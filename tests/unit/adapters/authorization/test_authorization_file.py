"""Which files of callers are taken, and what is said about the others."""

import os
from pathlib import Path

import pytest

from identity_service.adapters.authorization import AuthorizationFileError, FileAuthorizer
from identity_service.domain.target import user

ROOT = Path(__file__).parents[4]

GOOD = """\
teams:
  people-team:
    accounts:
      "123456789012": unguarded
callers:
  "spiffe://example.org/bot": people-team
"""
BOT = "spiffe://example.org/bot"
EVERYTHING = '@id("everything") permit (principal, action, resource);'


def folder(tmp_path: Path, text: str | bytes) -> Path:
    """Write a folder with a file of callers and a policy that allows everything."""
    (tmp_path / "callers.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    (tmp_path / "everything.cedar").write_text(EVERYTHING)
    return tmp_path


def complaint(tmp_path: Path, text: str | bytes) -> str:
    """Return what is said about a file, without the directory."""
    with pytest.raises(AuthorizationFileError) as caught:
        FileAuthorizer(folder(tmp_path, text))
    return str(caught.value).replace(f"{tmp_path}/", "")


def change(old: str, new: str) -> str:
    """Return the good file with one change."""
    assert old in GOOD
    return GOOD.replace(old, new)


def with_caller(spiffe_id: str) -> str:
    """Return the good file with another caller, in the form of YAML that takes keys of more than 1024 characters."""
    return change('"spiffe://example.org/bot": people-team', f'? "{spiffe_id}"\n  : people-team')


def with_rails(*lines: str) -> str:
    """Return the good file with guard rails in the place of none."""
    return change(" unguarded", "".join(f"\n        {line}" for line in lines))


def test_a_good_file_is_taken(tmp_path: Path) -> None:
    """What the other tests change is good without the change; the path may be a str."""
    authorizer = FileAuthorizer(str(folder(tmp_path, GOOD)))
    authorizer.may_ask(authorizer.identify(BOT), "GetUser", "123456789012", user("ana"))


def test_the_example_is_good() -> None:
    """The example loads, and each caller in it may call something."""
    authorizer = FileAuthorizer(ROOT / "examples" / "authorization")
    assert authorizer.identify("spiffe://insecure.local/caller").team == "try-out"
    onboarding = authorizer.identify("spiffe://example.org/onboarding-bot")
    authorizer.may_ask(onboarding, "ProvisionUser", "123456789012", None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "callers.yaml: the file is empty"),
        ("# only a comment\n", "callers.yaml: the file is empty"),
        ("- teams\n", "callers.yaml:1: the file: must be a mapping"),
        ("teams\n", "callers.yaml:1: the file: must be a mapping"),
        (
            "teams: [\n",
            "callers.yaml:2: while parsing a flow node, expected the node content, but found '<stream end>'",
        ),
        ("teams: *other\n", "callers.yaml:1: found undefined alias 'other'"),
        (b"teams: \xff\n", "callers.yaml: this is not UTF-8"),
        ("teams: \x00\n", "callers.yaml:1: this is no YAML: it holds a character that YAML does not allow"),
        ("[" * 100_000, "callers.yaml:1: this is nested too deeply"),
        (GOOD + "---\n" + GOOD, "callers.yaml:7: expected a single document in the stream, but found another document"),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, text: str | bytes, said: str) -> None:
    """A file that is empty, or no YAML, or another YAML, is refused with the line."""
    assert complaint(tmp_path, text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD + "owner: me\n", "callers.yaml:7: owner: this key is not known here"),
        (change("    accounts:", "    acounts:"), "callers.yaml:2: teams.people-team.accounts: this key is missing"),
        (GOOD.split("callers")[0], "callers.yaml:1: callers: this key is missing"),
        (
            change("people-team:\n", "people team:\n"),
            "callers.yaml:2: teams.people team: a team's name has up to 128 letters",
        ),
        (
            change(": people-team", ": other"),
            "callers.yaml:6: callers[\"spiffe://example.org/bot\"]: the file has no team 'other'",
        ),
        (
            change(": people-team", ":"),
            "callers.yaml:6: callers[\"spiffe://example.org/bot\"]: the file has no team ''",
        ),
        (
            change(": people-team", ": [people-team]"),
            'callers.yaml:6: callers["spiffe://example.org/bot"]: must be text',
        ),
        (
            GOOD + '  "spiffe://insecure.local/caller": people-team\n  "spiffe://partner.example/bot": people-team\n',
            'callers.yaml:8: callers["spiffe://partner.example/bot"]: all callers are of one trust domain',
        ),
        (
            "teams: {}\ncallers: {}\n",
            "callers.yaml:1: teams: must not be empty\ncallers.yaml:2: callers: must not be empty",
        ),
    ],
)
def test_what_is_not_understood_is_refused(tmp_path: Path, text: str, said: str) -> None:
    """Unknown keys, missing ones, wrong kinds and names that lead nowhere are refused with line and key."""
    assert complaint(tmp_path, text).startswith(said)


@pytest.mark.parametrize(
    ("accounts", "said"),
    [
        ("", ": must be a mapping"),
        (" ~", ": must be a mapping"),
        (" {}", ": must not be empty"),
        (' ["123456789012"]', ": must be a mapping"),
        (" {12345678901: unguarded}", ".12345678901: an account id has 12 digits"),
        (' {"1234567890123": unguarded}', ".1234567890123: an account id has 12 digits"),
        (" {12345678901x: unguarded}", ".12345678901x: an account id has 12 digits"),
        (' {"**": unguarded}', ".**: an account id has 12 digits"),
        (' {"١٢٣٤٥٦٧٨٩٠١٢": unguarded}', ".١٢٣٤٥٦٧٨٩٠١٢: an account id has 12 digits"),
        (' {"*": }', "[\"*\"]: set a guard rail, or say 'unguarded'"),
        (' {"*": {}}', "[\"*\"]: set a guard rail, or say 'unguarded'"),
        (' {"*": guarded}', '["*"]: must be a mapping'),
        (' {"*": [unguarded]}', '["*"]: must be a mapping'),
    ],
)
def test_an_account_is_named_with_its_guard_rails_or_with_none(tmp_path: Path, accounts: str, said: str) -> None:
    """Where a team may do anything is said, and so is that it is not guarded there: forgetting is a mistake."""
    text = change('accounts:\n      "123456789012": unguarded', f"accounts:{accounts}")
    assert complaint(tmp_path, text).startswith(f"callers.yaml:3: teams.people-team.accounts{said}")


@pytest.mark.parametrize(
    ("rail", "said"),
    [
        ("allowed_path: [/people/]", "allowed_path: this key is not known here"),
        ("allowed_paths: /people/", "allowed_paths: must be a list"),
        ("allowed_paths: [people/]", "allowed_paths[0]: a path begins and ends with '/'"),
        ("allowed_paths: [/people]", "allowed_paths[0]: a path begins and ends with '/'"),
        ("allowed_paths: [/people/, /people*]", "allowed_paths[1]: a path begins and ends with '/'"),
        ("required_boundary: arn:aws:iam::aws:policy/X", "required_boundary: must be a list"),
        ("required_boundary: []", "required_boundary: must not be empty"),
        ("required_boundary: [TeamBoundary]", "required_boundary[0]: this is no policy's ARN"),
        ("allowed_policies: [ReadOnlyAccess]", "allowed_policies[0]: this is no policy's ARN"),
        ("allowed_policies: ['*']", "allowed_policies[0]: this is no policy's ARN"),
        ("allowed_policies:", "allowed_policies: must be a list"),
        ("allowed_groups: ['']", "allowed_groups[0]: must not be empty"),
        ("user_name_pattern: '[a-z'", "user_name_pattern: this is no regular expression: unterminated character set"),
        ("inline_documents: no", "inline_documents: must be 'allowed' or 'forbidden'"),
        ("self_management: false", "self_management: must be 'allowed' or 'forbidden'"),
    ],
)
def test_a_guard_rail_that_is_not_understood_is_refused(tmp_path: Path, rail: str, said: str) -> None:
    """A typing error in a guard rail must not take the guard away."""
    place = "callers.yaml:5: teams.people-team.accounts.123456789012."
    assert complaint(tmp_path, with_rails(rail)).startswith(place + said)


def test_every_guard_rail_is_taken(tmp_path: Path) -> None:
    """What the guide names is known, and an empty list of what is allowed allows nothing."""
    rails = (
        'required_boundary: ["arn:aws:iam::*:policy/B"]',
        "allowed_paths: [/, /people/, /machines/*]",
        "user_name_pattern: '[a-z]+'",
        "allowed_policies: []",
        "allowed_groups: []",
        "inline_documents: forbidden",
        "self_management: allowed",
    )
    FileAuthorizer(folder(tmp_path, with_rails(*rails)))


def test_an_account_id_needs_no_quotes(tmp_path: Path) -> None:
    """An id without quotes is text too, its leading zero included, and no octal number."""
    authorizer = FileAuthorizer(folder(tmp_path, change('"123456789012"', "012345670123")))
    authorizer.may_ask(authorizer.identify(BOT), "GetUser", "012345670123", None)


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        (GOOD + '  "spiffe://example.org/bot": people-team\n', 7, "spiffe://example.org/bot"),
        (GOOD + "  spiffe://example.org/bot: people-team\n", 7, "spiffe://example.org/bot"),
        (change("callers:", "  people-team:\n    accounts: {}\ncallers:"), 5, "people-team"),
        (change("callers:", '      "123456789012": unguarded\ncallers:'), 5, "123456789012"),
        (GOOD + "teams: {}\n", 7, "teams"),
    ],
)
def test_a_key_stands_once(tmp_path: Path, text: str, line: int, key: str) -> None:
    """A key that is there twice is refused, quoted or not: nobody can tell which one was meant."""
    assert complaint(tmp_path, text) == f"callers.yaml:{line}: the key {key!r} is there twice"


def test_merge_keys_are_not_known(tmp_path: Path) -> None:
    """A team's rights stand at the team: YAML's merging of mappings is refused as the unknown key that it is."""
    text = change("    accounts:", "    <<: {}\n    accounts:")
    assert complaint(tmp_path, text) == "callers.yaml:3: teams.people-team.<<: this key is not known here"


def test_a_mapping_within_itself_is_refused(tmp_path: Path) -> None:
    """A file that leads back to itself is refused instead of being followed for ever."""
    assert complaint(tmp_path, "teams: &loop {people-team: *loop}\n").startswith(
        "callers.yaml:1: found unconstructable"
    )


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    """Two mistakes are two lines."""
    text = change("unguarded", "guarded").replace("spiffe:", "spiff:")
    assert len(complaint(tmp_path, text).splitlines()) == 2


@pytest.mark.parametrize(
    ("spiffe_id", "said"),
    [
        ("https://example.org/bot", "a SPIFFE id begins with spiffe://"),
        ("SPIFFE://example.org/bot", "a SPIFFE id begins with spiffe://"),
        ("example.org/bot", "a SPIFFE id begins with spiffe://"),
        ("spiffe:///bot", "a trust domain has lowercase letters"),
        ("spiffe://Example.org/bot", "a trust domain has lowercase letters"),
        ("spiffe://example.org:8443/bot", "a trust domain has lowercase letters"),
        ("spiffe://user@example.org/bot", "a trust domain has lowercase letters"),
        ("spiffe://ex%41mple.org/bot", "a trust domain has lowercase letters"),
        ("spiffe://" + "a" * 256 + "/bot", "a trust domain has at most 255 characters"),
        ("spiffe://example.org", "the SPIFFE id of a workload has a path"),
        ("spiffe://example.org/", "the SPIFFE id of a workload has a path"),
        ("spiffe://example.org/bot/", "a SPIFFE id's path has no empty segment"),
        ("spiffe://example.org//bot", "a SPIFFE id's path has no empty segment"),
        ("spiffe://example.org/./bot", "a SPIFFE id's path has no segment '.' or '..'"),
        ("spiffe://example.org/a/../bot", "a SPIFFE id's path has no segment '.' or '..'"),
        ("spiffe://example.org/b%6ft", "a path segment has letters"),
        ("spiffe://example.org/bot bot", "a path segment has letters"),
        ("spiffe://example.org/böt", "a path segment has letters"),
        ("spiffe://example.org/bot?x=1", "a SPIFFE id has no query and no fragment"),
        ("spiffe://example.org/bot#x", "a SPIFFE id has no query and no fragment"),
        ("spiffe://example.org/" + "a" * 2028, "a SPIFFE id has at most 2048 bytes"),
    ],
)
def test_a_caller_is_a_workloads_spiffe_id(tmp_path: Path, spiffe_id: str, said: str) -> None:
    """What the SPIFFE ID specification does not allow, no certificate may hold: it is a typing error."""
    assert complaint(tmp_path, with_caller(spiffe_id)).startswith(f'callers.yaml:6: callers["{spiffe_id}"]: {said}')


@pytest.mark.parametrize(
    "spiffe_id",
    [
        "spiffe://example.org/bot",
        "spiffe://example.org/ns/prod/sa/Bot_1.2-3",
        "spiffe://under_score-1.example/...",
        "spiffe://" + "a" * 255 + "/b",
        "spiffe://example.org/" + "a" * 2027,
    ],
)
def test_every_workloads_spiffe_id_is_taken(tmp_path: Path, spiffe_id: str) -> None:
    """What the SPIFFE ID specification allows for a workload is taken, up to the longest."""
    assert FileAuthorizer(folder(tmp_path, with_caller(spiffe_id))).identify(spiffe_id).team == "people-team"


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """The words name the folder and the cause."""
    with pytest.raises(AuthorizationFileError, match=r"none: this cannot be read: No such file"):
        FileAuthorizer(tmp_path / "none")


def test_a_folder_without_callers_is_refused(tmp_path: Path) -> None:
    """Policies alone let nobody in: somebody has forgotten a file."""
    (tmp_path / "everything.cedar").write_text(EVERYTHING)
    with pytest.raises(AuthorizationFileError, match=r"callers\.yaml: the file is missing"):
        FileAuthorizer(tmp_path)


@pytest.mark.parametrize("name", ["people.ceder", "people.cedar.bak", "people.cedar~", "teams.yaml", "callers.yml"])
def test_a_strange_file_is_refused(tmp_path: Path, name: str) -> None:
    """A policy in a file with a wrong name would forbid nothing, silently."""
    folder(tmp_path, GOOD)
    (tmp_path / name).touch()
    with pytest.raises(AuthorizationFileError, match=f"{name}: what is this"):
        FileAuthorizer(tmp_path)


@pytest.mark.parametrize("name", [".callers.yaml.swp", "..2026_02_03", "README.md"])
def test_hidden_files_and_a_readme_are_left_alone(tmp_path: Path, name: str) -> None:
    """What editors and Kubernetes leave there is not read."""
    folder(tmp_path, GOOD)
    (tmp_path / name).write_text("permit")
    FileAuthorizer(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read any file")
def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    """A file that the service may not read is refused."""
    folder(tmp_path, GOOD)
    (tmp_path / "callers.yaml").chmod(0)
    with pytest.raises(AuthorizationFileError, match=r"callers\.yaml: this cannot be read: Permission denied"):
        FileAuthorizer(tmp_path)


def test_the_error_is_a_value_error() -> None:
    """Whoever handles wrong settings handles this one."""
    assert issubclass(AuthorizationFileError, ValueError)
