"""A real gRPC server on the loopback interface with everything of `rpc/` in it, and a fake application behind."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from identity_service.application.account_choice import AccountChoice
from identity_service.application.account_description import AccountDescription
from identity_service.application.listing import MfaDeviceFilter, PageRequest, UserFilter
from identity_service.application.operations.ports import Operation, UserResult
from identity_service.application.operations.service import OperationRequest
from identity_service.application.ports import PolicyScope
from identity_service.application.work import OwnedWork
from identity_service.domain.caller import Caller
from identity_service.domain.entities import (
    GroupDetails,
    MfaDeviceDetails,
    Page,
    PolicyDetails,
    UserRecord,
    UserSnapshot,
)
from identity_service.domain.errors import IdentityError, Reason
from identity_service.domain.operation import OperationState
from identity_service.domain.outcome import Outcome
from identity_service.domain.plan import Plan
from identity_service.domain.proposal import Proposal
from identity_service.domain.request import Mutation, UserChange
from identity_service.domain.target import Target
from identity_service.rpc.interceptors import interceptor_chain
from identity_service.rpc.interceptors.authentication import IdentifiesPeers, insecure_caller
from identity_service.rpc.mutations import Mutations
from identity_service.rpc.services import STREAMS, Services
from identity_service.server import bind, build_server

ONLY_ACCOUNT_ID = "909090909090"
REQUEST_ID = "0b8f5a1e-6c1d-4f0e-9a54-3f6d0c2b7e11"
INSECURE_CALLER_ID = "spiffe://insecure.local/caller"
BOT_ID = "spiffe://example.org/onboarding-bot"
TEAM = "people-team"

LONG = 30.0

OPERATION = Operation(
    operation_id="7e57ab1e-6c1d-4f0e-9a54-3f6d0c2b7e11",
    account_id=ONLY_ACCOUNT_ID,
    caller=Caller(BOT_ID, TEAM),
    recipients=(),
    state=OperationState.DRAFT,
    created_at=datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC),
)

Details = dict[str, Any]


class LogStream(BytesIO):
    """A stream that tells when something was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = asyncio.Event()

    def write(self, data: Any, /) -> int:
        """Write and tell."""
        self.written.set()
        return super().write(data)


class FakeAuthorizer:
    """Knows two callers, of one team, and lets them do everything."""

    def identify(self, caller_id: str) -> Caller:
        """Return the caller with its team."""
        if caller_id not in (INSECURE_CALLER_ID, BOT_ID):
            raise IdentityError(Reason.CALLER_NOT_ALLOWED, "nobody knows this caller")
        return Caller(caller_id, TEAM)

    def may_use(self, caller: Caller, account_id: str) -> bool:
        """Let everybody into every account."""
        return True

    def may_ask(self, caller: Caller, action: str, account_id: str, target: Target | None) -> None:
        """Allow."""

    def may_have(self, caller: Caller, proposal: Proposal) -> None:
        """Allow."""


