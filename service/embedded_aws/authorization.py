"""Whether the caller may do what it asks: its policies, bounded by its permissions boundary."""

from __future__ import annotations

from collections.abc import Sequence

from embedded_aws.account import Account, AccountUser, now
from embedded_aws.errors import AwsError
from embedded_aws.policy_evaluation import Decision, decide_bounded
from embedded_aws.principals import Principal, default_document
from embedded_aws.query_protocol import Call

# These act on the group, although they name a user too.
_ON_THE_GROUP = {"AddUserToGroup", "RemoveUserFromGroup"}
# These act on the user who calls, and name nobody.
_ON_THE_CALLER = {"ChangePassword"}
_ALWAYS_ALLOWED = {"GetCallerIdentity", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"}
# The operations whose authorization looks at the user's permissions boundary.
_BOUNDARY_SENSITIVE = {
    "AttachUserPolicy",
    "CreateUser",
    "DeleteUserPermissionsBoundary",
    "DeleteUserPolicy",
    "DetachUserPolicy",
    "PutUserPermissionsBoundary",
    "PutUserPolicy",
}


def check_permission(account: Account, call: Call, caller: Principal) -> None:
    """Refuse the call with AccessDenied unless the caller's policies allow it."""
    if not account.access_control or caller.is_root or call.operation in _ALWAYS_ALLOWED:
        return
    action = f"{call.service}:{call.operation}"
    resource = caller.arn if call.operation in _ON_THE_CALLER else resource_of(account, call)
    decision = decide_bounded(
        caller.policies(account),
        _boundary_document(account, caller.user),
        action,
        resource,
        {**principal_context(account, caller.user), **_request_context(account, call)},
    )
    if decision is not Decision.ALLOWED:
        because = (
            "with an explicit deny in an identity-based policy"
            if decision is Decision.EXPLICIT_DENY
            else f"because no identity-based policy allows the {action} action"
        )
        raise AwsError(
            "AccessDenied",
            f"User: {caller.arn} is not authorized to perform: {action} on resource: {resource} {because}",
        )


def resource_of(account: Account, call: Call) -> str:
    """The ARN that the operation acts on; `*` where IAM knows none."""
    params = call.params
    if "GroupName" in params and (call.operation in _ON_THE_GROUP or "UserName" not in params):
        group = account.find_group(params["GroupName"])
        return group.arn if group else account.arn("group", params.get("Path", "/"), params["GroupName"])
    if "UserName" in params:
        user = account.find_user(params["UserName"])
        return user.arn if user else account.arn("user", params.get("Path", "/"), params["UserName"])
    if "RoleName" in params:
        role = account.find_role(params["RoleName"])
        return role.arn if role else account.arn("role", params.get("Path", "/"), params["RoleName"])
    if "VirtualMFADeviceName" in params:
        return account.arn("mfa", params.get("Path", "/"), params["VirtualMFADeviceName"])
    if "PolicyName" in params:
        return account.arn("policy", params.get("Path", "/"), params["PolicyName"])
    named = (params.get(name) for name in ("PolicyArn", "PolicySourceArn", "RoleArn", "SerialNumber"))
    return next((str(arn) for arn in named if arn), "*")


def principal_context(account: Account, user: AccountUser | None) -> dict[str, Sequence[str]]:
    """The condition keys that describe the caller."""
    if user is None:
        return {}
    return {
        "aws:username": [user.name],
        "aws:userid": [user.id],
        "aws:PrincipalArn": [user.arn],
        **{f"aws:PrincipalTag/{tag['Key']}": [tag["Value"]] for tag in account.tags_of(user)},
    }


def _request_context(account: Account, call: Call) -> dict[str, Sequence[str]]:
    params = call.params
    tags = params.get("Tags", [])
    context: dict[str, Sequence[str]] = {
        "aws:CurrentTime": [now().isoformat()],
        "aws:RequestedRegion": [call.region],
        "aws:SecureTransport": ["false"],
        "aws:SourceIp": ["127.0.0.1"],
        **{f"aws:RequestTag/{tag['Key']}": [tag.get("Value", "")] for tag in tags},
    }
    if tags or "TagKeys" in params:
        context["aws:TagKeys"] = [tag["Key"] for tag in tags] or params["TagKeys"]
    if "PolicyArn" in params:
        context["iam:PolicyARN"] = [params["PolicyArn"]]
    target = account.find_user(params["UserName"]) if "UserName" in params else None
    boundary = params.get("PermissionsBoundary") or (target.permissions_boundary_arn if target else None)
    if boundary and call.operation in _BOUNDARY_SENSITIVE:
        context["iam:PermissionsBoundary"] = [boundary]
    for tag in account.tags_of(target) if target else []:
        context[f"iam:ResourceTag/{tag['Key']}"] = [tag["Value"]]
        context[f"aws:ResourceTag/{tag['Key']}"] = [tag["Value"]]
    return context


def _boundary_document(account: Account, user: AccountUser | None) -> dict[str, object] | None:
    if user is None or user.permissions_boundary_arn is None:
        return None
    return default_document(account.policy(user.permissions_boundary_arn))
