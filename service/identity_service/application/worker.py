"""The one loop of a server: goes on with what dead or paused processes have left, looks again, removes old rows."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from identity_service.application.attempt import Attempts
from identity_service.application.journal import SecretInputs
from identity_service.application.lease import LeaseLostError
from identity_service.application.ledger import UNFINISHED, Claim, Ledger, RequestState
from identity_service.application.ports import Accounts, IamAccount
from identity_service.application.results import generated_secrets, sets_password
from identity_service.application.second_look import look_again
from identity_service.application.settling import Settling
from identity_service.application.telemetry import UNFINISHED_LOOK
from identity_service.application.work import OwnedWork
from identity_service.domain.errors import IamError, IdentityError
from identity_service.domain.passwords import DEFAULT_POLICY

SIDE_BY_SIDE = 8
"""How many abandoned requests one server carries out at a time, beside those of its callers."""
REST_SECONDS = 15.0
"""How long a request rests whose account cannot be used, until somebody tries again."""
REMOVE_OLD_EVERY = 600.0
"""Seconds between two removals of old rows."""
TAKEOVER_SPAN = "take over"
SECOND_LOOK_SPAN = "look again"

CarriesOut = Callable[[IamAccount, Claim], Coroutine[Any, Any, None]]


class Worker:
    """Takes over abandoned requests, and takes second looks. Every replica runs one; the store shares the work out."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        ledger: Ledger,
        attempts: Attempts,
        settling: Settling,
        work: OwnedWork,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._accounts = accounts
        self._ledger = ledger
        self._attempts = attempts
        self._telemetry = attempts.telemetry
        self._settling = settling
        self._work = work
        self._monotonic = monotonic
        self._remove_old_at = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger()

    async def run(self, poll_seconds: float) -> None:
        """Work until cancelled. A store that is away is asked again, and no fault of a request ends the loop."""
        while True:
            try:
                await self.step()
            except IdentityError as error:
                self._log.warning("the worker cannot work", reason=error.reason.name)
            except Exception:  # noqa: BLE001 - the loop outlives every fault, which is logged
                self._log.exception("the worker's step failed")
            await asyncio.sleep(poll_seconds)

    async def step(self) -> None:
        """Claim what there is, as far as there is room, and start to work on it."""
        room = SIDE_BY_SIDE - len(self._tasks)
        claims = await self._ledger.take_over_abandoned(room) if room > 0 else ()
        for claim in claims:
            self._telemetry.took_over(claim.state.value)
            self._log.warning("took an abandoned request over", row_id=claim.intent.row_id, direction=claim.state.value)
            self._start(claim, self._carry_out, TAKEOVER_SPAN)
        while len(self._tasks) < SIDE_BY_SIDE and (claim_ := await self._ledger.claim_second_look()):
            self._start(claim_, self._look_again, SECOND_LOOK_SPAN)
        if self._monotonic() >= self._remove_old_at:
            self._remove_old_at = self._monotonic() + REMOVE_OLD_EVERY
            await self._ledger.remove_old()

    async def finish(self) -> None:
        """Wait for what was started."""
        while self._tasks:
            await asyncio.wait(tuple(self._tasks))

    def _start(self, claim: Claim, carry_out: CarriesOut, span: str) -> None:
        task = asyncio.create_task(self._traced(claim, carry_out, span))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _traced(self, claim: Claim, carry_out: CarriesOut, span: str) -> None:
        # A trace of its own: that of who began the request may have ended long ago.
        with self._telemetry.span(span, claim.intent.traceparent):
            await self._run(claim, carry_out)

    async def _run(self, claim: Claim, carry_out: CarriesOut) -> None:
        try:
            account = self._accounts.get(claim.intent.plan.account_id)
            # As work that the server owns, it is drained at shutdown. Its places are its own: what has died holds
            # a lock that callers who fill the server may be waiting for.
            await self._work.run_beside(lambda: carry_out(account, claim))
        except LeaseLostError:
            self._log.warning("an abandoned request was taken over once more", row_id=claim.intent.row_id)
        except (IamError, IdentityError) as error:
            self._log.warning("an abandoned request has to wait", row_id=claim.intent.row_id, cause=str(error))
            await self._rest(claim)
        except Exception:  # noqa: BLE001 - a fault of one request is logged, and harms no other
            self._log.exception("an abandoned request cannot be carried out", row_id=claim.intent.row_id)
            await self._rest(claim)

    async def _rest(self, claim: Claim) -> None:
        try:
            if claim.state in UNFINISHED:
                await self._ledger.release(claim.lease, REST_SECONDS)
            elif not await self._ledger.rest_second_look(claim.lease, REST_SECONDS):
                self._telemetry.second_look_found(UNFINISHED_LOOK, 1)
                self._log.error("second look was given up", row_id=claim.intent.row_id)
        except (LeaseLostError, IdentityError):
            # It has ended, or its lease runs out.
            claim.lease.lose()

    async def _carry_out(self, account: IamAccount, claim: Claim) -> None:
        secrets = await self._secrets_for(account, claim)
        try:
            await self._attempts.carry_out(account, claim, secrets)
        except IdentityError as error:
            self._log.info("an abandoned request has failed", row_id=claim.intent.row_id, reason=error.reason.name)
        else:
            self._log.info("an abandoned request is done", row_id=claim.intent.row_id)

    async def _secrets_for(self, account: IamAccount, claim: Claim) -> SecretInputs | None:
        """Generate what nobody is there to be told of; None where only the caller could bring it."""
        if claim.state is RequestState.RUNNING and claim.intent.needs_caller:
            return None
        plan = claim.intent.plan
        return generated_secrets(plan, await account.get_password_policy() if sets_password(plan) else DEFAULT_POLICY)

    async def _look_again(self, account: IamAccount, claim: Claim) -> None:
        await look_again(account, self._ledger, claim, self._settling, self._telemetry)
        self._log.info("took a second look", row_id=claim.intent.row_id)
