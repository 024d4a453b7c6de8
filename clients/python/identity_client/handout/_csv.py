"""The credentials file, with the columns of the AWS console's.

A user name may begin with `=`, `+`, `-` or `@` and hold commas, and a spreadsheet would take such a cell for
a formula; so every cell is quoted, and a cell that a spreadsheet could run begins with an apostrophe.
Secrets are the exception and are written as they are, since one changed character makes them worthless:
generated passwords never begin with such a character, while a secret access key may begin with `+` and is to
be read as text, not through a spreadsheet's guessing.
"""

from __future__ import annotations

import csv
import io
import os
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from identity_provisioning.v1.credential_pb2 import IssuedCredentials

COLUMNS = ("User name", "Password", "Access key ID", "Secret access key", "Console login link")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


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


def csv_row(row: CredentialsRow) -> str:
    """Answer one line of the file, its end included."""
    return _line(
        (
            _harmless(row.user_name),
            row.password,
            _harmless(row.access_key_id),
            row.secret_access_key,
            _harmless(row.console_login_link),
        )
    )


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
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
        self._file = os.open(self.path, flags, 0o600)
        self.rows = 0
        self._append(_line(COLUMNS))
        _sync_folder(self.path)

    def __enter__(self) -> Self:
        """Answer the file itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    def write(self, row: CredentialsRow) -> None:
        """Append a line and wait until the disk has it."""
        self._append(csv_row(row))
        self.rows += 1

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def discard(self) -> None:
        """Close the file, and remove it if it holds nobody's credentials."""
        self.close()
        if not self.rows:
            self.path.unlink()

    def _append(self, line: str) -> None:
        left = line.encode()
        while left:
            left = left[os.write(self._file, left) :]
        os.fsync(self._file)


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell


def _line(cells: tuple[str, ...]) -> str:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(cells)
    return text.getvalue()


def _sync_folder(path: Path) -> None:
    """Make the new file's name durable; some systems cannot open a folder, and there it is left to them."""
    try:
        folder = os.open(path.parent, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
