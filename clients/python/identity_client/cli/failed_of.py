"""Takes of a file the users that an operation has not made, so that they can be tried again.

Only the file knows what they are to have; the operation knows who they are.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from identity_client._bulk import MAXIMUM_USERS
from identity_client.cli.advised import command
from identity_client.cli.failures import BadInputError
from identity_client.cli.operation_memory import OperationMemory, operation_uuid
from identity_client.cli.session import Session
from identity_client.cli.user_flags import UserFlags
from identity_client.cli.wanted import WantedUser
from identity_provisioning.v1.operation_pb2 import Operation

FailedOf = Annotated[
    str,
    typer.Option(
        "--failed-of",
        metavar="OPERATION",
        help="Take only those users of -f whom this operation, which has ended, did not make.",
        show_default=False,
    ),
]
_OPTION = "--failed-of"
_ENDED = (Operation.STATE_DONE, Operation.STATE_CANCELLED, Operation.STATE_FAILED)
_LEFT_OUT = (_OPTION, "--approved", "--resume")
_NEW_FILES = ("--csv", "--sealed-out")
_PAGE = 100


def chosen_users(session: Session, flags: UserFlags, failed_of: str) -> list[WantedUser]:
    """Answer the users that the options name; of a file those whom an operation did not make, if one is named.

    Raises:
        BadInputError: the options or the file break rules, or the operation has not ended or made all of them.
        CliError: the service cannot be reached.
    """
    if failed_of and flags.file is None:
        raise BadInputError(f"{_OPTION} is for the users of a file: add -f FILE.")
    users = flags.users()
    if failed_of:
        return _not_made(session, operation_uuid(failed_of), users)
    if flags.file is not None and len(users) > MAXIMUM_USERS:
        raise BadInputError(
            f"{flags.file}: asks for {len(users):,} users, and one run makes {MAXIMUM_USERS:,} at most: split the file."
        )
    return users


def _not_made(session: Session, operation_id: str, users: Sequence[WantedUser]) -> list[WantedUser]:
    client = session.connect()
    if client.get_operation(operation_id).operation.state not in _ENDED:
        watch = command(session, "operations", "watch", operation_id)
        raise BadInputError(f"{_OPTION} {operation_id}: has not ended; `{watch}` shows when it has.")
    results = client.iterate_operation_results(operation_id, page_size=_PAGE)
    names = {result.user_name.casefold() for result in results if not result.HasField("made")}
    chosen = [user for user in users if user.name.casefold() in names]
    if not chosen:
        raise BadInputError(f"{_OPTION} {operation_id}: there is no user of the file that it did not make.")
    session.say(f"{len(chosen)} of the {len(users)} users of the file were not made by {operation_id}.")
    return chosen


def retry_command(session: Session, memory: OperationMemory) -> str:
    """Answer the command that tries again whom a `provision -f` did not make, ready to be copied.

    It is the command of then, with other files where those of then exist, and with a review of its own.
    """
    if not memory.command:
        return command(session, "provision", "-f", "FILE", _OPTION, memory.operation_id, memory=memory)
    folder = Path(memory.folder)
    words = [*_other_files(_without_old(memory.command), folder), _OPTION, memory.operation_id]
    again = shlex.join(["identityctl", *words])
    return again if folder == Path.cwd() else f"cd {shlex.quote(memory.folder)} && {again}"


def _without_old(words: Sequence[str]) -> list[str]:
    """Take out what was about the earlier run alone."""
    kept: list[str] = []
    waiting = [word for word in words if word not in ("--yes", "-y")]
    while waiting:
        word = waiting.pop(0)
        if word in _LEFT_OUT:
            waiting[:1] = []
        elif not word.startswith(tuple(f"{option}=" for option in _LEFT_OUT)):
            kept.append(word)
    return kept


def _other_files(words: Sequence[str], folder: Path) -> list[str]:
    """Name other files in the place of those that the earlier run has written."""
    other: list[str] = []
    for word in words:
        option, equals, value = word.partition("=")
        if equals and option in _NEW_FILES:
            other.append(f"{option}={_free(value, folder)}")
        elif other and other[-1] in _NEW_FILES:
            other.append(_free(word, folder))
        else:
            other.append(word)
    return other


def _free(name: str, folder: Path) -> str:
    """Answer the name itself, or the first of NAME-2, NAME-3 ... that is not there."""
    path, number = Path(name), 1
    while (folder / path).exists():
        number += 1
        path = Path(name).with_stem(f"{Path(name).stem}-{number}")
    return str(path)
