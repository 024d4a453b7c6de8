"""Ways to break the server, each taking out one piece that keeps its promises: the harness has to notice.

Each patches the server's own process; nothing in production code knows of it.
"""

import uuid
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa

from identity_service.adapters.aws_iam import answers
from identity_service.adapters.store import attempts, rows
from identity_service.adapters.store.schema import requests
from identity_service.application import attempt, worker
from identity_service.application.lease import Lease
from identity_service.application.operations import runner
from identity_service.application.settling import Settling
from identity_service.domain import tags


def _nothing(*_: Any, **__: Any) -> None:
    return None


async def _nothing_awaited(*_: Any, **__: Any) -> None:
    return None


async def _look_away(account: Any, ledger: Any, claim: Any, settling: Any, telemetry: Any = None) -> None:
    """End a second look without looking."""
    await ledger.end_second_look(claim.lease, ())


def without_fence() -> None:
    """Let an attempt send and write that has lost its lease: neither its epoch nor its time counts any more.

    No second look is taken either: it would find and delete what such an attempt has made.
    """
    of_row = sa.and_(requests.c.row_id == sa.bindparam("of_row"), sa.bindparam("of_epoch", type_=sa.Integer) >= 0)
    attempts.HELD = attempts.HELD_UNFINISHED = attempts.HELD_ENDED = sa.select(*rows.LIGHT_COLUMNS).where(of_row)
    attempts.CHANGE = requests.update().where(of_row)
    Lease.require = _nothing  # type: ignore[method-assign] # that is the sabotage
    worker.look_again = _look_away  # type: ignore[attr-defined] # the name under which the worker has imported it


class _Anything(str):
    """Says that it is equal to whatever it is compared with."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = str.__hash__


def without_row_tag() -> None:
    """Take whatever exists for this request's own: every row tag looks like the one that is expected."""
    read = answers.tags

    def read_wrongly(fields: Mapping[str, Any]) -> Mapping[str, str]:
        return {**read(fields), tags.ROW: _Anything("any")}

    answers.tags = read_wrongly


def without_reconciliation() -> None:
    """Let a takeover mint without looking for what the attempt before it has minted."""
    attempt._Attempt._clear_earlier_mints = _nothing_awaited  # type: ignore[method-assign] # that is the sabotage


def without_settling() -> None:
    """Let nothing be waited for, and no second look be taken."""
    Settling.wait = _nothing_awaited  # type: ignore[method-assign] # that is the sabotage
    worker.look_again = _look_away  # type: ignore[attr-defined] # the name under which the worker has imported it


def with_fresh_request_ids() -> None:
    """Let each attempt at a user of an operation be a request of its own, that knows nothing of the one before."""

    def fresh(operation_id: str, index: int) -> str:
        return str(uuid.uuid4())

    runner.request_id_of = fresh


SABOTAGES: Mapping[str, Callable[[], None]] = {
    "fence": without_fence,
    "row-tag": without_row_tag,
    "reconciliation": without_reconciliation,
    "settle": without_settling,
    "request-id": with_fresh_request_ids,
}
