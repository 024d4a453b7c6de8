"""Whether the caller may do what it asks: its policies, within its boundary and the limits of its session."""

from __future__ import annotations

from embedded_aws.account import Account
from embedded_aws.errors import AwsError
from embedded_aws.policy_evaluation import Decision, decide_limited
from embedded_aws.principals import Principal
from embedded_aws.query_protocol import Call
from embedded_aws.request_context import principal_context, request_context

# These act on the group, although they name a user too.
_ON_THE_GROUP = {"AddUserToGroup", "RemoveUserFromGroup"}
# These act on the user who calls, and name nobody.
_ON_THE_CALLER = {"ChangePassword"}
_ALWAYS_ALLOWED = {"GetCallerIdentity", "GetSessionToken", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"}
# Whom the trust policy of the role has a say in, so that the rules on sessions decide.
_DECIDED_ELSEWHERE = {"AssumeRole"}
# Tags at creation need the right to tag, too.
_TAGGING = {
    "CreatePolicy": "TagPolicy",
    "CreateRole": "TagRole",
    "CreateUser": "TagUser",
    "CreateVirtualMFADevice": "TagMFADevice",
}
_ON_A_DEVICE = {"CreateVirtualMFADevice", "DeleteVirtualMFADevice"}
_STS_OF_SESSIONS_WITHOUT_MFA = {"AssumeRole", "GetCallerIdentity"}


def check_permission(account: Account, call: Call, caller: Principal) -> None:
    """Refuse the call with AccessDenied unless the caller's policies allow it."""
    if not account.access_control or caller.is_root or call.operation in _ALWAYS_ALLOWED | _DECIDED_ELSEWHERE:
        return
    actions = [call.operation]
    if call.params.get("Tags") and call.operation in _TAGGING:
        actions.append(_TAGGING[call.operation])
    for resource in [_resource(account, call, caller), *_moved_to(account, call)]:
        for action in actions:
            decision = identity_decision(account, call, caller, action, resource)
            if decision is not Decision.ALLOWED:
                raise access_denied(account, call, caller, decision, action, resource)


def identity_decision(
    account: Account, call: Call, caller: Principal, action: str = "", resource: str = ""
) -> Decision:
    """What the policies of the caller say, boundary and session included."""
    if _is_closed_to_session(call, caller):
        return Decision.IMPLICIT_DENY
    return decide_limited(
        caller.policies(account),
        caller.limits(account),
        f"{call.service}:{action or call.operation}",
        resource or _resource(account, call, caller),
        {**principal_context(account, caller), **request_context(account, call)},
    )


def access_denied(
    account: Account, call: Call, caller: Principal, decision: Decision, action: str = "", resource: str = ""
) -> AwsError:
    """The refusal, worded like AWS's."""
    asked, resource = f"{call.service}:{action or call.operation}", resource or _resource(account, call, caller)
    because = (
        "with an explicit deny in an identity-based policy"
        if decision is Decision.EXPLICIT_DENY
        else f"because no identity-based policy allows the {asked} action"
    )
    return AwsError(
        "AccessDenied", f"User: {caller.arn} is not authorized to perform: {asked} on resource: {resource} {because}"
    )


def resource_of(account: Account, call: Call) -> str:
    """The ARN that the operation acts on; `*` where IAM knows none."""
    params = call.params
    if "SerialNumber" in params and call.operation in _ON_A_DEVICE:
        return str(params["SerialNumber"])
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


def _moved_to(account: Account, call: Call) -> list[str]:
    """The ARN that a user or group gets by being renamed or moved: IAM asks for the right to both ends."""
    params = call.params
    match call.operation:
        case "UpdateUser":
            user = account.find_user(params["UserName"])
            name = params.get("NewUserName", params["UserName"])
            return [account.arn("user", params.get("NewPath", user.path if user else "/"), name)]
        case "UpdateGroup":
            group = account.find_group(params["GroupName"])
            name = params.get("NewGroupName", params["GroupName"])
            return [account.arn("group", params.get("NewPath", group.path if group else "/"), name)]
        case _:
            return []


def _resource(account: Account, call: Call, caller: Principal) -> str:
    return caller.arn if call.operation in _ON_THE_CALLER else resource_of(account, call)


def _is_closed_to_session(call: Call, caller: Principal) -> bool:
    """Whether credentials of this kind may not make such calls, whatever policies say.

    A federated user cannot call IAM; a user's session can only if it was opened with an MFA code.
    """
    session = caller.session
    if session is None or caller.role is not None:
        return False
    if call.service == "iam":
        return session.federated or not session.mfa
    return call.operation not in _STS_OF_SESSIONS_WITHOUT_MFA or (session.federated and call.operation == "AssumeRole")
