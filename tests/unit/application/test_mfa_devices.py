"""Virtual MFA devices that nobody enabled: whose they are, how they are found, and how they go away."""

import asyncio

import pytest

from identity_service.application import mfa_devices
from identity_service.application.get_user import GetUser
from identity_service.application.listing import Listing, MfaDeviceFilter, PageRequest
from identity_service.application.ports import MfaAssignment
from identity_service.domain import tags
from identity_service.domain.entities import MfaDeviceDetails
from identity_service.domain.errors import IamError, IamErrorKind, IdentityError, Reason
from identity_service.domain.plan import Plan, WarningKind
from identity_service.domain.request import (
    Credentials,
    MfaDeviceDeletion,
    MfaDeviceEnabling,
    NewUser,
    UserChange,
    UserDeletion,
    UserUpdate,
    VirtualMfaDevice,
)
from identity_service.domain.secret import Secret
from identity_service.domain.steps import DeleteVirtualMfaDevice
from tests.unit.application.fakes import BOT, OTHER, FakeAccounts
from tests.unit.application.worlds import LOST, OWNED, THROTTLED, World, replace_action

PREFIX = "arn:aws:iam::123456789012:mfa/"


@pytest.fixture
def world() -> World:
    """Make a fresh world in which the caller's team has a user ana."""
    fresh = World()
    fresh.iam.add_user("ana", tags=OWNED)
    return fresh


def device_for(user_name: str, device_name: str = "") -> UserChange:
    """Ask for a device of a user who is there."""
    return UserChange(user_name, credentials=Credentials(mfa_device=VirtualMfaDevice(device_name)))


def made_for(user_name: str, team: str = BOT.team) -> dict[str, str]:
    """Write the tags that this service gives a device."""
    return dict(tags.mfa_device_tags("row-1", team, user_name))


async def serials(world: World) -> list[str]:
    """List the names of the account's devices."""
    return [device.serial_number.removeprefix(PREFIX) for device in await world.iam.list_virtual_mfa_devices()]


async def test_a_device_is_tagged_in_the_call_that_makes_it(world: World) -> None:
    """Row, team and user stand in the one call, for a user who is there and for one made by the same plan."""
    await world.do(device_for("ana", "phone"))
    await world.do(UserChange("bo,x", NewUser(), credentials=Credentials(mfa_device=VirtualMfaDevice("tablet"))))
    calls = [params for operation, params in world.iam.mutations if operation == "CreateVirtualMFADevice"]
    rows = [intent.row_id for intent in world.ledger.intents.values()]
    assert calls == [
        {
            "VirtualMFADeviceName": name,
            "Tags": {tags.ROW: row, tags.OWNER: BOT.team, "identity-provisioning:user": user},
        }
        for name, row, user in zip(("phone", "tablet"), rows, ("ana", "bo:x"), strict=True)
    ]


async def test_a_device_with_a_name_of_its_own_is_deleted(world: World) -> None:
    """The team that owns a pending device deletes it, whatever the device is called."""
    await world.do(device_for("ana", "phone"))
    await world.do(MfaDeviceDeletion("ANA", f"{PREFIX}phone"))
    assert await serials(world) == []


async def test_a_device_is_deleted_after_its_user(world: World) -> None:
    """An abandoned device goes away though the user that it was made for is no more."""
    world.iam.add_virtual_mfa_device("phone", tags=made_for("gone"))
    outcome = await world.do(MfaDeviceDeletion("gone", f"{PREFIX}phone"))
    assert [step.iam_action for step in outcome.steps] == ["iam:DeleteVirtualMFADevice"]
    assert await serials(world) == []


async def test_a_device_is_deleted_when_another_team_has_a_user_of_that_name(world: World) -> None:
    """The device's own tags count, and the namesake is not touched."""
    world.iam.add_user("bo", tags={tags.OWNER: OTHER.team})
    world.iam.add_virtual_mfa_device("phone", tags=made_for("bo"))
    await world.do(MfaDeviceDeletion("bo", f"{PREFIX}phone"))
    assert world.iam.operations == ["DeleteVirtualMFADevice"]


