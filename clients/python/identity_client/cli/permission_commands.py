"""`identityctl assign` and `identityctl revoke`: what a user may do."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from identity_client.cli.changes import Change, report, review_and_carry_out
from identity_client.cli.failures import get_command
from identity_client.cli.options import UserName, Yes, require_some
from identity_client.cli.permission_flags import takes_permission_flags
from identity_client.cli.session import Session
from identity_client.cli.wanted import WantedUser

ASSIGN_EXAMPLES = (
    "assign ana --group Developers --policy ReadOnlyAccess",
    "assign ana --inline deploy=@deploy.json --boundary TeamBoundary",
    "assign ana --new-group Uploaders:ReadOnlyAccess --new-policy Reports=@reports.json",
    "assign ana --copy-from bo --yes",
)
REVOKE_EXAMPLES = ("revoke ana --group Developers", "revoke ana --policy ReadOnlyAccess --inline deploy --yes")


@takes_permission_flags
def assign(context: typer.Context, user: UserName, wanted: WantedUser, yes: Yes = False) -> None:
    """Give permissions to a user that is there, after a review. What the user has already is left."""
    session: Session = context.obj
    ask = partial(
        session.connect().assign_permissions,
        user,
        groups=wanted.groups,
        policies=wanted.policies,
        inline_policies=wanted.inline_policies,
        boundary=wanted.boundary,
        copy_from=wanted.copy_from,
        self_management=wanted.self_management,
        new_groups=wanted.new_groups,
        new_policies=wanted.new_policies,
        new_boundary=wanted.new_boundary,
    )
    change = Change(user, f"Give this to {user}?", ask, look=get_command(user))
    done = review_and_carry_out(session, change, yes=yes)
    report(session, done, f"{user} has the permissions.")


def revoke(
    context: typer.Context,
    user: UserName,
    groups: Annotated[list[str] | None, typer.Option("--group", help="A group to leave.")] = None,
    policies: Annotated[
        list[str] | None, typer.Option("--policy", help="A managed policy to detach, by name or ARN.")
    ] = None,
    inline: Annotated[
        list[str] | None, typer.Option("--inline", help="The name of an inline policy to delete.")
    ] = None,
    yes: Yes = False,
) -> None:
    """Take permissions from a user, after a review. What the user does not have is passed over; the boundary stays."""
    session: Session = context.obj
    require_some(bool(groups or policies or inline), "--group", "--policy", "--inline")
    ask = partial(
        session.connect().revoke_permissions,
        user,
        groups=groups or [],
        policies=policies or [],
        inline_policies=inline or [],
    )
    change = Change(user, f"Take this from {user}?", ask, forward_only=True, look=get_command(user))
    done = review_and_carry_out(session, change, yes=yes)
    report(session, done, f"{user} does not have these permissions.")
