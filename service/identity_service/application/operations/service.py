"""What callers may do with operations: draft, append, start, look, watch, cancel."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from identity_service.application.failures import explain
from identity_service.application.fingerprint import digest_of
from identity_service.application.ledger import Denial, RequestKey
from identity_service.application.operations import refusals
from identity_service.application.operations.ports import (
    AccountRead,
    Batch,
    Cancellation,
    NewOperation,
    Operation,
    OperationStore,
    RecordsDenials,
    Start,
    TellsTraffic,
    UserResult,
)
from identity_service.application.ports import Accounts, Authorizer, IamAccount
from identity_service.application.sealing import Sealer
from identity_service.application.telemetry import UNWATCHED, Telemetry
from identity_service.domain.caller import Caller
from identity_service.domain.entities import Page
from identity_service.domain.errors import IamError, IdentityError, Reason
from identity_service.domain.facts import AccountFacts
from identity_service.domain.operation import ACTIVE, OperationState, violations_of
from identity_service.domain.request import UserChange

PROVISION_USER = "ProvisionUser"
"""The RPC whose right a caller needs for every user of an operation."""
DEFAULT_PAGE_SIZE = 100
LOOK_EVERY = 0.5
"""Seconds between two looks at an operation that is watched."""
SILENCE = 30
"""So many looks without news, and a watcher is told all the same that the operation is still there."""
DENIALS = frozenset({Reason.CALLER_NOT_ALLOWED, Reason.OPERATION_NOT_FOUND})
"""Refusals that are audited: an operation that is not found may be another team's."""


@dataclass(frozen=True)
class OperationRequest:
    """What every change of an operation brings; `request_id` is a UUID in canonical form."""

    account_id: str
    request_id: str
    validate_only: bool = False


