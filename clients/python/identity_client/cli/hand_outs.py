"""Hands out what a run makes: the credentials file and the mail drafts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from identity_client.cli.failures import BadInputError
from identity_client.cli.resume import OpenedCsv, ResumeFile
from identity_client.cli.wanted import WantedUser
from identity_client.handout import CredentialsCsv, CredentialsRow, FileIdentity, mail_draft, write_mail_draft
from identity_provisioning.v1.user_service_pb2 import ProvisionUserResponse


class HandOutError(Exception):
    """Credentials were made and could not be written; every further user would lose its own as well."""


class HandOuts:
    """Where a run's credentials and drafts go."""

    def __init__(self, csv: CredentialsCsv | None, mail_dir: Path | None, *, shown: bool = False) -> None:
        """Take the open file, the folder, and whether standard output has the credentials as well."""
        self.shown = shown
        self._csv = csv
        self._mail_dir = mail_dir

    def earlier_place(self, user: WantedUser, response: ProvisionUserResponse) -> str:
        """Answer the file if an earlier run wrote the user's line there, and was killed before it could note that."""
        name = response.user.user_name or user.name
        if self._csv is None or not self._csv.holds(name, response.credentials.access_key.access_key_id):
            return ""
        return str(self._csv.path)

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
                f"The user was made, but its credentials could not be written to {self._csv.path}: {error.strerror}."
            ) from None
        return str(self._csv.path)

    def _write_draft(self, user: WantedUser, response: ProvisionUserResponse) -> tuple[str, ...]:
        if self._mail_dir is None or user.console is None:
            return ()
        name = response.user.user_name or user.name
        try:
            draft = mail_draft(
                name,
                response.sign_in_url,
                recipient=user.email,
                reset_required=user.console.require_reset,
            )
            write_mail_draft(self._mail_dir, name, draft)
        except FileExistsError:
            return ("An earlier mail draft was left as it is.",)
        except Exception as error:  # noqa: BLE001 -- a draft can be written anew, another user's secrets cannot
            reason = getattr(error, "strerror", None) or type(error).__name__
            return (f"The mail draft could not be written: {reason}.",)
        return ()


def check_places(csv: Path | None, mail_dir: Path | None, opened: OpenedCsv | None) -> None:
    """Refuse a place that cannot be written before the service is asked for anything.

    Raises:
        BadInputError: there is such a file and it is not the one that the run to go on with opened, or no such folder.
    """
    if csv is not None and os.path.lexists(csv):
        _open_csv(csv, opened).close()
    if csv is not None and not os.path.isdir(csv.parent):  # noqa: PTH112 -- Path.is_dir fails on what may not be read
        raise BadInputError(f"{csv}: there is no folder {csv.parent}")
    if mail_dir is not None and not _can_be_folder(mail_dir):
        raise BadInputError(f"{mail_dir}: is not a folder, and cannot be made one")


@contextmanager
def open_hand_outs(csv: Path | None, mail_dir: Path | None, memory: ResumeFile, *, shown: bool) -> Iterator[HandOuts]:
    """Open the places, and have the resume file know the credentials file; if nobody's came to it, it is removed.

    Raises:
        BadInputError: the file or the folder cannot be made.
    """
    if mail_dir is not None:
        _make_folder(mail_dir)
    if csv is None:
        yield HandOuts(None, mail_dir, shown=shown)
        return
    file = _open_csv(csv, memory.csv)
    try:
        memory.note_csv(OpenedCsv(str(csv.absolute()), file.identity.device, file.identity.inode))
        yield HandOuts(file, mail_dir, shown=shown)
    finally:
        with suppress(OSError, BadInputError):  # neither is worth the answers that are still to be shown
            file.discard()
            if not file.rows:
                memory.note_csv(None)


def _open_csv(csv: Path, opened: OpenedCsv | None) -> CredentialsCsv:
    """Make the file, or open the one that the earlier run made; never another."""
    try:
        if opened is not None and opened.path == str(csv.absolute()) and os.path.lexists(csv):
            return CredentialsCsv.go_on(csv, FileIdentity(opened.device, opened.inode))
        return CredentialsCsv(csv)
    except FileExistsError as error:
        why = "" if error.filename is not None else f" and {error.strerror}"
        raise BadInputError(
            f"{csv}: exists{why}, and may hold the only copy of somebody's secrets; name another file"
        ) from None
    except OSError as error:
        raise BadInputError(f"{csv}: {error.strerror}") from None


def _can_be_folder(folder: Path) -> bool:
    if os.path.lexists(folder):
        return os.path.isdir(folder)  # noqa: PTH112 -- Path.is_dir fails on what may not be read
    return os.path.isdir(folder.parent)  # noqa: PTH112 -- as above


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise BadInputError(f"{folder}: {error.strerror}") from None
