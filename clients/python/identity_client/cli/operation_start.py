"""Starts an operation that was agreed to, and forgets one only where it is certain that nobody was made.

The resume file may hold the one key that opens the secrets. So once a start may have reached the service neither a
refusal nor a missing answer removes the file or cancels the operation: who asks elsewhere, or without the right to ask,
learns nothing of what was made.
"""

from __future__ import annotations

from contextlib import suppress

from identity_client import IdentityClient, IdentityServiceError, NotFound
from identity_client.cli.advised import going_on
from identity_client.cli.failures import CliError, advice, as_cli_error, nothing_created, outcome_unknown
from identity_client.cli.operation_memory import OperationMemory
from identity_client.cli.session import Session
from identity_provisioning.v1.operation_pb2 import Operation

_UNSTARTED = (Operation.STATE_DRAFT, Operation.STATE_PLANNING, Operation.STATE_PLANNED)
_ENDED_EARLY = (Operation.STATE_CANCELLED, Operation.STATE_FAILED)
_REFUSED_AS_A_WHOLE = ("QUOTA_EXCEEDED", "PLAN_CHANGED", "WRONG_STATE")


def start(session: Session, client: IdentityClient, memory: OperationMemory, *, just_agreed: bool) -> None:
    """Let the operation run if it does not yet, and note that it does.

    Args:
        session: whom to speak to.
        client: the connected client.
        memory: the operation; forgotten if this run was the first to start it and the service takes none of it.
        just_agreed: the yes was said in this run, so that nobody can have started it for it before.

    Raises:
        CliError: it was refused, or nobody knows whether it runs; then all is kept, and the message says how to go on.
    """
    if memory.started:
        return
    try:
        if just_agreed or client.get_operation(memory.operation_id).operation.state in _UNSTARTED:
            client.start_operation(
                memory.operation_id, expected_plan_digest=memory.agreed_digest, request_id=memory.start_request_id
            )
    except IdentityServiceError as error:
        if not _runs_all_the_same(client, memory, error, just_agreed=just_agreed):
            raise kept(session, memory, error) from None
    memory.note_started()


def _runs_all_the_same(
    client: IdentityClient, memory: OperationMemory, error: IdentityServiceError, *, just_agreed: bool
) -> bool:
    """Look what became of an operation whose start was refused: another run may have started it.

    Raises:
        CliError: nobody was made, and nobody will be.
    """
    if error.reason not in _REFUSED_AS_A_WHOLE:
        return False
    try:
        operation = client.get_operation(memory.operation_id).operation
    except IdentityServiceError:
        return False
    if just_agreed and made_nobody(operation):
        drop(client, memory)
        if not memory.started:
            raise nothing_created(error)
    return operation.state not in _UNSTARTED


def kept(session: Session, memory: OperationMemory, error: IdentityServiceError) -> CliError:
    """Answer what ends a run that learns nothing more of an operation: the resume file stays, and so does the rest."""
    hints = [] if outcome_unknown(error) else [advice(error)]
    if isinstance(error, NotFound):
        account = f" in account {memory.account}" if memory.account else ""
        hints.append(
            f"It was begun at {memory.target}{account}; only if it is gone from there as well, remove {memory.path}."
        )
    return as_cli_error(error, to_do=" ".join([*filter(None, hints), "Nothing is lost.", going_on(session, memory)]))


def made_nobody(operation: Operation) -> bool:
    """Tell whether it is certain that an operation has made nobody, and makes nobody as it stands."""
    if operation.state in _ENDED_EARLY:
        return not operation.progress.succeeded_users  # users that still run are only planned: it would be CANCELLING
    return operation.state in _UNSTARTED


def begun_meanwhile(client: IdentityClient, earlier: OperationMemory) -> OperationMemory | None:
    """Look again at an operation that nobody had agreed to when it was found, and forget it if nobody has since.

    Raises:
        BadInputError: another run is at work with it, or has ended it.
    """
    with earlier.held():
        memory = OperationMemory.read(earlier.path)
        if not memory.begun:
            drop(client, memory)
        return memory if memory.begun else None


def drop(client: IdentityClient, memory: OperationMemory) -> None:
    """Forget an operation that this program has not started; the service removes one that it does not hear of in time.

    One that somebody else has started meanwhile is kept, and noted as such.
    """
    operation = Operation(state=Operation.STATE_CANCELLED)
    with suppress(IdentityServiceError):
        operation = client.cancel_operation(memory.operation_id).operation
    if made_nobody(operation):
        memory.remove()
    else:
        memory.note_started()
