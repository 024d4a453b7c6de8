"""One log line, one span and one measurement for every RPC."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager

import grpc
import structlog
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer

from identity_service.observability.aws_calls import AwsCall, collect_aws_calls
from identity_service.observability.instruments import STATUS_CODE, RpcInstruments, rpc_attributes
from identity_service.observability.tracing import parent_of
from identity_service.rpc.call import Call, begin_call
from identity_service.rpc.interceptors.around import AroundInterceptor, Context

LONGEST_VALUE = 128
"""What a caller wrote is logged before it is checked, so it is cut."""

FAULTS_OF_THE_SERVER = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
"""The codes that OpenTelemetry's conventions count as errors of a server's span."""


class RequestLog(AroundInterceptor):
    """Opens the call and its span, and logs and counts how the call ended."""

    def __init__(self, tracer: Tracer, instruments: RpcInstruments) -> None:
        self._tracer = tracer
        self._instruments = instruments

    @asynccontextmanager
    async def around(self, method: str, context: Context) -> AsyncIterator[None]:
        """Surround an RPC with its call, its span and its log line."""
        started = time.perf_counter()
        name = method.lstrip("/")
        with (
            self._span(name, context) as span,
            begin_call(Call(name, _trace_id(span))) as call,
            collect_aws_calls() as aws_calls,
        ):
            try:
                yield
            except BaseException as error:
                call.code = call.code or _code_of(error)
                raise
            finally:
                seconds = time.perf_counter() - started
                _describe(span, call)
                _log(call, aws_calls, seconds)
                self._count(call, seconds)

    def _count(self, call: Call, seconds: float) -> None:
        code = call.code or grpc.StatusCode.OK
        reason = call.reason.name if call.reason else ""
        # A call that was cancelled has no reason of the contract.
        self._instruments.ended(call.method, code.name, reason or ("" if call.code is None else code.name), seconds)

    def _span(self, name: str, context: Context) -> AbstractContextManager[Span]:
        return self._tracer.start_as_current_span(
            name,
            context=parent_of(context.invocation_metadata() or ()),
            kind=SpanKind.SERVER,
            attributes=rpc_attributes(name),
            # The text of an exception may hold what no trace may.
            record_exception=False,
            set_status_on_exception=False,
        )


def _trace_id(span: Span) -> str:
    """Return the span's trace id, or where tracing is switched off a random id that serves as well."""
    span_context = span.get_span_context()
    return trace.format_trace_id(span_context.trace_id) if span_context.is_valid else secrets.token_hex(16)


def _code_of(error: BaseException) -> grpc.StatusCode:
    return grpc.StatusCode.CANCELLED if isinstance(error, asyncio.CancelledError) else grpc.StatusCode.UNKNOWN


def _describe(span: Span, call: Call) -> None:
    code = call.code or grpc.StatusCode.OK
    span.set_attribute(STATUS_CODE, code.name)
    if call.reason:
        span.set_attribute("error.type", call.reason.name)
    if code in FAULTS_OF_THE_SERVER:
        span.set_status(StatusCode.ERROR)


def _log(call: Call, aws_calls: list[AwsCall], seconds: float) -> None:
    code = call.code or grpc.StatusCode.OK
    structlog.get_logger().info(
        "rpc",
        method=call.method,
        caller=call.caller_id[:LONGEST_VALUE],
        team=call.caller.team if call.caller else "",
        account_id=call.account_id[:LONGEST_VALUE],
        user_name=call.user_name[:LONGEST_VALUE],
        group_name=call.group_name[:LONGEST_VALUE],
        policy=call.policy[:LONGEST_VALUE],
        request_id=call.request_id[:LONGEST_VALUE],
        outcome=call.reason.name if call.reason else code.name,
        grpc_code=code.name,
        duration_ms=round(seconds * 1000, 3),
        trace_id=call.trace_id,
        # A call that AWS did not answer has no id.
        aws_request_ids=[aws_call.request_id for aws_call in aws_calls if aws_call.request_id],
    )
