"""What `IamAccount` promises of listing, renaming and tagging users, held against the fake and the boto3 adapter."""

import pytest

from identity_service.application.ports import IamAccount
from identity_service.domain.entities import UserRecord
from identity_service.domain.errors import IamErrorKind
from identity_service.domain.secret import Secret
from tests.contract.support import ACCOUNT, DOCUMENT, make_user, refusal
from tests.contract.worlds import World


async def the_user(iam: IamAccount, user_name: str) -> UserRecord:
    """Return a user who is there."""
    user = await iam.get_user(user_name, expected=True)
    assert user is not None
    return user


# Listing.


async def test_users_are_listed_with_tags_and_boundary(world: World) -> None:
    """A listed user is the whole user that GetUser answers."""
    boundary = world.add_policy("limits")
    await world.iam.create_user("maria", "/team/", boundary, {"team": "blue"})
    page = await world.iam.page_of_users(100, None)
    assert page.items == (await the_user(world.iam, "maria"),)
    assert page.items[0].boundary_arn == boundary
    assert page.items[0].tags == {"team": "blue"}
    assert page.next_token is None


async def test_users_come_in_pages(iam: IamAccount) -> None:
    """Five users in pages of two are three pages, in the order of their names whatever the letter case."""
    names = ["Ana", "bo", "Carl", "dora", "Eve"]
    for name in reversed(names):
        await make_user(iam, name)
    seen, token, pages = [], None, 0
    while pages == 0 or token is not None:
        page = await iam.page_of_users(2, token)
        seen += [user.user_name for user in page.items]
        token, pages = page.next_token, pages + 1
    assert seen == names
    assert pages == 3


async def test_full_last_page_is_the_last(iam: IamAccount) -> None:
    """As many users as fit on a page leave nothing for a second one."""
    for name in ("ana", "bo"):
        await make_user(iam, name)
    assert (await iam.page_of_users(2, None)).next_token is None


async def test_account_without_users(iam: IamAccount) -> None:
    """Nobody is an empty page."""
    page = await iam.page_of_users(10, None)
    assert page.items == ()
    assert page.next_token is None


@pytest.mark.parametrize("token", ["nonsense", "bm9uc2Vuc2U="])
async def test_token_that_no_page_gave(iam: IamAccount, token: str) -> None:
    """A token of somebody's own making is INVALID_INPUT."""
    assert (await refusal(iam.page_of_users(10, token))).kind is IamErrorKind.INVALID_INPUT


@pytest.mark.parametrize("page_size", [0, 1001])
async def test_impossible_page_size(iam: IamAccount, page_size: int) -> None:
    """A page has one to a thousand items."""
    assert (await refusal(iam.page_of_users(page_size, None))).kind is IamErrorKind.INVALID_INPUT


# Renaming and moving.


async def test_rename_moves_everything(world: World) -> None:
    """A renamed user keeps its id and all that it has; only name and ARN change."""
    iam = world.iam
    world.add_group("staff")
    readers, limits = world.add_policy("readers"), world.add_policy("limits")
    before = (await iam.create_user("maria", "/team/", limits, {"team": "blue"})).value
    await iam.create_login_profile("maria", Secret("Correct-Horse-1"), reset_required=True)
    key = (await iam.create_access_key("maria")).value
    await iam.add_user_to_group("maria", "staff")
    await iam.attach_user_policy("maria", readers)
    await iam.put_user_policy("maria", "reading", DOCUMENT)
    serial_number = world.add_mfa_device("maria")
    await iam.update_user("MARIA", "mary", None)
    after = await the_user(iam, "mary")
    assert after.user_name == "mary"
    assert after.arn == f"arn:aws:iam::{ACCOUNT}:user/team/mary"
    assert (after.user_id, after.path, after.created_at) == (before.user_id, "/team/", before.created_at)
    assert (after.boundary_arn, after.tags) == (limits, {"team": "blue"})
    assert await iam.get_user("maria") is None
    assert await iam.get_login_profile("mary") is not None
    assert [held.access_key_id for held in await iam.list_access_keys("mary")] == [key.access_key_id]
    assert [group.group_name for group in await iam.list_groups("mary")] == ["staff"]
    assert [policy.policy_arn for policy in await iam.list_attached_policies("mary")] == [readers]
    assert await iam.list_inline_policies("mary") == {"reading": DOCUMENT}
    assert [device.serial_number for device in await iam.list_mfa_devices("mary")] == [serial_number]
    group = await iam.get_group_details("staff")
    assert group is not None
    assert group.member_names == ("mary",)


