"""Roles: unique names, room in the account, and documents that fit. moto carries the operations out."""

from __future__ import annotations

from embedded_aws.account import Account, non_white_space
from embedded_aws.errors import AwsError, already_exists, limit_exceeded
from embedded_aws.query_protocol import Call
from embedded_aws.rulebook import rule


@rule("CreateRole")
def role_name_is_free(account: Account, call: Call) -> None:
    """Role names are unique, whatever their case and path."""
    if (role := account.find_role(call.params["RoleName"])) is not None:
        raise already_exists(f"Role with name {role.name} already exists.")


@rule("CreateRole")
def account_has_room_for_a_role(account: Account, call: Call) -> None:
    """The account holds so many roles and no more."""
    if len(account.iam.roles) >= account.quotas["RolesQuota"]:
        raise limit_exceeded("RolesPerAccount", account.quotas["RolesQuota"])


@rule("CreateServiceLinkedRole")
def service_is_awss(account: Account, call: Call) -> None:
    """A service is named by its principal."""
    service = call.params["AWSServiceName"]
    if not service.endswith(".amazonaws.com"):
        raise AwsError("InvalidInput", f"Service name {service} is not valid.")


@rule("CreateRole", "UpdateAssumeRolePolicy")
def trust_policy_fits(account: Account, call: Call) -> None:
    """White space does not count."""
    document = call.params.get("AssumeRolePolicyDocument") or call.params.get("PolicyDocument", "")
    limit = account.quotas["AssumeRolePolicySizeQuota"]
    if non_white_space([document]) > limit:
        raise limit_exceeded("ACLSizePerRole", limit)


@rule("PutRolePolicy")
def role_policies_fit(account: Account, call: Call) -> None:
    """All inline policies of a role together stay within the quota, white space not counted."""
    role = account.find_role(call.params["RoleName"])
    limit = account.quotas["RolePolicySizeQuota"]
    others = [text for name, text in (role.policies if role else {}).items() if name != call.params["PolicyName"]]
    if non_white_space([*others, call.params["PolicyDocument"]]) > limit:
        raise limit_exceeded("RolePolicySize", limit)
