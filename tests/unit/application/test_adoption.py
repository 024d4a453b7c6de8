"""AdoptUser: who may be taken, what is done to them, and that ownership never comes from a field."""

import dataclasses

import pytest

from identity_service.domain import tags
from identity_service.domain.errors import Reason
from identity_service.domain.plan import Plan, WarningKind
from identity_service.domain.request import Credentials, UserAdoption, UserChange, UserDeletion
from tests.unit.application.fakes import BOT, OTHER
from tests.unit.application.worlds import OWNED, THROTTLED, World, replace_action

ADOPT = UserAdoption("ana")


@pytest.fixture
def world() -> World:
    """A world in which nobody owns ana, who was made by hand."""
    world = World()
    world.iam.add_user("ana", tags={"team": "web"}, boundary_arn="arn:aws:iam::123456789012:policy/Boundary")
    return world


async def owner(world: World) -> str:
    """Return who owns ana."""
    user = await world.iam.get_user("ana")
    assert user is not None
    return tags.owner_of(user.tags)


async def test_a_user_that_nobody_owns_is_taken(world: World) -> None:
    """The owner tag is set to the caller's team and nothing else; afterwards the user is the team's to change."""
    change = UserChange("ana", credentials=Credentials(access_key=True))
    assert (await world.refused(change)).reason is Reason.NOT_OWNER
    outcome = await world.do(ADOPT)
    assert world.iam.mutations == [("TagUser", {"UserName": "ana", "Tags": {tags.OWNER: BOT.team}})]
    assert outcome.user is not None
    assert outcome.user.tags == {"team": "web", tags.OWNER: BOT.team}
    await world.do(change)


async def test_the_plan_shows_the_tag_and_what_stays(world: World) -> None:
    """One step with the tag's value, and a warning that keys and passwords stay with whoever has them."""
    plan = await world.ask(ADOPT, validate_only=True)
    assert isinstance(plan, Plan)
    (step,) = plan.steps
    assert (step.iam_action, dict(step.details)) == ("iam:TagUser", {f"tag {tags.OWNER}": BOT.team})
    assert [warning.kind for warning in plan.warnings] == [WarningKind.REMAINS]
    assert [(use.quota_name, use.used_before, use.used_after) for use in plan.quota_uses] == [("TagsPerUser", 1, 2)]
    assert world.iam.mutations == []


async def test_only_the_user_is_read(world: World) -> None:
    """What the role needs is iam:GetUser and iam:TagUser, as the contract says."""
    await world.do(ADOPT)
    assert {operation for operation, _ in world.iam.reads} == {"GetUser"}


async def test_another_teams_user_is_not_taken(world: World) -> None:
    """Not even by a team that may adopt: the owner has to give it up first."""
    await world.do(ADOPT, caller=OTHER)
    error = await world.refused(ADOPT)
    assert (error.reason, error.resource and error.resource.name) == (Reason.NOT_OWNER, "ana")
    assert await owner(world) == OTHER.team


async def test_an_own_user_is_answered_unchanged(world: World) -> None:
    """Adopting twice is the same as once."""
    await world.do(ADOPT)
    outcome = await world.do(ADOPT)
    assert [step.unchanged for step in outcome.steps] == [True]
    assert len(world.iam.mutations) == 1


async def test_an_absent_user_is_named(world: World) -> None:
    """There is nothing to adopt."""
    error = await world.refused(UserAdoption("nobody"))
    assert (error.reason, error.field_violations[0].field) == (Reason.USER_NOT_FOUND, "user_name")


async def test_a_user_without_room_for_the_tag_is_not_taken(world: World) -> None:
    """The owner tag counts against IAM's 50."""
    world.iam.add_user("full", tags={f"key{number}": "" for number in range(tags.MAXIMUM_TAGS)})
    assert (await world.refused(UserAdoption("full"))).reason is Reason.QUOTA_EXCEEDED


async def test_adoption_needs_its_right(world: World) -> None:
    """The call and the step are both asked about, the step with the user as it is."""
    world.authorizer.forbidden_actions = {"AdoptUser"}
    assert (await world.refused(ADOPT)).reason is Reason.CALLER_NOT_ALLOWED
    world.authorizer.forbidden_actions = set()
    world.authorizer.forbidden_steps = {"iam:TagUser"}
    assert (await world.refused(ADOPT)).reason is Reason.CALLER_NOT_ALLOWED
    judged = world.authorizer.proposals[-1]
    assert judged.action == "AdoptUser"
    assert judged.user is not None
    assert judged.user.boundary_arn == "arn:aws:iam::123456789012:policy/Boundary"
    assert world.iam.mutations == []


async def test_a_refused_adoption_goes_on_with_the_same_request(world: World) -> None:
    """It goes forward only: nothing is undone, and the retry is not stopped because nobody owns the user."""
    world.iam.inject("iam:TagUser", replace_action(THROTTLED, "iam:TagUser"))
    request_id = "6fd1b8ee-64e1-4a5b-9d6e-2f4f6d0c9f01"
    assert (await world.refused(ADOPT, request_id=request_id)).reason is Reason.THROTTLED
    assert await owner(world) == ""
    await world.do(ADOPT, request_id=request_id)
    assert await owner(world) == BOT.team


async def test_an_old_request_takes_nobody_from_another_team(world: World) -> None:
    """A failed adoption that is repeated after another team's adoption has succeeded is NOT_OWNER."""
    world.iam.inject("iam:TagUser", replace_action(THROTTLED, "iam:TagUser"))
    request_id = "6fd1b8ee-64e1-4a5b-9d6e-2f4f6d0c9f01"
    assert (await world.refused(ADOPT, request_id=request_id)).reason is Reason.THROTTLED
    await world.do(ADOPT, caller=OTHER)
    assert (await world.refused(ADOPT, request_id=request_id)).reason is Reason.NOT_OWNER
    assert await owner(world) == OTHER.team


async def test_no_other_change_takes_what_nobody_owns(world: World) -> None:
    """Only an adoption may be about a user without an owner."""
    for body in (UserDeletion("ana"), UserChange("ana")):
        assert (await world.refused(body)).reason is Reason.NOT_OWNER
    world.iam.add_user("own", tags=OWNED)
    await world.do(UserDeletion("own"))


def test_no_request_names_an_owner() -> None:
    """Ownership is the caller's team, which the certificate tells; a request has no place for it."""
    assert [field.name for field in dataclasses.fields(UserAdoption)] == ["user_name"]
