"""Errors on the wire: status codes, details, and sizes."""

import re
from pathlib import Path
from typing import Any

import grpc
import pytest

from identity_provisioning.v1.error_pb2 import ErrorReason
from identity_provisioning.v1.user_service_pb2 import DeleteUserRequest
from identity_service.domain.errors import FieldViolation, IdentityError, QuotaViolation, Reason, Resource
from identity_service.rpc import errors
from identity_service.rpc.errors import STATUS_CODES, to_status
from tests.unit.rpc.support import REQUEST_ID, RunningServer, details_of, failure, status_of

ERROR_PROTO = Path(__file__).parents[3] / "proto" / "identity_provisioning" / "v1" / "error.proto"
REQUEST = DeleteUserRequest(request_id=REQUEST_ID, user_name="ann")


def promised_statuses() -> dict[str, str]:
    """Read from the comments of error.proto which status each reason has."""
    found = {}
    comment = ""
    for line in ERROR_PROTO.read_text().splitlines():
        stripped = line.strip()
        if stripped.startswith("//"):
            comment += stripped
        elif declared := re.match(r"ERROR_REASON_(\w+) = [1-9]", stripped):
            found[declared[1]] = re.findall(r"\b([A-Z]+(?:_[A-Z]+)*)\.(?:\s|$)", comment)[-1]
        if not stripped.startswith("//"):
            comment = ""
    return found


def test_reasons_are_those_of_the_contract() -> None:
    """The domain's reasons and the contract's enum are the same, zero value apart."""
    declared = {name.removeprefix("ERROR_REASON_") for name in ErrorReason.DESCRIPTOR.values_by_name} - {"UNSPECIFIED"}
    assert {reason.name for reason in Reason} == declared


def test_every_reason_has_the_status_that_the_contract_promises() -> None:
    """The table of status codes says what the comments of error.proto say, for every reason."""
    assert {reason.name: code.name for reason, code in STATUS_CODES.items()} == promised_statuses()


async def test_an_error_arrives_with_reason_domain_and_metadata(server: RunningServer) -> None:
    """A client gets the status code, the message, and an ErrorInfo with the values."""
    server.application.error = IdentityError(Reason.PLAN_CHANGED, "look again", metadata={"plan_digest": "abc"})
    error = await failure(server.call("UserService/DeleteUser", REQUEST))
    status = status_of(error)
    info = details_of(status)["ErrorInfo"]
    assert error.code() is grpc.StatusCode.ABORTED
    assert error.details() == "look again"
    assert (status.code, status.message) == (grpc.StatusCode.ABORTED.value[0], "look again")
    assert (info.reason, info.domain, dict(info.metadata)) == (
        "PLAN_CHANGED",
        "identity-provisioning",
        {"plan_digest": "abc"},
    )


def test_quota_failure_names_account_and_figures() -> None:
    """A quota that would be exceeded is named with its use, the need and the limit, on the account if it is known."""
    violation = QuotaViolation("GroupsPerUserQuota", used=9, needed=2, limit=10)
    known = IdentityError(
        Reason.QUOTA_EXCEEDED, "m", metadata={"account_id": "123456789012"}, quota_violations=(violation,)
    )
    unknown = IdentityError(Reason.QUOTA_EXCEEDED, "m", quota_violations=(violation,))
    of_account = details_of(to_status(known))["QuotaFailure"].violations[0]
    assert of_account.subject == "account:123456789012"
    assert of_account.description == "GroupsPerUserQuota: 9 used, 2 more needed, limit 10"
    assert details_of(to_status(unknown))["QuotaFailure"].violations[0].subject == "GroupsPerUserQuota"


def test_retry_info_resource_info_and_precondition_failure_appear_where_they_apply() -> None:
    """Each optional detail is there exactly when the error has something for it."""
    waiting = details_of(to_status(IdentityError(Reason.IN_PROGRESS, "m", retry_after=1.5)))
    missing = details_of(to_status(IdentityError(Reason.GROUP_NOT_FOUND, "m", resource=Resource("iam:Group", "devs"))))
    refused = details_of(to_status(IdentityError(Reason.AWS_ACCESS_DENIED, "m")))
    assert set(waiting) == {"ErrorInfo", "RetryInfo"}
    assert waiting["RetryInfo"].retry_delay.ToMilliseconds() == 1500
    assert set(missing) == {"ErrorInfo", "ResourceInfo"}
    assert (missing["ResourceInfo"].resource_type, missing["ResourceInfo"].resource_name) == ("iam:Group", "devs")
    assert set(refused) == {"ErrorInfo", "PreconditionFailure"}
    assert refused["PreconditionFailure"].violations[0].type == "AWS_ACCESS_DENIED"


def test_zero_seconds_are_a_retry_time() -> None:
    """`retry_after=0` says "at once" and is not left out."""
    assert "RetryInfo" in details_of(to_status(IdentityError(Reason.IN_PROGRESS, "m", retry_after=0)))


async def test_more_violations_than_metadata_holds_are_cut_and_counted(server: RunningServer) -> None:
    """An error with hundreds of violations still reaches a client with gRPC's default limits, and says what it lost."""
    violations = tuple(FieldViolation(f"user.tags[{index}].key", "x" * 60) for index in range(300))
    server.application.error = IdentityError(Reason.INVALID_FIELD, "many", field_violations=violations)
    error = await failure(server.call("UserService/DeleteUser", REQUEST))
    details = details_of(status_of(error))
    kept = len(details["BadRequest"].field_violations)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert kept > 20
    assert int(details["ErrorInfo"].metadata["violations_left_out"]) == 300 - kept


def test_ten_thousands_of_violations_cost_no_more_than_hundreds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request of 64 KiB can be wrong in 32,000 places; the event loop packs its answer some hundred times at most."""
    packed: list[int] = []

    def pack(status: Any, details: list[Any]) -> None:
        packed.append(len(details))
        real(status, details)

    real = errors._pack
    monkeypatch.setattr(errors, "_pack", pack)
    violations = tuple(FieldViolation(f"users[{index}]", "wrong") for index in range(1_000))
    status = to_status(IdentityError(Reason.INVALID_FIELD, "many", field_violations=violations))
    details = details_of(status)
    kept = len(details["BadRequest"].field_violations)
    assert kept > 20
    assert int(details["ErrorInfo"].metadata["violations_left_out"]) == 1_000 - kept
    assert len(packed) < 300


@pytest.mark.parametrize("text", ["x" * 20_000, "ä" * 20_000])
async def test_long_texts_are_cut(server: RunningServer, text: str) -> None:
    """A message or a metadata value of any length does not make the answer undeliverable."""
    server.application.error = IdentityError(Reason.CONFLICT, text, metadata={"remaining": text})
    error = await failure(server.call("UserService/DeleteUser", REQUEST))
    assert error.code() is grpc.StatusCode.ABORTED
    assert details_of(status_of(error))["ErrorInfo"].reason == "CONFLICT"
