"""Hands out what a run makes: the credentials file and the mail drafts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from identity_client.cli.failures import BadInputError
from identity_client.cli.mail_drafts import write_draft
from identity_client.cli.resume import OpenedCsv
from identity_client.cli.wanted import WantedUser
from identity_client.cli.written import Written
from identity_client.handout import (
    CredentialsCsv,
    CredentialsRow,
    FileIdentity,
    MailTemplate,
    mfa_files,
    write_mfa_device,
)
from identity_provisioning.v1.user_service_pb2 import ProvisionUserResponse


class HandOutError(Exception):
    """Credentials were made and could not be written; every further user would lose its own as well."""


@dataclass(frozen=True)
class Places:
    """Where the person wants a run's credentials and drafts, and the drafts' text."""

    csv: Path | None = None
    mfa_dir: Path | None = None
    mail_dir: Path | None = None
    template: MailTemplate | None = None


class RemembersCsv(Protocol):
    """Keeps, from one run to the next, which credentials file they write."""

    csv: OpenedCsv | None

    def note_csv(self, csv: OpenedCsv | None) -> None:
        """Note the file; None if there is none any more."""


@dataclass(frozen=True)
class Delivery:
    """Where a user's secrets are now, what to know, and which columns of the file got an apostrophe in front."""

    place: str = ""
    notes: tuple[str, ...] = ()
    altered_cells: tuple[str, ...] = ()


class HandOuts:
    """Where a run's credentials and drafts go.

    Attributes:
        shown: whether standard output has the credentials as well.
        written: the files that this run has written.
    """

    def __init__(self, csv: CredentialsCsv | None, places: Places, *, shown: bool = False) -> None:
        """Take the open file, the folders, and whether standard output has the credentials as well."""
        self.shown = shown
        self.written = Written()
        self._csv = csv
        self._places = places

    def earlier_place(self, user: WantedUser, response: ProvisionUserResponse) -> str:
        """Answer the file if an earlier run wrote the user's secrets there, and was killed before it could note that.

        The line comes after the MFA device, so that where the line is the device is as well.
        """
        name = response.user.user_name or user.name
        if self._csv is not None and self._csv.holds(name, response.credentials.access_key.access_key_id):
            return str(self._csv.path)
        if self._places.mfa_dir is not None and not user.fits_csv:
            seed = mfa_files(self._places.mfa_dir, name)[1]
            return str(seed) if os.path.lexists(seed) else ""
        return ""

    def deliver(self, user: WantedUser, response: ProvisionUserResponse) -> Delivery:
        """Write the MFA device first, then the line, the draft last; answer where the secrets are, and what to know.

        Raises:
            HandOutError: the device or the line could not be written.
        """
        device = line = Delivery()
        if not response.credentials.secrets_withheld:
            device, line = self._write_mfa_device(user, response), self._write_row(user, response)
        places = filter(None, (device.place, line.place))
        return Delivery(" and ".join(places), self._write_draft(user, response), line.altered_cells)

    def _write_mfa_device(self, user: WantedUser, response: ProvisionUserResponse) -> Delivery:
        if self._places.mfa_dir is None or not response.credentials.HasField("mfa_device"):
            return Delivery()
        name = response.user.user_name or user.name
        try:
            seed = write_mfa_device(self._places.mfa_dir, name, response.credentials.mfa_device)
        except OSError as error:
            raise HandOutError(
                f"The user was made, but its MFA device could not be written to {self._places.mfa_dir}: "
                f"{error.strerror}."
            ) from None
        self.written.devices.append(mfa_files(self._places.mfa_dir, name))
        return Delivery(str(seed))

    def _write_row(self, user: WantedUser, response: ProvisionUserResponse) -> Delivery:
        if self._csv is None or not user.fits_csv:
            return Delivery()
        row = CredentialsRow.from_credentials(
            response.user.user_name or user.name, response.credentials, response.sign_in_url
        )
        try:
            altered_cells = self._csv.write(row)
        except OSError as error:
            raise HandOutError(
                f"The user was made, but its credentials could not be written to {self._csv.path}: {error.strerror}."
            ) from None
        self.written.csv = self._csv.path
        return Delivery(str(self._csv.path), altered_cells=altered_cells)

    def _write_draft(self, user: WantedUser, response: ProvisionUserResponse) -> tuple[str, ...]:
        if self._places.mail_dir is None:
            return ()
        draft = write_draft(self._places.mail_dir, self._places.template, user, response)
        if draft.path is not None:
            self.written.drafts.append(draft.path)
        return draft.notes


def require_outlet(
    places: Places, *, generated: bool, mfa_devices: bool, shown: bool, otherwise: str = "Nothing was created."
) -> None:
    """Refuse to go on with secrets that nobody would see; `otherwise` is what that means.

    Raises:
        BadInputError: nothing is shown, and there is no file for access keys and generated passwords, or for devices.
    """
    if shown:
        return
    if places.csv is None and generated:
        raise BadInputError(
            "The credentials can be seen only once. Say where they go: --csv FILE, --output json, "
            f"or --show-secrets. {otherwise}"
        )
    if places.mfa_dir is None and mfa_devices:
        raise BadInputError(
            "The seed of an MFA device can be seen only once. Say where it goes: --mfa-dir FOLDER, --output json, "
            f"or --show-secrets. {otherwise}"
        )


def check_places(places: Places, new_users: Sequence[str], opened: OpenedCsv | None) -> None:
    """Refuse a place that cannot be written before the service is asked for anything.

    Args:
        places: where the hand-outs go.
        new_users: the names of the users that no earlier run began with.
        opened: the credentials file of the run to go on with.

    Raises:
        BadInputError: there is such a file and it is not the one that the run to go on with opened, or no such folder.
    """
    csv = places.csv
    if csv is not None and os.path.lexists(csv):
        _open_csv(csv, opened).close()
    if csv is not None and not os.path.isdir(csv.parent):  # noqa: PTH112 -- Path.is_dir fails on what may not be read
        raise BadInputError(f"{csv}: there is no folder {csv.parent}")
    for folder in filter(None, (places.mail_dir, places.mfa_dir)):
        if not _can_be_folder(folder):
            raise BadInputError(f"{folder}: is not a folder, and cannot be made one")
    if places.mfa_dir is not None:
        _refuse_earlier_devices(places.mfa_dir, new_users)


def _refuse_earlier_devices(folder: Path, user_names: Sequence[str]) -> None:
    for name in user_names:
        for file in mfa_files(folder, name):
            if os.path.lexists(file):
                raise BadInputError(
                    f"{file}: exists, and may hold the only copy of somebody's seed; name another folder"
                )


@contextmanager
def open_hand_outs(places: Places, memory: RemembersCsv, *, shown: bool) -> Iterator[HandOuts]:
    """Open the places, and have the resume file know the credentials file; if nobody's came to it, it is removed.

    Raises:
        BadInputError: the file or a folder cannot be made.
    """
    for folder in filter(None, (places.mail_dir, places.mfa_dir)):
        make_folder(folder)
    if places.csv is None:
        yield HandOuts(None, places, shown=shown)
        return
    file = _open_csv(places.csv, memory.csv)
    try:
        memory.note_csv(OpenedCsv(str(places.csv.absolute()), file.identity.device, file.identity.inode))
        yield HandOuts(file, places, shown=shown)
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


def make_folder(folder: Path) -> None:
    """Make a folder that only its owner may read, unless there is one.

    Raises:
        BadInputError: it cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise BadInputError(f"{folder}: {error.strerror}") from None
