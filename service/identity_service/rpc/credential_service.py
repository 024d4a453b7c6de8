"""CredentialService."""

from typing import Any

import grpc

from identity_provisioning.v1.credential_service_pb2 import CreateCredentialsRequest, CreateCredentialsResponse
from identity_provisioning.v1.credential_service_pb2_grpc import CredentialServiceServicer
from identity_service.domain.plan import Plan
from identity_service.rpc.converters import requests
from identity_service.rpc.converters.credential import to_issued_credentials
from identity_service.rpc.converters.plan import to_executed_steps, to_plan
from identity_service.rpc.mutations import Mutations
from identity_service.rpc.not_built import not_built


class CredentialService(CredentialServiceServicer):
    """Access keys, console passwords and MFA devices."""

    RotateAccessKey = not_built
    UpdateAccessKey = not_built
    DeleteAccessKey = not_built
    ResetPassword = not_built
    DisableConsoleAccess = not_built
    RevokeAllCredentials = not_built
    CreateMfaDevice = not_built
    EnableMfaDevice = not_built
    DeleteMfaDevice = not_built

    def __init__(self, mutations: Mutations) -> None:
        self._mutations = mutations

    async def CreateCredentials(  # noqa: N802 - named in the contract
        self, request: CreateCredentialsRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> CreateCredentialsResponse:
        """Make an access key, a console password, or both."""
        result = await self._mutations.run(requests.create_credentials(request))
        if isinstance(result, Plan):
            return CreateCredentialsResponse(plan=to_plan(result))
        return CreateCredentialsResponse(
            credentials=to_issued_credentials(result.credentials),
            sign_in_url=result.sign_in_url,
            steps=to_executed_steps(result.steps),
            replayed=result.replayed,
        )
