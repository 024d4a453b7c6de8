"""A console password that nobody has recorded: deleted if it is surely the request's, else left and reported."""

from contextlib import suppress
from uuid import uuid4

import pytest

from identity_service.domain.errors import IdentityError
from identity_service.domain.minting import MintState
from identity_service.domain.request import ConsolePassword, Credentials, NewUser, UserChange, UserDeletion
from tests.unit.application.worlds import LOST, OWNED, World, key_of, replace_action

PASSWORD = UserChange("ana", credentials=Credentials(console_password=ConsolePassword()))
SET_LOST = replace_action(LOST, "iam:CreateLoginProfile")


@pytest.fixture
def world() -> World:
    """Make a world with ana."""
    world = World()
    world.iam.add_user("ana", tags=OWNED)
    return world


async def reported(world: World, request_id: str) -> tuple[str, ...]:
    """Take the second look at a request, and return what it could not attribute."""
    await world.look_again()
    return world.ledger.unattributed[world.ledger.rows[key_of(request_id)].intent.row_id]


@pytest.mark.parametrize("after_effect", [False, True])
async def test_the_second_look_leaves_another_requests_password(world: World, after_effect: bool) -> None:
    """A call is lost, and another request sets the password meanwhile: it still works after the second look."""
    request_id = str(uuid4())
    world.iam.inject("iam:CreateLoginProfile", SET_LOST, after_effect=after_effect)
    await world.refused(PASSWORD, request_id=request_id)
    world.clock.advance(120)
    other = await world.do(PASSWORD)
    await world.look_again()
    assert await world.iam.get_login_profile("ana") is not None
    world.assert_secrets_work(other)


@pytest.mark.parametrize("seconds", [5, 120])
async def test_a_redelivery_leaves_another_requests_password(world: World, seconds: float) -> None:
    """The lost request comes again, as a queue delivers it: what another one has set is not deleted for it."""
    request_id = str(uuid4())
    world.iam.inject("iam:CreateLoginProfile", SET_LOST)
    await world.refused(PASSWORD, request_id=request_id)
    world.clock.advance(seconds)
    other = await world.do(PASSWORD)
    with suppress(IdentityError):
        await world.do(PASSWORD, request_id=request_id)
    world.assert_secrets_work(other)
    assert await world.iam.get_login_profile("ana") is not None
    assert await reported(world, request_id)


async def test_an_administrators_password_is_left_and_reported(world: World) -> None:
    """Somebody does by hand what the request has failed at: the second look tells of it and lets it be."""
    request_id = str(uuid4())
    world.iam.inject("iam:CreateLoginProfile", SET_LOST)
    await world.refused(PASSWORD, request_id=request_id)
    world.clock.advance(300)
    world.iam.add_login_profile("ana")
    assert any("console password" in found for found in await reported(world, request_id))
    assert await world.iam.get_login_profile("ana") is not None


async def test_a_password_that_lands_a_little_late_is_deleted(world: World) -> None:
    """The lost call is carried out after its undo, while nobody else set one: the second look deletes it."""
    request_id = str(uuid4())
    world.iam.inject("iam:CreateLoginProfile", SET_LOST)
    await world.refused(PASSWORD, request_id=request_id)
    world.iam.add_login_profile("ana")
    assert await reported(world, request_id) == ()
    assert await world.iam.get_login_profile("ana") is None


async def test_a_deleted_password_answers_for_its_mint(world: World) -> None:
    """The lost call's password was found and deleted: no later password can be taken for it."""
    request_id = str(uuid4())
    world.iam.inject("iam:CreateLoginProfile", SET_LOST, after_effect=True)
    await world.refused(PASSWORD, request_id=request_id)
    assert [mint.state for mint in world.ledger.mints_of(key_of(request_id))] == [MintState.VOID]
    world.iam.add_login_profile("ana")
    assert await reported(world, request_id) == ()
    assert await world.iam.get_login_profile("ana") is not None


async def test_a_password_of_a_user_who_had_the_name_before_is_no_others() -> None:
    """A user is deleted and made again within a minute: the password of its predecessor makes its own not doubtful."""
    world, request_id = World(), str(uuid4())
    body = UserChange("ana", NewUser(), credentials=Credentials(console_password=ConsolePassword()))
    await world.do(body)
    await world.do(UserDeletion("ana"))
    world.iam.inject("iam:CreateLoginProfile", SET_LOST, after_effect=True)
    error = await world.refused(body, request_id=request_id)
    assert error.metadata["remaining"] == "nothing"
    world.assert_secrets_work(await world.do(body, request_id=request_id))
