"""How many calls may be under way for one account."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import grpc
import pytest

from identity_service.domain.errors import IdentityError, Reason
from identity_service.rpc.call import Call, begin_call
from identity_service.rpc.interceptors.account_share import AccountShare
from identity_service.rpc.interceptors.around import Context, Handler
from identity_service.rpc.not_built import not_built

METHOD = "/identity_provisioning.v1.UserService/GetUser"
STREAM = "/identity_provisioning.v1.OperationService/WatchOperation"
CONTEXT = cast(Context, None)


class Details:
    """What gRPC says of a call before it is read."""

    def __init__(self, method: str = METHOD) -> None:
        self.method = method


async def surrounded(share: AccountShare, handler: Handler | None, method: str = METHOD) -> Handler | None:
    """Return a handler as the interceptor passes it on."""

    async def found(_: grpc.HandlerCallDetails) -> Handler | None:
        return handler

    return await share.intercept_service(found, cast(grpc.HandlerCallDetails, Details(method)))


class Server:
    """Answers calls once its gate is open."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()

    async def get_user(self, request: Any, context: Context) -> str:
        """Wait, then answer."""
        await self.gate.wait()
        return "answer"

    async def call(self, share: AccountShare, account_id: str) -> Any:
        """Call for an account."""
        handler = await surrounded(share, grpc.unary_unary_rpc_method_handler(self.get_user))
        assert handler is not None
        assert handler.unary_unary is not None
        behaviour: Any = handler.unary_unary
        with begin_call(Call(METHOD, "trace", account_id=account_id)):
            return await behaviour(b"", CONTEXT)


async def test_an_account_that_does_not_answer_leaves_room_for_others() -> None:
    """One call too many for an account is OVERLOADED with its id; another's is answered, and room comes back."""
    share, stuck, quick = AccountShare(2), Server(), Server()
    quick.gate.set()
    waiting = [asyncio.create_task(stuck.call(share, "one")) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(IdentityError) as refused:
        await quick.call(share, "one")
    assert (refused.value.reason, refused.value.metadata) == (Reason.OVERLOADED, {"account_id": "one"})
    assert refused.value.retry_after == 1
    assert await quick.call(share, "two") == "answer"
    waiting[0].cancel()
    await asyncio.gather(waiting[0], return_exceptions=True)
    assert await quick.call(share, "one") == "answer"
    stuck.gate.set()
    assert await waiting[1] == "answer"


async def test_without_a_limit_nothing_is_refused() -> None:
    """A server with one account has no limit but that of all calls."""
    share, server = AccountShare(None), Server()
    calls = [asyncio.create_task(server.call(share, "one")) for _ in range(50)]
    await asyncio.sleep(0)
    server.gate.set()
    assert await asyncio.gather(*calls) == ["answer"] * 50


async def test_what_has_no_place_of_its_own_passes_as_it_is() -> None:
    """Streams have a limit of their own, what is not built tells so by itself, and nobody serves what is not there."""
    share = AccountShare(1)
    stream: Handler = grpc.unary_stream_rpc_method_handler(Server().get_user)
    assert await surrounded(share, stream, "/other") is not stream
    assert await surrounded(AccountShare(1, (STREAM,)), stream, STREAM) is stream
    stand_in: Handler = grpc.unary_unary_rpc_method_handler(not_built)
    assert await surrounded(share, stand_in) is stand_in
    assert await surrounded(share, None) is None
