"""The fake service with operations: drafts, plans, runs that a test can stop in the middle, sealed results."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.message import Message
from google.rpc import status_pb2

from identity_provisioning.v1.credential_pb2 import IssuedCredentials
from identity_provisioning.v1.operation_pb2 import Operation, OperationResult
from identity_provisioning.v1.operation_service_pb2 import (
    AppendUsersResponse,
    CancelOperationResponse,
    CreateOperationResponse,
    GetOperationResponse,
    StartOperationResponse,
    WatchOperationResponse,
)
from identity_provisioning.v1.plan_pb2 import QuotaUse
from identity_provisioning.v1.user_pb2 import User, UserSpec
from identity_provisioning.v1.user_service_pb2 import ProvisionUserResponse
from tests.unit.client.fake_sealing import seal
from tests.unit.client.fake_service import Answer, Failure, FakeIdentityService, abort, arn_of, issue

UNSTARTED = (Operation.STATE_DRAFT, Operation.STATE_PLANNED)


@dataclass
class Piece:
    """An operation as the fake service keeps it."""

    operation: Operation
    recipients: list[str]
    specs: list[UserSpec] = field(default_factory=list)
    results: list[OperationResult] = field(default_factory=list)
    start_request_id: str = ""


class OperatingService(FakeIdentityService):
    """Carries operations out while they are watched.

    Attributes:
        pieces: the operations by their ids.
        while_running: called between the first and the last that a watcher hears of a running operation.
        while_planning: called likewise of an operation that plans.
        before_start: called when an operation is to run, before it does.
    """

    def __init__(self) -> None:
        self.pieces: dict[str, Piece] = {}
        self.while_running: Callable[[Piece], None] = lambda piece: None
        self.while_planning: Callable[[Piece], None] = lambda piece: None
        self.before_start: Callable[[Piece], None] = lambda piece: None
        super().__init__()

    @property
    def piece(self) -> Piece:
        """Answer the one operation that there is."""
        (only,) = self.pieces.values()
        return only

    def _special(self) -> dict[str, Answer]:
        return super()._special() | {
            "CreateOperation": self._create,
            "AppendUsers": self._append,
            "StartOperation": self._start,
            "GetOperation": lambda request, context: GetOperationResponse(
                operation=self._at(request, context).operation
            ),
            "ListOperations": self._list,
            "ListOperationResults": self._list_results,
            "CancelOperation": self._cancel,
        }

    def _at(self, request: Any, context: grpc.ServicerContext | None = None) -> Piece:
        if context is not None and request.operation_id not in self.pieces:
            abort(context, Failure(grpc.StatusCode.NOT_FOUND, "OPERATION_NOT_FOUND", "there is no such operation"))
        return self.pieces[request.operation_id]

    def _create(self, request: Any, context: grpc.ServicerContext) -> Message:
        operation = Operation(operation_id=str(uuid.uuid4()), state=Operation.STATE_DRAFT)
        operation.create_time.FromJsonString("2026-03-04T05:06:07Z")
        self.pieces[operation.operation_id] = Piece(operation, list(request.recipients))
        return CreateOperationResponse(operation=operation)

    def _append(self, request: Any, context: grpc.ServicerContext) -> Message:
        piece = self._at(request, context)
        piece.specs.extend(request.users)
        piece.operation.progress.total_users = len(piece.specs)
        return AppendUsersResponse(total_users=len(piece.specs))

    def _start(self, request: Any, context: grpc.ServicerContext) -> Message:
        piece = self._at(request, context)
        operation = piece.operation
        if not request.validate_only:
            self.before_start(piece)
        if request.request_id == piece.start_request_id:
            return StartOperationResponse(operation=operation)
        if operation.state not in UNSTARTED or request.expected_plan_digest not in ("", operation.plan_digest):
            abort(context, Failure(grpc.StatusCode.FAILED_PRECONDITION, "WRONG_STATE", "cannot be started"))
        if request.validate_only:
            operation.state = Operation.STATE_PLANNING
        else:
            operation.state, piece.start_request_id = Operation.STATE_RUNNING, request.request_id
        users = QuotaUse(quota_name="UsersQuota", used_before=7, used_after=7 + len(piece.specs), limit=5000)
        return StartOperationResponse(operation=operation, quota_uses=[users])

    def _list(self, request: Any, context: grpc.ServicerContext) -> Message:
        self.lists["ListOperations"] = [piece.operation for piece in reversed(self.pieces.values())]
        return self._answer_paged("ListOperations", request)

    def _list_results(self, request: Any, context: grpc.ServicerContext) -> Message:
        results = self._at(request, context).results
        failed = [each for each in results if each.HasField("error") or each.plan.problems]
        self.lists["ListOperationResults"] = [*(failed if request.failed_only else results)]
        return self._answer_paged("ListOperationResults", request)

    def _cancel(self, request: Any, context: grpc.ServicerContext) -> Message:
        piece = self._at(request, context)
        if piece.operation.state != Operation.STATE_DONE:
            piece.operation.state = Operation.STATE_CANCELLED
        return CancelOperationResponse(operation=piece.operation)

    def _watch(self, request: Any, context: grpc.ServicerContext) -> Iterator[WatchOperationResponse]:
        failure = self._arrived("WatchOperation", request, context)
        piece = self._at(request, context)
        if failure is not None and not failure.after_work:
            abort(context, failure)
        yield WatchOperationResponse(operation=piece.operation)
        if failure is not None:
            abort(context, failure)
        if piece.operation.state == Operation.STATE_PLANNING:
            self.while_planning(piece)
        if piece.operation.state == Operation.STATE_PLANNING:
            self._plan_all(piece)
        elif piece.operation.state == Operation.STATE_RUNNING:
            self.while_running(piece)
            self.make_all(piece)
        yield WatchOperationResponse(operation=piece.operation)

    def _plan_all(self, piece: Piece) -> None:
        plans = [self._plan(spec) for spec in piece.specs]
        piece.results = [
            OperationResult(index=index, user_name=plan.user_name, plan=plan) for index, plan in enumerate(plans)
        ]
        piece.operation.state = Operation.STATE_PLANNED
        piece.operation.plan_digest = hashlib.sha256("".join(plan.digest for plan in plans).encode()).hexdigest()
        piece.operation.progress.planned_users = len(plans)
        piece.operation.progress.problem_users = sum(bool(plan.problems) for plan in plans)

    def make_all(self, piece: Piece) -> None:
        """Make everybody once; in a cancelled operation those who wait have no result."""
        if piece.operation.state == Operation.STATE_CANCELLED:
            piece.results = [OperationResult(user_name=spec.user_name) for spec in piece.specs]
            return
        piece.results = [self._made(piece, index, spec) for index, spec in enumerate(piece.specs)]
        made = sum(result.HasField("made") for result in piece.results)
        piece.operation.progress.succeeded_users = made
        piece.operation.progress.failed_users = len(piece.results) - made
        piece.operation.state = Operation.STATE_DONE

    def _made(self, piece: Piece, index: int, spec: UserSpec) -> OperationResult:
        result = OperationResult(index=index, user_name=spec.user_name)
        failure = self._failing_users.get(spec.user_name)
        if failure is not None:
            details = dict(failure.trailing_metadata())["grpc-status-details-bin"]
            result.error.CopyFrom(status_pb2.Status.FromString(details))
            return result
        user = User(user_name=spec.user_name, arn=arn_of(spec))
        self.users[spec.user_name.casefold()] = user
        result.made.user.CopyFrom(user)
        if spec.HasField("credentials"):
            result.made.credentials.CopyFrom(self._sealed(piece, spec))
        return result

    def _sealed(self, piece: Piece, spec: UserSpec) -> IssuedCredentials:
        """Seal the secrets; what is left outside is what is no secret, as the service has it."""
        made = ProvisionUserResponse()
        issue(made, spec)
        closed = IssuedCredentials(sealed_secrets=seal(made.credentials, spec.user_name, *piece.recipients))
        if made.credentials.HasField("access_key"):
            closed.access_key.access_key_id = made.credentials.access_key.access_key_id
        if made.credentials.HasField("console_password"):
            closed.console_password.generated = True
        if made.credentials.HasField("mfa_device"):
            closed.mfa_device.serial_number = made.credentials.mfa_device.serial_number
        return closed
