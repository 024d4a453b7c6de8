"""`identityctl credentials`: access keys and console passwords of a user that is there."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from identity_client import ConsolePassword
from identity_client.cli.changes import Change, report, review_and_carry_out
from identity_client.cli.examples import epilog
from identity_client.cli.exit_codes import ExitCode
from identity_client.cli.failures import BadInputError, CliError, get_command, message_document
from identity_client.cli.hand_outs import Places, check_places, make_folder
from identity_client.cli.mail_drafts import (
    Email,
    MailDir,
    MailLanguage,
    MailTemplateFile,
    check_email,
    read_template,
    write_draft,
)
from identity_client.cli.options import APOSTROPHES, ShowSecrets, UserName, Yes, require_some
from identity_client.cli.results import say_altered_cells, show_credentials
from identity_client.cli.retrying import ReissueSecrets, RequestId, going_on
from identity_client.cli.review import show_line
from identity_client.cli.sealing import (
    IdentityFiles,
    Recipients,
    RecipientsFile,
    SealedOut,
    check_sealed_out,
    hand_out_sealed,
    read_sealing,
    refuse_what_needs_opening,
)
from identity_client.cli.session import Session
from identity_client.cli.wanted import WantedUser
from identity_client.handout import CredentialsCsv, CredentialsRow
from identity_provisioning.v1.credential_pb2 import AccessKey
from identity_provisioning.v1.credential_service_pb2 import CreateCredentialsResponse
from identity_provisioning.v1.user_service_pb2 import ProvisionUserResponse

credentials = typer.Typer(no_args_is_help=True, help="Make credentials for a user, and end console access.")

_LOST = (
    "the answer is lost, and with it the secrets that may have been made. `identityctl get USER` shows what there is; "
    "a password may be removed with `identityctl credentials disable-console USER`."
)


@credentials.command(
    "create",
    epilog=epilog(
        "credentials create ana --access-key --csv ana.csv",
        "credentials create ana --console --require-reset --csv ana.csv --mail-dir mail --email ana@example.com",
    ),
)
def create_credentials(
    context: typer.Context,
    user: UserName,
    access_key: Annotated[bool, typer.Option("--access-key", help="Make an access key.")] = False,
    console: Annotated[bool, typer.Option("--console", help="Make a console password, generated.")] = False,
    require_reset: Annotated[
        bool, typer.Option("--require-reset", help="The password must be changed at the first sign-in.")
    ] = False,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Take the console password from standard input.")
    ] = False,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", help=f"Write the credentials to this new file, which only you may read. {APOSTROPHES}"),
    ] = None,
    mail_dir: MailDir = None,
    mail_language: MailLanguage = "",
    mail_template: MailTemplateFile = None,
    email: Email = "",
    show_secrets: ShowSecrets = False,
    request_id: RequestId = "",
    reissue_secrets: ReissueSecrets = False,
    yes: Yes = False,
    recipient: Recipients = None,
    recipients_file: RecipientsFile = None,
    sealed_out: SealedOut = None,
    identity: IdentityFiles = None,
) -> None:
    """Make credentials for a user that is there, after a review."""
    session: Session = context.obj
    again = going_on(request_id, reissue_secrets=reissue_secrets)
    sealing = read_sealing(recipient, recipients_file, sealed_out, identity)
    refuse_what_needs_opening(sealing, {"--csv": csv, "--show-secrets": show_secrets})
    check_sealed_out(sealing)
    require_some(access_key or console or password_stdin, "--access-key", "--console", "--password-stdin")
    if require_reset and not (console or password_stdin):
        raise BadInputError("--require-reset is about a console password: add --console.")
    if not sealing.stays_closed:
        _require_outlet(session, csv, show_secrets=show_secrets)
    drafts = _drafts(mail_dir, mail_language, mail_template, email, has_password=console or password_stdin)
    custom = _password() if password_stdin else ""
    password = ConsolePassword(custom=custom, require_reset=require_reset) if console or custom else None
    with ExitStack() as stack:
        file = None if csv is None else _opened(csv)
        if file is not None:
            stack.callback(file.discard)
        create = partial(session.connect().create_credentials, user, recipients=sealing.recipients)
        ask = partial(create, access_key=access_key, console_password=password or False)
        change = Change(
            user,
            f"Make these credentials for {user}?",
            ask,
            on_lost=_LOST.replace("USER", user),
            look=get_command(user),
            going_on=again,
        )
        made = review_and_carry_out(session, change, yes=yes)
        complaint = sealing.open_answer(made.credentials, user)
        altered_cells = _write(file, user, made)
        place = "" if csv is None or complaint else str(csv)
        _show(session, user, made, place, show_secrets=show_secrets, altered=altered_cells)
        wanted = WantedUser(user, email=email, console=password)
        _write_draft(session, drafts, wanted, made)
    hand_out_sealed(session, sealing, made.credentials, complaint)
    if altered_cells is None:
        raise CliError(f"{csv} could not be written; the credentials are shown instead.", ExitCode.SOME_FAILED)
    say_altered_cells(session, str(csv), user, altered_cells)


@credentials.command("disable-console", epilog=epilog("credentials disable-console ana"))
def disable_console_access(context: typer.Context, user: UserName, yes: Yes = False) -> None:
    """Delete a user's console password, after a review, and say what the user keeps."""
    session: Session = context.obj
    ask = partial(session.connect().disable_console_access, user)
    change = Change(user, f"Delete the console password of {user}?", ask, forward_only=True, look=get_command(user))
    done = review_and_carry_out(session, change, yes=yes)
    report(session, done, f"{user} has no console password.")
    if not session.as_json:
        _show_what_remains(session, list(done.access_keys))


