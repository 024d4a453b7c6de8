"""Deletions by name that IAM may carry out late, when something else bears the name."""

from identity_service.application.calls import call_for
from identity_service.application.ledger import UNFINISHED, Claim, RequestState
from identity_service.application.ports import IamAccount, Receipt
from identity_service.application.settling import Settling
from identity_service.domain.errors import IamError
from identity_service.domain.minting import MintKind
from identity_service.domain.steps import (
    DELETIONS,
    DeleteAccessKey,
    DeleteServiceSpecificCredential,
    DeleteSigningCertificate,
    DeleteSshPublicKey,
    Step,
)

BY_ID = (DeleteAccessKey, DeleteServiceSpecificCredential, DeleteSigningCertificate, DeleteSshPublicKey)
"""Deletions that can hit nothing else: IAM gives no such id twice."""


class LateDeletions:
    """The deletions of one attempt at a request, and those that attempts before it may have sent.

    One without an answer is sent again, and then the first may still be on its way: it would take the password, the
    group or the policy away that somebody gives next under the same name. So no credential is made under that name, and
    no request ends as done or undone and frees its target, before IAM has settled.
    """

    def __init__(self, claim: Claim, settling: Settling, *, resumed: bool) -> None:
        self._settling = settling
        self._expected = resumed and _may_have_deleted(claim)
        self._own_expected = False

    async def send(self, account: IamAccount, deletion: Step) -> Receipt:
        """Carry out a step that may be a deletion. Raises IamError."""
        try:
            receipt = await call_for(account, deletion)
        except IamError as error:
            self._note(deletion, sent_in_vain=error.outcome_unknown)
            raise
        self._note(deletion, sent_in_vain=receipt.repeated)
        return receipt

    async def wait(self) -> None:
        """Wait until what is on its way has landed."""
        if self._expected:
            await self._settling.wait()
            self._expected = self._own_expected = False

    async def wait_for_own(self) -> None:
        """Wait until what this attempt has sent has landed, whatever attempts before it have sent."""
        if self._own_expected:
            await self.wait()

    def _note(self, step: Step, *, sent_in_vain: bool) -> None:
        if sent_in_vain and _deletes_by_name(step):
            self._expected = self._own_expected = True


def _may_have_deleted(claim: Claim) -> bool:
    """Tell whether attempts before this one may have deleted something by name, in an undo, in vain, or as planned."""
    if claim.state not in UNFINISHED:
        # It has ended after all had landed.
        return claim.interrupted
    if claim.state is RequestState.UNDOING:
        return True
    named = any(mint.kind is not MintKind.ACCESS_KEY and mint.epoch < claim.lease.epoch for mint in claim.mints)
    return named or any(map(_deletes_by_name, claim.intent.plan.steps))


def _deletes_by_name(step: Step) -> bool:
    return isinstance(step, DELETIONS) and not isinstance(step, BY_ID)
