"""The commands that messages advise, ready to be copied: with the connection that this run was given by hand.

What comes from the environment is there for the next command as well, and is left out. No secret is among it: TLS files
are named and not shown.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence

from identity_client.cli.alike import some
from identity_client.cli.operation_memory import OperationMemory
from identity_client.cli.session import Session

_FEW = 3


def command(session: Session, *words: str, memory: OperationMemory | None = None) -> str:
    """Answer a command of this program for the same service, or for the one where a remembered operation was begun."""
    target, account = (memory.target, memory.account) if memory else (session.target, session.account)
    given = {
        ("--target", "IDENTITY_TARGET"): target,
        ("--ca", "IDENTITY_CA"): session.ca,
        ("--cert", "IDENTITY_CERT"): session.certificate,
        ("--key", "IDENTITY_KEY"): session.key,
        ("--server-name", "IDENTITY_SERVER_NAME"): session.server_name,
        ("--account", "IDENTITY_ACCOUNT"): account,
    }
    by_hand = [
        word
        for (option, variable), value in given.items()
        if value and os.environ.get(variable) != str(value)
        for word in (option, str(value))
    ]
    return shlex.join(["identityctl", *words, *by_hand, *(["--insecure"] if session.insecure else [])])


def going_on(session: Session, memory: OperationMemory) -> str:
    """Answer how to come back to an operation, and how to end it."""
    cancel = command(session, "operations", "cancel", memory.operation_id, memory=memory)
    return f"Go on with `{_resume(session, memory)}`, which hands its results out, or end it with `{cancel}`."


def unfinished(session: Session, memories: Sequence[OperationMemory]) -> str:
    """Answer how to come by what earlier runs have begun, and nobody has handed out."""
    told = [f"`{_resume(session, memory)}`" for memory in memories]
    return f"Earlier runs began here what is not handed out yet. Go on with {some(told[:_FEW], len(told))}."


def handing_out(session: Session, memory: OperationMemory) -> str:
    """Answer how to come by what an operation has made."""
    return f"Go on with `{_resume(session, memory)}`, which hands its results out."


def _resume(session: Session, memory: OperationMemory) -> str:
    is_found = memory.path.stem == memory.operation_id
    named = [memory.operation_id] if is_found else ["--resume", str(memory.path)]
    return command(session, "operations", "resume", *named, memory=memory)
