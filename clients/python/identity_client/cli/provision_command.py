"""`identityctl provision`: plan, review, ask, make, hand out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from identity_client import IdentityClient
from identity_client.cli.consent import require_consent
from identity_client.cli.exit_codes import ExitCode
from identity_client.cli.failures import BadInputError, CliError
from identity_client.cli.hand_outs import check_places, open_hand_outs
from identity_client.cli.interrupts import stop_on_interrupt
from identity_client.cli.outcome import Outcome
from identity_client.cli.planning import Reviewed, plan_users
from identity_client.cli.progress import progress_bar
from identity_client.cli.provisioning import ProvisioningRun, note_shown, remember
from identity_client.cli.results import results_document, show_results
from identity_client.cli.resume import ResumeFile, default_path
from identity_client.cli.review import review_document, show_review
from identity_client.cli.session import Session
from identity_client.cli.user_flags import UserFlags, takes_user_flags
from identity_client.cli.wanted import WantedUser, digest_of


@takes_user_flags
def provision(
    context: typer.Context,
    flags: UserFlags,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", help="Write the credentials to this new file, which only you may read."),
    ] = None,
    mail_dir: Annotated[
        Path | None, typer.Option("--mail-dir", help="Write a mail draft per console user to this folder.")
    ] = None,
    show_secrets: Annotated[bool, typer.Option("--show-secrets", help="Show the credentials in the terminal.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Go ahead without a question.")] = False,
    resume: Annotated[
        Path | None, typer.Option("--resume", help="The file that remembers the request ids of this run.")
    ] = None,
) -> None:
    """Make users after a review. Run again after a cut, the same command goes on and does nothing twice."""
    session: Session = context.obj
    users = flags.users()
    _require_outlet(session, users, csv, show_secrets)
    memory = _memory(session, users, flags.folder, resume)
    check_places(csv, mail_dir, memory.csv)
    client = session.connect()
    reviewed = _reviewed(session, client, users, memory, in_brief=yes)
    require_consent(_question(users, memory), given=yes)
    with open_hand_outs(csv, mail_dir, memory, shown=session.as_json or show_secrets) as hand_outs:
        remember(memory, reviewed)
        outcomes = _carried_out(session, users, ProvisioningRun(client, users, memory, hand_outs))
    _report(session, outcomes, csv, show_secrets)
    if session.as_json or show_secrets:
        note_shown(memory, outcomes)
    _finish(session, outcomes, memory)


def _require_outlet(session: Session, users: Sequence[WantedUser], csv: Path | None, show_secrets: bool) -> None:
    """Refuse to make secrets that nobody would see."""
    shown = (session.as_json or show_secrets) and sys.stdout is not None
    if any(user.wants_credentials for user in users) and not (csv or shown):
        raise BadInputError(
            "The credentials can be seen only once. Say where they go: --csv FILE, --output json, "
            "or --show-secrets. Nothing was created."
        )


def _memory(session: Session, users: Sequence[WantedUser], folder: Path, named: Path | None) -> ResumeFile:
    digest = digest_of(users, session.target, session.account)
    return ResumeFile.open(named or default_path(folder, digest), digest)


def _reviewed(
    session: Session, client: IdentityClient, users: Sequence[WantedUser], memory: ResumeFile, *, in_brief: bool
) -> list[Reviewed]:
    """Plan and show the users that no earlier run began; those were reviewed then.

    Raises:
        CliError: a plan cannot run, and nothing is created for any user.
    """
    begun = [user.name for user in users if user.name in memory.started]
    reviewed = plan_users(client, [user for user in users if user.name not in memory.started])
    show_review(session.messages, reviewed, in_brief=in_brief)
    if begun:
        session.say(f"An earlier run began with {len(begun)} of {len(users)} users and is gone on with.")
    stuck = [each.user.name for each in reviewed if not each.can_run]
    if stuck:
        if session.as_json:
            session.write_json({"plans": review_document(reviewed), "users": []})
        raise CliError(
            f"{len(stuck)} of {len(users)} plans cannot run, so nothing was created: {', '.join(stuck)}",
            ExitCode.PLAN_HAS_PROBLEMS,
        )
    return reviewed


def _question(users: Sequence[WantedUser], memory: ResumeFile) -> str:
    what = "this user" if len(users) == 1 else f"these {len(users)} users"
    return f"Go on with {what}?" if memory.started else f"Make {what}?"


def _carried_out(session: Session, users: Sequence[WantedUser], run: ProvisioningRun) -> list[Outcome]:
    with stop_on_interrupt(run.stop), progress_bar(session.messages, "Making users", len(users)) as advance:
        return run.carry_out(advance)


def _report(session: Session, outcomes: Sequence[Outcome], csv: Path | None, show_secrets: bool) -> None:
    if session.as_json:
        session.write_json({"users": results_document(outcomes)})
    else:
        show_results(session.results, outcomes, csv=str(csv or ""), show_secrets=show_secrets)


def _finish(session: Session, outcomes: Sequence[Outcome], memory: ResumeFile) -> None:
    """End the run: forget it if all is done, otherwise say how to go on."""
    if all(outcome.complete for outcome in outcomes):
        memory.remove()
        return
    if memory.started or memory.csv:
        told = "Do what is said of each user, then run" if any(each.needs_deletion for each in outcomes) else "Run"
        session.say(f"{told} the same command again to go on; the request ids are in {memory.path}")
    else:
        memory.remove()
    failed = any(outcome.status in ("failed", "secrets lost") for outcome in outcomes)
    raise typer.Exit(ExitCode.SOME_FAILED if failed else ExitCode.INTERRUPTED)
