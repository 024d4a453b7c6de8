"""The second look compares what was given with what is there: what came or went late is undone or reported."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest

from identity_service.domain.errors import IdentityError
from identity_service.domain.request import (
    Body,
    ConsoleDisabling,
    ConsolePassword,
    Credentials,
    InlinePolicy,
    NewUser,
    PermissionRevocation,
    Permissions,
    UserChange,
    UserDeletion,
    UserUpdate,
)
from tests.contract.fake_iam import ALLOW_NOTHING
from tests.unit.application.disturbances import Moment, Pause
from tests.unit.application.fakes import BOT
from tests.unit.application.worlds import (
    DENIED,
    LOST,
    SETTLE_SECONDS,
    THROTTLED,
    World,
    key_of,
    mutation_of,
    replace_action,
    world_with_ana,
)

GROUP = UserChange("ana", permissions=Permissions(("Developers",)))
KEY = UserChange("ana", credentials=Credentials(access_key=True))
PASSWORD = UserChange("ana", credentials=Credentials(console_password=ConsolePassword()))
BARE = UserChange("ana", new_user=NewUser())
MADE = UserChange(
    "ana", new_user=NewUser(), credentials=Credentials(access_key=True, console_password=ConsolePassword())
)


@pytest.fixture
def world() -> World:
    """Make a world with ana, and room for keys."""
    return world_with_ana()


class Sleeper:
    """A request whose process stands still while a call is on its way."""

    def __init__(self, world: World, body: Body, method: str, **parts: Any) -> None:
        self.request_id = parts.setdefault("request_id", str(uuid4()))
        self._pause = Pause(0, lambda moment: moment == Moment("iam", method, "sent"))
        run = world.start(self._pause).service.run(BOT, mutation_of(body, **parts))
        self._task: asyncio.Task[Any] = asyncio.create_task(run)

    async def sleeps(self) -> None:
        """Wait until it stands still."""
        async with asyncio.timeout(10):
            await self._pause.reached.wait()

    async def wakes(self) -> None:
        """Let the call be carried out, and the process find out that its request was taken over."""
        self._pause.go_on.set()
        with suppress(IdentityError):
            await self._task


async def asleep(world: World, body: Body, method: str, **parts: Any) -> Sleeper:
    """Begin a request and let it stand still."""
    sleeper = Sleeper(world, body, method, **parts)
    await sleeper.sleeps()
    return sleeper


def row_id_of(world: World, request_id: str) -> str:
    """Return a request's row."""
    return world.ledger.rows[key_of(request_id)].intent.row_id


# What a late deletion takes.


async def test_a_password_that_a_late_deletion_takes_is_missed() -> None:
    """A reissue that stands still deletes the password of the one that has taken it over: somebody is told."""
    world, request_id = World(), str(uuid4())
    await world.do(MADE, request_id=request_id)
    sleeper = await asleep(world, MADE, "delete_login_profile", request_id=request_id, reissue_secrets=True)
    world.let_leases_end()
    await world.do(MADE, process=world.start(), request_id=request_id, reissue_secrets=True)
    await sleeper.wakes()
    await world.look_again()
    assert world.ledger.missing[row_id_of(world, request_id)] == ("console password of ana",)


async def test_a_grant_that_a_late_revocation_takes_is_missed(world: World) -> None:
    """A revocation that stands still takes away what a later request has granted."""
    await world.do(GROUP)
    sleeper = await asleep(world, PermissionRevocation("ana", ("Developers",), ()), "remove_user_from_group")
    await world.take_over()
    await world.do(GROUP)
    await sleeper.wakes()
    await world.look_again()
    assert world.ledger.missing[row_id_of(world, sleeper.request_id)] == ("group developers of ana",)


async def test_a_user_that_a_late_undo_takes_is_missed() -> None:
    """An undo that stands still deletes the user that a later request has made."""
    world = World()
    world.iam.inject("iam:AddUserToGroup", replace_action(THROTTLED, "iam:AddUserToGroup"))
    body = UserChange("ana", new_user=NewUser(), permissions=Permissions(("Developers",)))
    sleeper = await asleep(world, body, "delete_user")
    await world.take_over()
    await world.do(BARE, process=world.start())
    await sleeper.wakes()
    await world.look_again()
    assert world.ledger.missing[row_id_of(world, sleeper.request_id)] == ("user ana",)


