"""One attempt at a request: carries out what a claim gives the right to, in the direction that is stored."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar

import structlog

from identity_service.application.executor import Executor
from identity_service.application.failures import (
    explain,
    explain_step,
    in_words,
    interrupted,
    not_reached,
    taken_over,
    undo_incomplete,
    with_remaining,
)
from identity_service.application.journal import Journal, SecretInputs, StepFailedError
from identity_service.application.late_deletions import LateDeletions
from identity_service.application.lease import LeaseLostError, holding
from identity_service.application.ledger import Claim, Failure, Ledger, RequestState, StoreUnavailableError
from identity_service.application.mints import MINTING_STEPS, Mints, NotOursError
from identity_service.application.ports import IamAccount
from identity_service.application.results import describe_outcome
from identity_service.application.sealing import Sealer, seal_outcome
from identity_service.application.sent_calls import noted_calls, noting_calls
from identity_service.application.settling import Settling
from identity_service.application.telemetry import UNWATCHED, Telemetry
from identity_service.application.undoing import PASSING, Undo
from identity_service.application.use import was_used
from identity_service.domain.entities import UserRecord
from identity_service.domain.errors import IamError, IdentityError, Reason
from identity_service.domain.outcome import Outcome
from identity_service.domain.plan import Plan
from identity_service.domain.steps import CreateLoginProfile

T = TypeVar("T")
SPAN = "carry out"

REST_SECONDS = 15.0
"""How long a request rests that could not be ended, until somebody tries again."""

MOST_TAKEOVERS = {RequestState.RUNNING: 10, RequestState.UNDOING: 20}
"""At which takeover a request is given up that meets a fault of ours: each attempt mints anew, and would for ever.

