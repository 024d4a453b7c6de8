"""Managed policies: made, versioned, attached to users, groups and roles, deleted when nobody uses them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.iam.models import AWSManagedPolicy, Group, ManagedPolicy, PolicyVersion, Role

from embedded_aws.account import Account, AccountUser, non_white_space, unique_id
from embedded_aws.errors import AwsError, already_exists, delete_conflict, limit_exceeded, no_such_entity
from embedded_aws.query_protocol import Call
from embedded_aws.rulebook import Result, answers, rule
from embedded_aws.subjects.boundaries import POLICY_ARN, boundary_uses

_CHANGING_A_POLICY = (
    "CreatePolicyVersion",
    "DeletePolicy",
    "DeletePolicyVersion",
    "SetDefaultPolicyVersion",
    "TagPolicy",
    "UntagPolicy",
)
# AWS attaches these itself, to the roles that it links to its services.
_SERVICE_ROLE_PATH = "/aws-service-role/"
Holder = AccountUser | Group | Role


@rule(
    *_CHANGING_A_POLICY,
    *(f"{verb}{kind}Policy" for verb in ("Attach", "Detach") for kind in ("User", "Group", "Role")),
    "GetPolicy",
    "GetPolicyVersion",
    "ListEntitiesForPolicy",
    "ListPolicyTags",
    "ListPolicyVersions",
)
def policy_arn_is_one(account: Account, call: Call) -> None:
    """What is no policy's ARN is InvalidInput; what is one of no policy is NoSuchEntity, later."""
    if POLICY_ARN.fullmatch(call.params["PolicyArn"]) is None:
        raise AwsError("InvalidInput", f"ARN {call.params['PolicyArn']} is not valid.")


@rule("CreatePolicy")
def policy_name_is_free(account: Account, call: Call) -> None:
    """The names of the account's own policies are unique, whatever their case and path."""
    name = call.params["PolicyName"]
    if any(policy.name.casefold() == name.casefold() for policy in account.customer_policies()):
        raise already_exists(f"A policy called {name} already exists. Duplicate names are not allowed.")


@rule("CreatePolicy")
def account_has_room_for_a_policy(account: Account, call: Call) -> None:
    """The account holds so many policies of its own and no more."""
    if len(account.customer_policies()) >= account.quotas["PoliciesQuota"]:
        raise limit_exceeded("PoliciesPerAccount", account.quotas["PoliciesQuota"])


@rule("CreatePolicy", "CreatePolicyVersion")
def policy_is_not_too_long(account: Account, call: Call) -> None:
    """White space does not count."""
    limit = account.quotas["PolicySizeQuota"]
    if non_white_space([call.params["PolicyDocument"]]) > limit:
        raise limit_exceeded("PolicySize", limit)


@rule(*_CHANGING_A_POLICY)
def policy_is_the_accounts_own(account: Account, call: Call) -> None:
    """AWS's policies are AWS's to change."""
    policy = account.policy(call.params["PolicyArn"])
    if isinstance(policy, AWSManagedPolicy):
        verb = "delete" if call.operation.startswith("Delete") else "modify"
        raise AwsError("AccessDenied", f"Cannot {verb} policies outside your own account.")


@answers("CreatePolicy")
def create_policy(account: Account, call: Call) -> Result:
    """A policy with its first version, v1."""
    tags = {tag["Key"].casefold(): tag for tag in call.params.get("Tags", [])}
    policy = ManagedPolicy(  # type: ignore[abstract] # moto's CloudFormation methods: not used
        call.params["PolicyName"],
        account_id=account.account_id,
        region=account.region,
        description=call.params.get("Description"),
        document=call.params["PolicyDocument"],
        path=call.params.get("Path"),
        create_date=account.now(),
        update_date=account.now(),
        tags=tags,
    )
    policy.id = unique_id("ANPA")
    account.iam.managed_policies[policy.arn] = policy
    return {"Policy": {**policy_fields(policy, {}), "Tags": policy.get_tags() or None}}


@answers("GetPolicy")
def get_policy(account: Account, call: Call) -> Result:
    """The policy with description and tags."""
    policy = account.policy(call.params["PolicyArn"])
    described = {"Description": policy.description or None, "Tags": policy.get_tags() or None}
    return {"Policy": {**policy_fields(policy, boundary_uses(account)), **described}}


