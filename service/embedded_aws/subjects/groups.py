"""Groups and their members."""

from __future__ import annotations

from typing import Any

from moto.iam.models import Group

from embedded_aws.account import Account, AccountUser, unique_id
from embedded_aws.errors import already_exists, delete_conflict, limit_exceeded
from embedded_aws.query_protocol import Call
from embedded_aws.rulebook import Result, answers, rule
from embedded_aws.subjects.users import user_fields


@rule("CreateGroup")
def group_name_is_free(account: Account, call: Call) -> None:
    """Group names are unique, whatever their case and path."""
    if (group := account.find_group(call.params["GroupName"])) is not None:
        raise already_exists(f"Group with name {group.name} already exists.")


@rule("CreateGroup")
def account_has_room_for_a_group(account: Account, call: Call) -> None:
    """The account holds so many groups and no more."""
    if len(account.iam.groups) >= account.quotas["GroupsQuota"]:
        raise limit_exceeded("GroupsPerAccount", account.quotas["GroupsQuota"])


@answers("CreateGroup")
def create_group(account: Account, call: Call) -> Result:
    """An empty group."""
    group = Group(account.account_id, account.region, call.params["GroupName"], call.params.get("Path", "/"))
    group.partition, group.id, group.create_date = account.partition, unique_id("AGPA"), account.now()
    account.iam.groups[group.name] = group
    return {"Group": group_fields(group)}


@answers("GetGroup")
def get_group(account: Account, call: Call) -> Result:
    """The group and, in pages, its members."""
    group = account.group(call.params["GroupName"])
    return {"Group": group_fields(group), "Users": [user_fields(user) for user in members(group)]}


@answers("ListGroups")
def list_groups(account: Account, call: Call) -> Result:
    """Every group below a path."""
    prefix = call.params.get("PathPrefix", "/")
    groups = account.iam.groups.values()
    return {"Groups": [group_fields(group) for group in groups if group.path.startswith(prefix)]}


@answers("ListGroupsForUser")
def list_groups_for_user(account: Account, call: Call) -> Result:
    """The groups of one user."""
    return {"Groups": [group_fields(g) for g in account.groups_of(account.user(call.params["UserName"]))]}


@rule("UpdateGroup")
def new_group_name_is_free(account: Account, call: Call) -> None:
    """A group may take another case of its own name, but no other group's name."""
    holder = account.find_group(call.params["NewGroupName"]) if "NewGroupName" in call.params else None
    if holder is not None and holder.name != call.params["GroupName"]:
        raise already_exists(f"Group with name {holder.name} already exists.")


@answers("UpdateGroup")
def update_group(account: Account, call: Call) -> None:
    """Rename or move; members and policies stay."""
    group = account.iam.groups.pop(call.params["GroupName"])
    group.name = call.params.get("NewGroupName", group.name)
    group.path = call.params.get("NewPath", group.path)
    account.iam.groups[group.name] = group


@rule("DeleteGroup")
def nothing_hangs_on_the_group(account: Account, call: Call) -> None:
    """Members and policies go first."""
    group = account.group(call.params["GroupName"])
    if group.users:
        raise delete_conflict("Cannot delete entity, must remove users from group first.")
    if group.policies:
        raise delete_conflict("Cannot delete entity, must delete policies first.")
    if group.managed_policies:
        raise delete_conflict("Cannot delete entity, must detach all policies first.")


@answers("DeleteGroup")
def delete_group(account: Account, call: Call) -> None:
    """Delete an empty group."""
    del account.iam.groups[call.params["GroupName"]]


@rule("AddUserToGroup")
def user_has_room_for_a_group(account: Account, call: Call) -> None:
    """A user is a member of so many groups and no more; being one already needs no room."""
    user, group = account.user(call.params["UserName"]), account.group(call.params["GroupName"])
    limit = account.quotas["GroupsPerUserQuota"]
    if user not in group.users and len(account.groups_of(user)) >= limit:
        raise limit_exceeded("GroupsPerUser", limit)


@answers("AddUserToGroup")
def add_user_to_group(account: Account, call: Call) -> None:
    """Adding a member again succeeds and changes nothing."""
    user, group = account.user(call.params["UserName"]), account.group(call.params["GroupName"])
    if user not in group.users:
        group.users.append(user)


@answers("RemoveUserFromGroup")
def remove_user_from_group(account: Account, call: Call) -> None:
    """Removing one that is no member succeeds and changes nothing."""
    user, group = account.user(call.params["UserName"]), account.group(call.params["GroupName"])
    if user in group.users:
        group.users.remove(user)


def members(group: Group) -> list[AccountUser]:
    """The users in a group."""
    return [user for user in group.users if isinstance(user, AccountUser)]


def group_fields(group: Group) -> dict[str, Any]:
    """A group as lists show it."""
    return {
        "Path": group.path,
        "GroupName": group.name,
        "GroupId": group.id,
        "Arn": group.arn,
        "CreateDate": group.create_date,
    }
