"""The credentials file, with the columns of the AWS console's.

A user name may begin with `=`, `+`, `-` or `@` and hold commas, a secret access key may begin with `+`, and a chosen
password with anything; a spreadsheet would take such a cell for a formula. So every cell is quoted, and one that a
spreadsheet could run begins with an apostrophe, secrets included. The apostrophe is no part of the secret: `write`
answers in which columns there is one, for the person to be told, and `read_credentials_csv` takes it off again.
Generated passwords begin with a letter and never need it.
"""

from __future__ import annotations

import csv
import errno
import io
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from identity_client.handout._cells import escape_cell, unescape_cell
from identity_client.handout._files import sync_folder
from identity_provisioning.v1.credential_pb2 import IssuedCredentials

COLUMNS = ("User name", "Password", "Access key ID", "Secret access key", "Console login link")
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


@dataclass(frozen=True)
class FileIdentity:
    """Which file it is, whatever its name: the device and the number that the system knows it by."""

    device: int
    inode: int


@dataclass(frozen=True)
class CredentialsRow:
    """One user's line. The secrets are in no `repr`."""

    user_name: str
    password: str = field(default="", repr=False)
    access_key_id: str = ""
    secret_access_key: str = field(default="", repr=False)
    console_login_link: str = ""

    @classmethod
    def from_credentials(cls, user_name: str, credentials: IssuedCredentials, sign_in_url: str) -> Self:
        """Take the line from an answer; the link is for those who have a password."""
        return cls(
            user_name=user_name,
            password=credentials.console_password.password,
            access_key_id=credentials.access_key.access_key_id,
            secret_access_key=credentials.access_key.secret_access_key,
            console_login_link=sign_in_url if credentials.HasField("console_password") else "",
        )

    @property
    def cells(self) -> tuple[str, ...]:
        """Answer the values in the order of `COLUMNS`, as they are."""
        return self.user_name, self.password, self.access_key_id, self.secret_access_key, self.console_login_link

    @property
    def altered_cells(self) -> tuple[str, ...]:
        """Answer the columns whose cell in the file begins with an apostrophe that is no part of the value."""
        return tuple(column for column, cell in zip(COLUMNS, self.cells, strict=True) if escape_cell(cell) != cell)


def csv_row(row: CredentialsRow) -> str:
    """Answer one line of the file, its end included."""
    return _line(tuple(map(escape_cell, row.cells)))


def read_credentials_csv(path: str | os.PathLike[str]) -> list[CredentialsRow]:
    """Answer what a credentials file says, without the apostrophes that keep spreadsheets from running it.

    Raises:
        ValueError: it is no whole credentials file.
        OSError: it cannot be read.
    """
    return [CredentialsRow(*map(unescape_cell, line)) for line in _whole_lines(Path(path).read_bytes())]


class CredentialsCsv:
    """A credentials file that only its owner may read, and that never replaces another file.

    It is opened before anything is created, so that a bad path costs nothing, and each line is on the disk
    before the next user is made: what IAM shows once must not be lost with this process.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Make the file and write the heading.

        Raises:
            FileExistsError: there is a file of that name; it may hold the only copy of somebody's secrets.
            OSError: the file cannot be made.
        """
        self.path = Path(path)
        self.rows = 0
        self._keys: frozenset[tuple[str, str]] = frozenset()
        self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | _NO_LINK, 0o600)
        try:
            self._append(_line(COLUMNS))
            sync_folder(self.path)
        except OSError:
            self.discard()
            raise

    @classmethod
    def go_on(cls, path: str | os.PathLike[str], identity: FileIdentity) -> Self:
        """Open the file that an earlier run made, to write behind what it holds.

        Raises:
            FileExistsError: it is another file, or not as this class leaves one; the text says in what.
            OSError: the file cannot be opened.
        """
        self = cls.__new__(cls)
        self.path = Path(path)
        self._file = os.open(self.path, os.O_RDWR | os.O_APPEND | _NO_LINK)
        try:
            self._check_own(identity)
            with open(self._file, "rb", closefd=False) as file:
                lines = _whole_lines(file.read())
        except ValueError as error:
            os.close(self._file)
            raise FileExistsError(errno.EEXIST, str(error)) from None
        except OSError:
            os.close(self._file)
            raise
        self.rows = len(lines)
        self._keys = frozenset((unescape_cell(line[0]), unescape_cell(line[2])) for line in lines)
        return self

    @property
    def identity(self) -> FileIdentity:
        """Answer which file it is, so that a later run can go on with it and with no other."""
        facts = os.fstat(self._file)
        return FileIdentity(facts.st_dev, facts.st_ino)

    def holds(self, user_name: str, access_key_id: str) -> bool:
        """Tell whether an earlier run wrote a user's line with just this access key."""
        return (user_name, access_key_id) in self._keys

    def __enter__(self) -> Self:
        """Answer the file itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    def write(self, row: CredentialsRow) -> tuple[str, ...]:
        """Append a line, wait until the disk has it, and answer the columns whose cell got an apostrophe.

        Raises:
            OSError: the line could not be written.
        """
        self.rows += 1  # before it is written: a line may be in the file although the disk then reports a failure
        self._append(csv_row(row))
        return row.altered_cells

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def discard(self) -> None:
        """Close the file, and remove it if it holds nobody's credentials."""
        self.close()
        if not self.rows:
            self.path.unlink()

    def _append(self, line: str) -> None:
        """Write a whole line or nothing: behind half a line the next one could not be read."""
        end = os.fstat(self._file).st_size
        left = line.encode()
        try:
            while left:
                left = left[os.write(self._file, left) :]
        except OSError:
            os.ftruncate(self._file, end)
            raise
        os.fsync(self._file)

    def _check_own(self, identity: FileIdentity) -> None:
        facts = os.fstat(self._file)
        if self.identity != identity or not stat.S_ISREG(facts.st_mode):
            raise FileExistsError(errno.EEXIST, "is not the file of the earlier run")
        if facts.st_uid != os.geteuid() or stat.S_IMODE(facts.st_mode) != 0o600:
            raise FileExistsError(errno.EEXIST, "others than you may read or write it")


def _whole_lines(content: bytes) -> list[list[str]]:
    """Answer the lines behind the heading.

    Raises:
        ValueError: the content is none that this module writes.
    """
    lines: list[list[str]] = []
    try:
        text = content.decode()
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error):
        text = ""
    whole = text.endswith("\r\n") and all(len(line) == len(COLUMNS) for line in lines)
    if not whole or tuple(lines[0]) != COLUMNS:
        raise ValueError("was changed since, or ends in the middle of a line")
    return lines[1:]


def _line(cells: tuple[str, ...]) -> str:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(cells)
    return text.getvalue()
