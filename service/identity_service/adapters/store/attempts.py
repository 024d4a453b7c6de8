"""What an attempt writes under its lease. All of it is fenced: an attempt that was overtaken changes nothing."""

import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from identity_service.adapters.store import audit, claims, rows
from identity_service.adapters.store.claims import Terms
from identity_service.adapters.store.rows import Row
from identity_service.adapters.store.schema import AuditEventName, locks, mints, requests
from identity_service.adapters.store.units import Unit
from identity_service.application.lease import Lease, LeaseLostError
from identity_service.application.ledger import MOST_REST_SECONDS, UNFINISHED, Failure, RequestState
from identity_service.domain.holdings import PastRequest
from identity_service.domain.minting import Mint, MintKind, MintState

# Built once: SQLAlchemy takes longer to build a statement and to find it compiled than SQLite to execute it.
IS_UNFINISHED = requests.c.state.in_(UNFINISHED)
OF_LEASE = sa.and_(
    requests.c.row_id == sa.bindparam("of_row"),
    requests.c.epoch == sa.bindparam("of_epoch"),
    requests.c.lease_expires_at.is_not(None),
)
"""The row of a lease, as long as nobody else has claimed it and it has not ended."""
# Without the documents, which are the most of a row and are not needed here.
HELD = sa.select(*rows.LIGHT_COLUMNS).where(OF_LEASE).with_for_update()
HELD_UNFINISHED = HELD.where(IS_UNFINISHED)
HELD_ENDED = HELD.where(requests.c.state.not_in(UNFINISHED))
CHANGE = requests.update().where(OF_LEASE)
UNLOCK = locks.delete().where(locks.c.row_id == sa.bindparam("of_row"))
CHANGE_MINT = mints.update().where(mints.c.mint_id == sa.bindparam("of_mint"), mints.c.row_id == sa.bindparam("of_row"))


def begin_mint(unit: Unit, lease: Lease, kind: MintKind) -> Mint:
    """Write down that a credential is about to be asked of IAM."""
    row = _held(unit, lease, HELD_UNFINISHED)
    mint = Mint(mint_id=uuid.uuid4().hex, kind=kind, epoch=lease.epoch, begun_at=unit.now)
    rows.insert_mint(unit.connection, row, lease, mint)
    return mint


def record_mint(unit: Unit, lease: Lease, mint: Mint, credential_id: str) -> None:
    """Write down what IAM has made."""
    _held(unit, lease, HELD)
    _change_mint(unit, lease, mint, {"state": MintState.MADE, "credential_id": credential_id})


def void_mints(unit: Unit, lease: Lease, void: tuple[Mint, ...]) -> None:
    """Write down that nothing is there of these any more; the ids of those that were made are kept."""
    _held(unit, lease, HELD)
    for mint in void:
        _change_mint(unit, lease, mint, {"state": MintState.VOID})


def begin_undo(unit: Unit, lease: Lease, failure: Mapping[str, object]) -> None:
    """Turn a request round. `failure` is the encoded one that it will end with."""
    _held(unit, lease, HELD_UNFINISHED)
    _change(unit, lease, {"state": RequestState.UNDOING, "failure": failure, "updated_at": unit.now})


def succeed(unit: Unit, lease: Lease, outcome: Mapping[str, object], details: audit.Details) -> None:
    """Store the encoded outcome and let the target go."""
    row = _held(unit, lease, HELD_UNFINISHED)
    # Once only: a reissue, done or refused, does not prolong the time in which secrets are issued again.
    done_at = row["done_at"] or unit.now
    _end(unit, lease, {"state": RequestState.DONE, "outcome": outcome, "failure": None, "done_at": done_at})
    audit.append(unit, AuditEventName.OUTCOME, row, details)


def fail(
    unit: Unit,
    lease: Lease,
    failure: Failure,
    encoded: Mapping[str, object],
    details: audit.Details,
    second_look: Terms | None,
) -> None:
    """Store the failure and let the target go; with terms, look again later."""
    row = _held(unit, lease, HELD_UNFINISHED)
    values: dict[str, object] = {
        "state": RequestState.UNDONE_RETRYABLE if failure.retryable else RequestState.FAILED,
        "failure": encoded,
        # Of a request that was opened again: what it had come to is not what it came to in the end.
        "outcome": None,
    }
    if second_look is not None:
        values["recheck_at"] = second_look.second_look_at(unit, row)
    _end(unit, lease, values)
    audit.append(unit, AuditEventName.FAILURE, row, details)


