"""The way of every mutating request: who, whether they may, the plan, the intent, the work, the outcome."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from identity_service.application.executor import Executor, Journal, StepFailedError
from identity_service.application.failures import NOTHING, explain, explain_step, in_words, not_reached, refuse
from identity_service.application.fingerprint import fingerprint
from identity_service.application.gate import Gate
from identity_service.application.locks import KeyedLocks
from identity_service.application.planners.planned import PlannedMutation
from identity_service.application.planners.planner import plan_mutation
from identity_service.application.ports import (
    Accounts,
    Authorizer,
    Failure,
    IamAccount,
    Intent,
    Ledger,
    LedgerRow,
    RequestKey,
)
from identity_service.application.results import describe_outcome, secret_inputs
from identity_service.application.undoing import Settling, Undo
from identity_service.domain.caller import Caller
from identity_service.domain.errors import IamError, IdentityError, Reason
from identity_service.domain.outcome import Outcome
from identity_service.domain.plan import Plan
from identity_service.domain.request import Mutation

IN_PROGRESS_RETRY_SECONDS = 1.0


@dataclass(frozen=True)
class _Work:
    """One mutation that is being carried out."""

    mutation: Mutation
    account: IamAccount
    planned: PlannedMutation
    row_id: str
    journal: Journal
    undo: Undo


class MutationService:
    """Runs every mutation of users, groups and policies.

    `settling` says how long IAM is given before what it does not find counts as absent; `is_stopping` tells that the
    server wants to end soon, so that work in progress is undone rather than gone on with.
    """

    def __init__(
        self,
        *,
        accounts: Accounts,
        authorizer: Authorizer,
        ledger: Ledger,
        settling: Settling | None = None,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._accounts = accounts
        self._ledger = ledger
        self._gate = Gate(authorizer, ledger)
        self._settling = settling or Settling()
        self._is_stopping = is_stopping
        self._targets = KeyedLocks()
        self._running: set[RequestKey] = set()

    async def run(self, caller: Caller, mutation: Mutation) -> Plan | Outcome:
        """Answer the plan where only that is asked for, otherwise do it and answer the outcome.

        Raises IdentityError. Where a step failed, its metadata says which, why, and what remains.
        """
        account = self._accounts.get(mutation.account_id)
        await self._gate.may_ask(caller, mutation, account.account_id)
        if mutation.validate_only:
            return (await self._plan(caller, mutation, account, row_id=new_row_id())).plan
        key = RequestKey(caller.id, mutation.request_id)
        with self._only_once(key):
            async with self._targets.hold((account.account_id, mutation.body.target.key)):
                return await self._run_or_replay(caller, mutation, account, key)

    async def _run_or_replay(self, caller: Caller, mutation: Mutation, account: IamAccount, key: RequestKey) -> Outcome:
        digest = fingerprint(mutation, account.account_id)
        row = await self._ledger.find(key)
        if row is not None and not (row.failure and row.failure.retryable):
            return replay(row, digest)
        if row is not None and row.fingerprint != digest:
            raise request_id_reused()
        row_id = new_row_id()
        if row is not None and mutation.body.forward_only:
            planned = await self._resume(caller, mutation, row)
        else:
            planned = await self._plan(caller, mutation, account, row_id)
        require_runnable(planned.plan, mutation.expected_plan_digest)
        await self._ledger.begin(
            Intent(row_id, key, caller.team, mutation.action, digest, planned.plan, planned.before)
        )
        return await self._carry_out(mutation, account, planned, row_id)

    async def _plan(self, caller: Caller, mutation: Mutation, account: IamAccount, row_id: str) -> PlannedMutation:
        try:
            planned = await plan_mutation(account, mutation.body, row_id, caller.team)
        except IamError as error:
            raise explain(error) from None
        await self._gate.may_have(caller, mutation, planned)
        return planned

    async def _resume(self, caller: Caller, mutation: Mutation, row: LedgerRow) -> PlannedMutation:
        """Go on with what was authorized: half of it is done, so that a new plan would be another one."""
        tags = row.before.user.tags if row.before else None
        planned = PlannedMutation(row.plan, row.before, tags)
        await self._gate.may_have(caller, mutation, planned)
        return planned

    async def _carry_out(
        self, mutation: Mutation, account: IamAccount, planned: PlannedMutation, row_id: str
    ) -> Outcome:
        journal = Journal(started_at=datetime.now(UTC))
        undo = Undo(account, journal, planned.before, self._settling)
        work = _Work(mutation, account, planned, row_id, journal, undo)
        secrets = secret_inputs(mutation.body, planned.password_policy)
        try:
            await Executor(account, journal, secrets, self._is_stopping).run(planned.plan)
        except StepFailedError as failure:
            raise await self._give_up(work, failure) from None
        outcome = await describe_outcome(account, mutation.body, planned, journal, secrets)
        await self._store(work, outcome)
        return outcome

    async def _give_up(self, work: _Work, failure: StepFailedError) -> IdentityError:
        """Undo what was done, store the failure, and return what the caller is told.

        What goes forward only is not undone: what remains is what it has not reached.
        """
        if not isinstance(failure.cause, IamError | IdentityError):
            structlog.get_logger().error("step failed", step=failure.step.iam_action, exc_info=failure.cause)
        forward_only = work.mutation.body.forward_only
        remaining = not_reached(work.planned.plan, work.journal) if forward_only else await work.undo.run()
        error = explain_step(failure, work.planned.plan, remaining, forward_only=forward_only)
        # Where the failure cannot be stored, the lease will run out; what the caller is told is true all the same.
        with suppress(IdentityError):
            await self._ledger.fail(work.row_id, Failure(error, retryable=error.transient))
        return error

    async def _store(self, work: _Work, outcome: Outcome) -> None:
        """Store the outcome; where that fails, nobody could replay it, so what was made is undone."""
        try:
            await self._ledger.succeed(work.row_id, outcome.without_secrets())
        except IdentityError as error:
            remaining = () if work.mutation.body.forward_only else await work.undo.run()
            error.metadata = {**error.metadata, "remaining": in_words(remaining)}
            # The store may be there again, and the caller shall not have to wait for the lease.
            with suppress(IdentityError):
                await self._ledger.fail(work.row_id, Failure(error, retryable=not remaining))
            raise

    @contextmanager
    def _only_once(self, key: RequestKey) -> Iterator[None]:
        """Refuse a duplicate at once while the first is under way."""
        if key in self._running:
            raise in_progress()
        self._running.add(key)
        try:
            yield
        finally:
            self._running.discard(key)


def new_row_id() -> str:
    """Make the random id of a ledger row, which the user's row tag carries."""
    return uuid.uuid4().hex