@dataclass
class FakeApplication:
    """Notes what it is asked for and answers what a test told it to."""

    answer: Plan | Outcome = field(default_factory=Outcome)
    error: BaseException | None = None
    wait_for: Callable[[], Awaitable[object]] | None = None
    snapshot: UserSnapshot | None = None
    account: AccountDescription | None = None
    mutations: list[tuple[Caller, Mutation]] = field(default_factory=list)
    operation: Operation = OPERATION
    page: Page[Any] = field(default_factory=lambda: Page(()))
    reads: list[tuple[Any, ...]] = field(default_factory=list)

    async def run(self, caller: Caller, mutation: Mutation) -> Plan | Outcome:
        """Stand in for MutationService."""
        self.mutations.append((caller, mutation))
        await self._behave()
        return self.answer

    async def get_user(self, caller: Caller, account_id: str, user_name: str) -> UserSnapshot:
        """Stand in for GetUser."""
        self.reads.append((caller.id, account_id, user_name))
        await self._behave()
        assert self.snapshot is not None
        return self.snapshot

    async def get_account(self, caller: Caller, account_id: str) -> AccountDescription:
        """Stand in for GetAccount."""
        self.reads.append((caller.id, account_id))
        await self._behave()
        assert self.account is not None
        return self.account

    async def users(self, caller: Caller, account_id: str, page: PageRequest, wanted: UserFilter) -> Page[UserRecord]:
        """Stand in for Listing."""
        return await self._list(caller.id, account_id, page, wanted)

    async def groups(self, caller: Caller, account_id: str, page: PageRequest, path_prefix: str) -> Page[GroupDetails]:
        """Stand in for Listing."""
        return await self._list(caller.id, account_id, page, path_prefix)

    async def policies(
        self, caller: Caller, account_id: str, page: PageRequest, scope: PolicyScope, search: str
    ) -> Page[PolicyDetails]:
        """Stand in for Listing."""
        return await self._list(caller.id, account_id, page, scope, search)

    async def mfa_devices(
        self, caller: Caller, account_id: str, page: PageRequest, wanted: MfaDeviceFilter
    ) -> Page[MfaDeviceDetails]:
        """Stand in for Listing."""
        return await self._list(caller.id, account_id, page, wanted)

    async def create(self, caller: Caller, request: OperationRequest, recipients: tuple[str, ...]) -> Operation:
        """Stand in for Operations."""
        return await self._operate("create", caller.id, request, recipients)

    async def append(
        self,
        caller: Caller,
        request: OperationRequest,
        operation_id: str,
        sequence_number: int,
        changes: tuple[UserChange, ...],
    ) -> int:
        """Stand in for Operations."""
        await self._operate("append", caller.id, request, operation_id, sequence_number, changes)
        return len(changes)

    async def start(
        self, caller: Caller, request: OperationRequest, operation_id: str, expected_plan_digest: str
    ) -> Operation:
        """Stand in for Operations."""
        return await self._operate("start", caller.id, request, operation_id, expected_plan_digest)

    async def get(self, caller: Caller, account_id: str, operation_id: str) -> Operation:
        """Stand in for Operations."""
        return await self._operate("get", caller.id, account_id, operation_id)

    async def list(self, caller: Caller, account_id: str, size: int, token: str) -> Page[Operation]:
        """Stand in for Operations."""
        return await self._list("list", caller.id, account_id, size, token)

    async def results(
        self, caller: Caller, account_id: str, operation_id: str, size: int, token: str, *, failed_only: bool
    ) -> Page[UserResult]:
        """Stand in for Operations."""
        return await self._list("results", caller.id, account_id, operation_id, size, token, failed_only)

    async def cancel(self, caller: Caller, request: OperationRequest, operation_id: str) -> Operation:
        """Stand in for Operations."""
        return await self._operate("cancel", caller.id, request, operation_id)

    async def watch(self, caller: Caller, account_id: str, operation_id: str) -> AsyncIterator[Operation]:
        """Stand in for Operations."""
        yield await self._operate("watch", caller.id, account_id, operation_id)

    async def _operate(self, *asked: Any) -> Operation:
        self.reads.append(asked)
        await self._behave()
        return self.operation

    async def _list(self, *asked: Any) -> Page[Any]:
        self.reads.append(asked)
        await self._behave()
        return self.page

    async def _behave(self) -> None:
        if self.wait_for is not None:
            await self.wait_for()
        if self.error is not None:
            raise self.error


