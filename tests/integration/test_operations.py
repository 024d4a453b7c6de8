"""Many users as one operation: the real server, an embedded account, the shipped client; crashes in the middle."""

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pyrage
import pytest
from google.rpc.error_details_pb2 import ErrorInfo

from identity_client import (
    AsyncIdentityClient,
    FailedPrecondition,
    IdentityClient,
    InvalidRequest,
    NotFound,
    QuotaExceeded,
    Unavailable,
    in_batches,
    user_spec,
)
from identity_provisioning.v1.operation_pb2 import Operation, OperationResult
from identity_provisioning.v1.operation_service_pb2 import WatchOperationRequest
from identity_provisioning.v1.user_pb2 import UserSpec
from tests.integration.conftest import Account, start_server, wait_until_ready
from tests.support.processes import Process

USERS = 200
QUICK_LEASE = {
    "IDENTITY_SERVICE_AWS_CONNECT_TIMEOUT": "0.5",
    "IDENTITY_SERVICE_AWS_READ_TIMEOUT": "1.5",
    "IDENTITY_SERVICE_LEASE_SECONDS": "6",
}
"""So that a dead server's users are taken over soon."""


class Servers:
    """Servers of a test's own, one after the other on one store."""

    def __init__(self, account: Account, folder: Path) -> None:
        self._account = account
        self._folder = folder
        self._running: list[Process] = []

    def start(self, variables: Mapping[str, str] | None = None) -> str:
        """Start one; return its address."""
        (self._folder / "ready.json").unlink(missing_ok=True)
        process, ready = start_server(self._account, self._folder, variables)
        self._running.append(process)
        return wait_until_ready(process, ready)

    def kill(self) -> None:
        """End the last one as a power failure would."""
        self._running[-1].kill()
        self._running[-1].wait()

    def stop(self) -> None:
        """End all that still run."""
        for process in self._running:
            process.terminate()
            process.wait(60)


@pytest.fixture
def servers(account: Account, tmp_path: Path) -> Iterator[Servers]:
    """Start servers on a store of the test's own."""
    started = Servers(account, tmp_path)
    yield started
    started.stop()


@pytest.fixture
def identity() -> pyrage.x25519.Identity:
    """Make an age identity to seal to."""
    return pyrage.x25519.Identity.generate()


def recipient_of(identity: pyrage.x25519.Identity) -> str:
    """Name whom to seal to."""
    return str(identity.to_public())


def many(number: int, **parts: object) -> Iterator[UserSpec]:
    """Describe users in Developers."""
    return (user_spec(f"user-{index}", groups=["Developers"], **parts) for index in range(number))  # type: ignore[arg-type] # parts are what user_spec takes


def draft(client: IdentityClient, users: Iterator[UserSpec], *recipients: str) -> str:
    """Make a draft with users; return its id."""
    operation_id = client.create_operation(recipients=recipients).operation.operation_id
    for number, batch in enumerate(in_batches(users)):
        client.append_users(operation_id, number, batch)
    return operation_id


def reason_of(result: OperationResult) -> str:
    """Read the reason out of a user's error."""
    info = ErrorInfo()
    assert result.error.details[0].Unpack(info)
    return str(info.reason)


def user_names(account: Account) -> list[str]:
    """List the account's users."""
    pages = account.iam.get_paginator("list_users").paginate()
    return [user["UserName"] for page in pages for user in page["Users"]]


@contextmanager
def connected(address: str) -> Iterator[IdentityClient]:
    """Connect the shipped client."""
    with IdentityClient(address, insecure=True) as client:
        yield client


def test_many_users_survive_a_crash_in_the_middle(
    servers: Servers, account: Account, identity: pyrage.x25519.Identity
) -> None:
    """A server killed in the middle leaves no user out, none twice, none with two keys, and no secret unread."""
    with connected(servers.start({**QUICK_LEASE, "IDENTITY_SERVICE_BULK_CONCURRENCY": "4"})) as client:
        operation_id = draft(client, many(USERS, access_key=True), recipient_of(identity))
        client.start_operation(operation_id)
        for operation in client.follow_operation(operation_id):
            if operation.progress.succeeded_users >= USERS // 5:
                break
        assert operation.state == Operation.STATE_RUNNING
        servers.kill()
        with pytest.raises(Unavailable):
            list(client.follow_operation(operation_id, patience=0.5))
    with connected(servers.start(QUICK_LEASE)) as client:
        *_, last = client.follow_operation(operation_id)
        assert last.state == Operation.STATE_DONE
        assert (last.progress.succeeded_users, last.progress.failed_users) == (USERS, 0)
        results = list(client.iterate_operation_results(operation_id, page_size=30))
    names = [f"user-{index}" for index in range(USERS)]
    assert [result.user_name for result in results] == names
    assert sorted(user_names(account)) == sorted(names)
    for result in results:
        (key,) = account.iam.list_access_keys(UserName=result.user_name)["AccessKeyMetadata"]
        assert key["AccessKeyId"] == result.made.credentials.access_key.access_key_id
        opened = pyrage.decrypt(_armored(result.made.credentials.sealed_secrets), [identity])
        assert key["AccessKeyId"] in opened.decode()


