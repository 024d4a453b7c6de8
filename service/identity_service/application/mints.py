"""Mints a request's credentials, each written down before IAM is asked for it; finds and deletes lost ones."""

from collections.abc import Awaitable, Collection, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

import structlog

from identity_service.application.calls import call_for
from identity_service.application.late_deletions import LateDeletions
from identity_service.application.lease import LeaseLostError, unfenced
from identity_service.application.ledger import Claim, Ledger
from identity_service.application.ports import Answer, IamAccount, MintedAccessKey, MintedMfaDevice, Receipt
from identity_service.application.settling import Settling
from identity_service.domain import tags
from identity_service.domain.entities import LoginProfileRecord
from identity_service.domain.errors import IamError, IamErrorKind, IdentityError
from identity_service.domain.minting import (
    AttributedKeys,
    Mint,
    MintKind,
    MintState,
    PasswordOrigin,
    attribute_keys,
    attribute_password,
    could_have_made,
)
from identity_service.domain.outcome import Outcome
from identity_service.domain.secret import Secret
from identity_service.domain.steps import (
    CreateAccessKey,
    CreateLoginProfile,
    CreateUser,
    CreateVirtualMfaDevice,
    DeleteAccessKey,
    DeleteLoginProfile,
    DeleteVirtualMfaDevice,
    Step,
    UserStep,
)

T = TypeVar("T")

MINTING_STEPS = (CreateAccessKey, CreateLoginProfile, CreateVirtualMfaDevice)


