"""The second look at a request, once nothing that it has sent can be carried out any more."""

from dataclasses import replace

import structlog

from identity_service.application.journal import Journal
from identity_service.application.late_deletions import LateDeletions
from identity_service.application.lease import holding
from identity_service.application.ledger import Claim, Ledger, RequestState
from identity_service.application.mints import Mints, NotOursError
from identity_service.application.ports import IamAccount
from identity_service.application.reading import read_user
from identity_service.application.renamed_users import find_renamed
from identity_service.application.settling import Settling
from identity_service.application.telemetry import MISSING, UNATTRIBUTED, UNWATCHED, Telemetry
from identity_service.application.undoing import Undo
from identity_service.domain import target
from identity_service.domain.entities import UserSnapshot
from identity_service.domain.errors import IamError, IamErrorKind
from identity_service.domain.holdings import (
    GRANTS,
    Kind,
    PastRequest,
    Thing,
    given_by,
    has_come,
    is_wanted,
    missing,
)
from identity_service.domain.minting import MintKind, PasswordOrigin
from identity_service.domain.steps import CreateAccessKey, CreateGroup, CreateLoginProfile, UserStep
from identity_service.domain.target import TargetKind

PASSWORD = Thing(Kind.PASSWORD)


async def look_again(
    account: IamAccount, ledger: Ledger, claim: Claim, settling: Settling, telemetry: Telemetry = UNWATCHED
) -> None:
    """Delete what landed after its attempt was given up, and report what cannot be told to be the request's.

    Late keys and passwords are deleted where they are surely the request's. Of a request that is undone, what it may
    have made is undone again, where a tag or a mint tells that it is its own; its grants to a user who was there before
    are left and reported, since nothing tells a late one from one that an administrator has given meanwhile. Reported
    too is what was given since and is gone: a deletion of the request may have landed late and taken it.
    Raises IamError, StoreUnavailableError, LeaseLostError: then another second look follows.
    """
    with holding(claim.lease):
        look = _SecondLook(account, ledger, claim, settling, await ledger.done_since(claim.lease))
        try:
            unattributed = (*await look.clear_late_credentials(), *await look.undo_again())
            late, gone = await look.compare()
        except Exception:
            # The target is let go until the next look.
            await look.wait_for_own_deletions()
            raise
        unattributed += late
        await ledger.end_second_look(claim.lease, unattributed, gone)
    log = structlog.get_logger()
    if unattributed:
        telemetry.second_look_found(UNATTRIBUTED, len(unattributed))
        log.error("second look found what it cannot attribute", row_id=claim.intent.row_id, found=unattributed)
    if gone:
        telemetry.second_look_found(MISSING, len(gone))
        log.error("second look misses what was given", row_id=claim.intent.row_id, missing=gone)


