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
from identity_client.cli.options import ShowSecrets, UserName, Yes, require_some
from identity_client.cli.results import show_credentials
from identity_client.cli.review import show_line
from identity_client.cli.session import Session
from identity_client.handout import CredentialsCsv, CredentialsRow
from identity_provisioning.v1.credential_pb2 import AccessKey
from identity_provisioning.v1.credential_service_pb2 import CreateCredentialsResponse

credentials = typer.Typer(no_args_is_help=True, help="Make credentials for a user, and end console access.")

_LOST = (
    "The answer is lost, and with it the secrets that may have been made. `identityctl get USER` shows what there is; "
    "a password may be removed with `identityctl credentials disable-console USER`."
)


@credentials.command(
    "create",
    epilog=epilog(
        "credentials create ana --access-key --csv ana.csv",
        "credentials create ana --console --require-reset --show-secrets",
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
        Path | None, typer.Option("--csv", help="Write the credentials to this new file, which only you may read.")
    ] = None,
    show_secrets: ShowSecrets = False,
    yes: Yes = False,
) -> None:
    """Make credentials for a user that is there, after a review."""
    session: Session = context.obj
    require_some(access_key or console or password_stdin, "--access-key", "--console", "--password-stdin")
    if require_reset and not (console or password_stdin):
        raise BadInputError("--require-reset is about a console password: add --console.")
    _require_outlet(session, csv, show_secrets=show_secrets)
    custom = _password() if password_stdin else ""
    password = ConsolePassword(custom=custom, require_reset=require_reset) if console or custom else False
    with ExitStack() as stack:
        file = None if csv is None else _opened(csv)
        if file is not None:
            stack.callback(file.discard)
        ask = partial(session.connect().create_credentials, user, access_key=access_key, console_password=password)
        change = Change(
            user,
            f"Make these credentials for {user}?",
            ask,
            on_lost=_LOST.replace("USER", user),
            look=get_command(user),
        )
        made = review_and_carry_out(session, change, yes=yes)
        written = _write(file, user, made)
        _show(session, user, made, "" if csv is None else str(csv), show_secrets=show_secrets or not written)
    if not written:
        raise CliError(f"{csv} could not be written; the credentials are shown instead.", ExitCode.SOME_FAILED)


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


def _write(file: CredentialsCsv | None, user: str, made: CreateCredentialsResponse) -> bool:
    """Write the credentials to their file, if there is one; tell whether that went well."""
    if file is None or made.credentials.secrets_withheld:
        return True
    try:
        file.write(CredentialsRow.from_credentials(user, made.credentials, made.sign_in_url))
    except OSError:
        return False
    return True


def _show(session: Session, user: str, made: CreateCredentialsResponse, csv: str, *, show_secrets: bool) -> None:
    if session.as_json:
        session.write_json(message_document(made))
        return
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
