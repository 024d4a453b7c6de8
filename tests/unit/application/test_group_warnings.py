"""What the planner reads of groups: all that they grant, each group and policy once."""

import json
from collections import Counter

import pytest

from identity_service.domain.errors import Reason
from identity_service.domain.plan import Plan, PlanWarning, WarningKind
from identity_service.domain.request import (
    Body,
    ConsolePassword,
    Credentials,
    NewGroup,
    NewUser,
    Permissions,
    UserChange,
)
from tests.unit.application.worlds import OWNED, World

PREFIX = "arn:aws:iam::123456789012:"
RESET = Credentials(console_password=ConsolePassword(require_reset=True))


def statement(effect: str, action: str, resource: str = "*") -> str:
    """Write a document of one statement."""
    one = {"Effect": effect, "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [one]})


READ = statement("Allow", "s3:GetObject", "arn:aws:s3:::acme/*")
DENY = statement("Deny", "iam:ChangePassword")
MINT = statement("Allow", "iam:Create*", f"{PREFIX}user/*")


@pytest.fixture
def world() -> World:
    """Make an account whose group Ops grants something harmless, inline and managed."""
    world = World()
    for name in ("Deploy", "Boundary"):
        world.iam.add_policy(name, document=statement("Allow", "*"))
    world.iam.add_policy("Read", document=READ)
    world.iam.add_group("Ops", grants_nothing=True)
    world.iam.add_group_policy("Ops", "read", READ)
    world.iam.add_group_attachment("Ops", f"{PREFIX}policy/Read")
    return world


def new(**parts: object) -> UserChange:
    """Ask for a new user ana."""
    return UserChange("ana", new_user=NewUser(), **parts)  # type: ignore[arg-type]  # the parts are a change's


async def warned(world: World, body: Body, kind: WarningKind) -> list[PlanWarning]:
    """Review a request and return its warnings of a kind."""
    plan = await world.ask(body, validate_only=True)
    assert isinstance(plan, Plan)
    return [warning for warning in plan.warnings if warning.kind is kind]


async def test_a_named_group_is_looked_into(world: World) -> None:
    """What is wrong with an inline and with a managed policy of a group is found, in any letter case of its name."""
    world.iam.add_group_policy("Ops", "mint", MINT)
    world.iam.add_group_policy("Ops", "no", DENY)
    change = new(permissions=Permissions(("OPS",)), credentials=RESET)
    (escalation,) = await warned(world, change, WarningKind.ESCALATION)
    assert "inline policy mint of group Ops" in escalation.message
    (deadlock,) = await warned(world, change, WarningKind.RESET_DEADLOCK)
    assert "inline policy no of group Ops" in deadlock.message


async def test_a_copied_group_is_looked_into(world: World) -> None:
    """The groups of the user that is copied count as if they were named."""
    world.iam.add_user("model")
    world.iam.add_membership("model", "Ops")
    world.iam.add_policy("Read", document=MINT)
    (escalation,) = await warned(world, new(permissions=Permissions(copy_from="model")), WarningKind.ESCALATION)
    assert f"policy {PREFIX}policy/Read of group Ops" in escalation.message


async def test_the_groups_of_who_gets_a_password_are_looked_into(world: World) -> None:
    """Memberships that are there already lock out as well, where a new password must be reset."""
    world.iam.add_user("ana", tags=OWNED)
    world.iam.add_membership("ana", "Ops")
    world.iam.add_group_policy("Ops", "no", DENY)
    assert await warned(world, UserChange("ana", credentials=RESET), WarningKind.RESET_DEADLOCK)
    assert not await warned(
        world,
        UserChange("ana", credentials=Credentials(console_password=ConsolePassword())),
        WarningKind.RESET_DEADLOCK,
    )


async def test_new_permissions_of_who_has_yet_to_reset(world: World) -> None:
    """A user whose reset is still to come is not locked out unawares, by a group or by a boundary."""
    world.iam.add_user("ana", tags=OWNED)
    world.iam.add_login_profile("ana", reset_required=True)
    world.iam.add_group_policy("Ops", "no", DENY)
    in_ops = UserChange("ana", permissions=Permissions(("Ops",)))
    bounded = UserChange("ana", permissions=Permissions(boundary="Read"))
    assert await warned(world, in_ops, WarningKind.RESET_DEADLOCK)
    assert await warned(world, bounded, WarningKind.RESET_DEADLOCK)
    harmless = UserChange("ana", permissions=Permissions(boundary="Boundary"))
    assert not await warned(world, harmless, WarningKind.RESET_DEADLOCK)


async def test_a_copied_boundary_takes_the_place_of_the_one_that_is_there(world: World) -> None:
    """The boundary that counts is the one that will be in force."""
    world.iam.add_user("ana", tags=OWNED, boundary_arn=f"{PREFIX}policy/Boundary")
    world.iam.add_user("model", boundary_arn=f"{PREFIX}policy/Read")
    change = UserChange("ana", credentials=RESET, permissions=Permissions(copy_from="model"))
    assert await warned(world, change, WarningKind.RESET_DEADLOCK)
    assert not await warned(world, UserChange("ana", credentials=RESET), WarningKind.RESET_DEADLOCK)


async def test_each_group_and_policy_is_read_once(world: World) -> None:
    """Whatever a request names, copies and finds there: no group, policy or document is read a second time."""
    world.iam.add_user("model", boundary_arn=f"{PREFIX}policy/Boundary")
    world.iam.add_user("ana", tags=OWNED)
    for user in ("model", "ana"):
        for group in ("Ops", "Developers"):
            world.iam.add_membership(user, group)
        world.iam.add_attachment(user, f"{PREFIX}policy/Read")
    change = UserChange(
        "ana",
        credentials=RESET,
        permissions=Permissions(
            ("Ops",),
            (f"{PREFIX}policy/Read", f"{PREFIX}policy/Deploy"),
            boundary=f"{PREFIX}policy/Boundary",
            new_groups=(NewGroup("Readers", "/", (f"{PREFIX}policy/Read",)),),
            copy_from="model",
        ),
    )
    await world.ask(change, validate_only=True)
    about = ("GetGroup", "ListGroupPolicies", "GetPolicy", "GetPolicyVersion")
    counted = Counter((operation, json.dumps(params)) for operation, params in world.iam.reads if operation in about)
    assert set(counted.values()) == {1}
    assert len([1 for operation, _ in counted if operation == "ListGroupPolicies"]) == 2
    assert len([1 for operation, _ in counted if operation == "GetPolicyVersion"]) == 3


async def test_permissions_alone_read_nothing_of_what_the_user_has(world: World) -> None:
    """Where no password is made, the groups and policies that are there cost no call."""
    world.iam.add_user("ana", tags=OWNED)
    world.iam.add_membership("ana", "Ops")
    world.iam.add_attachment("ana", f"{PREFIX}policy/Read")
    await world.ask(UserChange("ana", permissions=Permissions(("Developers",))), validate_only=True)
    read = {(operation, params.get("GroupName")) for operation, params in world.iam.reads}
    assert ("ListGroupPolicies", "Developers") in read
    assert ("ListGroupPolicies", "Ops") not in read
    assert "GetPolicyVersion" not in {operation for operation, _ in read}


async def test_an_absent_group_is_named(world: World) -> None:
    """A group that is not there is a problem of its field, and no error of the reads about it."""
    error = await world.refused(new(permissions=Permissions(("Ops", "Nobody"))))
    assert error.reason is Reason.GROUP_NOT_FOUND
    assert [violation.field for violation in error.field_violations] == ["permissions.group_names[1]"]