@pytest.mark.parametrize("user_name", ["ana", "bo", "gone"])
async def test_another_teams_device_is_refused_and_the_refusal_audited(world: World, user_name: str) -> None:
    """Whoever's name is given: the device belongs to the team in its tags."""
    world.iam.add_user("bo", tags={tags.OWNER: OTHER.team})
    world.iam.add_virtual_mfa_device("ana", tags=made_for("ana", OTHER.team))
    error = await world.refused(MfaDeviceDeletion(user_name, f"{PREFIX}ana"))
    assert error.reason is Reason.NOT_OWNER
    assert error.resource is not None
    assert (error.resource.type, error.resource.name) == ("iam:MFADevice", f"{PREFIX}ana")
    assert [denial.reason for denial in world.ledger.denials] == ["NOT_OWNER"]
    assert world.iam.operations == []


async def test_an_old_request_deletes_no_device_of_another_team(world: World) -> None:
    """A failed deletion that is repeated when another team has a device of that name by now is NOT_OWNER."""
    world.iam.add_virtual_mfa_device("phone", tags=made_for("gone"))
    deletion = MfaDeviceDeletion("gone", f"{PREFIX}phone")
    world.iam.inject("iam:DeleteVirtualMFADevice", replace_action(THROTTLED, "iam:DeleteVirtualMFADevice"))
    request_id = "0b7c6f0e-5a53-4f27-9a0e-2d4f1f6f3c12"
    assert (await world.refused(deletion, request_id=request_id)).reason is Reason.THROTTLED
    await world.do(deletion)
    world.iam.add_virtual_mfa_device("phone", tags=made_for("gone", OTHER.team))
    assert (await world.refused(deletion, request_id=request_id)).reason is Reason.NOT_OWNER
    assert await serials(world) == ["phone"]


async def test_a_device_is_deleted_for_the_user_that_it_was_made_for(world: World) -> None:
    """Another user of the same team is told for whom the device waits, and it stays."""
    world.iam.add_virtual_mfa_device("ana", tags=made_for("bo"))
    error = await world.refused(MfaDeviceDeletion("ana", f"{PREFIX}ana"))
    assert error.reason is Reason.MFA_DEVICE_NOT_FOUND
    assert "user bo" in error.message
    assert await serials(world) == ["ana"]


async def test_a_device_of_nobody_goes_by_its_name(world: World) -> None:
    """Without tags only the user's name on the device tells; any other device of that kind stays."""
    world.iam.add_virtual_mfa_device("ana")
    world.iam.add_virtual_mfa_device("phone")
    await world.do(MfaDeviceDeletion("ana", f"{PREFIX}ana"))
    assert (await world.refused(MfaDeviceDeletion("ana", f"{PREFIX}phone"))).reason is Reason.MFA_DEVICE_NOT_FOUND
    assert (await world.refused(MfaDeviceDeletion("gone", f"{PREFIX}phone"))).reason is Reason.USER_NOT_FOUND
    assert await serials(world) == ["phone"]


@pytest.mark.parametrize(("asked", "name"), [("", "ana"), ("phone", "phone")])
async def test_an_abandoned_device_of_the_same_user_is_replaced(world: World, asked: str, name: str) -> None:
    """A second device of one name takes the place of the first, whose seed nobody kept."""
    await world.do(device_for("ana", asked))
    plan = await world.ask(device_for("ANA", asked), validate_only=True)
    assert isinstance(plan, Plan)
    assert [warning.kind for warning in plan.warnings] == [WarningKind.ABANDONED_MFA_DEVICE]
    await world.do(device_for("ana", asked))
    assert await serials(world) == [name]


@pytest.mark.parametrize(("user_name", "team"), [("bo", BOT.team), ("ana", OTHER.team)])
async def test_a_device_that_waits_for_somebody_else_is_not_replaced(world: World, user_name: str, team: str) -> None:
    """A device that bears ana's name and was made for bo, or by another team, is in use, and for whom is said."""
    world.iam.add_virtual_mfa_device("ana", tags=made_for(user_name, team))
    error = await world.refused(device_for("ana"))
    assert error.reason is Reason.IN_USE
    assert f"made by {team} for user {user_name}" in error.message
    assert world.iam.operations == []