@pytest.mark.parametrize(
    "later",
    [
        PermissionRevocation("ana", ("Developers",), ()),
        UserUpdate("ana", "ana2"),
        UserDeletion("ana"),
    ],
    ids=["revoked", "renamed", "deleted"],
)
async def test_what_a_later_request_takes_is_not_missed(world: World, later: Body) -> None:
    """Whoever took it away wanted that."""
    request_id = str(uuid4())
    sleeper = await asleep(world, GROUP, "add_user_to_group", request_id=request_id)
    await world.take_over()
    await sleeper.wakes()
    await world.do(later)
    await world.look_again()
    assert world.ledger.missing == {row_id_of(world, request_id): ()}


async def test_what_was_revoked_before_a_reissue_is_not_missed() -> None:
    """A reissue makes secrets alone: what was taken away after the request was done is not what it gave now."""
    world, request_id = World(), str(uuid4())
    body = UserChange(
        "ana", NewUser(), credentials=Credentials(access_key=True), permissions=Permissions(("Developers",))
    )
    await world.do(body, request_id=request_id)
    world.clock.advance(1)
    await world.do(PermissionRevocation("ana", ("Developers",), ()))
    await world.do(body, request_id=request_id, reissue_secrets=True)
    await world.look_again()
    assert world.ledger.missing == {row_id_of(world, request_id): ()}


# Grants that land late.


def grants(name: str) -> tuple[UserChange, str]:
    """Return a request that grants something before it asks for a key, and the call that grants it."""
    given = {
        "add_user_to_group": Permissions(("Developers",)),
        "attach_user_policy": Permissions((), ("Deploy",)),
        "put_user_policy": Permissions(inline_policies=(InlinePolicy("nothing", ALLOW_NOTHING),)),
        "put_user_permissions_boundary": Permissions(boundary="Boundary"),
    }
    return UserChange("ana", credentials=Credentials(access_key=True), permissions=given[name]), name


GRANTING = ["add_user_to_group", "attach_user_policy", "put_user_policy", "put_user_permissions_boundary"]


async def lands_late(world: World, name: str, meanwhile: Callable[[], Awaitable[object]] | None = None) -> str:
    """Let a grant land after its request was undone; return the request's row."""
    body, method = grants(name)
    sleeper = await asleep(world, body, method)
    world.iam.inject("iam:CreateAccessKey", replace_action(DENIED, "iam:CreateAccessKey"))
    await world.take_over()
    if meanwhile:
        await meanwhile()
    await sleeper.wakes()
    await world.look_again()
    return row_id_of(world, sleeper.request_id)


@pytest.mark.parametrize("name", GRANTING)
async def test_a_grant_that_lands_late_is_reported(world: World, name: str) -> None:
    """A user who was there keeps what a paused call grants after the undo; an operator is told of it."""
    row_id = await lands_late(world, name)
    (found,) = world.ledger.unattributed[row_id]
    assert found.endswith("of ana")


@pytest.mark.parametrize("name", GRANTING)
async def test_a_grant_that_another_request_made_is_no_late_one(world: World, name: str) -> None:
    """What a later request has granted is there rightly."""
    body, _ = grants(name)

    async def grant() -> None:
        await world.do(UserChange("ana", permissions=body.permissions))

    row_id = await lands_late(world, name, grant)
    assert world.ledger.unattributed[row_id] == ()


async def test_a_grant_that_was_there_before_is_no_late_one(world: World) -> None:
    """What the user had when the request began has not come of it."""
    await world.do(GROUP)
    world.iam.inject("iam:CreateAccessKey", replace_action(DENIED, "iam:CreateAccessKey"))
    body, _ = grants("add_user_to_group")
    request_id = str(uuid4())
    await world.refused(
        UserChange("ana", credentials=body.credentials, permissions=Permissions(("Developers",), ("Deploy",))),
        request_id=request_id,
    )
    await world.look_again()
    assert world.ledger.unattributed == {row_id_of(world, request_id): ()}


# Credentials that land late on a user who has moved on.


async def test_a_password_that_lands_after_console_access_has_ended_is_deleted(world: World) -> None:
    """The request was done by a takeover and console access was ended: the paused call brings it back, not for long."""
    sleeper = await asleep(world, PASSWORD, "create_login_profile")
    await world.take_over()
    await world.do(ConsoleDisabling("ana"))
    await sleeper.wakes()
    assert await world.iam.get_login_profile("ana") is not None
    await world.look_again()
    assert await world.iam.get_login_profile("ana") is None


