"""`identityctl policies`: which managed policies there are, one more, one less."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import Annotated

import typer

from identity_client import IdentityClient
from identity_client.cli.changes import Change, report, review_and_carry_out
from identity_client.cli.checks import POLICY
from identity_client.cli.examples import epilog
from identity_client.cli.exit_codes import ExitCode
from identity_client.cli.failures import BadInputError, CliError, message_document
from identity_client.cli.options import Yes, document_from
from identity_client.cli.session import Session
from identity_client.cli.tables import day, show_table
from identity_provisioning.v1.permission_pb2 import Policy

policies = typer.Typer(no_args_is_help=True, help="List, make and delete managed policies.")

_LOOK = "identityctl policies list --scope customer"
_NOT_FOUND = ExitCode.SOME_FAILED


class Scope(StrEnum):
    """Whose policies."""

    ALL = "all"
    AWS = "aws"
    CUSTOMER = "customer"


_OF = {Scope.ALL: "", Scope.AWS: " of AWS", Scope.CUSTOMER: " of the account"}


@policies.command("list", epilog=epilog("policies list", "policies list --scope aws --search readonly --output json"))
def list_policies(
    context: typer.Context,
    scope: Annotated[
        Scope, typer.Option("--scope", help="The account's own, as if not given; AWS's; or all.")
    ] = Scope.CUSTOMER,
    search: Annotated[str, typer.Option("--search", help="Only policies with this in their name.")] = "",
) -> None:
    """List managed policies, all pages of them: the account's own, or with --scope AWS's, which are a thousand."""
    session: Session = context.obj
    found = list(session.connect().iterate_policies(scope=scope.value, search=search))
    if session.as_json:
        session.write_json({"policies": [message_document(policy) for policy in found]})
    else:
        headings = ("Policy", "ARN", "Version", "Attached", "As boundary", "Changed")
        count = f"{len(found)} policies" if len(found) != 1 else "1 policy"
        show_table(session, f"{count}{_OF[scope]}", headings, map(_row, found))
        if scope is Scope.CUSTOMER and not found:
            session.say("Only the account's own were looked at; --scope aws looks at AWS's, --scope all at both.")


@policies.command(
    "create", epilog=epilog("policies create Deploy @deploy.json --description 'What the pipeline may do'")
)
def create_policy(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The policy's name.", show_default=False)],
    document: Annotated[str, typer.Argument(help="The policy document, @FILE.json.", show_default=False)],
    path: Annotated[str, typer.Option("--path", help="The policy's path, such as /teams/.")] = "",
    description: Annotated[str, typer.Option("--description", help="What the policy is for.")] = "",
    yes: Yes = False,
) -> None:
    """Make a managed policy, after a review that names what is risky in it."""
    session: Session = context.obj
    text = document_from(document)
    ask = partial(session.connect().create_policy, name, text, path=path, description=description)
    done = review_and_carry_out(session, Change(name, f"Make the policy {name}?", ask, look=_LOOK), yes=yes)
    report(session, done, f"Made {done.policy.arn or name}.")


@policies.command(
    "delete",
    epilog=epilog("policies delete Deploy", "policies delete arn:aws:iam::123456789012:policy/Deploy --yes"),
)
def delete_policy(
    context: typer.Context,
    policy: Annotated[str, typer.Argument(help="The policy, by name or ARN.", show_default=False)],
    yes: Yes = False,
) -> None:
    """Delete a managed policy of the account that nothing uses, with all of its versions, after a review."""
    session: Session = context.obj
    if complaint := POLICY.complaint(policy):
        raise BadInputError(complaint)
    client = session.connect()
    arn = policy if policy.startswith("arn:") else _arn_of(client, policy)
    ask = partial(client.delete_policy, arn)
    change = Change(arn, f"Delete {arn} for good?", ask, forward_only=True, look=_LOOK)
    done = review_and_carry_out(session, change, yes=yes)
    report(session, done, f"Deleted {arn}.")


def _arn_of(client: IdentityClient, name: str) -> str:
    """Find the account's own policy of a name; letter case makes no difference, as it makes none to IAM.

    Raises:
        CliError: there is none, or more than one.
    """
    found = [
        policy.arn
        for policy in client.iterate_policies(scope="customer", search=name)
        if policy.policy_name.casefold() == name.casefold()
    ]
    if not found:
        raise CliError(f"The account has no policy of its own named {name!r}; `{_LOOK}` shows them.", _NOT_FOUND)
    if len(found) > 1:
        raise CliError(f"{name!r} is the name of {', '.join(found)}. Name the policy by its ARN.", _NOT_FOUND)
    return found[0]


def _row(policy: Policy) -> tuple[str, ...]:
    attached, bounds = str(policy.attachment_count), str(policy.permissions_boundary_usage_count)
    changed = policy.update_time if policy.HasField("update_time") else policy.create_time
    return policy.policy_name, policy.arn, policy.default_version_id, attached, bounds, day(changed)
