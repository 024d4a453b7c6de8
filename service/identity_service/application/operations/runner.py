"""The loop that carries operations out, user by user. Every replica runs one; the store shares the users out."""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Protocol, cast

import structlog

from identity_service.application.failures import refuse
from identity_service.application.ledger import Denial, Failure, StoreUnavailableError
from identity_service.application.operations.ports import OperationStore, RecordsDenials, UserClaim
from identity_service.application.operations.shared_reads import SharedReads
from identity_service.application.ports import Accounts, Authorizer, IamAccount
from identity_service.application.priority import in_bulk
from identity_service.application.telemetry import UNWATCHED, Telemetry
from identity_service.application.work import OwnedWork
from identity_service.domain.caller import Caller
from identity_service.domain.errors import ANSWER_LOST, IdentityError, Reason
from identity_service.domain.outcome import Outcome
from identity_service.domain.plan import Plan
from identity_service.domain.request import Mutation

PROVISION_USER = "ProvisionUser"
USER_SPAN = "user of an operation"
BEATS_PER_LEASE = 3
CLAIMS_PER_FILLING = 4
"""Users are claimed once there is room for a fourth of those that run, so that a claim is not made for each."""
SETTLE_EVERY = 1.0
"""Seconds after which operations are ended even though there are users to claim: they may be another operation's."""
REMOVE_OLD_EVERY = 600.0
"""Seconds between two removals of old operations."""
FIRST_REST = 1.0
LONGEST_REST = 30.0
IN_PROGRESS_REST = 3.0
MOST_ATTEMPTS = 12
"""After how many passing failures, over some four minutes, a user has failed."""


class RunsMutations(Protocol):
    """What a runner needs of the service that every mutation goes through."""

    async def run(self, caller: Caller, mutation: Mutation, *, account: IamAccount | None = None) -> Plan | Outcome:
        """Plan a mutation, and run it unless it only wants its plan."""


