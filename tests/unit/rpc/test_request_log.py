"""The log line and the span of an RPC."""

import asyncio
from typing import Any

import grpc
import pytest
from opentelemetry.trace import SpanKind, StatusCode

from identity_provisioning.v1.permission_pb2 import NewGroup, NewPolicy
from identity_provisioning.v1.permission_service_pb2 import (
    CreateGroupRequest,
    CreatePolicyRequest,
    DeleteGroupRequest,
    DeletePolicyRequest,
)
from identity_provisioning.v1.user_service_pb2 import DeleteUserRequest, GetUserRequest, ProvisionUserRequest
from identity_service.domain.errors import IdentityError, Reason
from identity_service.observability.aws_calls import AwsCall, record_aws_call
from identity_service.rpc.errors import abort
from identity_service.rpc.interceptors import error_answer
from identity_service.rpc.interceptors.around import Context
from tests.unit.rpc.support import INSECURE_CALLER_ID, ONLY_ACCOUNT_ID, REQUEST_ID, RunningServer, failure

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT_ID = "00f067aa0ba902b7"
POLICY_ARN = "arn:aws:iam::123456789012:policy/Deploy"
REQUEST = DeleteUserRequest(account_id="123456789012", request_id=REQUEST_ID, user_name="ann")


async def test_a_line_says_who_did_what_with_which_outcome(server: RunningServer) -> None:
    """One line per RPC holds method, caller, team, names, outcome, code, duration and the trace."""
    await server.call("UserService/DeleteUser", REQUEST)
    (line,) = await server.logged("rpc")
    (span,) = await server.finished_spans()
    assert span.context is not None
    assert line["duration_ms"] >= 0
    assert line["trace_id"] == f"{span.context.trace_id:032x}"
    assert line["span_id"] == f"{span.context.span_id:016x}"
    expected: dict[str, Any] = {
        "method": "identity_provisioning.v1.UserService/DeleteUser",
        "caller": INSECURE_CALLER_ID,
        "team": "people-team",
        "account_id": "123456789012",
        "user_name": "ann",
        "request_id": REQUEST_ID,
        "outcome": "OK",
        "grpc_code": "OK",
        "aws_request_ids": [],
        "level": "info",
    }
    assert expected.items() <= line.items()


async def test_a_request_without_an_account_means_the_only_one(server: RunningServer) -> None:
    """The line names the account that the request was for, also where the request did not."""
    await server.call("UserService/DeleteUser", DeleteUserRequest(request_id=REQUEST_ID, user_name="ann"))
    (line,) = await server.logged("rpc")
    assert line["account_id"] == ONLY_ACCOUNT_ID


async def test_a_line_of_a_failure_has_reason_and_code(server: RunningServer) -> None:
    """A refused RPC is logged with the reason that the client got."""
    server.application.error = IdentityError(Reason.USER_NOT_FOUND, "no such user")
    await failure(server.call("UserService/GetUser", GetUserRequest(user_name="ann")))
    (line,) = await server.logged("rpc")
    assert (line["outcome"], line["grpc_code"]) == ("USER_NOT_FOUND", "NOT_FOUND")


