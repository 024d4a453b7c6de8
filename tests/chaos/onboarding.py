"""The client of a bulk: it makes an operation, follows it, and takes what became of each user."""

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from uuid import UUID

from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from identity_client import AsyncIdentityClient, IdentityServiceError, user_spec
from identity_client.sealing import GeneratedIdentity
from identity_provisioning.v1.operation_pb2 import Operation, OperationResult
from identity_provisioning.v1.user_pb2 import UserSpec
from tests.chaos.clients import PASSING, WAIT_BETWEEN_CALLS, Holding
from tests.chaos.timing import Timing
from tests.chaos.wishes import Wish

BATCH = 8


@dataclass(frozen=True)
class Course:
    """How an onboarding goes: `reviews` lets all be planned first and starts just these plans; the rest are seconds.

    Without `seals` nobody gets credentials. `cancels_after` is when the operation is cancelled after its start,
    `dies_after` when the client's process dies and another one begins anew in its place.
    """

    reviews: bool = False
    seals: bool = True
    cancels_after: float | None = None
    dies_after: float | None = None

    @classmethod
    def draw(cls, chance: Random) -> "Course":
        """Half are reviewed, half die once, one in three is cancelled, one in four makes no credentials."""
        return cls(
            dies_after=chance.uniform(0.05, 6.0) if chance.random() < 0.5 else None,
            reviews=chance.random() < 0.5,
            cancels_after=chance.uniform(0.0, 4.0) if chance.random() < 0.34 else None,
            seals=chance.random() < 0.75,
        )


class Onboarding:
    """One client with many wishes. It begins anew where it was cut, with the same request ids."""

    def __init__(
        self,
        wishes: Sequence[Wish],
        target: str,
        timing: Timing,
        identity: GeneratedIdentity,
        chance: Random,
        course: Course,
    ) -> None:
        self._wishes = wishes
        self._target = target
        self._timing = timing
        self._identity = identity
        self._course = course
        self._request_ids = [str(UUID(int=chance.getrandbits(128), version=4)) for _ in range(4 + len(wishes))]
        self._holdings = [Holding(wish) for wish in wishes]
        self._reason = ""

    async def run(self) -> Sequence[Holding]:
        """Work until every user has an outcome, or patience ends."""
        begun = time.monotonic()
        deadline = begun + self._timing.patience
        dies_after = self._course.dies_after
        while not self._is_final() and time.monotonic() < deadline:
            await self._live(dies_after or deadline - time.monotonic())
            dies_after = None
            await asyncio.sleep(0 if self._is_final() else WAIT_BETWEEN_CALLS)
        for holding in self._holdings:
            holding.seconds = time.monotonic() - begun
        return self._holdings

    def _is_final(self) -> bool:
        return bool(self._reason) or all(holding.is_final for holding in self._holdings)

    async def _live(self, seconds: float) -> None:
        client = AsyncIdentityClient(self._target, insecure=True, attempt_timeout=self._timing.attempt)
        for holding in self._holdings:
            holding.calls += 1
        try:
            async with asyncio.timeout(seconds):
                await self._work(client)
        except TimeoutError:
            return
        except IdentityServiceError as error:
            for holding in self._holdings:
                holding.trouble = str(error)
            if error.code not in PASSING:
                self._reason = error.reason or error.code.name
        finally:
            await client.close()

    async def _work(self, client: AsyncIdentityClient) -> None:
        create, plan, start, cancel, *append = self._request_ids
        recipients = [self._identity.recipient] if self._course.seals else []
        made = await client.create_operation(recipients=recipients, request_id=create)
        operation_id = made.operation.operation_id
        for number, batch in enumerate(_batches(self._wishes)):
            await client.append_users(operation_id, number, batch, request_id=append[number])
        digest = await self._review(client, operation_id, plan) if self._course.reviews else ""
        await client.start_operation(operation_id, expected_plan_digest=digest, request_id=start)
        if self._course.cancels_after is not None:
            await asyncio.sleep(self._course.cancels_after)
            await client.cancel_operation(operation_id, request_id=cancel)
        ended = await self._follow(client, operation_id)
        async for result in client.iterate_operation_results(operation_id):
            self._take(self._holdings[result.index], result)
        if ended.state == Operation.STATE_CANCELLED:
            async for result in client.iterate_operation_results(operation_id, failed_only=True):
                self._holdings[result.index].left_out = is_left_out(result)

    async def _review(self, client: AsyncIdentityClient, operation_id: str, request_id: str) -> str:
        """Let all users be planned, and return what identifies their plans."""
        started = await client.start_operation(operation_id, validate_only=True, request_id=request_id)
        operation = started.operation
        if operation.state == Operation.STATE_PLANNING:
            operation = await self._follow(client, operation_id)
        return operation.plan_digest

    async def _follow(self, client: AsyncIdentityClient, operation_id: str) -> Operation:
        operation = Operation()
        async for told in client.follow_operation(operation_id, patience=self._timing.patience):
            operation = told
        return operation

    def _take(self, holding: Holding, result: OperationResult) -> None:
        if result.HasField("made"):
            holding.take(result.made.credentials, self._identity)
        elif result.HasField("error"):
            holding.trouble = result.error.message
            holding.reason = _reason_of(result.error)


def is_left_out(result: OperationResult) -> bool:
    """Tell of a user whom a cancelled operation has not made whether it was in time for it, or failed with it."""
    return not result.HasField("error") or result.error.code in {code.value[0] for code in PASSING}


def _batches(wishes: Sequence[Wish]) -> Iterator[Iterable[UserSpec]]:
    for first in range(0, len(wishes), BATCH):
        yield [_spec(wish) for wish in wishes[first : first + BATCH]]


def _spec(wish: Wish) -> UserSpec:
    # The operation names the recipients, for all its users.
    return user_spec(wish.user_name, **{name: value for name, value in wish.arguments.items() if name != "recipients"})


def _reason_of(error: Status) -> str:
    info = ErrorInfo()
    for detail in error.details:
        if detail.Unpack(info):
            return str(info.reason)
    return "without a reason"
