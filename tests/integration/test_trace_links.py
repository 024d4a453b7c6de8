"""Work that outlives its call: a collector sees by links which call a takeover and an operation's users go back to."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import grpc
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from embedded_aws import Fault
from embedded_aws.faults import Hold
from identity_client import IdentityClient, in_batches, user_spec
from identity_provisioning.v1.operation_pb2 import Operation
from identity_provisioning.v1.operation_service_pb2 import StartOperationRequest
from identity_provisioning.v1.operation_service_pb2_grpc import OperationServiceStub
from identity_provisioning.v1.user_pb2 import UserSpec
from identity_provisioning.v1.user_service_pb2 import ProvisionUserRequest
from identity_provisioning.v1.user_service_pb2_grpc import UserServiceStub
from identity_service.adapters.store import migrate
from tests.integration.conftest import Account, start_server, wait_until_ready
from tests.support.postgres import database_folder, new_database, start_postgres
from tests.support.processes import Process
from tests.support.trace_collector import Collector, run_collector

CALLERS_TRACE = bytes.fromhex("11" * 16)
CALLER = (("traceparent", f"00-{CALLERS_TRACE.hex()}-{'22' * 8}-01"),)
"""What the caller's library sends along: the span that the call is made in."""
TAKE_OVER, USER = "take over", "user of an operation"
PATIENCE = 60.0
CONCURRENCY, USERS = 2, 24
VARIABLES = {
    # Spans are sent soon: a killed server sends none of those that it still has.
    "OTEL_BSP_SCHEDULE_DELAY": "100",
    "IDENTITY_SERVICE_LEASE_SECONDS": "6",
    "IDENTITY_SERVICE_AWS_CONNECT_TIMEOUT": "0.5",
    "IDENTITY_SERVICE_AWS_READ_TIMEOUT": "1.5",
    "IDENTITY_SERVICE_BULK_CONCURRENCY": str(CONCURRENCY),
}


class Replicas:
    """Servers on one store, each with a service name of its own, that export to one collector."""

    def __init__(self, account: Account, folder: Path, collector: Collector, address: str) -> None:
        self._account = account
        self._folder = folder
        self._address = address
        self.collector = collector
        self.processes: dict[str, Process] = {}

    def start(self, name: str, store_url: str) -> str:
        """Start one; return where it listens."""
        folder = self._folder / name
        folder.mkdir()
        telemetry = {"OTEL_EXPORTER_OTLP_ENDPOINT": self._address, "OTEL_SERVICE_NAME": name}
        variables = {**VARIABLES, **telemetry, "IDENTITY_SERVICE_STORE_URL": store_url}
        self.processes[name], ready = start_server(self._account, folder, variables)
        return wait_until_ready(self.processes[name], ready)

    def kill(self, name: str) -> None:
        """Kill one: it sends no more."""
        self.processes[name].kill()
        self.processes[name].wait()

    def stop(self) -> None:
        """Stop all that run in order, so that they send what they still hold."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(60)

    def named(self, name: str, service: str = "") -> list[Span]:
        """List the spans of a name that have arrived."""
        return [span for span in self.collector.spans(service) if span.name == name]


@pytest.fixture
def replicas(account: Account, tmp_path: Path) -> Iterator[Replicas]:
    """Run a collector; servers are the test's to start."""
    with run_collector() as (collector, address):
        running = Replicas(account, tmp_path, collector, address)
        try:
            yield running
        finally:
            running.stop()


