"""`identityctl list`: which users there are."""

from __future__ import annotations

from typing import Annotated

import typer

from identity_client.cli.failures import message_document
from identity_client.cli.options import pairs
from identity_client.cli.session import Session
from identity_client.cli.tables import day, show_table
from identity_provisioning.v1.user_pb2 import User

LIST_EXAMPLES = ("list --path /people/ --tag team=web", "list --owner payments --output json")
_OWN_TAGS = "identity-provisioning:"


def list_users(
    context: typer.Context,
    path: Annotated[str, typer.Option("--path", help="Only users whose path begins so.")] = "",
    name: Annotated[str, typer.Option("--name", help="Only users whose name begins so, in any letter case.")] = "",
    tags: Annotated[
        list[str] | None, typer.Option("--tag", help="Only users with this tag, KEY=VALUE, or KEY with any value.")
    ] = None,
    owner: Annotated[str, typer.Option("--owner", help="Only users of this team.")] = "",
) -> None:
    """List users, all pages of them."""
    session: Session = context.obj
    wanted = pairs("--tag", [tag if "=" in tag else f"{tag}=" for tag in tags or []])
    client = session.connect()
    found = list(client.iterate_users(path_prefix=path, name_prefix=name, tags=wanted, owner=owner))
    if session.as_json:
        session.write_json({"users": [message_document(user) for user in found]})
    else:
        headings = ("User", "Path", "Owner", "Boundary", "Tags", "Made")
        show_table(session, f"{len(found)} users" if len(found) != 1 else "1 user", headings, map(_row, found))


def _row(user: User) -> tuple[str, ...]:
    tags = ", ".join(f"{tag.key}={tag.value}" for tag in user.tags if not tag.key.startswith(_OWN_TAGS))
    boundary = user.permissions_boundary_arn.rpartition("/")[2]
    return user.user_name, user.path, user.owner_team, boundary, tags, day(user.create_time)
