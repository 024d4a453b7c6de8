"""A rename or a move: the review says of each thing on the user whether it follows."""

import json

import pytest

from identity_service.application.planners.existing_users import plan_update
from identity_service.domain.errors import IamError, IamErrorKind
from identity_service.domain.plan import Plan, Severity, WarningKind
from identity_service.domain.request import UserUpdate
from tests.contract.fake_iam import ALLOW_NOTHING, FakeIam

PREFIX = "arn:aws:iam::123456789012:"
SELF = "identity-provisioning-self-management"


def about(resource: str) -> str:
    """Write a document on one resource."""
    return json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:GetUser", "Resource": resource}]}
    )


@pytest.fixture
def iam() -> FakeIam:
    """Make an account with ana, who has nothing, a group and two policies."""
    iam = FakeIam()
    iam.add_user("ana")
    iam.add_group("Developers")
    for name in ("Deploy", "Boundary"):
        iam.add_policy(name)
    iam.add_aws_policy("IAMUserChangePassword")
    return iam


async def plan(iam: FakeIam, update: UserUpdate) -> Plan:
    """Plan a change as a review does."""
    return (await plan_update(iam, update)).plan


async def messages(iam: FakeIam, update: UserUpdate) -> list[str]:
    """Return what a plan says of what moves and what remains."""
    warnings = (await plan(iam, update)).warnings
    assert all(warning.kind is WarningKind.REMAINS for warning in warnings)
    return [warning.message for warning in warnings]


async def test_what_moves_along_is_itemised(iam: FakeIam) -> None:
    """Groups, keys, password, devices, policies and boundary are each named, with their number."""
    iam.add_user("bea", boundary_arn=f"{PREFIX}policy/Boundary")
    iam.add_group("Readers")
    for name in ("Developers", "Readers"):
        iam.add_membership("bea", name)
    keys = sorted([iam.add_access_key("bea"), iam.add_access_key("bea", active=False)])
    iam.add_login_profile("bea")
    serial = iam.add_mfa_device("bea")
    iam.add_attachment("bea", f"{PREFIX}policy/Deploy")
    iam.add_inline_policy("bea", "read")
    said = await messages(iam, UserUpdate("bea", new_user_name="beatriz"))
    along = {line.removeprefix("moves along: ") for line in said if line.startswith("moves along: ")}
    (key_line,) = [line for line in along if line.startswith("access keys (2): ")]
    assert sorted(key_line.removeprefix("access keys (2): ").split(", ")) == keys
    assert along - {key_line} == {
        "groups (2): Developers, Readers",
        f"MFA devices (1): {serial}",
        f"attached policies (1): {PREFIX}policy/Deploy",
        "inline policies (1): read",
        f"permissions boundary (1): {PREFIX}policy/Boundary",
        "the console password, for signing in as beatriz",
    }


async def test_what_is_not_there_is_not_itemised(iam: FakeIam) -> None:
    """A user with nothing hears only of what this service does not look at."""
    said = await messages(iam, UserUpdate("ana", new_path="/people/"))
    assert len(said) == 2
    assert said[0].startswith("moves along, without being listed: ")
    assert said[1].startswith("does not follow, and is not looked at: ")


@pytest.mark.parametrize(
    "update", [UserUpdate("ana", new_user_name="anna"), UserUpdate("ana", new_path="/people/")], ids=["name", "path"]
)
async def test_policies_that_speak_of_the_old_arn_are_named(iam: FakeIam, update: UserUpdate) -> None:
    """Own inline policies, attached ones, the boundary and those of groups are each named; others are not."""
    old = about(f"{PREFIX}user/ana")
    iam.add_user("ana", boundary_arn=iam.add_policy("Limit", document=old).arn)
    iam.add_inline_policy("ana", "own", old)
    iam.add_inline_policy("ana", "fine", about(f"{PREFIX}user/*"))
    iam.add_attachment("ana", iam.add_policy("Attached", document=old).arn)
    iam.add_attachment("ana", iam.add_policy("AlsoFine", document=ALLOW_NOTHING).arn)
    iam.add_membership("ana", "Developers")
    iam.add_group_attachment("Developers", iam.add_policy("OfGroup", document=old).arn)
    iam.add_group_policy("Developers", "inline", old)
    iam.add_policy("Elsewhere", document=old)
    said = [line for line in await messages(iam, update) if line.startswith("does not follow: ")]
    end = f"speaks of ana or {PREFIX}user/ana in Resource of statement 1"
    assert set(said) == {
        f"does not follow: inline policy own {end}",
        f"does not follow: attached policy {PREFIX}policy/Attached {end}",
        f"does not follow: permissions boundary {PREFIX}policy/Limit {end}",
        f"does not follow: policy {PREFIX}policy/OfGroup of group Developers {end}",
        f"does not follow: inline policy inline of group Developers {end}",
    }


