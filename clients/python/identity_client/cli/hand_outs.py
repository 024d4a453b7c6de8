"""Hands out what a run makes: the credentials file and the mail drafts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from identity_client.cli.failures import BadInputError
from identity_client.cli.wanted import WantedUser
from identity_client.handout import CredentialsCsv, CredentialsRow, mail_draft, write_mail_draft
from identity_provisioning.v1.user_service_pb2 import ProvisionUserResponse


class HandOutError(Exception):
    """Credentials were made and could not be written; every further user would lose its own as well."""


class HandOuts:
    """Where a run's credentials and drafts go."""

    def __init__(self, csv: CredentialsCsv | None, mail_dir: Path | None) -> None:
        """Take the open file and the folder."""
        self._csv = csv
        self._mail_dir = mail_dir

    def deliver(self, user: WantedUser, response: ProvisionUserResponse) -> tuple[str, tuple[str, ...]]:
        """Write the user's line first and the draft after it; answer the line's file, and what there is to know.

        Raises:
            HandOutError: the line could not be written.
        """
        place = self._write_row(user, response)
        return place, self._write_draft(user, response)

    def _write_row(self, user: WantedUser, response: ProvisionUserResponse) -> str:
        if self._csv is None or not user.wants_credentials or response.credentials.secrets_withheld:
            return ""
        row = CredentialsRow.from_credentials(
            response.user.user_name or user.name, response.credentials, response.sign_in_url
        )
        try:
            self._csv.write(row)
        except OSError as error:
            raise HandOutError(
                f"The user was made, but its credentials could not be written to {self._csv.path}: "
                f"{error.strerror}. Delete them and make new ones."
            ) from None
        return str(self._csv.path)

    def _write_draft(self, user: WantedUser, response: ProvisionUserResponse) -> tuple[str, ...]:
        if self._mail_dir is None or user.console is None:
            return ()
        name = response.user.user_name or user.name
        draft = mail_draft(
            name,
            response.sign_in_url,
            recipient=user.email,
            reset_required=user.console.require_reset,
        )
        try:
            write_mail_draft(self._mail_dir, name, draft)
        except FileExistsError:
            return ("An earlier mail draft was left as it is.",)
        except OSError as error:
            return (f"The mail draft could not be written: {error.strerror}.",)
        return ()


def check_places(csv: Path | None, mail_dir: Path | None) -> None:
    """Refuse a place that cannot be written before the service is asked for anything.

    Raises:
        BadInputError: there is such a file, or no such folder.
    """
    if csv is not None and os.path.lexists(csv):
        raise BadInputError(f"{csv}: exists, and may hold the only copy of somebody's secrets; name another file")
    if csv is not None and not csv.parent.is_dir():
        raise BadInputError(f"{csv}: there is no folder {csv.parent}")
    if mail_dir is not None and not (mail_dir.is_dir() or (mail_dir.parent.is_dir() and not mail_dir.exists())):
        raise BadInputError(f"{mail_dir}: is not a folder, and cannot be made one")


@contextmanager
def open_hand_outs(csv: Path | None, mail_dir: Path | None) -> Iterator[HandOuts]:
    """Open the places; a credentials file that nobody's credentials came to is removed again.

    Raises:
        BadInputError: the file or the folder cannot be made.
    """
    if mail_dir is not None:
        _make_folder(mail_dir)
    if csv is None:
        yield HandOuts(None, mail_dir)
        return
    try:
        file = CredentialsCsv(csv)
    except FileExistsError:
        raise BadInputError(f"{csv}: exists; name another file") from None
    except OSError as error:
        raise BadInputError(f"{csv}: {error.strerror}") from None
    try:
        yield HandOuts(file, mail_dir)
    finally:
        file.discard()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise BadInputError(f"{folder}: {error.strerror}") from None
