"""Operations: from the service's own terms to the contract's messages."""

from identity_provisioning.v1 import operation_pb2
from identity_service.application.operations.ports import Operation, Progress, Traffic, UserResult
from identity_service.domain.outcome import Outcome
from identity_service.rpc.converters.credential import to_issued_credentials
from identity_service.rpc.converters.plan import to_plan
from identity_service.rpc.converters.times import to_optional_timestamp, to_timestamp
from identity_service.rpc.converters.user import to_optional_user
from identity_service.rpc.errors import to_status


def to_operation(operation: Operation) -> operation_pb2.Operation:
    """Convert an operation."""
    return operation_pb2.Operation(
        operation_id=operation.operation_id,
        state=operation_pb2.Operation.State.Value(f"STATE_{operation.state.name}"),
        owner_team=operation.caller.team,
        create_time=to_timestamp(operation.created_at),
        start_time=to_optional_timestamp(operation.started_at),
        end_time=to_optional_timestamp(operation.ended_at),
        progress=_progress(operation.progress, operation.traffic),
        plan_digest=operation.plan_digest,
    )


def _progress(progress: Progress, traffic: Traffic) -> operation_pb2.OperationProgress:
    return operation_pb2.OperationProgress(
        total_users=progress.total,
        succeeded_users=progress.made,
        failed_users=progress.failed,
        running_users=progress.running,
        calls_per_second=traffic.calls_per_second,
        throttled_calls=traffic.throttled_calls,
        planned_users=progress.planned,
        problem_users=progress.problems,
    )


def _made(outcome: Outcome) -> operation_pb2.OperationUser:
    return operation_pb2.OperationUser(
        user=to_optional_user(outcome.user), credentials=to_issued_credentials(outcome.credentials)
    )


def to_result(result: UserResult) -> operation_pb2.OperationResult:
    """Convert what became of a user."""
    converted = operation_pb2.OperationResult(index=result.index, user_name=result.user_name)
    if result.outcome:
        converted.made.CopyFrom(_made(result.outcome))
    elif result.plan:
        converted.plan.CopyFrom(to_plan(result.plan))
    elif result.failure:
        converted.error.CopyFrom(to_status(result.failure.error))
    return converted
