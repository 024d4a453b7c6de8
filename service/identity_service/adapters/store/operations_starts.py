"""How operations are started, each start once, and only as many users as the account has room for.

Each function is to be called in a unit of work.
"""

import hashlib

import sqlalchemy as sa

from identity_service.adapters.store import operations_audit, operations_codec
from identity_service.adapters.store.operations_rows import NOT_STARTED, change, find_locked, read_one
from identity_service.adapters.store.operations_schema import operation_starts, operation_users, operations
from identity_service.adapters.store.rows import Row
from identity_service.adapters.store.units import Unit
from identity_service.application.operations import refusals
from identity_service.application.operations.ports import (
    AccountRead,
    KnownStart,
    Operation,
    Start,
    fingerprint_of_start,
)
from identity_service.domain.operation import Entries, OperationState, UserState, plan_quotas
from identity_service.domain.plan import QuotaUse

OPEN = (UserState.WAITING, UserState.RUNNING)


def check(unit: Unit, start: Start) -> KnownStart:
    """Tell whether a start was carried out before, and refuse one that cannot be. Raises IdentityError."""
    query = sa.select(operations).where(operations.c.operation_id == start.operation_id)
    done = _is_carried_out(unit, _found(unit.connection.execute(query).mappings().one_or_none(), start), start)
    return KnownStart(unit.now, read_one(unit.connection, start.operation_id) if done else None)


def start(unit: Unit, start: Start, account: AccountRead) -> Operation:
    """Let an operation be planned, or let it run, if the account has room for its users. Raises IdentityError."""
    # Of all starts in an account one at a time counts what the others are about to take, and is counted by the next.
    _lock_starts(unit, account.facts.account_id)
    operation = _found(find_locked(unit.connection, start.operation_id), start)
    if not _is_carried_out(unit, operation, start):
        quota_uses = _plan_quotas(unit, start.operation_id, account)
        (_begin_planning if start.plan_only else _begin_running)(unit, start, quota_uses)
        unit.connection.execute(
            operation_starts.insert().values(
                operation_id=start.operation_id, request_id=start.request_id, fingerprint=start.fingerprint
            )
        )
        _audit(unit, operation, start)
    return read_one(unit.connection, start.operation_id)


def _audit(unit: Unit, operation: Row, start: Start) -> None:
    operations_audit.append(
        unit,
        "StartOperation",
        operation,
        start.caller,
        start.request_id,
        plan_only=start.plan_only,
        expected_plan_digest=start.expected_plan_digest,
        total_users=operation["total_users"],
    )


def _lock_starts(unit: Unit, account_id: str) -> None:
    """Wait for whoever starts an operation in the account; SQLite has one writer anyhow."""
    if unit.connection.dialect.name == "postgresql":
        digest = hashlib.sha256(f"start of an operation in {account_id}".encode()).digest()
        key = int.from_bytes(digest[:8], "big", signed=True)
        unit.connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))


def _found(operation: Row | None, start: Start) -> Row:
    if operation is None:
        raise refusals.not_found(start.operation_id)
    return operation


def _is_carried_out(unit: Unit, operation: Row, start: Start) -> bool:
    """Tell whether this very start was carried out before; if not, refuse one that cannot be. Raises IdentityError."""
    fingerprint = _fingerprint_of(unit, operation, start)
    if fingerprint is None:
        _require_startable(operation, start)
    elif fingerprint != start.fingerprint:
        raise refusals.request_id_reused()
    return fingerprint is not None


def _fingerprint_of(unit: Unit, operation: Row, start: Start) -> str | None:
    """Return what was asked for under the same request_id, if anything was carried out."""
    query = sa.select(operation_starts.c.fingerprint).where(
        operation_starts.c.operation_id == start.operation_id, operation_starts.c.request_id == start.request_id
    )
    found: str | None = unit.connection.execute(query).scalar_one_or_none()
    if found is None and operation["start_request_id"] == start.request_id:
        return fingerprint_of_start(plan_only=False, expected_plan_digest=operation["expected_plan_digest"])
    if found is None and operation["plan_request_id"] == start.request_id:
        # An older release has not written down which digest was expected.
        return fingerprint_of_start(plan_only=True, expected_plan_digest=start.expected_plan_digest)
    return found


