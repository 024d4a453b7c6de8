"""`identityctl plan`: what would be done."""

from __future__ import annotations

import typer

from identity_client.cli.alike import some
from identity_client.cli.bulk_review import FEW, show_review
from identity_client.cli.exit_codes import ExitCode
from identity_client.cli.failed_of import FailedOf, chosen_users
from identity_client.cli.failures import message_document
from identity_client.cli.operation_planning import PlannedFile, plan_file
from identity_client.cli.options import FullReview
from identity_client.cli.planning import combined_digest, plan_digests, plan_users
from identity_client.cli.review import review_document, show_line, summary_document
from identity_client.cli.session import Session
from identity_client.cli.user_flags import UserFlags, takes_user_flags

PLAN_EXAMPLES = (
    "plan ana --group Developers --console",
    "plan bot --new-group Uploaders:ReadOnlyAccess --new-policy Reports=@reports.json --new-boundary Bound=@bound.json",
    "plan -f users.yaml --output json",
)


@takes_user_flags
def plan(context: typer.Context, flags: UserFlags, failed_of: FailedOf = "", full: FullReview = False) -> None:
    """Show what `provision` would do: every step, quota, warning and problem. Nobody is made.

    The users of a file are planned together, as one operation that is cancelled at once: its quotas are those of all
    users. Users that are named here are planned each alone.

    The last line is a digest over all plans. Who approves them hands it on, and `provision --approved DIGEST` makes
    the users only if the plans are still the same.
    """
    session: Session = context.obj
    users = chosen_users(session, flags, failed_of)
    together = plan_file(session, users) if flags.file else PlannedFile(plan_users(session.connect(), users), ())
    reviewed, quota_uses = together.reviewed, together.quota_uses
    digest = combined_digest(plan_digests(reviewed))
    if session.as_json:
        session.write_json(
            {
                "plans": review_document(reviewed),
                "summary": summary_document(reviewed),
                "quota_uses": [message_document(use) for use in quota_uses],
                "digest": digest,
            }
        )
    else:
        show_review(session.results, reviewed, quota_uses, in_full=full)
        if digest:
            show_line(session.results, f"To make just this: provision --approved {digest}")
    stuck = [each.user.name for each in reviewed if not each.can_run]
    if stuck:
        session.say(f"{len(stuck)} of {len(reviewed)} plans cannot run: {some(stuck[:FEW], len(stuck))}")
        raise typer.Exit(ExitCode.PLAN_HAS_PROBLEMS)