For an undo it is later, since it may have begun when its request was given up.
"""


@dataclass(frozen=True)
class Attempts:
    """Carries out claimed requests.

    `is_stopping` tells that the server wants to end soon, so that work in progress is undone rather than gone on with.
    """

    ledger: Ledger
    sealer: Sealer
    settling: Settling
    is_stopping: Callable[[], bool]
    telemetry: Telemetry = UNWATCHED

    async def carry_out(
        self,
        account: IamAccount,
        claim: Claim,
        secrets: SecretInputs | None,
        *,
        resumed: bool = True,
        reopened: bool = False,
    ) -> Outcome:
        """Go on with a request until it has ended; `secrets` is None where only its caller could bring them.

        `resumed` tells that an earlier attempt may have done any of the plan's steps; `reopened` that the request was
        done and no attempt has begun yet to issue its secrets again.
        Raises IdentityError: what the request failed with, CREDENTIAL_USED where secrets were to be issued again that
        somebody has used, or IN_PROGRESS if another attempt has taken it over.
        """
        attempt = _Attempt(self, account, claim, secrets, resumed=resumed, reissuing=not reopened)
        return await self._under_lease(claim, attempt.run())

    async def undo_again(self, account: IamAccount, claim: Claim, failure: Failure) -> None:
        """Undo what late calls of earlier attempts have made, before the request is planned anew.

        Raises IdentityError: IN_PROGRESS, or the failure itself where something remains.
        """
        await self._under_lease(claim, _Attempt(self, account, claim, None, resumed=True).undo_again(failure))

    async def _under_lease(self, claim: Claim, work: Awaitable[T]) -> T:
        with holding(claim.lease), noting_calls(), self.telemetry.span(SPAN):
            try:
                return await work
            except LeaseLostError:
                self.telemetry.lease_lost()
                # It may have run out here, after a pause, and be nobody else's: whoever comes next goes on at once.
                claim.lease.lose()
                await self._release(claim, 0)
                raise taken_over() from None
            except IdentityError:
                raise
            except asyncio.CancelledError:
                # Whoever comes next goes on at once. Threads that send for this attempt are refused from here on.
                claim.lease.lose()
                await self._release(claim, 0)
                raise
            except Exception:
                await self._release(claim, REST_SECONDS)
                raise
            finally:
                # Where the end could not be stored, the lease has to run out: renewed on, it would be nobody's to take.
                claim.lease.lose()

    async def _release(self, claim: Claim, rest_seconds: float) -> None:
        with suppress(LeaseLostError, IdentityError):
            await self.ledger.release(claim.lease, rest_seconds)


class _Attempt:
    """One attempt at one request."""

    def __init__(
        self,
        attempts: Attempts,
        account: IamAccount,
        claim: Claim,
        secrets: SecretInputs | None,
        *,
        resumed: bool,
        reissuing: bool = True,
    ) -> None:
        self._ledger = attempts.ledger
        self._sealer = attempts.sealer
        self._settling = attempts.settling
        self._is_stopping = attempts.is_stopping
        self._account = account
        self._claim = claim
        self._intent = claim.intent
        self._lease = claim.lease
        self._secrets = secrets
        self._reissuing = reissuing
        self._not_turned: StoreUnavailableError | None = None
        self._journal = Journal(begun_at=claim.begun_at, resumed=resumed)
        self._late_deletions = LateDeletions(claim, attempts.settling, resumed=resumed)
        self._mints = Mints(account, attempts.ledger, claim, attempts.settling, self._late_deletions)
        self._undo = Undo(account, claim, self._journal, self._mints, attempts.settling, self._late_deletions)

    async def run(self) -> Outcome:
        """Go on in the stored direction; a fault that comes at each of many takeovers ends the request."""
        try:
            return await self._go_on()
        except (IdentityError, LeaseLostError):
            raise
        except Exception:
            if self._claim.takeovers < MOST_TAKEOVERS[self._claim.state]:
                raise
            log = structlog.get_logger()
            log.exception("request given up", row_id=self._intent.row_id, takeovers=self._claim.takeovers)
            raise await self._give_up_for_good() from None

    async def _give_up_for_good(self) -> IdentityError:
        """End what no attempt can carry out: undo it, or where it is the undo that fails, say that it has failed."""
        if self._claim.state is RequestState.UNDOING and self._claim.failure:
            remaining = ("what an undo has left that failed for an unexpected reason",)
            error = undo_incomplete(with_remaining(self._claim.failure.error, remaining))
            await self._fail(error, retryable=False)
            return error
        return await self._give_up(IdentityError(Reason.INTERNAL, "every attempt failed for an unexpected reason"))

    async def _go_on(self) -> Outcome:
        if self._claim.state is RequestState.UNDOING and self._claim.failure:
            raise await self._end_undone(self._claim.failure.error)
        await self._require_unused()
        self._reissuing = True
        if self._secrets is None:
            raise await self._give_up(interrupted())
        try:
            await self._clear_earlier_mints()
            await self._execute(self._secrets)
            await self._require_password()
        except StepFailedError as failure:
            raise await self._give_up(self._explained(failure)) from None
        outcome = await describe_outcome(self._account, self._intent, self._journal, self._secrets)
        sealed = seal_outcome(
            self._sealer,
            self._intent.recipients,
            outcome,
            row_id=self._intent.row_id,
            account_id=self._intent.plan.account_id,
        )
        await self._store(sealed)
        return sealed

    async def _require_unused(self) -> None:
        """Keep secrets from being issued again where something of what was minted was used; all is left as it was."""
        done_before = self._claim.outcome
        if done_before is None:
            return
        try:
            gone = done_before.user is not None and await self._is_user_gone(done_before.user)
            used = not gone and await was_used(self._account, self._intent, self._claim.mints)
        except IamError as error:
            raise await self._leave_unjudged(explain(error), done_before) from None
        if gone:
            await self._end_as_before(done_before)
            raise with_remaining(IdentityError(Reason.USER_NOT_FOUND, "the user of the credentials is gone"), ())
        if used:
            await self._ledger.succeed(self._lease, self._mints.still_there(done_before))
            raise IdentityError(
                Reason.CREDENTIAL_USED,
                "the credentials show signs of use, so somebody has them; they are left as they are",
            )

    async def _leave_unjudged(self, error: IdentityError, done_before: Outcome) -> IdentityError:
        """Let go of what cannot be told to be used or not; what a dead attempt may have minted is left to the next."""
        if self._reissuing:
            return await self._rest(error, ("credentials of an attempt that was cut off",))
        await self._end_as_before(done_before)
        return with_remaining(error, ())

    async def _end_as_before(self, done_before: Outcome) -> None:
        with suppress(IdentityError):
            await self._ledger.succeed(self._lease, done_before)

    async def _is_user_gone(self, known: UserRecord) -> bool:
        """Tell whether the user was deleted or renamed since: it is not made a second time.

        Absence is believed at the second sight only: where IAM lags, the first may be older than the user.
        """
        user = await self._account.get_user(known.user_name, expected=True)
        if user is None or user.user_id != known.user_id:
            await self._settling.wait()
            user = await self._account.get_user(known.user_name)
        self._journal.user = user
        return user is None or user.user_id != known.user_id

    async def undo_again(self, failure: Failure) -> None:
        """Undo what is there by now, and leave the request as it was; raises its error where something remains."""
        undone = await self._undo.run_again()
        await self._ledger.leave_undone(self._lease)
        if undone.passing:
            raise with_remaining(failure.error, undone.remaining)

    async def _execute(self, secrets: SecretInputs) -> None:
        executor = Executor(
            account=self._account,
            lease=self._lease,
            journal=self._journal,
            mints=self._mints,
            late_deletions=self._late_deletions,
            secrets=secrets,
            team=self._intent.team,
            is_stopping=self._is_stopping,
        )
        await executor.run(self._intent.plan if self._claim.outcome is None else only_mints(self._intent.plan))
        await self._late_deletions.wait()

    async def _require_password(self) -> None:
        """Refuse to end well without the console password: a deletion of an attempt before may have taken it just now.

        Absence is believed at the second sight only. Raises StepFailedError.
        """
        steps = [step for step in self._intent.plan.steps if isinstance(step, CreateLoginProfile)]
        if not (steps and self._journal.resumed):
            return
        try:
            if await self._account.get_login_profile(steps[0].user_name) is None:
                await self._settling.wait()
                if await self._account.get_login_profile(steps[0].user_name) is None:
                    lost = IdentityError(Reason.CONFLICT, "the console password was deleted again meanwhile")
                    raise StepFailedError(steps[0], lost)
        except IamError as error:
            raise StepFailedError(steps[0], error) from None

    async def _clear_earlier_mints(self) -> None:
        """Delete what earlier attempts have minted: nobody has its secrets, or they shall be issued again.

        Raises StepFailedError.
        """
        if not self._mints.left:
            return
        for step in self._intent.plan.steps:
            if isinstance(step, MINTING_STEPS):
                try:
                    if await self._undo.may_touch(step):
                        await self._mints.clear(step)
                except IamError as error:
                    raise StepFailedError(step, error) from None
                except NotOursError as error:
                    conflict = IdentityError(Reason.CONFLICT, str(error))
                    raise StepFailedError(step, conflict) from None

    def _explained(self, failure: StepFailedError) -> IdentityError:
        if not isinstance(failure.cause, IamError | IdentityError):
            log = structlog.get_logger()
            log.error("step failed", step=failure.step.iam_action, exc_info=failure.cause)
        return explain_step(failure, self._intent.plan)

    async def _give_up(self, error: IdentityError) -> IdentityError:
        """End what has failed: undo it, or say what it has not reached if it goes forward only."""
        if self._claim.outcome is not None:
            return await self._give_reissue_up(error, self._claim.outcome)
        if not self._intent.forward_only:
            return await self._turn_round(error)
        error = with_remaining(error, not_reached(self._intent.plan, self._journal))
        await self._fail(error, retryable=error.transient)
        return error

    async def _give_reissue_up(self, error: IdentityError, done_before: Outcome) -> IdentityError:
        """End what was done before and has failed to issue its secrets again: it stays done, without credentials.

        What was minted by now is nobody's, so it goes; a later call can have its secrets issued once more.
        """
        remaining: tuple[str, ...] = ()
        try:
            await self._clear_earlier_mints()
        except StepFailedError as failure:
            remaining = (f"{failure.step.description}: not revoked ({failure.cause})",)
            if isinstance(failure.cause, IamError) and failure.cause.kind in PASSING:
                return await self._rest(error, remaining)
            log = structlog.get_logger()
            log.error("reissued credentials not revoked", row_id=self._intent.row_id, remaining=remaining)
        await self._end_as_before(self._mints.still_there(done_before))
        return with_remaining(error, remaining)

    async def _turn_round(self, error: IdentityError) -> IdentityError:
        """Undo from now on, whoever goes on with it. A store that is away now does not keep from undoing."""
        try:
            await self._ledger.begin_undo(self._lease, Failure(error, retryable=error.transient))
        except StoreUnavailableError as unstored:
            self._not_turned = unstored
        return await self._end_undone(error)

    async def _end_undone(self, error: IdentityError) -> IdentityError:
        undone = await self._undo.run()
        if undone.passing:
            rested = await self._rest(error, undone.remaining)
            return rested if self._not_turned is None else not_known(self._not_turned)
        error = with_remaining(error, undone.remaining)
        error = error if not undone.remaining else undo_incomplete(error)
        await self._fail(error, retryable=error.transient and not undone.remaining)
        return error

    async def _rest(self, error: IdentityError, remaining: tuple[str, ...]) -> IdentityError:
        """Leave the rest of an undo to a later attempt, the worker's or the caller's."""
        structlog.get_logger().warning("undo not finished", row_id=self._intent.row_id, remaining=remaining)
        with suppress(IdentityError):
            await self._ledger.release(self._lease, REST_SECONDS)
        return with_remaining(error, remaining)

    async def _fail(self, error: IdentityError, *, retryable: bool) -> None:
        """Store the failure; where that cannot be, raise that, since another attempt may yet succeed."""
        # Also a call that was answered may have been sent before that, and land after all was undone.
        journal = self._journal
        look_again = bool(journal.resumed or journal.done or journal.uncertain or self._mints.unanswered)
        failure = Failure(error, retryable)
        try:
            await self._ledger.fail(self._lease, failure, look_again=look_again, calls=noted_calls())
        except StoreUnavailableError as unstored:
            raise not_known(unstored) from None

    async def _store(self, outcome: Outcome) -> None:
        """Store the outcome; what nobody could replay is undone."""
        try:
            await self._ledger.succeed(self._lease, outcome.without_secrets())
        except StoreUnavailableError as error:
            if error.maybe_written:
                await self._await_fate(error)
            else:
                raise await self._give_up(error) from None

    async def _await_fate(self, error: StoreUnavailableError) -> None:
        """Look whether the outcome was stored after all; raise the error if that cannot be told, and touch nothing.

        If it was, undoing would leave an outcome that is not true; if it was not, the lease runs out, and another
        attempt deletes what was minted.
        """
        with suppress(IdentityError):
            row = await self._ledger.find(self._intent.key)
            if row and row.state is RequestState.DONE and row.epoch == self._lease.epoch:
                return
        raise not_known(error)


def not_known(error: StoreUnavailableError) -> StoreUnavailableError:
    """Say that another attempt may come to another end than this one, whose end is not stored."""
    error.metadata = {**error.metadata, "remaining": in_words(("what this request came to is not known yet",))}
    return error


def only_mints(plan: Plan) -> Plan:
    """Return what of a plan is done again to issue its secrets again: what was granted may be revoked by now."""
    return replace(plan, steps=tuple(step for step in plan.steps if isinstance(step, MINTING_STEPS)))
