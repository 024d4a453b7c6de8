"""How requests and mints stand in their tables, and how they come back."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from identity_service.adapters.store import codec
from identity_service.adapters.store.schema import mints, requests
from identity_service.application.lease import Lease
from identity_service.application.ledger import UNFINISHED, Failure, Intent, LedgerRow, RequestKey, RequestState
from identity_service.domain.holdings import Kind, PastRequest, Thing, takes
from identity_service.domain.minting import Mint, MintKind, MintState, OthersPassword
from identity_service.domain.outcome import Outcome

Row = Mapping[Any, Any]
"""A row of `requests` by the names of its columns; SQLAlchemy's own kind has more keys than names."""


# All but the documents, which are the most of a row.
LIGHT_COLUMNS = tuple(column for column in requests.c if not isinstance(column.type, sa.JSON))

# Built once: SQLAlchemy takes longer to build a statement and to find it compiled than SQLite to execute it.
INSERT_MINT = mints.insert()
OF_ROW = mints.c.row_id == sa.bindparam("of_row")
COUNT_OF_MINTS = sa.select(sa.func.count()).select_from(mints).where(OF_ROW)
MINTS_IN_ORDER = sa.select(mints).where(OF_ROW).order_by(mints.c.number)
OF_TARGET = sa.and_(mints.c.account_id == sa.bindparam("of_account"), mints.c.target_key == sa.bindparam("of_target"))
MADE_KEY_IDS = sa.select(mints.c.credential_id).where(
    OF_TARGET, mints.c.kind == MintKind.ACCESS_KEY, mints.c.credential_id != ""
)
OTHER_KEY_IDS = MADE_KEY_IDS.where(mints.c.row_id != sa.bindparam("of_row"))
PLANNED_FOR = sa.func.nullif(requests.c.plan["user_id"].as_string(), "")
MADE = requests.c.outcome[("user", "user_id")].as_string()
OTHER_PASSWORDS = (
    sa.select(mints, sa.func.coalesce(PLANNED_FOR, MADE, "").label("user_id"))
    .join(requests, requests.c.row_id == mints.c.row_id)
    .where(
        OF_TARGET,
        mints.c.row_id != sa.bindparam("of_row"),
        mints.c.kind == MintKind.CONSOLE_PASSWORD,
        mints.c.state == MintState.MADE,
    )
    .order_by(mints.c.begun_at)
)


def encode_intent(intent: Intent) -> dict[str, object]:
    """Return an intent's columns. Raises TypeError for a secret in it."""
    return {
        "row_id": intent.row_id,
        "team": intent.team,
        "action": intent.action,
        "account_id": intent.plan.account_id,
        "target": str(intent.plan.target),
        "target_key": intent.plan.target.key,
        "fingerprint": intent.fingerprint,
        "forward_only": intent.forward_only,
        "needs_caller": intent.needs_caller,
        "recipients": list(intent.recipients),
        "sign_in_url": intent.sign_in_url,
        "traceparent": intent.traceparent or None,
        "plan": codec.encode_plan(intent.plan),
        "snapshot": codec.encode_snapshot(intent.snapshot),
    }


def decode_intent(row: Row) -> Intent:
    """Read an intent back. Raises StoredValueError."""
    return Intent(
        row_id=row["row_id"],
        key=RequestKey(row["caller_id"], row["request_id"]),
        team=row["team"],
        action=row["action"],
        fingerprint=row["fingerprint"],
        plan=codec.decode_plan(row["plan"]),
        snapshot=codec.decode_snapshot(row["snapshot"]),
        forward_only=row["forward_only"],
        needs_caller=row["needs_caller"],
        recipients=tuple(row["recipients"]),
        sign_in_url=row["sign_in_url"],
        traceparent=row["traceparent"] or "",
    )


def outcome_of(row: Row) -> Outcome | None:
    """Read what came of a request, if something did. Raises StoredValueError."""
    return None if row["outcome"] is None else codec.decode_outcome(row["outcome"])


def failure_of(row: Row) -> Failure | None:
    """Read why a request failed, if it did. Raises StoredValueError."""
    return None if row["failure"] is None else codec.decode_failure(row["failure"])


