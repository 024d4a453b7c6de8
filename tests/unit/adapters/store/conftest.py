"""What the store's tests share: a clock that stands still, a store on a new file, and intents."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from identity_service.adapters.store import SqlLedger
from identity_service.application.ports import Intent, RequestKey
from identity_service.domain import target
from identity_service.domain.entities import UserRecord, UserSnapshot
from identity_service.domain.plan import Plan, PlanWarning, WarningKind
from identity_service.domain.steps import AttachUserPolicy, CreateUser, PutUserPolicy

ACCOUNT = "123456789012"
LEASE_SECONDS = 300


class StandingClock:
    """A clock that only a test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Tell the time."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> StandingClock:
    """The clock of every store of a test."""
    return StandingClock()


@pytest.fixture
def database_file(tmp_path: Path) -> Path:
    """The file of the test's store; not there yet."""
    return tmp_path / "ledger.db"


@pytest.fixture
async def open_ledger(clock: StandingClock, database_file: Path) -> AsyncIterator[Callable[..., Awaitable[SqlLedger]]]:
    """Open stores on the test's file, as processes of their own would; all are closed in the end."""
    opened: list[SqlLedger] = []

    async def open_one(busy_timeout_seconds: float = 5) -> SqlLedger:
        ledger = SqlLedger(
            f"sqlite:///{database_file}",
            lease_seconds=LEASE_SECONDS,
            clock=clock,
            busy_timeout_seconds=busy_timeout_seconds,
        )
        opened.append(ledger)
        await ledger.open()
        return ledger

    yield open_one
    for ledger in opened:
        await ledger.close()


@pytest.fixture
async def ledger(open_ledger: Callable[..., Awaitable[SqlLedger]]) -> SqlLedger:
    """An open store on a new file."""
    return await open_ledger()


@pytest.fixture
def make_intent() -> Callable[..., Intent]:
    """Build intents to make the user `Ann` with a managed and an inline policy."""

    def make(
        row_id: str = "row-1",
        caller_id: str = "spiffe://example.org/onboarding-bot",
        request_id: str = "6f1c0e9e-0f63-4e0b-9d4f-0a4f3b5d8a01",
        user_name: str = "Ann",
        account_id: str = ACCOUNT,
        fingerprint: str = "fingerprint-1",
        document: str = '{"Version":"2012-10-17"}',
        snapshot: UserSnapshot | None = None,
    ) -> Intent:
        arn = f"arn:aws:iam::{account_id}:user/{user_name}"
        steps = (
            CreateUser(
                user_name=user_name,
                user_arn=arn,
                round=1,
                path="/",
                boundary_arn=f"arn:aws:iam::{account_id}:policy/Boundary",
                tags={"cost-center": "4711"},
            ),
            AttachUserPolicy(user_name=user_name, user_arn=arn, round=2, policy_arn="arn:aws:iam::aws:policy/ReadOnly"),
            PutUserPolicy(user_name=user_name, user_arn=arn, round=2, policy_name="inline-1", document=document),
        )
        warnings = (PlanWarning(WarningKind.DIRECT_ATTACHMENT, "words for people"),)
        plan = Plan(account_id, target.user(user_name), steps=steps, warnings=warnings)
        key = RequestKey(caller_id=caller_id, request_id=request_id)
        return Intent(row_id, key, "people-team", "ProvisionUser", fingerprint, plan, snapshot)

    return make


@pytest.fixture
def user() -> UserRecord:
    """The user `Ann` as IAM has it."""
    return UserRecord(
        user_name="Ann",
        user_id="AIDAEXAMPLE",
        arn=f"arn:aws:iam::{ACCOUNT}:user/Ann",
        path="/",
        created_at=datetime(2026, 2, 3, 4, 5, 7, tzinfo=UTC),
        tags={"cost-center": "4711"},
    )
