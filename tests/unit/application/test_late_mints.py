"""Keys whose answer never came: those that are surely the request's are deleted, all others are left and reported."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest

from identity_service.application.lease import Lease
from identity_service.domain import tags
from identity_service.domain.errors import Reason
from identity_service.domain.minting import MintState
from identity_service.domain.request import (
    ConsolePassword,
    Credentials,
    NewPolicy,
    NewUser,
    Permissions,
    UserChange,
    VirtualMfaDevice,
)
from tests.contract.fake_iam import ALLOW_NOTHING
from tests.unit.application.disturbances import Killed, Moment
from tests.unit.application.worlds import DENIED, LOST, OWNED, THROTTLED, World, key_of, replace_action, world_with_ana

KEY = UserChange("ana", credentials=Credentials(access_key=True))
PASSWORD = UserChange("ana", credentials=Credentials(console_password=ConsolePassword()))
DEVICE = UserChange("ana", credentials=Credentials(mfa_device=VirtualMfaDevice()))
NEW_WITH_KEY = UserChange("ana", new_user=NewUser(), credentials=Credentials(access_key=True))
NEW = UserChange("ana", new_user=NewUser())


@pytest.fixture
def world() -> World:
    """Make a world with ana and room for many keys."""
    return world_with_ana()


class DeathOnTheWay:
    """The process dies while a call is on its way, which lands when `land` is called."""

    def __init__(self, method: str) -> None:
        self._method = method
        self.dead = False

    async def reach(self, moment: Moment) -> None:
        """Die at the call."""
        if moment == Moment("iam", self._method, "sent"):
            self.dead = True
        if self.dead:
            raise Killed


async def die_minting(world: World, body: UserChange, method: str, request_id: str) -> None:
    """Let a process die with a mint on its way."""
    with pytest.raises(Killed):
        await world.do(body, process=world.start(DeathOnTheWay(method)), request_id=request_id)


async def test_a_key_that_lands_after_the_takeover_is_deleted_by_the_second_look(world: World) -> None:
    """The takeover cannot see it yet; the second look can, and it leaves the key that was handed out."""
    await die_minting(world, KEY, "create_access_key", str(uuid4()))
    await world.take_over()
    (ours,) = world.iam.key_ids("ana")
    late = world.iam.add_access_key("ana")
    await world.look_again()
    assert world.iam.key_ids("ana") == [ours]
    assert late != ours
    assert set(world.ledger.unattributed.values()) == {()}


async def test_a_key_that_lands_before_the_takeover_is_replaced(world: World) -> None:
    """Its secret is nobody's, so the takeover deletes it and mints another one."""
    request_id = str(uuid4())
    await die_minting(world, KEY, "create_access_key", request_id)
    late = world.iam.add_access_key("ana")
    world.let_leases_end()
    outcome = await world.do(KEY, process=world.start(), request_id=request_id)
    assert late not in world.iam.key_ids("ana")
    world.assert_secrets_work(outcome)


async def test_two_unknown_keys_for_one_lost_mint_are_both_left(world: World) -> None:
    """One of them is somebody else's, nothing tells which: the request fails, both stay and are reported."""
    request_id = str(uuid4())
    await die_minting(world, KEY, "create_access_key", request_id)
    keys = [world.iam.add_access_key("ana") for _ in range(2)]
    world.let_leases_end()
    error = await world.refused(KEY, process=world.start(), request_id=request_id)
    assert "cannot be told" in error.metadata["remaining"]
    assert world.iam.key_ids("ana") == keys
    await world.look_again()
    assert world.iam.key_ids("ana") == keys
    (reported,) = world.ledger.unattributed.values()
    assert set(keys) <= set(reported)


async def test_a_key_from_outside_of_the_window_is_left(world: World) -> None:
    """Made before the mint was asked for, or after its signature ran out, a key is no late mint."""
    request_id = str(uuid4())
    early = world.iam.add_access_key("ana")
    await die_minting(world, KEY, "create_access_key", request_id)
    await world.take_over()
    (ours,) = set(world.iam.key_ids("ana")) - {early}
    world.clock.advance(16 * 60 + 1)
    foreign = world.iam.add_access_key("ana")
    await world.start().do_work()
    assert world.iam.key_ids("ana") == [early, ours, foreign]
    (reported,) = world.ledger.unattributed.values()
    assert reported == (foreign,)