def ledger_row(row: Row, *, abandoned: bool) -> LedgerRow:
    """Read a request back. Raises StoredValueError."""
    return LedgerRow(
        intent=decode_intent(row),
        state=RequestState(row["state"]),
        epoch=row["epoch"],
        abandoned=abandoned,
        look_again=row["recheck_at"] is not None,
        outcome=outcome_of(row),
        failure=failure_of(row),
    )


def past_request(row: Row) -> PastRequest:
    """Read what a request has given and taken that is done. Raises StoredValueError."""
    plan, outcome = codec.decode_plan(row["plan"]), outcome_of(row)
    made = outcome.user.user_id if outcome and outcome.user else ""
    return PastRequest(row["row_id"], plan, plan.user_id or made, row["created_at"], row["updated_at"])


def is_unfinished(row: Row) -> bool:
    """Tell whether a request has not ended."""
    return row["state"] in UNFINISHED


def insert_mint(connection: sa.Connection, row: Row, lease: Lease, mint: Mint) -> None:
    """Write a mint down, numbered after the others of its request; the request's row has to be locked."""
    number = connection.execute(COUNT_OF_MINTS, {"of_row": lease.row_id}).scalar_one() + 1
    values = {
        "mint_id": mint.mint_id,
        "row_id": lease.row_id,
        "number": number,
        "account_id": row["account_id"],
        "target_key": row["target_key"],
        "epoch": mint.epoch,
        "kind": mint.kind,
        "state": mint.state,
        "credential_id": mint.credential_id,
        "begun_at": mint.begun_at,
    }
    connection.execute(INSERT_MINT, values)


def mints_of(connection: sa.Connection, row_id: str) -> tuple[Mint, ...]:
    """Return the mints of a request, oldest first."""
    return tuple(map(_mint, connection.execute(MINTS_IN_ORDER, {"of_row": row_id})))


def _mint(row: sa.Row[Any]) -> Mint:
    return Mint(
        mint_id=row.mint_id,
        kind=MintKind(row.kind),
        epoch=row.epoch,
        begun_at=row.begun_at,
        state=MintState(row.state),
        credential_id=row.credential_id,
    )


def other_key_ids(connection: sa.Connection, row: Row) -> frozenset[str]:
    """Return the access keys that other requests have made for the same target, those that are gone included."""
    return frozenset(connection.execute(OTHER_KEY_IDS, _of_others(row)).scalars())


def made_key_ids(connection: sa.Connection, account_id: str, target_key: str) -> frozenset[str]:
    """Return the access keys that requests have made for a target."""
    of_target = {"of_account": account_id, "of_target": target_key}
    return frozenset(connection.execute(MADE_KEY_IDS, of_target).scalars())


def other_passwords(connection: sa.Connection, row: Row) -> tuple[OthersPassword, ...]:
    """Return the console passwords that other requests have set for the same target, oldest first.

    Left out are those that a later request has surely taken away again.
    """
    found = connection.execute(OTHER_PASSWORDS, _of_others(row)).all()
    passwords = tuple(OthersPassword(_mint(password), password.user_id) for password in found)
    takers = _begun_when_taking_passwords(connection, row) if passwords else ()
    return tuple(one for one in passwords if not any(begun_at > one.mint.begun_at for begun_at in takers))


def _of_others(row: Row) -> dict[str, object]:
    return {"of_account": row["account_id"], "of_target": row["target_key"], "of_row": row["row_id"]}


def _begun_when_taking_passwords(connection: sa.Connection, row: Row) -> tuple[datetime, ...]:
    """Return when those requests for a row's target began that are done and have taken its password.

    A target has one request at a time: what was set before such a request began was set by then, and is gone.
    """
    query = sa.select(requests.c.plan, requests.c.created_at).where(
        requests.c.account_id == row["account_id"],
        requests.c.target_key == row["target_key"],
        requests.c.state == RequestState.DONE,
    )
    return tuple(done.created_at for done in connection.execute(query) if _takes_password(done.plan))


def _takes_password(plan: Mapping[str, Any]) -> bool:
    try:
        return takes(codec.decode_plan(plan), Thing(Kind.PASSWORD))
    except codec.StoredValueError:
        return False  # another release's; what it may have taken counts as still there