@answers("ListPolicies")
def list_policies(account: Account, call: Call) -> Result:
    """By scope, path and use."""
    scope, prefix = call.params.get("Scope", "All"), call.params.get("PathPrefix", "/")
    uses = boundary_uses(account)
    chosen = [
        policy_fields(policy, uses)
        for policy in account.iam.managed_policies.values()
        if policy.path.startswith(prefix)
        and (scope == "All" or isinstance(policy, AWSManagedPolicy) == (scope == "AWS"))
        and (not call.params.get("OnlyAttached") or policy.attachment_count > 0)
        and (call.params.get("PolicyUsageFilter") != "PermissionsBoundary" or policy.arn in uses)
    ]
    return {"Policies": chosen}


@rule("DeletePolicy")
def policy_is_unused(account: Account, call: Call) -> None:
    """Attachments and all versions but the default go first."""
    policy = account.policy(call.params["PolicyArn"])
    if policy.attachment_count > 0:
        raise delete_conflict("Cannot delete a policy attached to entities.")
    if len(policy.versions) > 1:
        raise delete_conflict(
            "This policy has more than one version. Before you delete a policy, "
            "you must delete the policy's versions. The default version is deleted with the policy."
        )


@rule("TagPolicy")
def policy_has_room_for_tags(account: Account, call: Call) -> None:
    """The tags that a policy has and the new ones together stay within the quota."""
    held = {tag["Key"].casefold() for tag in account.policy(call.params["PolicyArn"]).get_tags()}
    limit = account.quotas["TagsPerEntityQuota"]
    if len(held | {tag["Key"].casefold() for tag in call.params["Tags"]}) > limit:
        raise limit_exceeded("TagsPerPolicy", limit)


@rule("CreatePolicyVersion")
def policy_has_room_for_a_version(account: Account, call: Call) -> None:
    """A policy keeps so many versions and no more."""
    limit = account.quotas["VersionsPerPolicyQuota"]
    if len(account.policy(call.params["PolicyArn"]).versions) >= limit:
        raise limit_exceeded("VersionsPerPolicy", limit)


@answers("CreatePolicyVersion")
def create_policy_version(account: Account, call: Call) -> Result:
    """The next version; it comes into force if the call says so."""
    policy = account.policy(call.params["PolicyArn"])
    version_id = f"v{policy.next_version_num}"
    version = PolicyVersion(policy.arn, call.params["PolicyDocument"], False, version_id, account.now())
    policy.next_version_num += 1
    policy.versions.append(version)
    if call.params.get("SetAsDefault", False):
        policy.update_default_version(version.version_id)
    policy.update_date = account.now()
    return {"PolicyVersion": _version_fields(version)}


@rule("DeletePolicyVersion")
def version_is_not_in_force(account: Account, call: Call) -> None:
    """The default version goes only with its policy."""
    if account.policy(call.params["PolicyArn"]).default_version_id == call.params["VersionId"]:
        raise delete_conflict("Cannot delete the default version of a policy.")


@rule("DeletePolicyVersion", "GetPolicyVersion", "SetDefaultPolicyVersion")
def version_exists(account: Account, call: Call) -> None:
    """NoSuchEntity for a version that the policy does not have."""
    arn, version_id = call.params["PolicyArn"], call.params["VersionId"]
    if all(version.version_id != version_id for version in account.policy(arn).versions):
        raise no_such_entity(f"Policy {arn} version {version_id} does not exist or is not attachable.")


@answers("ListPolicyVersions")
def list_policy_versions(account: Account, call: Call) -> Result:
    """The newest first, without documents."""
    versions = reversed(account.policy(call.params["PolicyArn"]).versions)
    return {"Versions": [_version_fields(version) for version in versions]}


@rule("ListPolicyTags")
def policy_exists(account: Account, call: Call) -> None:
    """NoSuchEntity for an unknown policy."""
    account.policy(call.params["PolicyArn"])


