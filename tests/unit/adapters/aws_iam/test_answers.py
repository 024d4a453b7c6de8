"""Reading AWS's answers, where they leave something out."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from identity_service.adapters.aws_iam import answers
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