class Mints:
    """The credentials of one request, of all its attempts.

    No IAM call can be fenced, and a lost CreateAccessKey may be carried out as long as its signature is valid. So each
    call is written down before it is sent; a later attempt knows how many keys may have been made that nobody holds
    the secret of, and deletes those that can be no others.
    """

    def __init__(
        self, account: IamAccount, ledger: Ledger, claim: Claim, settling: Settling, late_deletions: LateDeletions
    ) -> None:
        self._account = account
        self._ledger = ledger
        self._lease = claim.lease
        self._settling = settling
        self._late_deletions = late_deletions
        self._mints = {mint.mint_id: mint for mint in claim.mints}
        held = claim.intent.snapshot.access_keys if claim.intent.snapshot else ()
        self._others = claim.other_key_ids | {key.access_key_id for key in held}
        self._other_passwords = claim.other_passwords
        self._made_user = not claim.intent.plan.user_id

    @property
    def unanswered(self) -> tuple[Mint, ...]:
        """The mints of which nobody knows what became."""
        return tuple(mint for mint in self._mints.values() if mint.state is MintState.UNANSWERED)

    @property
    def left(self) -> tuple[Mint, ...]:
        """The mints of which something may be there."""
        return tuple(mint for mint in self._mints.values() if mint.state is not MintState.VOID)

    def may_be_late(self, kind: MintKind) -> bool:
        """Tell whether a credential of a kind may be there that no answer has told of."""
        return any(mint.kind is kind for mint in self.unanswered)

    def still_there(self, outcome: Outcome) -> Outcome:
        """Return an outcome without the credentials that were revoked since: its secrets may be issued again."""
        issued = outcome.credentials
        if issued is None:
            return outcome
        left = {mint.credential_id for mint in self.left if _is_made(mint)}
        key, device = issued.access_key, issued.mfa_device
        has_password = any(_is_made(mint) for mint in self._left(MintKind.CONSOLE_PASSWORD))
        issued = replace(
            issued,
            access_key=key if key and key.access_key_id in left else None,
            password=issued.password if has_password else None,
            mfa_device=device if device and device.serial_number in left else None,
        )
        return replace(outcome, credentials=issued)

    def know(self, key_ids: Collection[str]) -> None:
        """Learn of keys that are known to be some request's: none of them is taken for a lost one."""
        self._others |= frozenset(key_ids)

    # Minting.

    async def create_access_key(self, step: CreateAccessKey) -> Answer[MintedAccessKey]:
        """Make an access key. A key that cannot be written down is deleted again: nobody would ever know of it."""
        mint = await self._begin(MintKind.ACCESS_KEY)
        answer = await self._ask(mint, self._account.create_access_key(step.user_name))
        try:
            await self._record(mint, answer.value.access_key_id)
        except (LeaseLostError, IdentityError):
            await self._delete_at_once(_deletion(step, answer.value.access_key_id))
            raise
        return answer

    async def create_login_profile(self, step: CreateLoginProfile, password: Secret) -> Receipt:
        """Set the first console password; one that a lost call of this request has set meanwhile is replaced."""
        try:
            return await self._set_password(step, password)
        except IamError as error:
            if error.kind is not IamErrorKind.ALREADY_EXISTS:
                raise
            if await self.clear_lost_password(step) is not PasswordOrigin.OURS:
                raise
        return await self._set_password(step, password)

    async def _set_password(self, step: CreateLoginProfile, password: Secret) -> Receipt:
        await self._late_deletions.wait()
        mint = await self._begin(MintKind.CONSOLE_PASSWORD)
        call = self._account.create_login_profile(step.user_name, password, step.reset_required)
        receipt = await self._ask(mint, call)
        await self._record(mint, step.user_name)
        return receipt

    async def create_mfa_device(self, step: CreateVirtualMfaDevice) -> Answer[MintedMfaDevice]:
        """Make a virtual MFA device; one that a lost call of this request has made meanwhile is replaced."""
        try:
            return await self._make_device(step)
        except IamError as error:
            if error.kind is not IamErrorKind.ALREADY_EXISTS or not await self._delete_own_device(step):
                raise
        return await self._make_device(step)

    async def _make_device(self, step: CreateVirtualMfaDevice) -> Answer[MintedMfaDevice]:
        await self._late_deletions.wait()
        mint = await self._begin(MintKind.MFA_DEVICE)
        answer = await self._ask(mint, self._account.create_virtual_mfa_device(step.device_name, step.tags))
        await self._record(mint, answer.value.serial_number)
        return answer

    async def _begin(self, kind: MintKind) -> Mint:
        mint = await self._ledger.begin_mint(self._lease, kind)
        self._mints[mint.mint_id] = mint
        return mint

    async def _ask(self, mint: Mint, call: Awaitable[T]) -> T:
        try:
            return await call
        except IamError as error:
            if not error.outcome_unknown:
                await self._void((mint,))
            raise

    async def _record(self, mint: Mint, credential_id: str) -> None:
        await self._ledger.record_mint(self._lease, mint, credential_id)
        self._mints[mint.mint_id] = replace(mint, state=MintState.MADE, credential_id=credential_id)

    async def _delete_at_once(self, deletion: DeleteAccessKey) -> None:
        """Delete our own key, by its id, whoever works on the request by now."""
        try:
            with unfenced():
                await call_for(self._account, deletion)
        except IamError as error:
            # Its mint stays unanswered, so that a later attempt or the second look finds it.
            log = structlog.get_logger()
            log.warning("own key not deleted", access_key_id=deletion.access_key_id, cause=str(error))

    # Finding and deleting.

    async def clear(self, step: Step) -> None:
        """Delete what a minting step of this request has made.

        Raises IamError, and NotOursError where it cannot be told what is this request's.
        """
        match step:
            case CreateAccessKey():
                attributed = await self.clear_access_keys(step, all_unknown=self._made_user)
                if attributed.unattributed:
                    raise NotOursError("access keys are new, and it cannot be told which one is this request's")
            case CreateLoginProfile():
                await self._clear_password(step)
            case CreateVirtualMfaDevice():
                await self._clear_device(step)

    async def clear_user(self, step: CreateUser) -> None:
        """Delete every key and the password of a user that this request made: all of them are this request's.

        It is the last resort: also what no mint speaks of any more is in the way of the user's deletion.
        """
        for key in await self._account.list_access_keys(step.user_name):
            await self._take_back(_deletion(step, key.access_key_id))
        if await self._account.get_login_profile(step.user_name) is not None:
            await self._take_back(_password_deletion(step))

    async def clear_access_keys(
        self, step: UserStep, *, all_unknown: bool = False, keep: Collection[str] = ()
    ) -> AttributedKeys:
        """Delete the keys of this request; look twice, with time to settle between, while one may still be missing.

        `all_unknown` takes every unknown key for ours, since this request made the user; `keep` are ids of keys that
        were handed out. Returns what was deleted, and what may be somebody else's.
        """
        if not self._left(MintKind.ACCESS_KEY):
            return AttributedKeys()
        await self._delete_made_keys(step, keep)
        found = await self._delete_lost_keys(step, all_unknown)
        if self.may_be_late(MintKind.ACCESS_KEY):
            await self._settling.wait()
            again = await self._delete_lost_keys(step, all_unknown)
            found = AttributedKeys(found.ours + again.ours, again.unattributed)
        return found

    async def _delete_made_keys(self, step: UserStep, keep: Collection[str]) -> None:
        for mint in self._left(MintKind.ACCESS_KEY):
            if _is_made(mint) and mint.credential_id not in keep:
                await self._take_back(_deletion(step, mint.credential_id))
                await self._void((mint,))

    async def find_lost_keys(self, step: UserStep) -> AttributedKeys:
        """Find the keys of a user that nobody has recorded, while a call of this request has no answer."""
        if not self.may_be_late(MintKind.ACCESS_KEY):
            # Every key that this request has asked for is known: another one is somebody else's.
            return AttributedKeys()
        mints = tuple(self._mints.values())
        known = self._others | {mint.credential_id for mint in mints if mint.credential_id}
        keys = await none_if_gone(self._account.list_access_keys(step.user_name)) or ()
        return attribute_keys(keys, known, mints, self._settling.validity)

    async def _delete_lost_keys(self, step: UserStep, all_unknown: bool) -> AttributedKeys:
        found = await self.find_lost_keys(step)
        if all_unknown:
            found = AttributedKeys(ours=found.ours + found.unattributed)
        # One that is listed and not there was deleted before, and is seen where IAM lags: it answers for no mint.
        deleted = [key_id for key_id in found.ours if await self._take_back(_deletion(step, key_id))]
        lost = [mint for mint in self.unanswered if mint.kind is MintKind.ACCESS_KEY]
        await self._void(tuple(lost[: len(deleted)]))
        return found

    async def _clear_password(self, step: CreateLoginProfile) -> None:
        """Delete the password; its absence is believed at the second sight only, also of one that was surely set."""
        mints = self._left(MintKind.CONSOLE_PASSWORD)
        if not mints:
            return
        found = await self.clear_lost_password(step)
        if found is None:
            await self._settling.wait()
            found = await self.clear_lost_password(step)
        if found is PasswordOrigin.DOUBTFUL:
            raise NotOursError("the user has a console password, and it cannot be told whether this request set it")
        # One without an answer may still land.
        await self._void(tuple(mint for mint in mints if mint.state is MintState.MADE))

    async def clear_lost_password(self, step: UserStep, *, keep_made: bool = False) -> PasswordOrigin | None:
        """Delete the password of a user if it is surely this request's; tell whose it is, None if there is none.

        `keep_made` asks about the mints without an answer alone.
        """
        profile = await self._account.get_login_profile(step.user_name)
        if profile is None:
            return None
        mints = [mint for mint in self._left(MintKind.CONSOLE_PASSWORD) if not (keep_made and _is_made(mint))]
        origin = await self._origin_of(profile, step.user_name, mints)
        if origin is PasswordOrigin.OURS:
            await self._take_back(_password_deletion(step))
            # The one whose answer came, or the first that can have set it: the later ones may land longer.
            setters = [mint for mint in mints if could_have_made(mint, profile.created_at, self._landing)]
            await self._void(tuple(sorted(setters, key=lambda mint: not _is_made(mint))[:1]))
        return origin

    async def origin_of_lost_password(self, step: UserStep) -> PasswordOrigin | None:
        """Tell whose the password of a user may be, by the mints without an answer; None if there is none."""
        profile = await none_if_gone(self._account.get_login_profile(step.user_name))
        lost = [mint for mint in self.unanswered if mint.kind is MintKind.CONSOLE_PASSWORD]
        return await self._origin_of(profile, step.user_name, lost) if profile else None

    async def _origin_of(self, profile: LoginProfileRecord, user_name: str, mints: Iterable[Mint]) -> PasswordOrigin:
        created_at = profile.created_at
        others = [other for other in self._other_passwords if could_have_made(other.mint, created_at, self._landing)]
        if others:
            # Seldom: only then it is asked whether it is the same user, and not one that had the name before.
            user = await self._account.get_user(user_name)
            others = [other for other in others if user is None or other.user_id in ("", user.user_id)]
        of_others = [other.mint for other in others]
        return attribute_password(created_at, mints, of_others, self._landing, self._settling.validity)

    @property
    def _landing(self) -> timedelta:
        return timedelta(seconds=self._settling.seconds)

    async def _clear_device(self, step: CreateVirtualMfaDevice) -> None:
        mints = self._left(MintKind.MFA_DEVICE)
        if not mints:
            return
        await self._delete_own_device(step)
        await self._void(tuple(mint for mint in mints if mint.state is MintState.MADE))

    async def _delete_own_device(self, step: CreateVirtualMfaDevice) -> bool:
        """Delete the device if its tags say that it is this request's; tell whether they do."""
        held = await self._account.get_mfa_device_tags(step.device_arn)
        if held is None:
            await self._settling.wait()
            held = await self._account.get_mfa_device_tags(step.device_arn)
        if held is None or held.get(tags.ROW) != step.tags[tags.ROW]:
            return False
        await self._take_back(
            DeleteVirtualMfaDevice(
                user_name=step.user_name, user_arn=step.user_arn, round=step.round, serial_number=step.device_arn
            )
        )
        return True

    async def _take_back(self, deletion: Step) -> bool:
        """Delete, and tell whether it was there; what IAM does not find is looked for again once it has settled."""
        if await self._deleted(deletion):
            return True
        await self._settling.wait()
        return await self._deleted(deletion)

    async def _deleted(self, deletion: Step) -> bool:
        try:
            await self._late_deletions.send(self._account, deletion)
        except IamError as error:
            if error.kind is not IamErrorKind.NOT_FOUND:
                raise
            return False
        return True

    def _left(self, kind: MintKind) -> tuple[Mint, ...]:
        return tuple(mint for mint in self.left if mint.kind is kind)

    async def _void(self, mints: tuple[Mint, ...]) -> None:
        """Note that nothing is there of some mints; that it cannot be stored makes later attempts look, no more."""
        for mint in mints:
            self._mints[mint.mint_id] = replace(mint, state=MintState.VOID)
        if mints:
            with suppress(IdentityError):
                await self._ledger.void_mints(self._lease, mints)


class NotOursError(Exception):
    """What is there cannot be told to be this request's; it is left alone and reported."""


async def none_if_gone(answer: Awaitable[T]) -> T | None:
    """Wait for an answer; None if the user is gone meanwhile."""
    try:
        return await answer
    except IamError as error:
        if error.kind is IamErrorKind.NOT_FOUND:
            return None
        raise


def _is_made(mint: Mint) -> bool:
    return mint.state is MintState.MADE


def _deletion(step: UserStep, key_id: str) -> DeleteAccessKey:
    return DeleteAccessKey(user_name=step.user_name, user_arn=step.user_arn, round=step.round, access_key_id=key_id)


def _password_deletion(step: UserStep) -> DeleteLoginProfile:
    return DeleteLoginProfile(user_name=step.user_name, user_arn=step.user_arn, round=step.round)