def _armored(sealed: str) -> bytes:
    return sealed.encode()


def test_users_that_fail_say_why_and_harm_no_other(client: IdentityClient, account: Account) -> None:
    """One user's failure is its own, with a typed error; all others are made."""
    account.iam.create_user(UserName="Taken")
    users = [user_spec("ann"), user_spec("taken"), user_spec("bo", groups=["Nowhere"]), user_spec("cy")]
    results = list(client.provision_many(users))
    assert [result.WhichOneof("outcome") for result in results] == ["made", "error", "error", "made"]
    assert [reason_of(result) for result in results[1:3]] == ["USER_ALREADY_EXISTS", "GROUP_NOT_FOUND"]
    assert results[0].made.user.owner_team == "try-out"
    operation = client.list_operations(page_size=1).operations[0]
    failed = list(client.iterate_operation_results(operation.operation_id, failed_only=True))
    assert [result.user_name for result in failed] == ["taken", "bo"]


def test_groups_are_read_once_for_all(client: IdentityClient, account: Account) -> None:
    """What does not depend on the user is not asked of IAM for each."""
    results = list(client.provision_many(many(40)))
    assert all(result.HasField("made") for result in results)
    calls = Counter(call.operation for call in account.aws.calls())
    assert calls["CreateUser"] == calls["AddUserToGroup"] == 40
    assert max(calls["GetGroup"], calls["GetAccountSummary"], calls["GetAccountPasswordPolicy"]) < 10


def test_a_plan_is_reviewed_and_then_run(client: IdentityClient, account: Account) -> None:
    """The paged plan makes nobody; with its digest the operation runs, but for users that changed since."""
    operation_id = draft(client, many(5))
    client.start_operation(operation_id, validate_only=True)
    *_, planned = client.follow_operation(operation_id)
    assert (planned.state, planned.progress.planned_users) == (Operation.STATE_PLANNED, 5)
    assert account.writes() == []
    plans = list(client.iterate_operation_results(operation_id, page_size=2))
    actions = [[step.iam_action for step in result.plan.steps] for result in plans]
    assert actions == [["iam:CreateUser", "iam:AddUserToGroup"]] * 5
    account.iam.create_user(UserName="user-3")
    started = client.start_operation(operation_id, expected_plan_digest=planned.plan_digest)
    assert [(use.quota_name, use.used_after - use.used_before) for use in started.quota_uses] == [("UsersQuota", 5)]
    *_, done = client.follow_operation(operation_id)
    assert (done.progress.succeeded_users, done.progress.failed_users) == (4, 1)


def test_a_cancelled_operation_keeps_what_was_made(servers: Servers, account: Account) -> None:
    """After a cancellation nobody new is begun, and results and account agree."""
    with connected(servers.start({"IDENTITY_SERVICE_BULK_CONCURRENCY": "2"})) as client:
        operation_id = draft(client, many(USERS))
        client.start_operation(operation_id)
        for operation in client.follow_operation(operation_id):
            if operation.progress.succeeded_users:
                break
        client.cancel_operation(operation_id)
        *_, last = client.follow_operation(operation_id)
        assert last.state == Operation.STATE_CANCELLED
        assert 0 < last.progress.succeeded_users < USERS
        results = list(client.iterate_operation_results(operation_id, page_size=1000))
        assert client.cancel_operation(operation_id).operation == last
    made = {result.user_name for result in results if result.HasField("made")}
    assert made == set(user_names(account))
    assert len(made) == last.progress.succeeded_users


