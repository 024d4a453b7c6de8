"""What the fake account adds for tests: its record, and failures on demand."""

import pytest

from identity_service.domain.errors import IamError, IamErrorKind
from identity_service.domain.secret import Secret
from tests.contract.fake_iam import FakeIam

LOST = IamError(IamErrorKind.UNAVAILABLE, "", "ServiceFailure", 500, outcome_unknown=True)


async def test_mutations_are_recorded_in_order() -> None:
    """Mutating calls are recorded with their parameters, refused ones included, reads elsewhere."""
    fake = FakeIam()
    await fake.create_user("maria", "/", None, {"team": "blue"})
    await fake.get_user("maria")
    with pytest.raises(IamError):
        await fake.delete_login_profile("maria")
    assert fake.mutations == [
        ("CreateUser", {"UserName": "maria", "Path": "/", "PermissionsBoundary": None, "Tags": {"team": "blue"}}),
        ("DeleteLoginProfile", {"UserName": "maria"}),
    ]
    assert fake.operations == ["CreateUser", "DeleteLoginProfile"]
    assert fake.reads == [("GetUser", {"UserName": "maria"})]


async def test_record_shows_no_password() -> None:
    """The record of a login profile can be printed."""
    fake = FakeIam()
    fake.add_user("maria")
    await fake.create_login_profile("maria", Secret("Correct-Horse-1"), reset_required=False)
    assert "Correct-Horse-1" not in repr(fake.mutations)
    assert fake.passwords["maria"].reveal() == "Correct-Horse-1"


async def test_failure_before_the_effect() -> None:
    """A planted failure replaces a call, names its action, and is used up."""
    fake = FakeIam()
    fake.inject("iam:CreateUser", LOST)
    with pytest.raises(IamError) as caught:
        await fake.create_user("maria", "/", None, {})
    assert (caught.value.action, caught.value.kind) == ("iam:CreateUser", IamErrorKind.UNAVAILABLE)
    assert await fake.get_user("maria") is None
    await fake.create_user("maria", "/", None, {})


async def test_failure_after_the_effect() -> None:
    """A lost answer: the call was carried out and fails all the same."""
    fake = FakeIam()
    fake.inject("iam:CreateUser", LOST, after_effect=True)
    with pytest.raises(IamError):
        await fake.create_user("maria", "/", None, {})
    assert await fake.get_user("maria") is not None


async def test_unattachable_policy() -> None:
    """A policy that cannot be attached is NOT_ATTACHABLE."""
    fake = FakeIam()
    fake.add_user("maria")
    policy = fake.add_aws_policy("ServiceOnly", path="/aws-service-role/", attachable=False)
    with pytest.raises(IamError) as caught:
        await fake.attach_user_policy("maria", policy.arn)
    assert caught.value.kind is IamErrorKind.NOT_ATTACHABLE


async def test_arranging_is_no_call() -> None:
    """What a test arranges is there, and is in no record."""
    fake = FakeIam()
    fake.add_user("maria")
    fake.add_group("staff")
    fake.add_membership("maria", "staff")
    fake.add_attachment("maria", fake.add_policy("readers").arn)
    fake.add_inline_policy("maria", "reading")
    fake.add_login_profile("maria", reset_required=True)
    key_id = fake.add_access_key("maria", active=False)
    assert fake.mutations == []
    assert [key.access_key_id for key in await fake.list_access_keys("maria")] == [key_id]
    assert [policy.policy_name for policy in await fake.list_attached_policies("maria")] == ["readers"]
    assert [group.group_name for group in await fake.list_groups("maria")] == ["staff"]
    with pytest.raises(IamError) as caught:
        await fake.delete_user("maria")
    assert caught.value.kind is IamErrorKind.IN_USE


async def test_record_shows_no_code() -> None:
    """The record of an enabled MFA device can be printed, and the making of one holds no seed."""
    fake = FakeIam()
    fake.add_user("maria")
    device = (await fake.create_virtual_mfa_device("phone", {})).value
    await fake.enable_mfa_device("maria", device.serial_number, Secret("271828"), Secret("314159"))
    assert fake.operations == ["CreateVirtualMFADevice", "EnableMFADevice"]
    shown = repr(fake.mutations)
    for hidden in ("271828", "314159", device.seed.reveal(), device.qr_code_png.reveal()):
        assert hidden not in shown


async def test_wrong_codes_can_be_chosen() -> None:
    """The two codes that are refused are the test's to say; every other two are right."""
    fake = FakeIam()
    fake.add_user("maria")
    serial_number = fake.add_virtual_mfa_device("phone")
    fake.wrong_codes = ("123456", "654321")
    with pytest.raises(IamError) as caught:
        await fake.enable_mfa_device("maria", serial_number, Secret("123456"), Secret("654321"))
    assert caught.value.kind is IamErrorKind.WRONG_CODE
    await fake.enable_mfa_device("maria", serial_number, Secret("654321"), Secret("123456"))


async def test_password_goes_with_the_renamed_user() -> None:
    """The password that a test looks up is found under the new name."""
    fake = FakeIam()
    fake.add_user("maria")
    await fake.create_login_profile("maria", Secret("Correct-Horse-1"), reset_required=False)
    await fake.update_user("maria", "mary", None)
    assert fake.passwords.keys() == {"mary"}


async def test_arranged_group_attachment() -> None:
    """A group can be arranged with a managed policy, and one that cannot be attached is refused by the call."""
    fake = FakeIam()
    fake.add_group("staff", grants_nothing=True)
    fake.add_group_attachment("staff", fake.add_policy("readers", description="Reads.", tags={"team": "blue"}).arn)
    group = await fake.get_group_details("staff")
    assert group is not None
    assert [policy.policy_name for policy in group.attached_policies] == ["readers"]
    policy = fake.add_aws_policy("ServiceOnly", path="/aws-service-role/", attachable=False)
    with pytest.raises(IamError) as caught:
        await fake.attach_group_policy("staff", policy.arn)
    assert caught.value.kind is IamErrorKind.NOT_ATTACHABLE
