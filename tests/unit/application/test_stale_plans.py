"""Plans that are older than another replica's change of the same user."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from uuid import uuid4

import pytest

from identity_service.application.ledger import Claim, Intent
from identity_service.domain.errors import Reason
from identity_service.domain.request import Permissions, UserChange
from tests.unit.application.worlds import DENIED, OWNED, World, replace_action

GIVEN = UserChange("ana", permissions=Permissions(group_names=("Developers",)))
MORE = replace(GIVEN, permissions=replace(GIVEN.permissions, managed_policies=("Deploy",)))


async def test_an_undo_takes_nothing_that_another_replica_gave_meanwhile(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request whose user was changed while it was planned is asked to come again, and then plans by what is true."""
    real: Callable[..., Awaitable[Claim]] = world.ledger.begin
    other, request_id = world.start(), str(uuid4())

    async def begin_late(intent: Intent, planned_since: float | None = None) -> Claim:
        monkeypatch.setattr(world.ledger, "begin", real)
        world.clock.advance(1)
        await world.do(GIVEN, process=other)
        world.clock.advance(1)
        return await real(intent, planned_since)

    monkeypatch.setattr(world.ledger, "begin", begin_late)
    world.iam.inject("iam:AttachUserPolicy", replace_action(DENIED, "iam:AttachUserPolicy"))
    assert (await world.refused(MORE, request_id=request_id)).reason is Reason.IN_PROGRESS
    assert (await world.refused(MORE, request_id=request_id)).reason is Reason.AWS_ACCESS_DENIED
    assert [group.group_name for group in await world.iam.list_groups("ana")] == ["Developers"]


async def test_a_change_before_the_plan_is_no_hindrance(world: World) -> None:
    """Changes that follow one another do not wait for one another."""
    for change in (GIVEN, MORE):
        world.clock.advance(1)
        await world.do(change)


@pytest.fixture
def world() -> World:
    """A world with a user."""
    world = World()
    world.iam.add_user("ana", tags=OWNED)
    return world
