"""Listings that are read with few calls, and to their end."""

from typing import Any

from embedded_aws import DropParameter, EmbeddedAws, Fault
from embedded_aws.faults import AnswerError
from identity_service.adapters.aws_iam.account import BotoIamAccount

DOCUMENT = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'


def make_policies(admin: Any, count: int) -> None:
    """Make policies that are numbered from 000 on."""
    for number in range(count):
        admin.create_policy(PolicyName=f"policy-{number:03}", PolicyDocument=DOCUMENT)


async def test_policies_are_searched_with_large_pages(iam: BotoIamAccount, aws: EmbeddedAws, admin: Any) -> None:
    """130 policies take one call."""
    make_policies(admin, 130)
    aws.clear_calls()
    assert await iam.find_customer_policy("policy-129") is not None
    assert [(call.operation, call.parameters["MaxItems"]) for call in aws.calls()] == [("ListPolicies", 1000)]


async def test_policies_are_searched_on_every_page(iam: BotoIamAccount, aws: EmbeddedAws, admin: Any) -> None:
    """Where IAM answers smaller pages than were asked for, all of them are read."""
    make_policies(admin, 130)
    aws.inject(Fault("ListPolicies", DropParameter("MaxItems"), times=None))
    aws.clear_calls()
    assert await iam.find_customer_policy("policy-129") is not None
    assert len(aws.calls()) == 2


async def test_search_ends_where_the_policy_is(iam: BotoIamAccount, aws: EmbeddedAws, admin: Any) -> None:
    """A policy of the first page costs one page."""
    make_policies(admin, 130)
    aws.inject(Fault("ListPolicies", DropParameter("MaxItems"), times=None))
    aws.clear_calls()
    assert await iam.find_customer_policy("policy-000") is not None
    assert len(aws.calls()) == 1


async def test_all_members_of_a_group(iam: BotoIamAccount, admin: Any) -> None:
    """GetGroup is read to its end: 130 members make two pages."""
    admin.create_group(GroupName="everybody")
    names = [f"user-{number:03}" for number in range(130)]
    for name in names:
        admin.create_user(UserName=name)
        admin.add_user_to_group(GroupName="everybody", UserName=name)
    group = await iam.get_group_details("everybody")
    assert group is not None
    assert list(group.member_names) == names


async def test_group_that_goes_while_it_is_read(iam: BotoIamAccount, aws: EmbeddedAws, admin: Any) -> None:
    """What a group grants is None if the group goes meanwhile, and leaves out a policy that does."""
    admin.create_group(GroupName="ops")
    for name in ("first", "second"):
        admin.put_group_policy(GroupName="ops", PolicyName=name, PolicyDocument=DOCUMENT)
    aws.inject(Fault("ListGroupPolicies", AnswerError("NoSuchEntity", 404)))
    assert await iam.get_group_policies("ops") is None
    aws.inject(Fault("GetGroupPolicy", AnswerError("NoSuchEntity", 404)))
    policies = await iam.get_group_policies("ops")
    assert policies is not None
    assert len(policies.inline_policies) == 1


async def test_all_users_of_a_policy(iam: BotoIamAccount, admin: Any) -> None:
    """ListEntitiesForPolicy is read to its end, for both usages: 101 users each make two pages."""
    arn = admin.create_policy(PolicyName="readers", PolicyDocument=DOCUMENT)["Policy"]["Arn"]
    names = [f"user-{number:03}" for number in range(101)]
    for name in names:
        admin.create_user(UserName=name, PermissionsBoundary=arn)
        admin.attach_user_policy(UserName=name, PolicyArn=arn)
    usage = await iam.get_policy_usage(arn)
    assert list(usage.users) == names
    assert list(usage.bounded_users) == names


async def test_all_virtual_mfa_devices(iam: BotoIamAccount, admin: Any) -> None:
    """ListVirtualMFADevices is read to its end: 101 devices make two pages."""
    for number in range(101):
        admin.create_virtual_mfa_device(VirtualMFADeviceName=f"device-{number:03}")
    devices = await iam.list_virtual_mfa_devices()
    assert len(devices) == 101
    assert devices[-1].serial_number.endswith(":mfa/device-100")
