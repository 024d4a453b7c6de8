"""The credentials file and the mail drafts."""

from __future__ import annotations

import csv
import io
import os
import stat
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from identity_client.handout import (
    COLUMNS,
    CredentialsCsv,
    CredentialsRow,
    checked_address,
    csv_row,
    escape_cell,
    mail_draft,
    mail_file_name,
    read_credentials_csv,
    unescape_cell,
    write_mail_draft,
)
from identity_provisioning.v1.credential_pb2 import IssuedAccessKey, IssuedConsolePassword, IssuedCredentials

STARTS = st.sampled_from(["", "=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff20", "'"])
CELLS = st.builds(str.__add__, STARTS, st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40))
ROWS = st.builds(CredentialsRow, CELLS, CELLS, CELLS, CELLS, CELLS)
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "\uff1d", "\uff0b", "\uff0d", "\uff20")
NAMES = st.text("ABCZabcz0189+=,.@_-", min_size=1, max_size=64)


def cells(line: str) -> list[str]:
    """Read a line as a spreadsheet would."""
    rows = list(csv.reader(io.StringIO(line, newline="")))
    assert len(rows) == 1
    return rows[0]


def test_the_columns_are_those_of_the_console(tmp_path: Path) -> None:
    """The heading is the one that AWS's console writes, every cell quoted."""
    with CredentialsCsv(tmp_path / "c.csv"):
        pass
    heading = '"User name","Password","Access key ID","Secret access key","Console login link"\r\n'
    assert (tmp_path / "c.csv").read_bytes().decode() == heading


@given(row=ROWS)
def test_no_cell_can_be_run(row: CredentialsRow) -> None:
    """Whatever a value is, secret or not, its cell begins with no character that starts a formula."""
    for was, now in zip(row.cells, cells(csv_row(row)), strict=True):
        assert not now.startswith(FORMULA_STARTS)
        assert now in (was, f"'{was}")


@given(row=ROWS)
def test_altered_cells_are_named(row: CredentialsRow) -> None:
    """Each column whose cell is not the value itself is named, and no other."""
    pairs = zip(COLUMNS, row.cells, cells(csv_row(row)), strict=True)
    assert row.altered_cells == tuple(column for column, was, now in pairs if was != now)


@given(text=CELLS)
def test_a_cell_can_be_taken_back(text: str) -> None:
    """Taking the apostrophe off gives the text, also where the text begins with apostrophes of its own."""
    assert unescape_cell(escape_cell(text)) == text


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("+secret/key", "'+secret/key"),
        ("=1+1", "'=1+1"),
        ("'=1+1", "''=1+1"),
        ("\uff1d1", "'\uff1d1"),
        ("\0=1", "'\0=1"),
        ("/secret+key", "/secret+key"),
        ("'quoted'", "'quoted'"),
        ("", ""),
    ],
)
def test_only_what_a_spreadsheet_could_run_gets_an_apostrophe(text: str, cell: str) -> None:
    """A plus in the middle or an apostrophe before a letter is left; what looks escaped already is escaped again."""
    assert (escape_cell(text), unescape_cell(cell)) == (cell, text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROWS, max_size=5))
def test_the_file_is_read_as_it_was_meant(tmp_path_factory: pytest.TempPathFactory, rows: list[CredentialsRow]) -> None:
    """Every value comes back from the file as it went in, line ends and quotes included."""
    path = tmp_path_factory.mktemp("csv") / "c.csv"
    with CredentialsCsv(path) as file:
        for row in rows:
            assert file.write(row) == row.altered_cells
    assert read_credentials_csv(path) == rows


@pytest.mark.parametrize("content", [b"", b"User name\r\n", b'"User name","Password"\r\n"a"', b"\xff"])
def test_what_is_no_credentials_file_is_not_read(tmp_path: Path, content: bytes) -> None:
    """Another heading, half a line or bytes that are no text end in an error, not in half the truth."""
    (tmp_path / "c.csv").write_bytes(content)
    with pytest.raises(ValueError, match="changed since"):
        read_credentials_csv(tmp_path / "c.csv")


@given(name=CELLS)
def test_every_cell_is_quoted(name: str) -> None:
    """Commas, quotes and line ends in a cell do not begin another."""
    line = csv_row(CredentialsRow(name))
    assert line.startswith('"')
    assert line.endswith('"\r\n')
    assert len(cells(line)) == len(COLUMNS)


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Nobody else may read it, whatever the umask allows."""
    before = os.umask(0)
    try:
        with CredentialsCsv(tmp_path / "c.csv"):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "c.csv").stat().st_mode) == 0o600


def test_an_existing_file_is_never_replaced(tmp_path: Path) -> None:
    """A file, and a link to nowhere as well, is left as it is."""
    (tmp_path / "c.csv").write_text("somebody's only copy")
    (tmp_path / "link.csv").symlink_to(tmp_path / "elsewhere.csv")
    for name in ("c.csv", "link.csv"):
        with pytest.raises(FileExistsError):
            CredentialsCsv(tmp_path / name)
    assert (tmp_path / "c.csv").read_text() == "somebody's only copy"
    assert not (tmp_path / "elsewhere.csv").exists()


def test_each_row_is_on_the_disk_at_once(tmp_path: Path) -> None:
    """A line can be read while the file is still open."""
    with CredentialsCsv(tmp_path / "c.csv") as file:
        file.write(CredentialsRow("ana", "p", "AKIA1", "s", "https://x"))
        last = (tmp_path / "c.csv").read_bytes().decode().splitlines()[-1]
        assert last == '"ana","p","AKIA1","s","https://x"'


def test_an_empty_file_is_discarded_and_a_used_one_kept(tmp_path: Path) -> None:
    """A run that made nothing leaves no file that would stop the next."""
    CredentialsCsv(tmp_path / "empty.csv").discard()
    used = CredentialsCsv(tmp_path / "used.csv")
    used.write(CredentialsRow("ana"))
    used.discard()
    assert [each.name for each in tmp_path.iterdir()] == ["used.csv"]


def test_a_line_that_the_disk_is_unsure_of_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is in the file although the disk reports a failure, so the file stays."""
    file = CredentialsCsv(tmp_path / "c.csv")

    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output"):
        file.write(CredentialsRow("ana", "p", "AKIA1", "s"))
    file.discard()
    assert '"AKIA1"' in (tmp_path / "c.csv").read_text()


