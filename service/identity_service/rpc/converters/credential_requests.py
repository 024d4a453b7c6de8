"""Requests of CredentialService: from the contract's messages to the service's own terms.

The codes of an MFA device become `Secret`s here and are plain strings nowhere behind.
"""

from identity_provisioning.v1.credential_service_pb2 import (
    CreateCredentialsRequest,
    CreateMfaDeviceRequest,
    DeleteMfaDeviceRequest,
    DisableConsoleAccessRequest,
    EnableMfaDeviceRequest,
    ListMfaDevicesRequest,
)
from identity_service.application.listing import MfaDeviceFilter
from identity_service.application.ports import MfaAssignment
from identity_service.domain.request import (
    ConsoleDisabling,
    Credentials,
    MfaDeviceDeletion,
    MfaDeviceEnabling,
    Mutation,
    RequestFields,
    UserChange,
)
from identity_service.domain.secret import Secret
from identity_service.rpc.converters import specs
from identity_service.rpc.converters.mutation import to_minting_mutation, to_mutation

ASSIGNMENTS = {
    ListMfaDevicesRequest.ASSIGNMENT_UNSPECIFIED: MfaAssignment.ANY,
    ListMfaDevicesRequest.ASSIGNMENT_ENABLED: MfaAssignment.ENABLED,
    ListMfaDevicesRequest.ASSIGNMENT_PENDING: MfaAssignment.PENDING,
    ListMfaDevicesRequest.ASSIGNMENT_ABANDONED: MfaAssignment.PENDING,
}


def create_credentials(request: CreateCredentialsRequest) -> Mutation:
    """Convert a request for credentials of a user that is there."""
    change = UserChange(user_name=request.user_name, credentials=specs.credentials(request.credentials))
    return to_minting_mutation("CreateCredentials", request, change)


def disable_console_access(request: DisableConsoleAccessRequest) -> Mutation:
    """Convert a request to end console access."""
    return to_mutation("DisableConsoleAccess", request, ConsoleDisabling(request.user_name))


def create_mfa_device(request: CreateMfaDeviceRequest) -> Mutation:
    """Convert a request for a virtual MFA device, which stands in the request itself."""
    change = UserChange(
        user_name=request.user_name,
        credentials=Credentials(mfa_device=specs.mfa_device(request.mfa_device)),
        fields=RequestFields(credentials=""),
    )
    return to_minting_mutation("CreateMfaDevice", request, change)


def enable_mfa_device(request: EnableMfaDeviceRequest) -> Mutation:
    """Convert a request to enable an MFA device."""
    enabling = MfaDeviceEnabling(
        user_name=request.user_name,
        serial_number=request.serial_number,
        first_code=Secret(request.first_code),
        second_code=Secret(request.second_code),
    )
    return to_mutation("EnableMfaDevice", request, enabling)


def delete_mfa_device(request: DeleteMfaDeviceRequest) -> Mutation:
    """Convert a request to delete an MFA device."""
    return to_mutation("DeleteMfaDevice", request, MfaDeviceDeletion(request.user_name, request.serial_number))


def mfa_device_filter(request: ListMfaDevicesRequest) -> MfaDeviceFilter:
    """Convert which MFA devices are asked for; abandoned ones are some of those that are pending."""
    return MfaDeviceFilter(
        assignment=ASSIGNMENTS[request.assignment],
        abandoned_only=request.assignment == ListMfaDevicesRequest.ASSIGNMENT_ABANDONED,
        user_name=request.user_name,
    )