def release(unit: Unit, lease: Lease, rest: timedelta) -> None:
    """Let the lease end after a rest; the lock stays."""
    _held(unit, lease, HELD)
    _change(unit, lease, {"lease_expires_at": unit.now + rest})


def leave_undone(unit: Unit, lease: Lease, terms: Terms) -> None:
    """Let a request go that is undone, and its target; look again later."""
    row = _held(unit, lease, HELD_ENDED)
    _change(unit, lease, {"recheck_at": terms.second_look_at(unit, row), "lease_expires_at": None})
    _unlock(unit, lease)


def done_since(unit: Unit, lease: Lease) -> tuple[PastRequest, ...]:
    """Return what is done of the requests for a lease's target that ended since its own began, in that order."""
    row = _held(unit, lease, HELD)
    query = (
        sa.select(requests)
        .where(
            requests.c.account_id == row["account_id"],
            requests.c.target_key == row["target_key"],
            requests.c.state == RequestState.DONE,
            requests.c.updated_at >= row["created_at"],
        )
        .order_by(requests.c.updated_at, requests.c.created_at)
    )
    return tuple(map(rows.past_request, claims.readable(unit.connection.execute(query).mappings().all())))


def end_second_look(unit: Unit, lease: Lease, unattributed: tuple[str, ...], missing: tuple[str, ...] = ()) -> None:
    """Write down that a second look is over, and let the target go."""
    row = _held(unit, lease, HELD_ENDED)
    # Not `updated_at`: secrets may be issued again for some time after the request's own end.
    _change(unit, lease, {"recheck_at": None, "lease_expires_at": None})
    _unlock(unit, lease)
    found = {"unattributed": list(unattributed), "missing": list(missing)}
    details: audit.Details = {name: things for name, things in found.items() if things}
    audit.append(unit, AuditEventName.SECOND_LOOK, row, details)


def rest_second_look(unit: Unit, lease: Lease, least: timedelta, retention: timedelta) -> bool:
    """Let target and request go after a look that failed; False: it has failed for so long that it was the last."""
    row = _held(unit, lease, HELD_ENDED)
    due_at = row["recheck_at"]
    is_last = due_at is None or row["updated_at"] < unit.now - retention
    if is_last:
        _change(unit, lease, {"recheck_at": None, "lease_expires_at": None})
        audit.append(unit, AuditEventName.SECOND_LOOK, row, {"unfinished": True})
    else:
        # Not `recheck_at`: it tells since when somebody waits for the look. A lease without its lock is a rest.
        rest = max(least, min((unit.now - due_at) / 2, timedelta(seconds=MOST_REST_SECONDS)))
        _change(unit, lease, {"lease_expires_at": unit.now + rest})
    _unlock(unit, lease)
    return not is_last


def _held(unit: Unit, lease: Lease, held: sa.Select[Any]) -> Row:
    """Return the row of a lease, locked until the unit ends; raise LeaseLostError if it is not the lease's any more.

    A lease that has run out and that nobody has taken over still counts: the work is done, it may be written down.
    """
    row = unit.connection.execute(held, _of(lease)).mappings().one_or_none()
    if row is None:
        raise LeaseLostError
    return row


def _of(lease: Lease) -> dict[str, object]:
    return {"of_row": lease.row_id, "of_epoch": lease.epoch}


def _change(unit: Unit, lease: Lease, values: Mapping[str, object]) -> None:
    # The epoch once more, so that no change is possible that was not looked at.
    if unit.connection.execute(CHANGE, {**values, **_of(lease)}).rowcount != 1:
        raise LeaseLostError


def _end(unit: Unit, lease: Lease, values: Mapping[str, object]) -> None:
    _change(unit, lease, {**values, "lease_expires_at": None, "updated_at": unit.now})
    _unlock(unit, lease)


def _unlock(unit: Unit, lease: Lease) -> None:
    # By row and not by target: the lock that a second look has left may be somebody else's by now.
    unit.connection.execute(UNLOCK, {"of_row": lease.row_id})


def _change_mint(unit: Unit, lease: Lease, mint: Mint, values: Mapping[str, object]) -> None:
    mine = {"of_mint": mint.mint_id, "of_row": lease.row_id}
    if unit.connection.execute(CHANGE_MINT, {**values, **mine}).rowcount != 1:
        raise LookupError("the request has no such mint")
