"""Which authorization files are taken, and what is said about the others."""

import importlib
import os
from pathlib import Path

import pytest

from identity_service.adapters.authorization import AuthorizationFileError, FileAuthorizer

KNOWN = frozenset({"ProvisionUser", "GetUser"})
ROOT = Path(__file__).parents[4]

GOOD = """\
teams:
  people-team:
    rpcs: [ProvisionUser, GetUser]
    accounts: ["123456789012"]
callers:
  "spiffe://example.org/bot": people-team
"""


def complaint(tmp_path: Path, text: str | bytes) -> str:
    """Return what is said about a file, without the directory."""
    file = tmp_path / "rules.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(AuthorizationFileError) as caught:
        FileAuthorizer.from_file(file, KNOWN)
    return str(caught.value).replace(f"{tmp_path}/", "")


def change(old: str, new: str) -> str:
    """Return the good file with one change."""
    assert old in GOOD
    return GOOD.replace(old, new)


def with_caller(spiffe_id: str) -> str:
    """Return the good file with another caller, in the form of YAML that takes keys of more than 1024 characters."""
    return change('"spiffe://example.org/bot": people-team', f'? "{spiffe_id}"\n  : people-team')


def test_a_good_file_is_taken(tmp_path: Path) -> None:
    """What the other tests change is good without the change; the path may be a str."""
    file = tmp_path / "rules.yaml"
    file.write_text(GOOD)
    FileAuthorizer.from_file(str(file), KNOWN).identify("spiffe://example.org/bot")


def test_the_example_is_good() -> None:
    """The example loads with the contract's RPCs, and each caller in it may call something."""
    services = ("user", "credential", "permission", "operation", "account")
    modules = [importlib.import_module(f"identity_provisioning.v1.{name}_service_pb2") for name in services]
    rpcs = frozenset(
        method.name
        for module in modules
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    )
    assert "ProvisionUser" in rpcs
    authorizer = FileAuthorizer.from_file(ROOT / "examples" / "authorization.yaml", rpcs)
    assert authorizer.identify("spiffe://insecure.local/caller").team == "try-out"
    onboarding = authorizer.identify("spiffe://example.org/onboarding-bot")
    authorizer.may_ask(onboarding, "ProvisionUser", "123456789012", None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "rules.yaml: the file is empty"),
        ("# only a comment\n", "rules.yaml: the file is empty"),
        ("- teams\n", "rules.yaml:1: the file: must be a mapping"),
        ("teams\n", "rules.yaml:1: the file: must be a mapping"),
        ("teams: [\n", "rules.yaml:2: while parsing a flow node, expected the node content, but found '<stream end>'"),
        ("teams: *other\n", "rules.yaml:1: found undefined alias 'other'"),
        (b"teams: \xff\n", "rules.yaml: this is not UTF-8"),
        ("teams: \x00\n", "rules.yaml:1: this is no YAML: it holds a character that YAML does not allow"),
        ("[" * 100_000, "rules.yaml:1: this is nested too deeply"),
        (GOOD + "---\n" + GOOD, "rules.yaml:7: expected a single document in the stream, but found another document"),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, text: str | bytes, said: str) -> None:
    """A file that is empty, or no YAML, or another YAML, is refused with the line."""
    assert complaint(tmp_path, text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD + "owner: me\n", "rules.yaml:7: owner: this key is not known here"),
        (
            change("    accounts:", "    acounts:"),
            "rules.yaml:4: teams.people-team.acounts: this key is not known here",
        ),
        (GOOD.split("callers")[0], "rules.yaml:1: callers: this key is missing"),
        (
            change("    rpcs: [ProvisionUser, GetUser]\n", ""),
            "rules.yaml:2: teams.people-team.rpcs: this key is missing",
        ),
        (change("[ProvisionUser, GetUser]", ""), "rules.yaml:3: teams.people-team.rpcs: must be a list"),
        (change("[ProvisionUser, GetUser]", "[]"), "rules.yaml:3: teams.people-team.rpcs: must not be empty"),
        (change("[ProvisionUser, GetUser]", "GetUser"), "rules.yaml:3: teams.people-team.rpcs: must be a list"),
        (change("GetUser]", "[GetUser]]"), "rules.yaml:3: teams.people-team.rpcs[1]: must be text"),
        (
            change("GetUser]", "Getuser]"),
            "rules.yaml:3: teams.people-team.rpcs[1]: the contract has no RPC 'Getuser'",
        ),
        (
            change("GetUser]", "'*']"),
            "rules.yaml:3: teams.people-team.rpcs: '*' stands for every RPC and stands alone",
        ),
        (
            change("people-team:\n", "people team:\n"),
            "rules.yaml:2: teams.people team: a team's name has up to 128 letters",
        ),
        (
            change(": people-team", ": other"),
            "rules.yaml:6: callers[\"spiffe://example.org/bot\"]: the file has no team 'other'",
        ),
        (change(": people-team", ":"), "rules.yaml:6: callers[\"spiffe://example.org/bot\"]: the file has no team ''"),
        (change(": people-team", ": [people-team]"), 'rules.yaml:6: callers["spiffe://example.org/bot"]: must be text'),
        (
            "teams: {}\ncallers: {}\n",
            "rules.yaml:1: teams: must not be empty\nrules.yaml:2: callers: must not be empty",
        ),
    ],
)
def test_what_is_not_understood_is_refused(tmp_path: Path, text: str, said: str) -> None:
    """Unknown keys, missing ones, wrong kinds and names that lead nowhere are refused with line and key."""
    assert complaint(tmp_path, text).startswith(said)


