"""What the store's tests share: a store on a new database of each engine, and intents."""

import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from identity_service.adapters.store import SqlLedger, migrate
from identity_service.application.ledger import Intent, RequestKey
from identity_service.domain import target
from identity_service.domain.entities import UserRecord, UserSnapshot
from identity_service.domain.plan import Plan, PlanWarning, WarningKind
from identity_service.domain.steps import AttachUserPolicy, CreateUser, PutUserPolicy
from tests.support.postgres import database_folder, new_database, start_postgres
from tests.unit.adapters.store.worlds import World

ACCOUNT = "123456789012"


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server for all tests."""
    with database_folder() as directory, start_postgres(directory) as url:
        yield url


@pytest.fixture(scope="session")
def migrated_url(postgres_url: str) -> Iterator[str]:
    """A database with the store's tables, to make others from."""
    with new_database(postgres_url) as url:
        migrate(url)
        yield url


@pytest.fixture
def empty_postgres_url(postgres_url: str) -> Iterator[str]:
    """A new database without tables."""
    with new_database(postgres_url) as url:
        yield url


@pytest.fixture
def database_file(tmp_path: Path) -> Path:
    """The file of a store on SQLite; not there yet."""
    return tmp_path / "ledger.db"


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the store's tables, to make others from."""
    path = tmp_path_factory.mktemp("migrated") / "ledger.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
async def sqlite_world(migrated_file: Path, database_file: Path) -> AsyncIterator[World]:
    """A store on a new SQLite file."""
    shutil.copy(migrated_file, database_file)
    world = World(f"sqlite:///{database_file}")
    yield world
    for ledger in world.opened:
        await ledger.close()


@pytest.fixture
async def postgres_world(migrated_url: str) -> AsyncIterator[World]:
    """A store in a new PostgreSQL database."""
    with new_database(migrated_url, template=migrated_url) as url:
        world = World(url)
        yield world
        for ledger in world.opened:
            await ledger.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest) -> World:
    """A store on each engine in turn."""
    found: World = request.getfixturevalue("sqlite_world" if request.param == "sqlite" else "postgres_world")
    return found


@pytest.fixture
async def ledger(world: World) -> SqlLedger:
    """An open store on a new database."""
    return await world.open()


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
        needs_caller: bool = False,
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
        return Intent(
            row_id=row_id,
            key=RequestKey(caller_id=caller_id, request_id=request_id),
            team="people-team",
            action="ProvisionUser",
            fingerprint=fingerprint,
            plan=Plan(account_id, target.user(user_name), steps=steps, warnings=warnings),
            snapshot=snapshot,
            needs_caller=needs_caller,
            recipients=("age1recipient",),
            sign_in_url="https://example.signin.aws.amazon.com/console",
        )

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