async def test_a_deletion_takes_every_device_that_was_made_for_the_user(world: World) -> None:
    """All pending devices of the user are steps of the plan; those of others and of other teams stay."""
    world.iam.add_virtual_mfa_device("ana")
    world.iam.add_virtual_mfa_device("phone", tags=made_for("Ana"))
    for name, of in (("bo", made_for("bo")), ("theirs", made_for("ana", OTHER.team)), ("nobodys", {})):
        world.iam.add_virtual_mfa_device(name, tags=of)
    plan = await world.ask(UserDeletion("ana"), validate_only=True)
    assert isinstance(plan, Plan)
    listed = [step.serial_number for step in plan.steps if isinstance(step, DeleteVirtualMfaDevice)]
    assert listed == [f"{PREFIX}ana", f"{PREFIX}phone"]
    await world.do(UserDeletion("ana"), expected_plan_digest=plan.digest)
    assert await serials(world) == ["bo", "nobodys", "theirs"]


async def test_a_pending_device_follows_a_rename(world: World) -> None:
    """It waits for the new name: it is shown, is not abandoned, and is enabled and deleted under that name alone."""
    await world.do(device_for("ana", "phone"))
    plan = await world.ask(UserUpdate("ana", new_user_name="anna,b"), validate_only=True)
    assert isinstance(plan, Plan)
    assert "let MFA device arn:aws:iam::123456789012:mfa/phone wait for anna,b" in [s.description for s in plan.steps]
    await world.do(UserUpdate("ana", new_user_name="anna,b"))
    assert (await world.iam.get_mfa_device_tags(f"{PREFIX}phone") or {})[tags.USER] == "anna:b"
    found = await GetUser(accounts=FakeAccounts(world.iam), authorizer=world.authorizer)(BOT, "", "anna,b")
    assert [device.serial_number for device in found.pending_mfa_devices] == [f"{PREFIX}phone"]
    (described,) = await mfa_devices.describe_devices(world.iam, found.pending_mfa_devices)
    assert not described.abandoned
    codes = Secret("123456"), Secret("654321")
    await world.do(MfaDeviceEnabling("anna,b", f"{PREFIX}phone", *codes))
    assert [device.serial_number for device in await world.iam.list_mfa_devices("anna,b")] == [f"{PREFIX}phone"]


async def test_a_new_path_leaves_devices_alone(world: World) -> None:
    """A device waits for a name: nothing is read or written of it where the name stays."""
    await world.do(device_for("ana", "phone"))
    world.iam.reads.clear()
    outcome = await world.do(UserUpdate("ana", new_path="/people/"))
    assert [step.iam_action for step in outcome.steps] == ["iam:UpdateUser"]
    assert "ListVirtualMFADevices" not in [operation for operation, _ in world.iam.reads]


async def test_a_rename_names_the_device_that_is_not_ours_and_leaves_another_teams(world: World) -> None:
    """What bears no tags of this service may be anybody's, and what another team owns is theirs."""
    world.iam.add_virtual_mfa_device("ana")
    world.iam.add_virtual_mfa_device("theirs", tags=made_for("ana", OTHER.team))
    plan = await world.ask(UserUpdate("ana", new_user_name="anna"), validate_only=True)
    assert isinstance(plan, Plan)
    assert [step.iam_action for step in plan.steps] == ["iam:UpdateUser"]
    (left,) = [warning.message for warning in plan.warnings if f"{PREFIX}ana," in warning.message]
    assert left.startswith(f"does not follow: the pending MFA device {PREFIX}ana, ")
    assert not [warning for warning in plan.warnings if "theirs" in warning.message]