@pytest.mark.parametrize("error", [IdentityError(Reason.USER_NOT_FOUND, "no such user"), KeyError("ann")])
async def test_a_failure_is_on_record_before_it_is_answered(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Who has the answer to a failed RPC finds its line and its span."""
    found: list[int] = []

    async def answer(context: Context, error: IdentityError) -> None:
        found.extend((len(server.log_lines("rpc")), len(server.spans.get_finished_spans())))
        await abort(context, error)

    monkeypatch.setattr(error_answer, "abort", answer)
    server.application.error = error
    await failure(server.call("UserService/GetUser", GetUserRequest(user_name="ann")))
    assert found == [1, 1]


async def test_the_user_of_a_nested_request_is_named(server: RunningServer) -> None:
    """ProvisionUser's user name stands in its line, though it is a field of a field."""
    request = ProvisionUserRequest(request_id=REQUEST_ID.upper())
    request.user.user_name = "bob"
    await server.call("UserService/ProvisionUser", request)
    (line,) = await server.logged("rpc")
    assert (line["user_name"], line["request_id"]) == ("bob", REQUEST_ID)


@pytest.mark.parametrize(
    ("method", "request_message", "expected"),
    [
        ("CreateGroup", CreateGroupRequest(group=NewGroup(group_name="devs")), ("devs", "")),
        ("DeleteGroup", DeleteGroupRequest(group_name="devs"), ("devs", "")),
        ("CreatePolicy", CreatePolicyRequest(policy=NewPolicy(policy_name="Deploy", document="{}")), ("", "Deploy")),
        ("DeletePolicy", DeletePolicyRequest(policy_arn=POLICY_ARN), ("", POLICY_ARN)),
    ],
)
async def test_the_group_or_policy_of_a_request_is_named(
    server: RunningServer, method: str, request_message: Any, expected: tuple[str, str]
) -> None:
    """A line says which group or policy a call was about, whether it is there or is to be made."""
    request_message.request_id = REQUEST_ID
    await server.call(f"PermissionService/{method}", request_message)
    (line,) = await server.logged("rpc")
    assert (line["group_name"], line["policy"]) == expected
    assert line["user_name"] == ""


async def test_values_that_are_not_checked_yet_are_cut(server: RunningServer) -> None:
    """A refused request cannot fill the log with a long name."""
    await failure(server.call("UserService/GetUser", GetUserRequest(user_name="x" * 10_000)))
    (line,) = await server.logged("rpc")
    assert len(line["user_name"]) < 200


async def test_aws_calls_of_owned_work_are_in_the_line(server: RunningServer) -> None:
    """The ids of AWS calls that a mutation's own task made reach the line of its RPC, and no other's."""

    async def record() -> None:
        record_aws_call(AwsCall("iam:DeleteUser", "aws-1", "ok"))
        await asyncio.sleep(0)
        record_aws_call(AwsCall("iam:GetUser", "", "UNAVAILABLE"))  # Nobody answered: there is no id.
        record_aws_call(AwsCall("iam:GetUser", "aws-2", "NoSuchEntity"))

    server.application.wait_for = record
    await server.call("UserService/DeleteUser", REQUEST)
    server.application.wait_for = None
    await server.call("UserService/DeleteUser", REQUEST)
    first, second = await server.logged("rpc", 2)
    assert first["aws_request_ids"] == ["aws-1", "aws-2"]
    assert second["aws_request_ids"] == []


async def test_a_span_is_a_child_of_the_callers(server: RunningServer) -> None:
    """The span has the RPC's name and attributes, and the caller's `traceparent` as its parent."""
    metadata = (("traceparent", f"00-{TRACE_ID}-{PARENT_ID}-01"),)
    await server.call("UserService/DeleteUser", REQUEST, metadata=metadata)
    (span,) = await server.finished_spans()
    assert span.name == "identity_provisioning.v1.UserService/DeleteUser"
    assert span.kind is SpanKind.SERVER
    assert span.parent is not None
    assert (f"{span.parent.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE_ID, PARENT_ID)
    assert dict(span.attributes or {}) == {
        "rpc.system.name": "grpc",
        "rpc.method": "identity_provisioning.v1.UserService/DeleteUser",
        "rpc.response.status_code": "OK",
    }
    (line,) = await server.logged("rpc")
    assert line["trace_id"] == TRACE_ID


@pytest.mark.parametrize("traceparent", ["", "garbage", f"00-{'0' * 32}-{PARENT_ID}-01"])
async def test_a_bad_traceparent_is_ignored(server: RunningServer, traceparent: str) -> None:
    """What is no trace context begins a trace of its own."""
    await server.call("UserService/DeleteUser", REQUEST, metadata=(("traceparent", traceparent),))
    (span,) = await server.finished_spans()
    assert span.parent is None


@pytest.mark.parametrize(
    ("reason", "expected"),
    [(Reason.AWS_UNAVAILABLE, StatusCode.ERROR), (Reason.USER_NOT_FOUND, StatusCode.UNSET)],
)
async def test_only_the_servers_faults_are_errors_of_its_span(
    server: RunningServer, reason: Reason, expected: StatusCode
) -> None:
    """A span is in error when the service failed, not when it refused; no text of the error is in it."""
    server.application.error = IdentityError(reason, "canary text")
    await failure(server.call("UserService/DeleteUser", REQUEST))
    (span,) = await server.finished_spans()
    assert span.status.status_code is expected
    assert span.attributes is not None
    assert span.attributes["error.type"] == reason.name
    assert "canary" not in span.to_json()


async def test_calls_side_by_side_do_not_mix(server: RunningServer) -> None:
    """Each of many concurrent RPCs has its own line."""
    names = [f"user-{index}" for index in range(20)]
    server.application.error = IdentityError(Reason.USER_NOT_FOUND, "no such user")
    calls = (failure(server.call("UserService/GetUser", GetUserRequest(user_name=name))) for name in names)
    errors = await asyncio.gather(*calls)
    assert {error.code() for error in errors} == {grpc.StatusCode.NOT_FOUND}
    assert sorted(line["user_name"] for line in await server.logged("rpc", 20)) == sorted(names)
