"""Refuses what is not well formed, before the application sees it and after the caller is known."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message

from identity_service.application.account_choice import FIELD, AccountChoice
from identity_service.domain.errors import IdentityError, Reason
from identity_service.rpc.call import current_call, current_caller
from identity_service.rpc.interceptors.around import Behaviour, Context, Continuation, Handler
from identity_service.rpc.not_built import is_built
from identity_service.rpc.validation import RequestValidator

Deserializer = Callable[[bytes], Message]


class WellFormedness(grpc.aio.ServerInterceptor):
    """Reads and checks requests. It reads them itself, so that one that cannot be read is refused like any other.

    So is one that does not name its account where it has to; `accounts` None lets every account pass.
    """

    def __init__(self, validator: RequestValidator, accounts: AccountChoice | None = None) -> None:
        self._validator = validator
        self._accounts = accounts

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        """Check the requests of built RPCs. Of those that are not built nothing is read; streamed ones are not ours."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_deserializer is None or not is_built(handler):
            return handler
        if handler.unary_unary:
            one = self._one(handler.unary_unary, handler.request_deserializer)
            return grpc.unary_unary_rpc_method_handler(one, None, handler.response_serializer)
        if handler.unary_stream:
            many = self._many(handler.unary_stream, handler.request_deserializer)
            return grpc.unary_stream_rpc_method_handler(many, None, handler.response_serializer)
        return handler

    def _one(self, inner: Behaviour, deserialize: Deserializer) -> Behaviour:
        async def behaviour(data: bytes, context: Context) -> Any:
            return await inner(self._checked(data, deserialize), context)

        return behaviour

    def _many(self, inner: Behaviour, deserialize: Deserializer) -> Behaviour:
        async def behaviour(data: bytes, context: Context) -> AsyncIterator[Any]:
            async for response in inner(self._checked(data, deserialize), context):
                yield response

        return behaviour

    def _checked(self, data: bytes, deserialize: Deserializer) -> Message:
        request = _read(data, deserialize)
        _note(request, self._accounts.only_id if self._accounts else "")
        if self._accounts is None or FIELD not in request.DESCRIPTOR.fields_by_name:
            self._validator.check(request)
            return request
        caller, account_id = current_caller(), str(getattr(request, FIELD))
        self._validator.check(request, self._accounts.violations(caller, account_id))
        self._accounts.require(caller, current_call().method.rpartition("/")[2], account_id)
        return request


def _read(data: bytes, deserialize: Deserializer) -> Message:
    try:
        return deserialize(data)
    except DecodeError:
        # The error's text may quote the data.
        raise IdentityError(Reason.INVALID_FIELD, "the request is not a message of this RPC") from None


def _note(request: Message, only_account_id: str) -> None:
    """Put what names a request into the current call, for its log line. Nothing of it is checked yet."""
    call = current_call()
    call.account_id = str(getattr(request, "account_id", "")) or only_account_id
    call.request_id = str(getattr(request, "request_id", "")).lower()
    call.user_name = _name(request, "user", "user_name")
    call.group_name = _name(request, "group", "group_name")
    call.policy = _name(request, "policy", "policy_name") or _name(request, "policy", "policy_arn")


def _name(request: Message, part: str, field: str) -> str:
    """Return a name that stands in the request, or in the part of it that describes what is to be made."""
    return str(getattr(getattr(request, part, request), field, ""))
