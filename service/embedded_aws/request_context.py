"""The condition keys of a request: who asks, from where, and what about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from moto.iam.models import ManagedPolicy, Role, VirtualMfaDevice

from embedded_aws.account import Account, AccountUser
from embedded_aws.principals import Principal
from embedded_aws.query_protocol import Call

Context = dict[str, Sequence[str]]
# The operations whose authorization looks at the permissions boundary of the user or role.
_BOUNDARY_SENSITIVE = {
    *(f"{verb}{kind}Policy" for verb in ("Attach", "Detach", "Put", "Delete") for kind in ("User", "Role")),
    *(f"{verb}{kind}PermissionsBoundary" for verb in ("Put", "Delete") for kind in ("User", "Role")),
    "CreateRole",
    "CreateUser",
}
# The operations that know which policy is attached or detached.
_POLICY_SENSITIVE = {f"{verb}{kind}Policy" for verb in ("Attach", "Detach") for kind in ("User", "Group", "Role")}


def principal_context(account: Account, caller: Principal) -> Context:
    """The condition keys that describe the caller; those that it has no value for are absent."""
    context: Context = {
        "aws:PrincipalAccount": [caller.account_id],
        "aws:PrincipalArn": [caller.role.arn if caller.role is not None else caller.arn],
        "aws:PrincipalType": [_type_of(caller)],
        "aws:userid": [caller.principal_id],
    }
    if (user := caller.acting_user) is not None:
        context["aws:username"] = [user.name]
    for key, value in _tags_of_caller(account, caller).items():
        context[f"aws:PrincipalTag/{key}"] = [value]
    if caller.session is not None:
        # Long-term keys know nothing of MFA: for them the key is absent, not false.
        context["aws:MultiFactorAuthPresent"] = ["true" if caller.session.mfa else "false"]
        context["aws:TokenIssueTime"] = [_iso(caller.session.issued)]
        if caller.session.mfa:
            age = account.now() - caller.session.issued
            context["aws:MultiFactorAuthAge"] = [str(int(age.total_seconds()))]
    return context


def request_context(account: Account, call: Call) -> Context:
    """The condition keys that describe the request and what it acts on."""
    context: Context = {
        "aws:CurrentTime": [_iso(account.now())],
        "aws:EpochTime": [str(int(account.clock.seconds()))],
        "aws:RequestedRegion": [call.region],
        "aws:SecureTransport": ["false"],
        "aws:SourceIp": [call.http.client_address],
        "aws:ViaAWSService": ["false"],
    }
    if agent := call.http.headers.get("User-Agent"):
        context["aws:UserAgent"] = [agent]
    return {**context, **_tags_in(call), **_delegation_keys(account, call), **_resource_tags(account, call)}


def _tags_in(call: Call) -> Context:
    tags = call.params.get("Tags", [])
    context: Context = {f"aws:RequestTag/{tag['Key']}": [tag.get("Value", "")] for tag in tags}
    if keys := [tag["Key"] for tag in tags] or call.params.get("TagKeys"):
        context["aws:TagKeys"] = keys
    return context


def _delegation_keys(account: Account, call: Call) -> Context:
    context: Context = {}
    if call.operation in _POLICY_SENSITIVE:
        context["iam:PolicyARN"] = [call.params["PolicyArn"]]
    if call.operation in _BOUNDARY_SENSITIVE:
        held = getattr(_target(account, call), "permissions_boundary_arn", None)
        if boundary := call.params.get("PermissionsBoundary") or held:
            context["iam:PermissionsBoundary"] = [boundary]
    return context


def _resource_tags(account: Account, call: Call) -> Context:
    tags = _tags_of(account, _target(account, call))
    return {f"{service}:ResourceTag/{key}": [value] for key, value in tags.items() for service in ("aws", "iam")}


def _target(account: Account, call: Call) -> AccountUser | Role | ManagedPolicy | VirtualMfaDevice | None:
    """What the call acts on, if it can carry tags; joining a group acts on the group, which carries none."""
    params = call.params
    if "GroupName" in params:
        return None
    if "UserName" in params:
        return account.find_user(params["UserName"])
    if "RoleName" in params:
        return account.find_role(params["RoleName"])
    if "RoleArn" in params:
        return account.find_role_by_arn(params["RoleArn"])
    if "SerialNumber" in params and call.service == "iam":
        return account.iam.virtual_mfa_devices.get(params["SerialNumber"])
    return account.iam.managed_policies.get(params.get("PolicyArn", ""))


def _tags_of(account: Account, holder: Any) -> Mapping[str, str]:
    match holder:
        case AccountUser():
            return _plain(account.tags_of(holder))
        case Role():
            return _plain(holder.tags)
        case ManagedPolicy():
            return _plain(holder.get_tags())
        case VirtualMfaDevice():
            return _plain(account.tags_on(holder.serial_number))
        case _:
            return {}


def _tags_of_caller(account: Account, caller: Principal) -> Mapping[str, str]:
    own = _tags_of(account, caller.acting_user or caller.role)
    return {**own, **caller.session.tags} if caller.session is not None else own


def _plain(tags: Sequence[Mapping[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag.get("Value", "") for tag in tags}


def _type_of(caller: Principal) -> str:
    if caller.role is not None:
        return "AssumedRole"
    if caller.session is not None and caller.session.federated:
        return "FederatedUser"
    return "User" if caller.user is not None else "Account"


def _iso(instant: datetime) -> str:
    return f"{instant.isoformat()}Z"
