"""What makes a process ready, and what does not."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from identity_service.application.ledger import StoreUnavailableError
from identity_service.readiness import Readiness

NOW = datetime(2026, 5, 4, tzinfo=UTC)


class Dependencies:
    """A store and a certificate that tests break, and what was told of them."""

    def __init__(self) -> None:
        self.store_is_there = True
        self.policies_are_there = True
        self.expires = NOW + timedelta(hours=1)
        self.told: list[bool] = []

    async def ping(self) -> None:
        """Answer, or not."""
        if not self.store_is_there:
            raise StoreUnavailableError

    async def tell(self, is_ready: bool) -> None:
        """Keep an answer."""
        self.told.append(is_ready)

    def readiness(self, ping: Callable[[], Awaitable[None]] | None = None, patience: float = 10) -> Readiness:
        """Build what looks at them."""
        return Readiness(
            ping=ping or self.ping,
            policies_decide=lambda: self.policies_are_there,
            certificate_expires=lambda: self.expires,
            tell=self.tell,
            now=lambda: NOW,
            patience=patience,
        )


@pytest.fixture
def dependencies() -> Dependencies:
    """Whatever a server depends on."""
    return Dependencies()


async def test_a_store_that_comes_and_goes_is_told_each_time(dependencies: Dependencies) -> None:
    """Without its store a process is not ready, and it is again once the store is back."""
    readiness = dependencies.readiness()
    await readiness.look()
    dependencies.store_is_there = False
    await readiness.look()
    assert readiness.checks == {"store": False, "policies": True, "certificate": True}
    dependencies.store_is_there = True
    await readiness.look()
    assert dependencies.told == [True, False, True]


async def test_an_expired_certificate_is_no_use_to_clients(dependencies: Dependencies) -> None:
    """From the very moment of its expiry, a certificate makes the process unready."""
    readiness = dependencies.readiness()
    dependencies.expires = NOW
    assert not await readiness.look()
    assert readiness.checks == {"store": True, "policies": True, "certificate": False}


async def test_without_policies_nobody_could_be_let_in(dependencies: Dependencies) -> None:
    """Without rules that decide a process is not ready, and it is again once there are some."""
    readiness = dependencies.readiness()
    dependencies.policies_are_there = False
    assert not await readiness.look()
    assert readiness.checks == {"store": True, "policies": False, "certificate": True}
    dependencies.policies_are_there = True
    assert await readiness.look()


async def test_a_store_that_hangs_counts_as_away(dependencies: Dependencies) -> None:
    """What does not answer in time is away, however long it would still take."""
    readiness = dependencies.readiness(ping=lambda: asyncio.sleep(3600), patience=0)
    assert not await readiness.look()


async def test_without_tls_there_is_no_certificate_to_expire() -> None:
    """A server in plain text is asked for its store and its policies alone."""
    dependencies = Dependencies()
    readiness = Readiness(
        ping=dependencies.ping, policies_decide=lambda: True, certificate_expires=None, tell=dependencies.tell
    )
    assert await readiness.look()
    assert readiness.checks == {"store": True, "policies": True}


async def test_no_fault_ends_the_looking(dependencies: Dependencies) -> None:
    """A look that fails is followed by the next one."""
    looked = asyncio.Event()
    times = 0

    async def ping() -> None:
        nonlocal times
        times += 1
        if times == 1:
            raise RuntimeError
        looked.set()

    task = asyncio.create_task(dependencies.readiness(ping=ping).run(0))
    await asyncio.wait_for(looked.wait(), 10)
    task.cancel()
    assert times >= 2