def test_half_a_line_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a full disk cut is no line, and the next one begins at a line's start."""
    file = CredentialsCsv(tmp_path / "c.csv")
    write, results = os.write, [3, 0]

    def fill(descriptor: int, content: bytes) -> int:
        room = results.pop(0)
        if not room:
            raise OSError(28, "No space left on device")
        return write(descriptor, content[:room])

    monkeypatch.setattr(os, "write", fill)
    with pytest.raises(OSError, match="No space"):
        file.write(CredentialsRow("ana"))
    monkeypatch.setattr(os, "write", write)
    file.write(CredentialsRow("bo"))
    file.close()
    assert [line.split(",")[0] for line in (tmp_path / "c.csv").read_text().splitlines()] == ['"User name"', '"bo"']


def test_a_heading_that_cannot_be_written_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that could not be begun does not stop the next run."""

    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output"):
        CredentialsCsv(tmp_path / "c.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_row_is_taken_from_an_answer() -> None:
    """The link goes to those who have a password, and no repr shows a secret."""
    both = IssuedCredentials(
        access_key=IssuedAccessKey(access_key_id="AKIA1", secret_access_key="top-secret"),
        console_password=IssuedConsolePassword(password="pass-word"),
    )
    key_only = IssuedCredentials(access_key=both.access_key)
    row = CredentialsRow.from_credentials("ana", both, "https://x")
    assert row == CredentialsRow("ana", "pass-word", "AKIA1", "top-secret", "https://x")
    assert CredentialsRow.from_credentials("ana", key_only, "https://x").console_login_link == ""
    assert "top-secret" not in repr(row)
    assert "pass-word" not in repr(row)


def test_a_draft_says_how_to_sign_in() -> None:
    """User name and page are there, it opens as unsent, and it is addressed where an address is known."""
    draft = mail_draft("ana.lima", "https://x.signin.aws.amazon.com/console", recipient="ana@example.com")
    read = message_from_bytes(draft.as_bytes(), policy=policy.default)
    body = read.get_content()
    assert (read["X-Unsent"], read["To"]) == ("1", "ana@example.com")
    assert "ana.lima" in body
    assert "https://x.signin.aws.amazon.com/console" in body
    assert "To" not in mail_draft("ana.lima", "https://x")


@pytest.mark.parametrize(
    "address",
    [
        *("ana", "a@b@c", "a@b, c@d", "a@b\nBcc: c@d", "Ana <a@b>", "a b@c", "ä@b", '"x"@b', "a@b;c@d", ""),
        *("a.:b@[x", ".a@b", "a.@b", "a..b@c", "a@b.", "a@-b", "a@[1.2.3.4]", "a(c)@b", "=?utf-8?q?a=2C?=@b", "a@b\n"),
        *("a" * 65 + "@b", "a@" + "b." * 126 + "bb"),
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    """A list, a display name or a header in disguise does not come into a draft."""
    if not address:
        assert "To" not in mail_draft("ana", "https://x", recipient=address)
        return
    with pytest.raises(ValueError, match="not a mail address"):
        mail_draft("ana", "https://x", recipient=address)


@given(address=st.from_regex(r"[a-b.:()\[\]\\'!=?_*+{}|~`/%#$&^\x00-]{1,8}@[a-b.:()\[\]\\'!=?_-]{1,8}", fullmatch=True))
def test_an_address_is_refused_or_written_as_it_is(address: str) -> None:
    """Whatever passes the check comes into the draft unchanged, and the header's parser fails on none of it."""
    try:
        checked_address(address)
    except ValueError:
        return
    read = message_from_bytes(mail_draft("ana", "https://x", recipient=address).as_bytes(), policy=policy.default)
    assert [each.addr_spec for each in read["To"].addresses] == [address]


@given(name=st.text(min_size=1, max_size=80))
def test_a_draft_stays_in_its_folder(name: str) -> None:
    """No name, not even one that IAM would refuse, leads out of the folder or to a hidden file."""
    file = mail_file_name(name)
    assert Path(file).name == file
    assert not file.startswith((".", "-", "~"))
    assert file.isascii()


@given(one=NAMES, other=NAMES)
def test_different_users_have_different_files(one: str, other: str) -> None:
    """Two names of IAM never share a file."""
    assert (mail_file_name(one) == mail_file_name(other)) == (one == other)


def test_a_draft_is_not_replaced(tmp_path: Path) -> None:
    """A draft that somebody may have edited stays."""
    draft = mail_draft("..", "https://x")
    path = write_mail_draft(tmp_path, "..", draft)
    assert path.parent == tmp_path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        write_mail_draft(tmp_path, "..", draft)
