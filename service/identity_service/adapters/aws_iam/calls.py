"""The one way to AWS: paced, on the pool, traced, recorded, with errors in this service's terms, retried where safe."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any

from botocore import xform_name
from botocore.client import BaseClient
from opentelemetry.metrics import NoOpMeter
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer

from identity_service.adapters.aws_iam.errors import to_iam_error
from identity_service.adapters.aws_iam.fence import sending_under
from identity_service.adapters.aws_iam.meter import CallMeter
from identity_service.adapters.aws_iam.needs import entities_needed_by, look_up_for
from identity_service.adapters.aws_iam.operations import EFFECTS, Effect
from identity_service.adapters.aws_iam.pacing import PacedCall, Pacer, Turn
from identity_service.adapters.aws_iam.recent_entities import Entity
from identity_service.adapters.aws_iam.retry import Reply, Retrier
from identity_service.application.lease import Lease, LeaseLostError, current_lease
from identity_service.application.ports import Receipt
from identity_service.application.sent_calls import SentCall, note_call
from identity_service.domain.errors import IamError, IamErrorKind
from identity_service.domain.secret import Secret
from identity_service.observability.aws_calls import AwsCall, record_aws_call
from identity_service.observability.instruments import AwsInstruments, aws_attributes


class AwsCalls:
    """The calls of one boto3 client, whose own retries are off: `service` is `IAM` or `STS`."""

    def __init__(
        self,
        service: str,
        client: BaseClient,
        pool: ThreadPoolExecutor,
        retrier: Retrier,
        pacer: Pacer,
        tracer: Tracer,
        meter: CallMeter | None = None,
        instruments: AwsInstruments | None = None,
    ) -> None:
        self._service = service
        self._client = client
        self._pool = pool
        self._retrier = retrier
        self._pacer = pacer
        self._tracer = tracer
        self._meter = meter or CallMeter()
        self._instruments = instruments or AwsInstruments(NoOpMeter(__name__))

    async def call(self, operation: str, expected: Collection[Entity] = (), /, **params: object) -> Reply:
        """Call an operation by AWS's names. A `Secret` among the parameters is revealed on the thread that sends.

        What is `expected` is waited for like what the operation needs anyhow.
        """
        effect = EFFECTS[operation]
        needed = (*entities_needed_by(operation, params), *expected)
        paced = PacedCall(self._pacer, self._action(operation), effect)
        send = partial(paced.send, partial(self._send, operation, params))
        send_or_miss = partial(self._send_or_miss, operation, params, send)
        return await self._retrier.run(effect, needed, send_or_miss, lambda: paced.waited)

    async def page(self, operation: str, token: str | None, /, **params: object) -> tuple[dict[str, Any], str | None]:
        """Return one page of a listing and the token of the next one; None begins and ends it."""
        marker = {} if token is None else {"Marker": token}
        reply = await self.call(operation, **params, **marker)
        if not reply.value.get("IsTruncated", False):
            return reply.value, None
        following = reply.value.get("Marker")
        if following is None or following == token:
            # A listing that does not get on would be read for ever.
            request_id = reply.receipt.request_id
            raise IamError(IamErrorKind.UNAVAILABLE, self._action(operation), request_id=request_id)
        return reply.value, str(following)

    async def pages(self, operation: str, /, **params: object) -> AsyncIterator[dict[str, Any]]:
        """Yield a listing's pages; each is a call of its own, so that a retry repeats one page and not the listing."""
        page, token = await self.page(operation, None, **params)
        yield page
        while token is not None:
            page, token = await self.page(operation, token, **params)
            yield page

    async def items(self, operation: str, result_key: str, /, **params: object) -> list[Any]:
        """Return a listing's items, of all pages."""
        return [item async for page in self.pages(operation, **params) for item in page[result_key]]

    async def _send_or_miss(
        self, operation: str, params: Mapping[str, object], send: Callable[[], Awaitable[Reply]]
    ) -> Reply:
        """Send. A role that is held to what bears a tag or a path is denied what is not there: that is NOT_FOUND."""
        try:
            return await send()
        except IamError as error:
            if error.kind is IamErrorKind.ACCESS_DENIED and await self._is_absent(operation, params):
                error.kind = IamErrorKind.NOT_FOUND
            raise

    async def _is_absent(self, operation: str, params: Mapping[str, object]) -> bool:
        look_up = look_up_for(operation, params)
        if look_up is None:
            return False
        try:
            await self.call(look_up.operation, **look_up.params)
        except IamError as error:
            return error.kind is IamErrorKind.NOT_FOUND
        return False

    async def _send(self, operation: str, params: Mapping[str, object], turn: Turn) -> Reply:
        with self._tracer.start_as_current_span(
            f"{self._service}/{operation}",
            kind=SpanKind.CLIENT,
            attributes=aws_attributes(self._service, operation),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            if turn.waited:
                # The span is the call alone; this is what passed before it.
                span.set_attribute("identity_service.paced_seconds", turn.waited)
            is_write = EFFECTS[operation] is not Effect.READ
            lease = current_lease() if is_write else None
            send = partial(self._send_on_thread, operation, params, lease)
            self._instruments.waited(turn.waited)
            began = time.perf_counter()
            answer = await asyncio.get_running_loop().run_in_executor(self._pool, send)
            if isinstance(answer, LeaseLostError):
                span.set_attribute("error.type", "lease_lost")
                raise answer
            self._record(span, operation, answer, turn.waited)
            if is_write:
                note_call(_sent(self._action(operation), answer))
            # By its kind: a code may be anything that stands in an answer.
            error = answer.kind.name if isinstance(answer, IamError) else ""
            self._instruments.ended(self._service, operation, error, time.perf_counter() - began)
            self._meter.count(throttled=isinstance(answer, IamError) and answer.kind is IamErrorKind.THROTTLED)
            if isinstance(answer, IamError):
                raise answer
            metadata = answer.pop("ResponseMetadata")
            return Reply(answer, Receipt(metadata["RequestId"], datetime.now(UTC)))

    def _send_on_thread(
        self, operation: str, params: Mapping[str, object], lease: Lease | None
    ) -> dict[str, Any] | IamError | LeaseLostError:
        """Send. A failure is returned: raised here, it would carry boto3's own exception along as its context."""
        revealed = {name: value.reveal() if isinstance(value, Secret) else value for name, value in params.items()}
        try:
            with sending_under(lease):
                answer: dict[str, Any] = getattr(self._client, xform_name(operation))(**revealed)
        except LeaseLostError as lost:
            return lost
        except Exception as failure:  # noqa: BLE001 - no failure of boto3, whatever its type, may pass unconverted
            return to_iam_error(self._action(operation), failure)
        if not answer["ResponseMetadata"].get("RequestId"):
            # Not AWS's answer: a proxy's page, if it is well-formed, passes boto3 as an empty result.
            return IamError(IamErrorKind.UNAVAILABLE, self._action(operation), outcome_unknown=True)
        return answer

    def _record(self, span: Span, operation: str, answer: dict[str, Any] | IamError, waited: float) -> None:
        if isinstance(answer, IamError):
            outcome, request_id, http_status = answer.code or answer.kind.name, answer.request_id, answer.http_status
            span.set_attribute("error.type", outcome)
            span.set_status(Status(StatusCode.ERROR))
        else:
            metadata = answer["ResponseMetadata"]
            outcome, request_id, http_status = "ok", metadata["RequestId"], metadata["HTTPStatusCode"]
        if http_status:
            span.set_attribute("http.response.status_code", http_status)
        if request_id:
            span.set_attribute("aws.request_id", request_id)
        record_aws_call(AwsCall(self._action(operation), request_id, outcome, waited))

    def _action(self, operation: str) -> str:
        return f"{self._service.lower()}:{operation}"


def _sent(action: str, answer: dict[str, Any] | IamError) -> SentCall:
    if isinstance(answer, IamError):
        # By its kind: a code may be anything that stands in an answer.
        return SentCall(action, answer.request_id, answer.kind.name)
    return SentCall(action, answer["ResponseMetadata"]["RequestId"])
