"""The permissions boundary of a user: one managed policy that limits what others grant."""

from __future__ import annotations

import re
from collections import Counter

from embedded_aws.account import Account, AccountUser
from embedded_aws.errors import AwsError, delete_conflict, no_such_entity
from embedded_aws.query_protocol import Call
from embedded_aws.rulebook import answers, rule

POLICY_ARN = re.compile(r"arn:aws[\w-]*:iam::(aws|\d{12}):policy/[\w+=,.@/-]+", re.ASCII)


@rule("CreateUser", "PutUserPermissionsBoundary", "CreateRole", "PutRolePermissionsBoundary")
def boundary_is_a_policy(account: Account, call: Call) -> None:
    """The boundary names a managed policy that exists."""
    arn = call.params.get("PermissionsBoundary")
    if arn is None:
        return
    if POLICY_ARN.fullmatch(arn) is None:
        raise AwsError("InvalidInput", f"ARN {arn} is not valid.")
    policy = account.iam.managed_policies.get(arn)
    if policy is None:
        raise no_such_entity(f"Scope ARN: {arn} does not exist or is not attachable.")
    if policy.path.startswith("/aws-service-role/"):
        raise AwsError("PolicyNotAttachable", f"Scope ARN: {arn} cannot be attached.")


@answers("PutUserPermissionsBoundary")
def put_user_permissions_boundary(account: Account, call: Call) -> None:
    """Set or replace the boundary."""
    account.user(call.params["UserName"]).permissions_boundary_arn = call.params["PermissionsBoundary"]


@answers("DeleteUserPermissionsBoundary")
def delete_user_permissions_boundary(account: Account, call: Call) -> None:
    """Take the boundary off; a user without one is NoSuchEntity."""
    user = account.user(call.params["UserName"])
    if user.permissions_boundary_arn is None:
        raise no_such_entity(f"The permissions boundary of user {user.name} cannot be found.")
    user.permissions_boundary_arn = None


@rule("DeletePolicy")
def policy_is_no_boundary(account: Account, call: Call) -> None:
    """A policy that bounds someone stays."""
    if call.params["PolicyArn"] in boundary_uses(account):
        raise delete_conflict("Cannot delete a policy attached to entities.")


def boundary_uses(account: Account) -> Counter[str]:
    """How many users and roles each policy bounds, by its ARN."""
    users = (user.permissions_boundary_arn for user in account.users())
    roles = (role.permissions_boundary_arn for role in account.iam.roles.values())
    return Counter(arn for arn in (*users, *roles) if arn is not None)


def boundary_fields(user: AccountUser) -> dict[str, str] | None:
    """The boundary as IAM shows it, or None."""
    if user.permissions_boundary_arn is None:
        return None
    return {
        "PermissionsBoundaryType": "Policy",
        "PermissionsBoundaryArn": user.permissions_boundary_arn,
    }
