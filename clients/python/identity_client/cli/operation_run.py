"""`identityctl provision -f`: the users of a file as one operation, reviewed, started, watched and handed out.

Until somebody has said yes nobody is made, and a run that ends leaves nothing behind. From then on the operation goes
on by itself, and whoever has its resume file, this run or a later one, watches it and hands its results out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import typer

from identity_client import IdentityClient, IdentityServiceError, InvalidRequest, in_batches
from identity_client.cli.consent import require_consent
from identity_client.cli.exit_codes import ExitCode
from identity_client.cli.failures import BadInputError, CliError, as_cli_error, cannot_reach, explained, outcome_unknown
from identity_client.cli.hand_outs import HandOutError, check_places, open_hand_outs
from identity_client.cli.interrupts import stop_on_interrupt
from identity_client.cli.operation_memory import Expected, OperationMemory, Outlets, memory_path
from identity_client.cli.operation_output import OperationOutput
from identity_client.cli.operation_progress import operation_progress
from identity_client.cli.operation_results import ResultsRun, error_of
from identity_client.cli.planning import Reviewed, combined_digest, plan_digests, require_approved
from identity_client.cli.review import review_document, show_review, show_summary, summary_document
from identity_client.cli.sealing import Sealing, check_sealed_out, write_sealed_out
from identity_client.cli.session import Session
from identity_client.cli.wanted import WantedUser, digest_of, spec_of
from identity_client.sealing import generate_identity
from identity_provisioning.v1.operation_pb2 import Operation

PATIENCE = 600.0
"""Seconds for which a lost connection is taken up again."""
_PAGE = 100


def provision_file(
    session: Session, users: Sequence[WantedUser], outlets: Outlets, *, approved: str, yes: bool, resume: Path | None
) -> None:
    """Make the users of a file, or go on with the operation that an earlier run of the same command has begun."""
    digest = digest_of(users, session.target, session.account)
    earlier = OperationMemory.find(digest, resume)
    begun = earlier is not None and bool(earlier.agreed_digest)
    check_places(outlets.places, [] if begun else [user.name for user in users], earlier.csv if earlier else None)
    check_sealed_out(Sealing(outlets.recipients, outlets.sealed_out), goes_on=begun)
    client = session.connect()
    if earlier is not None and begun:
        session.say(f"An earlier run began with these {len(users)} users, and is gone on with.")
        earlier.outlets = outlets
        require_consent("Go on with it?", given=yes)
        carry_on(session, client, earlier)
        return
    if earlier is not None:
        _drop(client, earlier)
    draft = _Draft(session, client, users, outlets, digest, resume)
    memory = draft.make()
    with _dropped_on_failure(client, memory):
        draft.upload(memory)
        planned = draft.plan(memory)
        review = _reviewed(session, client, users, memory, in_brief=yes)
        require_approved(approved, combined_digest(review.digests))
        require_consent("Make this user?" if len(users) == 1 else f"Make these {len(users)} users?", given=yes)
        memory.note_agreed(planned.plan_digest)
    carry_on(session, client, memory)


def carry_on(session: Session, client: IdentityClient, memory: OperationMemory) -> None:
    """Start the operation that was agreed to, if nobody has yet; wait for its end and hand its results out.

    Raises:
        BadInputError: another run does that.
        CliError: it was interrupted or cannot be watched; it goes on, and can be come back to.
        typer.Exit: a user was not made.
    """
    with memory.held():
        _carry_on(session, client, memory)


def _carry_on(session: Session, client: IdentityClient, memory: OperationMemory) -> None:
    sealing = memory.sealing()
    shown = session.as_json or memory.outlets.show_secrets
    try:
        with open_hand_outs(memory.outlets.places, memory, shown=shown) as hand_outs:
            _start(client, memory)
            operation = watched(session, client, memory.operation_id, going_on(memory))
            results = ResultsRun(client, memory.operation_id, hand_outs, sealing, dict(memory.expected.emails))
            _hand_out(session, memory, operation, results)
    except KeyboardInterrupt:
        raise CliError(f"Interrupted; the operation runs on. {going_on(memory)}", ExitCode.INTERRUPTED) from None
    write_sealed_out(session, sealing, results.sealed)
    _finish(session, memory, results)


def watched(session: Session, client: IdentityClient, operation_id: str, to_do: str) -> Operation:
    """Show an operation's progress until its end, and answer it as it ended.

    Raises:
        CliError: nothing is heard of it any more; it goes on all the same, and `to_do` says how to come back.
    """
    operation = Operation()
    try:
        with operation_progress(session) as show:
            for operation in client.follow_operation(operation_id, patience=PATIENCE):
                show(operation)
    except IdentityServiceError as error:
        raise as_cli_error(error, to_do=to_do if outcome_unknown(error) else None) from None
    return operation


def going_on(memory: OperationMemory) -> str:
    """Answer how to come back to an operation, ready to be copied."""
    named = "" if memory.path.stem == memory.operation_id else f" --resume {memory.path}"
    return (
        f"Go on with `identityctl operations resume {memory.operation_id}{named}`, which hands its results out, or "
        f"end it with `identityctl operations cancel {memory.operation_id}`."
    )


@dataclass(frozen=True)
class _Draft:
    """Makes the draft of an operation, and has it planned."""

    session: Session
    client: IdentityClient
    users: Sequence[WantedUser]
    outlets: Outlets
    input_digest: str
    resume: Path | None

    def make(self) -> OperationMemory:
        """Make an empty draft, and remember it before any user is sent."""
        is_ours = not self.outlets.recipients and any(user.wants_credentials for user in self.users)
        identity = generate_identity() if is_ours else None
        recipients = (identity.recipient,) if identity else self.outlets.recipients
        try:
            created = self.client.create_operation(recipients=recipients)
        except IdentityServiceError as error:
            raise _refused(error) from None
        operation_id = created.operation.operation_id
        memory = OperationMemory(
            path=self.resume or memory_path(operation_id),
            operation_id=operation_id,
            target=self.session.target,
            account=self.session.account,
            input_digest=self.input_digest,
            outlets=self.outlets,
            expected=Expected(
                generated=any(user.awaits_generated for user in self.users),
                mfa_devices=any(user.mfa_device for user in self.users),
                emails={user.name: user.email for user in self.users if user.email},
            ),
            identity=identity.secret if identity else "",
        )
        memory.save()
        return memory

    def upload(self, memory: OperationMemory) -> None:
        """Append all users, in batches."""
        for number, batch in enumerate(in_batches(map(spec_of, self.users))):
            try:
                self.client.append_users(memory.operation_id, number, batch)
            except InvalidRequest as error:
                raise _wrong_users(error, [user.user_name for user in batch]) from None
            except IdentityServiceError as error:
                raise _refused(error) from None

    def plan(self, memory: OperationMemory) -> Operation:
        """Have all users planned, and nobody made."""
        try:
            self.client.start_operation(memory.operation_id, validate_only=True, request_id=memory.plan_request_id)
        except IdentityServiceError as error:
            raise _refused(error) from None
        return watched(self.session, self.client, memory.operation_id, "Nothing was created.")


@dataclass
class _Review:
    """What the plans add up to."""

    digests: list[str] = field(default_factory=list)
    stuck: list[Reviewed] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, each: Reviewed) -> None:
        """Count a user's plan."""
        self.digests += plan_digests([each])
        self.counts.update(summary_document([each]))
        if not each.can_run:
            self.stuck.append(each)


