"""Denied calls: a role that is held to a path or a tag is denied what is not there, and that is no lack of rights."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from embedded_aws import AnswerError, EmbeddedAws, Fault, LoseReply
from identity_service.adapters.aws_iam.account import BotoIamAccount
from identity_service.domain.errors import IamError, IamErrorKind

DENIED = AnswerError("AccessDenied", 403)
DOCUMENT = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'
POLICY = "arn:aws:iam::123456789012:policy/Read"

Send = Callable[[BotoIamAccount], Awaitable[object]]

CALLS: dict[str, Send] = {
    "DeleteUser": lambda iam: iam.delete_user("maria"),
    "CreateAccessKey": lambda iam: iam.create_access_key("maria"),
    "AttachUserPolicy": lambda iam: iam.attach_user_policy("maria", POLICY),
    "DeletePolicy": lambda iam: iam.delete_policy(POLICY),
}


async def refusal(call: Awaitable[object]) -> IamError:
    """Return how a call fails."""
    with pytest.raises(IamError) as caught:
        await call
    return caught.value


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize(("is_there", "kind"), [(False, IamErrorKind.NOT_FOUND), (True, IamErrorKind.ACCESS_DENIED)])
async def test_a_denied_call_tells_what_is_absent(
    iam: BotoIamAccount, aws: EmbeddedAws, admin: Any, operation: str, is_there: bool, kind: IamErrorKind
) -> None:
    """What IAM denies is NOT_FOUND if the user or policy is not there, and else denied; AWS's own code stays."""
    if is_there:
        admin.create_user(UserName="maria")
        admin.create_policy(PolicyName="Read", PolicyDocument=DOCUMENT)
    aws.inject(Fault(operation, DENIED, times=None))
    error = await refusal(CALLS[operation](iam))
    assert (error.kind, error.action, error.code) == (kind, f"iam:{operation}", "AccessDenied")


async def test_where_nobody_may_look_a_denial_stays_one(iam: BotoIamAccount, aws: EmbeddedAws) -> None:
    """A look-up that is denied itself says nothing of what is there."""
    aws.inject(Fault("DeleteUser", DENIED, times=None))
    aws.inject(Fault("GetUser", DENIED, times=None))
    assert (await refusal(iam.delete_user("maria"))).kind is IamErrorKind.ACCESS_DENIED


@pytest.mark.parametrize(
    ("operation", "send"),
    [
        ("GetUser", lambda iam: iam.get_user("maria")),
        ("CreateUser", lambda iam: iam.create_user("maria", "/", None, {})),
        ("AddUserToGroup", lambda iam: iam.add_user_to_group("maria", "Readers")),
        ("DeleteGroup", lambda iam: iam.delete_group("Readers")),
        ("DeleteVirtualMFADevice", lambda iam: iam.delete_virtual_mfa_device("arn:aws:iam::123456789012:mfa/maria")),
    ],
)
async def test_what_is_decided_by_name_alone_is_not_looked_up(
    iam: BotoIamAccount, aws: EmbeddedAws, operation: str, send: Send
) -> None:
    """A read, what makes the user, and what is about a group or a device is simply denied, with one call."""
    aws.inject(Fault(operation, DENIED, times=None))
    assert (await refusal(send(iam))).kind is IamErrorKind.ACCESS_DENIED
    assert [call.operation for call in aws.calls()] == [operation]


async def test_a_deletion_whose_answer_was_lost_is_done_though_the_next_is_denied(
    iam: BotoIamAccount, aws: EmbeddedAws, admin: Any
) -> None:
    """The second sending finds no user, and so no owner tag: it is denied, and the user is deleted all the same."""
    admin.create_user(UserName="maria")
    aws.inject(Fault("DeleteUser", LoseReply()))
    aws.inject(Fault("DeleteUser", DENIED, skip=1))
    await iam.delete_user("maria")
    assert admin.list_users()["Users"] == []


async def test_a_new_user_that_iam_does_not_see_yet_is_waited_for(iam: BotoIamAccount, aws: EmbeddedAws) -> None:
    """Neither its tags nor its path are seen yet, so the call is denied at first; it is sent again."""
    await iam.create_user("maria", "/", None, {})
    aws.inject(Fault("CreateAccessKey", DENIED))
    aws.inject(Fault("GetUser", AnswerError("NoSuchEntity", 404)))
    await iam.create_access_key("maria")
    sent = [call.operation for call in aws.calls()]
    assert sent == ["CreateUser", "CreateAccessKey", "GetUser", "CreateAccessKey"]
