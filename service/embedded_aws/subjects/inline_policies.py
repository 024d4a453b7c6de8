"""Inline policies: they live inside one user or group and share its quota of characters."""

from __future__ import annotations

from moto.iam.models import Group

from embedded_aws.account import Account, AccountUser, non_white_space
from embedded_aws.errors import limit_exceeded, no_such_entity
from embedded_aws.query_protocol import Call
from embedded_aws.rulebook import Result, answers, rule


@rule("PutUserPolicy")
def user_policies_fit(account: Account, call: Call) -> None:
    """All inline policies of a user together stay within the quota, white space not counted."""
    limit = account.quotas["UserPolicySizeQuota"]
    _check_fit(call, account.user(call.params["UserName"]), "UserPolicySize", limit)


@rule("PutGroupPolicy")
def group_policies_fit(account: Account, call: Call) -> None:
    """The same for a group."""
    limit = account.quotas["GroupPolicySizeQuota"]
    _check_fit(call, account.group(call.params["GroupName"]), "GroupPolicySize", limit)


@answers("PutUserPolicy")
def put_user_policy(account: Account, call: Call) -> None:
    """Add or replace."""
    user = account.user(call.params["UserName"])
    user.put_policy(call.params["PolicyName"], call.params["PolicyDocument"])


@answers("PutGroupPolicy")
def put_group_policy(account: Account, call: Call) -> None:
    """Add or replace."""
    group = account.group(call.params["GroupName"])
    group.put_policy(call.params["PolicyName"], call.params["PolicyDocument"])


@answers("GetUserPolicy")
def get_user_policy(account: Account, call: Call) -> Result:
    """One document, as it was put."""
    user = account.user(call.params["UserName"])
    return {"UserName": user.name, **_policy_fields(call, user, f"user policy of {user.name}")}


@answers("GetGroupPolicy")
def get_group_policy(account: Account, call: Call) -> Result:
    """One document, as it was put."""
    group = account.group(call.params["GroupName"])
    return {"GroupName": group.name, **_policy_fields(call, group, f"group policy of {group.name}")}


@answers("DeleteUserPolicy")
def delete_user_policy(account: Account, call: Call) -> None:
    """Delete one."""
    user = account.user(call.params["UserName"])
    _policy_fields(call, user, f"user policy of {user.name}")
    user.delete_policy(call.params["PolicyName"])


@answers("DeleteGroupPolicy")
def delete_group_policy(account: Account, call: Call) -> None:
    """Delete one."""
    group = account.group(call.params["GroupName"])
    _policy_fields(call, group, f"group policy of {group.name}")
    group.delete_policy(call.params["PolicyName"])


def _policy_fields(call: Call, holder: AccountUser | Group, what: str) -> dict[str, str]:
    name = call.params["PolicyName"]
    if name not in holder.policies:
        raise no_such_entity(f"The {what} with name {name} cannot be found.")
    return {"PolicyName": name, "PolicyDocument": holder.policies[name]}


def _check_fit(call: Call, holder: AccountUser | Group, quota: str, limit: int) -> None:
    others = [document for name, document in holder.policies.items() if name != call.params["PolicyName"]]
    if non_white_space([*others, call.params["PolicyDocument"]]) > limit:
        raise limit_exceeded(quota, limit)