async def test_a_device_that_is_gone_does_not_stop_a_rename(world: World) -> None:
    """Somebody deletes the device between plan and step: the step has changed nothing, and the rename is whole."""
    await world.do(device_for("ana", "phone"))
    gone = IamError(IamErrorKind.NOT_FOUND, "iam:TagMFADevice", "NoSuchEntity", 404, "r")
    world.iam.inject("iam:TagMFADevice", gone)
    outcome = await world.do(UserUpdate("ana", new_user_name="anna"))
    assert [(step.iam_action, step.unchanged) for step in outcome.steps] == [
        ("iam:UpdateUser", False),
        ("iam:TagMFADevice", True),
    ]


@pytest.mark.parametrize(("user_name", "team"), [("bo", BOT.team), ("ana", OTHER.team)])
async def test_a_device_that_waits_for_somebody_else_is_not_enabled(world: World, user_name: str, team: str) -> None:
    """Who holds the seed of another's device is no second factor of this user."""
    world.iam.add_virtual_mfa_device("phone", tags=made_for(user_name, team))
    error = await world.refused(MfaDeviceEnabling("ana", f"{PREFIX}phone", Secret("123456"), Secret("654321")))
    assert error.reason is Reason.IN_USE
    assert f"made by {team} for user {user_name}" in error.message
    assert world.iam.operations == []


