"""Tells the person that a call is tried again, and with which command to go on when it was given up."""

from __future__ import annotations

import shlex
import threading
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Annotated, Any

import typer

from identity_client import Aborted, IdentityServiceError, InProgress, Retry
from identity_client.cli.failures import BadInputError

RequestId = Annotated[
    str, typer.Option("--request-id", help="Go on with the request of this id, which an earlier run has given up.")
]
ReissueSecrets = Annotated[
    bool,
    typer.Option(
        "--reissue-secrets",
        help="The answer to the earlier run went lost: revoke the secrets that it made, and make new ones. The service "
        "does so for some minutes, and never for a credential that was used.",
    ),
]
_ID, _REISSUE = "--request-id", "--reissue-secrets"


class RetryNotes:
    """Says why the client tries again, each thing once: a run over many users would say it for every one."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """Take what writes a message for the person."""
        self._say = say
        self._said: set[str] = set()
        self._lock = threading.Lock()

    def __call__(self, retry: Retry) -> None:
        """Take note of a retry; calls come from all threads of a run."""
        text = _explained(retry)
        with self._lock:
            if text in self._said:
                return
            self._said.add(text)
            with suppress(OSError):  # a message that nobody reads is no reason to throw an answer away
                self._say(text)


def _explained(retry: Retry) -> str:
    if isinstance(retry.error, InProgress):
        return "The server is busy with this request; trying again…"
    if isinstance(retry.error, Aborted):
        return "Something else changes the account at this moment; trying again…"
    if retry.reissue_secrets:
        return "No answer came through; trying again, with new secrets in the place of any that went lost…"
    if retry.error.reason in ("", "DEADLINE_EXCEEDED"):
        return "No answer came through; trying again…"
    return f"The service cannot do it now ({retry.error.reason}); trying again…"


def going_on(request_id: str, *, reissue_secrets: bool) -> dict[str, Any]:
    """Answer what to send with a change that goes on with an earlier request; nothing if it does not.

    Raises:
        BadInputError: the id is none, or new secrets are wanted of no request.
    """
    if not request_id:
        if reissue_secrets:
            raise BadInputError(f"{_REISSUE} is about an earlier request: name it with {_ID}.")
        return {}
    try:
        uuid.UUID(request_id)
    except ValueError:
        raise BadInputError(f"{_ID} {request_id!r}: is no UUID; a run that was given up ends with one") from None
    return {"request_id": request_id, "reissue_secrets": reissue_secrets or None}


def command_to_go_on(arguments: Sequence[str], error: IdentityServiceError) -> str:
    """Answer the command that goes on with a request that was given up, ready to be copied."""
    kept = _without_request(list(arguments))
    end = kept.index("--") if "--" in kept else len(kept)
    request = [_ID, error.request_id, *([_REISSUE] if error.secrets_may_be_lost else [])]
    return shlex.join(["identityctl", *kept[:end], *request, *kept[end:]])


def _without_request(arguments: list[str]) -> list[str]:
    """Take out what an earlier command of this kind has put there."""
    kept: list[str] = []
    while arguments:
        argument = arguments.pop(0)
        if argument == "--":
            return [*kept, argument, *arguments]
        if argument == _ID:
            arguments[:1] = []
        elif argument != _REISSUE and not argument.startswith(f"{_ID}="):
            kept.append(argument)
    return kept
