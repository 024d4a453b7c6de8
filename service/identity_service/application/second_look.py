"""The second look at a request, once nothing that it has sent can be carried out any more."""

import structlog

from identity_service.application.journal import Journal
from identity_service.application.late_deletions import LateDeletions
from identity_service.application.lease import holding
from identity_service.application.ledger import Claim, Ledger, RequestState
from identity_service.application.mints import Mints, NotOursError
from identity_service.application.ports import IamAccount
from identity_service.application.settling import Settling
from identity_service.application.undoing import Undo
from identity_service.domain.steps import CreateAccessKey, CreateGroup


async def look_again(account: IamAccount, ledger: Ledger, claim: Claim, settling: Settling) -> None:
    """Delete what landed after its attempt was given up, and report what cannot be told to be the request's.

    Of a request that is done, late keys are deleted: every other late call of it found its work done already. Of one
    that is undone, what it may have made is undone again, where a tag or a mint tells that it is its own. Grants to a
    user who was there before are left: nothing tells a late one from one that was wanted meanwhile.
    Raises IamError, StoreUnavailableError, LeaseLostError: then another second look follows.
    """
    with holding(claim.lease):
        look = _SecondLook(account, ledger, claim, settling)
        unattributed = (*await look.clear_late_keys(), *await look.undo_again())
        await ledger.end_second_look(claim.lease, unattributed)
    if unattributed:
        log = structlog.get_logger()
        log.error("second look found what it cannot attribute", row_id=claim.intent.row_id, found=unattributed)


class _SecondLook:
    def __init__(self, account: IamAccount, ledger: Ledger, claim: Claim, settling: Settling) -> None:
        self._account = account
        self._claim = claim
        self._plan = claim.intent.plan
        late = LateDeletions(claim, settling, resumed=True)
        self._mints = Mints(account, ledger, claim, settling, late)
        self._undo = Undo(account, claim, Journal(begun_at=claim.begun_at, resumed=True), self._mints, settling, late)

    async def clear_late_keys(self) -> tuple[str, ...]:
        """Delete late keys; return those that may be others'."""
        unattributed: tuple[str, ...] = ()
        for step in self._plan.steps:
            if isinstance(step, CreateAccessKey):
                unattributed += await self._clear_late_keys(step)
        return unattributed

    async def _clear_late_keys(self, step: CreateAccessKey) -> tuple[str, ...]:
        if not await self._is_own(step):
            # Of a namesake who was made since, no key is deleted, whatever it looks like.
            found = await self._mints.find_lost_keys(step)
            return found.ours + found.unattributed
        return (await self._mints.clear_access_keys(step, keep=self._handed_out())).unattributed

    def _handed_out(self) -> tuple[str, ...]:
        outcome = self._claim.outcome if self._claim.state is RequestState.DONE else None
        key = outcome.credentials.access_key if outcome and outcome.credentials else None
        return (key.access_key_id,) if key else ()

    async def _is_own(self, step: CreateAccessKey) -> bool:
        try:
            return await self._undo.may_touch(step)
        except NotOursError:
            return False

    async def undo_again(self) -> tuple[str, ...]:
        """Undo what late calls of an undone request have made; return what remains, and groups, which bear no tags."""
        if self._claim.state is RequestState.DONE or self._claim.intent.forward_only:
            return ()
        groups = [step for step in self._plan.steps if isinstance(step, CreateGroup)]
        late = [f"group {step.group_name}" for step in groups if await self._undo.may_touch(step)]
        return (*(await self._undo.run_again()).remaining, *late)