@dataclass
class RunningServer:
    """A server that a test talks to, with what it wrote."""

    address: str
    channel: grpc.aio.Channel
    application: FakeApplication
    work: OwnedWork
    server: grpc.aio.Server
    log: LogStream
    spans: InMemorySpanExporter

    async def call(self, method: str, request: Message, response_type: Any = None, **options: Any) -> Any:
        """Call `Service/Method` of the contract with a message."""
        return await self.call_raw(method, request.SerializeToString(), response_type, **options)

    async def call_raw(self, method: str, request: bytes, response_type: Any = None, **options: Any) -> Any:
        """Call `Service/Method` of the contract with bytes."""
        deserialize = response_type.FromString if response_type else None
        rpc: Any = self.channel.unary_unary(f"/identity_provisioning.v1.{method}", None, deserialize)
        return await rpc(request, **options)

    def log_lines(self, event: str) -> list[dict[str, Any]]:
        """Return what was logged of one event so far."""
        lines = [json.loads(line) for line in self.log.getvalue().splitlines()]
        return [line for line in lines if line["event"] == event]

    async def logged(self, event: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait for so many lines of one event: one that its caller gave up is logged when it ends here."""
        async with asyncio.timeout(LONG):
            while len(self.log_lines(event)) < count:
                self.log.written.clear()
                await self.log.written.wait()
        return self.log_lines(event)

    async def finished_spans(self, count: int = 1) -> Sequence[ReadableSpan]:
        """Wait for the end of so many RPCs; return their spans, which end with the log line."""
        await self.logged("rpc", count)
        return self.spans.get_finished_spans()


@asynccontextmanager
async def running_server(
    log: LogStream,
    *,
    identify_peer: IdentifiesPeers = insecure_caller,
    server_credentials: grpc.ServerCredentials | None = None,
    default_deadline: float = 30,
    maximum_mutations: int = 10,
    maximum_concurrent_rpcs: int = 50,
    maximum_watchers: int = 50,
    read_seconds: float = LONG,
) -> AsyncIterator[RunningServer]:
    """Run a server on a free port; its channel speaks in clear."""
    application = FakeApplication()
    work = OwnedWork(maximum_mutations)
    spans = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    services = Services(
        Mutations(application, work), application.get_user, application.get_account, application, application
    )
    interceptors = interceptor_chain(
        tracer=provider.get_tracer("test"),
        authorizer=FakeAuthorizer(),
        identify_peer=identify_peer,
        default_deadline=default_deadline,
        most_calls=maximum_concurrent_rpcs,
        most_streams=maximum_watchers,
        streams=STREAMS,
        accounts=AccountChoice((ONLY_ACCOUNT_ID,), FakeAuthorizer()),
        read_seconds=read_seconds,
    )
    server = build_server(services, interceptors, maximum_concurrent_rpcs + maximum_watchers)
    address = bind(server, "127.0.0.1:0", server_credentials)
    await server.start()
    try:
        async with grpc.aio.insecure_channel(address) as channel:
            yield RunningServer(address, channel, application, work, server, log, spans)
    finally:
        await server.stop(None)
        await work.drain(1)
        provider.shutdown()


async def failure(call: Awaitable[Any]) -> grpc.aio.AioRpcError:
    """Return the error that a call ends with; fail if it ends well."""
    try:
        answer = await call
    except grpc.aio.AioRpcError as error:
        return error
    raise AssertionError(f"the call was answered: {answer}")


def status_of(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    """Return the `google.rpc.Status` that came with an error."""
    values = [value for key, value in error.trailing_metadata() if key == "grpc-status-details-bin"]
    assert len(values) == 1
    assert isinstance(values[0], bytes)
    return status_pb2.Status.FromString(values[0])


def details_of(status: status_pb2.Status) -> Details:
    """Return the details of a status by the name of their type."""
    details: Details = {}
    for packed in status.details:
        name = packed.type_url.rpartition(".")[2]
        details[name] = getattr(error_details_pb2, name).FromString(packed.value)
    return details


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """Return the reason in an error's ErrorInfo."""
    reason: str = details_of(status_of(error))["ErrorInfo"].reason
    return reason


def violations_of(error: grpc.aio.AioRpcError) -> dict[str, str]:
    """Return the violations in an error's BadRequest, by field."""
    return {v.field: v.description for v in details_of(status_of(error))["BadRequest"].field_violations}
