"""GetAccountAuthorizationDetails: the whole account's users, groups, roles and policies, in pages."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

from moto.iam.models import AWSManagedPolicy, Group, ManagedPolicy, Role

from embedded_aws.account import Account, AccountUser
from embedded_aws.paging import Deferred
from embedded_aws.query_protocol import Call
from embedded_aws.rulebook import Result, answers
from embedded_aws.subjects.boundaries import boundary_uses
from embedded_aws.subjects.groups import group_fields
from embedded_aws.subjects.managed_policies import policy_fields
from embedded_aws.subjects.users import whole_user

_EVERY_KIND = ("User", "Group", "Role", "LocalManagedPolicy", "AWSManagedPolicy")


@answers("GetAccountAuthorizationDetails")
def get_account_authorization_details(account: Account, call: Call) -> Result:
    """Only the kinds that the filter names; every kind without a filter."""
    kinds = call.params.get("Filter") or _EVERY_KIND
    users = account.users() if "User" in kinds else []
    groups = account.iam.groups.values() if "Group" in kinds else []
    policies = [policy for policy in account.iam.managed_policies.values() if _kind_of(policy) in kinds]
    groups_of, uses = account.memberships(), boundary_uses(account)
    return {
        "UserDetailList": [_deferred_user(account, user, groups_of) for user in users],
        "GroupDetailList": [Deferred(group.name, partial(_group, group)) for group in groups],
        "RoleDetailList": list(account.iam.roles.values()) if "Role" in kinds else [],
        "Policies": [Deferred(policy.name, partial(_policy, policy, uses)) for policy in policies],
    }


def _deferred_user(account: Account, user: AccountUser, groups_of: Mapping[str, list[Group]]) -> Deferred:
    return Deferred(user.name, partial(_user, account, user, groups_of[user.id]))


def _user(account: Account, user: AccountUser, groups: list[Group]) -> dict[str, Any]:
    return {
        **whole_user(account, user),
        "UserPolicyList": _inline(user),
        "GroupList": sorted((group.name for group in groups), key=str.casefold),
        "AttachedManagedPolicies": _attached(user),
    }


def _group(group: Group) -> dict[str, Any]:
    return {
        **group_fields(group),
        "GroupPolicyList": _inline(group),
        "AttachedManagedPolicies": _attached(group),
    }


def _policy(policy: ManagedPolicy, uses: Mapping[str, int]) -> dict[str, Any]:
    return {**policy_fields(policy, uses), "PolicyVersionList": policy.policy_version_list}


def _kind_of(policy: ManagedPolicy) -> str:
    return "AWSManagedPolicy" if isinstance(policy, AWSManagedPolicy) else "LocalManagedPolicy"


def _inline(holder: AccountUser | Group | Role) -> list[dict[str, str]]:
    return [
        {"PolicyName": name, "PolicyDocument": quote(document, safe="")}
        for name, document in sorted(holder.policies.items(), key=lambda entry: entry[0].casefold())
    ]


def _attached(holder: AccountUser | Group | Role) -> list[dict[str, str]]:
    policies = sorted(holder.managed_policies.values(), key=lambda policy: policy.name.casefold())
    return [{"PolicyName": policy.name, "PolicyArn": policy.arn} for policy in policies]