async def test_each_policy_is_read_once_and_awss_own_are_not(iam: FakeIam) -> None:
    """A policy that is held in three ways costs one read; AWS's policies name nobody."""
    for name in ("Readers", "Writers"):
        iam.add_group(name)
        iam.add_membership("ana", name)
        iam.add_group_attachment(name, f"{PREFIX}policy/Deploy")
    iam.add_attachment("ana", f"{PREFIX}policy/Deploy")
    iam.add_attachment("ana", "arn:aws:iam::aws:policy/IAMUserChangePassword")
    await messages(iam, UserUpdate("ana", new_user_name="anna"))
    read = [params["PolicyArn"] for operation, params in iam.reads if operation == "GetPolicy"]
    assert read == [f"{PREFIX}policy/Deploy"]


@pytest.mark.parametrize(
    "update", [UserUpdate("ana", "ana", "/"), UserUpdate("ana", set_tags=(("a", "b"),)), UserUpdate("nobody", "bo")]
)
async def test_who_does_not_move_is_not_looked_through(iam: FakeIam, update: UserUpdate) -> None:
    """A change of tags, one that is done already, and one of nobody read no policy and warn of none."""
    iam.add_attachment("ana", f"{PREFIX}policy/Deploy")
    assert await messages(iam, update) == []
    assert not [operation for operation, _ in iam.reads if operation in ("GetPolicy", "GetPolicyVersion")]


async def test_only_what_does_not_follow_is_a_warning(iam: FakeIam) -> None:
    """What moves along as one would expect is told, and needs no thought."""
    iam.add_inline_policy("ana", "own", about(f"{PREFIX}user/ana"))
    found = (await plan(iam, UserUpdate("ana", new_user_name="anna"))).warnings
    (serious,) = [warning.message for warning in found if warning.severity is Severity.WARNING]
    assert serious.startswith("does not follow: inline policy own ")
    assert len(found) > 1


async def test_self_management_by_hand_does_not_follow(iam: FakeIam) -> None:
    """A document under our name that is not ours is left as it is, and named."""
    iam.add_inline_policy("ana", SELF, about(f"{PREFIX}user/ana"))
    said = await messages(iam, UserUpdate("ana", new_user_name="anna"))
    assert any(line.startswith(f"does not follow: inline policy {SELF} ") for line in said)


async def test_a_policy_that_went_meanwhile_stops_the_review(iam: FakeIam) -> None:
    """What is gone between two reads is said by its own reason; nothing is done."""
    iam.add_attachment("ana", f"{PREFIX}policy/Deploy")
    gone = IamError(IamErrorKind.NOT_FOUND, "iam:GetPolicyVersion", "NoSuchEntity", 404, "r")
    iam.inject("iam:GetPolicyVersion", gone)
    with pytest.raises(IamError) as caught:
        await plan(iam, UserUpdate("ana", "anna"))
    assert (caught.value.kind, caught.value.action) == (IamErrorKind.NOT_FOUND, "iam:GetPolicyVersion")


async def test_findings_do_not_change_the_digest(iam: FakeIam) -> None:
    """A key that came in since the review moves along too, and does not make it another plan."""
    update = UserUpdate("ana", new_user_name="anna")
    reviewed = await plan(iam, update)
    iam.add_access_key("ana")
    changed = await plan(iam, update)
    assert changed.warnings != reviewed.warnings
    assert changed.digest == reviewed.digest
