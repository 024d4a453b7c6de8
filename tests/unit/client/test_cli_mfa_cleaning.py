"""`identityctl mfa delete --abandoned`: asked once, each device as it was planned, and no enabled one."""

from __future__ import annotations

import grpc
import pytest

from identity_provisioning.v1.credential_pb2 import VirtualMfaDevice
from identity_provisioning.v1.credential_service_pb2 import DeleteMfaDeviceResponse, ListMfaDevicesRequest
from identity_provisioning.v1.error_pb2 import ErrorReason
from identity_provisioning.v1.plan_pb2 import PlanProblem
from tests.unit.client.conftest import Command
from tests.unit.client.fake_service import Failure, FakeIdentityService

DENIED = Failure(grpc.StatusCode.PERMISSION_DENIED, "NOT_OWNER", "another team's")
CLEAN = ("mfa", "delete", "--abandoned")
SERIALS = [f"arn:aws:iam::1:mfa/{name}" for name in "abc"]


@pytest.fixture(autouse=True)
def devices(service: FakeIdentityService) -> None:
    """Have three abandoned devices."""
    service.lists["ListMfaDevices"] = [
        VirtualMfaDevice(serial_number=serial, made_for_user_name=serial[-1], owner_team="web", abandoned=True)
        for serial in SERIALS
    ]


def deleted(service: FakeIdentityService) -> list[str]:
    """Answer the serial numbers of the deletions that were asked for."""
    calls = [each.request for each in service.calls("DeleteMfaDevice")]
    return [request.serial_number for request in calls if not request.validate_only]


def test_all_of_them_go_after_one_yes(run: Command, service: FakeIdentityService) -> None:
    """They are listed with whom they were made for, and each goes with the digest of its plan."""
    done = run(*CLEAN, "--yes")
    assert done.exit_code == 0, done.stderr
    assert all(f"Deleted {serial}." in done.stdout for serial in SERIALS)
    assert deleted(service) == SERIALS
    requests = [each.request for each in service.calls("DeleteMfaDevice")]
    assert [request.user_name for request in requests] == [*"abc", *"abc"]
    assert all(len(request.expected_plan_digest) == 64 for request in requests[3:])
    assert service.calls("ListMfaDevices")[0].request.assignment == ListMfaDevicesRequest.ASSIGNMENT_ABANDONED


def test_nobody_agreed_and_nothing_goes(run: Command, service: FakeIdentityService) -> None:
    """Without a terminal and without --yes the devices are listed, and stay."""
    done = run(*CLEAN)
    assert (done.exit_code, SERIALS[0] in done.stdout, deleted(service)) == (5, True, [])


def test_what_may_not_be_deleted_stays(run: Command, service: FakeIdentityService) -> None:
    """Another team's device is told of and is no failure; one that fails is, and stops no other."""
    service.fail("DeleteMfaDevice", DENIED)
    service.fail_change("DeleteMfaDevice", Failure(grpc.StatusCode.ABORTED, "PLAN_CHANGED", "changed"))
    done = run(*CLEAN, "--yes", "--output", "json")
    assert done.exit_code == 1
    document = done.document()
    assert [each["mfa_device"]["serial_number"] for each in document["kept"]] == SERIALS[:1]
    assert [each["error"]["reason"] for each in document["failed"]] == ["PLAN_CHANGED"]
    assert [each["serial_number"] for each in document["deleted"]] == SERIALS[2:]
    service.plan_problems["DeleteMfaDevice"] = PlanProblem(
        reason=ErrorReason.ERROR_REASON_NOT_OWNER, message="another team's"
    )
    stays = run(*CLEAN)
    assert (stays.exit_code, stays.stderr.count(" stays. NOT_OWNER: another team's.")) == (0, 3)


def test_a_device_that_was_enabled_meanwhile_stays(run: Command, service: FakeIdentityService) -> None:
    """Between the list and the plan somebody may have enabled it: nobody loses a device that is in use."""
    answer = DeleteMfaDeviceResponse()
    answer.plan.digest = "d" * 64
    for action in ("iam:DeactivateMFADevice", "iam:DeleteVirtualMFADevice"):
        answer.plan.steps.add(iam_action=action)
    service.answers["DeleteMfaDevice"] = answer
    done = run(*CLEAN, "--yes")
    assert (done.exit_code, deleted(service)) == (0, [])
    assert done.stderr.count("stays. It is enabled by now.") == 3


def test_one_users_devices_alone(run: Command, service: FakeIdentityService) -> None:
    """A user that is named narrows the list."""
    run(*CLEAN, "ana", "--yes")
    assert service.calls("ListMfaDevices")[0].request.user_name == "ana"


@pytest.mark.parametrize("words", [("mfa", "delete"), ("mfa", "delete", "ana"), (*CLEAN, "ana", SERIALS[0])])
def test_a_command_that_says_too_little_or_too_much_is_refused(
    run: Command, service: FakeIdentityService, words: tuple[str, ...]
) -> None:
    """A device is named as a whole, or all abandoned ones are meant."""
    done = run(*words, "--yes")
    assert (done.exit_code, service.received) == (2, [])
    assert "serial number" in done.stderr
