"""Watches an operation to its end, over lost connections, and shows how far it is."""

from __future__ import annotations

from collections.abc import Callable

from identity_client import IdentityClient, IdentityServiceError
from identity_client.cli.failures import CliError, advice, as_cli_error, outcome_unknown
from identity_client.cli.operation_progress import operation_progress
from identity_client.cli.session import Session
from identity_provisioning.v1.operation_pb2 import Operation

PATIENCE = 600.0
"""Seconds for which a lost connection is taken up again."""


def watched(
    session: Session, client: IdentityClient, operation_id: str, unwatched: Callable[[IdentityServiceError], CliError]
) -> Operation:
    """Show an operation's progress until its end, and answer it as it ended.

    Raises:
        CliError: nothing is heard of it any more; it goes on all the same, and `unwatched` says how to come back.
    """
    operation = Operation()
    try:
        with operation_progress(session) as show, session.told_of_retries(show.lost):
            for operation in client.follow_operation(operation_id, patience=PATIENCE):
                show.show(operation)
    except IdentityServiceError as error:
        raise unwatched(error) from None
    return operation


def ending_with(to_do: str) -> Callable[[IdentityServiceError], CliError]:
    """Answer what explains why nothing is heard any more, and ends with what to do."""

    def explained(error: IdentityServiceError) -> CliError:
        hint = "" if outcome_unknown(error) else advice(error)
        return as_cli_error(error, to_do=f"{hint} {to_do}".strip())

    return explained


def state_of(operation: Operation) -> str:
    """Answer the state as a word; a newer server's is answered as its number."""
    try:
        return Operation.State.Name(operation.state).removeprefix("STATE_").lower()
    except ValueError:
        return str(operation.state)
