"""The options about sealed secrets, and what becomes of a sealed answer."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from identity_client.cli.exit_codes import ExitCode
from identity_client.cli.failures import BadInputError, CliError
from identity_client.cli.session import Session
from identity_client.handout import put_new_file
from identity_client.sealing import (
    CannotOpenError,
    Identity,
    IdentityFileError,
    OpenedSecrets,
    can_open,
    open_sealed,
    read_identities,
)
from identity_provisioning.v1.credential_pb2 import IssuedCredentials

Recipients = Annotated[
    list[str] | None,
    typer.Option(
        "--recipient",
        help="Have the secrets sealed to this age recipient, age1... or 'ssh-ed25519 AAAA...'; may be repeated.",
    ),
]
RecipientsFile = Annotated[
    Path | None,
    typer.Option("--recipients-file", help="Have the secrets sealed to the recipients of this file, one a line."),
]
SealedOut = Annotated[
    Path | None,
    typer.Option("--sealed-out", help="Write the sealed secrets to this new file, in the place of standard output."),
]
IdentityFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--identity", help="Open sealed secrets with this file of age identities, or OpenSSH ed25519 key; repeatable."
    ),
]

MOST_RECIPIENTS = 20
_ARMORED = re.compile(r"-----BEGIN AGE ENCRYPTED FILE-----.*?-----END AGE ENCRYPTED FILE-----", re.DOTALL)


@dataclass(frozen=True)
class Sealing:
    """Whether and to whom secrets are sealed, and whether they are opened here or written as they are."""

    recipients: tuple[str, ...] = ()
    out: Path | None = None
    identities: tuple[Identity, ...] = ()

    @property
    def stays_closed(self) -> bool:
        """Tell whether answers are sealed, and nothing here opens them."""
        return bool(self.recipients and not self.identities)

    def open_answer(self, credentials: IssuedCredentials, user_name: str) -> str:
        """Put the secrets in the place of their sealed text, where they are to be opened; answer why that failed."""
        if not (self.identities and credentials.sealed_secrets):
            return ""
        try:
            credentials.CopyFrom(self.opened(credentials.sealed_secrets, user_name).credentials)
        except CannotOpenError as error:
            return f"The sealed answer {error}."
        return ""

    def opened(self, sealed_secrets: str, user_name: str) -> OpenedSecrets:
        """Open what was sealed for a user.

        Raises:
            CannotOpenError: no identity fits, the text is no whole one, or it is somebody else's.
        """
        opened = open_sealed(sealed_secrets, self.identities)
        if opened.user_name.casefold() != user_name.casefold():
            raise CannotOpenError(f"holds the secrets of {opened.user_name}, and not of {user_name}")
        return opened


def read_sealing(
    recipients: Sequence[str] | None,
    recipients_file: Path | None,
    sealed_out: Path | None,
    identities: Sequence[Path] | None,
) -> Sealing:
    """Read the options, and try beforehand that what is to be opened here will open.

    Raises:
        BadInputError: they contradict one another, a file cannot be read, or the identities fit no recipient.
    """
    named = tuple(dict.fromkeys([*(recipients or ()), *_lines_of(recipients_file)]))
    if not named:
        if sealed_out or identities:
            raise BadInputError("--sealed-out and --identity are about sealed secrets: name a --recipient.")
        return Sealing()
    if len(named) > MOST_RECIPIENTS:
        raise BadInputError(f"--recipient: there are {len(named)}; {MOST_RECIPIENTS} at most are taken")
    if sealed_out and identities:
        raise BadInputError("--sealed-out keeps the secrets sealed, and --identity opens them: leave out one.")
    sealing = Sealing(named, sealed_out, read_identity_files(identities or ()))
    if sealing.identities:
        _require_fit(sealing)
    return sealing


def refuse_what_needs_opening(sealing: Sealing, given: dict[str, object]) -> None:
    """Refuse options that want secrets to be open where they stay sealed.

    Raises:
        BadInputError: there are some.
    """
    options = [option for option, value in given.items() if value]
    if sealing.stays_closed and options:
        raise BadInputError(
            f"{', '.join(options)}: the secrets will be sealed. Add --identity FILE to have them opened here, or leave "
            "it out and open them later with `identityctl open`. Nothing was created."
        )


def check_sealed_out(sealing: Sealing, *, goes_on: bool = False) -> None:
    """Refuse a file for sealed secrets that cannot be made; that of a run that is gone on with is written to.

    Raises:
        BadInputError: it cannot.
    """
    out = sealing.out
    if out is None:
        return
    if os.path.lexists(out) and not goes_on:
        raise BadInputError(f"{out}: exists and was left as it is; name another file")
    if not os.path.isdir(out.parent):  # noqa: PTH112 -- Path.is_dir fails on what may not be read
        raise BadInputError(f"{out}: there is no folder {out.parent}")


def hand_out_sealed(session: Session, sealing: Sealing, credentials: IssuedCredentials, complaint: str) -> None:
    """End a command about one user: write what stays sealed, to its file or to standard output.

    Raises:
        CliError: it was to be opened, and was not, as the complaint says; or its file cannot be written.
    """
    try:
        write_sealed_out(session, sealing, [credentials.sealed_secrets])
    except CliError:
        show_sealed(session, credentials)
        raise
    if sealing.out is None and not session.as_json:
        show_sealed(session, credentials)
    if complaint:
        raise CliError(f"{complaint} It is shown as it is.", ExitCode.SOME_FAILED)


def write_sealed_out(session: Session, sealing: Sealing, texts: Iterable[str]) -> None:
    """Write sealed texts to their file, if one was named; behind what an earlier run has written there.

    Raises:
        CliError: it cannot be written.
    """
    wanted = [text for text in texts if text]
    if sealing.out is None or not wanted:
        return
    try:
        if not os.path.lexists(sealing.out):
            put_new_file(sealing.out, "".join(wanted).encode())
        else:
            there = sealed_texts(sealing.out.read_text(encoding="utf-8"))
            with sealing.out.open("a", encoding="utf-8") as file:
                file.write("".join(text for text in wanted if text not in there))
    except (OSError, UnicodeDecodeError) as error:
        raise CliError(
            f"{sealing.out}: {getattr(error, 'strerror', None) or 'is not text'}. The sealed secrets were not written.",
            ExitCode.SOME_FAILED,
        ) from None
    session.say(f"The secrets are sealed in {sealing.out}; open them with `identityctl open`.")


def show_sealed(session: Session, credentials: IssuedCredentials) -> None:
    """Write a sealed text to standard output, unbroken; it is no secret."""
    if credentials.sealed_secrets:
        session.results.print(credentials.sealed_secrets, end="", soft_wrap=True)


def sealed_texts(text: str) -> list[str]:
    """Find the sealed texts in the output of a command or in a file of them; JSON escapes their line breaks."""
    found = (block.replace("\\r", "").replace("\\n", "\n").replace("\r", "") for block in _ARMORED.findall(text))
    return list(dict.fromkeys(f"{block}\n" for block in found))


def read_identity_files(paths: Sequence[Path]) -> tuple[Identity, ...]:
    """Read the identities of all files.

    Raises:
        BadInputError: a file cannot be read, or holds none.
    """
    try:
        return tuple(identity for path in paths for identity in read_identities(path))
    except IdentityFileError as error:
        raise BadInputError(f"--identity {error}") from None
    except OSError as error:
        raise BadInputError(f"--identity {error.filename}: {error.strerror or error}") from None


def _lines_of(file: Path | None) -> list[str]:
    """Answer a file's recipients; empty lines and comments are none."""
    if file is None:
        return []
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"--recipients-file {file}: {getattr(error, 'strerror', None) or 'is not text'}") from None
    found = [line for line in lines if line and not line.startswith("#")]
    if not found:
        raise BadInputError(f"--recipients-file {file}: names no recipient")
    return found


def _require_fit(sealing: Sealing) -> None:
    try:
        fits = can_open(sealing.recipients, sealing.identities)
    except ValueError as error:
        raise BadInputError(f"--recipient: {error}") from None
    if not fits:
        raise BadInputError("--identity: none of these identities opens what is sealed to these recipients.")
