"""Users: made whole in one call, found whatever the case, deleted only when nothing hangs on them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from embedded_aws.account import Account, AccountUser
from embedded_aws.errors import already_exists, delete_conflict, limit_exceeded
from embedded_aws.paging import Deferred
from embedded_aws.query_protocol import Call
from embedded_aws.rulebook import Result, answers, rule
from embedded_aws.subjects.boundaries import boundary_fields
from embedded_aws.subjects.tags import put_tags

# What keeps a user from being deleted, in the order in which IAM asks for its removal.
_HELD_BY: tuple[tuple[Callable[[Account, AccountUser], Any], str], ...] = (
    (lambda account, user: user.login_profile, "must delete login profile first"),
    (lambda account, user: user.access_keys, "must delete access keys first"),
    (lambda account, user: user.signing_certificates, "must delete signing certificates first"),
    (lambda account, user: user.ssh_public_keys, "must delete SSH public keys first"),
    (lambda account, user: user.service_specific_credentials, "must remove referenced objects first"),
    (lambda account, user: user.mfa_devices, "must delete MFA device first"),
    (lambda account, user: user.policies, "must delete policies first"),
    (lambda account, user: user.managed_policies, "must detach all policies first"),
    (lambda account, user: account.groups_of(user), "must remove users from group first"),
)


@rule("CreateUser")
def user_name_is_free(account: Account, call: Call) -> None:
    """User names are unique, whatever their case and path."""
    if (user := account.find_user(call.params["UserName"])) is not None:
        raise already_exists(f"User with name {user.name} already exists.")


@rule("CreateUser")
def account_has_room_for_a_user(account: Account, call: Call) -> None:
    """The account holds so many users and no more."""
    if len(account.iam.users) >= account.quotas["UsersQuota"]:
        raise limit_exceeded("UsersPerAccount", account.quotas["UsersQuota"])


@answers("CreateUser")
def create_user(account: Account, call: Call) -> Result:
    """Path, tags and boundary are set with the user, in one step."""
    user = AccountUser.create(account, call.params["UserName"], call.params.get("Path", "/"))
    user.permissions_boundary_arn = call.params.get("PermissionsBoundary")
    account.iam.users[user.name] = user
    put_tags(account, user.arn, call.params.get("Tags", []))
    return {"User": whole_user(account, user)}


@answers("GetUser")
def get_user(account: Account, call: Call) -> Result:
    """The user with tags and boundary; without a name, the caller."""
    if "UserName" not in call.params:
        return {"User": _root_user(account)}
    return {"User": whole_user(account, account.user(call.params["UserName"]))}


@answers("ListUsers")
def list_users(account: Account, call: Call) -> Result:
    """Neither tags nor boundaries are listed."""
    prefix = call.params.get("PathPrefix", "/")
    users = (user for user in account.users() if user.path.startswith(prefix))
    return {"Users": [Deferred(user.name, partial(user_fields, user)) for user in users]}


@rule("UpdateUser")
def new_user_name_is_free(account: Account, call: Call) -> None:
    """A user may take another case of its own name, but no other user's name."""
    holder = account.find_user(call.params["NewUserName"]) if "NewUserName" in call.params else None
    if holder is not None and holder.name != call.params["UserName"]:
        raise already_exists(f"User with name {holder.name} already exists.")


@answers("UpdateUser")
def update_user(account: Account, call: Call) -> None:
    """Rename or move; everything the user has goes along."""
    user = account.user(call.params["UserName"])
    tags = account.tags_of(user)
    account.iam.tagger.delete_all_tags_for_resource(user.arn)
    del account.iam.users[user.name]
    user.name = call.params.get("NewUserName", user.name)
    user.path = call.params.get("NewPath", user.path)
    account.iam.users[user.name] = user
    put_tags(account, user.arn, tags)
    for key in user.access_keys:
        key.user_name = user.name
    for ssh_key in user.ssh_public_keys:
        ssh_key.user_name = user.name
    for certificate in user.signing_certificates.values():
        certificate.user_name = user.name


@rule("DeleteUser")
def nothing_hangs_on_the_user(account: Account, call: Call) -> None:
    """Credentials, policies and memberships go first."""
    user = account.user(call.params["UserName"])
    for held, what_to_do in _HELD_BY:
        if held(account, user):
            raise delete_conflict(f"Cannot delete entity, {what_to_do}.")


@answers("DeleteUser")
def delete_user(account: Account, call: Call) -> None:
    """The tags and the boundary go with the user."""
    user = account.user(call.params["UserName"])
    account.iam.tagger.delete_all_tags_for_resource(user.arn)
    del account.iam.users[user.name]


def _root_user(account: Account) -> dict[str, Any]:
    return {"UserId": account.account_id, "Arn": account.root_arn, "Path": "/", "CreateDate": account.now()}


def user_fields(user: AccountUser) -> dict[str, Any]:
    """A user as lists show it."""
    return {
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.id,
        "Arn": user.arn,
        "CreateDate": user.create_date,
    }


def whole_user(account: Account, user: AccountUser) -> dict[str, Any]:
    """A user as it shows when asked for by name."""
    return {
        **user_fields(user),
        "PermissionsBoundary": boundary_fields(user),
        "Tags": account.tags_of(user) or None,
    }
