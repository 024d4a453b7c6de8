"""`identityctl operations`: many users as one piece of work, to look at, come back to and end."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from identity_client import IdentityServiceError, NotFound
from identity_client.cli.advised import command, handing_out
from identity_client.cli.consent import require_consent
from identity_client.cli.examples import epilog
from identity_client.cli.exit_codes import ExitCode
from identity_client.cli.failures import BadInputError, CliError, advice, as_cli_error, explained, message_document
from identity_client.cli.hand_outs import check_places, require_outlet
from identity_client.cli.operation_memory import OperationMemory, Outlets, memory_path, operation_uuid, remembered_ids
from identity_client.cli.operation_progress import story_of
from identity_client.cli.operation_results import error_of
from identity_client.cli.operation_run import carry_on
from identity_client.cli.operation_start import made_nobody
from identity_client.cli.operation_watch import ending_with, state_of, watched
from identity_client.cli.options import ShowSecrets, Yes
from identity_client.cli.review import show_line
from identity_client.cli.session import Session
from identity_client.cli.tables import moment, show_pages, show_table
from identity_provisioning.v1.operation_pb2 import Operation, OperationResult

operations = typer.Typer(no_args_is_help=True, help="Look at operations, come back to one, end one.")

_PAGE = 100
OperationId = Annotated[
    str, typer.Argument(help="The operation's id.", show_default=False, autocompletion=remembered_ids)
]


@operations.command("list", epilog=epilog("operations list", "operations list --output json"))
def list_operations(context: typer.Context) -> None:
    """List your team's operations, newest first, all pages of them."""
    session: Session = context.obj
    found = list(session.connect().iterate_operations())
    if session.as_json:
        session.write_json({"operations": [message_document(operation) for operation in found]})
    else:
        headings = ("Operation", "State", "Users", "Made", "Failed", "Begun")
        title = f"{len(found)} operations" if len(found) != 1 else "1 operation"
        show_table(session, title, headings, map(_row, found))


@operations.command("watch", epilog=epilog("operations watch 2c9e..."))
def watch_operation(context: typer.Context, operation: OperationId) -> None:
    """Show an operation's progress until it has ended. Ctrl-C ends the watching, and not the operation."""
    session: Session = context.obj
    operation_id = operation_uuid(operation)
    again = f"Look again with `{command(session, 'operations', 'watch', operation_id)}`."
    try:
        ended = watched(session, session.connect(), operation_id, partial(_unwatched, session, again))
    except KeyboardInterrupt:
        raise CliError(f"The operation is not touched by this. {again}", ExitCode.INTERRUPTED) from None
    _show(session, ended)
    if ended.progress.failed_users or ended.state == Operation.STATE_CANCELLED:
        raise typer.Exit(ExitCode.SOME_FAILED)


@operations.command(
    "resume",
    epilog=epilog(
        "operations resume 2c9e...", "operations resume 2c9e... --csv new.csv", "operations resume --resume run.json"
    ),
)
def resume_operation(
    context: typer.Context,
    operation: Annotated[
        str, typer.Argument(help="The operation's id.", show_default=False, autocompletion=remembered_ids)
    ] = "",
    resume: Annotated[
        Path | None, typer.Option("--resume", help="The file that `provision --resume` has named.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write the credentials to this file, in the place of the one named.")
    ] = None,
    mfa_dir: Annotated[
        Path | None, typer.Option("--mfa-dir", help="Write MFA devices to this folder, in the place of the one named.")
    ] = None,
    show_secrets: ShowSecrets = False,
) -> None:
    """Go on with an operation that `provision -f` began here: watch it to its end, and hand its results out.

    Where they go is what `provision` was told, unless options say otherwise. Its resume file has the key to them.
    """
    session: Session = context.obj
    memory = _remembered(operation, resume)
    memory.outlets = _outlets(memory.outlets, csv, mfa_dir, show_secrets=show_secrets)
    if not memory.begun:
        raise BadInputError("Nobody has agreed to its plans, and nobody was made: run the `provision` command again.")
    _require_outlet(session, memory)
    check_places(memory.outlets.places, [], memory.csv)
    session.target = session.target or memory.target
    session.account = session.account or memory.account
    carry_on(session, session.connect(), memory)


