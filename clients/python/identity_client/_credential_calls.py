"""The calls on credentials: access keys, console passwords, MFA devices. `_user_calls` explains shared arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from identity_client._call import Call
from identity_client._contract import rpc
from identity_client._specs import ConsolePasswordChoice, credential_spec
from identity_provisioning.v1.credential_pb2 import MfaDeviceSpec
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

MfaAssignment = Literal["any", "enabled", "pending", "abandoned"]
_ASSIGNMENTS: dict[MfaAssignment, ListMfaDevicesRequest.Assignment.ValueType] = {
    "any": ListMfaDevicesRequest.ASSIGNMENT_UNSPECIFIED,
    "enabled": ListMfaDevicesRequest.ASSIGNMENT_ENABLED,
    "pending": ListMfaDevicesRequest.ASSIGNMENT_PENDING,
    "abandoned": ListMfaDevicesRequest.ASSIGNMENT_ABANDONED,
}


def create_credentials(
    user_name: str,
    *,
    access_key: bool = False,
    console_password: ConsolePasswordChoice = False,
    mfa_device: bool | str = False,
    recipients: Sequence[str] = (),
    reissue_secrets: bool | None = None,
    validate_only: bool = False,
    expected_plan_digest: str = "",
    request_id: str | None = None,
    account_id: str | None = None,
    timeout: float | None = None,
) -> Call[CreateCredentialsResponse]:
    """Make an access key, a console password, or both for a user that is there."""
    request = CreateCredentialsRequest(
        account_id=account_id or "",
        request_id=request_id or "",
        validate_only=validate_only,
        expected_plan_digest=expected_plan_digest,
        user_name=user_name,
        credentials=credential_spec(access_key, console_password, mfa_device),
        recipients=recipients,
        reissue_secrets=bool(reissue_secrets),
    )
    return Call(rpc(CreateCredentialsRequest, CreateCredentialsResponse), request, timeout, reissue_secrets)


def disable_console_access(
    user_name: str,
    *,
    validate_only: bool = False,
    expected_plan_digest: str = "",
    request_id: str | None = None,
    account_id: str | None = None,
    timeout: float | None = None,
) -> Call[DisableConsoleAccessResponse]:
    """Delete a user's console password; the answer's `access_keys` stay, and so do all permissions."""
    request = DisableConsoleAccessRequest(
        account_id=account_id or "",
        request_id=request_id or "",
        validate_only=validate_only,
        expected_plan_digest=expected_plan_digest,
        user_name=user_name,
    )
    return Call(rpc(DisableConsoleAccessRequest, DisableConsoleAccessResponse), request, timeout)


def create_mfa_device(
    user_name: str,
    *,
    device_name: str = "",
    recipients: Sequence[str] = (),
    reissue_secrets: bool | None = None,
    validate_only: bool = False,
    expected_plan_digest: str = "",
    request_id: str | None = None,
    account_id: str | None = None,
    timeout: float | None = None,
) -> Call[CreateMfaDeviceResponse]:
    """Make a virtual MFA device, named like the user where no name is given; it waits to be enabled.

    The answer's `credentials.mfa_device` holds seed and QR code once.
    """
    request = CreateMfaDeviceRequest(
        account_id=account_id or "",
        request_id=request_id or "",
        validate_only=validate_only,
        expected_plan_digest=expected_plan_digest,
        user_name=user_name,
        mfa_device=MfaDeviceSpec(device_name=device_name),
        recipients=recipients,
        reissue_secrets=bool(reissue_secrets),
    )
    return Call(rpc(CreateMfaDeviceRequest, CreateMfaDeviceResponse), request, timeout, reissue_secrets)


def enable_mfa_device(
    user_name: str,
    serial_number: str,
    first_code: str,
    second_code: str,
    *,
    validate_only: bool = False,
    expected_plan_digest: str = "",
    request_id: str | None = None,
    account_id: str | None = None,
    timeout: float | None = None,
) -> Call[EnableMfaDeviceResponse]:
    """Enable an MFA device with two codes that follow one another; a wrong one leaves it pending."""
    request = EnableMfaDeviceRequest(
        account_id=account_id or "",
        request_id=request_id or "",
        validate_only=validate_only,
        expected_plan_digest=expected_plan_digest,
        user_name=user_name,
        serial_number=serial_number,
        first_code=first_code,
        second_code=second_code,
    )
    return Call(rpc(EnableMfaDeviceRequest, EnableMfaDeviceResponse), request, timeout)


def delete_mfa_device(
    user_name: str,
    serial_number: str,
    *,
    validate_only: bool = False,
    expected_plan_digest: str = "",
    request_id: str | None = None,
    account_id: str | None = None,
    timeout: float | None = None,
) -> Call[DeleteMfaDeviceResponse]:
    """Deactivate an MFA device and, if it is virtual, delete it; one that was never enabled is only deleted."""
    request = DeleteMfaDeviceRequest(
        account_id=account_id or "",
        request_id=request_id or "",
        validate_only=validate_only,
        expected_plan_digest=expected_plan_digest,
        user_name=user_name,
        serial_number=serial_number,
    )
    return Call(rpc(DeleteMfaDeviceRequest, DeleteMfaDeviceResponse), request, timeout)


def list_mfa_devices(
    *,
    assignment: MfaAssignment = "any",
    user_name: str = "",
    page_size: int = 0,
    page_token: str = "",
    account_id: str | None = None,
    timeout: float | None = None,
) -> Call[ListMfaDevicesResponse]:
    """Answer one page of virtual MFA devices; `iterate_mfa_devices` goes through all pages.

    A pending device waits to be enabled; an abandoned one is pending, and nobody will enable it any more. With
    `user_name` only devices that are enabled for this user or were made for it.
    """
    request = ListMfaDevicesRequest(
        account_id=account_id or "",
        page_size=page_size,
        page_token=page_token,
        assignment=_ASSIGNMENTS[assignment],
        user_name=user_name,
    )
    return Call(rpc(ListMfaDevicesRequest, ListMfaDevicesResponse), request, timeout)
