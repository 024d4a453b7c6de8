"""What callers do with operations besides starting them: draft, append, cancel; each to be called in a unit of work."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from identity_service.adapters.store import operations_audit, operations_codec
from identity_service.adapters.store.operations_rows import (
    NOT_STARTED,
    change,
    count,
    find_locked,
    read_one,
    read_operations,
)
from identity_service.adapters.store.operations_schema import operation_batches, operation_users, operations
from identity_service.adapters.store.rows import Row
from identity_service.adapters.store.units import Unit
from identity_service.application.operations import refusals
from identity_service.application.operations.ports import Batch, Cancellation, NewOperation, Operation, Progress
from identity_service.domain.caller import Caller
from identity_service.domain.names import name_key
from identity_service.domain.operation import MAXIMUM_USERS, OperationState, UserState, entries_of
from identity_service.domain.request import UserChange


def create(unit: Unit, new: NewOperation) -> Operation:
    """Write a draft, or return the one of the same request. Raises IdentityError REQUEST_ID_REUSED."""
    _insert_if_new(unit, new)
    same = sa.and_(operations.c.caller_id == new.key.caller_id, operations.c.request_id == new.key.request_id)
    row = unit.connection.execute(sa.select(operations).where(same)).mappings().one()
    if row["fingerprint"] != new.fingerprint:
        raise refusals.request_id_reused()
    if row["operation_id"] == new.operation_id:
        maker = Caller(new.key.caller_id, new.team)
        operations_audit.append(unit, "CreateOperation", row, maker, new.key.request_id, state=row["state"])
    return read_operations(unit.connection, [row])[0]


def _insert_if_new(unit: Unit, new: NewOperation) -> None:
    values = {
        "operation_id": new.operation_id,
        "caller_id": new.key.caller_id,
        "request_id": new.key.request_id,
        "fingerprint": new.fingerprint,
        "team": new.team,
        "account_id": new.account_id,
        "recipients": list(new.recipients),
        "state": OperationState.DRAFT,
        "total_users": 0,
        "plan_request_id": "",
        "start_request_id": "",
        "plan_digest": "",
        "expected_plan_digest": "",
        "quota_uses": [],
        "progress": operations_codec.encode_progress(Progress()),
        "created_at": unit.now,
        "started_at": None,
        "ended_at": None,
        "updated_at": unit.now,
    }
    insert = postgresql.insert if unit.connection.dialect.name == "postgresql" else sqlite.insert
    once = insert(operations).values(values).on_conflict_do_nothing(index_elements=("caller_id", "request_id"))
    unit.connection.execute(once)


def append(unit: Unit, batch: Batch, *, try_only: bool) -> int:
    """Write all users of a batch or none; return how many the draft has then.

    Raises IdentityError: WRONG_STATE, REQUEST_ID_REUSED, INVALID_FIELD.
    """
    operation = find_locked(unit.connection, batch.operation_id)
    if operation is None:
        raise refusals.not_found(batch.operation_id)
    written = _written(unit, batch)
    if written is not None:
        return written
    if operation["state"] != OperationState.DRAFT:
        raise refusals.wrong_state(OperationState(operation["state"]), "users are appended to a draft only")
    of_operation = operation_batches.c.operation_id == batch.operation_id
    expected = unit.connection.execute(
        sa.select(sa.func.count()).select_from(operation_batches).where(of_operation)
    ).scalar_one()
    if batch.sequence_number != expected:
        raise refusals.wrong_sequence(expected)
    before: int = operation["total_users"]
    total = before + len(batch.changes)
    if total > MAXIMUM_USERS:
        raise refusals.too_many_users()
    _require_new_names(unit, batch, before)
    if not try_only:
        _write(unit, batch, before, total)
        operations_audit.append(
            unit,
            "AppendUsers",
            operation,
            batch.caller,
            batch.request_id,
            sequence_number=batch.sequence_number,
            users=len(batch.changes),
            total_users=total,
        )
    return total


def _written(unit: Unit, batch: Batch) -> int | None:
    """Return how many users there were after a batch that is there already. Raises IdentityError."""
    same = sa.and_(
        operation_batches.c.operation_id == batch.operation_id,
        sa.or_(
            operation_batches.c.sequence_number == batch.sequence_number,
            operation_batches.c.request_id == batch.request_id,
        ),
    )
    for row in unit.connection.execute(sa.select(operation_batches).where(same)):
        is_same = (row.sequence_number, row.fingerprint) == (batch.sequence_number, batch.fingerprint)
        if is_same:
            # Under another request_id, too: whoever resumes an upload need not remember the ids.
            return int(row.total_users)
        if row.request_id == batch.request_id:
            raise refusals.request_id_reused()
    return None


def _require_new_names(unit: Unit, batch: Batch, before: int) -> None:
    keys = [name_key(change.user_name) for change in batch.changes]
    query = sa.select(operation_users.c.user_key, operation_users.c.number).where(
        operation_users.c.operation_id == batch.operation_id, operation_users.c.user_key.in_(keys)
    )
    indexes = {row.user_key: row.number for row in unit.connection.execute(query)}
    violations = []
    for position, key in enumerate(keys):
        if key in indexes:
            violations.append(refusals.name_taken(position, indexes[key]))
        else:
            indexes[key] = before + position
    if violations:
        raise refusals.invalid(*violations)


def _write(unit: Unit, batch: Batch, before: int, total: int) -> None:
    unit.connection.execute(
        operation_batches.insert().values(
            operation_id=batch.operation_id,
            sequence_number=batch.sequence_number,
            request_id=batch.request_id,
            fingerprint=batch.fingerprint,
            total_users=total,
        )
    )
    users = [_user(batch.operation_id, before + position, change) for position, change in enumerate(batch.changes)]
    unit.connection.execute(operation_users.insert(), users)
    progress = operations_codec.encode_progress(Progress(total=total))
    change(unit, batch.operation_id, total_users=total, progress=progress)


def _user(operation_id: str, number: int, change: UserChange) -> Mapping[str, Any]:
    entries = entries_of(change)
    return {
        "operation_id": operation_id,
        "number": number,
        "user_name": change.user_name,
        "user_key": name_key(change.user_name),
        "change": operations_codec.encode_change(change),
        "new_groups": entries.groups,
        "new_policies": entries.policies,
        "state": UserState.WAITING,
        "epoch": 0,
        "attempts": 0,
        "plan_digest": "",
    }


def cancel(unit: Unit, cancellation: Cancellation) -> Operation | None:
    """Let nothing more be begun; None if there is no such operation."""
    operation_id = cancellation.operation_id
    row = find_locked(unit.connection, operation_id)
    if row is None:
        return None
    state = OperationState(row["state"])
    if state is OperationState.RUNNING:
        change(unit, operation_id, state=OperationState.CANCELLING)
        _audit_cancellation(unit, row, cancellation, OperationState.CANCELLING)
    elif state in (*NOT_STARTED, OperationState.PLANNING):
        # Nobody is being made, so there is nothing to wait for.
        progress = row["progress"] or operations_codec.encode_progress(
            count(unit.connection, [operation_id])[operation_id]
        )
        change(unit, operation_id, state=OperationState.CANCELLED, ended_at=unit.now, progress=progress)
        _audit_cancellation(unit, row, cancellation, OperationState.CANCELLED)
    return read_one(unit.connection, operation_id)


def _audit_cancellation(unit: Unit, row: Row, cancellation: Cancellation, state: OperationState) -> None:
    operations_audit.append(
        unit, "CancelOperation", row, cancellation.caller, cancellation.request_id, state=state.value
    )
