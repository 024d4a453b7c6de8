"""Undoes what a failed request made, and nothing else; says what remains."""

from dataclasses import dataclass

from identity_service.application.executor import is_made_for
from identity_service.application.journal import Journal
from identity_service.application.late_deletions import LateDeletions
from identity_service.application.ledger import Claim
from identity_service.application.mints import MINTING_STEPS, Mints, NotOursError
from identity_service.application.ports import IamAccount
from identity_service.application.settling import Settling
from identity_service.domain import tags
from identity_service.domain.entities import UserRecord
from identity_service.domain.errors import IamError, IamErrorKind
from identity_service.domain.steps import CreatePolicy, CreateUser, CreateVirtualMfaDevice, GroupStep, Step, UserStep
from identity_service.domain.undo import inverse

PASSING = frozenset({IamErrorKind.THROTTLED, IamErrorKind.UNAVAILABLE, IamErrorKind.BUSY})
"""What may be gone when the same undo is tried again."""
PASSING_AT_FIRST = frozenset({IamErrorKind.IN_USE})
"""What may come of a late call of the request itself, which another undo finds, or of somebody else."""
MOST_ATTEMPTS = 20
"""After how many attempts at a request it is somebody else's."""


@dataclass(frozen=True)
class Undone:
    """What remains of a request in words, normally nothing; `passing` if trying again may help with all of it."""

    remaining: tuple[str, ...] = ()
    passing: bool = False


class Undo:
    """Undoes one request, from its journal, its mints, and the pre-image of its user."""

    def __init__(
        self,
        account: IamAccount,
        claim: Claim,
        journal: Journal,
        mints: Mints,
        settling: Settling,
        late_deletions: LateDeletions,
    ) -> None:
        self._account = account
        self._plan = claim.intent.plan
        self._before = claim.intent.snapshot
        self._row_id = claim.intent.row_id
        self._lease = claim.lease
        self._journal = journal
        self._mints = mints
        self._settling = settling
        self._late_deletions = late_deletions
        self._settled = False

    async def run(self) -> Undone:
        """Undo every step, the last round first. A step that cannot be undone does not stop the others.

        Raises LeaseLostError.
        """
        return await self._undo_all(self._journal.touched(self._plan))

    async def run_again(self) -> Undone:
        """Undo what can have been made by calls that were carried out late, where tags or mints tell that it is ours.

        Grants to a user who was there before are left, and reported by the second look: nothing tells a late one from
        one that an administrator has given meanwhile.
        """
        marked = (CreateUser, CreatePolicy, *MINTING_STEPS)
        return await self._undo_all([step for step in self._plan.steps if isinstance(step, marked)])

    async def _undo_all(self, steps: list[Step]) -> Undone:
        remaining, passing = [], True
        for step in sorted(steps, key=lambda step: step.round, reverse=True):
            self._lease.require()
            try:
                await self._undo(step)
            except (IamError, NotOursError) as error:
                remaining.append(f"{step.description}: not undone ({error})")
                passing &= isinstance(error, IamError) and self._may_pass(error)
        await self._late_deletions.wait()
        return Undone(tuple(remaining), passing=bool(remaining) and passing)

    def _may_pass(self, error: IamError) -> bool:
        return error.kind in PASSING or (error.kind in PASSING_AT_FIRST and self._lease.epoch < MOST_ATTEMPTS)

    async def _undo(self, step: Step) -> None:
        if not await self.may_touch(step):
            return
        if isinstance(step, MINTING_STEPS):
            await self._mints.clear(step)
            return
        undoing = inverse(step, self._before)
        if undoing is None:
            return
        try:
            await self._take_back(undoing)
        except IamError as error:
            if not isinstance(step, CreateUser) or error.kind is not IamErrorKind.IN_USE:
                raise
            # All keys go, so that it must still be the very user.
            if await self.may_touch(step):
                await self._mints.clear_user(step)
                await self._take_back(undoing)

    async def _take_back(self, undoing: Step) -> None:
        """Carry out an undoing step. What IAM does not find is looked for again once it has settled."""
        if await self._found(undoing) or self._settled:
            return
        await self._settle()
        await self._found(undoing)

    async def _found(self, undoing: Step) -> bool:
        try:
            await self._late_deletions.send(self._account, undoing)
        except IamError as error:
            if error.kind is not IamErrorKind.NOT_FOUND:
                raise
            return False
        return True

    async def _settle(self) -> None:
        """Wait once: whatever this request has sent was sent before its undo began."""
        if not self._settled:
            await self._settling.wait()
        self._settled = True

    async def may_touch(self, step: Step) -> bool:
        """Tell whether what a step made is there and this request's; raises NotOursError if it is somebody else's."""
        match step:
            case GroupStep() if self._is_uncertain(step):
                group = await self._account.get_group_details(step.group_name)
                return group is not None and is_made_for(self._plan, group, self._journal.begun_at)
            case CreatePolicy() if self._is_uncertain(step):
                policy = await self._account.get_policy_details(step.policy_arn)
                return policy is not None and policy.tags.get(tags.ROW) == step.tags[tags.ROW]
            case CreateVirtualMfaDevice():
                # It stands beside the user and tells by its own tags whose it is.
                return True
            case UserStep():
                return await self._may_touch_user(step)
            case _:
                return True

    def _is_uncertain(self, step: Step) -> bool:
        return self._journal.resumed or step in self._journal.uncertain

    async def _may_touch_user(self, step: UserStep) -> bool:
        """Tell whether the user is the one that this request works on, by its id and not by its name.

        A user that was made again has the same name and ARN and another id. One that this request made and that IAM
        does not find may just not be seen yet, so that is no reason to leave it there.
        """
        known = self._journal.user or (self._before.user if self._before else None)
        user = await self._account.get_user(step.user_name, expected=True)
        if user is None and known is None:
            await self._settle()
            user = await self._account.get_user(step.user_name)
        if user is None:
            return self._journal.user is not None
        if known is None:
            return self._is_own(user)
        if user.user_id != known.user_id:
            raise NotOursError("the user was made again by somebody else")
        return True

    def _is_own(self, user: UserRecord) -> bool:
        """Tell by the row tag whether this request made the user, and remember it."""
        if user.tags.get(tags.ROW) != self._row_id:
            return False
        self._journal.user = user
        return True
