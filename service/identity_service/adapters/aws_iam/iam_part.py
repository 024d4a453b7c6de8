"""What the calls of every subject of IAM stand on."""

from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

from identity_service.adapters.aws_iam.aws_policies import AwsPolicyIndex
from identity_service.adapters.aws_iam.calls import AwsCalls
from identity_service.adapters.aws_iam.recent_entities import Entity, RecentEntities
from identity_service.adapters.aws_iam.retry import Reply
from identity_service.application.ports import Receipt
from identity_service.domain.errors import IamError, IamErrorKind

T = TypeVar("T")


class IamPart:
    """The account's connection, shared by all parts of `BotoIamAccount`."""

    def __init__(
        self,
        account_id: str,
        partition: str,
        iam: AwsCalls,
        recent: RecentEntities,
        aws_policies: AwsPolicyIndex,
    ) -> None:
        self._account_id = account_id
        self._partition = partition
        self._iam = iam
        self._recent = recent
        self._aws_policies = aws_policies

    async def _found(self, operation: str, /, **params: object) -> dict[str, Any] | None:
        reply = await none_if_absent(self._iam.call(operation, **params))
        return None if reply is None else reply.value

    async def _done(self, operation: str, /, **params: object) -> Receipt:
        return (await self._iam.call(operation, **params)).receipt

    async def _made(self, entity: Entity, operation: str, /, **params: object) -> Reply:
        """Make an entity, and wait for it from now on, also where nobody knows whether it was made."""
        try:
            reply = await self._iam.call(operation, **params)
        except IamError as error:
            if error.outcome_unknown:
                self._recent.add(entity)
            raise
        self._recent.add(entity)
        return reply

    async def _deleted(self, entity: Entity, operation: str, /, **params: object) -> Receipt:
        """Delete an entity, and wait for it no more."""
        receipt = await self._done(operation, **params)
        self._recent.remove(entity)
        return receipt


async def none_if_absent(answer: Awaitable[T]) -> T | None:
    """Wait for an answer; None if IAM does not find what was asked for."""
    try:
        return await answer
    except IamError as error:
        if error.kind is IamErrorKind.NOT_FOUND:
            return None
        raise


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Write tags as IAM takes them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def only_set(**params: object) -> dict[str, object]:
    """Leave out the parameters that are None."""
    return {name: value for name, value in params.items() if value is not None}
