"""OperationService."""

import uuid
from collections.abc import AsyncIterator
from typing import Any, Protocol

import grpc

from identity_provisioning.v1.operation_service_pb2 import (
    AppendUsersRequest,
    AppendUsersResponse,
    CancelOperationRequest,
    CancelOperationResponse,
    CreateOperationRequest,
    CreateOperationResponse,
    GetOperationRequest,
    GetOperationResponse,
    ListOperationResultsRequest,
    ListOperationResultsResponse,
    ListOperationsRequest,
    ListOperationsResponse,
    StartOperationRequest,
    StartOperationResponse,
    WatchOperationRequest,
    WatchOperationResponse,
)
from identity_provisioning.v1.operation_service_pb2_grpc import OperationServiceServicer
from identity_service.application.operations.ports import Operation, UserResult
from identity_service.application.operations.service import OperationRequest
from identity_service.domain.caller import Caller
from identity_service.domain.entities import Page
from identity_service.domain.request import UserChange
from identity_service.rpc.call import current_caller
from identity_service.rpc.converters.operation import to_operation, to_result
from identity_service.rpc.converters.plan import to_quota_uses
from identity_service.rpc.converters.user_requests import new_user

Context = grpc.aio.ServicerContext[Any, Any]


class CarriesOutOperations(Protocol):
    """What OperationService needs of the application."""

    async def create(self, caller: Caller, request: OperationRequest, recipients: tuple[str, ...]) -> Operation:
        """Make a draft."""

    async def append(
        self,
        caller: Caller,
        request: OperationRequest,
        operation_id: str,
        sequence_number: int,
        changes: tuple[UserChange, ...],
    ) -> int:
        """Append users to a draft; return how many it has then."""

    async def start(
        self, caller: Caller, request: OperationRequest, operation_id: str, expected_plan_digest: str
    ) -> Operation:
        """Let an operation be planned or run."""

    async def get(self, caller: Caller, account_id: str, operation_id: str) -> Operation:
        """Return an operation."""

    async def list(self, caller: Caller, account_id: str, size: int, token: str) -> Page[Operation]:
        """Return a page of the team's operations."""

    async def results(
        self, caller: Caller, account_id: str, operation_id: str, size: int, token: str, *, failed_only: bool
    ) -> Page[UserResult]:
        """Return a page of what became of the users."""

    async def cancel(self, caller: Caller, request: OperationRequest, operation_id: str) -> Operation:
        """Let nothing more be begun."""

    def watch(self, caller: Caller, account_id: str, operation_id: str) -> AsyncIterator[Operation]:
        """Yield an operation whenever it has changed, until it is not active any more."""


class ChangesOperations(Protocol):
    """The fields that every request which changes an operation has."""

    account_id: str
    request_id: str
    validate_only: bool


class OperationService(OperationServiceServicer):
    """Many users at once. Each method converts, calls, converts."""

    def __init__(self, operations: CarriesOutOperations) -> None:
        self._operations = operations

    async def CreateOperation(self, request: CreateOperationRequest, context: Context) -> CreateOperationResponse:  # noqa: N802 - named in the contract
        """Make a draft."""
        operation = await self._operations.create(current_caller(), _asked(request), tuple(request.recipients))
        return CreateOperationResponse(operation=to_operation(operation))

    async def AppendUsers(self, request: AppendUsersRequest, context: Context) -> AppendUsersResponse:  # noqa: N802 - named in the contract
        """Append users to a draft."""
        total = await self._operations.append(
            current_caller(),
            _asked(request),
            _canonical(request.operation_id),
            request.sequence_number,
            tuple(map(new_user, request.users)),
        )
        return AppendUsersResponse(total_users=total)

    async def StartOperation(self, request: StartOperationRequest, context: Context) -> StartOperationResponse:  # noqa: N802 - named in the contract
        """Plan an operation, or let it run."""
        operation = await self._operations.start(
            current_caller(), _asked(request), _canonical(request.operation_id), request.expected_plan_digest
        )
        return StartOperationResponse(operation=to_operation(operation), quota_uses=to_quota_uses(operation.quota_uses))

    async def GetOperation(self, request: GetOperationRequest, context: Context) -> GetOperationResponse:  # noqa: N802 - named in the contract
        """Answer where an operation stands."""
        operation_id = _canonical(request.operation_id)
        operation = await self._operations.get(current_caller(), request.account_id, operation_id)
        return GetOperationResponse(operation=to_operation(operation))

    async def ListOperations(self, request: ListOperationsRequest, context: Context) -> ListOperationsResponse:  # noqa: N802 - named in the contract
        """List the team's operations."""
        page = await self._operations.list(current_caller(), request.account_id, request.page_size, request.page_token)
        return ListOperationsResponse(operations=map(to_operation, page.items), next_page_token=page.next_token or "")

    async def WatchOperation(  # noqa: N802 - named in the contract
        self, request: WatchOperationRequest, context: Context
    ) -> AsyncIterator[WatchOperationResponse]:
        """Stream an operation's progress until it ends."""
        operation_id = _canonical(request.operation_id)
        async for operation in self._operations.watch(current_caller(), request.account_id, operation_id):
            yield WatchOperationResponse(operation=to_operation(operation))

    async def ListOperationResults(  # noqa: N802 - named in the contract
        self, request: ListOperationResultsRequest, context: Context
    ) -> ListOperationResultsResponse:
        """List what became of each user."""
        page = await self._operations.results(
            current_caller(),
            request.account_id,
            _canonical(request.operation_id),
            request.page_size,
            request.page_token,
            failed_only=request.failed_only,
        )
        return ListOperationResultsResponse(results=map(to_result, page.items), next_page_token=page.next_token or "")

    async def CancelOperation(self, request: CancelOperationRequest, context: Context) -> CancelOperationResponse:  # noqa: N802 - named in the contract
        """Begin nothing more."""
        operation = await self._operations.cancel(current_caller(), _asked(request), _canonical(request.operation_id))
        return CancelOperationResponse(operation=to_operation(operation))


def _asked(request: ChangesOperations) -> OperationRequest:
    return OperationRequest(request.account_id, _canonical(request.request_id), request.validate_only)


def _canonical(uuid_text: str) -> str:
    """Write a UUID in its one form: it means the same in any letter case."""
    return str(uuid.UUID(uuid_text))
