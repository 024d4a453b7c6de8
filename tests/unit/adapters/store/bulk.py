"""Operations as the store's tests make them: drafts with bare users, started in an account that has room for them."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import repeat
from typing import Any
from uuid import uuid4

from identity_service.adapters.store import SqlOperationStore
from identity_service.application.fingerprint import digest_of
from identity_service.application.ledger import Failure, RequestKey
from identity_service.application.operations.ports import (
    AccountRead,
    Batch,
    Cancellation,
    NewOperation,
    Operation,
    Start,
    UserClaim,
)
from identity_service.domain import target
from identity_service.domain.caller import Caller
from identity_service.domain.entities import AccountSummary
from identity_service.domain.errors import IdentityError, Reason
from identity_service.domain.facts import AccountFacts
from identity_service.domain.plan import Plan, PlanWarning, Problem, QuotaUse, WarningKind
from identity_service.domain.request import NewUser, Permissions, RequestFields, UserChange
from identity_service.domain.steps import CreateUser
from tests.unit.adapters.store.worlds import RETENTION_SECONDS, World

ACCOUNT = "123456789012"
TEAM = "people-team"
CALLER = "spiffe://example.org/onboarding-bot"
MAKER = Caller(CALLER, TEAM)
LEASE = 60.0
UUIDS = (str(uuid4()) for _ in repeat(None))
FIELDS = RequestFields("user_name", "tags", "permissions.permissions_boundary", "permissions", "credentials")
REFUSED = Failure(IdentityError(Reason.GROUP_NOT_FOUND, "there is no group nope"), retryable=False)
LATER_THAN_ALL = datetime(9999, 1, 1, tzinfo=UTC)


def empty_account(*, users: int = 5000, used: int = 0, read_after: datetime = LATER_THAN_ALL) -> AccountRead:
    """Read an account with room for so many users, of whom some are there."""
    summary = AccountSummary({"UsersQuota": users, "Users": used})
    return AccountRead(AccountFacts(account_id=ACCOUNT, partition="aws", summary=summary), read_after)


async def open_store(world: World) -> SqlOperationStore:
    """Open another one, as another replica would."""
    return SqlOperationStore((await world.open()).units, RETENTION_SECONDS)


def user(name: str, **permissions: Any) -> UserChange:
    """Ask for a bare user."""
    return UserChange(name, NewUser(), permissions=replace(Permissions(), **permissions), fields=FIELDS)


def new(request_id: str | None = None, *, team: str = TEAM, recipients: tuple[str, ...] = ()) -> NewOperation:
    """Ask for a draft."""
    key = RequestKey(CALLER, request_id or next(UUIDS))
    return NewOperation(next(UUIDS), key, digest_of(recipients), team, ACCOUNT, recipients)


def batch(operation_id: str, number: int, *changes: UserChange, request_id: str | None = None) -> Batch:
    """Ask for users to be appended."""
    return Batch(operation_id, request_id or next(UUIDS), number, digest_of(changes), changes, MAKER)


def cancellation(operation_id: str, caller: Caller = MAKER) -> Cancellation:
    """Ask for an operation to be cancelled."""
    return Cancellation(operation_id, next(UUIDS), caller)


async def draft_of(store: SqlOperationStore, *names: str, account_id: str = ACCOUNT) -> Operation:
    """Make a draft with users."""
    operation = await store.create(replace(new(), account_id=account_id))
    await store.append(batch(operation.operation_id, 0, *map(user, names)))
    return operation


async def running(store: SqlOperationStore, *names: str, account_id: str = ACCOUNT) -> str:
    """Let an operation run; return its id."""
    operation = await draft_of(store, *names, account_id=account_id)
    await store.start(Start(operation.operation_id, next(UUIDS), MAKER, plan_only=False), empty_account())
    return operation.operation_id


async def look(store: SqlOperationStore, operation_id: str) -> Operation:
    """Find an operation that is there."""
    operation = await store.find(operation_id)
    assert operation is not None
    return operation


def names(claims: tuple[UserClaim, ...]) -> list[str]:
    """Name the users of claims."""
    return [claim.change.user_name for claim in claims]


def plan_of(claim: UserClaim, *, problems: tuple[Problem, ...] = ()) -> Plan:
    """Plan a user as a planner might."""
    name = claim.change.user_name
    arn = f"arn:aws:iam::{ACCOUNT}:user/{name}"
    return Plan(
        account_id=ACCOUNT,
        target=target.user(name),
        steps=(CreateUser(user_name=name, user_arn=arn, round=1, path="/", boundary_arn=None, tags={}),),
        quota_uses=(QuotaUse("UsersQuota", 1, 2, 5000),),
        warnings=(PlanWarning(WarningKind.WILDCARD, "think", "permissions"),),
        problems=problems,
    )


async def planned(store: SqlOperationStore, *user_names: str, problem_of: str = "") -> Operation:
    """Let an operation be planned, one user with a problem."""
    operation = await draft_of(store, *user_names)
    await store.start(Start(operation.operation_id, next(UUIDS), MAKER, plan_only=True), empty_account())
    for claim in await store.claim({ACCOUNT: 10}, LEASE):
        assert claim.plan_only
        if claim.change.user_name == problem_of:
            problem = Problem(Reason.GROUP_NOT_FOUND, "there is no group nope", "permissions.group_names[0]")
            await store.planned(claim, plan_of(claim, problems=(problem,)), REFUSED)
        else:
            await store.planned(claim, plan_of(claim), None)
    await store.settle()
    return await look(store, operation.operation_id)
