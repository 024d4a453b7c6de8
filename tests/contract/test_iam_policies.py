"""What `IamAccount` promises of managed policies, held against the fake and the boto3 adapter."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from identity_service.application.ports import IamAccount, PolicyScope
from identity_service.domain.entities import PolicyDetails, PolicyUsage
from identity_service.domain.errors import IamErrorKind
from tests.contract.support import ACCOUNT, DOCUMENT, make_user, refusal
from tests.contract.worlds import World


async def make_policy(iam: IamAccount, policy_name: str = "readers") -> str:
    """Make a plain policy; returns its ARN."""
    return (await iam.create_policy(policy_name, "/", "", DOCUMENT, {})).value.arn


async def the_policy(iam: IamAccount, policy_arn: str) -> PolicyDetails:
    """Return a policy that is there."""
    policy = await iam.get_policy_details(policy_arn)
    assert policy is not None
    return policy


# Making.


async def test_made_policy(iam: IamAccount) -> None:
    """CreatePolicy answers the unused policy with description and tags, and reading it answers the same."""
    answer = await iam.create_policy("Readers", "/team/", "Reads a bucket.", DOCUMENT, {"team": "blue", "empty": ""})
    policy = answer.value
    assert (policy.policy_name, policy.path) == ("Readers", "/team/")
    assert policy.arn == f"arn:aws:iam::{ACCOUNT}:policy/team/Readers"
    assert policy.policy_id.startswith("ANPA")
    assert policy.default_version_id == "v1"
    assert (policy.attachment_count, policy.boundary_usage_count) == (0, 0)
    assert (policy.description, policy.tags) == ("Reads a bucket.", {"team": "blue", "empty": ""})
    for moment in (policy.created_at, policy.updated_at):
        assert moment.tzinfo is UTC
        assert abs(datetime.now(UTC) - moment) < timedelta(minutes=1)
    assert answer.receipt.request_id
    assert await iam.get_policy_details(policy.arn) == policy


async def test_document_of_a_made_policy(iam: IamAccount) -> None:
    """What is read is what was made."""
    policy = await iam.get_policy(await make_policy(iam))
    assert policy is not None
    assert policy.attachable
    assert await iam.get_policy_document(policy) == DOCUMENT


async def test_policy_name_is_taken_in_any_letter_case(iam: IamAccount) -> None:
    """The names of the account's policies are unique whatever their letter case and path."""
    await make_policy(iam, "Readers")
    error = await refusal(iam.create_policy("readERS", "/elsewhere/", "", DOCUMENT, {}))
    assert error.kind is IamErrorKind.ALREADY_EXISTS
    assert (error.action, error.code, error.http_status) == ("iam:CreatePolicy", "EntityAlreadyExists", 409)


async def test_name_of_an_aws_policy_is_free(world: World) -> None:
    """The account may name a policy like one of AWS's."""
    world.add_aws_policy("IAMUserChangePassword")
    assert (
        await make_policy(world.iam, "IAMUserChangePassword") == f"arn:aws:iam::{ACCOUNT}:policy/IAMUserChangePassword"
    )


@pytest.mark.parametrize(
    ("policy_name", "path", "description", "tags"),
    [
        ("with space", "/", "", {}),
        ("x" * 129, "/", "", {}),
        ("readers", "no-slashes", "", {}),
        ("readers", "/", "x" * 1001, {}),
        ("readers", "/", "", {"aws:reserved": "x"}),
        ("readers", "/", "", {"Team": "a", "team": "b"}),
    ],
)
async def test_malformed_policy(
    iam: IamAccount, policy_name: str, path: str, description: str, tags: dict[str, str]
) -> None:
    """IAM's constraints on names, paths, descriptions and tags are INVALID_INPUT, and nothing is made."""
    error = await refusal(iam.create_policy(policy_name, path, description, DOCUMENT, tags))
    assert error.kind is IamErrorKind.INVALID_INPUT
    assert (await iam.get_account_summary()).used("Policies") == 0


@pytest.mark.parametrize("document", ["{not json", "[]", '{"Version":"2012-10-17"}'])
async def test_malformed_document(iam: IamAccount, document: str) -> None:
    """What is no policy is MALFORMED_DOCUMENT."""
    error = await refusal(iam.create_policy("broken", "/", "", document, {}))
    assert error.kind is IamErrorKind.MALFORMED_DOCUMENT