@operations.command(
    "results",
    epilog=epilog(
        "operations results 2c9e... --failed",
        "operations results 2c9e... --output json | identityctl open - --identity key.txt",
    ),
)
def show_operation_results(
    context: typer.Context,
    operation: OperationId,
    failed: Annotated[bool, typer.Option("--failed", help="Only users that were not made, or cannot be.")] = False,
) -> None:
    """Show what became of each user so far. Secrets stay sealed; JSON has the sealed texts, a line for each user."""
    session: Session = context.obj
    operation_id = operation_uuid(operation)
    found = session.connect().iterate_operation_results(operation_id, failed_only=failed, page_size=_PAGE)
    if session.as_json:
        for result in found:
            session.write_json_line(message_document(result))
        return
    headings = ("User", "Result", "ARN", "Access key", "Why")
    show_pages(session, f"Operation {operation_id}", headings, map(_result_row, found))


@operations.command("cancel", epilog=epilog("operations cancel 2c9e...", "operations cancel 2c9e... --yes"))
def cancel_operation(context: typer.Context, operation: OperationId, yes: Yes = False) -> None:
    """End an operation: nobody new is begun, who is being made is finished, and who was made stays."""
    session: Session = context.obj
    operation_id = operation_uuid(operation)
    client = session.connect()
    require_consent(f"Cancel the operation {operation_id}?", given=yes)
    cancelled = client.cancel_operation(operation_id).operation
    _show(session, cancelled)
    _say_what_is_left(session, cancelled)


def _remembered(operation: str, named: Path | None) -> OperationMemory:
    """Read the resume file.

    Raises:
        BadInputError: neither or both of id and file are given, or there is no such file.
    """
    if bool(operation) == (named is not None):
        raise BadInputError("Name the operation, or its resume file with --resume.")
    path = named or memory_path(operation)
    try:
        return OperationMemory.read(path)
    except FileNotFoundError:
        look = "`identityctl operations results` shows what became of its users"
        raise BadInputError(f"{path}: there is no such resume file; {look}") from None


def _outlets(earlier: Outlets, csv: Path | None, mfa_dir: Path | None, *, show_secrets: bool) -> Outlets:
    places = replace(earlier.places, csv=csv or earlier.places.csv, mfa_dir=mfa_dir or earlier.places.mfa_dir)
    return replace(earlier, places=places, show_secrets=show_secrets or earlier.show_secrets)


def _require_outlet(session: Session, memory: OperationMemory) -> None:
    outlets = memory.outlets
    is_closed = bool(outlets.recipients and not outlets.identity_files)
    shown = (session.as_json or outlets.show_secrets) and sys.stdout is not None
    require_outlet(
        outlets.places,
        generated=memory.expected.generated,
        mfa_devices=memory.expected.mfa_devices,
        shown=shown or is_closed,
        otherwise="Nothing was handed out.",
    )


def _say_what_is_left(session: Session, cancelled: Operation) -> None:
    """Tell how to come by what was made; where nobody was, the resume file is of no use any more."""
    try:
        memory = OperationMemory.read(memory_path(cancelled.operation_id))
    except (FileNotFoundError, BadInputError):
        return
    if cancelled.state == Operation.STATE_CANCELLED and made_nobody(cancelled):
        memory.remove()
    else:
        session.say(handing_out(session, memory))


def _unwatched(session: Session, again: str, error: IdentityServiceError) -> CliError:
    """Say how to look again; at what is not there nobody can, however often."""
    if not isinstance(error, NotFound):
        return ending_with(again)(error)
    listed = f"`{command(session, 'operations', 'list')}` shows your team's operations."
    return as_cli_error(error, to_do=f"{advice(error)} {listed}")


def _show(session: Session, operation: Operation) -> None:
    if session.as_json:
        session.write_json({"operation": message_document(operation)})
    else:
        show_line(session.results, f"{operation.operation_id}: {state_of(operation)}, {story_of(operation, 0.0)}")


def _row(operation: Operation) -> tuple[str, ...]:
    progress = operation.progress
    counts = (progress.total_users, progress.succeeded_users, progress.failed_users)
    return operation.operation_id, state_of(operation), *map(str, counts), moment(operation.create_time)


def _result_row(result: OperationResult) -> tuple[str, ...]:
    error = error_of(result)
    if result.HasField("made"):
        made = result.made
        return result.user_name, "made", made.user.arn, made.credentials.access_key.access_key_id, ""
    if error is not None:
        return result.user_name, "failed", "", "", explained(error, to_do="")
    if result.HasField("plan"):
        problems = "; ".join(problem.message for problem in result.plan.problems)
        return result.user_name, "cannot run" if problems else "planned", "", "", problems
    return result.user_name, "not made", "", "", ""