def _reviewed(
    session: Session, client: IdentityClient, users: Sequence[WantedUser], memory: OperationMemory, *, in_brief: bool
) -> _Review:
    """Show the plans, page by page.

    Raises:
        CliError: one cannot run, and nothing is created for any user.
    """
    review = _Review()
    for result in client.iterate_operation_results(memory.operation_id, page_size=_PAGE):
        plan = result.plan if result.HasField("plan") else None
        each = Reviewed(users[result.index], plan, error_of(result))
        show_review(session.messages, [each], in_brief=in_brief)
        review.add(each)
    if len(users) > 1:
        show_summary(session.messages, review.counts)
    if review.stuck:
        if session.as_json:
            session.write_json_line({"plans": review_document(review.stuck), "users": []})
        names = ", ".join(each.user.name for each in review.stuck)
        raise CliError(
            f"{len(review.stuck)} of {len(users)} plans cannot run, so nothing was created: {names}",
            ExitCode.PLAN_HAS_PROBLEMS,
        )
    return review


@contextmanager
def _dropped_on_failure(client: IdentityClient, memory: OperationMemory) -> Iterator[None]:
    """Leave nothing behind where nobody has said yes."""
    try:
        yield
    except KeyboardInterrupt:
        _drop(client, memory)
        raise CliError("Interrupted. Nothing was created.", ExitCode.INTERRUPTED) from None
    except (CliError, IdentityServiceError, OSError):
        _drop(client, memory)
        raise