@pytest.mark.parametrize(
    ("accounts", "said"),
    [
        ("", "accounts: must be a list"),
        ("~", "accounts: must be a list"),
        ("[]", "accounts: must not be empty"),
        ('"123456789012"', "accounts: must be a list"),
        ("[12345678901]", "accounts[0]: an account id has 12 digits"),
        ('["123456789012", "1234567890123"]', "accounts[1]: an account id has 12 digits"),
        ('["12345678901x"]', "accounts[0]: an account id has 12 digits"),
        ('["*"]', "accounts[0]: an account id has 12 digits"),
        ('["١٢٣٤٥٦٧٨٩٠١٢"]', "accounts[0]: an account id has 12 digits"),
        ('["123456789012\\n"]', "accounts[0]: an account id has 12 digits"),
    ],
)
def test_a_list_of_accounts_is_never_taken_for_all(tmp_path: Path, accounts: str, said: str) -> None:
    """Only leaving `accounts` out means every account: an empty one is a mistake, and so is a wrong id."""
    text = change('["123456789012"]', accounts)
    assert complaint(tmp_path, text) == f"rules.yaml:4: teams.people-team.{said}"


def test_an_account_id_needs_no_quotes(tmp_path: Path) -> None:
    """An id without quotes is text too, its leading zero included, and no octal number."""
    file = tmp_path / "rules.yaml"
    file.write_text(change('["123456789012"]', "[012345670123]"))
    authorizer = FileAuthorizer.from_file(file, KNOWN)
    authorizer.may_ask(authorizer.identify("spiffe://example.org/bot"), "GetUser", "012345670123", None)


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        (GOOD + '  "spiffe://example.org/bot": people-team\n', 7, "spiffe://example.org/bot"),
        (GOOD + "  spiffe://example.org/bot: people-team\n", 7, "spiffe://example.org/bot"),
        (change("callers:", "  people-team:\n    rpcs: ['*']\ncallers:"), 5, "people-team"),
        (change("    accounts", "    rpcs: ['*']\n    accounts"), 4, "rpcs"),
        (GOOD + "teams: {}\n", 7, "teams"),
    ],
)
def test_a_key_stands_once(tmp_path: Path, text: str, line: int, key: str) -> None:
    """A key that is there twice is refused, quoted or not: nobody can tell which one was meant."""
    assert complaint(tmp_path, text) == f"rules.yaml:{line}: the key {key!r} is there twice"


def test_merge_keys_are_not_known(tmp_path: Path) -> None:
    """A team's rights stand at the team: YAML's merging of mappings is refused as the unknown key that it is."""
    text = change("    rpcs:", "    <<: {}\n    rpcs:")
    assert complaint(tmp_path, text) == "rules.yaml:3: teams.people-team.<<: this key is not known here"


def test_a_mapping_within_itself_is_refused(tmp_path: Path) -> None:
    """A file that leads back to itself is refused instead of being followed for ever."""
    assert complaint(tmp_path, "teams: &loop {people-team: *loop}\n").startswith("rules.yaml:1: found unconstructable")


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    """Two mistakes are two lines."""
    text = change("GetUser]", "Getuser]").replace(": people-team", ": other")
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
    assert complaint(tmp_path, with_caller(spiffe_id)).startswith(f'rules.yaml:6: callers["{spiffe_id}"]: {said}')


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
    file = tmp_path / "rules.yaml"
    file.write_text(with_caller(spiffe_id))
    assert FileAuthorizer.from_file(file, KNOWN).identify(spiffe_id).team == "people-team"


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """The words name the file and the cause."""
    with pytest.raises(AuthorizationFileError, match=r"none\.yaml: the file cannot be read: No such file"):
        FileAuthorizer.from_file(tmp_path / "none.yaml", KNOWN)


def test_a_directory_is_refused(tmp_path: Path) -> None:
    """A directory in the file's place is refused like a file that cannot be read."""
    with pytest.raises(AuthorizationFileError, match="the file cannot be read: Is a directory"):
        FileAuthorizer.from_file(tmp_path, KNOWN)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read any file")
def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    """A file that the service may not read is refused."""
    file = tmp_path / "rules.yaml"
    file.write_text(GOOD)
    file.chmod(0)
    with pytest.raises(AuthorizationFileError, match="the file cannot be read: Permission denied"):
        FileAuthorizer.from_file(file, KNOWN)


def test_the_error_is_a_value_error() -> None:
    """Whoever handles wrong settings handles this one."""
    assert issubclass(AuthorizationFileError, ValueError)
