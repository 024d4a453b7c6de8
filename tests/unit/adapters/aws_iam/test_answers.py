"""Reading AWS's answers, where they leave something out."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from identity_service.adapters.aws_iam import answers
from identity_service.domain.entities import PolicyUsage
from identity_service.domain.passwords import PasswordPolicy

MADE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2)))
USER = {
    "UserName": "maria",
    "UserId": "AIDAEXAMPLE",
    "Arn": "arn:aws:iam::123456789012:user/maria",
    "Path": "/",
    "CreateDate": MADE,
}


def test_plain_user() -> None:
    """A user without boundary, tags and sign-in has none of them."""
    user = answers.user(USER)
    assert (user.boundary_arn, user.tags, user.password_last_used_at) == (None, {}, None)
    assert user.created_at == datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC)
    assert user.created_at.tzinfo is UTC


def test_whole_user() -> None:
    """Boundary, tags and last sign-in are read."""
    boundary = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": "arn:aws:iam::aws:policy/limits"}
    tags = [{"Key": "team", "Value": "blue"}]
    user = answers.user({**USER, "PermissionsBoundary": boundary, "Tags": tags, "PasswordLastUsed": MADE})
    assert user.boundary_arn == "arn:aws:iam::aws:policy/limits"
    assert user.tags == {"team": "blue"}
    assert user.password_last_used_at == MADE


def test_inactive_key() -> None:
    """A key is active or it is not."""
    key = {"AccessKeyId": "AKIAEXAMPLE", "Status": "Inactive", "CreateDate": MADE}
    assert not answers.access_key(key).active


def test_login_profile_without_the_flag() -> None:
    """A login profile that does not say that it must be reset need not be."""
    assert not answers.login_profile({"UserName": "maria", "CreateDate": MADE}).reset_required


def test_age_counts_only_where_passwords_expire() -> None:
    """A maximum age without expiry is no maximum age."""
    policy = answers.password_policy({"MinimumPasswordLength": 9, "ExpirePasswords": False, "MaxPasswordAge": 90})
    assert policy == PasswordPolicy(minimum_length=9)


@pytest.mark.parametrize(
    ("decoded", "text"),
    [
        ({"Version": "2012-10-17", "Id": "grüße"}, '{"Version":"2012-10-17","Id":"grüße"}'),
        ("{not json", "{not json"),
    ],
)
def test_document(decoded: object, text: str) -> None:
    """A decoded document becomes compact text, letters as they are; what is no JSON is passed on."""
    assert answers.document(decoded) == text


POLICY = {
    "PolicyName": "readers",
    "PolicyId": "ANPAEXAMPLE",
    "Arn": "arn:aws:iam::123456789012:policy/readers",
    "Path": "/",
    "DefaultVersionId": "v3",
    "CreateDate": MADE,
    "UpdateDate": MADE + timedelta(days=1),
}


def test_policy_of_which_little_is_said() -> None:
    """A policy without counts, description and tags is unused, and has neither."""
    policy = answers.policy_details(POLICY)
    assert (policy.attachment_count, policy.boundary_usage_count) == (0, 0)
    assert (policy.description, policy.tags) == ("", {})
    assert (policy.policy_id, policy.default_version_id) == ("ANPAEXAMPLE", "v3")
    assert policy.updated_at - policy.created_at == timedelta(days=1)


def test_policy_of_which_all_is_said() -> None:
    """Counts, description and tags are read."""
    said = {"AttachmentCount": 2, "PermissionsBoundaryUsageCount": 1, "Description": "Reads."}
    policy = answers.policy_details({**POLICY, **said, "Tags": [{"Key": "team", "Value": "blue"}]})
    assert (policy.attachment_count, policy.boundary_usage_count) == (2, 1)
    assert (policy.description, policy.tags) == ("Reads.", {"team": "blue"})


def test_group_of_the_authorization_details() -> None:
    """Attached policies come with their ARNs, inline ones with their names, members not at all."""
    fields = {"GroupName": "ops", "GroupId": "AGPAEXAMPLE", "Arn": "arn", "Path": "/", "CreateDate": MADE}
    inline = [{"PolicyName": "some", "PolicyDocument": {"Statement": []}}]
    attached = [{"PolicyName": "readers", "PolicyArn": POLICY["Arn"]}]
    group = answers.group_detail({**fields, "GroupPolicyList": inline, "AttachedManagedPolicies": attached})
    assert group.inline_policy_names == ("some",)
    assert [policy.policy_name for policy in group.attached_policies] == ["readers"]
    assert group.member_names == ()
    assert group.created_at.tzinfo is UTC


def test_usage_of_a_policy() -> None:
    """All pages of both listings are put together; a listing that leaves a kind out has none of it."""
    attached = [{"PolicyUsers": [{"UserName": "ana"}]}, {"PolicyUsers": [{"UserName": "maria"}], "PolicyGroups": []}]
    bounding = [{"PolicyUsers": [{"UserName": "noor"}], "PolicyRoles": [{"RoleName": "deploy"}]}]
    assert answers.policy_usage(attached, bounding) == PolicyUsage(
        users=("ana", "maria"), bounded_users=("noor",), bounded_roles=("deploy",)
    )


def test_minted_mfa_device() -> None:
    """The seed is text, the image is in base64, and neither shows."""
    device = answers.minted_mfa_device(
        {"SerialNumber": "arn:aws:iam::123456789012:mfa/phone", "Base32StringSeed": b"JBSWY3DP", "QRCodePNG": b"PNG"}
    )
    assert device.seed.reveal() == "JBSWY3DP"
    assert device.qr_code_png.reveal() == "UE5H"
    assert "JBSWY3DP" not in repr(device)
    assert "UE5H" not in repr(device)


def test_seed_out_of_form_raises_nothing_that_holds_it() -> None:
    """A seed that is no text is no exception, which would carry it into a log."""
    device = answers.minted_mfa_device({"SerialNumber": "phone", "Base32StringSeed": b"AB\xff", "QRCodePNG": b""})
    assert device.seed.reveal().startswith("AB")


@pytest.mark.parametrize(
    ("fields", "user_name"),
    [
        ({}, None),
        ({"User": {"UserName": "maria"}}, "maria"),
        ({"User": {"Arn": "arn:aws:iam::123456789012:root"}}, "<root_account>"),
    ],
)
def test_owner_of_a_virtual_device(fields: dict[str, object], user_name: str | None) -> None:
    """A device without a user waits to be enabled; the root's device, whose user has no name, does not."""
    assert answers.virtual_mfa_device({"SerialNumber": "phone", **fields}).user_name == user_name