def _drop(client: IdentityClient, memory: OperationMemory) -> None:
    """Forget an operation that was never agreed to; the service removes one that it does not hear of in time."""
    with suppress(IdentityServiceError):
        client.cancel_operation(memory.operation_id)
    memory.remove()


def _start(client: IdentityClient, memory: OperationMemory) -> None:
    """Let the operation run; the same request once more changes nothing."""
    try:
        client.start_operation(
            memory.operation_id, expected_plan_digest=memory.agreed_digest, request_id=memory.start_request_id
        )
    except IdentityServiceError as error:
        if outcome_unknown(error):
            raise as_cli_error(error, to_do=going_on(memory)) from None
        _drop(client, memory)
        raise _refused(error) from None


def _hand_out(session: Session, memory: OperationMemory, operation: Operation, results: ResultsRun) -> None:
    """Hand all results out; whatever comes between loses nothing, since the service keeps the sealed secrets."""
    output = OperationOutput(session, memory.outlets, one=operation.progress.total_users == 1)
    try:
        with stop_on_interrupt(results.stop):
            results.carry_out(output.show)
        output.flush()
    except HandOutError as error:
        output.flush()
        raise CliError(f"{error} Nothing is lost. {going_on(memory)}", ExitCode.SOME_FAILED) from None
    except IdentityServiceError as error:
        raise as_cli_error(error, to_do=going_on(memory)) from None
    except OSError:
        session.say(f"Nothing is lost. {going_on(memory)}")
        raise
    if results.stopped:
        raise CliError(f"Interrupted. Nothing is lost. {going_on(memory)}", ExitCode.INTERRUPTED)


def _finish(session: Session, memory: OperationMemory, results: ResultsRun) -> None:
    """Forget the operation if all was handed out, and say who was not made."""
    counts, total = results.counts, results.counts.total()
    session.say(f"{counts['made'] + results.unopened} of {total} users made.")
    if results.unopened:
        session.say(f"The secrets of {results.unopened} users were not opened. {going_on(memory)}")
    else:
        memory.remove()
    if counts["made"] < total:
        session.say(
            f"See whom not with `identityctl operations results {memory.operation_id} --failed`; to try again, put "
            "them into a file of their own."
        )
        raise typer.Exit(ExitCode.SOME_FAILED)


def _refused(error: IdentityServiceError) -> CliError:
    """Answer what ends a run before anybody was made."""
    code = ExitCode.CANNOT_REACH if cannot_reach(error) else ExitCode.PLAN_HAS_PROBLEMS
    return CliError(f"{explained(error)} Nothing was created.", code, error=error)


def _wrong_users(error: InvalidRequest, names: Sequence[str]) -> CliError:
    """Say which users the service does not take: it names them by their place in a batch, which nobody knows."""
    lines = []
    for violation in error.field_violations:
        place = violation.field.removeprefix("users[").partition("]")
        name = names[int(place[0])] if place[0].isdigit() and int(place[0]) < len(names) else ""
        where = f"{name}{place[2]}" if name else violation.field
        lines.append(f"{where}: {violation.description}")
    if not lines:
        return _refused(error)
    return BadInputError("\n".join([*lines, "Nothing was created."]))
