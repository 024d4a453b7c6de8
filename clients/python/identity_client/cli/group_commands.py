"""`identityctl groups`: which groups there are, one more, one less."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from identity_client.cli.changes import Change, report, review_and_carry_out
from identity_client.cli.examples import epilog
from identity_client.cli.failures import message_document
from identity_client.cli.options import Yes
from identity_client.cli.session import Session
from identity_client.cli.tables import day, show_table
from identity_provisioning.v1.permission_pb2 import Group

groups = typer.Typer(no_args_is_help=True, help="List, make and delete groups.")
_LOOK = "identityctl groups list"
_GroupName = Annotated[str, typer.Argument(help="The group's name.", show_default=False)]


@groups.command("list", epilog=epilog("groups list", "groups list --path /teams/ --output json"))
def list_groups(
    context: typer.Context,
    path: Annotated[str, typer.Option("--path", help="Only groups whose path begins so.")] = "",
) -> None:
    """List groups with their policies, all pages of them."""
    session: Session = context.obj
    found = list(session.connect().iterate_groups(path_prefix=path))
    if session.as_json:
        session.write_json({"groups": [message_document(group) for group in found]})
    else:
        headings = ("Group", "Path", "Policies", "Inline policies", "Made")
        show_table(session, f"{len(found)} groups" if len(found) != 1 else "1 group", headings, map(_row, found))


@groups.command("create", epilog=epilog("groups create Developers --policy ReadOnlyAccess"))
def create_group(
    context: typer.Context,
    group: _GroupName,
    policies: Annotated[
        list[str] | None, typer.Option("--policy", help="A managed policy to attach, by name or ARN.")
    ] = None,
    path: Annotated[str, typer.Option("--path", help="The group's path, such as /teams/.")] = "",
    yes: Yes = False,
) -> None:
    """Make a group with policies, after a review."""
    session: Session = context.obj
    ask = partial(session.connect().create_group, group, path=path, policies=policies or [])
    done = review_and_carry_out(session, Change(group, f"Make the group {group}?", ask, look=_LOOK), yes=yes)
    report(session, done, f"Made {done.group.arn or group}.")


@groups.command("delete", epilog=epilog("groups delete Developers --yes"))
def delete_group(context: typer.Context, group: _GroupName, yes: Yes = False) -> None:
    """Delete a group that has no members, after a review. Its policies themselves stay."""
    session: Session = context.obj
    ask = partial(session.connect().delete_group, group)
    change = Change(group, f"Delete the group {group} for good?", ask, forward_only=True, look=_LOOK)
    done = review_and_carry_out(session, change, yes=yes)
    report(session, done, f"Deleted the group {group}.")


def _row(group: Group) -> tuple[str, ...]:
    attached = ", ".join(policy.policy_name for policy in group.attached_policies)
    inline = ", ".join(group.inline_policy_names)
    grants = attached if attached or inline else "grants nothing"
    return group.group_name, group.path, grants, inline, day(group.create_time)
