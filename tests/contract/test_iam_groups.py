"""What `IamAccount` promises of groups, held against the fake and the boto3 adapter."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from identity_service.application.ports import IamAccount
from identity_service.domain.entities import AttachedPolicyRecord, GroupPolicies
from identity_service.domain.errors import IamErrorKind
from tests.contract.support import ACCOUNT, MISSING_POLICY, make_user, refusal
from tests.contract.worlds import World

READ = """{
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::acme/*"}]
}"""
TINY = '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}'


async def test_made_group(iam: IamAccount) -> None:
    """CreateGroup answers the empty group, and reading it answers the same."""
    answer = await iam.create_group("Developers", "/team/")
    group = answer.value
    assert (group.group_name, group.path) == ("Developers", "/team/")
    assert group.arn == f"arn:aws:iam::{ACCOUNT}:group/team/Developers"
    assert group.group_id.startswith("AGPA")
    assert group.created_at.tzinfo is UTC
    assert abs(datetime.now(UTC) - group.created_at) < timedelta(minutes=1)
    assert (group.attached_policies, group.inline_policy_names, group.member_names) == ((), (), ())
    assert answer.receipt.request_id
    assert await iam.get_group_details("developers") == group
    assert await iam.get_group_policies("developers") == GroupPolicies()


async def test_group_name_is_taken_in_any_letter_case(iam: IamAccount) -> None:
    """Group names are unique whatever their letter case and path."""
    await iam.create_group("Developers", "/")
    error = await refusal(iam.create_group("developERS", "/elsewhere/"))
    assert error.kind is IamErrorKind.ALREADY_EXISTS
    assert (error.action, error.code, error.http_status) == ("iam:CreateGroup", "EntityAlreadyExists", 409)


@pytest.mark.parametrize(("group_name", "path"), [("with space", "/"), ("x" * 129, "/"), ("ops", "no-slashes")])
async def test_malformed_group(iam: IamAccount, group_name: str, path: str) -> None:
    """IAM's constraints on names and paths are INVALID_INPUT, and nothing is made."""
    assert (await refusal(iam.create_group(group_name, path))).kind is IamErrorKind.INVALID_INPUT
    assert (await iam.get_account_summary()).used("Groups") == 0


async def test_account_full_of_groups(world: World) -> None:
    """One group more than the account may have is LIMIT_EXCEEDED; AWS's limit is 300."""
    assert (await world.iam.get_account_summary()).limit("GroupsQuota", 0) == 300
    world.set_quota("GroupsQuota", 1)
    await world.iam.create_group("first", "/")
    assert (await refusal(world.iam.create_group("second", "/"))).kind is IamErrorKind.LIMIT_EXCEEDED


async def test_group_with_everything(world: World) -> None:
    """The details of a group hold its policies and its members, each sorted by name."""
    world.add_group("staff")
    for name in ("Noor", "maria"):
        await make_user(world.iam, name)
        await world.iam.add_user_to_group(name, "staff")
    writers, readers = world.add_policy("writers"), world.add_policy("Readers")
    for arn in (writers, readers):
        await world.iam.attach_group_policy("staff", arn)
    group = await world.iam.get_group_details("STAFF")
    assert group is not None
    assert group.member_names == ("maria", "Noor")
    assert group.attached_policies == (
        AttachedPolicyRecord("Readers", readers),
        AttachedPolicyRecord("writers", writers),
    )
    assert group.inline_policy_names == ("some",)


async def test_what_a_group_grants(world: World) -> None:
    """Managed policies are named and inline ones come with their documents, each sorted by name, in any letter case."""
    world.add_group("Staff", grants_nothing=True)
    for name in ("write", "Read"):
        world.add_group_policy("Staff", name, READ)
    writers, readers = world.add_policy("writers"), world.add_policy("Readers")
    for arn in (writers, readers):
        await world.iam.attach_group_policy("Staff", arn)
    policies = await world.iam.get_group_policies("STAFF")
    assert policies is not None
    assert policies.attached_policies == (
        AttachedPolicyRecord("Readers", readers),
        AttachedPolicyRecord("writers", writers),
    )
    assert list(policies.inline_policies) == ["Read", "write"]
    assert {json.dumps(json.loads(text)) for text in policies.inline_policies.values()} == {
        json.dumps(json.loads(READ))
    }
    assert not policies.grants_nothing


async def test_many_inline_policies_of_a_group_are_all_read(world: World) -> None:
    """A listing of more than one page loses none: 101 policies make two pages."""
    world.add_group("staff", grants_nothing=True)
    world.set_quota("GroupPolicySizeQuota", 20_000)
    names = [f"p{number:03}" for number in range(101)]
    for name in names:
        world.add_group_policy("staff", name, TINY)
    policies = await world.iam.get_group_policies("staff")
    assert policies is not None
    assert list(policies.inline_policies) == names


async def test_what_an_empty_or_an_absent_group_grants(world: World) -> None:
    """An empty group grants nothing; what one that is not there grants is None and no error."""
    world.add_group("staff", grants_nothing=True)
    policies = await world.iam.get_group_policies("staff")
    assert policies is not None
    assert policies.grants_nothing
    assert await world.iam.get_group_policies("nobody") is None


async def test_details_of_an_absent_group_are_none(iam: IamAccount) -> None:
    """A group that is not there is None and no error."""
    assert await iam.get_group_details("nobody") is None


async def test_groups_come_in_pages(world: World) -> None:
    """Groups are listed by name with their policies and without their members."""
    for name in ("carol", "Bob", "alice"):
        world.add_group(name, path="/team/", grants_nothing=name == "alice")
    readers = world.add_policy("readers")
    await world.iam.attach_group_policy("carol", readers)
    await make_user(world.iam)
    await world.iam.add_user_to_group("maria", "carol")
    first = await world.iam.page_of_groups(2, None)
    assert [group.group_name for group in first.items] == ["alice", "Bob"]
    assert [group.inline_policy_names for group in first.items] == [(), ("some",)]
    assert first.next_token is not None
    second = await world.iam.page_of_groups(2, first.next_token)
    (carol,) = second.items
    assert second.next_token is None
    assert (carol.path, carol.arn) == ("/team/", f"arn:aws:iam::{ACCOUNT}:group/team/carol")
    assert carol.attached_policies == (AttachedPolicyRecord("readers", readers),)
    assert carol.member_names == ()


async def test_users_are_no_groups(iam: IamAccount) -> None:
    """Neither listing shows what the other one is for."""
    await make_user(iam)
    assert (await iam.page_of_groups(10, None)).items == ()
    await iam.create_group("ops", "/")
    assert [user.user_name for user in (await iam.page_of_users(10, None)).items] == ["maria"]


async def test_policy_of_a_group(world: World) -> None:
    """A policy is attached once however often one asks, and detached once."""
    await world.iam.create_group("ops", "/")
    arn = world.add_policy("readers")
    for _ in range(2):
        await world.iam.attach_group_policy("OPS", arn)
    held = GroupPolicies((AttachedPolicyRecord("readers", arn),))
    assert await world.iam.get_group_policies("ops") == held
    await world.iam.detach_group_policy("ops", arn)
    assert await world.iam.get_group_policies("ops") == GroupPolicies()
    assert (await refusal(world.iam.detach_group_policy("ops", arn))).kind is IamErrorKind.NOT_FOUND


async def test_eleventh_policy_of_a_group(world: World) -> None:
    """A group has ten attached policies at most."""
    await world.iam.create_group("ops", "/")
    arns = [world.add_policy(f"policy-{number:02}") for number in range(11)]
    for arn in arns[:10]:
        await world.iam.attach_group_policy("ops", arn)
    assert (await refusal(world.iam.attach_group_policy("ops", arns[10]))).kind is IamErrorKind.LIMIT_EXCEEDED


async def test_absent_policy_is_not_attached_to_a_group(iam: IamAccount) -> None:
    """A policy that is not there is NOT_FOUND, a text that is no ARN INVALID_INPUT."""
    await iam.create_group("ops", "/")
    assert (await refusal(iam.attach_group_policy("ops", MISSING_POLICY))).kind is IamErrorKind.NOT_FOUND
    assert (await refusal(iam.attach_group_policy("ops", "readers"))).kind is IamErrorKind.INVALID_INPUT


async def test_inline_policy_of_a_group_is_deleted_once(world: World) -> None:
    """An inline policy is deleted by its name, and is then not there any more."""
    world.add_group("staff")
    await world.iam.delete_group_policy("staff", "some")
    assert await world.iam.get_group_policies("staff") == GroupPolicies()
    assert (await refusal(world.iam.delete_group_policy("staff", "some"))).kind is IamErrorKind.NOT_FOUND


async def test_deleted_group(iam: IamAccount) -> None:
    """An empty group is deleted, under its name in any letter case."""
    await iam.create_group("ops", "/")
    await iam.delete_group("OPS")
    assert await iam.get_group("ops") is None
    assert (await refusal(iam.delete_group("ops"))).kind is IamErrorKind.NOT_FOUND


async def add_member(world: World) -> None:
    """Put a user into the group."""
    await make_user(world.iam)
    await world.iam.add_user_to_group("maria", "ops")


HOLDS: dict[str, Callable[[World], Awaitable[object]]] = {
    "member": add_member,
    "attached policy": lambda world: world.iam.attach_group_policy("ops", world.add_policy("readers")),
}


@pytest.mark.parametrize("what", HOLDS)
async def test_group_with_something_on_it_is_not_deleted(world: World, what: str) -> None:
    """DeleteGroup is refused with IN_USE while anything hangs on the group, which stays."""
    await world.iam.create_group("ops", "/")
    await HOLDS[what](world)
    error = await refusal(world.iam.delete_group("ops"))
    assert (error.kind, error.code) == (IamErrorKind.IN_USE, "DeleteConflict")
    assert await world.iam.get_group("ops") is not None


async def test_group_with_an_inline_policy_is_not_deleted(world: World) -> None:
    """Inline policies keep a group as well, until they are deleted."""
    world.add_group("staff")
    assert (await refusal(world.iam.delete_group("staff"))).kind is IamErrorKind.IN_USE
    await world.iam.delete_group_policy("staff", "some")
    await world.iam.delete_group("staff")
