"""What IAM's lag, lost answers and rivals do to a request: nothing of ours is left, nothing of others is touched."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from identity_service.application.ledger import Claim, Intent
from identity_service.domain import tags
from identity_service.domain.entities import UserRecord
from identity_service.domain.errors import IamError, IamErrorKind, IdentityError, Reason
from identity_service.domain.plan import Plan
from identity_service.domain.request import ConsolePassword, Credentials, NewUser, Permissions, UserChange, UserDeletion
from tests.contract.fake_iam import FakeIam
from tests.unit.application.fakes import OTHER
from tests.unit.application.worlds import DENIED, LOST, OWNED, THROTTLED, World, replace_action, unseen

NEW = UserChange("ana", new_user=NewUser(), credentials=Credentials(access_key=True))
KEY = UserChange("ana", credentials=Credentials(access_key=True))
PASSWORD = UserChange("ana", credentials=Credentials(console_password=ConsolePassword()))


@pytest.fixture
def world() -> World:
    """Make a fresh world."""
    return World()


async def test_a_user_whose_making_was_not_answered_is_looked_for(world: World) -> None:
    """CreateUser was carried out, its answer lost, the user not yet seen: it is found once IAM has settled."""
    world.iam.inject("iam:CreateUser", replace_action(LOST, "iam:CreateUser"), after_effect=True)
    unseen(world, "get_user", 2)
    error = await world.refused(NEW)
    assert (error.reason, error.metadata["remaining"]) == (Reason.AWS_UNAVAILABLE, "nothing")
    assert world.waits == [15.0]
    assert await world.iam.get_user("ana") is None


async def test_a_read_that_fails_does_not_hide_that_the_user_was_made(world: World) -> None:
    """EntityAlreadyExists after a lost answer, then a throttled look at the user: it is deleted all the same."""
    coloured = IamError(IamErrorKind.ALREADY_EXISTS, "iam:CreateUser", "EntityAlreadyExists", 409, "r", True)
    world.iam.inject("iam:CreateUser", coloured, after_effect=True)
    real = world.iam.get_user
    calls = 0

    async def throttled_once(user_name: str, *, expected: bool = False) -> UserRecord | None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise replace_action(THROTTLED, "iam:GetUser")
        return await real(user_name, expected=expected)

    world.iam.get_user = throttled_once  # type: ignore[method-assign]  # the fake of a fake
    error = await world.refused(NEW)
    assert error.metadata["remaining"] == "nothing"
    assert await real("ana") is None


async def test_a_lost_mint_is_looked_for_twice(world: World) -> None:
    """A key that is not listed at first is found and deleted once IAM has settled; a retry leaves one key."""
    world.iam.add_user("ana", tags=OWNED)
    world.iam.inject("iam:CreateAccessKey", replace_action(LOST, "iam:CreateAccessKey"), after_effect=True)
    request_id = str(uuid4())
    unseen(world, "list_access_keys", 2, ())
    await world.refused(KEY, request_id=request_id)
    assert world.waits == [15.0]
    await world.do(KEY, request_id=request_id)
    assert len(await world.iam.list_access_keys("ana")) == 1


async def test_a_known_key_that_is_not_found_is_tried_again(world: World) -> None:
    """NoSuchEntity for a key that was just made is IAM's lag: it is deleted at the second try."""
    world.iam.add_user("ana", tags=OWNED)
    world.ledger.failing.add("succeed")
    world.iam.inject(
        "iam:DeleteAccessKey", IamError(IamErrorKind.NOT_FOUND, "iam:DeleteAccessKey", "NoSuchEntity", 404, "r")
    )
    error = await world.refused(KEY)
    assert error.metadata["remaining"] == "nothing"
    assert await world.iam.list_access_keys("ana") == ()


