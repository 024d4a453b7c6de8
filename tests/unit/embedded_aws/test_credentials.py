"""Credentials in the embedded account: access keys, console passwords, MFA devices, service passwords."""

from __future__ import annotations

from typing import Any

import pytest

from embedded_aws import EmbeddedAws, consecutive_codes

PASSWORD = "Correct-horse-7"


@pytest.fixture
def ada(iam: Any) -> str:
    """A user."""
    iam.create_user(UserName="ada")
    return "ada"


def test_two_keys_and_no_more(iam: Any, refused: Any, ada: str) -> None:
    """A third key is LimitExceeded although one of the two is inactive."""
    first = iam.create_access_key(UserName=ada)["AccessKey"]
    assert first["AccessKeyId"].startswith("AKIA")
    assert len(first["SecretAccessKey"]) == 40
    iam.create_access_key(UserName=ada)
    iam.update_access_key(UserName=ada, AccessKeyId=first["AccessKeyId"], Status="Inactive")
    with refused("LimitExceeded", 409):
        iam.create_access_key(UserName=ada)
    listed = iam.list_access_keys(UserName=ada)["AccessKeyMetadata"]
    assert [key["Status"] for key in listed] == ["Inactive", "Active"]
    assert "SecretAccessKey" not in listed[0]


def test_the_key_quota_can_be_set(aws: EmbeddedAws, iam: Any, ada: str) -> None:
    """A raised quota lets a third key be made."""
    aws.set_quota("AccessKeysPerUserQuota", 3)
    for _ in range(3):
        iam.create_access_key(UserName=ada)
    assert iam.get_account_summary()["SummaryMap"]["AccessKeysPerUserQuota"] == 3


def test_a_missing_key_is_no_such_entity(iam: Any, refused: Any, ada: str) -> None:
    """Updating, deleting and asking for the last use of an unknown key, or another user's, is refused."""
    iam.create_user(UserName="bob")
    others = iam.create_access_key(UserName="bob")["AccessKey"]["AccessKeyId"]
    for key_id in ("AKIAIOSFODNN7EXAMPLE", others):
        with refused("NoSuchEntity", 404):
            iam.update_access_key(UserName=ada, AccessKeyId=key_id, Status="Inactive")
        with refused("NoSuchEntity", 404):
            iam.delete_access_key(UserName=ada, AccessKeyId=key_id)
    with refused("NoSuchEntity", 404):
        iam.get_access_key_last_used(AccessKeyId="AKIAIOSFODNN7EXAMPLE")


def test_a_bad_key_status_is_refused(iam: Any, refused: Any, ada: str) -> None:
    """A status that the model does not know is a ValidationError."""
    key_id = iam.create_access_key(UserName=ada)["AccessKey"]["AccessKeyId"]
    with refused("ValidationError", 400):
        iam.update_access_key(UserName=ada, AccessKeyId=key_id, Status="Asleep")


def test_last_use_of_a_key(iam: Any, client: Any, ada: str) -> None:
    """An unused key shows N/A and no date; using it shows service, region and date."""
    key = iam.create_access_key(UserName=ada)["AccessKey"]
    unused = iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])
    assert unused["UserName"] == ada
    assert unused["AccessKeyLastUsed"] == {"ServiceName": "N/A", "Region": "N/A"}
    client("sts", key["AccessKeyId"], key["SecretAccessKey"]).get_caller_identity()
    used = iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])["AccessKeyLastUsed"]
    assert used["ServiceName"] == "sts"
    assert used["Region"] == "us-east-1"
    assert "LastUsedDate" in used


def test_a_deleted_key_is_gone(iam: Any, ada: str) -> None:
    """A deleted key is listed no more and frees its place."""
    key_id = iam.create_access_key(UserName=ada)["AccessKey"]["AccessKeyId"]
    iam.delete_access_key(UserName=ada, AccessKeyId=key_id)
    assert iam.list_access_keys(UserName=ada)["AccessKeyMetadata"] == []