class OperationRunner:
    """Claims users of operations, as many as it carries out at a time, and provisions each as a request of its own.

    It claims those of its own accounts: a server that has not heard of an account yet leaves it to those that have.

    A user's request has an id that follows from the operation's. So whoever carries the user out once more, after a
    crash or beside a process that was only slow, meets the same request in the ledger.
    """

    def __init__(
        self,
        *,
        store: OperationStore,
        ledger: RecordsDenials,
        mutations: RunsMutations,
        accounts: Accounts,
        authorizer: Authorizer,
        work: OwnedWork,
        concurrency: int,
        account_ids: Collection[str],
        lease_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
        telemetry: Telemetry = UNWATCHED,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._mutations = mutations
        self._accounts = accounts
        self._authorizer = authorizer
        self._work = work
        # In each account: one that is slow or refuses would else hold all places in the end.
        self._concurrency = concurrency
        self._account_ids = tuple(account_ids)
        # For how long a user is claimed. It need not be exact: what guards the account is its request's own lease.
        self._lease_seconds = lease_seconds
        self._monotonic = monotonic
        self._telemetry = telemetry
        self._shared: dict[str, IamAccount] = {}
        self._running: dict[asyncio.Task[None], UserClaim] = {}
        self._room = asyncio.Event()
        self._renew_at = 0.0
        self._settle_at = 0.0
        self._remove_old_at = 0.0
        self._log = structlog.get_logger()

    async def run(self, poll_seconds: float) -> None:
        """Work until cancelled. A store that is away is asked again, and no fault of a user ends the loop."""
        while True:
            self._room.clear()
            try:
                await self.step()
            except IdentityError as error:
                self._log.warning("operations cannot go on", reason=error.reason.name)
                await asyncio.sleep(poll_seconds)
            except Exception:  # noqa: BLE001 - the loop outlives every fault, which is logged
                self._log.exception("a step of the operations failed")
                await asyncio.sleep(poll_seconds)
            with suppress(TimeoutError):
                async with asyncio.timeout(poll_seconds):
                    await self._room.wait()

    async def step(self) -> None:
        """Claim what there is, as far as there is room, start to work on it, and end what has nobody left."""
        await self._keep()
        room = self._room_by_account()
        claims = await self._store.claim(room, self._lease_seconds) if room else ()
        for claim in claims:
            task = asyncio.create_task(self._run(claim))
            self._running[task] = claim
            task.add_done_callback(self._ended)
        if len(claims) < sum(room.values()) or self._monotonic() >= self._settle_at:
            await self._store.settle()
            self._settle_at = self._monotonic() + SETTLE_EVERY

    def _room_by_account(self) -> dict[str, int]:
        """Tell for how many more users there is room, in the accounts where it is worth a claim."""
        running = Counter(claim.account_id for claim in self._running.values())
        room = {account_id: self._concurrency - running[account_id] for account_id in self._account_ids}
        return {each: free for each, free in room.items() if free * CLAIMS_PER_FILLING >= self._concurrency}

    async def finish(self) -> None:
        """Wait for what was started."""
        while self._running:
            await asyncio.wait(tuple(self._running))

    async def _keep(self) -> None:
        """Hold what runs, and now and then remove what nobody needs any more."""
        now = self._monotonic()
        if now >= self._renew_at:
            self._renew_at = now + self._lease_seconds / BEATS_PER_LEASE
            if self._running:
                await self._store.renew(tuple(self._running.values()), self._lease_seconds)
        if now >= self._remove_old_at:
            self._remove_old_at = now + REMOVE_OLD_EVERY
            await self._store.remove_old()

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._room.set()

    async def _run(self, claim: UserClaim) -> None:
        try:
            # As work that the server owns, it is drained at shutdown.
            await self._work.run(lambda: self._traced(claim))
        except StoreUnavailableError as error:
            # The claim runs out, and whoever comes next meets the same request.
            self._log.warning("a user's end is not written down", index=claim.index, reason=error.reason.name)
        except IdentityError as error:
            # There was no room for it, or no time: then it was cut off in the middle.
            is_begun = ANSWER_LOST.items() <= error.metadata.items()
            with suppress(IdentityError):
                await self._store.rest(claim, None, FIRST_REST, is_begun=is_begun)
        except Exception:  # noqa: BLE001 - a fault of one user is logged, and harms no other
            self._log.exception("a user cannot be carried out", operation_id=claim.operation_id, index=claim.index)
            with suppress(IdentityError):
                await self._fail(claim, IdentityError(Reason.INTERNAL, "a fault of this service"))

    async def _traced(self, claim: UserClaim) -> None:
        """Carry a user out in a trace of its own: one of thousands of users would be too long for anybody."""
        with self._telemetry.span(USER_SPAN, claim.traceparent):
            await self._carry_out(claim)

    async def _carry_out(self, claim: UserClaim) -> None:
        if claim.refused:
            # What the review has shown to be refused is not run, even if it could be by now: nobody has reviewed that.
            await self._store.failed(claim, claim.refused)
            return
        try:
            with in_bulk():
                result = await self._provision(claim)
        except StoreUnavailableError:
            raise
        except IdentityError as error:
            await self._fail(claim, error)
        else:
            if isinstance(result, Plan):
                failure = Failure(refuse(result), retryable=False) if result.problems else None
                await self._store.planned(claim, result, failure)
            else:
                await self._store.made(claim, result)

    async def _provision(self, claim: UserClaim) -> Plan | Outcome:
        caller = await self._identify(claim)
        mutation = Mutation(
            action=PROVISION_USER,
            account_id=claim.account_id,
            request_id=request_id_of(claim.operation_id, claim.index),
            validate_only=claim.plan_only,
            expected_plan_digest=claim.expected_plan_digest,
            body=claim.change,
            recipients=claim.recipients,
        )
        return await self._mutations.run(caller, mutation, account=self._account(claim.account_id))

    async def _identify(self, claim: UserClaim) -> Caller:
        """Ask anew: who was taken out of the rules meanwhile makes nobody any more, and that is audited."""
        try:
            caller = self._authorizer.identify(claim.caller.id)
            if caller.team != claim.caller.team:
                raise IdentityError(
                    Reason.CALLER_NOT_ALLOWED, "the caller does not act for the operation's team any more"
                )
        except IdentityError as error:
            denial = Denial(
                caller_id=claim.caller.id,
                team=claim.caller.team,
                action=PROVISION_USER,
                account_id=claim.account_id,
                target=claim.change.target,
                request_id=request_id_of(claim.operation_id, claim.index),
                reason=error.reason.name,
            )
            await self._ledger.record_denial(denial)
            raise
        return caller

    def _account(self, account_id: str) -> IamAccount:
        if account_id not in self._shared:
            # A cast, since it answers all that the account does, without naming each.
            self._shared[account_id] = cast(IamAccount, SharedReads(self._accounts.get(account_id), self._monotonic))
        return self._shared[account_id]

    async def _fail(self, claim: UserClaim, error: IdentityError) -> None:
        failure = Failure(error, retryable=error.transient)
        if error.reason is Reason.IN_PROGRESS:
            # Somebody else goes on with this very request, or with this user; how it ends is not known before.
            await self._store.rest(claim, None, IN_PROGRESS_REST, is_begun=True)
        elif error.transient and claim.attempts + 1 < MOST_ATTEMPTS:
            await self._store.rest(claim, failure, min(LONGEST_REST, FIRST_REST * 2.0**claim.attempts))
        elif claim.plan_only:
            await self._store.planned(claim, None, failure)
        else:
            self._log.info(
                "a user of an operation has failed",
                operation_id=claim.operation_id,
                index=claim.index,
                reason=error.reason.name,
            )
            await self._store.failed(claim, failure)


def request_id_of(operation_id: str, index: int) -> str:
    """Derive the request_id under which a user of an operation is made."""
    return str(uuid.uuid5(uuid.UUID(operation_id), str(index)))