def eventually(condition: Callable[[], object]) -> None:
    """Wait for something in another process."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)  # Another process: there is nothing to wait on but what it sends.


def links(span: Span) -> list[tuple[bytes, bytes]]:
    """Return what a span is linked to: trace and span."""
    return [(link.trace_id, link.span_id) for link in span.links]


def below(spans: list[Span], root: Span) -> set[str]:
    """Name all spans that a span is the parent of, or one of their parents."""
    children = [span for span in spans if span.parent_span_id == root.span_id]
    return {child.name for child in children}.union(*(below(spans, child) for child in children))


def test_a_takeover_is_linked_to_the_call_whose_server_was_killed(
    replicas: Replicas, account: Account, tmp_path: Path
) -> None:
    """The next server's work is a trace of its own, whose link leads to the call that the dead one had begun."""
    store_url = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    address = replicas.start("killed", store_url)
    account.aws.inject(Fault("CreateUser", Hold()))
    request = ProvisionUserRequest(request_id=str(uuid4()), user=UserSpec(user_name="ana"))
    with grpc.insecure_channel(address) as channel:
        call = UserServiceStub(channel).ProvisionUser.future(request, metadata=CALLER, timeout=PATIENCE)
        account.aws.wait_for_held(1, PATIENCE)
        # The RPC's own span never ends; what it had planned is a child of it.
        eventually(lambda: replicas.named("plan"))
        replicas.kill("killed")
        account.aws.release()
        with pytest.raises(grpc.RpcError) as caught:
            call.result()
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    (planned,) = replicas.named("plan")
    assert planned.trace_id == CALLERS_TRACE
    replicas.start("next", store_url)
    eventually(lambda: replicas.named(TAKE_OVER, "next"))
    replicas.stop()
    (takeover,) = replicas.named(TAKE_OVER)
    assert links(takeover) == [(CALLERS_TRACE, planned.parent_span_id)]
    assert takeover.trace_id != CALLERS_TRACE
    assert not takeover.parent_span_id
    assert {"carry out", "IAM/GetUser", "succeed"} <= below(replicas.collector.spans("next"), takeover)
    assert [span.name for span in replicas.collector.spans("next") if span.trace_id == CALLERS_TRACE] == []


@pytest.fixture
def store_url() -> Iterator[str]:
    """A database with the store's tables."""
    with (
        database_folder() as directory,
        start_postgres(directory) as server,
        new_database(server) as url,
    ):
        migrate(url)
        yield url


def test_users_of_an_operation_are_linked_to_its_start_from_whichever_replica(
    store_url: str, replicas: Replicas, account: Account
) -> None:
    """Each user is a trace of its own, on either replica, whose link leads to the call that started the operation."""
    replicas.start("one", store_url)
    address = replicas.start("two", store_url)
    # More are held than one server has under way.
    account.aws.inject(Fault("CreateUser", Hold(), times=CONCURRENCY + 1))
    with IdentityClient(address, insecure=True) as client, grpc.insecure_channel(address) as channel:
        operation_id = client.create_operation().operation.operation_id
        for number, batch in enumerate(in_batches(user_spec(f"user-{index}") for index in range(USERS))):
            client.append_users(operation_id, number, batch)
        start = StartOperationRequest(request_id=str(uuid4()), operation_id=operation_id)
        OperationServiceStub(channel).StartOperation(start, metadata=CALLER, timeout=PATIENCE)
        account.aws.wait_for_held(CONCURRENCY + 1, PATIENCE)
        account.aws.release()
        *_, last = client.follow_operation(operation_id)
    assert (last.state, last.progress.succeeded_users) == (Operation.STATE_DONE, USERS)
    replicas.stop()
    (started,) = replicas.named("identity_provisioning.v1.OperationService/StartOperation")
    assert started.trace_id == CALLERS_TRACE
    by_replica = {name: replicas.named(USER, name) for name in ("one", "two")}
    users = [*by_replica["one"], *by_replica["two"]]
    assert all(by_replica.values())
    assert len(users) >= USERS
    assert {tuple(links(user)) for user in users} == {((CALLERS_TRACE, started.span_id),)}
    assert len({user.trace_id for user in users} - {CALLERS_TRACE}) == len(users)
    made = [
        user for user in users if {"plan", "carry out", "IAM/CreateUser"} <= below(replicas.collector.spans(), user)
    ]
    assert len(made) == USERS
