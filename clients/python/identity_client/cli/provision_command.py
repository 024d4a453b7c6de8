"""`identityctl provision`: plan, review, ask, make, hand out."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from identity_client import IdentityClient
from identity_client.cli.alike import some
from identity_client.cli.bulk_review import FEW, show_review
from identity_client.cli.consent import require_consent
from identity_client.cli.exit_codes import ExitCode
from identity_client.cli.failed_of import FailedOf, chosen_users
from identity_client.cli.failures import BadInputError, CliError
from identity_client.cli.hand_outs import Places, check_places, open_hand_outs, require_outlet
from identity_client.cli.interrupts import stop_on_interrupt
from identity_client.cli.mail_drafts import MailDir, MailLanguage, MailTemplateFile, read_template
from identity_client.cli.operation_memory import Outlets
from identity_client.cli.operation_run import Consent, provision_file
from identity_client.cli.options import APOSTROPHES, FullReview
from identity_client.cli.outcome import Outcome
from identity_client.cli.planning import Reviewed, combined_digest, plan_digests, plan_users, require_approved
from identity_client.cli.progress import progress_bar
from identity_client.cli.provisioning import ProvisioningRun, remember
from identity_client.cli.results import result_document, say_altered_cells, show_results, show_secrets_of
from identity_client.cli.resume import ResumeFile, default_path
from identity_client.cli.retrying import ReissueSecrets
from identity_client.cli.review import review_document
from identity_client.cli.sealing import (
    IdentityFiles,
    Recipients,
    RecipientsFile,
    SealedOut,
    Sealing,
    check_sealed_out,
    read_sealing,
    refuse_what_needs_opening,
    show_sealed,
    write_sealed_out,
)
from identity_client.cli.session import Session
from identity_client.cli.user_flags import UserFlags, takes_user_flags
from identity_client.cli.wanted import WantedUser, digest_of

PROVISION_EXAMPLES = (
    "provision ana --group Developers --console --csv ana.csv --mail-dir mail --email ana@example.com",
    "provision bot --access-key --csv bot.csv --new-group Uploaders:ReadOnlyAccess --new-boundary Bound=@bound.json",
    "provision -f users.yaml --csv new.csv --mail-dir mail --mail-language ja",
    "provision -f users.csv --defaults team.yaml --approved DIGEST --output json --yes",
    "provision ana --access-key --recipient age1... --sealed-out ana.age",
)
_DIGEST = re.compile(r"[0-9a-f]{64}")


@takes_user_flags
def provision(
    context: typer.Context,
    flags: UserFlags,
    csv: Annotated[
        Path | None,
        typer.Option(
            "--csv",
            help="Write the credentials to this new file, which only you may read: a line as soon as a user is made, "
            f"in no set order; of the users of a file at the end, in its order. {APOSTROPHES}",
        ),
    ] = None,
    mfa_dir: Annotated[
        Path | None, typer.Option("--mfa-dir", help="Write each MFA device's QR code and seed to this folder.")
    ] = None,
    mail_dir: MailDir = None,
    mail_language: MailLanguage = "",
    mail_template: MailTemplateFile = None,
    show_secrets: Annotated[bool, typer.Option("--show-secrets", help="Show the credentials in the terminal.")] = False,
    reissue_secrets: ReissueSecrets = False,
    approved: Annotated[
        str, typer.Option("--approved", help="Go on only if the plans have this digest, which `plan` showed.")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Go ahead without a question.")] = False,
    failed_of: FailedOf = "",
    full: FullReview = False,
    resume: Annotated[Path | None, typer.Option("--resume", help="The file that remembers this run.")] = None,
    recipient: Recipients = None,
    recipients_file: RecipientsFile = None,
    sealed_out: SealedOut = None,
    identity: IdentityFiles = None,
) -> None:
    """Make users after a review. Run again after a cut, the same command goes on and does nothing twice.

    The users of a file are made as one operation, which goes on without this program: see `operations`. Their secrets
    are sealed on the way, to a key of this run if --recipient names none, and handed out when all is done.

    With --output json one user's result is one document, `{"users": [...]}`. The results of more users are one JSON
    object a line: of users that are named here as soon as each is made, of a file's at the end, in its order. A run
    that cannot start is one line with its plans.
    """
    session: Session = context.obj
    sealing = read_sealing(recipient, recipients_file, sealed_out, identity)
    refuse_what_needs_opening(sealing, {"--csv": csv, "--mfa-dir": mfa_dir, "--show-secrets": show_secrets})
    users = [replace(user, recipients=sealing.recipients) for user in chosen_users(session, flags, failed_of)]
    places = Places(csv, mfa_dir, mail_dir, read_template(mail_dir, mail_language, mail_template))
    shown = session.as_json or show_secrets
    require_outlet(
        places,
        generated=any(user.awaits_generated for user in users),
        mfa_devices=any(user.mfa_device for user in users),
        shown=(shown and sys.stdout is not None) or sealing.stays_closed,
    )
    _check_approved(approved)
    if flags.file is not None:
        if reissue_secrets:
            raise BadInputError("--reissue-secrets: the secrets of a file's users are sealed, and none can go lost.")
        outlets = Outlets(places, show_secrets, sealing.recipients, sealed_out, tuple(identity or ()))
        provision_file(session, users, outlets, Consent(approved, yes=yes, in_full=full), resume=resume)
        return
    memory = _memory(session, users, flags.folder, resume)
    if not reissue_secrets:
        memory.pass_over_lost()
    check_places(places, [user.name for user in users if user.name not in memory.started], memory.csv)
    check_sealed_out(sealing, goes_on=bool(memory.started))
    client = session.connect()
    reviewed = _reviewed(session, client, users, memory, in_brief=yes, in_full=full)
    _require_approved(approved, users, reviewed, memory)
    require_consent(_question(users, memory), given=yes)
    with open_hand_outs(places, memory, shown=shown) as hand_outs:
        remember(memory, reviewed)
        show = _outlet(session, sealing, one=len(users) == 1, show_secrets=show_secrets)
        run = ProvisioningRun(client, users, memory, hand_outs, show, sealing, reissue=reissue_secrets)
        outcomes = _carried_out(session, users, run, live=show is None)
    _report(session, outcomes, run, csv)
    for said in hand_outs.written.told():
        session.say(said)
    write_sealed_out(session, sealing, (each.response.credentials.sealed_secrets for each in outcomes if each.response))
    _finish(session, outcomes, memory, run)


def _check_approved(digest: str) -> None:
    if digest and not _DIGEST.fullmatch(digest):
        raise BadInputError(f"--approved {digest!r}: is no digest; `identityctl plan` ends with one")


def _require_approved(
    digest: str, users: Sequence[WantedUser], reviewed: Sequence[Reviewed], memory: ResumeFile
) -> None:
    """Go on only with the plans that were approved; users that an earlier run began with keep their plan of then.

    Raises:
        CliError: the plans are others.
    """
    planned = dict(zip((each.user.name for each in reviewed), plan_digests(reviewed), strict=True))
    begun = {name: started.plan_digest for name, started in memory.started.items()}
    require_approved(digest, combined_digest([planned.get(user.name) or begun[user.name] for user in users]))


def _memory(session: Session, users: Sequence[WantedUser], folder: Path, named: Path | None) -> ResumeFile:
    digest = digest_of(users, session.target, session.account)
    return ResumeFile.open(named or default_path(folder, digest), digest)


def _reviewed(
    session: Session,
    client: IdentityClient,
    users: Sequence[WantedUser],
    memory: ResumeFile,
    *,
    in_brief: bool,
    in_full: bool,
) -> list[Reviewed]:
    """Plan and show the users that no earlier run began; those were reviewed then.

    Raises:
        CliError: a plan cannot run, and nothing is created for any user.
    """
    begun = [user.name for user in users if user.name in memory.started]
    reviewed = plan_users(client, [user for user in users if user.name not in memory.started])
    show_review(session.messages, reviewed, in_brief=in_brief, in_full=in_full)
    if begun:
        session.say(f"An earlier run began with {len(begun)} of {len(users)} users and is gone on with.")
    stuck = [each.user.name for each in reviewed if not each.can_run]
    if stuck:
        if session.as_json:
            write = session.write_json if len(users) == 1 else session.write_json_line
            write({"plans": review_document(reviewed), "users": []})
        raise CliError(
            f"{len(stuck)} of {len(users)} plans cannot run, so nothing was created: {some(stuck[:FEW], len(stuck))}",
            ExitCode.PLAN_HAS_PROBLEMS,
        )
    return reviewed


def _question(users: Sequence[WantedUser], memory: ResumeFile) -> str:
    what = "this user" if len(users) == 1 else f"these {len(users)} users"
    return f"Go on with {what}?" if memory.started else f"Make {what}?"


def _outlet(session: Session, sealing: Sealing, *, one: bool, show_secrets: bool) -> Callable[[Outcome], None] | None:
    """Answer what writes each result to standard output as it comes; None where all come in a table at the end."""
    if session.as_json:
        return partial(_write_document if one else _write_line, session)
    if sealing.stays_closed and sealing.out is None:
        return partial(_write_sealed, session)
    return partial(show_secrets_of, session.results) if show_secrets else None


def _write_sealed(session: Session, outcome: Outcome) -> None:
    if outcome.response is not None:
        show_sealed(session, outcome.response.credentials)


def _write_document(session: Session, outcome: Outcome) -> None:
    session.write_json({"users": [result_document(outcome)]})


def _write_line(session: Session, outcome: Outcome) -> None:
    session.write_json_line(result_document(outcome))


def _carried_out(session: Session, users: Sequence[WantedUser], run: ProvisioningRun, *, live: bool) -> list[Outcome]:
    """Make the users; the progress bar would be drawn over what is written meanwhile."""
    if not live:
        with stop_on_interrupt(run.stop):
            return run.carry_out(lambda: None)
    with stop_on_interrupt(run.stop), progress_bar(session.messages, "Making users", len(users)) as advance:
        return run.carry_out(advance)


def _report(session: Session, outcomes: Sequence[Outcome], run: ProvisioningRun, csv: Path | None) -> None:
    """Show the table; on standard error tell of altered cells, and where the output is lost all there is to know."""
    if run.output_error is not None:
        for outcome in outcomes:
            session.say(f"{outcome.user.name}: {outcome.status}. {outcome.story()}".rstrip())
    elif not session.as_json:
        show_results(session.results, outcomes, csv=str(csv or ""))
    for outcome in outcomes:
        say_altered_cells(session, str(csv), outcome.user.name, outcome.altered_cells)


def _finish(session: Session, outcomes: Sequence[Outcome], memory: ResumeFile, run: ProvisioningRun) -> None:
    """End the run: forget it if all is done, otherwise say how to go on."""
    complete = all(outcome.complete for outcome in outcomes)
    if complete or not (memory.started or memory.csv):
        memory.remove()
    else:
        told = "Do what is said of each user, then run" if any(each.needs_deletion for each in outcomes) else "Run"
        lost = any(each.error is not None and each.error.secrets_may_be_lost for each in outcomes)
        again = "again, with --reissue-secrets," if lost else "again"
        session.say(f"{told} the same command {again} to go on; the request ids are in {memory.path}")
    if run.output_error is not None:
        raise run.output_error
    failed = any(outcome.status in ("failed", "secrets lost") for outcome in outcomes)
    if not complete:
        raise typer.Exit(ExitCode.SOME_FAILED if failed else ExitCode.INTERRUPTED)