async def test_a_foreign_key_beside_a_recorded_one_is_left(world: World) -> None:
    """Where every mint was answered, a key that is not known is somebody else's: undo and reissue leave it."""
    request_id = str(uuid4())
    await world.do(KEY, request_id=request_id)
    (ours,) = world.iam.key_ids("ana")
    foreign = world.iam.add_access_key("ana")
    again = await world.do(KEY, request_id=request_id, reissue_secrets=True)
    assert foreign in world.iam.key_ids("ana")
    assert ours not in world.iam.key_ids("ana")
    world.assert_secrets_work(again)


async def test_a_foreign_key_on_a_user_of_ours_is_left(world: World) -> None:
    """A key that an operator made for a user that this request made is not deleted when secrets are issued again."""
    body = UserChange("bo", new_user=NewUser(), credentials=Credentials(access_key=True))
    request_id = str(uuid4())
    await world.do(body, request_id=request_id)
    foreign = world.iam.add_access_key("bo")
    await world.do(body, request_id=request_id, reissue_secrets=True)
    assert foreign in world.iam.key_ids("bo")
    assert len(world.iam.key_ids("bo")) == 2


async def test_the_key_of_another_request_is_left(world: World) -> None:
    """Whatever is lost, a key that the ledger knows to be another request's is not touched."""
    other = await world.do(KEY)
    request_id = str(uuid4())
    await die_minting(world, KEY, "create_access_key", request_id)
    await world.take_over()
    await world.look_again()
    assert len(world.iam.key_ids("ana")) == 2
    world.assert_secrets_work(other)


async def test_a_namesakes_keys_are_not_taken_for_lost_ones() -> None:
    """The request's user was deleted and made again by somebody else: the takeover touches nothing of the new one."""
    world, request_id = World(), str(uuid4())
    await die_minting(world, NEW_WITH_KEY, "create_access_key", request_id)
    await world.iam.delete_user("ana")
    world.iam.add_user("ana", tags=OWNED)
    foreign = world.iam.add_access_key("ana")
    await world.take_over()
    assert world.iam.key_ids("ana") == [foreign]
    await world.look_again()
    assert world.iam.key_ids("ana") == [foreign]


async def test_a_namesakes_keys_are_left_when_secrets_are_issued_again() -> None:
    """A reissue finds its user made again by somebody else, and touches nothing of it."""
    world, request_id = World(), str(uuid4())
    await world.do(NEW_WITH_KEY, request_id=request_id)
    for key_id in world.iam.key_ids("ana"):
        await world.iam.delete_access_key("ana", key_id)
    await world.iam.delete_user("ana")
    world.iam.add_user("ana", tags=OWNED)
    foreign = world.iam.add_access_key("ana")
    error = await world.refused(NEW_WITH_KEY, request_id=request_id, reissue_secrets=True)
    assert error.reason is Reason.USER_NOT_FOUND
    assert world.iam.key_ids("ana") == [foreign]


async def test_a_namesakes_password_is_left() -> None:
    """A password that somebody else's namesake has got within the window is not deleted."""
    world, request_id = World(), str(uuid4())
    body = UserChange("ana", new_user=NewUser(), credentials=Credentials(console_password=ConsolePassword()))
    await die_minting(world, body, "create_login_profile", request_id)
    await world.iam.delete_user("ana")
    world.iam.add_user("ana", tags=OWNED)
    world.iam.add_login_profile("ana")
    await world.take_over()
    assert await world.iam.get_login_profile("ana") is not None


async def test_a_lost_key_is_deleted_before_the_request_is_tried_again(world: World) -> None:
    """A mint whose answer was lost is undone at once; tried again under the same id, one key is there."""
    world.iam.inject("iam:CreateAccessKey", replace_action(LOST, "iam:CreateAccessKey"), after_effect=True)
    request_id = str(uuid4())
    error = await world.refused(KEY, request_id=request_id)
    assert (error.reason, error.metadata["remaining"]) == (Reason.AWS_UNAVAILABLE, "nothing")
    assert world.iam.key_ids("ana") == []
    world.assert_secrets_work(await world.do(KEY, request_id=request_id))
    assert len(world.iam.key_ids("ana")) == 1


async def test_a_key_that_lands_between_two_tries_is_not_left(world: World) -> None:
    """The first try's key lands after its undo, and the retry comes right then: the late one goes."""
    world.iam.inject("iam:CreateAccessKey", replace_action(LOST, "iam:CreateAccessKey"))
    request_id = str(uuid4())
    await world.refused(KEY, request_id=request_id)
    late = world.iam.add_access_key("ana")
    world.assert_secrets_work(await world.do(KEY, request_id=request_id))
    assert late not in world.iam.key_ids("ana")
    assert len(world.iam.key_ids("ana")) == 1
    await world.look_again()
    assert len(world.iam.key_ids("ana")) == 1


