"""PermissionService."""

from typing import Any

import grpc

from identity_provisioning.v1.permission_service_pb2 import AssignPermissionsRequest, AssignPermissionsResponse
from identity_provisioning.v1.permission_service_pb2_grpc import PermissionServiceServicer
from identity_service.domain.plan import Plan
from identity_service.rpc.converters import requests
from identity_service.rpc.converters.plan import to_executed_steps, to_plan
from identity_service.rpc.mutations import Mutations
from identity_service.rpc.not_built import not_built


class PermissionService(PermissionServiceServicer):
    """What users may do."""

    RevokePermissions = not_built
    CreateGroup = not_built
    ListGroups = not_built
    DeleteGroup = not_built
    CreatePolicy = not_built
    ListPolicies = not_built
    DeletePolicy = not_built
    CheckAccess = not_built

    def __init__(self, mutations: Mutations) -> None:
        self._mutations = mutations

    async def AssignPermissions(  # noqa: N802 - named in the contract
        self, request: AssignPermissionsRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AssignPermissionsResponse:
        """Give permissions to a user that is there."""
        result = await self._mutations.run(requests.assign_permissions(request))
        if isinstance(result, Plan):
            return AssignPermissionsResponse(plan=to_plan(result))
        return AssignPermissionsResponse(steps=to_executed_steps(result.steps), replayed=result.replayed)
