"""Users of the embedded account: names, paths, tags, boundaries, renaming, deletion."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from embedded_aws import EmbeddedAws, consecutive_codes

READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
PASSWORD = "Correct-horse-7"
CODECOMMIT = "codecommit.amazonaws.com"
DOCUMENT = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}'


def test_a_user_is_created_whole(iam: Any) -> None:
    """CreateUser sets path, tags and boundary in one call, answers them, and GetUser shows the same."""
    user = iam.create_user(
        UserName="ada", Path="/team/", PermissionsBoundary=READ_ONLY, Tags=[{"Key": "team", "Value": "core"}]
    )["User"]
    assert user["UserId"].startswith("AIDA")
    assert len(user["UserId"]) == 21
    assert user["Arn"] == "arn:aws:iam::123456789012:user/team/ada"
    assert user["PermissionsBoundary"] == {
        "PermissionsBoundaryType": "Policy",
        "PermissionsBoundaryArn": READ_ONLY,
    }
    assert user["Tags"] == [{"Key": "team", "Value": "core"}]
    assert iam.get_user(UserName="ada")["User"] == user


def test_a_bare_user_shows_nothing_more(iam: Any) -> None:
    """A user without tags and boundary is answered without these members."""
    user = iam.create_user(UserName="ada")["User"]
    assert set(user) == {"Arn", "CreateDate", "Path", "UserId", "UserName"}


@pytest.mark.parametrize("name", ["bad name!", "a/b", "", "u" * 65, "ünder"])
def test_bad_user_names_are_refused(iam: Any, refused: Any, name: str) -> None:
    """A name outside IAM's alphabet or longer than 64 is a ValidationError."""
    with refused("ValidationError", 400):
        iam.create_user(UserName=name)


@pytest.mark.parametrize("path", ["abc", "/abc", "abc/", "/" + "p" * 511 + "/"])
def test_bad_paths_are_refused(iam: Any, refused: Any, path: str) -> None:
    """A path that does not begin and end with a slash, or is longer than 512, is a ValidationError."""
    with refused("ValidationError", 400):
        iam.create_user(UserName="ada", Path=path)


def test_names_are_unique_whatever_their_case(iam: Any, refused: Any) -> None:
    """A second user whose name differs only in case, or in path, is EntityAlreadyExists."""
    iam.create_user(UserName="TestUser")
    with refused("EntityAlreadyExists", 409):
        iam.create_user(UserName="testuser", Path="/elsewhere/")


def test_names_are_found_whatever_their_case(iam: Any, refused: Any) -> None:
    """A user is read and deleted by its name in any case; answers carry the stored spelling."""
    iam.create_user(UserName="TestUser")
    assert iam.get_user(UserName="testuser")["User"]["UserName"] == "TestUser"
    iam.delete_user(UserName="TESTUSER")
    with refused("NoSuchEntity", 404):
        iam.get_user(UserName="TestUser")


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("get_user", {}),
        ("update_user", {"NewUserName": "other"}),
        ("delete_user", {}),
        ("tag_user", {"Tags": [{"Key": "a", "Value": "b"}]}),
        ("untag_user", {"TagKeys": ["a"]}),
        ("list_user_tags", {}),
        ("create_access_key", {}),
        ("list_access_keys", {}),
        ("delete_access_key", {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE"}),
        ("create_login_profile", {"Password": PASSWORD}),
        ("get_login_profile", {}),
        ("update_login_profile", {"PasswordResetRequired": True}),
        ("delete_login_profile", {}),
        ("attach_user_policy", {"PolicyArn": READ_ONLY}),
        ("detach_user_policy", {"PolicyArn": READ_ONLY}),
        ("list_attached_user_policies", {}),
        ("put_user_policy", {"PolicyName": "p", "PolicyDocument": DOCUMENT}),
        ("get_user_policy", {"PolicyName": "p"}),
        ("delete_user_policy", {"PolicyName": "p"}),
        ("list_user_policies", {}),
        ("list_groups_for_user", {}),
        ("put_user_permissions_boundary", {"PermissionsBoundary": READ_ONLY}),
        ("delete_user_permissions_boundary", {}),
        ("list_mfa_devices", {}),
        ("list_ssh_public_keys", {}),
        ("list_signing_certificates", {}),
        ("list_service_specific_credentials", {}),
    ],
)
def test_a_missing_user_is_no_such_entity(
    iam: Any,
    refused: Any,
    operation: str,
    arguments: dict[str, Any],
) -> None:
    """Every operation on a user that is not there answers NoSuchEntity."""
    with refused("NoSuchEntity", 404):
        getattr(iam, operation)(UserName="nope", **arguments)


