"""Virtual MFA devices that nobody enabled, through a real channel: tagged, shown, listed, deleted."""

from typing import Any

import grpc
import pytest

from embedded_aws import CloseConnection, Fault, consecutive_codes
from identity_provisioning.v1.credential_pb2 import CredentialSpec, MfaDeviceSpec, VirtualMfaDevice
from identity_provisioning.v1.credential_service_pb2 import (
    CreateMfaDeviceRequest,
    DeleteMfaDeviceRequest,
    EnableMfaDeviceRequest,
    ListMfaDevicesRequest,
)
from identity_provisioning.v1.user_pb2 import UserSpec
from identity_provisioning.v1.user_service_pb2 import DeleteUserRequest, GetUserRequest, ProvisionUserRequest
from tests.integration.conftest import TEAM, Account, Stubs, metadata_of, reason_of

PREFIX = "arn:aws:iam::123456789012:mfa/"


def provision(stubs: Stubs, user_name: str, device_name: str) -> Any:
    """Provision a user with a pending device."""
    spec = CredentialSpec(mfa_device=MfaDeviceSpec(device_name=device_name))
    return stubs.call("ProvisionUser", ProvisionUserRequest(user=UserSpec(user_name=user_name, credentials=spec)))


def foreign_device(account: Account, device_name: str, team: str, user_name: str) -> str:
    """Make a pending device as another team's service call would have made it; returns its serial number."""
    tags = {"identity-provisioning:owner": team, "identity-provisioning:user": user_name}
    made = account.iam.create_virtual_mfa_device(
        VirtualMFADeviceName=device_name, Tags=[{"Key": key, "Value": value} for key, value in tags.items()]
    )
    return str(made["VirtualMFADevice"]["SerialNumber"])


def left(account: Account) -> list[str]:
    """List the names of the devices that the account has."""
    devices = account.iam.list_virtual_mfa_devices()["VirtualMFADevices"]
    return [device["SerialNumber"].removeprefix(PREFIX) for device in devices]


def test_a_device_is_tagged_and_shown(stubs: Stubs, account: Account) -> None:
    """Provisioning tags the device with row, team and user in its one call, and GetUser shows it as pending."""
    provision(stubs, "Lima,Ana", "phone")
    (parameters,) = [given for operation, given in account.writes() if operation == "CreateVirtualMFADevice"]
    tags = {tag["Key"]: tag["Value"] for tag in parameters["Tags"]}
    row = tags.pop("identity-provisioning:row")
    assert tags == {"identity-provisioning:owner": TEAM, "identity-provisioning:user": "Lima:Ana"}
    user_tags = account.iam.list_user_tags(UserName="Lima,Ana")["Tags"]
    assert {"Key": "identity-provisioning:row", "Value": row} in user_tags
    account.iam.create_virtual_mfa_device(VirtualMFADeviceName="nobodys")
    found = stubs.call("GetUser", GetUserRequest(user_name="lima,ana"))
    shown = VirtualMfaDevice(serial_number=f"{PREFIX}phone", made_for_user_name="Lima,Ana", owner_team=TEAM)
    assert list(found.pending_mfa_devices) == [shown]
    assert not found.pending_mfa_devices_truncated


def test_an_enabled_device_is_not_pending_and_makes_others_abandoned(stubs: Stubs, account: Account) -> None:
    """Once one device is enabled, the other that was made for the user is shown and listed as abandoned."""
    provision(stubs, "ana", "old")
    made = stubs.call("CreateMfaDevice", CreateMfaDeviceRequest(user_name="ana")).credentials.mfa_device
    first, second = consecutive_codes(made.base32_seed)
    stubs.call(
        "EnableMfaDevice",
        EnableMfaDeviceRequest(user_name="ana", serial_number=made.serial_number, first_code=first, second_code=second),
    )
    found = stubs.call("GetUser", GetUserRequest(user_name="ana"))
    assert [device.serial_number for device in found.mfa_devices] == [f"{PREFIX}ana"]
    assert [(device.serial_number, device.abandoned) for device in found.pending_mfa_devices] == [
        (f"{PREFIX}old", True)
    ]
    assert listed(stubs) == {"ana": ("ana", False), "old": ("", True)}
    assert listed(stubs, ListMfaDevicesRequest.ASSIGNMENT_ENABLED) == {"ana": ("ana", False)}
    assert listed(stubs, ListMfaDevicesRequest.ASSIGNMENT_ABANDONED) == {"old": ("", True)}