def replay(row: LedgerRow, digest: str) -> Outcome:
    """Answer what an earlier call with this request_id came to; raises its error, IN_PROGRESS or REQUEST_ID_REUSED."""
    if row.fingerprint != digest:
        raise request_id_reused()
    if row.failure:
        raise row.failure.error
    if row.outcome is None:
        raise interrupted() if row.lease_expired else in_progress()
    return row.outcome.replay()


def require_runnable(plan: Plan, expected_digest: str) -> None:
    """Refuse a plan with problems, and one that is not the reviewed one (PLAN_CHANGED)."""
    if plan.problems:
        raise refuse(plan)
    if expected_digest and expected_digest != plan.digest:
        raise IdentityError(
            Reason.PLAN_CHANGED,
            "the account or the request has changed since the plan was reviewed; review it again",
            metadata={"plan_digest": plan.digest, "remaining": NOTHING},
        )


def request_id_reused() -> IdentityError:
    """Say that the request_id stands for another request."""
    return IdentityError(Reason.REQUEST_ID_REUSED, "the request_id was used for another request; make a new one")


def in_progress() -> IdentityError:
    """Say that the same request is being executed."""
    return IdentityError(Reason.IN_PROGRESS, "this request is being executed", retry_after=IN_PROGRESS_RETRY_SECONDS)


def interrupted() -> IdentityError:
    """Say that an earlier attempt was cut and did not say what it came to."""
    return IdentityError(
        Reason.INTERRUPTED,
        "an earlier attempt was cut off by the end of the server; look at what is there, delete what is not wanted, "
        "and ask again with a new request_id",
    )