def _require_outlet(session: Session, csv: Path | None, *, show_secrets: bool) -> None:
    """Refuse to make secrets that nobody would see."""
    if not (csv or ((session.as_json or show_secrets) and sys.stdout is not None)):
        raise BadInputError(
            "The credentials can be seen only once. Say where they go: --csv FILE, --output json, "
            "or --show-secrets. Nothing was created."
        )


def _drafts(mail_dir: Path | None, language: str, file: Path | None, email: str, *, has_password: bool) -> Places:
    """Read how the mail draft is wanted, and make its folder.

    Raises:
        BadInputError: there is nothing that a mail could say, the text cannot be used, or the folder cannot be made.
    """
    check_email(email)
    places = Places(mail_dir=mail_dir, template=read_template(mail_dir, language, file))
    if mail_dir is not None and not has_password:
        raise BadInputError("--mail-dir: a mail says how to sign in with a console password: add --console.")
    if email and mail_dir is None:
        raise BadInputError("--email: say where the mail draft goes: --mail-dir FOLDER.")
    check_places(places, [], None)
    if mail_dir is not None:
        make_folder(mail_dir)
    return places


def _write_draft(session: Session, places: Places, user: WantedUser, made: CreateCredentialsResponse) -> None:
    """Write the mail draft, if one is wanted, and say where it is or why it is not."""
    if places.mail_dir is None:
        return
    answer = ProvisionUserResponse(credentials=made.credentials, sign_in_url=made.sign_in_url)
    draft = write_draft(places.mail_dir, places.template, user, answer)
    said = f"The mail draft is {draft.path}." if draft.path is not None else " ".join(draft.notes)
    session.say(said)


def _password() -> str:
    password = "" if sys.stdin is None else sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise BadInputError("--password-stdin: standard input holds no password.")
    return password


def _opened(csv: Path) -> CredentialsCsv:
    try:
        return CredentialsCsv(csv)
    except FileExistsError:
        raise BadInputError(
            f"{csv}: exists, and may hold the only copy of somebody's secrets; name another file"
        ) from None
    except OSError as error:
        raise BadInputError(f"{csv}: {error.strerror or error}") from None


def _write(file: CredentialsCsv | None, user: str, made: CreateCredentialsResponse) -> tuple[str, ...] | None:
    """Write the credentials to their file, if there is one; answer which columns were altered, None if it failed."""
    if file is None or made.credentials.secrets_withheld or made.credentials.sealed_secrets:
        return ()
    try:
        return file.write(CredentialsRow.from_credentials(user, made.credentials, made.sign_in_url))
    except OSError:
        return None


def _show(
    session: Session,
    user: str,
    made: CreateCredentialsResponse,
    csv: str,
    *,
    show_secrets: bool,
    altered: tuple[str, ...] | None,
) -> None:
    """Tell what was made; where the file could not be written, altered being None, the secrets as well."""
    if session.as_json:
        session.write_json(message_document(made) | {"altered_cells": list(altered or ())})
        return
    show_secrets = show_secrets or altered is None
    kinds = {
        "an access key": made.credentials.HasField("access_key"),
        "a console password": made.credentials.HasField("console_password"),
    }
    what = " and ".join(kind for kind, there in kinds.items() if there) or "nothing"
    place = f"; they are in {csv}" if csv and not show_secrets else ""
    show_line(session.results, f"Made {what} for {user}{place}.")
    if made.credentials.secrets_withheld:
        show_line(session.results, "The secrets are withheld: an earlier answer had them.")
    if show_secrets:
        show_credentials(session.results, user, made.credentials, made.sign_in_url)


def _show_what_remains(session: Session, keys: list[AccessKey]) -> None:
    states = {AccessKey.STATE_ACTIVE: "active", AccessKey.STATE_INACTIVE: "inactive"}
    for key in keys:
        show_line(session.results, f"  stays: access key {key.access_key_id}, {states.get(key.state, 'state unknown')}")
    show_line(session.results, "  stays: the user's permissions, and console access through roles")
