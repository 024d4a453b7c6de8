"""How replicas share the users of operations out; each function is to be called in a unit of work.

Rows are locked in one order everywhere, an operation before its users, and several operations by their ids. A claim
holds its operation in share, so that none is made after a cancellation was answered; it waits for no lock, since it
takes the operations in any order: what is locked is being started, cancelled or ended, and is come back to.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

import sqlalchemy as sa
import structlog

from identity_service.adapters.store import codec, operations_codec
from identity_service.adapters.store.operations_rows import count
from identity_service.adapters.store.operations_schema import operation_users, operations
from identity_service.adapters.store.rows import Row
from identity_service.adapters.store.units import Unit
from identity_service.application.ledger import Failure
from identity_service.application.operations.ports import UserClaim
from identity_service.domain.caller import Caller
from identity_service.domain.errors import IdentityError, Reason
from identity_service.domain.operation import ACTIVE, OperationState, UserState

UNREADABLE_FOR = timedelta(minutes=10)
"""For how long after the start of an operation a user that this release cannot read is left to others.

While a newer release is rolled out, there are replicas that can.
"""

# Built once: SQLAlchemy takes longer to build a statement and to find it compiled than SQLite to execute it.
CHANGE_USER = operation_users.update().where(
    operation_users.c.operation_id == sa.bindparam("of_operation"),
    operation_users.c.number == sa.bindparam("of_number"),
)
CHANGE_HELD = CHANGE_USER.where(
    operation_users.c.epoch == sa.bindparam("of_epoch"), operation_users.c.state == UserState.RUNNING
)

_log = structlog.stdlib.get_logger(__name__)


def claim(unit: Unit, room: Mapping[str, int], lease: timedelta) -> tuple[UserClaim, ...]:
    """Claim so many users in each of these accounts, about as many from each of its active operations.

    Where there are more operations than room, chance decides: the oldest first would keep all others waiting.
    """
    query = (
        sa.select(operations)
        .where(operations.c.state.in_(ACTIVE), operations.c.account_id.in_(room))
        .order_by(sa.func.random())
        .with_for_update(read=True, skip_locked=True)
    )
    of_accounts: dict[str, list[Row]] = {account_id: [] for account_id in room}
    for operation in unit.connection.execute(query).mappings():
        of_accounts[operation["account_id"]].append(operation)
    return tuple(
        claimed
        for account_id, active in of_accounts.items()
        for claimed in _share_out(unit, active, room[account_id], lease)
    )


def _share_out(unit: Unit, active: Sequence[Row], limit: int, lease: timedelta) -> list[UserClaim]:
    claims: list[UserClaim] = []
    for position, operation in enumerate(active):
        others = len(active) - position
        share = -(-(limit - len(claims)) // others)
        claims += _claim_of(unit, operation, share, lease)
    return claims


def _claim_of(unit: Unit, operation: Row, limit: int, lease: timedelta) -> Iterable[UserClaim]:
    if limit <= 0:
        return
    for user in unit.connection.execute(_claimable(unit, operation).limit(limit)).mappings().all():
        try:
            claimed = _user_claim(operation, user)
        # A ValueError is a StoredValueError, or what is no JSON at all.
        except ValueError:
            _log.error("stored_user_unreadable", operation_id=operation["operation_id"], index=user["number"])
            _set(unit, user, **_of_unreadable(unit, operation, user, lease))
            continue
        _set(unit, user, state=UserState.RUNNING, epoch=claimed.epoch, lease_expires_at=unit.now + lease)
        yield claimed


def _of_unreadable(unit: Unit, operation: Row, user: Row, lease: timedelta) -> dict[str, object]:
    """Let a user rest that cannot be read, and in the end fail: else its operation would never end."""
    if unit.now - operation["updated_at"] < UNREADABLE_FOR:
        return {"lease_expires_at": unit.now + lease}
    error = IdentityError(Reason.INTERNAL, "this release of the service cannot read what is stored of the user")
    is_planned = operation["state"] == OperationState.PLANNING
    return {
        "state": UserState.PLANNED if is_planned else UserState.FAILED,
        "epoch": user["epoch"] + 1,
        "failure": codec.encode_failure(Failure(error, retryable=False)),
        "lease_expires_at": None,
    }


def _claimable(unit: Unit, operation: Row) -> sa.Select[tuple[object, ...]]:
    """Select the users that nobody works on; where the operation is being cancelled, only those that were begun."""
    states = [UserState.RUNNING]
    if operation["state"] != OperationState.CANCELLING:
        states.append(UserState.WAITING)
    is_free = sa.or_(operation_users.c.lease_expires_at.is_(None), operation_users.c.lease_expires_at <= unit.now)
    return (
        sa.select(operation_users)
        .where(
            operation_users.c.operation_id == operation["operation_id"], operation_users.c.state.in_(states), is_free
        )
        .order_by(operation_users.c.number)
        .with_for_update(skip_locked=True)
    )


def _user_claim(operation: Row, user: Row) -> UserClaim:
    is_reviewed = bool(operation["expected_plan_digest"])
    is_refused = is_reviewed and user["failure"] is not None and not user["attempts"]
    return UserClaim(
        operation_id=user["operation_id"],
        index=user["number"],
        epoch=user["epoch"] + 1,
        account_id=operation["account_id"],
        caller=Caller(operation["caller_id"], operation["team"]),
        recipients=tuple(operation["recipients"]),
        change=operations_codec.decode_change(user["change"]),
        plan_only=operation["state"] == OperationState.PLANNING,
        expected_plan_digest=user["plan_digest"] if is_reviewed else "",
        refused=codec.decode_failure(user["failure"]) if is_refused else None,
        attempts=user["attempts"],
        traceparent=operation["traceparent"] or "",
    )


def renew(unit: Unit, claims: Iterable[UserClaim], lease: timedelta) -> None:
    """Hold claims for longer."""
    keys = [(claim.operation_id, claim.index, claim.epoch) for claim in claims]
    users = operation_users.c
    held = sa.and_(sa.tuple_(users.operation_id, users.number, users.epoch).in_(keys), users.state == UserState.RUNNING)
    unit.connection.execute(operation_users.update().where(held).values(lease_expires_at=unit.now + lease))


def record(unit: Unit, claim: UserClaim, **values: object) -> None:
    """Write down what came of a claim, unless somebody else has the user by now."""
    held = {"of_operation": claim.operation_id, "of_number": claim.index, "of_epoch": claim.epoch}
    unit.connection.execute(CHANGE_HELD, {**values, **held})


def settle(unit: Unit) -> int:
    """End every operation whose last user has ended; return how many are still active."""
    query = sa.select(operations.c.operation_id, operations.c.state).where(operations.c.state.in_(ACTIVE))
    active = unit.connection.execute(query.order_by(operations.c.operation_id)).all()
    return sum(not _settle(unit, row.operation_id, OperationState(row.state)) for row in active)


def _settle(unit: Unit, operation_id: str, state: OperationState) -> bool:
    """End an operation if nobody of it is left; tell whether it was ended."""
    open_states = [UserState.RUNNING] if state is OperationState.CANCELLING else [UserState.RUNNING, UserState.WAITING]
    is_open = sa.exists().where(
        operation_users.c.operation_id == operation_id, operation_users.c.state.in_(open_states)
    )
    # Looked at without a lock first: where somebody is left, which is nearly always, nobody has to wait for it.
    if unit.connection.execute(sa.select(is_open)).scalar_one():
        return False
    still = sa.and_(operations.c.operation_id == operation_id, operations.c.state == state, sa.not_(is_open))
    values = {"progress": _counted(unit, operation_id), "updated_at": unit.now, **_end(unit, operation_id, state)}
    return unit.connection.execute(operations.update().where(still).values(values)).rowcount == 1


def _end(unit: Unit, operation_id: str, state: OperationState) -> dict[str, object]:
    if state is OperationState.PLANNING:
        return {"state": OperationState.PLANNED, "plan_digest": _digest(unit, operation_id)}
    ended = OperationState.CANCELLED if state is OperationState.CANCELLING else OperationState.DONE
    return {"state": ended, "ended_at": unit.now}


def _counted(unit: Unit, operation_id: str) -> dict[str, object]:
    return operations_codec.encode_progress(count(unit.connection, [operation_id])[operation_id])


def _digest(unit: Unit, operation_id: str) -> str:
    """Digest the plans of all users in their order; one that is refused counts as such."""
    digest = hashlib.sha256()
    query = (
        sa.select(operation_users.c.user_key, operation_users.c.plan_digest, operation_users.c.failure.is_(None))
        .where(operation_users.c.operation_id == operation_id)
        .order_by(operation_users.c.number)
    )
    for user_key, plan_digest, is_sound in unit.connection.execute(query):
        digest.update(f"{user_key} {plan_digest if is_sound else '-'}\n".encode())
    return digest.hexdigest()


def _set(unit: Unit, user: Row, **values: object) -> None:
    of_user = {"of_operation": user["operation_id"], "of_number": user["number"]}
    unit.connection.execute(CHANGE_USER, {**values, **of_user})
