"""Undoes what a failed request made, and nothing else; says what remains."""

from datetime import datetime, timedelta

from identity_service.application.calls import call_for
from identity_service.application.executor import Journal
from identity_service.application.ports import IamAccount
from identity_service.domain import tags
from identity_service.domain.entities import UserSnapshot
from identity_service.domain.errors import IamError, IamErrorKind
from identity_service.domain.steps import CreateAccessKey, CreateUser, DeleteAccessKey, Step
from identity_service.domain.undo import inverse

CLOCK_TOLERANCE = timedelta(minutes=1)
"""How far AWS's clock and ours may be apart when a key's creation time is judged."""


class Undo:
    """Undoes one request on one user, from its journal and the pre-image (None where the user was absent)."""

    def __init__(
        self, account: IamAccount, journal: Journal, before: UserSnapshot | None, started_at: datetime
    ) -> None:
        self._account = account
        self._journal = journal
        self._before = before
        self._started_at = started_at

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
            await self._delete_new_access_key(step)
            return
        undoing = inverse(step, self._before)
        if undoing is None:
            return
        try:
            await call_for(self._account, undoing)
        except IamError as error:
            if error.kind is not IamErrorKind.NOT_FOUND:
                raise

    async def _may_touch(self, step: Step) -> bool:
        """Tell whether the user is the one that this request works on, by its id and not by its name.

        A user that was made again has the same name and ARN and another id: raises _NotOursError. One that this request
        made and that IAM does not find may just not be seen yet, so that is no reason to leave it there.
        """
        user = await self._account.get_user(step.user_name)
        known = self._journal.user or (self._before.user if self._before else None)
        if user is None:
            return self._journal.user is not None
        if known is None:
            return isinstance(step, CreateUser) and user.tags.get(tags.ROW) == step.tags[tags.ROW]
        if user.user_id != known.user_id:
            raise _NotOursError("the user was made again by somebody else")
        return True

    async def _delete_new_access_key(self, step: CreateAccessKey) -> None:
        minted = self._journal.access_key
        key_ids = [minted.access_key_id] if minted else await self._find_lost_key(step)
        for key_id in key_ids:
            undoing = DeleteAccessKey(
                user_name=step.user_name, user_arn=step.user_arn, round=step.round, access_key_id=key_id
            )
            try:
                await call_for(self._account, undoing)
            except IamError as error:
                if error.kind is not IamErrorKind.NOT_FOUND:
                    raise

    async def _find_lost_key(self, step: CreateAccessKey) -> list[str]:
        """Find the key that a call with a lost answer has made, if it has.

        A key is ours if this request made the user, or if it is the only one that is new since the request began.
        """
        known = {key.access_key_id for key in self._before.access_keys} if self._before else set()
        unknown = [
            key for key in await self._account.list_access_keys(step.user_name) if key.access_key_id not in known
        ]
        recent = [key for key in unknown if key.created_at >= self._started_at - CLOCK_TOLERANCE]
        if self._before is None or (len(recent) == len(unknown) == 1):
            return [key.access_key_id for key in unknown]
        if unknown:
            raise _NotOursError("several access keys are new, and it cannot be told which one is this request's")
        return []


class _NotOursError(Exception):
    """What is there cannot be told to be this request's; it is left alone and reported."""
