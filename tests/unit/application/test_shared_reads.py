"""Reads that the users of an operation share."""

import asyncio
from typing import Any, cast

import pytest

from identity_service.application.operations.shared_reads import FRESH_SECONDS, SHARED, SharedReads
from identity_service.application.ports import IamAccount
from identity_service.domain.errors import IamError
from tests.unit.application.worlds import THROTTLED, Clock


class CountingAccount:
    """Answers reads with what a test sets, and counts them."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[Any, ...]]] = []
        self.answer: Any = "answer"
        self.gate: asyncio.Event | None = None

    def __getattr__(self, name: str) -> Any:
        async def answer(*args: Any) -> Any:
            self.asked.append((name, args))
            if self.gate is not None:
                await self.gate.wait()
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer

        return answer


@pytest.fixture
def clock() -> Clock:
    """Time that only the test moves."""
    return Clock()


@pytest.fixture
def account() -> CountingAccount:
    """The account behind."""
    return CountingAccount()


@pytest.fixture
def shared(account: CountingAccount, clock: Clock) -> Any:
    """The account as users of an operation see it."""
    return SharedReads(cast(IamAccount, account), clock.monotonic)


def test_what_is_shared_is_there() -> None:
    """Each shared read is one of the account's."""
    assert [name for name in SHARED if not hasattr(IamAccount, name)] == []


async def test_a_group_is_read_once_for_many(shared: Any, account: CountingAccount, clock: Clock) -> None:
    """The same read is asked once while it is fresh, and anew after that; other arguments are another read."""
    assert await asyncio.gather(*(shared.get_group("Developers") for _ in range(3))) == ["answer"] * 3
    await shared.get_group("Others")
    assert account.asked == [("get_group", ("Developers",)), ("get_group", ("Others",))]
    clock.advance(FRESH_SECONDS + 1)
    await shared.get_group("Developers")
    assert len(account.asked) == 3


async def test_users_themselves_are_always_read(shared: Any, account: CountingAccount) -> None:
    """What depends on the user is asked each time."""
    for _ in range(2):
        await shared.get_user("ann")
    assert len(account.asked) == 2


async def test_what_is_not_there_is_asked_again(shared: Any, account: CountingAccount) -> None:
    """A group that is absent may be made at any moment; that a name is no customer's policy is kept."""
    account.answer = None
    for _ in range(2):
        await shared.get_group("Developers")
        await shared.find_customer_policy("ReadOnlyAccess")
    assert [name for name, _ in account.asked] == ["get_group", "find_customer_policy", "get_group"]


async def test_a_failure_is_not_shared_with_later_ones(shared: Any, account: CountingAccount) -> None:
    """Whoever asks after a failure asks anew."""
    account.answer = THROTTLED
    with pytest.raises(IamError):
        await shared.get_alias()
    account.answer = "acme"
    assert await shared.get_alias() == "acme"


async def test_a_change_makes_everything_be_read_anew(shared: Any, account: CountingAccount) -> None:
    """After a group or a policy was made through it, nothing that was read before is answered."""
    await shared.get_group("Developers")
    await shared.create_group("Others", "/")
    await shared.get_group("Developers")
    assert [name for name, _ in account.asked] == ["get_group", "create_group", "get_group"]


async def test_who_stops_waiting_stops_nobody_else(shared: Any, account: CountingAccount) -> None:
    """A cancelled reader leaves the read to the others."""
    account.gate = asyncio.Event()
    first, second = (asyncio.create_task(shared.get_group("Developers")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    account.gate.set()
    assert await second == "answer"
    assert len(account.asked) == 1
