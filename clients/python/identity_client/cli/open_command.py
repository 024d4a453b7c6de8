"""`identityctl open`: sealed secrets, opened on this machine. Nothing is asked of the service."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from identity_client.cli.exit_codes import ExitCode
from identity_client.cli.failures import BadInputError, CliError, message_document
from identity_client.cli.results import say_altered_cells, show_credentials
from identity_client.cli.sealing import IdentityFiles, read_identity_files, sealed_texts
from identity_client.cli.session import Session
from identity_client.handout import CredentialsCsv, CredentialsRow, write_mfa_device
from identity_client.sealing import CannotOpenError, Identity, OpenedSecrets, open_sealed

OPEN_EXAMPLES = (
    "open ana.age --identity key.txt",
    "open new.age --identity key.txt --csv new.csv --mfa-dir mfa",
    "provision ana --access-key --recipient age1... --yes --output json | identityctl open - --identity key.txt",
)


def open_secrets(
    context: typer.Context,
    file: Annotated[
        str,
        typer.Argument(
            help="Sealed secrets, or a command's output that has them; - reads it here.", show_default=False
        ),
    ],
    identity: IdentityFiles = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write the credentials to this new file, which only you may read.")
    ] = None,
    mfa_dir: Annotated[
        Path | None, typer.Option("--mfa-dir", help="Write each MFA device's QR code and seed to this folder.")
    ] = None,
) -> None:
    """Open sealed secrets, and show them or write them to files. The program `age` opens them as well.

    age does not tell who sealed a text: anybody may, who knows your recipient. Look whose they are.
    """
    session: Session = context.obj
    if not identity:
        raise BadInputError("Say what opens them: --identity FILE.")
    identities = read_identity_files(identity)
    texts = sealed_texts(_content(file))
    if not texts:
        raise BadInputError(f"{file}: holds no sealed secrets, which begin with -----BEGIN AGE ENCRYPTED FILE-----")
    found = _opened(session, texts, identities)
    _hand_out(session, found, csv, mfa_dir)
    _say_what_is_left(session, found, csv, mfa_dir)
    if session.as_json:
        session.write_json({"users": [_document(each) for each in found]})
    elif csv is None and mfa_dir is None:
        for each in found:
            show_credentials(session.results, each.user_name, each.credentials, each.sign_in_url)
    if len(found) < len(texts):
        raise CliError(f"{len(texts) - len(found)} of {len(texts)} sealed texts were not opened.", ExitCode.SOME_FAILED)


def _content(file: str) -> str:
    try:
        if file == "-":
            return "" if sys.stdin is None else sys.stdin.read()
        return Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise BadInputError(f"{file}: {error.strerror or error}") from None
    except ValueError:
        raise BadInputError(f"{file}: is not text; only armored age text is taken") from None


def _opened(session: Session, texts: Sequence[str], identities: Sequence[Identity]) -> list[OpenedSecrets]:
    found = []
    for number, text in enumerate(texts, start=1):
        try:
            found.append(open_sealed(text, identities))
        except CannotOpenError as error:
            session.say(f"Sealed text {number} of {len(texts)} {error}.")
    return found


def _hand_out(session: Session, found: Sequence[OpenedSecrets], csv: Path | None, mfa_dir: Path | None) -> None:
    """Write the files. What cannot be written can be written again: the sealed texts are still there."""
    try:
        if mfa_dir is not None:
            mfa_dir.mkdir(mode=0o700, exist_ok=True)
            for each in found:
                if each.credentials.HasField("mfa_device"):
                    write_mfa_device(mfa_dir, each.user_name, each.credentials.mfa_device)
        if csv is not None:
            _write_csv(session, csv, found)
    except OSError as error:
        where = error.filename2 or error.filename or csv or mfa_dir
        raise BadInputError(f"{where}: {error.strerror or error}; nothing that is there was changed") from None


def _write_csv(session: Session, csv: Path, found: Sequence[OpenedSecrets]) -> None:
    file = CredentialsCsv(csv)
    try:
        for each in found:
            if _fits_csv(each):
                row = CredentialsRow.from_credentials(each.user_name, each.credentials, each.sign_in_url)
                say_altered_cells(session, str(csv), each.user_name, file.write(row))
    finally:
        file.discard()


def _say_what_is_left(session: Session, found: Sequence[OpenedSecrets], csv: Path | None, mfa_dir: Path | None) -> None:
    """Tell of secrets that went to none of the files."""
    left = [each.user_name for each in found if csv and not mfa_dir and each.credentials.HasField("mfa_device")]
    if left:
        session.say(
            f"{csv} has no column for MFA devices, and there are some: add --mfa-dir FOLDER for {', '.join(left)}."
        )
    left = [each.user_name for each in found if mfa_dir and not csv and _fits_csv(each)]
    if left:
        session.say(f"There are keys and passwords as well: add --csv FILE for {', '.join(left)}.")


def _fits_csv(opened: OpenedSecrets) -> bool:
    return opened.credentials.HasField("access_key") or opened.credentials.HasField("console_password")


def _document(opened: OpenedSecrets) -> dict[str, Any]:
    return {
        "user_name": opened.user_name,
        "user_arn": opened.user_arn,
        "account_id": opened.account_id,
        "row_id": opened.row_id,
        "sign_in_url": opened.sign_in_url,
        "credentials": message_document(opened.credentials),
    }