async def test_a_look_that_fails_waits_for_what_it_has_sent(world: World) -> None:
    """Its deletion by name has got no answer: it has landed before the user is anybody else's, who may set the next."""
    sleeper = await asleep(world, PASSWORD, "create_login_profile")
    await world.take_over()
    await world.do(ConsoleDisabling("ana"))
    await sleeper.wakes()
    world.iam.inject("iam:DeleteLoginProfile", replace_action(LOST, "iam:DeleteLoginProfile"))
    world.waits.clear()
    await world.look_again()
    assert world.ledger.rows[key_of(sleeper.request_id)].look_again
    assert world.waits == [SETTLE_SECONDS]
    assert world.ledger.locked == set()


async def test_a_password_that_came_back_much_later_is_reported(world: World) -> None:
    """It may be the paused call's or an administrator's: it is left."""
    sleeper = await asleep(world, PASSWORD, "create_login_profile")
    await world.take_over()
    await world.do(ConsoleDisabling("ana"))
    world.clock.advance(300)
    await sleeper.wakes()
    await world.look_again()
    assert await world.iam.get_login_profile("ana") is not None
    assert world.ledger.unattributed[row_id_of(world, sleeper.request_id)] == ("console password of ana",)


async def test_a_password_that_is_wanted_stays(world: World) -> None:
    """A takeover's password, with a lost call of the same request beside it, is the one that was handed out."""
    sleeper = await asleep(world, PASSWORD, "create_login_profile")
    world.let_leases_end()
    done = await world.do(PASSWORD, process=world.start(), request_id=sleeper.request_id)
    await sleeper.wakes()
    await world.look_again()
    world.assert_secrets_work(done)
    assert await world.iam.get_login_profile("ana") is not None


async def late_key(world: World) -> tuple[str, str]:
    """Let a key land late; return the request's row and the key."""
    request_id = str(uuid4())
    world.iam.inject("iam:CreateAccessKey", replace_action(LOST, "iam:CreateAccessKey"))
    await world.refused(KEY, request_id=request_id)
    return row_id_of(world, request_id), world.iam.add_access_key("ana")


async def rename(world: World) -> None:
    """Let a request rename the user."""
    await world.do(UserUpdate("ana", "ana2"))


async def rename_by_hand(world: World) -> None:
    """Let an administrator rename the user."""
    await world.iam.update_user("ana", "ana2", None)


@pytest.mark.parametrize("renames", [rename, rename_by_hand])
async def test_a_late_key_is_found_on_a_renamed_user(world: World, renames: Callable[[World], Awaitable[None]]) -> None:
    """A key moves along with its user: it is looked for under the new name, and other requests' keys stay."""
    row_id, late = await late_key(world)
    await renames(world)
    other = await world.do(UserChange("ana2", credentials=Credentials(access_key=True)))
    await world.look_again()
    assert other.credentials is not None
    assert other.credentials.access_key is not None
    assert world.iam.key_ids("ana2") == [other.credentials.access_key.access_key_id]
    assert late not in world.iam.key_ids("ana2")
    assert world.ledger.unattributed[row_id] == ()


async def test_a_late_password_on_a_renamed_user_is_reported(world: World) -> None:
    """What other requests have set under the new name is not known, so that it is left."""
    request_id = str(uuid4())
    world.iam.inject("iam:CreateLoginProfile", replace_action(LOST, "iam:CreateLoginProfile"))
    await world.refused(PASSWORD, request_id=request_id)
    world.iam.add_login_profile("ana")
    await rename(world)
    await world.look_again()
    assert world.ledger.unattributed[row_id_of(world, request_id)] == ("console password of ana2",)
    assert await world.iam.get_login_profile("ana2") is not None


@pytest.mark.parametrize("by_request", [True, False])
async def test_nothing_is_looked_for_on_a_user_that_is_gone(world: World, by_request: bool) -> None:
    """Its late key has gone with it, whoever deleted it."""
    row_id, late = await late_key(world)
    if by_request:
        await world.do(UserDeletion("ana"))
    else:
        await world.iam.delete_access_key("ana", late)
        await world.iam.delete_user("ana")
    await world.look_again()
    assert world.ledger.unattributed[row_id] == ()


async def test_a_user_that_cannot_be_looked_for_is_reported(world: World) -> None:
    """The role may not list users: somebody is told what was not looked for, and the look ends."""
    row_id, _ = await late_key(world)
    await rename_by_hand(world)
    world.iam.inject("iam:GetAccountAuthorizationDetails", replace_action(DENIED, "iam:GetAccountAuthorizationDetails"))
    await world.look_again()
    (found,) = world.ledger.unattributed[row_id]
    assert "gone or renamed" in found
