"""Undoes what a failed request made, and nothing else; says what remains."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from identity_service.application.calls import call_for
from identity_service.application.executor import CLOCK_TOLERANCE, Journal, is_fresh
from identity_service.application.ports import IamAccount
from identity_service.domain import tags
from identity_service.domain.entities import AccessKeyRecord, UserSnapshot
from identity_service.domain.errors import IamError, IamErrorKind
from identity_service.domain.steps import (
    CreateAccessKey,
    CreateGroup,
    CreatePolicy,
    CreateUser,
    DeleteAccessKey,
    Step,
    UserStep,
)
from identity_service.domain.undo import inverse


@dataclass(frozen=True)
class Settling:
    """How long IAM is given until what was written is seen everywhere, and until what was sent has landed."""

    seconds: float = 15.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def wait(self) -> None:
        """Wait until IAM has settled."""
        await self.sleep(self.seconds)


class Undo:
    """Undoes one request, from its journal and the pre-image of its user (None where the user was absent)."""

    def __init__(self, account: IamAccount, journal: Journal, before: UserSnapshot | None, settling: Settling) -> None:
        self._account = account
        self._journal = journal
        self._before = before
        self._settling = settling

    async def run(self) -> tuple[str, ...]:
        """Undo every step, the last round first; return in words what remains, normally nothing.

        A step that cannot be undone does not stop the others.
        """
        touched = [step for step, executed in self._journal.done if not executed.unchanged] + self._journal.uncertain
        remaining = []
        for step in sorted(touched, key=lambda step: step.round, reverse=True):
            try:
                await self._undo(step)
            except (IamError, _NotOursError) as error:
                remaining.append(f"{step.description}: not undone ({error})")
        return tuple(remaining)

    async def _undo(self, step: Step) -> None:
        if not await self._may_touch(step):
            return
        if isinstance(step, CreateAccessKey):
            await self._delete_new_access_keys(step)
            return
        undoing = inverse(step, self._before)
        if undoing is not None:
            await self._take_back(undoing)

    async def _take_back(self, undoing: Step) -> None:
        """Carry out an undoing step. What IAM does not find is looked for again once it has settled."""
        try:
            await call_for(self._account, undoing)
        except IamError as error:
            if error.kind is not IamErrorKind.NOT_FOUND:
                raise
        else:
            return
        await self._settling.wait()
        try:
            await call_for(self._account, undoing)
        except IamError as error:
            if error.kind is not IamErrorKind.NOT_FOUND:
                raise

    async def _may_touch(self, step: Step) -> bool:
        """Tell whether what a step made is there and this request's; raises _NotOursError if it is somebody else's."""
        match step:
            case CreateGroup() if step in self._journal.uncertain:
                group = await self._account.get_group_details(step.group_name)
                return group is not None and is_fresh(group, self._journal.started_at)
            case CreatePolicy() if step in self._journal.uncertain:
                policy = await self._account.get_policy_details(step.policy_arn)
                return policy is not None and policy.tags.get(tags.ROW) == step.tags[tags.ROW]
            case UserStep():
                return await self._may_touch_user(step)
            case _:
                return True

    async def _may_touch_user(self, step: UserStep) -> bool:
        """Tell whether the user is the one that this request works on, by its id and not by its name.

        A user that was made again has the same name and ARN and another id. One that this request made and that IAM
        does not find may just not be seen yet, so that is no reason to leave it there.
        """
        user = await self._account.get_user(step.user_name, expected=True)
        known = self._journal.user or (self._before.user if self._before else None)
        if user is None and known is None:
            await self._settling.wait()
            user = await self._account.get_user(step.user_name)
        if user is None:
            return self._journal.user is not None
        if known is None:
            return isinstance(step, CreateUser) and user.tags.get(tags.ROW) == step.tags[tags.ROW]
        if user.user_id != known.user_id:
            raise _NotOursError("the user was made again by somebody else")
        return True

    async def _delete_new_access_keys(self, step: CreateAccessKey) -> None:
        minted = self._journal.access_key
        for key_id in [minted.access_key_id] if minted else await self._find_lost_keys(step):
            await self._take_back(
                DeleteAccessKey(
                    user_name=step.user_name, user_arn=step.user_arn, round=step.round, access_key_id=key_id
                )
            )

    async def _find_lost_keys(self, step: CreateAccessKey) -> list[str]:
        """Find the key that a call with a lost answer has made, if it has; look twice, with time to settle between.

        A key is ours if this request made the user, or if it is the only one that is new since the request began.
        """
        unknown = await self._unknown_keys(step)
        if not unknown:
            await self._settling.wait()
            unknown = await self._unknown_keys(step)
        recent = [key for key in unknown if key.created_at >= self._journal.started_at - CLOCK_TOLERANCE]
        if self._before is None or len(recent) == len(unknown) == 1:
            return [key.access_key_id for key in unknown]
        if unknown:
            raise _NotOursError("several access keys are new, and it cannot be told which one is this request's")
        return []

    async def _unknown_keys(self, step: CreateAccessKey) -> list[AccessKeyRecord]:
        known = {key.access_key_id for key in self._before.access_keys} if self._before else set()
        return [key for key in await self._account.list_access_keys(step.user_name) if key.access_key_id not in known]


class _NotOursError(Exception):
    """What is there cannot be told to be this request's; it is left alone and reported."""
