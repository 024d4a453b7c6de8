"""What a paused process, or a late call, leaves behind is ended by the next who looks."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from identity_service.application.ledger import RequestState
from identity_service.application.ports import Receipt
from identity_service.domain import tags
from identity_service.domain.entities import AccessKeyRecord
from identity_service.domain.errors import IamError, IamErrorKind, IdentityError, Reason
from identity_service.domain.request import Credentials, UserChange, VirtualMfaDevice
from tests.unit.application.cases import CASES, plain_user
from tests.unit.application.disturbances import Moment, Pause
from tests.unit.application.fakes import BOT
from tests.unit.application.worlds import (
    DENIED,
    LOST,
    SETTLE_SECONDS,
    World,
    key_of,
    mutation_of,
    replace_action,
    unseen,
)

PROVISION = CASES["provision"]
KEY_DENIED = replace_action(DENIED, "iam:CreateAccessKey")


async def test_an_attempt_that_notices_its_lost_lease_lets_go_of_the_request() -> None:
    """Nobody took it over meanwhile, so whoever comes next goes on at once, whatever the heartbeat renews."""
    world, request_id = PROVISION.world(), str(uuid4())
    pause = Pause(0, lambda moment: moment == Moment("iam", "create_access_key", "before"))
    service = world.start(pause).service
    paused = asyncio.create_task(service.run(BOT, mutation_of(PROVISION.body, request_id=request_id)))
    await pause.reached.wait()
    world.let_leases_end()
    pause.go_on.set()
    (told,) = await asyncio.gather(paused, return_exceptions=True)
    assert isinstance(told, IdentityError)
    assert told.reason is Reason.IN_PROGRESS
    world.ledger.beat()
    await world.start().do_work()
    assert world.ledger.rows[key_of(request_id)].state is RequestState.DONE


async def test_a_conflict_in_an_undo_is_tried_again() -> None:
    """Something of a late call may still hang on the user: the request stays open, and another undo ends it."""
    world, request_id = PROVISION.world(), str(uuid4())
    before = world.iam.contents()
    world.iam.inject("iam:CreateAccessKey", KEY_DENIED)
    conflict = IamError(IamErrorKind.IN_USE, "iam:DeleteUser", "DeleteConflict", 409)
    # Once for the deletion, once for that after all credentials were deleted that can be seen.
    world.iam.inject("iam:DeleteUser", conflict, times=2)
    error = await world.refused(PROVISION.body, request_id=request_id)
    assert "create user ana" in error.metadata["remaining"]
    assert world.ledger.rows[key_of(request_id)].state is RequestState.UNDOING
    await world.take_over()
    assert world.iam.contents() == before
    assert world.ledger.rows[key_of(request_id)].state is RequestState.FAILED


async def test_whatever_key_is_on_a_user_of_our_own_goes_with_it() -> None:
    """A key that no mint speaks of does not keep a user there that this request made and cannot finish."""
    world, request_id = PROVISION.world(), str(uuid4())
    before = world.iam.contents()
    world.iam.inject("iam:CreateAccessKey", KEY_DENIED)
    delete = world.iam.delete_user

    async def deleting(user_name: str) -> Receipt:
        world.iam.delete_user = delete  # type: ignore[method-assign]  # only the first meets the key
        world.iam.add_access_key(user_name)
        return await delete(user_name)

    world.iam.delete_user = deleting  # type: ignore[method-assign]  # a key comes at the last moment
    error = await world.refused(PROVISION.body, request_id=request_id)
    assert error.metadata["remaining"] == "nothing"
    assert world.iam.contents() == before


async def test_no_key_of_a_namesake_goes_with_a_user_of_our_own() -> None:
    """Somebody makes the user again at the last moment: that one has another id, and keeps its key."""
    world, request_id = PROVISION.world(), str(uuid4())
    world.iam.inject("iam:CreateAccessKey", KEY_DENIED)
    delete = world.iam.delete_user

    async def deleting(user_name: str) -> Receipt:
        world.iam.delete_user = delete  # type: ignore[method-assign]  # only the first meets the namesake
        await delete(user_name)
        world.iam.add_user(user_name)
        world.iam.add_access_key(user_name)
        return await delete(user_name)

    world.iam.delete_user = deleting  # type: ignore[method-assign]  # another user comes at the last moment
    error = await world.refused(PROVISION.body, request_id=request_id)
    assert "made again by somebody else" in error.metadata["remaining"]
    assert len(world.iam.key_ids("ana")) == 1


async def test_a_deleted_key_that_is_still_listed_answers_for_no_mint() -> None:
    """IAM's list lags: what it shows is gone already, and the key of the call without an answer comes after it."""
    world, request_id = PROVISION.world(), str(uuid4())
    before = world.iam.contents()
    world.iam.inject("iam:CreateAccessKey", replace_action(LOST, "iam:CreateAccessKey"), after_effect=True)
    ghost = AccessKeyRecord("AKIAGHOST", active=True, created_at=world.clock.now())
    unseen(world, "list_access_keys", 1, (ghost,))
    error = await world.refused(PROVISION.body, request_id=request_id)
    assert error.metadata["remaining"] == "nothing"
    assert world.iam.contents() == before


async def test_a_device_of_a_late_call_of_our_own_is_replaced() -> None:
    """The call of an attempt that was undone lands before the next one's: its seed is nobody's, and it gives way."""
    world, request_id = PROVISION.world(), str(uuid4())
    create = world.iam.create_virtual_mfa_device

    async def creating(name: str, row_tags: Mapping[str, str]) -> Any:
        world.iam.create_virtual_mfa_device = create  # type: ignore[method-assign]  # only the first meets it
        world.iam.add_virtual_mfa_device(name, tags=dict(row_tags))
        return await create(name, row_tags)

    world.iam.create_virtual_mfa_device = creating  # type: ignore[method-assign,assignment]  # a late call comes first
    world.assert_secrets_work(await world.do(PROVISION.body, request_id=request_id))


async def test_what_was_undone_is_looked_at_again() -> None:
    """A call that was answered may have been sent before that, and land after the undo."""
    world, request_id = PROVISION.world(), str(uuid4())
    world.iam.inject("iam:CreateAccessKey", KEY_DENIED)
    await world.refused(PROVISION.body, request_id=request_id)
    row = await world.ledger.find(key_of(request_id))
    assert row is not None
    assert row.look_again


@pytest.mark.parametrize(("repeated", "waits"), [(True, [SETTLE_SECONDS]), (False, [])])
async def test_a_device_is_not_made_before_a_late_deletion_of_the_old_one(repeated: bool, waits: list[float]) -> None:
    """A deletion that was sent twice may be carried out once more: the new device waits until IAM has settled."""
    world = World()
    plain_user(world)
    world.iam.add_virtual_mfa_device("ana", tags=dict(tags.mfa_device_tags("row", BOT.team, "ana")))
    delete = world.iam.delete_virtual_mfa_device

    async def deleting(serial_number: str) -> Receipt:
        return replace(await delete(serial_number), repeated=repeated)

    world.iam.delete_virtual_mfa_device = deleting  # type: ignore[method-assign]  # AWS's answer to a second sending
    await world.do(UserChange("ana", credentials=Credentials(mfa_device=VirtualMfaDevice("ana"))))
    assert world.waits == waits
