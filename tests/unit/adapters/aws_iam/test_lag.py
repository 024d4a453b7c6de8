"""IAM is eventually consistent: what was made here a moment ago is waited for, and nothing else is."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from embedded_aws import AnswerError, EmbeddedAws, Fault, LoseReply, consecutive_codes
from identity_service.adapters.aws_iam.account import BotoIamAccount
from identity_service.domain.errors import IamError, IamErrorKind
from identity_service.domain.secret import Secret

DOCUMENT = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'
CHANGE_PASSWORD = "arn:aws:iam::aws:policy/IAMUserChangePassword"
READERS = "arn:aws:iam::123456789012:policy/team/readers"
PHONE = "arn:aws:iam::123456789012:mfa/phone"
NOT_FOUND = AnswerError("NoSuchEntity", 404)

Calls = Callable[[BotoIamAccount], Awaitable[object]]


def sent(aws: EmbeddedAws, operation: str) -> int:
    """Count how often an operation arrived."""
    return sum(call.operation == operation for call in aws.calls())


@pytest.fixture
def old_entities(iam: BotoIamAccount, aws: EmbeddedAws, admin: Any) -> BotoIamAccount:
    """The adapter on an account with a user and a group that it did not make."""
    admin.create_user(UserName="ana")
    admin.create_group(GroupName="staff")
    aws.clear_calls()
    return iam


async def new_group(iam: BotoIamAccount) -> None:
    """Make a group."""
    await iam.create_group("Ops", "/")


async def new_policy(iam: BotoIamAccount) -> None:
    """Make a policy."""
    await iam.create_policy("readers", "/team/", "", DOCUMENT, {})


async def new_device_enabled(iam: BotoIamAccount) -> None:
    """Make an MFA device and enable it."""
    device = (await iam.create_virtual_mfa_device("phone", {})).value
    first, second = map(Secret, consecutive_codes(device.seed.reveal()))
    await iam.enable_mfa_device("ana", device.serial_number, first, second)


async def new_device_deleted(iam: BotoIamAccount) -> None:
    """Make an MFA device and delete it."""
    await iam.delete_virtual_mfa_device((await iam.create_virtual_mfa_device("phone", {})).value.serial_number)


def after(make: Calls, call: Calls) -> Calls:
    """Put two calls after one another."""

    async def both(iam: BotoIamAccount) -> None:
        await make(iam)
        await call(iam)

    return both


WAITED_FOR: list[tuple[str, Calls]] = [
    ("AddUserToGroup", after(new_group, lambda iam: iam.add_user_to_group("ana", "ops"))),
    ("AttachGroupPolicy", after(new_group, lambda iam: iam.attach_group_policy("ops", CHANGE_PASSWORD))),
    ("AttachGroupPolicy", after(new_policy, lambda iam: iam.attach_group_policy("staff", READERS))),
    ("DeleteGroup", after(new_group, lambda iam: iam.delete_group("ops"))),
    ("AttachUserPolicy", after(new_policy, lambda iam: iam.attach_user_policy("ana", READERS))),
    ("PutUserPermissionsBoundary", after(new_policy, lambda iam: iam.put_user_permissions_boundary("ana", READERS))),
    ("CreateUser", after(new_policy, lambda iam: iam.create_user("maria", "/", READERS, {}))),
    ("DeletePolicy", after(new_policy, lambda iam: iam.delete_policy(READERS))),
    ("EnableMFADevice", new_device_enabled),
    ("DeleteVirtualMFADevice", new_device_deleted),
    ("TagUser", after(lambda iam: iam.update_user("ana", "anna", None), lambda iam: iam.tag_user("anna", {"a": "b"}))),
]


@pytest.mark.parametrize(("operation", "calls"), WAITED_FOR)
async def test_new_entity_is_waited_for(
    old_entities: BotoIamAccount, aws: EmbeddedAws, operation: str, calls: Calls
) -> None:
    """A write that does not find what was made a moment ago is repeated until it does."""
    aws.inject(Fault(operation, NOT_FOUND, times=2))
    await calls(old_entities)
    assert sent(aws, operation) == 3


NOT_WAITED_FOR: list[tuple[str, Calls]] = [
    ("AddUserToGroup", lambda iam: iam.add_user_to_group("ana", "staff")),
    ("AttachUserPolicy", lambda iam: iam.attach_user_policy("ana", CHANGE_PASSWORD)),
    ("CreateUser", lambda iam: iam.create_user("maria", "/", CHANGE_PASSWORD, {})),
    ("DetachGroupPolicy", after(new_group, lambda iam: iam.detach_group_policy("ops", CHANGE_PASSWORD))),
    ("DeleteGroupPolicy", after(new_group, lambda iam: iam.delete_group_policy("ops", "some"))),
    ("DeletePolicyVersion", after(new_policy, lambda iam: iam.delete_policy_version(READERS, "v2"))),
    (
        "AttachGroupPolicy",
        after(
            after(new_group, lambda iam: iam.delete_group("OPS")),
            lambda iam: iam.attach_group_policy("ops", CHANGE_PASSWORD),
        ),
    ),
    (
        "AttachUserPolicy",
        after(
            after(new_policy, lambda iam: iam.delete_policy(READERS)),
            lambda iam: iam.attach_user_policy("ana", READERS),
        ),
    ),
    (
        "EnableMFADevice",
        after(
            new_device_deleted,
            lambda iam: iam.enable_mfa_device("ana", PHONE, Secret("123456"), Secret("654321")),
        ),
    ),
]


@pytest.mark.parametrize(("operation", "calls"), NOT_WAITED_FOR)
async def test_nothing_else_is_waited_for(
    old_entities: BotoIamAccount, aws: EmbeddedAws, time: Any, operation: str, calls: Calls
) -> None:
    """What is old, was deleted, or is only missing on something new, is NOT_FOUND at once."""
    aws.inject(Fault(operation, NOT_FOUND))
    with pytest.raises(IamError) as caught:
        await calls(old_entities)
    assert caught.value.kind is IamErrorKind.NOT_FOUND
    assert sent(aws, operation) == 1
    assert time.sleeps == []


async def test_old_name_of_a_renamed_user_is_not_waited_for(iam: BotoIamAccount, time: Any) -> None:
    """A user who was made and renamed a moment ago is not expected under the first name."""
    await iam.create_user("maria", "/", None, {})
    await iam.update_user("maria", "mary", None)
    with pytest.raises(IamError):
        await iam.tag_user("maria", {"team": "blue"})
    assert time.sleeps == []


async def test_user_in_another_letter_case_stays_recent(iam: BotoIamAccount, aws: EmbeddedAws) -> None:
    """A rename that changes only the letter case forgets nothing."""
    await iam.create_user("maria", "/", None, {})
    await iam.update_user("maria", "Maria", None)
    aws.inject(Fault("TagUser", NOT_FOUND))
    await iam.tag_user("maria", {"team": "blue"})
    assert sent(aws, "TagUser") == 2


async def test_entities_made_unseen_are_waited_for(old_entities: BotoIamAccount, aws: EmbeddedAws) -> None:
    """Groups and policies that were perhaps made by this call are waited for like those which were."""
    for operation in ("CreateGroup", "CreatePolicy"):
        aws.inject(Fault(operation, LoseReply()))
    for make in (new_group, new_policy):
        with pytest.raises(IamError):
            await make(old_entities)
    for operation in ("AddUserToGroup", "AttachUserPolicy"):
        aws.inject(Fault(operation, NOT_FOUND))
    await old_entities.add_user_to_group("ana", "ops")
    await old_entities.attach_user_policy("ana", READERS)


async def test_expected_user_is_waited_for(iam: BotoIamAccount, aws: EmbeddedAws) -> None:
    """A read that expects a user made a moment ago waits, one that does not expect him answers None."""
    await iam.create_user("maria", "/", None, {})
    aws.inject(Fault("GetUser", NOT_FOUND, times=2))
    assert await iam.get_user("maria", expected=True) is not None
    aws.inject(Fault("GetUser", NOT_FOUND))
    assert await iam.get_user("maria") is None


async def test_expected_user_who_was_not_made_here_is_none(iam: BotoIamAccount, time: Any) -> None:
    """Nobody is waited for who was not made a moment ago, however much expected."""
    assert await iam.get_user("nobody", expected=True) is None
    assert time.sleeps == []


async def test_expected_user_who_does_not_appear_is_none(iam: BotoIamAccount, aws: EmbeddedAws, time: Any) -> None:
    """Waiting for a user ends with the window, and with the answer that nobody is there."""
    await iam.create_user("maria", "/", None, {})
    aws.inject(Fault("GetUser", NOT_FOUND, times=None))
    assert await iam.get_user("maria", expected=True) is None
    assert 0 < sum(time.sleeps) <= 20.0
