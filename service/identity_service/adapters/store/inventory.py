"""What an operator asks whose store was lost: which rows and keys it knows, and what has not ended."""

from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa

from identity_service.adapters.store import audit, claims, rows
from identity_service.adapters.store.attempts import IS_UNFINISHED
from identity_service.adapters.store.rows import Row
from identity_service.adapters.store.schema import AuditEventName, audit_log, locks, mints, requests
from identity_service.adapters.store.units import Unit
from identity_service.application.ledger import Failure, RequestKey, RequestState, UnfinishedRequest
from identity_service.domain.minting import MintKind
from identity_service.domain.target import Target, TargetKind

ENDS: Mapping[str, RequestState] = {
    AuditEventName.OUTCOME: RequestState.DONE,
    AuditEventName.FAILURE: RequestState.FAILED,
}
"""How the audit log tells that a request has ended; it outlives the requests."""


def known_rows(unit: Unit, row_ids: Collection[str]) -> dict[str, RequestState]:
    """Tell of each row that is known where its request stands, or of what is removed by now, how it ended."""
    # Read whole and picked here: neither database takes any number of parameters.
    wanted = frozenset(row_ids)
    ended = sa.select(audit_log.c.row_id, audit_log.c.event).where(audit_log.c.event.in_(ENDS)).order_by(audit_log.c.id)
    there = sa.select(requests.c.row_id, requests.c.state)
    found = {row_id: ENDS[event] for row_id, event in unit.connection.execute(ended) if row_id in wanted}
    return found | {row_id: RequestState(state) for row_id, state in unit.connection.execute(there) if row_id in wanted}


def known_key_ids(unit: Unit) -> frozenset[str]:
    """Return the access keys that requests have made, also removed ones, and those that requests have found there."""
    minted = sa.select(mints.c.credential_id).where(mints.c.kind == MintKind.ACCESS_KEY, mints.c.credential_id != "")
    audited_id = audit_log.c.details["access_key_id"].as_string()
    audited = sa.select(audited_id).where(audit_log.c.event == AuditEventName.OUTCOME, audited_id.is_not(None))
    found_there = sa.select(requests.c.snapshot["access_keys"]).where(requests.c.snapshot.is_not(None))
    return frozenset(
        {
            *unit.connection.execute(minted).scalars(),
            *unit.connection.execute(audited).scalars(),
            *(key["access_key_id"] for keys in unit.connection.execute(found_there).scalars() for key in keys or ()),
        }
    )


def unfinished(unit: Unit) -> tuple[UnfinishedRequest, ...]:
    """Return the requests that have not ended, the oldest first."""
    query = sa.select(requests).where(IS_UNFINISHED).order_by(requests.c.created_at, requests.c.row_id)
    return tuple(
        UnfinishedRequest(
            row_id=row["row_id"],
            key=RequestKey(row["caller_id"], row["request_id"]),
            team=row["team"],
            action=row["action"],
            account_id=row["account_id"],
            target=_target(row["target"]),
            state=RequestState(row["state"]),
            begun_at=row["created_at"],
            abandoned=claims.is_abandoned(unit, row),
        )
        for row in unit.connection.execute(query).mappings()
    )


def _target(stored: str) -> Target:
    kind, _, name = stored.partition("/")
    return Target(TargetKind(kind), name)


def end_abandoned(unit: Unit, failure: Failure, encoded: Mapping[str, object]) -> int:
    """End every abandoned request with a failure and cancel every second look; return how many were ended."""
    is_left = sa.or_(requests.c.lease_expires_at.is_(None), requests.c.lease_expires_at <= unit.now)
    due = sa.or_(IS_UNFINISHED, requests.c.recheck_at.is_not(None))
    query = sa.select(requests).where(due, is_left).with_for_update()
    found: Sequence[Row] = unit.connection.execute(query).mappings().all()
    ended = [row for row in found if rows.is_unfinished(row)]
    for row in found:
        # The epoch, too: an attempt that comes back to life finds that its request is not its own any more.
        _change(unit, row, {"epoch": row["epoch"] + 1, "lease_expires_at": None, "recheck_at": None})
        unit.connection.execute(locks.delete().where(locks.c.row_id == row["row_id"]))
    for row in ended:
        _change(unit, row, {"state": RequestState.FAILED, "failure": encoded, "outcome": None, "updated_at": unit.now})
        audit.append(unit, AuditEventName.FAILURE, row, audit.failure_details(failure))
    return len(ended)


def _change(unit: Unit, row: Row, values: Mapping[str, object]) -> None:
    unit.connection.execute(requests.update().where(requests.c.row_id == row["row_id"]).values(values))