async def test_a_key_that_lands_after_the_retry_is_deleted_by_the_second_look(world: World) -> None:
    """The first try's key lands when the retry is done: the second look deletes it and not the retry's."""
    world.iam.inject("iam:CreateAccessKey", replace_action(LOST, "iam:CreateAccessKey"))
    request_id = str(uuid4())
    await world.refused(KEY, request_id=request_id)
    done = await world.do(KEY, request_id=request_id)
    late = world.iam.add_access_key("ana")
    await world.look_again()
    assert late not in world.iam.key_ids("ana")
    world.assert_secrets_work(done)


async def test_a_key_that_lands_while_the_retry_plans_is_not_left(world: World) -> None:
    """Between the look for late keys and the retry's own plan one lands: it is not taken for one that was there."""
    world.iam.inject("iam:CreateAccessKey", replace_action(LOST, "iam:CreateAccessKey"))
    request_id = str(uuid4())
    await world.refused(KEY, request_id=request_id)
    real, late = world.ledger.leave_undone, []

    async def lands_then(lease: Lease) -> None:
        await real(lease)
        late.append(world.iam.add_access_key("ana"))

    world.ledger.leave_undone = lands_then  # type: ignore[method-assign]  # the call is carried out at this moment
    world.assert_secrets_work(await world.do(KEY, request_id=request_id))
    assert len(late) == 1
    assert late[0] not in world.iam.key_ids("ana")
    assert len(world.iam.key_ids("ana")) == 1


async def test_a_policy_that_lands_between_two_tries_is_not_in_the_way() -> None:
    """CreatePolicy is carried out after the undo: the retry deletes it by its row tag before it plans."""
    world, request_id = World(), str(uuid4())
    body = UserChange(
        "ana", new_user=NewUser(), permissions=Permissions(new_policies=(NewPolicy("Read", ALLOW_NOTHING),))
    )
    world.iam.inject("iam:CreatePolicy", replace_action(LOST, "iam:CreatePolicy"))
    await world.refused(body, request_id=request_id)
    (row_id,) = world.ledger.intents
    world.iam.add_policy("Read", tags={**OWNED, tags.ROW: row_id})
    assert (await world.do(body, request_id=request_id)).user is not None


@pytest.mark.parametrize("body", [KEY, PASSWORD, DEVICE], ids=["key", "password", "device"])
async def test_what_is_surely_not_there_is_written_down(world: World, body: UserChange) -> None:
    """A mint that IAM refused, and one that was deleted again, cannot make somebody else's credential ours."""
    action = {KEY: "iam:CreateAccessKey", PASSWORD: "iam:CreateLoginProfile", DEVICE: "iam:CreateVirtualMFADevice"}[
        body
    ]
    request_id = str(uuid4())
    world.iam.inject(action, replace_action(THROTTLED, action))
    await world.refused(body, request_id=request_id)
    world.ledger.failing.add("succeed")
    await world.refused(body, request_id=request_id)
    world.ledger.failing.clear()
    assert [mint.state for mint in world.ledger.mints_of(key_of(request_id))] == [MintState.VOID, MintState.VOID]


async def test_an_operators_key_between_two_tries_is_left(world: World) -> None:
    """IAM refused the first try, so a key that appeared since then is somebody else's."""
    request_id = str(uuid4())
    world.iam.inject("iam:CreateAccessKey", replace_action(THROTTLED, "iam:CreateAccessKey"))
    await world.refused(KEY, request_id=request_id)
    foreign = world.iam.add_access_key("ana")
    world.assert_secrets_work(await world.do(KEY, request_id=request_id))
    await world.look_again()
    assert foreign in world.iam.key_ids("ana")
    assert len(world.iam.key_ids("ana")) == 2


async def test_a_user_that_lands_late_is_deleted_by_the_second_look() -> None:
    """CreateUser is carried out after its request has been given up: its row tag tells whose it is."""
    world, request_id = World(), str(uuid4())
    world.iam.inject("iam:CreateUser", replace_action(LOST, "iam:CreateUser"))
    await world.refused(NEW, request_id=request_id)
    (row_id,) = world.ledger.intents
    world.iam.add_user("ana", tags={**OWNED, tags.ROW: row_id})
    await world.look_again()
    assert await world.iam.get_user("ana") is None


