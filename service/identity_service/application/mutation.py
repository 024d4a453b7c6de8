"""The way of every mutating request: who, whether they may, the plan, the intent, the work, the outcome."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from identity_service.application.attempt import Attempts
from identity_service.application.failures import NOTHING, explain, in_progress, refuse, request_id_reused
from identity_service.application.fingerprint import fingerprint
from identity_service.application.gate import Gate
from identity_service.application.journal import SecretInputs
from identity_service.application.ledger import Failure, Intent, LedgerRow, RequestKey, RequestState
from identity_service.application.locks import KeyedLocks
from identity_service.application.planners.planned import PlannedMutation
from identity_service.application.planners.planner import plan_mutation
from identity_service.application.ports import Accounts, Authorizer, IamAccount
from identity_service.application.results import brings_secrets, secrets_of, sets_password
from identity_service.application.telemetry import measured
from identity_service.domain.caller import Caller
from identity_service.domain.entities import UserSnapshot
from identity_service.domain.errors import IamError, IdentityError, Reason
from identity_service.domain.outcome import Outcome
from identity_service.domain.passwords import DEFAULT_POLICY
from identity_service.domain.plan import Plan
from identity_service.domain.request import Mutation

PLAN_SPAN = "plan"


class MutationService:
    """Runs every mutation of users, groups and policies."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        authorizer: Authorizer,
        attempts: Attempts,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._accounts = accounts
        self._attempts = attempts
        self._ledger = attempts.ledger
        self._sealer = attempts.sealer
        self._monotonic = monotonic
        self._telemetry = attempts.telemetry
        self._gate = Gate(authorizer, attempts.ledger)
        self._targets = KeyedLocks()
        self._running: set[RequestKey] = set()

    async def run(self, caller: Caller, mutation: Mutation, *, account: IamAccount | None = None) -> Plan | Outcome:
        """Answer the plan where only that is asked for, otherwise do it and answer the outcome.

        `account` stands for the configured one, such as one that shares its reads with other mutations.
        Raises IdentityError. Where a step failed, its metadata says which, why, and what remains.
        """
        account = account or self._accounts.get(mutation.account_id)
        await self._gate.may_ask(caller, mutation, account.account_id)
        self._sealer.check(mutation.recipients)
        key = RequestKey(caller.id, mutation.request_id)
        asked = _Asked(caller, mutation, account, key, fingerprint(mutation, account.account_id))
        if mutation.validate_only:
            return (await self._plan(asked, new_row_id())).plan
        with measured(self._telemetry, mutation.action), self._only_once(key):
            async with self._targets.hold((account.account_id, mutation.body.target.key)):
                return await self._run_or_replay(asked)

    async def _run_or_replay(self, asked: _Asked) -> Outcome:
        row = await self._ledger.find(asked.key)
        if row is None:
            return await self._begin(asked)
        # The same words of a caller who has changed teams ask for something else: for the other team's user.
        if (row.intent.fingerprint, row.intent.team) != (asked.fingerprint, asked.caller.team):
            raise request_id_reused()
        match row:
            case LedgerRow(state=RequestState.DONE, outcome=Outcome() as outcome):
                return await self._replay(asked, row, outcome)
            case LedgerRow(state=RequestState.FAILED, failure=Failure(error=error)):
                raise error
            case LedgerRow(state=RequestState.UNDONE_RETRYABLE, failure=Failure() as failure):
                return await self._begin_again(asked, row, failure)
            case _:
                return await self._take_over(asked, row)

    async def _begin(self, asked: _Asked) -> Outcome:
        row_id, since = new_row_id(), self._monotonic()
        return await self._carry_out(asked, row_id, await self._plan_to_run(asked, row_id, None), planned_since=since)

    async def _begin_again(self, asked: _Asked, row: LedgerRow, failure: Failure) -> Outcome:
        """Run a request again that was undone, under the same row: its user's row tag stays the same."""
        row_id = row.intent.row_id
        if row.intent.forward_only:
            planned = await self._resume(asked, row)
            require_runnable(planned.plan, asked.mutation.expected_plan_digest)
            return await self._carry_out(asked, row_id, planned, resumed=True)
        if row.look_again:
            claim = await self._ledger.claim_undone(asked.key)
            if claim is None:
                raise in_progress()
            await self._attempts.undo_again(asked.account, claim, failure)
            row = replace(row, epoch=claim.lease.epoch)
        since = self._monotonic()
        planned = await self._plan_to_run(asked, row_id, row)
        planned = replace(planned, before=_seen_before(planned.before, row))
        return await self._carry_out(asked, row_id, planned, planned_since=since)

    async def _take_over(self, asked: _Asked, row: LedgerRow) -> Outcome:
        """Go on with a request whose attempt has died, in its stored direction and with what was authorized."""
        if not row.abandoned:
            raise in_progress()
        secrets = await self._secrets(asked, row.intent.plan)
        claim = await self._ledger.take_over(asked.key)
        if claim is None:
            raise in_progress()
        self._telemetry.link(claim.intent.traceparent)
        self._telemetry.took_over(claim.state.value)
        return await self._attempts.carry_out(asked.account, claim, secrets)

    async def _replay(self, asked: _Asked, row: LedgerRow, outcome: Outcome) -> Outcome:
        """Answer what was done; mint its secrets anew only for a caller who says that they were lost."""
        withheld = outcome.credentials is not None and outcome.credentials.secrets_withheld
        if not (withheld and asked.mutation.reissue_secrets):
            return outcome.replay()
        await self._resume(asked, row)
        secrets = await self._secrets(asked, row.intent.plan)
        claim = await self._ledger.reopen(asked.key)
        if claim is None:
            return outcome.replay()
        return await self._attempts.carry_out(asked.account, claim, secrets, reopened=True)

    async def _plan_to_run(self, asked: _Asked, row_id: str, row: LedgerRow | None) -> PlannedMutation:
        """Plan, and refuse what cannot run, unless it cannot since another replica has begun this very request."""
        try:
            planned = await self._plan(asked, row_id)
            require_runnable(planned.plan, asked.mutation.expected_plan_digest)
        except IdentityError:
            if await self._has_begun_since(asked, row):
                raise in_progress() from None
            raise
        return planned

    async def _plan(self, asked: _Asked, row_id: str) -> PlannedMutation:
        with self._telemetry.span(PLAN_SPAN):
            return await self._planned(asked, row_id)

    async def _planned(self, asked: _Asked, row_id: str) -> PlannedMutation:
        try:
            planned = await plan_mutation(asked.account, asked.mutation.body, row_id, asked.caller.team)
        except IamError as error:
            raise explain(error) from None
        await self._gate.may_have(asked.caller, asked.mutation, planned)
        return planned

    async def _resume(self, asked: _Asked, row: LedgerRow) -> PlannedMutation:
        """Return what was authorized, if the caller may still have it: a new plan would be another one."""
        before = row.intent.snapshot
        planned = PlannedMutation(
            row.intent.plan, before, before.user.tags if before else None, sign_in_url=row.intent.sign_in_url
        )
        await self._gate.may_have(asked.caller, asked.mutation, planned)
        return planned

    async def _carry_out(
        self,
        asked: _Asked,
        row_id: str,
        planned: PlannedMutation,
        *,
        planned_since: float | None = None,
        resumed: bool = False,
    ) -> Outcome:
        mutation = asked.mutation
        intent = Intent(
            row_id=row_id,
            key=asked.key,
            team=asked.caller.team,
            action=mutation.action,
            fingerprint=asked.fingerprint,
            plan=planned.plan,
            snapshot=planned.before,
            forward_only=mutation.body.forward_only,
            needs_caller=brings_secrets(mutation.body),
            recipients=mutation.recipients,
            sign_in_url=planned.sign_in_url,
            traceparent=self._telemetry.traceparent(),
        )
        secrets = secrets_of(mutation.body, planned.plan, planned.password_policy)
        claim = await self._ledger.begin(intent, planned_since)
        return await self._attempts.carry_out(asked.account, claim, secrets, resumed=resumed)

    async def _has_begun_since(self, asked: _Asked, row: LedgerRow | None) -> bool:
        """Tell whether another replica has begun this very request while this one planned, and has met its doings."""
        now = await self._ledger.find(asked.key)
        return now is not None and (row is None or now.epoch != row.epoch)

    async def _secrets(self, asked: _Asked, plan: Plan) -> SecretInputs:
        """Return the secrets for a plan that was made earlier."""
        if not sets_password(plan):
            return secrets_of(asked.mutation.body, plan, DEFAULT_POLICY)
        try:
            policy = await asked.account.get_password_policy()
        except IamError as error:
            raise explain(error) from None
        return secrets_of(asked.mutation.body, plan, policy)

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


@dataclass(frozen=True)
class _Asked:
    """One call of a mutation."""

    caller: Caller
    mutation: Mutation
    account: IamAccount
    key: RequestKey
    fingerprint: str


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


def _seen_before(now: UserSnapshot | None, row: LedgerRow) -> UserSnapshot | None:
    """Leave out of a pre-image the keys that appeared since the first attempt: one may be its own, carried out late."""
    if now is None or row.intent.snapshot is None:
        return now
    known = {key.access_key_id for key in row.intent.snapshot.access_keys}
    return replace(now, access_keys=tuple(key for key in now.access_keys if key.access_key_id in known))