@answers("ListEntitiesForPolicy")
def list_entities_for_policy(account: Account, call: Call) -> Result:
    """Who has the policy, as a permission, as a boundary, or either."""
    arn, prefix = account.policy(call.params["PolicyArn"]).arn, call.params.get("PathPrefix", "/")
    usage, kind = call.params.get("PolicyUsageFilter"), call.params.get("EntityFilter")

    def has_it(holder: Holder) -> bool:
        attached = usage != "PermissionsBoundary" and arn in holder.managed_policies
        bounding = usage != "PermissionsPolicy" and getattr(holder, "permissions_boundary_arn", None) == arn
        return (attached or bounding) and holder.path.startswith(prefix)

    users = account.users() if kind in {None, "User"} else []
    groups = account.iam.groups.values() if kind in {None, "Group"} else []
    roles = account.iam.roles.values() if kind in {None, "Role"} else []
    return {
        "PolicyUsers": [{"UserName": user.name, "UserId": user.id} for user in users if has_it(user)],
        "PolicyGroups": [{"GroupName": group.name, "GroupId": group.id} for group in groups if has_it(group)],
        "PolicyRoles": [{"RoleName": role.name, "RoleId": role.id} for role in roles if has_it(role)],
    }


@answers("AttachUserPolicy")
def attach_user_policy(account: Account, call: Call) -> None:
    """Attach to a user."""
    _attach(account, call, account.user(call.params["UserName"]), "User")


@answers("AttachGroupPolicy")
def attach_group_policy(account: Account, call: Call) -> None:
    """Attach to a group."""
    _attach(account, call, account.group(call.params["GroupName"]), "Group")


@answers("AttachRolePolicy")
def attach_role_policy(account: Account, call: Call) -> None:
    """Attach to a role."""
    _attach(account, call, _role(account, call), "Role")


@answers("DetachUserPolicy")
def detach_user_policy(account: Account, call: Call) -> None:
    """Detach from a user."""
    _detach(call, account.user(call.params["UserName"]))


@answers("DetachGroupPolicy")
def detach_group_policy(account: Account, call: Call) -> None:
    """Detach from a group."""
    _detach(call, account.group(call.params["GroupName"]))


@answers("DetachRolePolicy")
def detach_role_policy(account: Account, call: Call) -> None:
    """Detach from a role."""
    _detach(call, _role(account, call))


def policy_fields(policy: ManagedPolicy, boundary_uses: Mapping[str, int]) -> dict[str, Any]:
    """A managed policy as lists show it."""
    return {
        "PolicyName": policy.name,
        "PolicyId": policy.id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": policy.default_version_id,
        "AttachmentCount": policy.attachment_count,
        "PermissionsBoundaryUsageCount": boundary_uses.get(policy.arn, 0),
        "IsAttachable": True,
        "CreateDate": policy.create_date,
        "UpdateDate": policy.update_date,
    }


def _version_fields(version: PolicyVersion) -> dict[str, Any]:
    return {
        "VersionId": version.version_id,
        "IsDefaultVersion": version.is_default,
        "CreateDate": version.create_date,
    }


def _attach(account: Account, call: Call, holder: Holder, kind: str) -> None:
    """Attaching again succeeds and changes nothing."""
    arn = call.params["PolicyArn"]
    policy = account.iam.managed_policies.get(arn)
    if policy is None:
        raise no_such_entity(f"Policy {arn} does not exist or is not attachable.")
    if policy.path.startswith(_SERVICE_ROLE_PATH):
        raise AwsError("PolicyNotAttachable", f"Cannot attach a Service Role Policy to a {kind}.")
    if arn in holder.managed_policies:
        return
    limit = account.quotas[f"AttachedPoliciesPer{kind}Quota"]
    if len(holder.managed_policies) >= limit:
        raise limit_exceeded(f"PoliciesPer{kind}", limit)
    policy.attach_to(holder)


def _detach(call: Call, holder: Holder) -> None:
    policy = holder.managed_policies.get(call.params["PolicyArn"])
    if policy is None:
        raise no_such_entity(f"Policy {call.params['PolicyArn']} was not found.")
    policy.detach_from(holder)


def _role(account: Account, call: Call) -> Role:
    name = call.params["RoleName"]
    role = account.find_role(name)
    if role is None:
        raise no_such_entity(f"The role with name {name} cannot be found.")
    return role