class Operations:
    """Answers callers. What runs is carried out by the runners of all replicas."""

    def __init__(
        self,
        *,
        store: OperationStore,
        ledger: RecordsDenials,
        accounts: Accounts,
        authorizer: Authorizer,
        sealer: Sealer,
        traffic: TellsTraffic,
        is_draining: Callable[[], bool],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        telemetry: Telemetry = UNWATCHED,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._accounts = accounts
        self._authorizer = authorizer
        self._sealer = sealer
        self._traffic = traffic
        self._is_draining = is_draining
        self._sleep = sleep
        self._telemetry = telemetry

    async def create(self, caller: Caller, request: OperationRequest, recipients: tuple[str, ...]) -> Operation:
        """Make a draft. Raises IdentityError."""
        async with self._audited(caller, "CreateOperation", request):
            account = self._may_ask(caller, "CreateOperation", request.account_id)
        self._sealer.check(recipients)
        new = NewOperation(
            operation_id=str(uuid.uuid4()),
            key=RequestKey(caller.id, request.request_id),
            fingerprint=digest_of({"account_id": account.account_id, "recipients": sorted(recipients)}),
            team=caller.team,
            account_id=account.account_id,
            recipients=recipients,
        )
        if request.validate_only:
            return Operation("", new.account_id, caller, recipients, OperationState.DRAFT, datetime.now(UTC))
        return await self._store.create(new)

    async def append(
        self,
        caller: Caller,
        request: OperationRequest,
        operation_id: str,
        sequence_number: int,
        changes: tuple[UserChange, ...],
    ) -> int:
        """Append users to a draft of the caller's own; return how many it has then. Raises IdentityError."""
        async with self._audited(caller, "AppendUsers", request, operation_id):
            operation = await self._find(caller, "AppendUsers", request.account_id, operation_id)
            _require_maker(caller, operation)
        violations = violations_of(changes, sealed=bool(operation.recipients))
        if violations:
            raise refusals.invalid(*violations)
        batch = Batch(
            operation_id=operation.operation_id,
            request_id=request.request_id,
            sequence_number=sequence_number,
            fingerprint=digest_of(changes),
            changes=changes,
            caller=caller,
        )
        return await self._store.append(batch, try_only=request.validate_only)

    async def start(
        self, caller: Caller, request: OperationRequest, operation_id: str, expected_plan_digest: str
    ) -> Operation:
        """Let an operation of the caller's own be planned or run, if the account can take all its users.

        Raises IdentityError.
        """
        async with self._audited(caller, "StartOperation", request, operation_id):
            operation = await self._find(caller, "StartOperation", request.account_id, operation_id)
            _require_maker(caller, operation)
            self._authorizer.may_ask(caller, PROVISION_USER, operation.account_id, None)
        start = Start(
            operation.operation_id,
            request.request_id,
            caller,
            request.validate_only,
            expected_plan_digest,
            traceparent=self._telemetry.traceparent(),
        )
        check = await self._store.check_start(start)
        if check.carried_out is not None:
            return check.carried_out
        return await self._store.start(start, AccountRead(await self._read_account(operation), check.now))

    async def get(self, caller: Caller, account_id: str, operation_id: str) -> Operation:
        """Return an operation. Raises IdentityError."""
        return await self._find(caller, "GetOperation", account_id, operation_id)

    async def list(self, caller: Caller, account_id: str, size: int, token: str) -> Page[Operation]:
        """Return a page of the team's operations, newest first. Raises IdentityError."""
        account = self._may_ask(caller, "ListOperations", account_id)
        return await self._store.list(account.account_id, caller.team, size or DEFAULT_PAGE_SIZE, token)

    async def results(
        self, caller: Caller, account_id: str, operation_id: str, size: int, token: str, *, failed_only: bool
    ) -> Page[UserResult]:
        """Return a page of what became of the users. Raises IdentityError."""
        operation = await self._find(caller, "ListOperationResults", account_id, operation_id)
        if token and not (token.isascii() and token.isdigit() and len(token) < 10):
            raise refusals.wrong_page_token()
        after = int(token) if token else -1
        return await self._store.results(
            operation.operation_id, size or DEFAULT_PAGE_SIZE, after, failed_only=failed_only
        )

    async def cancel(self, caller: Caller, request: OperationRequest, operation_id: str) -> Operation:
        """Let nothing more be begun. Raises IdentityError."""
        async with self._audited(caller, "CancelOperation", request, operation_id):
            operation = await self._find(caller, "CancelOperation", request.account_id, operation_id)
        if request.validate_only:
            return operation
        cancellation = Cancellation(operation.operation_id, request.request_id, caller)
        return await self._store.cancel(cancellation) or operation

    async def watch(self, caller: Caller, account_id: str, operation_id: str) -> AsyncIterator[Operation]:
        """Yield an operation at once, then whenever it has changed, until it is not active any more.

        Raises IdentityError: SHUTTING_DOWN once the server drains, CALLER_NOT_ALLOWED or OPERATION_NOT_FOUND once the
        caller may not see it any more.
        """
        told, silence = None, 0
        while True:
            # Asked anew: while somebody watches, the caller may be taken out of the team, or put into another.
            caller = self._authorizer.identify(caller.id)
            operation = await self._find(caller, "WatchOperation", account_id, operation_id)
            silence += 1
            if operation != told or silence >= SILENCE:
                told, silence = operation, 0
                yield operation
            if operation.state not in ACTIVE:
                return
            if self._is_draining():
                raise IdentityError(
                    Reason.SHUTTING_DOWN,
                    "the server is shutting down; watch on",
                    retry_after=LOOK_EVERY,
                )
            await self._sleep(LOOK_EVERY)

    @asynccontextmanager
    async def _audited(
        self, caller: Caller, action: str, request: OperationRequest, operation_id: str = ""
    ) -> AsyncIterator[None]:
        """Leave it in the audit log where a caller may not change an operation, or does not find it."""
        try:
            yield
        except IdentityError as error:
            if error.reason in DENIALS:
                denial = Denial(
                    caller_id=caller.id,
                    team=caller.team,
                    action=action,
                    account_id=self._accounts.get(request.account_id).account_id,
                    target=f"operation/{operation_id}",
                    request_id=request.request_id,
                    reason=error.reason.name,
                )
                await self._ledger.record_denial(denial)
            raise

    def _may_ask(self, caller: Caller, action: str, account_id: str) -> IamAccount:
        account = self._accounts.get(account_id)
        self._authorizer.may_ask(caller, action, account.account_id, None)
        return account

    async def _find(self, caller: Caller, action: str, account_id: str, operation_id: str) -> Operation:
        """Return the operation if it is the caller's team's, in this account."""
        account = self._may_ask(caller, action, account_id)
        operation = await self._store.find(operation_id)
        if operation is None or operation.caller.team != caller.team or operation.account_id != account.account_id:
            raise refusals.not_found(operation_id)
        if operation.state not in ACTIVE:
            return operation
        return replace(operation, traffic=self._traffic.traffic(operation.account_id))

    async def _read_account(self, operation: Operation) -> AccountFacts:
        account = self._accounts.get(operation.account_id)
        try:
            summary = await account.get_account_summary()
        except IamError as error:
            raise explain(error) from None
        return AccountFacts(account_id=account.account_id, partition=account.partition, summary=summary)


def _require_maker(caller: Caller, operation: Operation) -> None:
    """Refuse a colleague: users are made with the rights of whoever made the draft, so nobody else has them made.

    Raises IdentityError CALLER_NOT_ALLOWED.
    """
    if operation.caller.id != caller.id:
        raise refusals.anothers_draft()