async def test_too_long_document(iam: IamAccount) -> None:
    """A managed policy has 6,144 characters at most; white space does not count."""
    filler = 6144 - len(DOCUMENT) + len("a/*") - len("a/")
    fitting = DOCUMENT.replace("a/*", "a/" + "x" * filler)
    assert len(fitting) == 6144
    await iam.create_policy("fitting", "/", "", fitting.replace(",", ",\n    "), {})
    error = await refusal(iam.create_policy("too-long", "/", "", fitting.replace("a/x", "a/xx"), {}))
    assert error.kind is IamErrorKind.LIMIT_EXCEEDED


async def test_account_full_of_policies(world: World) -> None:
    """One policy more than the account may have is LIMIT_EXCEEDED; AWS's limit is 1500, its own do not count."""
    assert (await world.iam.get_account_summary()).limit("PoliciesQuota", 0) == 1500
    world.set_quota("PoliciesQuota", 1)
    world.add_aws_policy("IAMUserChangePassword")
    await make_policy(world.iam, "first")
    assert (await refusal(make_policy(world.iam, "second"))).kind is IamErrorKind.LIMIT_EXCEEDED


# Listing and use.


async def test_details_of_an_absent_policy_are_none(iam: IamAccount) -> None:
    """A policy that is not there is None and no error."""
    assert await iam.get_policy_details(f"arn:aws:iam::{ACCOUNT}:policy/missing") is None


async def test_policies_come_in_pages(iam: IamAccount) -> None:
    """The account's policies are listed by name, in pages, without description and tags."""
    for name in ("carol", "Bob", "alice"):
        await iam.create_policy(name, "/team/", "somebody's", DOCUMENT, {"team": "blue"})
    first = await iam.page_of_policies(PolicyScope.CUSTOMER, 2, None)
    assert [policy.policy_name for policy in first.items] == ["alice", "Bob"]
    assert first.next_token is not None
    second = await iam.page_of_policies(PolicyScope.CUSTOMER, 2, first.next_token)
    (carol,) = second.items
    assert second.next_token is None
    assert carol.arn == f"arn:aws:iam::{ACCOUNT}:policy/team/carol"
    assert (carol.description, carol.tags) == ("", {})


async def test_scopes(world: World) -> None:
    """The account's policies, AWS's, and all of them."""
    of_aws, own = world.add_aws_policy("AdministratorAccess"), await make_policy(world.iam, "AAA-own")

    async def arns(scope: PolicyScope) -> set[str]:
        return {policy.arn for policy in (await world.iam.page_of_policies(scope, 1000, None)).items}

    assert await arns(PolicyScope.CUSTOMER) == {own}
    assert of_aws in await arns(PolicyScope.AWS)
    assert own not in await arns(PolicyScope.AWS)
    assert {of_aws, own} <= await arns(PolicyScope.ALL)


@pytest.mark.parametrize("token", ["nonsense", "bm9uc2Vuc2U="])
async def test_token_that_no_page_gave(iam: IamAccount, token: str) -> None:
    """A token of somebody's own making is INVALID_INPUT."""
    error = await refusal(iam.page_of_policies(PolicyScope.CUSTOMER, 10, token))
    assert error.kind is IamErrorKind.INVALID_INPUT


async def test_token_of_another_listing(iam: IamAccount) -> None:
    """A token continues only the listing that gave it."""
    for name in ("ana", "bo"):
        await make_user(iam, name)
    token = (await iam.page_of_users(1, None)).next_token
    error = await refusal(iam.page_of_policies(PolicyScope.CUSTOMER, 10, token))
    assert error.kind is IamErrorKind.INVALID_INPUT


async def test_unused_policy(iam: IamAccount) -> None:
    """A policy that nobody has is of no use to anybody."""
    assert await iam.get_policy_usage(await make_policy(iam)) == PolicyUsage()


