"""The way of every mutating request: who, whether they may, the plan, the intent, the work, the outcome."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from identity_service.application.executor import Executor, Journal, StepFailedError
from identity_service.application.failures import NOTHING, explain, explain_step, in_words, not_reached, refuse
from identity_service.application.fingerprint import fingerprint
from identity_service.application.gate import Gate
from identity_service.application.locks import KeyedLocks
from identity_service.application.planner import PlannedMutation, Planner
from identity_service.application.ports import Accounts, Authorizer, Failure, IamAccount, Intent, Ledger, RequestKey
from identity_service.application.results import describe_outcome, password_for
from identity_service.application.undoing import Undo
from identity_service.domain.caller import Caller
from identity_service.domain.errors import IamError, IdentityError, Reason
from identity_service.domain.names import name_key
from identity_service.domain.outcome import Outcome
from identity_service.domain.plan import Plan
from identity_service.domain.request import Mutation, UserDeletion

IN_PROGRESS_RETRY_SECONDS = 1.0


class MutationService:
    """Runs mutations: ProvisionUser, CreateUser, CreateCredentials, AssignPermissions, DeleteUser."""

    def __init__(self, *, accounts: Accounts, authorizer: Authorizer, ledger: Ledger) -> None:
        self._accounts = accounts
        self._ledger = ledger
        self._gate = Gate(authorizer, ledger)
        self._users = KeyedLocks()
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
            async with self._users.hold((account.account_id, name_key(mutation.body.user_name))):
                return await self._run_or_replay(caller, mutation, account, key)

    async def _run_or_replay(self, caller: Caller, mutation: Mutation, account: IamAccount, key: RequestKey) -> Outcome:
        digest = fingerprint(mutation, account.account_id)
        replayed = await self._replay(key, digest)
        if replayed:
            return replayed
        row_id = new_row_id()
        planned = await self._plan(caller, mutation, account, row_id)
        require_runnable(planned.plan, mutation.expected_plan_digest)
        await self._ledger.begin(
            Intent(row_id, key, caller.team, mutation.action, digest, planned.plan, planned.before)
        )
        return await self._carry_out(mutation, account, planned, row_id)

    async def _plan(self, caller: Caller, mutation: Mutation, account: IamAccount, row_id: str) -> PlannedMutation:
        try:
            planned = await Planner(account).plan(mutation.body, row_id, caller.team)
        except IamError as error:
            raise explain(error) from None
        await self._gate.may_have(caller, mutation, planned)
        return planned

    async def _replay(self, key: RequestKey, digest: str) -> Outcome | None:
        """Answer what an earlier call with this request_id came to; None if it has to be done."""
        row = await self._ledger.find(key)
        if row is None or (row.failure and row.failure.retryable):
            return None
        if row.fingerprint != digest:
            raise IdentityError(Reason.REQUEST_ID_REUSED, "the request_id was used for another request; make a new one")
        if row.failure:
            raise row.failure.error
        if row.outcome is None:
            raise interrupted() if row.lease_expired else in_progress()
        return row.outcome.replay()

    async def _carry_out(
        self, mutation: Mutation, account: IamAccount, planned: PlannedMutation, row_id: str
    ) -> Outcome:
        journal = Journal()
        before = None if mutation.creates_user else planned.before
        undo = Undo(account, journal, before, started_at=datetime.now(UTC))
        password = password_for(mutation.body, planned.password_policy)
        try:
            await Executor(account, journal, password).run(planned.plan)
        except StepFailedError as failure:
            error = await self._give_up(mutation, planned, row_id, journal, undo, failure)
            raise (failure.cause if error.reason is Reason.INTERNAL else error) from None
        outcome = describe_outcome(mutation.body, planned, journal, password)
        await self._store(mutation, row_id, outcome, undo)
        return outcome

    async def _give_up(
        self,
        mutation: Mutation,
        planned: PlannedMutation,
        row_id: str,
        journal: Journal,
        undo: Undo,
        failure: StepFailedError,
    ) -> IdentityError:
        """Undo what was done, store the failure, and return what the caller is told.

        A deletion is not undone: it goes forward only, and what remains is what it has not reached.
        """
        forward_only = isinstance(mutation.body, UserDeletion)
        remaining = not_reached(planned.plan, journal) if forward_only else await undo.run()
        error = explain_step(failure, planned.plan, remaining)
        retryable = error.transient and (forward_only or not remaining)
        # Where the failure cannot be stored, the lease will run out; what the caller is told is true all the same.
        with suppress(IdentityError):
            await self._ledger.fail(row_id, Failure(error, retryable))
        return error

    async def _store(self, mutation: Mutation, row_id: str, outcome: Outcome, undo: Undo) -> None:
        """Store the outcome; where that fails, nobody could replay it, so what was made is undone."""
        try:
            await self._ledger.succeed(row_id, outcome.without_secrets())
        except IdentityError as error:
            remaining = () if isinstance(mutation.body, UserDeletion) else await undo.run()
            error.metadata = {**error.metadata, "remaining": in_words(remaining)}
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


def in_progress() -> IdentityError:
    """Say that the same request is being executed."""
    return IdentityError(Reason.IN_PROGRESS, "this request is being executed", retry_after=IN_PROGRESS_RETRY_SECONDS)


def interrupted() -> IdentityError:
    """Say that an earlier attempt was cut and did not say what it came to."""
    return IdentityError(
        Reason.CONFLICT,
        "an earlier attempt was cut off; look at the user with GetUser, delete what is not wanted, and use a new "
        "request_id",
    )
