"""The calls on operations, many users as one piece of work. `_user_calls` explains shared arguments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from identity_client._call import Call
from identity_client._contract import rpc
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
)
from identity_provisioning.v1.user_pb2 import UserSpec


def create_operation(
    *,
    recipients: Sequence[str] = (),
    validate_only: bool = False,
    request_id: str | None = None,
    account_id: str | None = None,
    timeout: float | None = None,
) -> Call[CreateOperationResponse]:
    """Make a draft; without recipients its users get no credentials."""
    request = CreateOperationRequest(
        account_id=account_id or "", request_id=request_id or "", recipients=recipients, validate_only=validate_only
    )
    return Call(rpc(CreateOperationRequest, CreateOperationResponse), request, timeout)


def append_users(
    operation_id: str,
    sequence_number: int,
    users: Iterable[UserSpec],
    *,
    validate_only: bool = False,
    request_id: str | None = None,
    account_id: str | None = None,
    timeout: float | None = None,
) -> Call[AppendUsersResponse]:
    """Append a batch of users to a draft, numbered from 0; the same batch again changes nothing.

    A batch is a message of 64 KiB at most: `identity_client.in_batches` cuts any number of users into such.
    """
    request = AppendUsersRequest(
        account_id=account_id or "",
        request_id=request_id or "",
        operation_id=operation_id,
        sequence_number=sequence_number,
        users=users,
        validate_only=validate_only,
    )
    return Call(rpc(AppendUsersRequest, AppendUsersResponse), request, timeout)


def start_operation(
    operation_id: str,
    *,
    validate_only: bool = False,
    expected_plan_digest: str = "",
    request_id: str | None = None,
    account_id: str | None = None,
    timeout: float | None = None,
) -> Call[StartOperationResponse]:
    """Let a draft run; with `validate_only` plan every user and make nobody, after which it may be started."""
    request = StartOperationRequest(
        account_id=account_id or "",
        request_id=request_id or "",
        operation_id=operation_id,
        validate_only=validate_only,
        expected_plan_digest=expected_plan_digest,
    )
    return Call(rpc(StartOperationRequest, StartOperationResponse), request, timeout)


def get_operation(
    operation_id: str, *, account_id: str | None = None, timeout: float | None = None
) -> Call[GetOperationResponse]:
    """Answer where an operation stands."""
    request = GetOperationRequest(account_id=account_id or "", operation_id=operation_id)
    return Call(rpc(GetOperationRequest, GetOperationResponse), request, timeout)


def list_operations(
    *, page_size: int = 0, page_token: str = "", account_id: str | None = None, timeout: float | None = None
) -> Call[ListOperationsResponse]:
    """Answer one page of the team's operations, newest first; `iterate_operations` goes through all pages."""
    request = ListOperationsRequest(account_id=account_id or "", page_size=page_size, page_token=page_token)
    return Call(rpc(ListOperationsRequest, ListOperationsResponse), request, timeout)


def list_operation_results(
    operation_id: str,
    *,
    failed_only: bool = False,
    page_size: int = 0,
    page_token: str = "",
    account_id: str | None = None,
    timeout: float | None = None,
) -> Call[ListOperationResultsResponse]:
    """Answer one page of what became of the users; `iterate_operation_results` goes through all pages."""
    request = ListOperationResultsRequest(
        account_id=account_id or "",
        page_size=page_size,
        page_token=page_token,
        operation_id=operation_id,
        failed_only=failed_only,
    )
    return Call(rpc(ListOperationResultsRequest, ListOperationResultsResponse), request, timeout)


def cancel_operation(
    operation_id: str,
    *,
    validate_only: bool = False,
    request_id: str | None = None,
    account_id: str | None = None,
    timeout: float | None = None,
) -> Call[CancelOperationResponse]:
    """Begin nothing more; what runs is finished, and what was made stays."""
    request = CancelOperationRequest(
        account_id=account_id or "",
        request_id=request_id or "",
        operation_id=operation_id,
        validate_only=validate_only,
    )
    return Call(rpc(CancelOperationRequest, CancelOperationResponse), request, timeout)