async def test_too_many_pending_devices_are_said_to_be_too_many(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What bears the user's name is looked at first; that others were not looked at is a warning and a field."""
    monkeypatch.setattr(mfa_devices, "MOST_PENDING", 2)
    for name in ("a1", "a2", "a3", "ana"):
        world.iam.add_virtual_mfa_device(name, tags=made_for("ana"))
    plan = await world.ask(UserDeletion("ana"), validate_only=True)
    assert isinstance(plan, Plan)
    assert [warning.kind for warning in plan.warnings] == [WarningKind.REMAINS]
    get_user = GetUser(accounts=FakeAccounts(world.iam), authorizer=world.authorizer)
    found = await get_user(BOT, "", "ana")
    assert [device.serial_number for device in found.pending_mfa_devices] == [f"{PREFIX}ana", f"{PREFIX}a1"]
    assert found.pending_mfa_truncated
    monkeypatch.undo()
    found = await get_user(BOT, "", "ana")
    assert (len(found.pending_mfa_devices), found.pending_mfa_truncated) == (4, False)


async def test_a_device_whose_making_was_not_answered_is_deleted_by_its_row(world: World) -> None:
    """The lost call has made the device: the row tag says so, and nothing is left."""
    world.iam.inject("iam:CreateVirtualMFADevice", LOST, after_effect=True)
    error = await world.refused(device_for("ana"))
    assert (error.reason, error.metadata["remaining"]) == (Reason.AWS_UNAVAILABLE, "nothing")
    assert await serials(world) == []


class ContestedWorld(World):
    """A world in which somebody else makes a device of ana's name while IAM settles."""

    async def _wait(self, seconds: float) -> None:
        await super()._wait(seconds)
        self.iam.add_virtual_mfa_device("ana", tags=made_for("ana"))


async def test_a_rivals_device_is_not_taken_for_the_lost_one() -> None:
    """The lost call has made nothing and somebody else makes a device of that name: it stays."""
    world = ContestedWorld()
    world.iam.add_user("ana", tags=OWNED)
    world.iam.inject("iam:CreateVirtualMFADevice", LOST)
    await world.refused(device_for("ana"))
    assert await serials(world) == ["ana"]


EVERY_DEVICE = MfaDeviceFilter()


async def page(
    world: World, wanted: MfaDeviceFilter = EVERY_DEVICE, *, token: str = "", size: int = 0
) -> tuple[list[MfaDeviceDetails], str]:
    """List one page of devices."""
    listing = Listing(accounts=FakeAccounts(world.iam), authorizer=world.authorizer)
    answer = await listing.mfa_devices(BOT, "", PageRequest(size, token), wanted)
    return list(answer.items), answer.next_token or ""


async def names(world: World, wanted: MfaDeviceFilter = EVERY_DEVICE) -> list[str]:
    """List the names of the devices that are asked for."""
    return [found.device.serial_number.removeprefix(PREFIX) for found in (await page(world, wanted))[0]]


async def test_devices_are_listed_by_who_has_them(world: World) -> None:
    """Pending, enabled and abandoned ones are told apart; a user's are those it has and those made for it."""
    world.iam.add_user("bo", tags=OWNED)
    enabled = world.iam.add_mfa_device("bo").removeprefix(PREFIX)
    for name, of in (("a", made_for("ana")), ("b", made_for("bo")), ("g", made_for("gone")), ("n", {})):
        world.iam.add_virtual_mfa_device(name, tags=of)
    assert set(await names(world)) == {"a", "b", "g", "n", enabled}
    assert await names(world, MfaDeviceFilter(assignment=MfaAssignment.ENABLED)) == [enabled]
    assert await names(world, MfaDeviceFilter(assignment=MfaAssignment.PENDING)) == ["a", "b", "g", "n"]
    assert await names(world, MfaDeviceFilter(assignment=MfaAssignment.PENDING, abandoned_only=True)) == ["b", "g"]
    assert set(await names(world, MfaDeviceFilter(user_name="BO"))) == {"b", enabled}
    assert await names(world, MfaDeviceFilter(user_name="nobody")) == []


async def test_after_a_rename_elsewhere_the_device_is_abandoned_and_its_team_deletes_it(world: World) -> None:
    """The tag holds the old name, whose user is absent; with that name the device can be deleted."""
    await world.do(device_for("ana", "phone"))
    await world.iam.update_user("ana", "anna", None)
    ((found,), _) = await page(world)
    assert found.abandoned
    await world.do(MfaDeviceDeletion(tags.user_of(found.device.tags), found.device.serial_number))
    assert await serials(world) == []


async def test_pages_hold_a_hundred_devices_and_lead_on(world: World) -> None:
    """No more than a hundred are read for a page, each user once, and a page without a hit keeps its token."""
    for number in range(150):
        world.iam.add_virtual_mfa_device(f"d{number:03}", tags=made_for("ana"))
    first, token = await page(world, size=1000)
    assert len(first) == 100
    assert [operation for operation, _ in world.iam.reads].count("GetUser") == 1
    rest, last = await page(world, token=token)
    assert (len(rest), last) == (50, "")
    none, further = await page(world, MfaDeviceFilter(user_name="bo"))
    assert (none, bool(further)) == ([], True)


async def test_devices_are_read_a_few_at_a_time(world: World) -> None:
    """IAM's rate is the whole account's, so that no more than eight reads of a page are under way."""
    for number in range(30):
        world.iam.add_virtual_mfa_device(f"d{number}")
    running, most = 0, 0
    plain = world.iam.get_mfa_device_tags

    async def counted(serial_number: str) -> object:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        try:
            return await plain(serial_number)
        finally:
            running -= 1

    world.iam.get_mfa_device_tags = counted  # type: ignore[assignment,method-assign]  # watches the fake's own method
    await page(world)
    assert most == 8


async def test_a_list_is_refused_to_who_may_not_ask(world: World) -> None:
    """The right goes by the RPC's name; a token of nobody is a bad field; what IAM refuses is explained."""
    world.authorizer.forbidden_actions = {"ListMfaDevices"}
    with pytest.raises(IdentityError) as refused:
        await page(world)
    assert refused.value.reason is Reason.CALLER_NOT_ALLOWED
    assert world.iam.reads == []
    world.authorizer.forbidden_actions = set()
    with pytest.raises(IdentityError) as bad:
        await page(world, token="made-up")
    assert bad.value.field_violations[0].field == "page_token"
    world.iam.inject("iam:ListMFADeviceTags", IamError(IamErrorKind.THROTTLED, "iam:Any", "Throttling", 400, "r"))
    world.iam.add_virtual_mfa_device("d")
    with pytest.raises(IdentityError) as throttled:
        await page(world)
    assert throttled.value.reason is Reason.THROTTLED
