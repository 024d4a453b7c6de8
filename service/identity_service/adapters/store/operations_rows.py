"""How operations stand in their tables, and how they come back."""

from collections.abc import Iterable, Mapping

import sqlalchemy as sa

from identity_service.adapters.store import codec, operations_codec
from identity_service.adapters.store.operations_schema import operation_users, operations
from identity_service.adapters.store.rows import Row
from identity_service.adapters.store.units import Unit
from identity_service.application.operations.ports import Operation, Progress, UserResult
from identity_service.domain.caller import Caller
from identity_service.domain.operation import ENDED, OperationState, UserState

NOT_STARTED = (OperationState.DRAFT, OperationState.PLANNED)
"""States that a start leads out of."""


def read_operations(connection: sa.Connection, rows: Iterable[Row]) -> tuple[Operation, ...]:
    """Read operations back; the users of those that are active are counted. Raises StoredValueError."""
    rows = list(rows)
    counted = count(connection, [row["operation_id"] for row in rows if row["progress"] is None])
    return tuple(_operation(row, counted) for row in rows)


def _operation(row: Row, counted: Mapping[str, Progress]) -> Operation:
    stored = row["progress"]
    return Operation(
        operation_id=row["operation_id"],
        account_id=row["account_id"],
        caller=Caller(row["caller_id"], row["team"]),
        recipients=tuple(row["recipients"]),
        state=OperationState(row["state"]),
        created_at=row["created_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        progress=counted[row["operation_id"]] if stored is None else operations_codec.decode_progress(stored),
        plan_digest=row["plan_digest"],
        quota_uses=operations_codec.decode_quota_uses(row["quota_uses"]),
    )


def count(connection: sa.Connection, operation_ids: list[str]) -> dict[str, Progress]:
    """Count the users of operations by where they stand."""
    if not operation_ids:
        return {}
    has_problem = operation_users.c.failure.is_not(None)
    query = (
        sa.select(
            operation_users.c.operation_id,
            operation_users.c.state,
            has_problem.label("has_problem"),
            sa.func.count().label("users"),
        )
        .where(operation_users.c.operation_id.in_(operation_ids))
        .group_by(operation_users.c.operation_id, operation_users.c.state, has_problem)
    )
    found: dict[str, dict[tuple[str, bool], int]] = {operation_id: {} for operation_id in operation_ids}
    for row in connection.execute(query):
        found[row.operation_id][row.state, bool(row.has_problem)] = row.users
    return {operation_id: _progress(counts) for operation_id, counts in found.items()}


def _progress(counts: Mapping[tuple[str, bool], int]) -> Progress:
    def of(state: UserState) -> int:
        return counts.get((state, False), 0) + counts.get((state, True), 0)

    return Progress(
        total=sum(counts.values()),
        made=of(UserState.MADE),
        failed=of(UserState.FAILED),
        running=of(UserState.RUNNING),
        planned=of(UserState.PLANNED),
        problems=counts.get((UserState.PLANNED, True), 0),
    )


def read_result(row: Row) -> UserResult:
    """Read what became of a user, as far as its state tells that something did. Raises StoredValueError."""
    state = UserState(row["state"])
    is_left = row["operation_state"] in ENDED and state is UserState.WAITING
    is_planned = state is UserState.PLANNED and row["plan"] is not None
    shows_failure = state in (UserState.FAILED, UserState.PLANNED) or is_left
    return UserResult(
        index=row["number"],
        user_name=row["user_name"],
        state=state,
        plan=operations_codec.decode_plan(row["plan"]) if is_planned else None,
        outcome=operations_codec.decode_outcome(row["outcome"]) if state is UserState.MADE else None,
        failure=codec.decode_failure(row["failure"])
        if row["failure"] is not None and shows_failure and not is_planned
        else None,
    )


def find_locked(connection: sa.Connection, operation_id: str) -> Row | None:
    """Return an operation's row, which nobody else changes until the unit of work ends."""
    query = sa.select(operations).where(operations.c.operation_id == operation_id).with_for_update()
    return connection.execute(query).mappings().one_or_none()


def read_one(connection: sa.Connection, operation_id: str) -> Operation:
    """Read an operation that is there. Raises StoredValueError."""
    query = sa.select(operations).where(operations.c.operation_id == operation_id)
    return read_operations(connection, [connection.execute(query).mappings().one()])[0]


def change(unit: Unit, operation_id: str, **values: object) -> None:
    """Change an operation's row, and note when."""
    values = {**values, "updated_at": unit.now}
    unit.connection.execute(operations.update().where(operations.c.operation_id == operation_id).values(values))
