"""The fake store keeps the real one's promises: the same tests, as far as they do not look into a database."""

from collections.abc import Callable
from datetime import timedelta
from types import FunctionType
from typing import NoReturn

import pytest

from tests.unit.adapters.store import test_inventory, test_ledger, test_mints, test_second_look, test_takeover
from tests.unit.adapters.store import worlds as store_worlds
from tests.unit.adapters.store.conftest import make_intent as store_make_intent
from tests.unit.adapters.store.conftest import user as store_user
from tests.unit.application.fake_ledger import FakeLedger, Terms

make_intent, user = store_make_intent, store_user
"""The store's own fixtures."""

SQL_ONLY = {
    "execute",
    "read_audit",
    "is_postgresql",
    "build",
    "close",
    "heartbeat",
    "transaction",
    "sqlite_world",
    "postgres_world",
}
"""What of a store's world and of the store only a database has."""


class FakeWorld:
    """What stands in for a database: the fake store and its clock."""

    is_postgresql = False

    def __init__(self) -> None:
        self.clock = store_worlds.StandingClock()
        self.ledger = FakeLedger(
            self.clock,
            self.clock.seconds,
            Terms(
                lease=store_worlds.LEASE_SECONDS,
                second_look_after=store_worlds.SECOND_LOOK_SECONDS,
                retry_window=store_worlds.RETRY_WINDOW_SECONDS,
                retention=store_worlds.RETENTION_SECONDS,
            ),
        )

    async def open(self) -> FakeLedger:
        """Open the same store once more, as another process does."""
        return self.ledger

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.monotonic += seconds
        self.advance_database(seconds)

    def advance_database(self, seconds: float) -> None:
        """Let time pass for the store alone."""
        self.clock.now += timedelta(seconds=seconds)

    def execute(self, statement: str, **_: object) -> NoReturn:
        """Say that there is no database to look into."""
        pytest.skip(f"no database: {statement}")


@pytest.fixture
def world() -> FakeWorld:
    """A fake store and its clock."""
    return FakeWorld()


@pytest.fixture
def ledger(world: FakeWorld) -> FakeLedger:
    """The fake store."""
    return world.ledger


def _promises() -> dict[str, Callable[..., object]]:
    modules = (test_inventory, test_ledger, test_mints, test_second_look, test_takeover)
    tests = ((name, test) for module in modules for name, test in vars(module).items())
    return {
        name: test
        for name, test in tests
        if name.startswith("test_") and isinstance(test, FunctionType) and not SQL_ONLY & _names_in(test)
    }


def _names_in(test: FunctionType) -> set[str]:
    return {*test.__code__.co_names, *test.__code__.co_varnames}


globals().update(_promises())


def test_the_promises_are_found() -> None:
    """Most of what is promised of a store is asked of the fake as well."""
    assert len(_promises()) > 30
