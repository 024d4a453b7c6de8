"""The way of every change but `provision`: plan, review, ask, do just what was reviewed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar, cast

from google.protobuf.message import Message

from identity_client import IdentityServiceError
from identity_client.cli.consent import require_consent
from identity_client.cli.exit_codes import ExitCode
from identity_client.cli.failures import CliError, as_cli_error, message_document, outcome_unknown
from identity_client.cli.interrupts import stop_on_interrupt
from identity_client.cli.retrying import command_to_go_on
from identity_client.cli.review import show_line, show_plan, show_steps
from identity_client.cli.session import Session
from identity_provisioning.v1.plan_pb2 import ExecutedStep, Plan


class Changed(Protocol):
    """What every change answers."""

    @property
    def plan(self) -> Plan:
        """Answer the plan, where `validate_only` was asked for."""

    @property
    def steps(self) -> Sequence[ExecutedStep]:
        """Answer the calls that were made."""


Answer = TypeVar("Answer", bound=Changed)


@dataclass(frozen=True)
class Change(Generic[Answer]):
    """A change that can be planned and then done.

    Attributes:
        subject: what is changed, as the review's title has it.
        question: what the person says yes to.
        ask: calls the service, with `validate_only` or `expected_plan_digest`.
        forward_only: whether a failure is never undone, so that what remains is what was not reached.
        on_lost: what to do when the answer may hold secrets and did not come.
        look: the command that shows what there is, for when the service does not know what it came to.
        going_on: what to send with the change, and not with its plan, where it goes on with an earlier request.
    """

    subject: str
    question: str
    ask: Callable[..., Answer]
    forward_only: bool = False
    on_lost: str = ""
    look: str = ""
    going_on: Mapping[str, Any] = field(default_factory=dict)


def review(session: Session, change: Change[Answer], *, yes: bool) -> str:
    """Show the plan, have it agreed to, and answer its digest; where nothing is to be done nobody is asked.

    Raises:
        CliError: the plan cannot run, or nobody agreed.
    """
    plan = change.ask(validate_only=True).plan
    show_plan(session.messages, change.subject, plan)
    if plan.problems and change.going_on:
        session.say("An earlier request is gone on with, so what stands against the plan may be its own work.")
    elif plan.problems:
        raise CliError("The plan cannot run; nothing was changed.", ExitCode.PLAN_HAS_PROBLEMS, plan=plan)
    if plan.steps or change.going_on:
        require_consent(change.question, given=yes)
    return plan.digest


def carry_out(session: Session, change: Change[Answer], plan_digest: str) -> Answer:
    """Do what was reviewed; the first interrupt does not throw the answer away.

    Raises:
        CliError: it failed, or may have.
    """
    try:
        with stop_on_interrupt(lambda: session.say("The change is under way; its answer is waited for.")):
            return change.ask(expected_plan_digest=plan_digest, **change.going_on)
    except IdentityServiceError as error:
        raise as_cli_error(error, to_do=_to_do(session, change, error), forward_only=change.forward_only) from None


def _to_do(session: Session, change: Change[Answer], error: IdentityServiceError) -> str | None:
    """Answer what to do where this change knows better than the general advice."""
    if change.on_lost and outcome_unknown(error):
        command = command_to_go_on(session.arguments, error)
        return f"Go on with the same request soon: `{command}`. If that is refused: {change.on_lost}"
    if change.look and error.reason == "UNDO_INCOMPLETE":
        return f"See it with `{change.look}`, remove what remains, then run the same command again."
    return None


def review_and_carry_out(session: Session, change: Change[Answer], *, yes: bool) -> Answer:
    """Plan, review, ask, and do just what was reviewed."""
    return carry_out(session, change, review(session, change, yes=yes))


def report(session: Session, done: Changed, headline: str) -> None:
    """Tell what was done: the whole answer to a machine; to a person call by call, and what was so already."""
    if session.as_json:
        session.write_json(message_document(cast(Message, done)))
        return
    changed = any(not step.unchanged for step in done.steps)
    show_line(session.results, headline if changed else f"{headline} Nothing had to be changed.")
    show_steps(session.results, done.steps)
