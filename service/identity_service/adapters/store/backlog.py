"""What waits for a server to work on it, and for how long it has waited."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from identity_service.adapters.store.operations_schema import operation_users, operations
from identity_service.adapters.store.schema import requests
from identity_service.adapters.store.units import Unit
from identity_service.application.ledger import UNFINISHED
from identity_service.domain.operation import ACTIVE, UserState


@dataclass(frozen=True)
class Queue:
    """How many wait, and for how many seconds the oldest of them has."""

    size: int = 0
    age: float = 0.0


@dataclass(frozen=True)
class Backlog:
    """What is due: requests that an attempt has left, second looks, and users of operations that may be begun."""

    abandoned: Queue = Queue()
    second_looks: Queue = Queue()
    bulk_users: Queue = Queue()


def read_backlog(unit: Unit) -> Backlog:
    """Read what waits now."""
    return Backlog(_abandoned(unit), _second_looks(unit), _bulk_users(unit))


def _abandoned(unit: Unit) -> Queue:
    due = requests.c.lease_expires_at
    return _queue(unit, due, requests.c.state.in_(UNFINISHED), due <= unit.now)


def _second_looks(unit: Unit) -> Queue:
    due = requests.c.recheck_at
    return _queue(unit, due, requests.c.state.not_in(UNFINISHED), due <= unit.now)


def _bulk_users(unit: Unit) -> Queue:
    """Look at the users of active operations that do not rest; they have waited since the operation was started."""
    users = operation_users.c
    since = sa.func.coalesce(operations.c.started_at, operations.c.updated_at, type_=operations.c.updated_at.type)
    return _queue(
        unit,
        since,
        operations.c.operation_id == users.operation_id,
        operations.c.state.in_(ACTIVE),
        users.state == UserState.WAITING,
        sa.or_(users.lease_expires_at.is_(None), users.lease_expires_at <= unit.now),
    )


def _queue(unit: Unit, since: sa.ColumnElement[datetime | None], *waits: sa.ColumnElement[bool]) -> Queue:
    oldest = sa.func.min(since, type_=since.type)
    size, first = unit.connection.execute(sa.select(sa.func.count(), oldest).where(*waits)).one()
    return Queue(size, max((unit.now - first).total_seconds(), 0.0) if first else 0.0)
