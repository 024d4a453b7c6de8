"""A deletion whose answer was lost is sent again, and the first sending lands late: it takes nothing that is wanted."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from identity_service.application.ports import Receipt
from identity_service.domain.errors import IamError, IdentityError
from identity_service.domain.request import (
    ConsolePassword,
    Credentials,
    InlinePolicy,
    NewUser,
    PermissionRevocation,
    Permissions,
    UserChange,
)
from tests.contract.fake_iam import ALLOW_NOTHING
from tests.unit.application.cases import CASES, Case, ask_again, full_user, plain_user, wanted
from tests.unit.application.disturbances import Death, Killed
from tests.unit.application.worlds import DENIED, THROTTLED, World, replace_action

MADE_AGAIN = {
    "delete_user": "create_user",
    "delete_login_profile": "create_login_profile",
    "delete_virtual_mfa_device": "create_virtual_mfa_device",
    "remove_user_from_group": "add_user_to_group",
    "detach_user_policy": "attach_user_policy",
    "delete_user_policy": "put_user_policy",
    "delete_group": "create_group",
    "delete_policy": "create_policy",
}
"""Deletions by name, each with the call that makes the same again."""


class LateTwins:
    """Every deletion that finds something is sent twice: one sending is done at once, the other as late as harms most.

    That is right after the same was made again, or when IAM was given time to settle, whichever comes first.
    """

    def __init__(self, world: World) -> None:
        self._on_their_way: list[tuple[str, Callable[[], Awaitable[Receipt]]]] = []
        for deletion, creation in MADE_AGAIN.items():
            self._double(world, deletion)
            self._strike_after(world, creation, deletion)
        settle = world._wait

        async def settling(seconds: float) -> None:
            await self._land(lambda _: True)
            await settle(seconds)

        world._wait = settling  # type: ignore[method-assign]  # what is on its way lands meanwhile
        world.process = world.start()

    def _double(self, world: World, deletion: str) -> None:
        delete = getattr(world.iam, deletion)

        async def deleting(*names: str) -> Receipt:
            before = world.iam.contents()
            receipt: Receipt = await delete(*names)
            if world.iam.contents() == before:
                return receipt
            self._on_their_way.append((deletion, lambda: delete(*names)))
            return replace(receipt, repeated=True)

        setattr(world.iam, deletion, deleting)

    def _strike_after(self, world: World, creation: str, deletion: str) -> None:
        create = getattr(world.iam, creation)

        async def creating(*parts: Any) -> Any:
            answer = await create(*parts)
            await self._land(lambda on_its_way: on_its_way == deletion)
            return answer

        setattr(world.iam, creation, creating)

    async def _land(self, may_land: Callable[[str], bool]) -> None:
        landing = [twin for twin in self._on_their_way if may_land(twin[0])]
        self._on_their_way = [twin for twin in self._on_their_way if not may_land(twin[0])]
        for _, send in landing:
            with suppress(IamError):
                await send()


@pytest.mark.parametrize("case", [CASES["provision"], CASES["credentials"]], ids=["provision", "credentials"])
async def test_what_was_undone_is_made_again_and_stays(case: Case) -> None:
    """The same request after its undo gets all that it asks for, and secrets that work."""
    expected, world, request_id = await wanted(case), case.world(), str(uuid4())
    LateTwins(world)
    world.iam.inject("iam:CreateAccessKey", replace_action(THROTTLED, "iam:CreateAccessKey"))
    await world.refused(case.body, request_id=request_id)
    again = await world.do(case.body, request_id=request_id)
    assert world.iam.contents() == expected
    world.assert_secrets_work(again)


async def test_another_request_for_what_was_undone_gets_what_it_asks_for() -> None:
    """The target is not free before all deletions of the undo have landed."""
    case = CASES["provision"]
    expected, world = await wanted(case), case.world()
    LateTwins(world)
    world.iam.inject("iam:CreateAccessKey", replace_action(DENIED, "iam:CreateAccessKey"))
    await world.refused(case.body)
    world.assert_secrets_work(await world.do(case.body))
    assert world.iam.contents() == expected


async def test_what_was_revoked_and_is_granted_again_stays() -> None:
    """A revocation is answered when it can no longer take what somebody grants next."""
    world = World()
    full_user(world)
    before = world.iam.contents()
    LateTwins(world)
    await world.do(PermissionRevocation("ana", ("Developers",), ("Deploy",)))
    assert world.iam.contents() != before
    await world.do(UserChange("ana", permissions=Permissions(("Developers",), ("Deploy",))))
    assert world.iam.contents() == before


async def die(world: World, case: Case, request_id: str, at: int) -> bool:
    """Let the process that serves a request die at a moment, after the leases have ended; tell whether it did."""
    world.let_leases_end()
    death = Death(at)
    with suppress(Killed, IdentityError):
        await world.do(case.body, process=world.start(death), request_id=request_id, reissue_secrets=True)
    return death.dead


async def test_a_revocation_that_died_strikes_no_later_grant() -> None:
    """Whenever its process dies, the request that goes on with it ends when it can no longer take what is granted."""
    at, died = 0, True
    while died:
        world = World()
        full_user(world)
        before, request_id = world.iam.contents(), str(uuid4())
        LateTwins(world)
        revocation = Case(PermissionRevocation("ana", ("Developers",)))
        died = await die(world, revocation, request_id, at)
        world.let_leases_end()
        await ask_again(world, revocation, request_id)
        await world.do(UserChange("ana", permissions=Permissions(("Developers",))))
        assert world.iam.contents() == before, at
        at += 1
    assert at > 5


PERMISSIONS = Permissions(("Developers",), inline_policies=(InlinePolicy("nothing", ALLOW_NOTHING),))
NEW_USER = UserChange(
    "ana", new_user=NewUser(), credentials=Credentials(console_password=ConsolePassword()), permissions=PERMISSIONS
)
USER = UserChange("ana", credentials=Credentials(access_key=True), permissions=Permissions(("Developers",)))
DYING = {
    "goes-on": (Case(NEW_USER), ""),
    "is-undone": (Case(NEW_USER), "iam:PutUserPolicy"),
    "is-undone-for-a-user": (Case(USER, plain_user), "iam:CreateAccessKey"),
}
"""Requests, each with the action that is throttled at first."""


@pytest.mark.parametrize(("case", "throttled"), DYING.values(), ids=DYING)
async def test_deaths_leave_no_deletion_that_strikes_later(case: Case, throttled: str) -> None:
    """Attempts that die at any two moments, in an undo or while they clear, are followed by one that waits."""
    expected, first, tried = await wanted(case), 0, 0
    while await dies_twice(case, first, 0, throttled, expected):
        second = 1
        while await dies_twice(case, first, second, throttled, expected):
            second += 1
            tried += 1
        first += 1
    assert tried > 100


async def dies_twice(case: Case, first: int, second: int, throttled: str, expected: object) -> bool:
    """Let two attempts die and the next end it; tell whether both have died."""
    world, request_id = case.world(), str(uuid4())
    LateTwins(world)
    if throttled:
        world.iam.inject(throttled, replace_action(THROTTLED, throttled))
    died = [await die(world, case, request_id, at) for at in (first, second)]
    world.let_leases_end()
    try:
        again = await ask_again(world, case, request_id)
    except IdentityError:
        # It was turned round, and ended undone: it may be asked for once more.
        again = await ask_again(world, case, request_id)
    assert world.iam.contents() == expected, (first, second)
    if again.credentials:
        world.assert_secrets_work(again)
    return all(died)