class _SecondLook:
    def __init__(
        self, account: IamAccount, ledger: Ledger, claim: Claim, settling: Settling, past: tuple[PastRequest, ...]
    ) -> None:
        self._account = account
        self._ledger = ledger
        self._claim = claim
        self._plan = claim.intent.plan
        self._past = past
        self._late = LateDeletions(claim, settling, resumed=True)
        self._mints = Mints(account, ledger, claim, settling, self._late)
        journal = Journal(begun_at=claim.begun_at, resumed=True)
        self._undo = Undo(account, claim, journal, self._mints, settling, self._late)

    @property
    def _is_done(self) -> bool:
        return self._claim.state is RequestState.DONE

    async def clear_late_credentials(self) -> tuple[str, ...]:
        """Delete late keys and passwords; return those that may be others'."""
        unattributed: tuple[str, ...] = ()
        for step in self._plan.steps:
            if isinstance(step, CreateAccessKey):
                unattributed += await self._clear_late_keys(step)
            if isinstance(step, CreateLoginProfile):
                unattributed += await self._clear_late_password(step)
        await self._late.wait()
        return unattributed

    async def wait_for_own_deletions(self) -> None:
        """Wait until the deletions have landed that this look has sent and got no answer to."""
        await self._late.wait_for_own()

    async def _clear_late_keys(self, step: CreateAccessKey) -> tuple[str, ...]:
        if await self._is_own(step):
            return (await self._mints.clear_access_keys(step, keep=self._handed_out())).unattributed
        # Of a namesake who was made since, no key is deleted, whatever it looks like.
        found = await self._mints.find_lost_keys(step)
        renamed = await self._clear_under_another_name(step) if self._mints.may_be_late(MintKind.ACCESS_KEY) else ()
        return found.ours + found.unattributed + renamed

    def _handed_out(self) -> tuple[str, ...]:
        outcome = self._claim.outcome if self._is_done else None
        key = outcome.credentials.access_key if outcome and outcome.credentials else None
        return (key.access_key_id,) if key else ()

    async def _clear_late_password(self, step: CreateLoginProfile) -> tuple[str, ...]:
        """Delete a password that came back after console access had ended, if it is surely of a lost call.

        That of an undone request is undone with all else.
        """
        if not self._mints.may_be_late(MintKind.CONSOLE_PASSWORD):
            return ()
        if not await self._is_own(step):
            return await self._clear_under_another_name(step)
        if not self._is_done or is_wanted(PASSWORD, self._past):
            return ()
        origin = await self._mints.clear_lost_password(step, keep_made=True)
        return (f"console password of {step.user_name}",) if origin is PasswordOrigin.DOUBTFUL else ()

    async def _clear_under_another_name(self, step: CreateAccessKey | CreateLoginProfile) -> tuple[str, ...]:
        """Look for late credentials of a user that was renamed since, which moved along with it."""
        try:
            user = await find_renamed(self._account, self._user_id, self._past)
        except IamError as error:
            if error.kind is not IamErrorKind.ACCESS_DENIED:
                raise
            return (f"user {step.user_name} is gone or renamed, its late credentials were not looked for",)
        if user is None:
            return ()
        step = replace(step, user_name=user.user_name, user_arn=user.arn)
        if isinstance(step, CreateLoginProfile):
            # What other requests have set under that name is not known here.
            origin = await self._mints.origin_of_lost_password(step)
            return () if origin in (None, PasswordOrigin.NOT_OURS) else (f"console password of {user.user_name}",)
        self._mints.know(await self._ledger.made_key_ids(self._plan.account_id, target.user(user.user_name)))
        return (await self._mints.clear_access_keys(step, keep=self._handed_out())).unattributed

    @property
    def _user_id(self) -> str:
        outcome = self._claim.outcome
        return self._plan.user_id or (outcome.user.user_id if outcome and outcome.user else "")

    async def _is_own(self, step: UserStep) -> bool:
        try:
            return await self._undo.may_touch(step)
        except NotOursError:
            return False

    async def undo_again(self) -> tuple[str, ...]:
        """Undo what late calls of an undone request have made; return what remains, and groups, which bear no tags."""
        if self._is_done or self._claim.intent.forward_only:
            return ()
        groups = [step for step in self._plan.steps if isinstance(step, CreateGroup)]
        late = [f"group {step.group_name}" for step in groups if await self._undo.may_touch(step)]
        return (*(await self._undo.run_again()).remaining, *late)

    async def compare(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Compare what the user has with what was given; return late grants, and what is gone, in words."""
        name = self._plan.target.name
        if self._plan.target.kind is not TargetKind.USER or not (self._past or self._claim.intent.snapshot):
            # Of a user who was not there, with whom nothing was done since, nothing is expected.
            return (), ()
        user = await read_user(self._account, name)
        late = tuple(thing.of(name) for thing in self._late_grants(user))
        return late, tuple(thing.of(name) for thing in missing(self._past, self._plan, user))

    def _late_grants(self, user: UserSnapshot | None) -> list[Thing]:
        """Return what the user has been granted since it was undone, and no request that is done has granted."""
        before = self._claim.intent.snapshot
        if self._is_done or self._claim.intent.forward_only or before is None or user is None:
            return []
        if user.user.user_id != before.user.user_id:
            return []
        things = [thing for step in self._plan.steps for thing in given_by(step) if thing.kind in GRANTS]
        return [thing for thing in things if has_come(thing, before, user) and not is_wanted(thing, self._past)]
