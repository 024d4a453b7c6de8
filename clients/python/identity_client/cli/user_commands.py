"""`identityctl get`, `identityctl adopt` and `identityctl delete`: one user that is there."""

from __future__ import annotations

from functools import partial

import typer
from rich.table import Table

from identity_client.cli.changes import Change, report, review_and_carry_out
from identity_client.cli.failures import get_command, message_document
from identity_client.cli.options import UserName, Yes
from identity_client.cli.session import Session, printable
from identity_provisioning.v1.credential_pb2 import AccessKey
from identity_provisioning.v1.user_service_pb2 import GetUserResponse

GET_EXAMPLES = ("get ana", "get ana --output json")
ADOPT_EXAMPLES = ("adopt ana", "adopt ana --yes")
DELETE_EXAMPLES = ("delete ana", "delete ana --yes --account 123456789012")


def get(context: typer.Context, user: UserName) -> None:
    """Show everything about a user but secrets."""
    session: Session = context.obj
    found = session.connect().get_user(user)
    if session.as_json:
        session.write_json(message_document(found))
    else:
        session.results.print(_user_table(found))


def adopt(context: typer.Context, user: UserName, yes: Yes = False) -> None:
    """Take a user that nobody owns into your team's ownership, after a review.

    Its credentials and permissions stay as they are; from then on your team may change them.
    """
    session: Session = context.obj
    ask = partial(session.connect().adopt_user, user)
    change = Change(user, f"Adopt {user}?", ask, forward_only=True, look=get_command(user))
    adopted = review_and_carry_out(session, change, yes=yes)
    report(session, adopted, f"{adopted.user.arn or user} belongs to {adopted.user.owner_team or 'your team'}.")


def delete(context: typer.Context, user: UserName, yes: Yes = False) -> None:
    """Delete a user with everything on it, after a review. This cannot be undone."""
    session: Session = context.obj
    ask = partial(session.connect().delete_user, user)
    change = Change(
        user, f"Delete {user} and all of the above for good?", ask, forward_only=True, look=get_command(user)
    )
    deleted = review_and_carry_out(session, change, yes=yes)
    report(session, deleted, f"Deleted {deleted.user.arn or user} in {len(deleted.steps)} steps.")


def _user_table(found: GetUserResponse) -> Table:
    user = found.user
    table = Table(show_header=False, title=printable(user.user_name), title_justify="left")
    table.add_column("Field")
    table.add_column("Value", overflow="fold")
    facts = {
        "ARN": user.arn,
        "User id": user.user_id,
        "Made": _moment(user.create_time.ToJsonString() if user.HasField("create_time") else ""),
        "Owner": user.owner_team or "not owned by this service",
        "Boundary": user.permissions_boundary_arn or "none",
        "Tags": "\n".join(f"{tag.key} = {tag.value}" for tag in user.tags) or "none",
        "Console": _console_access(found),
        "Access keys": "\n".join(_key_line(key) for key in found.access_keys) or "none",
        "MFA devices": "\n".join(device.serial_number for device in found.mfa_devices) or "none",
        "Pending MFA devices": "\n".join(device.serial_number for device in found.pending_mfa_devices) or "none",
        "Groups": "\n".join(found.group_names) or "none",
        "Policies": "\n".join(policy.policy_arn for policy in found.attached_policies) or "none",
        "Inline policies": "\n".join(policy.policy_name for policy in found.inline_policies) or "none",
    }
    for name, value in facts.items():
        table.add_row(name, printable(value))
    return table


def _console_access(found: GetUserResponse) -> str:
    if not found.HasField("login_profile"):
        return "none"
    return "password, to be changed at the next sign-in" if found.login_profile.reset_required else "password"


def _key_line(key: AccessKey) -> str:
    state = {AccessKey.STATE_ACTIVE: "active", AccessKey.STATE_INACTIVE: "inactive"}.get(key.state, "?")
    used = key.last_used_time.ToJsonString() if key.HasField("last_used_time") else ""
    return f"{key.access_key_id} {state}, last used {_moment(used)}"


def _moment(text: str) -> str:
    return text or "not known"