async def test_a_password_that_is_not_seen_yet_is_looked_for_twice(world: World) -> None:
    """One that was surely set, and that IAM does not show to the undo at first, goes once it has settled."""
    world.iam.add_user("ana", tags=OWNED)
    world.ledger.failing.add("succeed")
    unseen(world, "get_login_profile", 2)
    error = await world.refused(PASSWORD)
    assert error.metadata["remaining"] == "nothing"
    assert await world.iam.get_login_profile("ana") is None


async def test_a_retry_that_cannot_run_any_more_is_told_why(world: World) -> None:
    """Undone, and asked again when somebody has deleted the user: it is no duplicate of itself, however often."""
    world.iam.add_user("ana", tags=OWNED)
    world.iam.inject("iam:CreateAccessKey", replace_action(LOST, "iam:CreateAccessKey"))
    request_id = str(uuid4())
    await world.refused(KEY, request_id=request_id)
    await world.iam.delete_user("ana")
    for _ in range(2):
        assert (await world.refused(KEY, request_id=request_id)).reason is Reason.USER_NOT_FOUND


async def test_a_half_done_deletion_is_resumed_as_it_was_reviewed(world: World) -> None:
    """The digest of the reviewed plan still holds for the rest of it, MFA device included."""
    await world.do(NEW)
    serial = world.iam.add_mfa_device("ana")
    plan = await world.ask(UserDeletion("ana"), validate_only=True)
    assert isinstance(plan, Plan)
    request_id = str(uuid4())
    world.iam.inject("iam:DeleteVirtualMFADevice", replace_action(THROTTLED, "iam:DeleteVirtualMFADevice"))
    error = await world.refused(UserDeletion("ana"), request_id=request_id, expected_plan_digest=plan.digest)
    assert serial in error.metadata["remaining"]
    await world.do(UserDeletion("ana"), request_id=request_id, expected_plan_digest=plan.digest)
    assert await world.iam.get_user("ana") is None
    assert await world.iam.list_virtual_mfa_devices() == ()


async def test_a_deletion_whose_last_answer_was_lost_is_a_success_the_next_time(world: World) -> None:
    """Asked again, DeleteUser does not complain that the user is gone."""
    await world.do(NEW)
    request_id = str(uuid4())
    world.iam.inject("iam:DeleteUser", replace_action(LOST, "iam:DeleteUser"), after_effect=True)
    await world.refused(UserDeletion("ana"), request_id=request_id)
    outcome = await world.do(UserDeletion("ana"), request_id=request_id)
    assert outcome.steps[-1].unchanged


async def remake(world: World, owner: str) -> None:
    """Delete the user and make it again for another team, as a rival does."""
    user = await FakeIam.get_user(world.iam, "ana")
    assert user is not None
    for key in await FakeIam.list_access_keys(world.iam, "ana"):
        await FakeIam.delete_access_key(world.iam, "ana", key.access_key_id)
    await FakeIam.delete_user(world.iam, "ana")
    world.iam.add_user("ana", tags={tags.OWNER: owner})


@pytest.mark.parametrize("body", [UserDeletion("ana"), KEY], ids=["delete", "mint"])
async def test_a_namesake_made_after_the_plan_is_not_touched(world: World, body: UserChange | UserDeletion) -> None:
    """Between plan and work the user is made again by another team: nothing is done to it."""
    world.iam.add_user("ana", tags=OWNED)
    begin = world.ledger.begin

    async def rival_comes_first(intent: Intent, planned_since: float | None = None) -> Claim:
        claim = await begin(intent, planned_since)
        await remake(world, OTHER.team)
        return claim

    world.ledger.begin = rival_comes_first  # type: ignore[method-assign]  # the rival acts at this moment
    error = await world.refused(body)
    assert error.reason is Reason.CONFLICT
    assert await world.iam.get_user("ana") is not None
    assert await world.iam.list_access_keys("ana") == ()


async def test_a_review_does_not_hold_for_a_namesake(world: World) -> None:
    """The digest tells a user from one that was made again under its name."""
    world.iam.add_user("ana", tags=OWNED)
    plan = await world.ask(UserDeletion("ana"), validate_only=True)
    assert isinstance(plan, Plan)
    await remake(world, OWNED[tags.OWNER])
    error = await world.refused(UserDeletion("ana"), expected_plan_digest=plan.digest)
    assert error.reason is Reason.PLAN_CHANGED


