"""PermissionService."""

from typing import Any

import grpc

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
from identity_provisioning.v1.permission_service_pb2_grpc import PermissionServiceServicer
from identity_service.domain.plan import Plan
from identity_service.rpc.call import current_caller
from identity_service.rpc.converters import permission_requests
from identity_service.rpc.converters.permission import to_group, to_policy
from identity_service.rpc.converters.plan import to_executed_steps, to_plan
from identity_service.rpc.listings import Lists, page_request
from identity_service.rpc.mutations import Mutations
from identity_service.rpc.not_built import not_built

Context = grpc.aio.ServicerContext[Any, Any]


class PermissionService(PermissionServiceServicer):
    """What users may do. Each method converts, calls, converts."""

    CheckAccess = not_built

    def __init__(self, mutations: Mutations, listing: Lists) -> None:
        self._mutations = mutations
        self._listing = listing

    async def AssignPermissions(self, request: AssignPermissionsRequest, context: Context) -> AssignPermissionsResponse:  # noqa: N802 - named in the contract
        """Give permissions to a user that is there."""
        result = await self._mutations.run(permission_requests.assign_permissions(request))
        if isinstance(result, Plan):
            return AssignPermissionsResponse(plan=to_plan(result))
        return AssignPermissionsResponse(steps=to_executed_steps(result.steps), replayed=result.replayed)

    async def RevokePermissions(self, request: RevokePermissionsRequest, context: Context) -> RevokePermissionsResponse:  # noqa: N802 - named in the contract
        """Take permissions from a user."""
        result = await self._mutations.run(permission_requests.revoke_permissions(request))
        if isinstance(result, Plan):
            return RevokePermissionsResponse(plan=to_plan(result))
        return RevokePermissionsResponse(steps=to_executed_steps(result.steps), replayed=result.replayed)

    async def CreateGroup(self, request: CreateGroupRequest, context: Context) -> CreateGroupResponse:  # noqa: N802 - named in the contract
        """Make a group with policies."""
        result = await self._mutations.run(permission_requests.create_group(request))
        if isinstance(result, Plan):
            return CreateGroupResponse(plan=to_plan(result))
        return CreateGroupResponse(
            group=to_group(result.group) if result.group else None,
            steps=to_executed_steps(result.steps),
            replayed=result.replayed,
        )

    async def ListGroups(self, request: ListGroupsRequest, context: Context) -> ListGroupsResponse:  # noqa: N802 - named in the contract
        """List groups with their policies."""
        page = await self._listing.groups(
            current_caller(), request.account_id, page_request(request), request.path_prefix
        )
        return ListGroupsResponse(groups=map(to_group, page.items), next_page_token=page.next_token or "")

    async def DeleteGroup(self, request: DeleteGroupRequest, context: Context) -> DeleteGroupResponse:  # noqa: N802 - named in the contract
        """Delete a group and take its policies off."""
        result = await self._mutations.run(permission_requests.delete_group(request))
        if isinstance(result, Plan):
            return DeleteGroupResponse(plan=to_plan(result))
        return DeleteGroupResponse(steps=to_executed_steps(result.steps), replayed=result.replayed)

    async def CreatePolicy(self, request: CreatePolicyRequest, context: Context) -> CreatePolicyResponse:  # noqa: N802 - named in the contract
        """Make a managed policy."""
        result = await self._mutations.run(permission_requests.create_policy(request))
        if isinstance(result, Plan):
            return CreatePolicyResponse(plan=to_plan(result))
        return CreatePolicyResponse(
            policy=to_policy(result.policy) if result.policy else None,
            steps=to_executed_steps(result.steps),
            replayed=result.replayed,
        )

    async def ListPolicies(self, request: ListPoliciesRequest, context: Context) -> ListPoliciesResponse:  # noqa: N802 - named in the contract
        """List managed policies of the account, of AWS, or both."""
        scope = permission_requests.policy_scope(request)
        page = await self._listing.policies(
            current_caller(), request.account_id, page_request(request), scope, request.search
        )
        return ListPoliciesResponse(policies=map(to_policy, page.items), next_page_token=page.next_token or "")

    async def DeletePolicy(self, request: DeletePolicyRequest, context: Context) -> DeletePolicyResponse:  # noqa: N802 - named in the contract
        """Delete a managed policy with all its versions."""
        result = await self._mutations.run(permission_requests.delete_policy(request))
        if isinstance(result, Plan):
            return DeletePolicyResponse(plan=to_plan(result))
        return DeletePolicyResponse(steps=to_executed_steps(result.steps), replayed=result.replayed)
