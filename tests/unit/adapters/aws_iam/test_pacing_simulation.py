"""What pacing makes of an account's limit: replicas against a token bucket, in virtual time."""

import asyncio
import os

import pytest

from identity_service.adapters.aws_iam.operations import Effect
from tests.support.throttled_account import (
    CALLS_PER_USER,
    Figures,
    Replica,
    ThrottledAccount,
    figures,
    loop_time,
    make_users_in_bulk,
)
from tests.support.virtual_time import run_in_virtual_time

USERS = int(os.environ.get("PACING_USERS", "500"))
"""The figures of docs/decisions/0019-pacing.md are those of 1,000."""
MANY_USERS = max(USERS, 1000)
"""Where the start weighs more: its refusals at a low limit, and its time at a high one."""


def make_users(users: int, account: ThrottledAccount, replicas: int) -> Figures:
    """Make so many users; fails if one call does."""
    return run_in_virtual_time(_make_users(users, account, replicas))


async def _make_users(users: int, account: ThrottledAccount, replicas: int) -> Figures:
    return await make_users_in_bulk(users, [Replica(account, seed) for seed in range(replicas)])


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("seconds", [0.004, 0.03, 0.1])
def test_hundreds_of_users_use_the_limit_and_none_fails(replicas: int, seconds: float) -> None:
    """At 200 calls a second, near or far, at least 90 % of the limit is used and under 5 % are throttled."""
    account = ThrottledAccount(200, seconds=seconds)
    run = make_users(USERS, account, replicas)
    assert len(account.accepted_at) == USERS * CALLS_PER_USER
    assert run.used >= 0.9
    assert run.throttled < 0.05


@pytest.mark.parametrize(("rate", "replicas"), [(20, 2), (1000, 1)])
def test_other_limits_are_found_as_well(rate: float, replicas: int) -> None:
    """Nothing is told of the limit: a tenth of it and five times as much are used as well."""
    account = ThrottledAccount(rate)
    # One replica has 32 threads, with which 1,000 calls a second are only sent to an account that is near.
    account.seconds = 0.01
    run = make_users(MANY_USERS, account, replicas)
    assert len(account.accepted_at) == MANY_USERS * CALLS_PER_USER
    assert run.used >= 0.9
    assert run.throttled < 0.05


def test_a_limit_that_changes_is_followed() -> None:
    """From 200 calls a second to 50 and back: once it has settled, each is used to 90 %, and nothing fails."""

    async def run() -> tuple[list[Figures], int]:
        account = ThrottledAccount(200)
        replica = Replica(account, 1)
        left = 10_000  # more than there is time for

        def take_next() -> bool:
            nonlocal left
            left -= 1
            return left >= 0

        making = asyncio.create_task(replica.make_users(take_next, 32))
        settled: list[Figures] = []
        for rate, seconds in ((200, 10), (50, 10), (200, 30)):
            account.rate = rate
            await asyncio.sleep(seconds)
            since = loop_time()
            await asyncio.sleep(10)
            settled.append(figures(account, since, loop_time()))
        left = 0
        await making
        return settled, len(account.refused_at) * 100 // len(account.accepted_at)

    settled, throttled_per_cent = run_in_virtual_time(run())
    assert [each.used >= 0.9 for each in settled] == [True] * 3
    assert throttled_per_cent < 5


def test_somebody_who_waits_does_not_wait_for_bulk() -> None:
    """While many users are made, an interactive call takes hardly longer than to an idle account."""

    async def run() -> list[float]:
        account = ThrottledAccount(200, seconds=0.03)
        replica = Replica(account, 1)
        bulk = asyncio.create_task(make_users_in_bulk(USERS, [replica], side_by_side=100))
        took = []
        while not bulk.done():
            await asyncio.sleep(0.2)
            began = loop_time()
            await replica.call(Effect.READ)
            took.append(loop_time() - began)
        await bulk
        return sorted(took)

    took = run_in_virtual_time(run())
    assert len(took) > 50
    # The way there and back takes up to 48 ms; a refusal and its retry are the rare rest.
    assert took[len(took) // 2] < 0.048 + 0.015
    assert took[len(took) * 95 // 100] < 0.048 + 0.1


def test_bulk_goes_on_under_interactive_load() -> None:
    """Interactive calls that would use the whole limit up leave bulk its share: it never stands still."""

    async def run() -> float:
        account = ThrottledAccount(200, seconds=0.01)
        replica = Replica(account, 1)

        async def ask_for_ever() -> None:
            while True:
                await replica.call(Effect.READ)

        asking = [asyncio.create_task(ask_for_ever()) for _ in range(40)]
        await asyncio.sleep(5)
        await make_users_in_bulk(30, [replica])
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        return loop_time() - 5

    # 30 users take 240 calls, a tenth of the limit is 20 calls a second.
    assert run_in_virtual_time(run()) < 240 / 20 * 1.5


def test_a_configured_maximum_is_kept_from_the_first_call() -> None:
    """Whoever says how fast the account may be called is not called faster, and so is never refused."""

    async def run() -> tuple[Figures, int]:
        account = ThrottledAccount(200)
        return await make_users_in_bulk(200, [Replica(account, 1, maximum=100)]), len(account.refused_at)

    run_, refused = run_in_virtual_time(run())
    assert refused == 0
    assert 0.45 <= run_.used <= 0.5 + 0.01