async def test_a_password_that_lands_late_is_replaced_by_the_takeover(world: World) -> None:
    """The lost call's password is nobody's: the takeover sets another one."""
    request_id = str(uuid4())
    await die_minting(world, PASSWORD, "create_login_profile", request_id)
    world.iam.add_login_profile("ana")
    outcome = await taken_over_by_caller(world, PASSWORD, request_id)
    assert "DeleteLoginProfile" in world.iam.operations
    world.assert_secrets_work(outcome)


async def taken_over_by_caller(world: World, body: UserChange, request_id: str) -> Any:
    """Let the lease end and the caller come back."""
    world.let_leases_end()
    return await world.do(body, process=world.start(), request_id=request_id)


async def test_a_device_that_lands_late_is_replaced_by_the_takeover(world: World) -> None:
    """The lost call's device bears the row's tag: its seed is nobody's, so it is made anew."""
    request_id = str(uuid4())
    await die_minting(world, DEVICE, "create_virtual_mfa_device", request_id)
    (row_id,) = world.ledger.intents
    world.iam.add_virtual_mfa_device("ana", tags={**OWNED, tags.ROW: row_id})
    world.assert_secrets_work(await taken_over_by_caller(world, DEVICE, request_id))


async def test_a_device_of_somebody_else_is_left(world: World) -> None:
    """A device of that name without the row's tag is not deleted; the request fails and says so."""
    request_id = str(uuid4())
    await die_minting(world, DEVICE, "create_virtual_mfa_device", request_id)
    serial = world.iam.add_virtual_mfa_device("ana", tags=OWNED)
    world.let_leases_end()
    error = await world.refused(DEVICE, process=world.start(), request_id=request_id)
    assert error.reason is Reason.IN_USE
    assert await world.iam.get_mfa_device_tags(serial) == OWNED


@pytest.mark.parametrize("body", [KEY, PASSWORD, DEVICE], ids=["key", "password", "device"])
async def test_an_undo_that_finds_iam_busy_is_gone_on_with(world: World, body: UserChange) -> None:
    """A passing failure of the undo leaves the request undoing and free: the worker undoes the rest later."""
    deletion = {KEY: "DeleteAccessKey", PASSWORD: "DeleteLoginProfile", DEVICE: "DeleteVirtualMFADevice"}[body]
    world.ledger.failing.add("succeed")
    world.iam.inject(f"iam:{deletion}", replace_action(THROTTLED, f"iam:{deletion}"))
    before = World()
    before.iam.add_user("ana", tags=OWNED)
    request_id = str(uuid4())
    error = await world.refused(body, request_id=request_id)
    assert error.reason is Reason.STORE_UNAVAILABLE
    assert error.metadata["remaining"] != "nothing"
    assert world.ledger.locked
    world.ledger.failing.clear()
    await world.take_over()
    assert world.iam.contents() == before.iam.contents()
    assert world.ledger.locked == set()
    world.assert_secrets_work(await world.do(body, request_id=request_id))


async def test_a_permanent_failure_of_the_undo_is_final(world: World) -> None:
    """What AWS does not let be deleted is said once and for all, and the worker does not try for ever."""
    world.ledger.failing.add("succeed")
    world.iam.inject("iam:DeleteAccessKey", replace_action(DENIED, "iam:DeleteAccessKey"))
    request_id = str(uuid4())
    assert (await world.refused(KEY, request_id=request_id)).reason is Reason.UNDO_INCOMPLETE
    world.ledger.failing.clear()
    calls = len(world.iam.mutations)
    await world.take_over()
    assert len(world.iam.mutations) == calls
    assert (await world.refused(KEY, request_id=request_id)).reason is Reason.UNDO_INCOMPLETE


async def test_a_lagging_list_is_asked_twice(world: World) -> None:
    """A lost key that IAM lists only after it has settled is found by the takeover's second list."""
    request_id = str(uuid4())
    await die_minting(world, KEY, "create_access_key", request_id)
    real: Callable[..., Awaitable[Any]] = world.iam.list_access_keys
    late = world.iam.add_access_key("ana")

    async def lagging(user_name: str) -> Any:
        return await real(user_name) if world.waits else ()

    world.let_leases_end()
    world.iam.list_access_keys = lagging  # type: ignore[method-assign]  # IAM's replica lags
    await world.start().do_work()
    assert late not in world.iam.key_ids("ana")
    assert len(world.iam.key_ids("ana")) == 1
    assert world.waits