async def test_move_to_another_path(iam: IamAccount) -> None:
    """A new path changes path and ARN and leaves the name."""
    await iam.create_user("maria", "/", None, {"team": "blue"})
    await iam.update_user("maria", None, "/staff/")
    user = await the_user(iam, "maria")
    assert (user.user_name, user.path) == ("maria", "/staff/")
    assert user.arn == f"arn:aws:iam::{ACCOUNT}:user/staff/maria"
    assert user.tags == {"team": "blue"}


async def test_rename_and_move_at_once(iam: IamAccount) -> None:
    """Name and path change in one call."""
    await make_user(iam)
    await iam.update_user("maria", "mary", "/staff/")
    assert (await the_user(iam, "mary")).arn == f"arn:aws:iam::{ACCOUNT}:user/staff/mary"


async def test_rename_to_another_letter_case(iam: IamAccount) -> None:
    """A user's own name in another letter case is free for it."""
    await make_user(iam)
    await iam.update_user("maria", "Maria", None)
    assert (await the_user(iam, "maria")).user_name == "Maria"


async def test_rename_to_a_name_that_is_taken(iam: IamAccount) -> None:
    """Another user's name, in any letter case, is ALREADY_EXISTS, and both users stay as they are."""
    await make_user(iam)
    await make_user(iam, "Noor")
    error = await refusal(iam.update_user("maria", "nOOR", None))
    assert error.kind is IamErrorKind.ALREADY_EXISTS
    assert [user.user_name for user in (await iam.page_of_users(10, None)).items] == ["maria", "Noor"]


@pytest.mark.parametrize(("new_name", "new_path"), [("with space", None), ("x" * 65, None), (None, "no-slashes")])
async def test_malformed_rename(iam: IamAccount, new_name: str | None, new_path: str | None) -> None:
    """IAM's constraints on names and paths hold for renaming."""
    await make_user(iam)
    assert (await refusal(iam.update_user("maria", new_name, new_path))).kind is IamErrorKind.INVALID_INPUT
    assert (await the_user(iam, "maria")).path == "/"


# Tags.


async def test_tags_are_added_and_replaced(iam: IamAccount) -> None:
    """A new key is added; one that is there in another letter case is replaced, its spelling included."""
    await iam.create_user("maria", "/", None, {"team": "blue", "cost": "1"})
    await iam.tag_user("maria", {"TEAM": "red", "stage": ""})
    assert (await the_user(iam, "maria")).tags == {"TEAM": "red", "cost": "1", "stage": ""}


async def test_tags_are_taken_off(iam: IamAccount) -> None:
    """Keys are compared without letter case; one that is not there is no error."""
    await iam.create_user("maria", "/", None, {"team": "blue", "cost": "1"})
    for _ in range(2):
        await iam.untag_user("maria", ["TEAM", "unknown"])
    assert (await the_user(iam, "maria")).tags == {"cost": "1"}


async def test_fifty_first_tag(iam: IamAccount) -> None:
    """A user has fifty tags at most; replacing one of them needs no room."""
    await iam.create_user("maria", "/", None, {f"key-{number}": "" for number in range(50)})
    await iam.tag_user("maria", {"KEY-0": "new"})
    assert (await refusal(iam.tag_user("maria", {"one-more": ""}))).kind is IamErrorKind.LIMIT_EXCEEDED


@pytest.mark.parametrize("tags", [{"aws:reserved": "x"}, {"Team": "a", "team": "b"}, {"k" * 129: ""}, {"k": "v" * 257}])
async def test_malformed_tags(iam: IamAccount, tags: dict[str, str]) -> None:
    """IAM's constraints on tags hold for tagging."""
    await make_user(iam)
    assert (await refusal(iam.tag_user("maria", tags))).kind is IamErrorKind.INVALID_INPUT
    assert (await the_user(iam, "maria")).tags == {}