@pytest.mark.parametrize("reset", [True, False])
def test_the_reset_flag_is_kept(iam: Any, ada: str, reset: bool) -> None:
    """PasswordResetRequired is answered by Create and Get as it was given."""
    made = iam.create_login_profile(UserName=ada, Password=PASSWORD, PasswordResetRequired=reset)
    assert made["LoginProfile"]["PasswordResetRequired"] is reset
    assert iam.get_login_profile(UserName=ada)["LoginProfile"] == made["LoginProfile"]


def test_updating_the_flag_keeps_the_password(aws: EmbeddedAws, iam: Any, ada: str) -> None:
    """UpdateLoginProfile changes what it is given and leaves the rest."""
    iam.create_login_profile(UserName=ada, Password=PASSWORD)
    before = aws.dump()["users"][0]["login_profile"]
    iam.update_login_profile(UserName=ada, PasswordResetRequired=True)
    after = aws.dump()["users"][0]["login_profile"]
    assert after == {**before, "reset_required": True}
    iam.update_login_profile(UserName=ada, Password=PASSWORD + "x")
    changed = aws.dump()["users"][0]["login_profile"]
    assert changed["password_sha256"] != after["password_sha256"]
    assert changed["reset_required"]


def test_one_password_per_user(iam: Any, refused: Any, ada: str) -> None:
    """A second login profile is EntityAlreadyExists; a missing one is NoSuchEntity."""
    for call in (iam.get_login_profile, iam.delete_login_profile, iam.update_login_profile):
        with refused("NoSuchEntity", 404):
            call(UserName=ada)
    iam.create_login_profile(UserName=ada, Password=PASSWORD)
    with refused("EntityAlreadyExists", 409):
        iam.create_login_profile(UserName=ada, Password=PASSWORD)
    iam.delete_login_profile(UserName=ada)
    with refused("NoSuchEntity", 404):
        iam.get_login_profile(UserName=ada)


@pytest.mark.parametrize("password", ["abc1!", "alllowercase", "lower and 1", "Aa1!"])
def test_without_a_policy_awss_own_applies(iam: Any, refused: Any, ada: str, password: str) -> None:
    """Eight characters and three of the four classes are needed."""
    with refused("PasswordPolicyViolation", 400):
        iam.create_login_profile(UserName=ada, Password=password)


def test_the_user_name_is_no_password(iam: Any, refused: Any) -> None:
    """AWS's own policy refuses the user's name."""
    iam.create_user(UserName="Ada-Lovelace-1815")
    with refused("PasswordPolicyViolation", 400):
        iam.create_login_profile(UserName="Ada-Lovelace-1815", Password="ada-lovelace-1815A"[:-1])


def test_a_password_is_held_to_the_accounts_policy(iam: Any, refused: Any, ada: str) -> None:
    """Length, classes and reuse are checked at creation and at change."""
    iam.update_account_password_policy(
        MinimumPasswordLength=14,
        RequireUppercaseCharacters=True,
        RequireLowercaseCharacters=True,
        RequireNumbers=True,
        RequireSymbols=True,
        PasswordReusePrevention=2,
    )
    for password in ("short", "long-enough-but-1-class-less", "Long-enough-without-digit"):
        with refused("PasswordPolicyViolation", 400):
            iam.create_login_profile(UserName=ada, Password=password)
    iam.create_login_profile(UserName=ada, Password="Long-enough-password-1")
    with refused("PasswordPolicyViolation", 400):
        iam.update_login_profile(UserName=ada, Password="Long-enough-password-1")
    iam.update_login_profile(UserName=ada, Password="Long-enough-password-2")


def test_users_change_their_own_password(iam: Any, client: Any, refused: Any, ada: str) -> None:
    """ChangePassword needs the old password, checks the new one, and lifts the reset."""
    iam.create_login_profile(UserName=ada, Password=PASSWORD, PasswordResetRequired=True)
    key = iam.create_access_key(UserName=ada)["AccessKey"]
    own = client("iam", key["AccessKeyId"], key["SecretAccessKey"])
    with refused("AccessDenied", 403):
        own.change_password(OldPassword="Wrong-password-1", NewPassword="Correct-horse-8")
    with refused("PasswordPolicyViolation", 400):
        own.change_password(OldPassword=PASSWORD, NewPassword="weak")
    own.change_password(OldPassword=PASSWORD, NewPassword="Correct-horse-8")
    assert iam.get_login_profile(UserName=ada)["LoginProfile"]["PasswordResetRequired"] is False


