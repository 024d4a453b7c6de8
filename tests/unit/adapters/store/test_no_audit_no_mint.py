"""Without audit no mint and no secret: the real store breaks at each moment of a request, on each engine."""

import contextlib
import resource
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from identity_service.adapters.store import SqlLedger, migrate
from identity_service.application.attempt import Attempts
from identity_service.application.lease import Lease
from identity_service.application.ledger import Claim, Intent
from identity_service.application.mutation import MutationService
from identity_service.application.settling import Settling
from identity_service.domain.errors import IdentityError, Reason
from identity_service.domain.minting import Mint, MintKind
from identity_service.domain.outcome import Outcome
from identity_service.domain.request import ConsolePassword, Credentials, NewUser, Permissions, UserChange
from tests.support.postgres import PostgresServer, database_folder
from tests.unit.adapters.store.test_unavailable import on_each
from tests.unit.adapters.store.worlds import World
from tests.unit.application.fakes import BOT, FakeAccounts, FakeAuthorizer, FakeSealer
from tests.unit.application.worlds import Clock, ClockedIam, mutation_of

PROVISION = UserChange(
    "ana",
    new_user=NewUser(),
    credentials=Credentials(access_key=True, console_password=ConsolePassword()),
    permissions=Permissions(("Developers",)),
)
WITHOUT_LINES = {
    "sqlite": "CREATE TRIGGER broken BEFORE INSERT ON audit_log BEGIN SELECT RAISE(ABORT, 'broken'); END",
    "postgresql": "ALTER TABLE audit_log ADD CONSTRAINT broken CHECK (id < 0) NOT VALID",
}
"""Ways to refuse each new line of the audit log, and nothing else."""
Breaking = Callable[[], AbstractContextManager[None]]


class BreakingLedger(SqlLedger):
    """The real store, which breaks when it comes to a certain method, and stays broken."""

    def __init__(self, url: str, method: str, breaking: Breaking) -> None:
        super().__init__(url)
        self.broken = ExitStack()
        self._method = method
        self._breaking = breaking

    def _arrive(self, method: str) -> None:
        if method == self._method:
            self._method = ""
            self.broken.enter_context(self._breaking())

    async def begin(self, intent: Intent, planned_since: float | None = None) -> Claim:
        """Write the intent, or break."""
        self._arrive("begin")
        return await super().begin(intent, planned_since)

    async def begin_mint(self, lease: Lease, kind: MintKind) -> Mint:
        """Write that a mint begins, or break."""
        self._arrive("begin_mint")
        return await super().begin_mint(lease, kind)

    async def succeed(self, lease: Lease, outcome: Outcome) -> None:
        """Write the outcome, or break."""
        self._arrive("succeed")
        await super().succeed(lease, outcome)


@contextmanager
def full_disk(file: Path) -> Iterator[None]:
    """Let no file grow beyond the size of SQLite's log, which then cannot grow either."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.with_name(f"{file.name}-wal").stat().st_size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@contextmanager
def dead(file: Path) -> Iterator[None]:
    """Take the file away."""
    away = file.rename(file.with_suffix(".away"))
    try:
        yield
    finally:
        away.rename(file)


@contextmanager
def without_lines(url: str) -> Iterator[None]:
    """Let the database take everything but lines of the audit log."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(WITHOUT_LINES[engine.dialect.name])
    yield


@contextmanager
def stopped(server: PostgresServer) -> Iterator[None]:
    """Kill the server, as in a crash."""
    server.stop(signal.SIGQUIT)
    yield


class RealClock(Clock):
    """The time that the store goes by."""

    def now(self) -> datetime:
        """Tell the time of day."""
        return datetime.now(UTC)


SQLITE_FAULTS: dict[str, Callable[[Path], AbstractContextManager[None]]] = {
    "full disk": full_disk,
    "read-only": lambda _: on_each("checkout", "PRAGMA query_only = ON"),
    "dead": dead,
}


@dataclass
class Service:
    """The application on the real store and the fake account."""

    ledger: BreakingLedger
    iam: ClockedIam

    async def provision(self) -> Outcome | IdentityError:
        """Ask for a user with a key and a password."""
        settling = Settling(15.0, sleep=_do_not_wait)
        attempts = Attempts(self.ledger, FakeSealer(), settling, lambda: False)
        service = MutationService(accounts=FakeAccounts(self.iam), authorizer=FakeAuthorizer(), attempts=attempts)
        try:
            told = await service.run(BOT, mutation_of(PROVISION))
        except IdentityError as error:
            return error
        assert isinstance(told, Outcome)
        return told


async def _do_not_wait(_: float) -> None:
    pass


@asynccontextmanager
async def service(url: str, method: str, breaking: Breaking) -> AsyncIterator[Service]:
    """Run the application while the block lasts; its store breaks at a method."""
    iam = ClockedIam(RealClock())
    iam.add_group("Developers")
    ledger = BreakingLedger(url, method, breaking)
    await ledger.open()
    try:
        yield Service(ledger, iam)
    finally:
        ledger.broken.close()
        await ledger.close()


async def assert_nothing_is_left(running: Service, method: str) -> None:
    """Expect to be told of the store, no secret, nothing minted before the outcome, and an account as it was."""
    before = running.iam.contents()
    told = await running.provision()
    assert isinstance(told, IdentityError)
    assert told.reason is Reason.STORE_UNAVAILABLE
    assert running.iam.contents() == before
    # The account remembers each secret that it has ever answered.
    assert len(running.iam.secret_keys) == (1 if method == "succeed" else 0)
    words = f"{told.message} {dict(told.metadata)}"
    assert not [secret for secret in running.iam.secret_keys.values() if secret in words]


@pytest.mark.parametrize("method", ["begin", "begin_mint", "succeed"])
@pytest.mark.parametrize("fault", SQLITE_FAULTS)
async def test_a_sqlite_store_that_breaks_leaves_nothing(tmp_path: Path, fault: str, method: str) -> None:
    """A full disk, a read-only or a missing file: no user at the intent, no mint, no secret at the outcome."""
    file = tmp_path / "ledger.db"
    async with service(f"sqlite:///{file}", method, lambda: SQLITE_FAULTS[fault](file)) as running:
        await assert_nothing_is_left(running, method)


@pytest.mark.parametrize("method", ["begin", "succeed"])
async def test_a_log_that_takes_no_line_leaves_nothing(world: World, method: str) -> None:
    """Where only the audit log refuses, on each engine, nothing is made, and what was made is revoked."""
    if not world.is_postgresql:
        migrate(world.url)
    async with service(world.url, method, lambda: without_lines(world.url)) as running:
        await assert_nothing_is_left(running, method)


@pytest.mark.parametrize("method", ["begin", "begin_mint", "succeed"])
async def test_a_postgresql_server_that_dies_leaves_nothing(method: str) -> None:
    """A database server that is gone: no user at the intent, no mint, no secret at the outcome."""
    with database_folder() as directory:
        server = PostgresServer(directory)
        server.start()
        migrate(server.url)
        try:
            async with service(server.url, method, lambda: stopped(server)) as running:
                await assert_nothing_is_left(running, method)
        finally:
            server.stop()


async def test_a_store_that_works_answers_secrets(tmp_path: Path) -> None:
    """The same request on a store that does not break is answered, so that what is shown above is the store's doing."""
    async with service(f"sqlite:///{tmp_path / 'ledger.db'}", "none", contextlib.nullcontext) as running:
        told = await running.provision()
    assert isinstance(told, Outcome)
    assert told.credentials is not None
    assert told.credentials.has_secrets
