"""Operations on SQL, in the same database as the ledger."""

from collections.abc import Mapping
from datetime import timedelta

import sqlalchemy as sa

from identity_service.adapters.store import (
    codec,
    operations_claims,
    operations_codec,
    operations_drafts,
    operations_starts,
)
from identity_service.adapters.store.operations_rows import read_operations, read_result
from identity_service.adapters.store.operations_schema import operation_users, operations
from identity_service.adapters.store.units import Unit, UnitsOfWork
from identity_service.application.ledger import Failure
from identity_service.application.operations import refusals
from identity_service.application.operations.ports import (
    AccountRead,
    Batch,
    Cancellation,
    KnownStart,
    NewOperation,
    Operation,
    Start,
    UserClaim,
    UserResult,
)
from identity_service.domain.entities import Page
from identity_service.domain.operation import ACTIVE, ENDED, UserState
from identity_service.domain.outcome import Outcome
from identity_service.domain.plan import Plan

PAGE_CHARACTERS = 1_000_000
"""How much of plans and outcomes is read for one page, so that the answer fits into a message and into memory."""


class SqlOperationStore:
    """The `OperationStore` of the application. It lives on the ledger's connections and ends with them.

    Args:
        units: the units of work of an open ledger.
        retention_seconds: how long operations are kept after they ended, or were last touched.
    """

    def __init__(self, units: UnitsOfWork, retention_seconds: float = 30 * 86400) -> None:
        self._units = units
        self._retention = timedelta(seconds=retention_seconds)

    async def create(self, new: NewOperation) -> Operation:
        """Write a draft, or return the one of the same request. Raises IdentityError REQUEST_ID_REUSED."""
        return await self._units.run("create_operation", lambda unit: operations_drafts.create(unit, new))

    async def find(self, operation_id: str) -> Operation | None:
        """Return an operation with its progress."""

        def find(unit: Unit) -> Operation | None:
            query = sa.select(operations).where(operations.c.operation_id == operation_id)
            row = unit.connection.execute(query).mappings().one_or_none()
            return None if row is None else read_operations(unit.connection, [row])[0]

        return await self._units.run("find_operation", find)

    async def append(self, batch: Batch, *, try_only: bool = False) -> int:
        """Write all users of a batch or none; return how many the draft has then. Raises IdentityError."""
        return await self._units.run(
            "append_users", lambda unit: operations_drafts.append(unit, batch, try_only=try_only)
        )

    async def check_start(self, start: Start) -> KnownStart:
        """Tell whether a start was carried out before, and refuse one that cannot be. Raises IdentityError."""
        return await self._units.run("check_start", lambda unit: operations_starts.check(unit, start))

    async def start(self, start: Start, account: AccountRead) -> Operation:
        """Let an operation be planned, or let it run, if the account has room for it. Raises IdentityError."""
        return await self._units.run("start_operation", lambda unit: operations_starts.start(unit, start, account))

    async def cancel(self, cancellation: Cancellation) -> Operation | None:
        """Let nothing more be begun; None if there is no such operation."""
        return await self._units.run("cancel_operation", lambda unit: operations_drafts.cancel(unit, cancellation))

    async def list(self, account_id: str, team: str, size: int, after: str) -> Page[Operation]:
        """Return a team's operations, newest first. Raises IdentityError INVALID_FIELD."""
        return await self._units.run("list_operations", lambda unit: _list(unit, account_id, team, size, after))

    async def results(self, operation_id: str, size: int, after: int, *, failed_only: bool) -> Page[UserResult]:
        """Return what became of the users that follow index `after`, fewer where they are large.

        `failed_only` leaves out who was made; until the operation has ended, also who may still be made.
        """
        return await self._units.run(
            "operation_results", lambda unit: _results(unit, operation_id, size, after, failed_only)
        )

    async def claim(self, room: Mapping[str, int], lease_seconds: float) -> tuple[UserClaim, ...]:
        """Claim users that wait, or whose lease has run out: so many in each of these accounts."""
        lease = timedelta(seconds=lease_seconds)
        return await self._units.run("claim_users", lambda unit: operations_claims.claim(unit, room, lease))

    async def renew(self, claims: tuple[UserClaim, ...], lease_seconds: float) -> None:
        """Hold claims for longer."""
        lease = timedelta(seconds=lease_seconds)
        await self._units.run("renew_users", lambda unit: operations_claims.renew(unit, claims, lease))

    async def planned(self, claim: UserClaim, plan: Plan | None, failure: Failure | None) -> None:
        """Write down a user's plan, and what it is refused with."""
        await self._record(
            claim,
            state=UserState.PLANNED,
            plan=operations_codec.encode_plan(plan) if plan else None,
            plan_digest=plan.digest if plan else "",
            failure=codec.encode_failure(failure) if failure else None,
            lease_expires_at=None,
        )

    async def made(self, claim: UserClaim, outcome: Outcome) -> None:
        """Write down that a user was made, without secrets but those that are sealed."""
        encoded = operations_codec.encode_outcome(outcome)

        def write(unit: Unit) -> None:
            values = {"state": UserState.MADE, "outcome": encoded, "made_at": unit.now}
            operations_claims.record(unit, claim, failure=None, lease_expires_at=None, **values)

        await self._units.run("record_user", write)

    async def failed(self, claim: UserClaim, failure: Failure) -> None:
        """Write down why a user was not made."""
        encoded = codec.encode_failure(failure)
        await self._record(claim, state=UserState.FAILED, failure=encoded, lease_expires_at=None)

    async def rest(self, claim: UserClaim, failure: Failure | None, seconds: float, *, is_begun: bool = False) -> None:
        """Give a user back for a while; with a failure it counts as an attempt."""
        counted: dict[str, object] = {}
        if failure:
            counted = {"failure": codec.encode_failure(failure), "attempts": claim.attempts + 1}
        rest = timedelta(seconds=seconds)
        state = UserState.RUNNING if is_begun else UserState.WAITING

        def give_back(unit: Unit) -> None:
            values = {"state": state, "lease_expires_at": unit.now + rest, **counted}
            operations_claims.record(unit, claim, **values)

        await self._units.run("rest_user", give_back)

    async def settle(self) -> int:
        """End every operation whose last user has ended; return how many are still active."""
        return await self._units.run("settle_operations", operations_claims.settle)

    async def remove_old(self) -> int:
        """Remove operations that nobody has touched for the retention and that are not active; return how many."""
        removed = 0
        while await self._units.run("remove_old_operation", self._remove_one):
            removed += 1
        return removed

    def _remove_one(self, unit: Unit) -> bool:
        """Remove one: it may have ten thousand users."""
        old = (
            sa.select(operations.c.operation_id)
            .where(operations.c.state.not_in(ACTIVE), operations.c.updated_at < unit.now - self._retention)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        operation_id = unit.connection.execute(old).scalar_one_or_none()
        unit.connection.execute(operations.delete().where(operations.c.operation_id == operation_id))
        return operation_id is not None

    async def _record(self, claim: UserClaim, **values: object) -> None:
        await self._units.run("record_user", lambda unit: operations_claims.record(unit, claim, **values))


def _list(unit: Unit, account_id: str, team: str, size: int, after: str) -> Page[Operation]:
    of_team = sa.and_(operations.c.account_id == account_id, operations.c.team == team)
    key = sa.tuple_(operations.c.created_at, operations.c.operation_id)
    query = sa.select(operations).where(of_team)
    if after:
        # PostgreSQL takes no NUL, and it is the caller's to write.
        if "\0" in after:
            raise refusals.wrong_page_token()
        last = sa.select(operations.c.created_at).where(of_team, operations.c.operation_id == after)
        created_at = unit.connection.execute(last).scalar_one_or_none()
        if created_at is None:
            raise refusals.wrong_page_token()
        query = query.where(key < (created_at, after))
    query = query.order_by(operations.c.created_at.desc(), operations.c.operation_id.desc()).limit(size + 1)
    rows = unit.connection.execute(query).mappings().all()
    found = read_operations(unit.connection, rows[:size])
    return Page(found, found[-1].operation_id if len(rows) > size else None)


def _results(unit: Unit, operation_id: str, size: int, after: int, failed_only: bool) -> Page[UserResult]:
    users = operation_users.c
    wanted = sa.and_(users.operation_id == operation_id, users.number > after)
    if failed_only:
        wanted = sa.and_(wanted, _has_failed(unit, operation_id))
    length = sa.func.coalesce(sa.func.length(users.plan), 0) + sa.func.coalesce(sa.func.length(users.outcome), 0)
    sizes = sa.select(users.number, length).where(wanted).order_by(users.number).limit(size + 1)
    numbers = _fitting([(number, length) for number, length in unit.connection.execute(sizes)], size)
    if not numbers:
        return Page(())
    query = (
        sa.select(operation_users, operations.c.state.label("operation_state"))
        .join_from(operation_users, operations)
        .where(wanted, users.number <= numbers[-1])
        .order_by(users.number)
    )
    found = tuple(read_result(row) for row in unit.connection.execute(query).mappings())
    more = unit.connection.execute(sa.select(sa.exists().where(wanted, users.number > numbers[-1]))).scalar_one()
    return Page(found, str(numbers[-1]) if more else None)


def _has_failed(unit: Unit, operation_id: str) -> sa.ColumnElement[bool]:
    """Tell the users that failed apart; once an operation has ended, all whom it has not made."""
    users = operation_users.c
    state = unit.connection.execute(sa.select(operations.c.state).where(operations.c.operation_id == operation_id))
    if state.scalar_one_or_none() in ENDED:
        return users.state != UserState.MADE
    return sa.or_(
        users.state == UserState.FAILED, sa.and_(users.state == UserState.PLANNED, users.failure.is_not(None))
    )


def _fitting(sizes: list[tuple[int, int]], most: int) -> list[int]:
    """Return the numbers of the users that fit into a page: one at least."""
    fitting: list[int] = []
    room = PAGE_CHARACTERS
    for number, length in sizes[:most]:
        room -= length
        if fitting and room < 0:
            break
        fitting.append(number)
    return fitting
