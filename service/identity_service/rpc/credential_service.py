"""CredentialService."""

from typing import Any

import grpc

from identity_provisioning.v1.credential_service_pb2 import (
    CreateCredentialsRequest,
    CreateCredentialsResponse,
    CreateMfaDeviceRequest,
    CreateMfaDeviceResponse,
    DeleteMfaDeviceRequest,
    DeleteMfaDeviceResponse,
    DisableConsoleAccessRequest,
    DisableConsoleAccessResponse,
    EnableMfaDeviceRequest,
    EnableMfaDeviceResponse,
    ListMfaDevicesRequest,
    ListMfaDevicesResponse,
)
from identity_provisioning.v1.credential_service_pb2_grpc import CredentialServiceServicer
from identity_service.domain.plan import Plan
from identity_service.rpc.call import current_caller
from identity_service.rpc.converters import credential_requests
from identity_service.rpc.converters.credential import (
    to_access_key,
    to_issued_credentials,
    to_mfa_device,
    to_virtual_mfa_device,
)
from identity_service.rpc.converters.plan import to_executed_steps, to_plan
from identity_service.rpc.listings import Lists, page_request
from identity_service.rpc.mutations import Mutations
from identity_service.rpc.not_built import not_built

Context = grpc.aio.ServicerContext[Any, Any]


class CredentialService(CredentialServiceServicer):
    """Access keys, console passwords and MFA devices. Each method converts, calls, converts."""

    RotateAccessKey = not_built
    UpdateAccessKey = not_built
    DeleteAccessKey = not_built
    ResetPassword = not_built
    RevokeAllCredentials = not_built

    def __init__(self, mutations: Mutations, listing: Lists) -> None:
        self._mutations = mutations
        self._listing = listing

    async def CreateCredentials(self, request: CreateCredentialsRequest, context: Context) -> CreateCredentialsResponse:  # noqa: N802 - named in the contract
        """Make an access key, a console password, an MFA device, or several of them."""
        result = await self._mutations.run(credential_requests.create_credentials(request))
        if isinstance(result, Plan):
            return CreateCredentialsResponse(plan=to_plan(result))
        return CreateCredentialsResponse(
            credentials=to_issued_credentials(result.credentials),
            sign_in_url=result.sign_in_url,
            steps=to_executed_steps(result.steps),
            replayed=result.replayed,
        )

    async def DisableConsoleAccess(  # noqa: N802 - named in the contract
        self, request: DisableConsoleAccessRequest, context: Context
    ) -> DisableConsoleAccessResponse:
        """Delete a user's console password."""
        result = await self._mutations.run(credential_requests.disable_console_access(request))
        if isinstance(result, Plan):
            return DisableConsoleAccessResponse(plan=to_plan(result))
        return DisableConsoleAccessResponse(
            access_keys=map(to_access_key, result.access_keys),
            steps=to_executed_steps(result.steps),
            replayed=result.replayed,
        )

    async def CreateMfaDevice(self, request: CreateMfaDeviceRequest, context: Context) -> CreateMfaDeviceResponse:  # noqa: N802 - named in the contract
        """Make a virtual MFA device, pending until it is enabled."""
        result = await self._mutations.run(credential_requests.create_mfa_device(request))
        if isinstance(result, Plan):
            return CreateMfaDeviceResponse(plan=to_plan(result))
        return CreateMfaDeviceResponse(
            credentials=to_issued_credentials(result.credentials),
            steps=to_executed_steps(result.steps),
            replayed=result.replayed,
        )

    async def EnableMfaDevice(self, request: EnableMfaDeviceRequest, context: Context) -> EnableMfaDeviceResponse:  # noqa: N802 - named in the contract
        """Enable an MFA device with two codes."""
        result = await self._mutations.run(credential_requests.enable_mfa_device(request))
        if isinstance(result, Plan):
            return EnableMfaDeviceResponse(plan=to_plan(result))
        return EnableMfaDeviceResponse(
            mfa_device=to_mfa_device(result.mfa_device) if result.mfa_device else None,
            steps=to_executed_steps(result.steps),
            replayed=result.replayed,
        )

    async def DeleteMfaDevice(self, request: DeleteMfaDeviceRequest, context: Context) -> DeleteMfaDeviceResponse:  # noqa: N802 - named in the contract
        """Deactivate an MFA device and, if it is virtual, delete it."""
        result = await self._mutations.run(credential_requests.delete_mfa_device(request))
        if isinstance(result, Plan):
            return DeleteMfaDeviceResponse(plan=to_plan(result))
        return DeleteMfaDeviceResponse(steps=to_executed_steps(result.steps), replayed=result.replayed)

    async def ListMfaDevices(self, request: ListMfaDevicesRequest, context: Context) -> ListMfaDevicesResponse:  # noqa: N802 - named in the contract
        """List virtual MFA devices, pending and enabled ones."""
        page = await self._listing.mfa_devices(
            current_caller(),
            request.account_id,
            page_request(request),
            credential_requests.mfa_device_filter(request),
        )
        return ListMfaDevicesResponse(
            mfa_devices=map(to_virtual_mfa_device, page.items), next_page_token=page.next_token or ""
        )
