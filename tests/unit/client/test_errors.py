"""What a failed call tells: classes, details, and no secrets."""

from __future__ import annotations

import traceback

import grpc
import pytest
from google.rpc import error_details_pb2

import identity_client
from identity_client import (
    AlreadyExists,
    ConsolePassword,
    FailedPrecondition,
    FieldViolation,
    IdentityClient,
    IdentityServiceError,
    Internal,
    InvalidRequest,
    NotBuiltYet,
    NotFound,
    PermissionDenied,
    QuotaExceeded,
    QuotaViolation,
    Resource,
    Unauthenticated,
)
from identity_provisioning.v1.error_pb2 import ErrorReason
from tests.unit.client.fake_service import Failure, FakeIdentityService


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", InvalidRequest),
        (grpc.StatusCode.UNAUTHENTICATED, "CALLER_UNKNOWN", Unauthenticated),
        (grpc.StatusCode.PERMISSION_DENIED, "NOT_OWNER", PermissionDenied),
        (grpc.StatusCode.NOT_FOUND, "USER_NOT_FOUND", NotFound),
        (grpc.StatusCode.ALREADY_EXISTS, "USER_ALREADY_EXISTS", AlreadyExists),
        (grpc.StatusCode.FAILED_PRECONDITION, "IN_USE", FailedPrecondition),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED", QuotaExceeded),
        (grpc.StatusCode.UNIMPLEMENTED, "NOT_BUILT_YET", NotBuiltYet),
        (grpc.StatusCode.INTERNAL, "INTERNAL", Internal),
    ],
)
def test_the_class_follows_the_meaning(
    client: IdentityClient,
    service: FakeIdentityService,
    code: grpc.StatusCode,
    reason: str,
    kind: type[IdentityServiceError],
) -> None:
    """Each status has its exception, and reason and metadata are taken from ErrorInfo."""
    service.fail("GetUser", Failure(code, reason, metadata={"remaining": "nothing", "trace_id": "t-1"}))
    with pytest.raises(kind) as caught:
        client.get_user("ana")
    error = caught.value
    assert (error.code, error.reason, error.trace_id) == (code, reason, "t-1")
    assert error.metadata["remaining"] == "nothing"
    assert f"ERROR_REASON_{reason}" in ErrorReason.keys()  # noqa: SIM118 -- an enum wrapper is no mapping


def test_details_are_taken_apart(client: IdentityClient, service: FakeIdentityService) -> None:
    """Violations, quota, precondition, resource and retry time are attributes."""
    bad = error_details_pb2.BadRequest()
    bad.field_violations.add(field="user.path", description="must begin with /")
    quota = error_details_pb2.QuotaFailure()
    quota.violations.add(subject="account:1", description="10 of 10")
    before = error_details_pb2.PreconditionFailure()
    before.violations.add(type="t", subject="s", description="detach it first")
    resource = error_details_pb2.ResourceInfo(resource_type="user", resource_name="ana")
    failure = Failure(
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_FIELD",
        retry_after=1.5,
        more_details=(bad, quota, before, resource),
    )
    service.fail("GetUser", failure)
    with pytest.raises(InvalidRequest) as caught:
        client.get_user("ana")
    error = caught.value
    assert error.field_violations == (FieldViolation("user.path", "must begin with /"),)
    assert error.quota_violations == (QuotaViolation("account:1", "10 of 10"),)
    assert error.precondition_violations == ("detach it first",)
    assert error.resource == Resource("user", "ana")
    assert error.retry_after == 1.5
    assert "user.path: must begin with /" in str(error)


def test_a_violation_is_said_once(client: IdentityClient, service: FakeIdentityService) -> None:
    """What the message holds already is not repeated behind it; another violation is added."""
    bad = error_details_pb2.BadRequest()
    bad.field_violations.add(field="user.path", description="must begin with /")
    bad.field_violations.add(field="user.tags", description="too many")
    failure = Failure(
        grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", "user.path: must begin with /", more_details=(bad,)
    )
    service.fail("GetUser", failure)
    with pytest.raises(InvalidRequest) as caught:
        client.get_user("ana")
    assert str(caught.value).count("must begin with /") == 1
    assert "(user.tags: too many)" in str(caught.value)
    assert len(caught.value.field_violations) == 2


@pytest.mark.parametrize(
    "failure",
    [
        Failure(grpc.StatusCode.NOT_FOUND),
        Failure(grpc.StatusCode.NOT_FOUND, trailing=(("grpc-status-details-bin", b"\xff\xff\xff"),)),
        Failure(
            grpc.StatusCode.NOT_FOUND,
            more_details=(error_details_pb2.ErrorInfo(reason="USER_NOT_FOUND", domain="a.proxy"),),
        ),
    ],
    ids=["no details", "broken details", "another's details"],
)
def test_an_answer_without_own_details_is_still_an_error(
    client: IdentityClient, service: FakeIdentityService, failure: Failure
) -> None:
    """A proxy's answer has the status' class and no reason; the client's own trace id finds it."""
    service.fail("GetUser", failure)
    with pytest.raises(NotFound) as caught:
        client.get_user("ana")
    assert caught.value.reason == ""
    assert caught.value.trace_id in service.received[0].metadata["traceparent"]


def test_a_message_that_is_too_large_is_no_quota(client: IdentityClient, service: FakeIdentityService) -> None:
    """GRPC refuses requests above 64 KiB with the status of quotas; it is not taken for one, and is not sent."""
    with pytest.raises(IdentityServiceError) as caught:
        client.provision_user("ana", inline_policies={"p": "x" * 70_000})
    assert not isinstance(caught.value, QuotaExceeded)
    assert service.received == []


def test_no_secret_is_in_an_error(client: IdentityClient, service: FakeIdentityService) -> None:
    """Neither text, repr nor traceback of a failure shows the password that was sent."""
    service.fail("ProvisionUser", Failure(grpc.StatusCode.INVALID_ARGUMENT, "PASSWORD_POLICY_VIOLATION"))
    password = ConsolePassword(custom="hunter2!")
    with pytest.raises(InvalidRequest) as caught:
        client.provision_user("ana", console_password=password)
    shown = [str(caught.value), repr(caught.value), *traceback.format_exception(caught.value)]
    assert not any("hunter2!" in each for each in shown)


def test_every_error_is_exported() -> None:
    """What can be raised can be caught by a public name, and every class is in the drawing."""
    import identity_client._errors as errors

    kinds = [
        each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, IdentityServiceError)
    ]
    assert {each.__name__ for each in kinds} <= set(identity_client.__all__)
    assert all(each.__name__ in (errors.__doc__ or "") for each in kinds)