def listed(
    stubs: Stubs,
    assignment: ListMfaDevicesRequest.Assignment.ValueType = ListMfaDevicesRequest.ASSIGNMENT_UNSPECIFIED,
    **conditions: Any,
) -> dict[str, tuple[str, bool]]:
    """List devices page by page: by name, who has each, and whether it is abandoned."""
    request = ListMfaDevicesRequest(assignment=assignment, **conditions)
    found: list[VirtualMfaDevice] = []
    while True:
        page = stubs.call("ListMfaDevices", request)
        found += page.mfa_devices
        request.page_token = page.next_page_token
        if not request.page_token:
            return {device.serial_number.removeprefix(PREFIX): (device.user_name, device.abandoned) for device in found}


def test_all_pages_of_devices_are_listed(stubs: Stubs, account: Account) -> None:
    """More devices than a page holds are all found, and a user's own among them."""
    for number in range(120):
        account.iam.create_virtual_mfa_device(VirtualMFADeviceName=f"d{number:03}")
    provision(stubs, "ana", "z-phone")
    assert len(listed(stubs)) == 121
    assert len(listed(stubs, page_size=50)) == 121
    assert listed(stubs, user_name="ANA") == {"z-phone": ("", False)}
    with pytest.raises(grpc.RpcError) as caught:
        stubs.call("ListMfaDevices", ListMfaDevicesRequest(page_token="made-up"))
    assert reason_of(caught.value) == "INVALID_FIELD"


def test_what_a_user_left_behind_is_found_and_deleted(stubs: Stubs, account: Account) -> None:
    """The device of a user who was deleted elsewhere is listed as abandoned, and its team deletes it."""
    provision(stubs, "ana", "phone")
    account.iam.delete_user(UserName="ana")
    assert listed(stubs, ListMfaDevicesRequest.ASSIGNMENT_ABANDONED) == {"phone": ("", True)}
    stubs.call("DeleteMfaDevice", DeleteMfaDeviceRequest(user_name="ana", serial_number=f"{PREFIX}phone"))
    assert left(account) == []


def test_another_teams_device_stays(stubs: Stubs, account: Account) -> None:
    """It is neither deleted nor replaced, and the refusal names the device."""
    serial = foreign_device(account, "ana", "another-team", "ana")
    provision(stubs, "ana", "phone")
    with pytest.raises(grpc.RpcError) as refused:
        stubs.call("DeleteMfaDevice", DeleteMfaDeviceRequest(user_name="ana", serial_number=serial))
    assert reason_of(refused.value) == "NOT_OWNER"
    with pytest.raises(grpc.RpcError) as in_use:
        stubs.call("CreateMfaDevice", CreateMfaDeviceRequest(user_name="ana"))
    assert reason_of(in_use.value) == "IN_USE"
    assert left(account) == ["ana", "phone"]


def test_a_deleted_user_leaves_no_device_of_ours(stubs: Stubs, account: Account) -> None:
    """Every device that was made for the user is a step of the reviewed plan and gone afterwards; others stay."""
    provision(stubs, "ana", "phone")
    stubs.call("CreateMfaDevice", CreateMfaDeviceRequest(user_name="ana"))
    foreign_device(account, "theirs", "another-team", "ana")
    account.iam.create_virtual_mfa_device(VirtualMFADeviceName="nobodys")
    plan = stubs.call("DeleteUser", DeleteUserRequest(user_name="ana", validate_only=True)).plan
    assert [step.resource for step in plan.steps if step.iam_action == "iam:DeleteVirtualMFADevice"] == [
        f"{PREFIX}ana",
        f"{PREFIX}phone",
    ]
    stubs.call("DeleteUser", DeleteUserRequest(user_name="ana", expected_plan_digest=plan.digest))
    assert left(account) == ["nobodys", "theirs"]


def test_a_lost_answer_leaves_no_device(stubs: Stubs, account: Account) -> None:
    """The making call is carried out and its answer lost: the device is known by its row tag and deleted."""
    stubs.call("ProvisionUser", ProvisionUserRequest(user=UserSpec(user_name="ana")))
    account.aws.inject(Fault("CreateVirtualMFADevice", CloseConnection()))
    with pytest.raises(grpc.RpcError) as caught:
        stubs.call("CreateMfaDevice", CreateMfaDeviceRequest(user_name="ana"))
    assert (reason_of(caught.value), metadata_of(caught.value)["remaining"]) == ("AWS_UNAVAILABLE", "nothing")
    assert left(account) == []
    assert "ListMFADeviceTags" in {call.operation for call in account.aws.calls()}