def test_fifty_tags_and_no_more(iam: Any, refused: Any) -> None:
    """Fifty tags fit; fifty-one at creation are a ValidationError, one more later is LimitExceeded."""
    tags = [{"Key": f"k{number}", "Value": ""} for number in range(51)]
    with refused("ValidationError", 400):
        iam.create_user(UserName="ada", Tags=tags)
    iam.create_user(UserName="ada", Tags=tags[:50])
    with refused("LimitExceeded", 409):
        iam.tag_user(UserName="ada", Tags=tags[50:])
    iam.tag_user(UserName="ada", Tags=[{"Key": "K1", "Value": "replaced"}])
    assert len(iam.list_user_tags(UserName="ada")["Tags"]) == 50


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ([{"Key": "Dept", "Value": "1"}, {"Key": "dept", "Value": "2"}], "InvalidInput"),
        ([{"Key": "k" * 129, "Value": ""}], "ValidationError"),
        ([{"Key": "k", "Value": "v" * 257}], "ValidationError"),
        ([{"Key": "", "Value": "v"}], "ValidationError"),
        ([{"Key": "what?", "Value": "v"}], "ValidationError"),
        ([{"Key": "aws:mine", "Value": "v"}], "InvalidInput"),
    ],
)
def test_bad_tags_are_refused(iam: Any, refused: Any, tags: list[dict[str, str]], code: str) -> None:
    """Keys are told apart without case; keys, values and their lengths are IAM's; `aws:` is AWS's."""
    with refused(code, 400):
        iam.create_user(UserName="ada", Tags=tags)
    iam.create_user(UserName="ada")
    with refused(code, 400):
        iam.tag_user(UserName="ada", Tags=tags)


def test_tags_take_letters_of_any_language(iam: Any) -> None:
    """Unicode letters, digits and spaces are allowed in keys and values."""
    iam.create_user(UserName="ada", Tags=[{"Key": "équipe", "Value": "Zürich 東京 ٣"}])
    assert iam.list_user_tags(UserName="ada")["Tags"] == [{"Key": "équipe", "Value": "Zürich 東京 ٣"}]


def test_tags_go_by_key_without_case(iam: Any) -> None:
    """TagUser replaces a key in another case, and UntagUser removes by any case."""
    iam.create_user(UserName="ada", Tags=[{"Key": "Team", "Value": "a"}])
    iam.tag_user(UserName="ada", Tags=[{"Key": "team", "Value": "b"}])
    assert iam.list_user_tags(UserName="ada")["Tags"] == [{"Key": "team", "Value": "b"}]
    iam.untag_user(UserName="ada", TagKeys=["TEAM", "absent"])
    assert iam.list_user_tags(UserName="ada")["Tags"] == []


def test_a_boundary_is_put_and_taken_off(iam: Any, refused: Any) -> None:
    """Put sets or replaces the boundary, Delete removes it, a second Delete is NoSuchEntity."""
    iam.create_user(UserName="ada")
    iam.put_user_permissions_boundary(UserName="ada", PermissionsBoundary=READ_ONLY)
    assert iam.get_user(UserName="ada")["User"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == READ_ONLY
    iam.delete_user_permissions_boundary(UserName="ada")
    assert "PermissionsBoundary" not in iam.get_user(UserName="ada")["User"]
    with refused("NoSuchEntity", 404):
        iam.delete_user_permissions_boundary(UserName="ada")


@pytest.mark.parametrize(
    ("boundary", "code", "status"),
    [
        ("arn:aws:iam::123456789012:policy/absent", "NoSuchEntity", 404),
        ("not-an-arn-but-long-enough", "InvalidInput", 400),
        ("short", "ValidationError", 400),
    ],
)
def test_a_boundary_must_be_a_policy(iam: Any, refused: Any, boundary: str, code: str, status: int) -> None:
    """An unknown policy is NoSuchEntity, anything else is refused as malformed, and no user is made."""
    with refused(code, status):
        iam.create_user(UserName="ada", PermissionsBoundary=boundary)
    assert iam.list_users()["Users"] == []
    iam.create_user(UserName="bob")
    with refused(code, status):
        iam.put_user_permissions_boundary(UserName="bob", PermissionsBoundary=boundary)


def test_a_policy_in_use_as_boundary_stays(iam: Any, refused: Any) -> None:
    """DeletePolicy answers DeleteConflict while the policy bounds a user."""
    arn = iam.create_policy(PolicyName="bound", PolicyDocument=DOCUMENT)["Policy"]["Arn"]
    iam.create_user(UserName="ada", PermissionsBoundary=arn)
    assert iam.get_policy(PolicyArn=arn)["Policy"]["PermissionsBoundaryUsageCount"] == 1
    with refused("DeleteConflict", 409):
        iam.delete_policy(PolicyArn=arn)
    iam.delete_user(UserName="ada")
    iam.delete_policy(PolicyArn=arn)


def test_renaming_takes_everything_along(iam: Any, refused: Any) -> None:
    """After UpdateUser the id is the same and keys, password, groups, MFA, tags answer to the new name."""
    old = iam.create_user(UserName="old", Tags=[{"Key": "a", "Value": "b"}])["User"]
    iam.create_group(GroupName="g")
    iam.add_user_to_group(GroupName="g", UserName="old")
    key_id = iam.create_access_key(UserName="old")["AccessKey"]["AccessKeyId"]
    iam.create_login_profile(UserName="old", Password=PASSWORD)
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName="d")["VirtualMFADevice"]
    _enroll(iam, "old", device)

    iam.update_user(UserName="old", NewUserName="new", NewPath="/moved/")

    with refused("NoSuchEntity", 404):
        iam.get_user(UserName="old")
    new = iam.get_user(UserName="new")["User"]
    assert new["UserId"] == old["UserId"]
    assert new["Tags"] == old["Tags"]
    assert new["Path"] == "/moved/"
    assert iam.list_access_keys(UserName="new")["AccessKeyMetadata"][0]["UserName"] == "new"
    assert iam.get_access_key_last_used(AccessKeyId=key_id)["UserName"] == "new"
    assert iam.get_login_profile(UserName="new")["LoginProfile"]["UserName"] == "new"
    assert iam.list_groups_for_user(UserName="new")["Groups"][0]["GroupName"] == "g"
    assert iam.list_mfa_devices(UserName="new")["MFADevices"][0]["UserName"] == "new"
    assert iam.list_virtual_mfa_devices()["VirtualMFADevices"][0]["User"]["UserName"] == "new"