def test_wrong_batches_are_refused(client: IdentityClient) -> None:
    """Repeated batches are taken as one; gaps, namesakes and late ones are refused at once, with their fields."""
    operation_id = client.create_operation().operation.operation_id
    for _ in range(2):
        assert client.append_users(operation_id, 0, [user_spec("ann")]).total_users == 1
    with pytest.raises(InvalidRequest) as gap:
        client.append_users(operation_id, 2, [user_spec("bo")])
    assert gap.value.metadata["next_sequence_number"] == "1"
    with pytest.raises(InvalidRequest) as namesake:
        client.append_users(operation_id, 1, [user_spec("bo"), user_spec("ANN")])
    assert [violation.field for violation in namesake.value.field_violations] == ["users[1].user_name"]
    with pytest.raises(InvalidRequest) as unsealed:
        client.append_users(operation_id, 1, [user_spec("bo", console_password=True)])
    assert [violation.field for violation in unsealed.value.field_violations] == ["users[0].credentials"]
    with pytest.raises(InvalidRequest) as malformed:
        client.append_users(operation_id, 1, [user_spec("no blanks")])
    assert [violation.field for violation in malformed.value.field_violations] == ["users[0].user_name"]
    client.cancel_operation(operation_id)
    with pytest.raises(FailedPrecondition) as late:
        client.append_users(operation_id, 1, [user_spec("bo")])
    assert (late.value.reason, late.value.metadata["state"]) == ("WRONG_STATE", "CANCELLED")


def test_a_bulk_beyond_the_quota_is_refused_whole(client: IdentityClient, account: Account) -> None:
    """Where the account cannot take all users, the start is refused with the figures, and nobody is made."""
    operation_id = draft(client, (user_spec(f"user-{index}") for index in range(5001)))
    with pytest.raises(QuotaExceeded) as refused:
        client.start_operation(operation_id)
    (violation,) = refused.value.quota_violations
    assert violation.description == "UsersQuota: 0 used, 5001 more needed, limit 5000"
    assert account.writes() == []
    assert client.get_operation(operation_id).operation.state == Operation.STATE_DRAFT


def test_an_unknown_operation_is_not_found(client: IdentityClient) -> None:
    """Each RPC answers OPERATION_NOT_FOUND for an id that is nobody's, the stream too."""
    unknown = "7e57ab1e-6c1d-4f0e-9a54-3f6d0c2b7e11"
    with pytest.raises(NotFound) as missing:
        client.get_operation(unknown)
    assert missing.value.reason == "OPERATION_NOT_FOUND"
    with pytest.raises(NotFound):
        list(client.follow_operation(unknown))
    with pytest.raises(InvalidRequest):
        list(client.watch_operation(WatchOperationRequest(operation_id="no uuid")))


def test_watchers_starve_nobody(servers: Servers) -> None:
    """With as many watchers as there may be, one more is told to come back, and other calls are answered."""
    limits = {"IDENTITY_SERVICE_MAXIMUM_WATCHERS": "3", "IDENTITY_SERVICE_MAXIMUM_CONCURRENT_RPCS": "1"}
    with connected(servers.start({**limits, "IDENTITY_SERVICE_BULK_CONCURRENCY": "1"})) as client:
        operation_id = draft(client, many(USERS))
        client.start_operation(operation_id)
        request = WatchOperationRequest(operation_id=operation_id)
        watchers = [client.watch_operation(request) for _ in range(3)]
        for watcher in watchers:
            assert next(watcher).operation.state == Operation.STATE_RUNNING
        with pytest.raises(Unavailable) as refused:
            next(client.watch_operation(request))
        assert refused.value.reason == "OVERLOADED"
        assert client.get_operation(operation_id).operation.operation_id == operation_id
        client.cancel_operation(operation_id)
        for watcher in watchers:
            *_, last = itertools.chain([None], watcher)
            assert last is not None
            assert last.operation.state == Operation.STATE_CANCELLED


async def test_the_asyncio_client_does_the_same(server: str, account: Account) -> None:
    """The twin makes many users, tells of progress and yields the results."""
    heard: list[Operation] = []
    async with AsyncIdentityClient(server, insecure=True) as client:
        results = await client.provision_many(many(30), on_progress=heard.append)
        assert [result.WhichOneof("outcome") async for result in results] == ["made"] * 30
    assert heard[-1].progress.succeeded_users == 30
    assert len(user_names(account)) == 30


def test_a_stream_of_another_version_is_refused(server: str, account: Account) -> None:
    """A field that the contract does not have is refused in the request of the stream, too."""
    with grpc.insecure_channel(server) as channel:
        watch: Any = channel.unary_stream("/identity_provisioning.v1.OperationService/WatchOperation", None, None)
        with pytest.raises(grpc.RpcError) as refused:
            list(watch(b"\xa0\x06\x01", timeout=10))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