def _require_startable(operation: Row, start: Start) -> None:
    state = OperationState(operation["state"])
    if state not in NOT_STARTED:
        raise refusals.wrong_state(state, "the operation was started before, or was cancelled")
    if not operation["total_users"]:
        raise refusals.without_users(state)
    if start.expected_plan_digest and start.expected_plan_digest != operation["plan_digest"]:
        raise refusals.plan_changed(operation["plan_digest"])


def _plan_quotas(unit: Unit, operation_id: str, account: AccountRead) -> tuple[QuotaUse, ...]:
    needed = _sum(unit, operation_users.c.operation_id == operation_id)
    uses, problems = plan_quotas(account.facts, _pending(unit, operation_id, account), needed)
    if problems:
        raise refusals.over_quota(account.facts.account_id, problems)
    return uses


def _pending(unit: Unit, operation_id: str, account: AccountRead) -> Entries:
    """Add up what other operations take of the account that was not counted yet when it was read.

    That is whom they are about to make, and whom they have made since. In one statement, so that nobody is missed who
    is made meanwhile.
    """
    others = sa.and_(
        operations.c.account_id == account.facts.account_id,
        operations.c.operation_id != operation_id,
        sa.or_(operations.c.ended_at.is_(None), operations.c.ended_at >= account.read_after),
    )
    users = operation_users.c
    is_pending = sa.or_(
        sa.and_(operations.c.state == OperationState.RUNNING, users.state.in_(OPEN)),
        sa.and_(operations.c.state == OperationState.CANCELLING, users.state == UserState.RUNNING),
        sa.and_(users.state == UserState.MADE, users.made_at >= account.read_after),
    )
    return _sum(unit, others, is_pending)


def _sum(unit: Unit, *which: sa.ColumnElement[bool]) -> Entries:
    groups = sa.func.coalesce(sa.func.sum(operation_users.c.new_groups), 0)
    policies = sa.func.coalesce(sa.func.sum(operation_users.c.new_policies), 0)
    users, new_groups, new_policies = unit.connection.execute(
        sa.select(sa.func.count(), groups, policies).select_from(operation_users).join(operations).where(*which)
    ).one()
    return Entries(users, int(new_groups), int(new_policies))


def _begin_planning(unit: Unit, start: Start, quota_uses: tuple[QuotaUse, ...]) -> None:
    _let_wait(unit, start.operation_id, plan=None, plan_digest="", failure=None)
    change(
        unit,
        start.operation_id,
        state=OperationState.PLANNING,
        plan_request_id=start.request_id,
        traceparent=start.traceparent or None,
        plan_digest="",
        quota_uses=operations_codec.encode_quota_uses(quota_uses),
        progress=None,
    )


def _begin_running(unit: Unit, start: Start, quota_uses: tuple[QuotaUse, ...]) -> None:
    # What the review has refused stays refused.
    _let_wait(unit, start.operation_id, **({} if start.expected_plan_digest else {"failure": None}))
    change(
        unit,
        start.operation_id,
        state=OperationState.RUNNING,
        start_request_id=start.request_id,
        traceparent=start.traceparent or None,
        expected_plan_digest=start.expected_plan_digest,
        quota_uses=operations_codec.encode_quota_uses(quota_uses),
        started_at=unit.now,
        progress=None,
    )


def _let_wait(unit: Unit, operation_id: str, **values: object) -> None:
    # The epoch, too: whoever still plans a user of it finds that it is not its own any more.
    waiting = {
        "state": UserState.WAITING,
        "attempts": 0,
        "lease_expires_at": None,
        "epoch": operation_users.c.epoch + 1,
    }
    unit.connection.execute(
        operation_users.update().where(operation_users.c.operation_id == operation_id).values({**waiting, **values})
    )