def test_renaming_to_a_taken_name_is_refused(iam: Any, refused: Any) -> None:
    """Another user's name is EntityAlreadyExists in any case; one's own name in another case is free."""
    iam.create_user(UserName="ada")
    iam.create_user(UserName="Bob")
    with refused("EntityAlreadyExists", 409):
        iam.update_user(UserName="ada", NewUserName="bob")
    iam.update_user(UserName="Bob", NewUserName="bob")
    assert iam.get_user(UserName="BOB")["User"]["UserName"] == "bob"


def _enroll(iam: Any, user: str, device: dict[str, Any]) -> None:
    first, second = consecutive_codes(device["Base32StringSeed"])
    iam.enable_mfa_device(
        UserName=user,
        SerialNumber=device["SerialNumber"],
        AuthenticationCode1=first,
        AuthenticationCode2=second,
    )


def _give_mfa(iam: Any) -> None:
    _enroll(iam, "ada", iam.create_virtual_mfa_device(VirtualMFADeviceName="d")["VirtualMFADevice"])


def _give_membership(iam: Any) -> None:
    iam.create_group(GroupName="g")
    iam.add_user_to_group(GroupName="g", UserName="ada")


@pytest.mark.parametrize(
    "give",
    [
        lambda iam: iam.create_login_profile(UserName="ada", Password=PASSWORD),
        lambda iam: iam.create_access_key(UserName="ada"),
        lambda iam: iam.upload_ssh_public_key(UserName="ada", SSHPublicKeyBody=SSH_KEY),
        lambda iam: iam.upload_signing_certificate(UserName="ada", CertificateBody=certificate()),
        lambda iam: iam.create_service_specific_credential(UserName="ada", ServiceName=CODECOMMIT),
        _give_mfa,
        lambda iam: iam.put_user_policy(UserName="ada", PolicyName="p", PolicyDocument=DOCUMENT),
        lambda iam: iam.attach_user_policy(UserName="ada", PolicyArn=READ_ONLY),
        _give_membership,
    ],
    ids=["password", "key", "ssh", "certificate", "service", "mfa", "inline", "attached", "group"],
)
def test_a_user_that_holds_something_stays(
    aws: EmbeddedAws, iam: Any, refused: Any, give: Callable[[Any], Any]
) -> None:
    """DeleteUser answers DeleteConflict while anything hangs on the user, and changes nothing."""
    iam.create_user(UserName="ada")
    give(iam)
    before = aws.dump()
    with refused("DeleteConflict", 409):
        iam.delete_user(UserName="ada")
    assert aws.dump() == before


def test_racing_creations_have_one_winner(iam: Any) -> None:
    """Of many simultaneous CreateUser calls with one name, exactly one succeeds."""

    def create(number: int) -> str:
        try:
            iam.create_user(UserName="Racer" if number % 2 else "racer")
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "created"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(create, range(40)))
    assert sorted(set(outcomes)) == ["EntityAlreadyExists", "created"]
    assert outcomes.count("created") == 1


def test_the_users_quota_holds(aws: EmbeddedAws, iam: Any, refused: Any) -> None:
    """One user more than the account's quota is LimitExceeded."""
    aws.set_quota("UsersQuota", 2)
    iam.create_user(UserName="a")
    iam.create_user(UserName="b")
    with refused("LimitExceeded", 409):
        iam.create_user(UserName="c")


SSH_KEY = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQC7vbqajDhA+17FAgfbXjVo0Yl0m5rQ0TtpdSCU3GqAhWBTk2fNfM=="


def certificate() -> str:
    """A self-signed certificate in PEM form."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ada")])
    today = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today)
        .not_valid_after(today + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def test_certificates_and_ssh_keys_are_limited_and_checked(iam: Any, refused: Any) -> None:
    """What is no key is InvalidPublicKey; a third certificate is LimitExceeded."""
    iam.create_user(UserName="ada")
    with refused("InvalidPublicKey", 400):
        iam.upload_ssh_public_key(UserName="ada", SSHPublicKeyBody="not a key")
    for _ in range(2):
        iam.upload_signing_certificate(UserName="ada", CertificateBody=certificate())
    with refused("LimitExceeded", 409):
        iam.upload_signing_certificate(UserName="ada", CertificateBody=certificate())
