"""The accounts file: what it may say, and how each mistake in it is told."""

from pathlib import Path

import pytest

from identity_service.accounts_file import AccountsFileError, ListedAccount, read_accounts_file

OWN, OTHER = "123456789012", "210987654321"
ROLE = f"arn:aws:iam::{OTHER}:role/identity-service"
GOOD = f"""
accounts:
  - id: {OWN}
  - id: "{OTHER}"
    role_arn: {ROLE}
    external_id: acme/1
    partition: aws
    region: eu-central-1
    calls_per_second: 20
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the file is."""
    return tmp_path / "accounts.yaml"


def mistakes(file: Path, text: str) -> list[str]:
    """Return what is said of a wrong file, line by line."""
    file.write_text(text)
    with pytest.raises(AccountsFileError) as raised:
        read_accounts_file(file)
    return str(raised.value).splitlines()


def test_accounts_are_read_in_their_order(file: Path) -> None:
    """An account needs its id alone if it is the server's own, which also without quotes is no number."""
    file.write_text(GOOD)
    assert read_accounts_file(file) == (
        ListedAccount(id=OWN),
        ListedAccount(
            id=OTHER,
            role_arn=ROLE,
            external_id="acme/1",
            partition="aws",
            region="eu-central-1",
            calls_per_second=20,
        ),
    )


def test_an_id_keeps_its_zeros(file: Path) -> None:
    """An id that YAML would take for an octal number stays what is written."""
    file.write_text("accounts:\n  - id: 000000000012\n")
    assert read_accounts_file(file)[0].id == "000000000012"


def test_every_mistake_comes_at_once_with_its_line(file: Path) -> None:
    """Each line has file, line, key, problem and an example, and repeats no value."""
    said = mistakes(
        file,
        "accounts:\n"
        "  - id: canary\n"
        "    role_arn: canary\n"
        "    external_id: 'ca nary'\n"
        "    partition: canary\n"
        "    region: canary\n"
        "    calls_per_second: canary\n"
        "    colour: canary\n"
        "  - {}\n"
        "  - id: 123456789012\n"
        "    calls_per_second: 0\n",
    )
    assert said[0] == 'accounts.yaml:2: accounts[0].id: an account id has 12 digits; for example id: "210987654321"'
    assert [line.split(": ")[:2] for line in said] == [
        ["accounts.yaml:2", "accounts[0].id"],
        ["accounts.yaml:3", "accounts[0].role_arn"],
        ["accounts.yaml:4", "accounts[0].external_id"],
        ["accounts.yaml:5", "accounts[0].partition"],
        ["accounts.yaml:6", "accounts[0].region"],
        ["accounts.yaml:7", "accounts[0].calls_per_second"],
        ["accounts.yaml:8", "accounts[0].colour"],
        ["accounts.yaml:9", "accounts[1].id"],
        ["accounts.yaml:11", "accounts[2].calls_per_second"],
    ]
    assert all("; for example " in line for line in said if "colour" not in line)
    assert "canary" not in "".join(said)


@pytest.mark.parametrize(
    ("text", "line", "key", "problem"),
    [
        (f"accounts: [{{id: '{OWN}'}}, {{id: '{OWN}', role_arn: 'arn:aws:iam::{OWN}:role/r'}}]", 1, "[1].id", "twice"),
        (f"accounts:\n  - id: '{OWN}'\n  - id: '{OTHER}'", 3, "[1].role_arn", "belong to one account alone"),
        (f"accounts:\n  - id: '{OWN}'\n    role_arn: {ROLE}", 3, "[0].role_arn", "in another account"),
        (
            f"accounts:\n  - id: '{OTHER}'\n    role_arn: {ROLE}\n    partition: aws-cn",
            4,
            "[0].partition",
            "in another partition",
        ),
        (f"accounts:\n  - id: '{OWN}'\n    external_id: abc", 3, "[0].external_id", "goes with a role_arn"),
    ],
)
def test_contradictions_are_told(file: Path, text: str, line: int, key: str, problem: str) -> None:
    """What is well formed and cannot be meant is refused: a wrong role would make users in a wrong account."""
    (said,) = mistakes(file, text)
    assert said.startswith(f"accounts.yaml:{line}: accounts{key}: ")
    assert problem in said
    assert "; for example " in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "accounts.yaml: the file is empty; for example accounts: "),
        ("accounts: []", "accounts.yaml:1: accounts: must not be empty; for example accounts: "),
        ("accounts: 5", "accounts.yaml:1: accounts: must be a list; for example accounts: "),
        ("- id: 1", "accounts.yaml:1: the file: must be a mapping; for example accounts: "),
        ("accounts:\n  - 5", "accounts.yaml:2: accounts[0]: must be a mapping; for example accounts: "),
        ("accounts:\n  - id: 1\n    id: 2", "accounts.yaml:3: the key 'id' is there twice"),
        ("accounts: [", "accounts.yaml:1: "),
    ],
)
def test_what_is_no_list_of_accounts_is_told(file: Path, text: str, said: str) -> None:
    """A file of another shape is refused in words, not with a traceback."""
    assert mistakes(file, text)[0].startswith(said)


def test_a_file_that_is_no_text_is_told(file: Path) -> None:
    """Bytes that are no UTF-8 are named with the file."""
    file.write_bytes(b"\xff")
    with pytest.raises(AccountsFileError, match=r"accounts\.yaml cannot be read as text"):
        read_accounts_file(file)
