"""`identityctl provision -f`: the users of a file as one operation, reviewed, started, watched and handed out.

Until somebody has said yes nobody is made, and a run that ends leaves nothing behind. From then on the operation goes
on by itself, and whoever has its resume file, this run or a later one, watches it and hands its results out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import typer

from identity_client import IdentityClient, IdentityServiceError
from identity_client.cli.advised import command, going_on, unfinished
from identity_client.cli.consent import require_consent
from identity_client.cli.exit_codes import ExitCode
from identity_client.cli.failed_of import retry_command
from identity_client.cli.failures import CliError, as_cli_error
from identity_client.cli.hand_outs import HandOutError, check_places, open_hand_outs
from identity_client.cli.interrupts import stop_on_interrupt
from identity_client.cli.operation_draft import Draft
from identity_client.cli.operation_memory import OperationMemory, Outlets
from identity_client.cli.operation_output import OperationOutput
from identity_client.cli.operation_results import ResultsRun
from identity_client.cli.operation_start import begun_meanwhile, drop, kept, start
from identity_client.cli.operation_watch import state_of, watched
from identity_client.cli.planning import combined_digest, require_approved
from identity_client.cli.sealed_file import SealedFile
from identity_client.cli.sealing import Sealing, check_sealed_out
from identity_client.cli.session import Session
from identity_client.cli.wanted import WantedUser, digest_of
from identity_provisioning.v1.operation_pb2 import Operation

_ENDED = (Operation.STATE_DONE, Operation.STATE_CANCELLED, Operation.STATE_FAILED)


@dataclass(frozen=True)
class Consent:
    """How the plans are shown, and what was said to them beforehand."""

    approved: str = ""
    yes: bool = False
    in_full: bool = False


def provision_file(
    session: Session, users: Sequence[WantedUser], outlets: Outlets, consent: Consent, *, resume: Path | None
) -> None:
    """Make the users of a file, or go on with the operation that an earlier run of the same command has begun."""
    digest = digest_of(users, session.target, session.account)
    earlier = OperationMemory.find(digest, resume)
    begun = earlier is not None and earlier.begun
    check_places(outlets.places, [] if begun else [user.name for user in users], earlier.csv if earlier else None)
    check_sealed_out(Sealing(outlets.recipients, outlets.sealed_out), goes_on=begun)
    client = session.connect()
    if earlier is not None and not begun:
        earlier = begun_meanwhile(client, earlier)
    if earlier is not None:
        session.say(f"An earlier run began with these {len(users)} users, and is gone on with.")
        earlier.outlets = outlets
        require_consent("Go on with it?", given=consent.yes)
        carry_on(session, client, earlier)
        return
    others = OperationMemory.unfinished(session.target, session.account)
    if others:
        session.say(unfinished(session, others))
    memory = _agreed(session, client, Draft(session, client, users, outlets, digest, resume), consent)
    carry_on(session, client, memory, just_agreed=True)


def _agreed(session: Session, client: IdentityClient, draft: Draft, consent: Consent) -> OperationMemory:
    """Have the users planned and the plans agreed to; nothing is left where anything comes between."""
    memory, count = draft.make(), len(draft.users)
    with _dropped_on_failure(client, memory):
        planned = draft.plan(memory)
        review = draft.review(memory, planned, in_brief=consent.yes, in_full=consent.in_full)
        require_approved(consent.approved, combined_digest(review.digests))
        require_consent("Make this user?" if count == 1 else f"Make these {count} users?", given=consent.yes)
        memory.note_agreed(planned.operation.plan_digest)
    return memory


def carry_on(session: Session, client: IdentityClient, memory: OperationMemory, *, just_agreed: bool = False) -> None:
    """Start the operation that was agreed to, if nobody has yet; wait for its end and hand its results out.

    Raises:
        BadInputError: another run does that.
        CliError: it was refused, interrupted or cannot be watched; where anybody may have been made, it can be come
            back to.
        typer.Exit: a user was not made.
    """
    with memory.held():
        results = _handed_out(session, client, memory, just_agreed=just_agreed)
        _finish(session, memory, results)


def _handed_out(session: Session, client: IdentityClient, memory: OperationMemory, *, just_agreed: bool) -> ResultsRun:
    sealing = memory.sealing()
    shown = session.as_json or memory.outlets.show_secrets
    try:
        with open_hand_outs(memory.outlets.places, memory, shown=shown) as hand_outs, SealedFile(sealing.out) as sealed:
            start(session, client, memory, just_agreed=just_agreed)
            operation = watched(session, client, memory.operation_id, partial(kept, session, memory))
            if operation.state not in _ENDED:
                raise CliError(
                    f"The operation is {state_of(operation)}, which it cannot be once it was started. Nothing is lost. "
                    f"{going_on(session, memory)}",
                    ExitCode.SOME_FAILED,
                )
            results = ResultsRun(client, memory.operation_id, hand_outs, sealing, sealed, dict(memory.expected.emails))
            _hand_out(session, memory, operation, results)
            for said in hand_outs.written.told():
                session.say(said)
    except KeyboardInterrupt:
        what = "the operation runs on" if memory.started else "the operation may have begun, and then runs on"
        raise CliError(f"Interrupted; {what}. {going_on(session, memory)}", ExitCode.INTERRUPTED) from None
    if sealed.has_any:
        session.say(f"The secrets are sealed in {sealing.out}; open them with `identityctl open`.")
    return results


@contextmanager
def _dropped_on_failure(client: IdentityClient, memory: OperationMemory) -> Iterator[None]:
    """Leave nothing behind where nobody has said yes."""
    try:
        yield
    except KeyboardInterrupt:
        drop(client, memory)
        raise CliError("Interrupted. Nothing was created.", ExitCode.INTERRUPTED) from None
    except Exception:
        drop(client, memory)
        raise


def _hand_out(session: Session, memory: OperationMemory, operation: Operation, results: ResultsRun) -> None:
    """Hand all results out; whatever comes between loses nothing, since the service keeps the sealed secrets."""
    output = OperationOutput(session, memory.outlets, one=operation.progress.total_users == 1)
    to_do = f"Nothing is lost. {going_on(session, memory)}"
    try:
        with stop_on_interrupt(results.stop):
            results.carry_out(output.show)
        output.flush()
    except HandOutError as error:
        output.flush()
        raise CliError(f"{error} {to_do}", ExitCode.SOME_FAILED) from None
    except IdentityServiceError as error:
        raise as_cli_error(error, to_do=to_do) from None
    except OSError:
        session.say(to_do)
        raise
    if results.stopped:
        raise CliError(f"Interrupted. {to_do}", ExitCode.INTERRUPTED)


def _finish(session: Session, memory: OperationMemory, results: ResultsRun) -> None:
    """Forget the operation if all was handed out, and say who was not made."""
    counts, total = results.counts, results.counts.total()
    made = counts["made"] + results.unopened
    session.say(f"{made} of {total} users made.")
    if results.unopened:
        session.say(f"The secrets of {results.unopened} users were not opened. {going_on(session, memory)}")
    else:
        memory.remove()
    if made < total:
        see = command(session, "operations", "results", memory.operation_id, "--failed", memory=memory)
        session.say(f"See whom not with `{see}`; try them again with `{retry_command(session, memory)}`.")
    if counts["made"] < total:
        raise typer.Exit(ExitCode.SOME_FAILED)