async def test_use_of_a_policy(world: World) -> None:
    """Attachments and boundaries are told apart, by kind of entity, sorted by name; and they are counted."""
    arn = await make_policy(world.iam)
    for name in ("Noor", "maria"):
        await make_user(world.iam, name)
        await world.iam.attach_user_policy(name, arn)
    await world.iam.create_user("bounded", "/", arn, {})
    await world.iam.create_group("ops", "/")
    await world.iam.attach_group_policy("ops", arn)
    world.add_role("deploy", attached=(arn,))
    world.add_role("limited", boundary_arn=arn)
    assert await world.iam.get_policy_usage(arn) == PolicyUsage(
        users=("maria", "Noor"),
        groups=("ops",),
        roles=("deploy",),
        bounded_users=("bounded",),
        bounded_roles=("limited",),
    )
    policy = await the_policy(world.iam, arn)
    assert (policy.attachment_count, policy.boundary_usage_count) == (4, 2)
    (listed,) = (await world.iam.page_of_policies(PolicyScope.CUSTOMER, 10, None)).items
    assert (listed.attachment_count, listed.boundary_usage_count) == (4, 2)


# Versions and deletion.


async def test_versions(world: World) -> None:
    """Versions that are not the default one are listed, the newest first, and deleted one by one."""
    arn = await make_policy(world.iam)
    assert await world.iam.list_policy_versions(arn) == ()
    assert [world.add_policy_version(arn) for _ in range(2)] == ["v2", "v3"]
    assert await world.iam.list_policy_versions(arn) == ("v3", "v2")
    assert (await refusal(world.iam.delete_policy(arn))).kind is IamErrorKind.IN_USE
    await world.iam.delete_policy_version(arn, "v2")
    assert await world.iam.list_policy_versions(arn) == ("v3",)
    assert (await refusal(world.iam.delete_policy_version(arn, "v2"))).kind is IamErrorKind.NOT_FOUND
    await world.iam.delete_policy_version(arn, "v3")
    await world.iam.delete_policy(arn)


async def test_default_version_is_not_deleted(iam: IamAccount) -> None:
    """The default version goes only with its policy."""
    arn = await make_policy(iam)
    assert (await refusal(iam.delete_policy_version(arn, "v1"))).kind is IamErrorKind.IN_USE


async def test_deleted_policy(iam: IamAccount) -> None:
    """A policy that nobody uses is deleted, and its name is free again."""
    arn = await make_policy(iam)
    await iam.delete_policy(arn)
    assert await iam.get_policy_details(arn) is None
    assert (await refusal(iam.delete_policy(arn))).kind is IamErrorKind.NOT_FOUND
    assert await make_policy(iam) == arn


async def attach_to_user(world: World, arn: str) -> None:
    """Attach to a user."""
    await make_user(world.iam)
    await world.iam.attach_user_policy("maria", arn)


async def attach_to_group(world: World, arn: str) -> None:
    """Attach to a group."""
    await world.iam.create_group("ops", "/")
    await world.iam.attach_group_policy("ops", arn)


async def attach_to_role(world: World, arn: str) -> None:
    """Attach to a role."""
    world.add_role("deploy", attached=(arn,))


async def bound_a_user(world: World, arn: str) -> None:
    """Bound a user."""
    await world.iam.create_user("maria", "/", arn, {})


USES: list[Callable[[World, str], Awaitable[None]]] = [attach_to_user, attach_to_group, attach_to_role, bound_a_user]


@pytest.mark.parametrize("use", USES)
async def test_used_policy_is_not_deleted(world: World, use: Callable[[World, str], Awaitable[None]]) -> None:
    """DeletePolicy is refused with IN_USE while anybody has the policy, which stays."""
    arn = await make_policy(world.iam)
    await use(world, arn)
    error = await refusal(world.iam.delete_policy(arn))
    assert (error.kind, error.code) == (IamErrorKind.IN_USE, "DeleteConflict")
    assert await world.iam.get_policy_details(arn) is not None


async def test_policy_of_aws_is_not_deleted(world: World) -> None:
    """AWS's policies are not the account's to delete."""
    arn = world.add_aws_policy("IAMUserChangePassword")
    assert (await refusal(world.iam.delete_policy(arn))).kind is IamErrorKind.ACCESS_DENIED
    assert (await refusal(world.iam.delete_policy_version(arn, "v1"))).kind is IamErrorKind.ACCESS_DENIED
