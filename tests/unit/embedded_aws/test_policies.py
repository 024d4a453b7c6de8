"""Policies of the embedded account: documents, sizes, attachments, versions."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from embedded_aws import EmbeddedAws

READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
ABSENT = "arn:aws:iam::123456789012:policy/absent"


def document(action: Any = "s3:GetObject", resource: Any = "*", **more: Any) -> str:
    """A policy document of one statement."""
    statement = {"Effect": "Allow", "Action": action, "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def of_size(characters: int) -> str:
    """A valid document of so many characters that are not white space."""
    bare = len("".join(document(resource="arn:aws:s3:::").split()))
    return document(resource="arn:aws:s3:::" + "b" * (characters - bare))


MALFORMED = {
    "not JSON": "{",
    "no object": '["a"]',
    "no Version": json.dumps({"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}),
    "no Statement": '{"Version":"2012-10-17"}',
    "no Effect": json.dumps({"Version": "2012-10-17", "Statement": [{"Action": "s3:*", "Resource": "*"}]}),
    "no Resource": json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*"}}),
    "unknown partition": document(resource="arn:error:s3:::b"),
    "IAM with region": document(resource="arn:aws:iam:us-east-1::x"),
    "no vendor": document(action="invalid"),
    "duplicate Sid": json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Sid": "a", "Effect": "Allow", "Action": "s3:*", "Resource": "*"}] * 2,
        }
    ),
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_documents_are_refused(iam: Any, refused: Any, text: str) -> None:
    """A malformed document is MalformedPolicyDocument wherever it is given."""
    iam.create_user(UserName="ada")
    iam.create_group(GroupName="g")
    calls: tuple[Callable[[], Any], ...] = (
        lambda: iam.create_policy(PolicyName="p", PolicyDocument=text),
        lambda: iam.put_user_policy(UserName="ada", PolicyName="p", PolicyDocument=text),
        lambda: iam.put_group_policy(GroupName="g", PolicyName="p", PolicyDocument=text),
    )
    for call in calls:
        with refused("MalformedPolicyDocument", 400):
            call()


def test_a_managed_policy_has_a_size_limit(iam: Any, refused: Any) -> None:
    """6,144 characters fit however much white space is between; one more is LimitExceeded."""
    spaced = json.dumps(json.loads(of_size(6144)), indent=8)
    assert len(spaced) > 6144
    iam.create_policy(PolicyName="fits", PolicyDocument=spaced)
    with refused("LimitExceeded", 409):
        iam.create_policy(PolicyName="over", PolicyDocument=of_size(6145))


def test_inline_policies_of_a_user_share_a_size_limit(iam: Any, refused: Any) -> None:
    """2,048 characters in all; replacing a policy frees what it took."""
    iam.create_user(UserName="ada")
    iam.put_user_policy(UserName="ada", PolicyName="a", PolicyDocument=of_size(1024))
    iam.put_user_policy(UserName="ada", PolicyName="b", PolicyDocument=of_size(1024))
    with refused("LimitExceeded", 409):
        iam.put_user_policy(UserName="ada", PolicyName="c", PolicyDocument=document())
    iam.put_user_policy(UserName="ada", PolicyName="a", PolicyDocument=of_size(1000))
    assert iam.list_user_policies(UserName="ada")["PolicyNames"] == ["a", "b"]


def test_an_inline_policy_is_read_back_and_deleted(iam: Any, refused: Any) -> None:
    """GetUserPolicy answers the document as it was put; after deletion it is NoSuchEntity."""
    iam.create_user(UserName="ada")
    text = document(resource="arn:aws:s3:::b/ü+%25/*")
    iam.put_user_policy(UserName="ada", PolicyName="p", PolicyDocument=text)
    assert iam.get_user_policy(UserName="ada", PolicyName="p")["PolicyDocument"] == json.loads(text)
    iam.delete_user_policy(UserName="ada", PolicyName="p")
    for call in (iam.get_user_policy, iam.delete_user_policy):
        with refused("NoSuchEntity", 404):
            call(UserName="ada", PolicyName="p")


def test_policy_names_are_unique_whatever_their_case(iam: Any, refused: Any) -> None:
    """A policy whose name differs only in case is EntityAlreadyExists."""
    policy = iam.create_policy(PolicyName="Mine", PolicyDocument=document(), Path="/x/")["Policy"]
    assert policy["Arn"] == "arn:aws:iam::123456789012:policy/x/Mine"
    assert policy["PolicyId"].startswith("ANPA")
    with refused("EntityAlreadyExists", 409):
        iam.create_policy(PolicyName="mine", PolicyDocument=document())


def test_an_unknown_policy_cannot_be_attached(iam: Any, refused: Any) -> None:
    """Attaching an unknown policy, and detaching one that is not attached, is NoSuchEntity."""
    iam.create_user(UserName="ada")
    with refused("NoSuchEntity", 404):
        iam.attach_user_policy(UserName="ada", PolicyArn=ABSENT)
    with refused("NoSuchEntity", 404):
        iam.detach_user_policy(UserName="ada", PolicyArn=READ_ONLY)


def test_attaching_twice_is_attaching_once(iam: Any) -> None:
    """A second attachment succeeds, is listed once and counted once."""
    iam.create_user(UserName="ada")
    iam.attach_user_policy(UserName="ada", PolicyArn=READ_ONLY)
    iam.attach_user_policy(UserName="ada", PolicyArn=READ_ONLY)
    attached = iam.list_attached_user_policies(UserName="ada")["AttachedPolicies"]
    assert attached == [{"PolicyName": "ReadOnlyAccess", "PolicyArn": READ_ONLY}]
    assert iam.get_policy(PolicyArn=READ_ONLY)["Policy"]["AttachmentCount"] == 1


def test_ten_attached_policies_and_no_more(iam: Any, refused: Any) -> None:
    """An eleventh policy on a user is LimitExceeded."""
    iam.create_user(UserName="ada")
    policies = iam.list_policies(Scope="AWS", MaxItems=100)["Policies"]
    arns = [policy["Arn"] for policy in policies if policy["Path"] == "/"]
    for arn in arns[:10]:
        iam.attach_user_policy(UserName="ada", PolicyArn=arn)
    with refused("LimitExceeded", 409):
        iam.attach_user_policy(UserName="ada", PolicyArn=arns[10])


def test_an_attached_policy_stays(iam: Any, refused: Any) -> None:
    """DeletePolicy answers DeleteConflict while the policy is attached or has more than one version."""
    iam.create_user(UserName="ada")
    arn = iam.create_policy(PolicyName="p", PolicyDocument=document())["Policy"]["Arn"]
    iam.attach_user_policy(UserName="ada", PolicyArn=arn)
    with refused("DeleteConflict", 409):
        iam.delete_policy(PolicyArn=arn)
    iam.detach_user_policy(UserName="ada", PolicyArn=arn)
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=document("s3:PutObject"))
    with refused("DeleteConflict", 409):
        iam.delete_policy(PolicyArn=arn)
    iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
    iam.delete_policy(PolicyArn=arn)
    with refused("NoSuchEntity", 404):
        iam.get_policy(PolicyArn=arn)


def test_a_policy_keeps_five_versions(iam: Any, refused: Any) -> None:
    """A sixth version is LimitExceeded; the default one cannot be deleted; the newest is listed first."""
    arn = iam.create_policy(PolicyName="p", PolicyDocument=document())["Policy"]["Arn"]
    for _ in range(4):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=document(), SetAsDefault=True)
    with refused("LimitExceeded", 409):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=document())
    with refused("DeleteConflict", 409):
        iam.delete_policy_version(PolicyArn=arn, VersionId="v5")
    versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    assert [version["VersionId"] for version in versions] == ["v5", "v4", "v3", "v2", "v1"]
    assert [version["IsDefaultVersion"] for version in versions] == [True, False, False, False, False]
    with refused("NoSuchEntity", 404):
        iam.get_policy_version(PolicyArn=arn, VersionId="v9")
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v2")
    assert iam.get_policy_version(PolicyArn=arn, VersionId="v2")["PolicyVersion"]["IsDefaultVersion"]
    assert not iam.get_policy_version(PolicyArn=arn, VersionId="v5")["PolicyVersion"]["IsDefaultVersion"]


def test_awss_own_policies_cannot_be_changed(iam: Any, refused: Any) -> None:
    """Changing or deleting an AWS managed policy is AccessDenied."""
    with refused("AccessDenied", 403):
        iam.delete_policy(PolicyArn=READ_ONLY)
    with refused("AccessDenied", 403):
        iam.create_policy_version(PolicyArn=READ_ONLY, PolicyDocument=document())


def test_awss_own_policies_are_there(iam: Any) -> None:
    """AWS's managed policies, IAMUserChangePassword among them, can be read; Scope tells them apart."""
    arn = "arn:aws:iam::aws:policy/IAMUserChangePassword"
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    text = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    assert "iam:ChangePassword" in json.dumps(text)
    assert iam.list_policies(Scope="Local")["Policies"] == []
    iam.create_policy(PolicyName="mine", PolicyDocument=document())
    assert [policy["PolicyName"] for policy in iam.list_policies(Scope="Local")["Policies"]] == ["mine"]


def test_entities_of_a_policy_are_listed(aws: EmbeddedAws, iam: Any) -> None:
    """ListEntitiesForPolicy names the users and groups that a policy is attached to."""
    iam.create_user(UserName="ada")
    iam.create_group(GroupName="g")
    iam.attach_user_policy(UserName="ada", PolicyArn=READ_ONLY)
    iam.attach_group_policy(GroupName="g", PolicyArn=READ_ONLY)
    entities = iam.list_entities_for_policy(PolicyArn=READ_ONLY)
    assert [user["UserName"] for user in entities["PolicyUsers"]] == ["ada"]
    assert [group["GroupName"] for group in entities["PolicyGroups"]] == ["g"]
    only = iam.list_entities_for_policy(PolicyArn=READ_ONLY, PolicyUsageFilter="PermissionsBoundary")
    assert only["PolicyUsers"] == []
    iam.put_user_permissions_boundary(UserName="ada", PermissionsBoundary=READ_ONLY)
    only = iam.list_entities_for_policy(PolicyArn=READ_ONLY, PolicyUsageFilter="PermissionsBoundary")
    assert [user["UserName"] for user in only["PolicyUsers"]] == ["ada"]
