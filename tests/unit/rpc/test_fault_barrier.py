"""What a client, the log and the trace see of a fault."""

import asyncio

import grpc
import pytest

from identity_provisioning.v1.user_service_pb2 import DeleteUserRequest, GetUserRequest
from identity_service.domain.errors import IamError, IamErrorKind, IdentityError, Reason
from identity_service.rpc.interceptors import request_log, well_formedness
from tests.unit.rpc.support import REQUEST_ID, RunningServer, details_of, failure, status_of

CANARY = "canary-wJalrXUtnFEMI"
REQUEST = DeleteUserRequest(request_id=REQUEST_ID, user_name="ann")


def chained() -> Exception:
    """Build an exception whose cause holds the canary too."""
    error = ValueError(CANARY)
    error.__cause__ = KeyError(CANARY)
    return error


@pytest.mark.parametrize(
    "error",
    [ValueError(CANARY), chained(), IamError(IamErrorKind.UNAVAILABLE, CANARY), ExceptionGroup(CANARY, [OSError()])],
    ids=["foreign", "with a cause", "not translated", "group"],
)
async def test_a_fault_shows_a_trace_id_and_nothing_else(server: RunningServer, error: Exception) -> None:
    """The text of an unexpected exception reaches neither the client, nor the log, nor the span."""
    server.application.error = error
    received = await failure(server.call("UserService/DeleteUser", REQUEST))
    info = details_of(status_of(received))["ErrorInfo"]
    assert received.code() is grpc.StatusCode.INTERNAL
    assert info.reason == "INTERNAL"
    assert set(info.metadata) == {"trace_id"}
    (fault,) = await server.logged("fault")
    assert fault["trace_id"] == info.metadata["trace_id"]
    assert fault["exception"][0]["type"].endswith(type(error).__name__)
    assert any("run" in frame for frame in fault["exception"][0]["frames"])
    (span,) = await server.finished_spans()
    assert CANARY not in str(received) + server.log.getvalue().decode() + span.to_json()
    assert not span.events


async def test_a_cancellation_that_comes_from_below_is_answered(server: RunningServer) -> None:
    """A CancelledError that nobody asked for does not leave the client waiting for ever."""
    server.application.error = asyncio.CancelledError()
    read = await failure(server.call("UserService/GetUser", GetUserRequest(user_name="ann"), timeout=10))
    mutated = await failure(server.call("UserService/DeleteUser", REQUEST, timeout=10))
    assert read.code() is grpc.StatusCode.INTERNAL
    assert mutated.code() is grpc.StatusCode.UNAVAILABLE
    assert details_of(status_of(mutated))["ErrorInfo"].reason == "SHUTTING_DOWN"


async def test_the_server_goes_on_after_a_fault(server: RunningServer) -> None:
    """One fault is one call's fault."""
    server.application.error = RuntimeError()
    await failure(server.call("UserService/DeleteUser", REQUEST))
    server.application.error = None
    await server.call("UserService/DeleteUser", REQUEST)
    assert sorted(line["outcome"] for line in await server.logged("rpc", 2)) == ["INTERNAL", "OK"]


@pytest.mark.parametrize(
    ("metadata", "trace_id"),
    [({"remaining": "nothing"}, None), ({"trace_id": "of-the-first-attempt"}, "of-the-first-attempt")],
    ids=["new", "replayed"],
)
async def test_a_fault_that_the_application_reports_has_a_trace_id_too(
    server: RunningServer, metadata: dict[str, str], trace_id: str | None
) -> None:
    """INTERNAL always leads to the log, beside what else its metadata say; a replay keeps the id that it came with."""
    server.application.error = IdentityError(Reason.INTERNAL, "a step failed", metadata=metadata)
    received = await failure(server.call("UserService/DeleteUser", REQUEST))
    (line,) = await server.logged("rpc")
    answered = dict(details_of(status_of(received))["ErrorInfo"].metadata)
    assert received.code() is grpc.StatusCode.INTERNAL
    assert answered == {**metadata, "trace_id": trace_id or line["trace_id"]}


async def test_other_errors_have_no_trace_id(server: RunningServer) -> None:
    """What is no fault of the service is answered with its own metadata alone."""
    server.application.error = IdentityError(Reason.CONFLICT, "try again", metadata={"remaining": "nothing"})
    received = await failure(server.call("UserService/DeleteUser", REQUEST))
    assert dict(details_of(status_of(received))["ErrorInfo"].metadata) == {"remaining": "nothing"}


@pytest.mark.parametrize("function", ["_trace_id", "_log"])
async def test_a_log_that_fails_tells_the_client_nothing(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    """What fails around the barrier itself, before or after an error, reaches the client as no text either."""

    def fail(*_: object) -> None:
        raise RuntimeError(CANARY)

    monkeypatch.setattr(request_log, function, fail)
    server.application.error = IdentityError(Reason.USER_NOT_FOUND, "no such user")
    received = await failure(server.call("UserService/DeleteUser", REQUEST))
    assert received.code() is grpc.StatusCode.INTERNAL
    assert CANARY not in str(received) + server.log.getvalue().decode()


async def test_an_interceptor_that_fails_tells_the_client_nothing(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fails while the handler is looked for is answered as well."""

    def fail(*_: object) -> None:
        raise RuntimeError(CANARY)

    monkeypatch.setattr(well_formedness, "is_built", fail)
    received = await failure(server.call("UserService/DeleteUser", REQUEST))
    assert received.code() is grpc.StatusCode.INTERNAL
    assert CANARY not in str(received) + server.log.getvalue().decode()
