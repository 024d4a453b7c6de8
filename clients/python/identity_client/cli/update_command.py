"""`identityctl update`: another name, path or tags for a user."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from identity_client.cli.changes import Change, report, review_and_carry_out
from identity_client.cli.failures import get_command
from identity_client.cli.options import UserName, Yes, pairs, require_some
from identity_client.cli.session import Session

UPDATE_EXAMPLES = (
    "update ana --tag team=web --untag project",
    "update ana --rename ana.lima --path /people/ --yes",
)


def update(
    context: typer.Context,
    user: UserName,
    rename: Annotated[str, typer.Option("--rename", help="The new name.")] = "",
    path: Annotated[str, typer.Option("--path", help="The new path, such as /people/.")] = "",
    tags: Annotated[list[str] | None, typer.Option("--tag", help="A tag to set, KEY=VALUE.")] = None,
    untag: Annotated[list[str] | None, typer.Option("--untag", help="The key of a tag to remove.")] = None,
    yes: Yes = False,
) -> None:
    """Change a user's name, path or tags, after a review.

    What the user has moves along; policies elsewhere that name the old ARN do not.
    """
    session: Session = context.obj
    require_some(bool(rename or path or tags or untag), "--rename", "--path", "--tag", "--untag")
    ask = partial(
        session.connect().update_user,
        user,
        new_name=rename,
        new_path=path,
        set_tags=pairs("--tag", tags or []),
        remove_tags=untag or [],
    )
    change = Change(user, f"Change {user}?", ask, forward_only=True, look=get_command(user))
    done = review_and_carry_out(session, change, yes=yes)
    report(session, done, f"The user is {done.user.arn or user}.")
