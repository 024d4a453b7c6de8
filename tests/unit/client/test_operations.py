"""Many users with the client: batches, watching over broken connections, the whole in one call."""

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity_client import AsyncIdentityClient, IdentityClient, NotFound, Unavailable, in_batches, user_spec
from identity_client._bulk import Watch
from identity_client._errors import ErrorDetails
from identity_client._retry import Pace
from identity_provisioning.v1.operation_pb2 import Operation, OperationResult
from identity_provisioning.v1.operation_service_pb2 import (
    AppendUsersRequest,
    CreateOperationResponse,
    WatchOperationResponse,
)
from tests.unit.client.fake_service import Failure, FakeIdentityService
from tests.unit.client.slow_motion import SlowMotion

MESSAGE_BYTES = 64 * 1024
CUT = Failure(grpc.StatusCode.UNAVAILABLE)


@given(st.lists(st.integers(min_value=0, max_value=40_000), max_size=30))
def test_batches_hold_every_user_once_and_fit(sizes: list[int]) -> None:
    """Whatever the users weigh, the batches hold them all in their order, each in a message that the service takes."""
    users = [user_spec(f"user-{index}", inline_policies={"p": "x" * size}) for index, size in enumerate(sizes)]
    batches = list(in_batches(users))
    assert [user for batch in batches for user in batch] == users
    for batch in batches:
        request = AppendUsersRequest(operation_id="o" * 36, request_id="r" * 36, sequence_number=9999, users=batch)
        assert batch
        assert request.ByteSize() < MESSAGE_BYTES


def test_small_users_fill_batches_that_the_contract_allows() -> None:
    """No batch has more users than the contract takes, and they are taken only as they are needed."""
    taken = 0

    def users() -> Any:
        nonlocal taken
        for index in range(3000):
            taken += 1
            yield user_spec(f"u{index}")

    batches = in_batches(users())
    assert 0 < len(next(batches)) <= 1000
    assert taken <= 1001


@pytest.fixture
def patient(service: FakeIdentityService, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Connect a client whose waits take no time."""
    motion = SlowMotion()
    monkeypatch.setattr("identity_client._client.time", motion)
    monkeypatch.setattr("identity_client._client.Pace", lambda: motion.pace)
    with IdentityClient(service.target, insecure=True, timeout=5.0) as connected:
        yield connected


def test_a_cut_stream_is_taken_up_again(service: FakeIdentityService, patient: IdentityClient) -> None:
    """Broken connections and a full server end one stream and not the watching."""
    service.watched_before_failure = (Operation.STATE_RUNNING,)
    service.fail("WatchOperation", CUT)
    service.fail("WatchOperation", Failure(grpc.StatusCode.UNAVAILABLE, "OVERLOADED", retry_after=1.0))
    states = [operation.state for operation in patient.follow_operation("o")]
    assert states[-1] == Operation.STATE_DONE
    assert set(states[:-1]) == {Operation.STATE_RUNNING}
    assert len(service.calls("WatchOperation")) == 3


def test_a_failure_that_does_not_pass_ends_the_watching(service: FakeIdentityService, client: IdentityClient) -> None:
    """An operation that is not there is told at once."""
    service.watched_before_failure = ()
    service.fail("WatchOperation", Failure(grpc.StatusCode.NOT_FOUND, "OPERATION_NOT_FOUND"))
    with pytest.raises(NotFound):
        list(client.follow_operation("o"))
    assert len(service.calls("WatchOperation")) == 1


def test_patience_ends_where_nothing_is_heard() -> None:
    """A watch tries again for as long as its patience, counted from the last it heard."""
    now = 0.0
    watch = Watch("o", "", 10.0, Pace(clock=lambda: now, jitter=lambda: 1.0))
    failure = Unavailable(ErrorDetails(grpc.StatusCode.UNAVAILABLE))
    assert watch.wait_after(failure) > 0
    now = 9.0
    watch.hear(WatchOperationResponse(operation=Operation(state=Operation.STATE_RUNNING)))
    now = 18.0
    assert watch.wait_after(failure) > 0
    now = 19.5
    with pytest.raises(Unavailable):
        watch.wait_after(failure)


def prepare(service: FakeIdentityService) -> None:
    """Let the fake service have an operation with two results."""
    service.answers["CreateOperation"] = CreateOperationResponse(operation=Operation(operation_id="o-1"))
    service.lists["ListOperationResults"] = [OperationResult(index=index) for index in range(2)]


def check_calls(service: FakeIdentityService) -> None:
    """Expect the calls of one operation, in their order, with the users and the recipient."""
    assert [each.method for each in service.received] == [
        "CreateOperation",
        "AppendUsers",
        "StartOperation",
        "WatchOperation",
        "ListOperationResults",
    ]
    create, append, start, *_ = (each.request for each in service.received)
    assert list(create.recipients) == ["age1recipient"]
    assert (append.operation_id, append.sequence_number) == ("o-1", 0)
    assert [user.user_name for user in append.users] == ["ann", "bo"]
    assert start.validate_only
    assert len({create.request_id, append.request_id, start.request_id}) == 3


def test_many_users_are_one_call(service: FakeIdentityService, client: IdentityClient) -> None:
    """Draft, batches, start, watching and results are one method."""
    prepare(service)
    heard: list[Operation] = []
    results = client.provision_many(
        map(user_spec, ("ann", "bo")), recipients=["age1recipient"], validate_only=True, on_progress=heard.append
    )
    assert [result.index for result in results] == [0, 1]
    assert [operation.state for operation in heard] == [Operation.STATE_RUNNING, Operation.STATE_DONE]
    check_calls(service)


async def test_many_users_are_one_awaited_call(service: FakeIdentityService) -> None:
    """The asyncio twin does the same."""
    prepare(service)
    async with AsyncIdentityClient(service.target, insecure=True) as client:
        results = await client.provision_many(
            map(user_spec, ("ann", "bo")), recipients=["age1recipient"], validate_only=True
        )
        assert [result.index async for result in results] == [0, 1]
    check_calls(service)


@pytest.mark.parametrize(
    ("call", "method"),
    [
        (lambda client: client.get_operation("o"), "GetOperation"),
        (lambda client: client.cancel_operation("o", validate_only=True), "CancelOperation"),
        (lambda client: client.list_operations(page_size=5), "ListOperations"),
    ],
)
def test_the_other_calls_have_natural_arguments(
    service: FakeIdentityService, client: IdentityClient, call: Callable[[IdentityClient], Any], method: str
) -> None:
    """Each reaches its RPC with what it was given."""
    call(client)
    (received,) = service.received
    assert received.method == method
    assert getattr(received.request, "operation_id", "o") == "o"