async def test_a_passing_failure_with_something_left_is_final(world: World) -> None:
    """What could not be undone is said once and for all, with the cause, and nobody is sent to try again."""
    world.iam.inject("iam:CreateAccessKey", replace_action(THROTTLED, "iam:CreateAccessKey"))
    world.iam.inject("iam:DeleteUser", replace_action(DENIED, "iam:DeleteUser"))
    request_id = str(uuid4())
    error = await world.refused(NEW, request_id=request_id)
    assert error.reason is Reason.UNDO_INCOMPLETE
    assert error.metadata["cause"] == "THROTTLED"
    assert error.retry_after is None
    assert "create user ana" in error.metadata["remaining"]
    assert (await world.refused(NEW, request_id=request_id)).reason is Reason.UNDO_INCOMPLETE


async def test_a_request_id_stands_for_one_request_after_a_passing_failure_too(world: World) -> None:
    """A retry may repeat the request, not replace it."""
    request_id = str(uuid4())
    world.iam.inject("iam:CreateAccessKey", replace_action(THROTTLED, "iam:CreateAccessKey"))
    await world.refused(NEW, request_id=request_id)
    error = await world.refused(UserChange("bo", new_user=NewUser()), request_id=request_id)
    assert error.reason is Reason.REQUEST_ID_REUSED


async def test_a_store_that_comes_back_lets_the_request_be_tried_again(world: World) -> None:
    """A store that failed at the wrong moment does not lock user and request for the time of the lease."""
    request_id = str(uuid4())
    world.ledger.failing.add("succeed")
    await world.refused(NEW, request_id=request_id)
    world.ledger.failing.clear()
    assert (await world.do(NEW, request_id=request_id)).user is not None


async def test_a_fault_of_ours_says_what_remains(world: World) -> None:
    """An error that nobody expected is undone, and its metadata is as complete as any other's."""

    async def broken(user_name: str) -> None:
        raise RuntimeError("a bug")

    world.iam.create_access_key = broken  # type: ignore[method-assign,assignment]  # the bug
    error = await world.refused(NEW)
    assert (error.reason, error.metadata["remaining"]) == (Reason.INTERNAL, "nothing")
    assert await world.iam.get_user("ana") is None


async def test_a_stopping_server_undoes_what_it_cannot_finish(world: World) -> None:
    """Work that meets the end of the server does not begin to mint; it is undone and may be asked for again."""
    real = world.iam.create_user

    async def stop_after(*args: Any, **kwargs: Any) -> Any:
        answer = await real(*args, **kwargs)
        world.stopping = True
        return answer

    world.iam.create_user = stop_after  # type: ignore[method-assign]  # the signal comes at this moment
    request_id = str(uuid4())
    error = await world.refused(NEW, request_id=request_id)
    assert (error.reason, error.metadata["remaining"]) == (Reason.SHUTTING_DOWN, "nothing")
    assert "CreateAccessKey" not in world.iam.operations
    world.iam.create_user = real  # type: ignore[method-assign]  # the server runs again
    world.stopping = False
    assert (await world.do(NEW, request_id=request_id)).user is not None


async def test_two_deletions_of_one_user_do_not_meet(world: World) -> None:
    """The second of two deletions at once finds nobody, and says so."""
    await world.do(NEW)
    results = await asyncio.gather(*(world.ask(UserDeletion("ana")) for _ in range(2)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, IdentityError)]
    assert [error.reason for error in refused] == [Reason.USER_NOT_FOUND]


async def test_a_user_without_permissions_asked_for_is_not_bounded(world: World) -> None:
    """An assignment that asks for nothing does nothing."""
    world.iam.add_user("ana", tags=OWNED)
    await world.do(UserChange("ana", permissions=Permissions()))
    assert world.iam.mutations == []
