"""OperationService: what a request becomes for the application, and what its answer becomes for the caller."""

import asyncio
from dataclasses import replace
from typing import Any

import grpc
from google.rpc import error_details_pb2

from identity_provisioning.v1 import operation_pb2, user_pb2
from identity_provisioning.v1.credential_pb2 import ConsolePasswordSpec, CredentialSpec
from identity_provisioning.v1.operation_service_pb2 import (
    AppendUsersRequest,
    AppendUsersResponse,
    CancelOperationRequest,
    CreateOperationRequest,
    CreateOperationResponse,
    ListOperationResultsRequest,
    ListOperationResultsResponse,
    ListOperationsRequest,
    ListOperationsResponse,
    StartOperationRequest,
    StartOperationResponse,
    WatchOperationRequest,
    WatchOperationResponse,
)
from identity_provisioning.v1.permission_pb2 import PermissionSpec
from identity_service.application.ledger import Failure
from identity_service.application.operations.ports import Progress, Traffic, UserResult
from identity_service.application.operations.service import OperationRequest
from identity_service.domain import target
from identity_service.domain.entities import Page
from identity_service.domain.errors import IdentityError, Reason
from identity_service.domain.operation import OperationState, UserState
from identity_service.domain.outcome import IssuedCredentials, Outcome
from identity_service.domain.plan import Plan, QuotaUse
from identity_service.domain.request import ConsolePassword, Credentials, NewUser, Permissions, RequestFields
from tests.unit.rpc.support import (
    INSECURE_CALLER_ID,
    LONG,
    OPERATION,
    REQUEST_ID,
    TEAM,
    LogStream,
    RunningServer,
    failure,
    running_server,
    violations_of,
)

ID = OPERATION.operation_id
CANCEL = CancelOperationRequest(request_id=REQUEST_ID, operation_id=ID)


async def watch(server: RunningServer, request: WatchOperationRequest, **options: Any) -> list[WatchOperationResponse]:
    """Read a stream to its end."""
    rpc: Any = server.channel.unary_stream(
        "/identity_provisioning.v1.OperationService/WatchOperation",
        None,
        WatchOperationResponse.FromString,
    )
    return [answer async for answer in rpc(request.SerializeToString(), **options)]


async def test_a_draft_is_asked_for_and_answered(server: RunningServer) -> None:
    """Recipients and ids reach the application, in one form whatever their letter case."""
    request = CreateOperationRequest(request_id=REQUEST_ID.upper(), recipients=["age1x"], validate_only=True)
    answer = await server.call("OperationService/CreateOperation", request, CreateOperationResponse)
    asked = OperationRequest("", REQUEST_ID, validate_only=True)
    assert server.application.reads == [("create", INSECURE_CALLER_ID, asked, ("age1x",))]
    assert (answer.operation.operation_id, answer.operation.owner_team) == (ID, TEAM)
    assert answer.operation.state == operation_pb2.Operation.STATE_DRAFT


async def test_users_are_converted_with_fields_of_their_own(server: RunningServer) -> None:
    """Each user of a batch becomes what ProvisionUser would make of it, its fields named from the user on."""
    spec = user_pb2.UserSpec(
        user_name="ann",
        tags=[user_pb2.Tag(key="k", value="v")],
        credentials=CredentialSpec(access_key=True, console_password=ConsolePasswordSpec(require_reset=True)),
        permissions=PermissionSpec(group_names=["G"]),
    )
    request = AppendUsersRequest(request_id=REQUEST_ID, operation_id=ID, sequence_number=3, users=[spec])
    answer = await server.call("OperationService/AppendUsers", request, AppendUsersResponse)
    assert answer.total_users == 1
    ((_, _, _, operation_id, number, (change,)),) = server.application.reads
    assert (operation_id, number, change.user_name) == (ID, 3, "ann")
    assert change.new_user == NewUser("/", (("k", "v"),))
    assert change.credentials == Credentials(True, ConsolePassword(require_reset=True))
    assert change.permissions == Permissions(group_names=("G",))
    assert change.fields == RequestFields(
        "user_name", "tags", "permissions.permissions_boundary", "permissions", "credentials"
    )


async def test_every_user_of_a_batch_is_checked(server: RunningServer) -> None:
    """What is not well formed is named with the user's place, and the application is not asked."""
    users = [user_pb2.UserSpec(user_name="ann"), user_pb2.UserSpec(user_name="no blanks")]
    request = AppendUsersRequest(request_id=REQUEST_ID, operation_id=ID, users=users)
    error = await failure(server.call("OperationService/AppendUsers", request))
    assert list(violations_of(error)) == ["users[1].user_name"]
    assert server.application.reads == []


