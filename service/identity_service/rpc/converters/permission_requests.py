"""Requests of PermissionService: from the contract's messages to the service's own terms."""

from identity_provisioning.v1.permission_service_pb2 import (
    AssignPermissionsRequest,
    CreateGroupRequest,
    CreatePolicyRequest,
    DeleteGroupRequest,
    DeletePolicyRequest,
    ListPoliciesRequest,
    RevokePermissionsRequest,
)
from identity_service.application.ports import PolicyScope
from identity_service.domain.request import (
    GroupCreation,
    GroupDeletion,
    Mutation,
    PermissionRevocation,
    PolicyCreation,
    PolicyDeletion,
    RequestFields,
    UserChange,
)
from identity_service.rpc.converters import specs
from identity_service.rpc.converters.mutation import to_mutation

SCOPES = {
    ListPoliciesRequest.SCOPE_UNSPECIFIED: PolicyScope.ALL,
    ListPoliciesRequest.SCOPE_AWS: PolicyScope.AWS,
    ListPoliciesRequest.SCOPE_CUSTOMER: PolicyScope.CUSTOMER,
}


def assign_permissions(request: AssignPermissionsRequest) -> Mutation:
    """Convert a request for permissions of a user that is there."""
    change = UserChange(
        user_name=request.user_name,
        permissions=specs.permissions(request.permissions),
        fields=RequestFields(boundary="permissions.permissions_boundary"),
    )
    return to_mutation("AssignPermissions", request, change)


def revoke_permissions(request: RevokePermissionsRequest) -> Mutation:
    """Convert a request to take permissions from a user."""
    revocation = PermissionRevocation(
        user_name=request.user_name,
        group_names=tuple(request.group_names),
        managed_policies=tuple(request.managed_policies),
        inline_policy_names=tuple(request.inline_policy_names),
    )
    return to_mutation("RevokePermissions", request, revocation)


def create_group(request: CreateGroupRequest) -> Mutation:
    """Convert a request for a group."""
    return to_mutation("CreateGroup", request, GroupCreation(specs.new_group(request.group)))


def delete_group(request: DeleteGroupRequest) -> Mutation:
    """Convert a request to delete a group."""
    return to_mutation("DeleteGroup", request, GroupDeletion(request.group_name))


def create_policy(request: CreatePolicyRequest) -> Mutation:
    """Convert a request for a managed policy."""
    return to_mutation("CreatePolicy", request, PolicyCreation(specs.new_policy(request.policy)))


def delete_policy(request: DeletePolicyRequest) -> Mutation:
    """Convert a request to delete a managed policy."""
    return to_mutation("DeletePolicy", request, PolicyDeletion(request.policy_arn))


def policy_scope(request: ListPoliciesRequest) -> PolicyScope:
    """Convert whose policies are to be listed."""
    return SCOPES[request.scope]
