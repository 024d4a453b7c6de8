"""The calls on permissions: what users have, groups, managed policies. `_user_calls` explains shared arguments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from identity_client._call import Call
from identity_client._contract import rpc
from identity_client._specs import (
    PolicyDocument,
    SelfManagementLevel,
    name_list,
    permission_spec,
    policy_text,
)
from identity_provisioning.v1.permission_pb2 import NewGroup, NewPolicy
from identity_provisioning.v1.permission_service_pb2 import (
    AssignPermissionsRequest,
    AssignPermissionsResponse,
    CreateGroupRequest,
    CreateGroupResponse,
    CreatePolicyRequest,
    CreatePolicyResponse,
    DeleteGroupRequest,
    DeleteGroupResponse,
    DeletePolicyRequest,
    DeletePolicyResponse,
    ListGroupsRequest,
    ListGroupsResponse,
    ListPoliciesRequest,
    ListPoliciesResponse,
    RevokePermissionsRequest,
    RevokePermissionsResponse,
)

PolicyScope = Literal["all", "aws", "customer"]
_SCOPES: dict[PolicyScope, ListPoliciesRequest.Scope.ValueType] = {
    "all": ListPoliciesRequest.SCOPE_UNSPECIFIED,
    "aws": ListPoliciesRequest.SCOPE_AWS,
    "customer": ListPoliciesRequest.SCOPE_CUSTOMER,
}


def assign_permissions(
    user_name: str,
    *,
    groups: Iterable[str] = (),
    policies: Iterable[str] = (),
    inline_policies: Mapping[str, PolicyDocument] | None = None,
    boundary: str = "",
    new_groups: Sequence[NewGroup] = (),
    new_policies: Sequence[NewPolicy] = (),
    new_boundary: NewPolicy | None = None,
    copy_from: str = "",
    self_management: SelfManagementLevel = "",
    validate_only: bool = False,
    expected_plan_digest: str = "",
    request_id: str | None = None,
    account_id: str | None = None,
    timeout: float | None = None,
) -> Call[AssignPermissionsResponse]:
    """Give permissions to a user that is there; all ways may be used together."""
    permissions = permission_spec(
        groups,
        policies,
        inline_policies,
        boundary,
        new_groups=new_groups,
        new_policies=new_policies,
        new_boundary=new_boundary,
        copy_from=copy_from,
        self_management=self_management,
    )
    request = AssignPermissionsRequest(
        account_id=account_id or "",
        request_id=request_id or "",
        validate_only=validate_only,
        expected_plan_digest=expected_plan_digest,
        user_name=user_name,
        permissions=permissions,
    )
    return Call(rpc(AssignPermissionsRequest, AssignPermissionsResponse), request, timeout)


def revoke_permissions(
    user_name: str,
    *,
    groups: Iterable[str] = (),
    policies: Iterable[str] = (),
    inline_policies: Iterable[str] = (),
    validate_only: bool = False,
    expected_plan_digest: str = "",
    request_id: str | None = None,
    account_id: str | None = None,
    timeout: float | None = None,
) -> Call[RevokePermissionsResponse]:
    """Take permissions from a user; inline policies are named. What the user does not have is left unchanged."""
    request = RevokePermissionsRequest(
        account_id=account_id or "",
        request_id=request_id or "",
        validate_only=validate_only,
        expected_plan_digest=expected_plan_digest,
        user_name=user_name,
        group_names=name_list(groups),
        managed_policies=name_list(policies),
        inline_policy_names=name_list(inline_policies),
    )
    return Call(rpc(RevokePermissionsRequest, RevokePermissionsResponse), request, timeout)


def create_group(
    group_name: str,
    *,
    path: str = "",
    policies: Iterable[str] = (),
    validate_only: bool = False,
    expected_plan_digest: str = "",
    request_id: str | None = None,
    account_id: str | None = None,
    timeout: float | None = None,
) -> Call[CreateGroupResponse]:
    """Make a group with these managed policies, named by ARN or by name."""
    request = CreateGroupRequest(
        account_id=account_id or "",
        request_id=request_id or "",
        validate_only=validate_only,
        expected_plan_digest=expected_plan_digest,
        group=NewGroup(group_name=group_name, path=path, managed_policies=name_list(policies)),
    )
    return Call(rpc(CreateGroupRequest, CreateGroupResponse), request, timeout)


def list_groups(
    *,
    path_prefix: str = "",
    page_size: int = 0,
    page_token: str = "",
    account_id: str | None = None,
    timeout: float | None = None,
) -> Call[ListGroupsResponse]:
    """Answer one page of groups with their policies; `iterate_groups` goes through all pages."""
    request = ListGroupsRequest(
        account_id=account_id or "", page_size=page_size, page_token=page_token, path_prefix=path_prefix
    )
    return Call(rpc(ListGroupsRequest, ListGroupsResponse), request, timeout)


def delete_group(
    group_name: str,
    *,
    validate_only: bool = False,
    expected_plan_digest: str = "",
    request_id: str | None = None,
    account_id: str | None = None,
    timeout: float | None = None,
) -> Call[DeleteGroupResponse]:
    """Delete a group without members; its policies come off first, and stay themselves."""
    request = DeleteGroupRequest(
        account_id=account_id or "",
        request_id=request_id or "",
        validate_only=validate_only,
        expected_plan_digest=expected_plan_digest,
        group_name=group_name,
    )
    return Call(rpc(DeleteGroupRequest, DeleteGroupResponse), request, timeout)


def create_policy(
    policy_name: str,
    document: PolicyDocument,
    *,
    path: str = "",
    description: str = "",
    validate_only: bool = False,
    expected_plan_digest: str = "",
    request_id: str | None = None,
    account_id: str | None = None,
    timeout: float | None = None,
) -> Call[CreatePolicyResponse]:
    """Make a managed policy from JSON text or a mapping; what is risky in it is a warning of the plan."""
    request = CreatePolicyRequest(
        account_id=account_id or "",
        request_id=request_id or "",
        validate_only=validate_only,
        expected_plan_digest=expected_plan_digest,
        policy=NewPolicy(policy_name=policy_name, path=path, description=description, document=policy_text(document)),
    )
    return Call(rpc(CreatePolicyRequest, CreatePolicyResponse), request, timeout)


def list_policies(
    *,
    scope: PolicyScope = "all",
    search: str = "",
    page_size: int = 0,
    page_token: str = "",
    account_id: str | None = None,
    timeout: float | None = None,
) -> Call[ListPoliciesResponse]:
    """Answer one page of managed policies, of the account, of AWS or both; `iterate_policies` has all pages.

    With `search` only policies with this in their name, in any letter case.
    """
    request = ListPoliciesRequest(
        account_id=account_id or "",
        page_size=page_size,
        page_token=page_token,
        scope=_SCOPES[scope],
        search=search,
    )
    return Call(rpc(ListPoliciesRequest, ListPoliciesResponse), request, timeout)


def delete_policy(
    policy_arn: str,
    *,
    validate_only: bool = False,
    expected_plan_digest: str = "",
    request_id: str | None = None,
    account_id: str | None = None,
    timeout: float | None = None,
) -> Call[DeletePolicyResponse]:
    """Delete a managed policy of the account, which nothing uses, with all of its versions."""
    request = DeletePolicyRequest(
        account_id=account_id or "",
        request_id=request_id or "",
        validate_only=validate_only,
        expected_plan_digest=expected_plan_digest,
        policy_arn=policy_arn,
    )
    return Call(rpc(DeletePolicyRequest, DeletePolicyResponse), request, timeout)
