"""A request that was undone comes again: its late calls are looked for first, and nobody else's doings are touched."""

from contextlib import suppress
from uuid import uuid4

import pytest

from identity_service.application.ledger import RequestState
from identity_service.domain import tags
from identity_service.domain.errors import Reason
from identity_service.domain.request import Credentials, NewUser, Permissions, UserChange
from tests.unit.application.disturbances import Death, Killed, Moment
from tests.unit.application.worlds import LOST, OWNED, SETTLE_SECONDS, THROTTLED, World, key_of, replace_action

GROUP = UserChange("ana", permissions=Permissions(("Developers",)))
KEY = UserChange("ana", credentials=Credentials(access_key=True))
NEW = UserChange("ana", new_user=NewUser())
KEY_LOST = replace_action(LOST, "iam:CreateAccessKey")


def world_with_ana() -> World:
    """Make a world with ana."""
    world = World()
    world.iam.add_user("ana", tags=OWNED)
    return world


async def test_a_death_at_it_takes_no_grant_of_another_request() -> None:
    """Wherever the retry dies, what another request has granted since stays: an old pre-image undoes nothing."""
    at, died = 0, True
    while died:
        world, request_id = world_with_ana(), str(uuid4())
        world.iam.inject("iam:AddUserToGroup", replace_action(LOST, "iam:AddUserToGroup"))
        await world.refused(GROUP, request_id=request_id)
        await world.do(GROUP)
        expected = world.iam.contents()
        death = Death(at)
        with suppress(Killed):
            await world.do(GROUP, process=world.start(death), request_id=request_id)
        died = death.dead
        await world.take_over()
        await world.look_again()
        assert world.iam.contents() == expected, (at, death.last)
        assert world.ledger.locked == set(), (at, death.last)
        at += 1
    assert at > 10


class DeathAtTheList:
    """The process dies when it lists a user's keys."""

    async def reach(self, moment: Moment) -> None:
        """Die."""
        if moment.method == "list_access_keys":
            raise Killed


async def test_a_death_at_it_leaves_the_request_undone() -> None:
    """It has ended before and stays ended: nothing is taken over, its target is free, and the caller's retry runs."""
    world, request_id = world_with_ana(), str(uuid4())
    world.iam.inject("iam:CreateAccessKey", KEY_LOST)
    await world.refused(KEY, request_id=request_id)

    with pytest.raises(Killed):
        await world.do(KEY, process=world.start(DeathAtTheList()), request_id=request_id)
    assert world.ledger.rows[key_of(request_id)].state is RequestState.UNDONE_RETRYABLE
    assert (await world.refused(GROUP)).reason is Reason.IN_PROGRESS
    world.let_leases_end()
    await world.do(GROUP)
    world.assert_secrets_work(await world.do(KEY, request_id=request_id))


async def test_a_passing_failure_at_it_leaves_the_request_undone() -> None:
    """IAM is busy while late calls are looked for: the caller is told so, and nothing is left to be undone again."""
    world, request_id = world_with_ana(), str(uuid4())
    world.iam.inject("iam:CreateAccessKey", KEY_LOST)
    await world.refused(KEY, request_id=request_id)
    world.iam.inject("iam:ListAccessKeys", replace_action(THROTTLED, "iam:ListAccessKeys"))
    error = await world.refused(KEY, request_id=request_id)
    assert "not undone" in error.metadata["remaining"]
    assert world.ledger.rows[key_of(request_id)].state is RequestState.UNDONE_RETRYABLE
    await world.do(GROUP)
    world.assert_secrets_work(await world.do(KEY, request_id=request_id))


class DeathAfterDeletion:
    """The process dies when IAM has deleted a user."""

    def __init__(self) -> None:
        self._dead = False

    async def reach(self, moment: Moment) -> None:
        """Die, and stay dead."""
        self._dead = self._dead or moment == Moment("iam", "delete_user", "after")
        if self._dead:
            raise Killed


async def test_a_deletion_of_a_retry_that_died_has_landed_before_the_next_one_runs() -> None:
    """A retry dies at deleting a late user, by its name: the next one makes the user when IAM has settled."""
    world, request_id = World(), str(uuid4())
    world.iam.inject("iam:CreateUser", replace_action(LOST, "iam:CreateUser"))
    await world.refused(NEW, request_id=request_id)
    (row_id,) = world.ledger.intents
    for process in (world.start(DeathAfterDeletion()), world.start()):
        world.iam.add_user("ana", tags={**OWNED, tags.ROW: row_id})
        world.let_leases_end()
        world.waits.clear()
        with suppress(Killed):
            await world.do(NEW, process=process, request_id=request_id)
    assert world.waits == [SETTLE_SECONDS]