def test_an_mfa_device_from_making_to_deleting(iam: Any, refused: Any, ada: str) -> None:
    """A device is made with a usable seed, enrolled by two codes, listed, taken off and deleted."""
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName="phone")["VirtualMFADevice"]
    serial = device["SerialNumber"]
    assert serial == "arn:aws:iam::123456789012:mfa/phone"
    assert device["QRCodePNG"].startswith(b"\x89PNG")
    with refused("EntityAlreadyExists", 409):
        iam.create_virtual_mfa_device(VirtualMFADeviceName="phone")
    first, second = consecutive_codes(device["Base32StringSeed"])
    enrol = {"UserName": ada, "SerialNumber": serial}
    with refused("InvalidAuthenticationCode", 403):
        iam.enable_mfa_device(**enrol, AuthenticationCode1=second, AuthenticationCode2=first)
    iam.enable_mfa_device(**enrol, AuthenticationCode1=first, AuthenticationCode2=second)
    with refused("EntityAlreadyExists", 409):
        iam.enable_mfa_device(**enrol, AuthenticationCode1=first, AuthenticationCode2=second)
    assert [held["SerialNumber"] for held in iam.list_mfa_devices(UserName=ada)["MFADevices"]] == [serial]
    assert iam.list_virtual_mfa_devices(AssignmentStatus="Unassigned")["VirtualMFADevices"] == []
    listed = iam.list_virtual_mfa_devices(AssignmentStatus="Assigned")["VirtualMFADevices"][0]
    assert listed["User"]["UserName"] == ada
    assert "Base32StringSeed" not in listed
    assert "QRCodePNG" not in listed
    iam.resync_mfa_device(**enrol, AuthenticationCode1=first, AuthenticationCode2=second)
    with refused("DeleteConflict", 409):
        iam.delete_virtual_mfa_device(SerialNumber=serial)
    iam.deactivate_mfa_device(UserName=ada, SerialNumber=serial)
    assert iam.list_mfa_devices(UserName=ada)["MFADevices"] == []
    iam.delete_virtual_mfa_device(SerialNumber=serial)
    assert iam.list_virtual_mfa_devices()["VirtualMFADevices"] == []


def test_a_missing_mfa_device_is_no_such_entity(iam: Any, refused: Any, ada: str) -> None:
    """Enabling, deactivating or deleting an unknown device is NoSuchEntity."""
    serial = "arn:aws:iam::123456789012:mfa/none"
    with refused("NoSuchEntity", 404):
        iam.deactivate_mfa_device(UserName=ada, SerialNumber=serial)
    with refused("NoSuchEntity", 404):
        iam.delete_virtual_mfa_device(SerialNumber=serial)
    with refused("NoSuchEntity", 404):
        iam.enable_mfa_device(
            UserName=ada, SerialNumber=serial, AuthenticationCode1="123456", AuthenticationCode2="654321"
        )


def test_service_passwords(iam: Any, refused: Any, ada: str) -> None:
    """Known services only, two of each at most; the password shows at making and at reset alone."""
    service = "codecommit.amazonaws.com"
    with refused("NoSuchEntity", 404):
        iam.create_service_specific_credential(UserName=ada, ServiceName="lambda.amazonaws.com")
    made = [
        iam.create_service_specific_credential(UserName=ada, ServiceName=service)["ServiceSpecificCredential"]
        for _ in range(2)
    ]
    with refused("LimitExceeded", 409):
        iam.create_service_specific_credential(UserName=ada, ServiceName=service)
    listed = iam.list_service_specific_credentials(UserName=ada)["ServiceSpecificCredentials"]
    assert len(listed) == 2
    assert "ServicePassword" not in listed[0]
    which = {"UserName": ada, "ServiceSpecificCredentialId": made[0]["ServiceSpecificCredentialId"]}
    anew = iam.reset_service_specific_credential(**which)["ServiceSpecificCredential"]
    assert anew["ServicePassword"] != made[0]["ServicePassword"]
    iam.update_service_specific_credential(**which, Status="Inactive")
    iam.delete_service_specific_credential(**which)
    with refused("NoSuchEntity", 404):
        iam.delete_service_specific_credential(**which)
