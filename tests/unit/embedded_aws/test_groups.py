"""Groups of the embedded account and their members."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from embedded_aws import EmbeddedAws

DOCUMENT = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}'
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"


def test_group_names_are_unique_and_found_whatever_their_case(iam: Any, refused: Any) -> None:
    """A group is one in every case of its name, and answers carry the stored spelling."""
    group = iam.create_group(GroupName="Admins", Path="/x/")["Group"]
    assert group["GroupId"].startswith("AGPA")
    with refused("EntityAlreadyExists", 409):
        iam.create_group(GroupName="admins")
    assert iam.get_group(GroupName="ADMINS")["Group"] == group


def test_bad_group_names_are_refused(iam: Any, refused: Any) -> None:
    """A name outside IAM's alphabet or longer than 128 is a ValidationError."""
    for name in ("a b", "g" * 129):
        with refused("ValidationError", 400):
            iam.create_group(GroupName=name)


def test_a_missing_group_is_no_such_entity(iam: Any, refused: Any) -> None:
    """Operations on a group that is not there answer NoSuchEntity."""
    iam.create_user(UserName="ada")
    calls: tuple[Callable[[], Any], ...] = (
        lambda: iam.get_group(GroupName="nope"),
        lambda: iam.delete_group(GroupName="nope"),
        lambda: iam.add_user_to_group(GroupName="nope", UserName="ada"),
        lambda: iam.remove_user_from_group(GroupName="nope", UserName="ada"),
        lambda: iam.attach_group_policy(GroupName="nope", PolicyArn=READ_ONLY),
        lambda: iam.list_group_policies(GroupName="nope"),
    )
    for call in calls:
        with refused("NoSuchEntity", 404):
            call()


def test_joining_twice_is_joining_once(iam: Any) -> None:
    """Adding a member again succeeds and lists it once; removing a non-member succeeds."""
    iam.create_user(UserName="ada")
    iam.create_group(GroupName="g")
    iam.add_user_to_group(GroupName="g", UserName="ada")
    iam.add_user_to_group(GroupName="G", UserName="ADA")
    assert [user["UserName"] for user in iam.get_group(GroupName="g")["Users"]] == ["ada"]
    iam.remove_user_from_group(GroupName="g", UserName="ada")
    iam.remove_user_from_group(GroupName="g", UserName="ada")
    assert iam.get_group(GroupName="g")["Users"] == []


def test_ten_groups_and_no_more(iam: Any, refused: Any) -> None:
    """An eleventh group is LimitExceeded; joining one of the ten again is not."""
    iam.create_user(UserName="ada")
    for number in range(11):
        iam.create_group(GroupName=f"g{number}")
    for number in range(10):
        iam.add_user_to_group(GroupName=f"g{number}", UserName="ada")
    with refused("LimitExceeded", 409):
        iam.add_user_to_group(GroupName="g10", UserName="ada")
    iam.add_user_to_group(GroupName="g0", UserName="ada")


def test_the_groups_quota_holds(aws: EmbeddedAws, iam: Any, refused: Any) -> None:
    """One group more than the account's quota is LimitExceeded."""
    aws.set_quota("GroupsQuota", 1)
    iam.create_group(GroupName="a")
    with refused("LimitExceeded", 409):
        iam.create_group(GroupName="b")


def test_a_group_that_holds_something_stays(iam: Any, refused: Any) -> None:
    """DeleteGroup answers DeleteConflict while there are members, inline or attached policies."""
    iam.create_user(UserName="ada")
    iam.create_group(GroupName="g")
    iam.add_user_to_group(GroupName="g", UserName="ada")
    with refused("DeleteConflict", 409):
        iam.delete_group(GroupName="g")
    iam.remove_user_from_group(GroupName="g", UserName="ada")
    iam.put_group_policy(GroupName="g", PolicyName="p", PolicyDocument=DOCUMENT)
    with refused("DeleteConflict", 409):
        iam.delete_group(GroupName="g")
    iam.delete_group_policy(GroupName="g", PolicyName="p")
    iam.attach_group_policy(GroupName="g", PolicyArn=READ_ONLY)
    with refused("DeleteConflict", 409):
        iam.delete_group(GroupName="g")
    iam.detach_group_policy(GroupName="g", PolicyArn=READ_ONLY)
    iam.delete_group(GroupName="g")
    assert iam.list_groups()["Groups"] == []


def test_a_renamed_group_keeps_members_and_policies(iam: Any, refused: Any) -> None:
    """UpdateGroup changes name and path and nothing else."""
    iam.create_user(UserName="ada")
    iam.create_group(GroupName="old")
    iam.add_user_to_group(GroupName="old", UserName="ada")
    iam.attach_group_policy(GroupName="old", PolicyArn=READ_ONLY)
    iam.create_group(GroupName="taken")
    with refused("EntityAlreadyExists", 409):
        iam.update_group(GroupName="old", NewGroupName="TAKEN")
    iam.update_group(GroupName="old", NewGroupName="new", NewPath="/p/")
    assert iam.get_group(GroupName="new")["Group"]["Path"] == "/p/"
    assert iam.list_groups_for_user(UserName="ada")["Groups"][0]["GroupName"] == "new"
    assert len(iam.list_attached_group_policies(GroupName="new")["AttachedPolicies"]) == 1