async def test_a_start_answers_quotas_and_progress(server: RunningServer) -> None:
    """The digest reaches the application; progress, traffic and quotas are answered."""
    server.application.operation = replace(
        OPERATION,
        state=OperationState.RUNNING,
        progress=Progress(total=9, made=4, failed=1, running=2, planned=3, problems=2),
        plan_digest="a" * 64,
        quota_uses=(QuotaUse("UsersQuota", 1, 10, 5000),),
        traffic=Traffic(190.5, 7),
    )
    request = StartOperationRequest(request_id=REQUEST_ID, operation_id=ID.upper(), expected_plan_digest="b" * 64)
    answer = await server.call("OperationService/StartOperation", request, StartOperationResponse)
    assert server.application.reads == [("start", INSECURE_CALLER_ID, OperationRequest("", REQUEST_ID), ID, "b" * 64)]
    assert answer.operation.plan_digest == "a" * 64
    assert answer.operation.progress == operation_pb2.OperationProgress(
        total_users=9,
        succeeded_users=4,
        failed_users=1,
        running_users=2,
        planned_users=3,
        problem_users=2,
        calls_per_second=190.5,
        throttled_calls=7,
    )
    (use,) = answer.quota_uses
    assert (use.quota_name, use.used_before, use.used_after, use.limit) == ("UsersQuota", 1, 10, 5000)


async def test_each_result_has_its_outcome(server: RunningServer) -> None:
    """Made, failed, planned and waiting users are told apart; a failure has the details that an RPC would have."""
    error = IdentityError(Reason.THROTTLED, "throttled", metadata={"k": "v"}, retry_after=1.0)
    server.application.page = Page(
        (
            UserResult(0, "ann", UserState.MADE, outcome=Outcome(credentials=IssuedCredentials(sealed_secrets="age"))),
            UserResult(1, "bo", UserState.FAILED, failure=Failure(error, retryable=True)),
            UserResult(2, "cy", UserState.PLANNED, plan=Plan("1" * 12, target.user("cy"))),
            UserResult(3, "di", UserState.WAITING),
        ),
        "3",
    )
    request = ListOperationResultsRequest(operation_id=ID, page_size=4, page_token="0", failed_only=True)
    answer = await server.call("OperationService/ListOperationResults", request, ListOperationResultsResponse)
    assert server.application.reads == [("results", INSECURE_CALLER_ID, "", ID, 4, "0", True)]
    assert answer.next_page_token == "3"
    made, failed, planned, waiting = answer.results
    assert made.made.credentials.sealed_secrets == "age"
    info = error_details_pb2.ErrorInfo()
    assert failed.error.details[0].Unpack(info)
    assert (failed.error.code, info.reason, dict(info.metadata)) == (14, "THROTTLED", {"k": "v"})
    assert planned.plan.user_name == "cy"
    assert waiting.WhichOneof("outcome") is None
    assert [result.index for result in answer.results] == [0, 1, 2, 3]


async def test_operations_are_listed(server: RunningServer) -> None:
    """A page of operations is asked for and answered; cancelling names its operation."""
    server.application.page = Page((OPERATION,), "token")
    answer = await server.call("OperationService/ListOperations", ListOperationsRequest(), ListOperationsResponse)
    assert ([each.operation_id for each in answer.operations], answer.next_page_token) == ([ID], "token")
    await server.call("OperationService/CancelOperation", CANCEL)
    assert server.application.reads[-1] == ("cancel", INSECURE_CALLER_ID, OperationRequest("", REQUEST_ID), ID)


async def test_a_stream_has_no_deadline_but_its_callers(log: LogStream) -> None:
    """Who watches without a deadline is not cut off by the default one; a deadline of the caller's holds."""
    gate = asyncio.Event()

    async def wait() -> None:
        await gate.wait()

    async with running_server(log, default_deadline=0.05) as server:
        server.application.wait_for = wait
        error = await failure(watch(server, WatchOperationRequest(operation_id=ID), timeout=0.5))
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        watching = asyncio.create_task(watch(server, WatchOperationRequest(operation_id=ID)))
        # A call that has a default deadline, and waits for the same, ends before the stream does.
        await failure(server.call("OperationService/CancelOperation", CANCEL))
        assert not watching.done()
        gate.set()
        assert [answer.operation.operation_id for answer in await watching] == [ID]


async def test_a_stream_is_logged_like_any_call(server: RunningServer) -> None:
    """One line tells who watched and how it ended; a request that is not well formed is refused."""
    await watch(server, WatchOperationRequest(operation_id=ID), timeout=LONG)
    error = await failure(watch(server, WatchOperationRequest(operation_id="x"), timeout=LONG))
    assert list(violations_of(error)) == ["operation_id"]
    lines = await server.logged("rpc", 2)
    assert [(line["method"].rpartition("/")[2], line["outcome"]) for line in lines] == [
        ("WatchOperation", "OK"),
        ("WatchOperation", "INVALID_FIELD"),
    ]
