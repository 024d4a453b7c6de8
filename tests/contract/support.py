"""What the modules of the contract suite share."""

from collections.abc import Awaitable, Callable

import pytest

from identity_service.application.ports import IamAccount
from identity_service.domain.errors import IamError

ACCOUNT = "123456789012"
DOCUMENT = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::a/*"}]}'
)
MISSING_POLICY = f"arn:aws:iam::{ACCOUNT}:policy/missing"

Call = Callable[[IamAccount], Awaitable[object]]


async def refusal(call: Awaitable[object]) -> IamError:
    """Return the error that a call raises."""
    with pytest.raises(IamError) as caught:
        await call
    return caught.value


async def make_user(iam: IamAccount, user_name: str = "maria") -> None:
    """Make a plain user."""
    await iam.create_user(user_name, "/", None, {})
