"""Many callers at once: one winner of a race, quotas that hold, and large accounts that page.

SOAK_ROUNDS=100, as `make soak` sets it, runs more rounds.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from embedded_aws import EmbeddedAws
from embedded_aws.paging import Deferred, page
from embedded_aws.query_protocol import Call, HttpRequest
from tests.unit.embedded_aws.raw_http import Connection

ROUNDS = int(os.environ.get("SOAK_ROUNDS", "4"))
CALLS, CALLERS = 1000, 20
NAME = re.compile(rb"<UserName>([^<]+)</UserName>")
MARKER = re.compile(rb"<Marker>([^<]+)</Marker>")


@pytest.fixture(scope="module", params=[None, "1e-6"], ids=["as it comes", "tiny switch interval"])
def racing_account(request: pytest.FixtureRequest) -> Iterator[EmbeddedAws]:
    """An account whose threads give way as usual, and one whose threads give way all the time."""
    arguments = [] if request.param is None else ["--switch-interval", request.param]
    with EmbeddedAws(arguments=arguments) as account:
        yield account


def race(account: EmbeddedAws, calls: int, attempt: Callable[[Connection, int], str]) -> Counter[str]:
    """So many attempts over kept connections, begun together; how often each outcome came."""
    callers = min(CALLERS, calls)
    start = Barrier(callers)

    def caller(first: int) -> list[str]:
        with Connection(account.endpoint_url) as connection:
            start.wait(30)
            return [attempt(connection, number) for number in range(first, calls, callers)]

    with ThreadPoolExecutor(callers) as pool:
        return Counter(outcome for outcomes in pool.map(caller, range(callers)) for outcome in outcomes)


def test_a_race_for_a_name_has_one_winner(racing_account: EmbeddedAws) -> None:
    """Of 1,000 racing CreateUser calls with one name in two spellings exactly one succeeds, round after round."""
    for _ in range(ROUNDS):
        racing_account.reset()
        outcomes = race(
            racing_account,
            CALLS,
            lambda connection, number: connection.call("CreateUser", UserName="Racer" if number % 2 else "racer")[0],
        )
        assert outcomes == {"ok": 1, "EntityAlreadyExists": CALLS - 1}
        assert len(racing_account.dump()["users"]) == 1


def test_a_race_for_keys_ends_at_the_quota(racing_account: EmbeddedAws) -> None:
    """Of many racing CreateAccessKey calls exactly two succeed."""
    for _ in range(ROUNDS):
        racing_account.reset()
        race(racing_account, 1, lambda connection, _: connection.call("CreateUser", UserName="ada")[0])
        outcomes = race(
            racing_account, 100, lambda connection, _: connection.call("CreateAccessKey", UserName="ada")[0]
        )
        assert outcomes == {"ok": 2, "LimitExceeded": 98}


def test_a_deleted_user_leaves_nothing(racing_account: EmbeddedAws) -> None:
    """Creating, deleting and minting against each other never leaves a key without its user."""

    def attempt(connection: Connection, number: int) -> str:
        operation = ("CreateUser", "CreateAccessKey", "DeleteUser")[number % 3]
        return connection.call(operation, UserName="ada")[0]

    for _ in range(ROUNDS):
        racing_account.reset()
        outcomes = race(racing_account, 150, attempt)
        assert set(outcomes) <= {"ok", "EntityAlreadyExists", "NoSuchEntity", "LimitExceeded", "DeleteConflict"}
        users = racing_account.dump()["users"]
        assert all(len(user["access_keys"]) <= 2 for user in users)


def test_thousands_of_users_are_listed_in_pages(aws: EmbeddedAws) -> None:
    """Every user is listed once and in order, over one kept connection."""
    names = [f"user-{number:05d}" for number in range(3000)]
    outcomes = race(
        aws, len(names), lambda connection, number: connection.call("CreateUser", UserName=names[-number - 1])[0]
    )
    assert outcomes == {"ok": len(names)}
    listed: list[str] = []
    params = {"MaxItems": "500"}
    with Connection(aws.endpoint_url) as connection:
        while True:
            _, body = connection.call("ListUsers", **params)
            found = NAME.findall(body)
            assert len(found) == 500
            listed += [name.decode() for name in found]
            marker = MARKER.search(body)
            if marker is None:
                break
            params["Marker"] = marker[1].decode()
    assert listed == names


def test_a_page_describes_only_what_it_shows() -> None:
    """However large the account, a page costs the description of its own items."""
    described: list[str] = []

    def describe(name: str) -> Callable[[], dict[str, Any]]:
        def described_now() -> dict[str, Any]:
            described.append(name)
            return {"UserName": name}

        return described_now

    users = [Deferred(f"u{number:05d}", describe(f"u{number:05d}")) for number in range(10_000)]
    call = Call("iam", "ListUsers", {"MaxItems": 7}, "", "us-east-1", HttpRequest("POST", "/", {}, b""))
    page(call, {"Users": users})
    assert described == [f"u{number:05d}" for number in range(7)]
