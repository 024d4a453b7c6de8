"""The same client for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from types import TracebackType
from typing import Self

import grpc
import grpc.aio

from identity_client._bulk import DEFAULT_PATIENCE, Watch, in_batches
from identity_client._call import Attempts, Call, CallDefaults
from identity_client._channel import Endpoint, TlsFiles, endpoint
from identity_client._channels import Channels
from identity_client._client import DEFAULT_TIMEOUT
from identity_client._contract import Response
from identity_client._errors import IdentityServiceError
from identity_client._methods import AsyncCaller
from identity_client._retry import Pace, Retry
from identity_client._service_methods import ServiceMethods
from identity_provisioning.v1.operation_pb2 import Operation, OperationResult
from identity_provisioning.v1.user_pb2 import UserSpec


class AsyncIdentityClient(ServiceMethods, AsyncCaller):
    """Speaks to the identity service from one event loop; the methods of `IdentityClient`, awaited."""

    def __init__(
        self,
        target: str,
        *,
        tls: TlsFiles | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        insecure: bool = False,
        account_id: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        attempt_timeout: float | None = None,
        on_retry: Callable[[Retry], None] | None = None,
    ) -> None:
        """Prepare the connection; the arguments are those of `IdentityClient`."""
        self._defaults = CallDefaults(account_id or "", timeout, attempt_timeout, on_retry)
        self._pace = Pace()
        self._sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
        self._channels = Channels(
            partial(endpoint, target, tls=tls, credentials=credentials, insecure=insecure),
            _open,
            tls.paths if tls else (),
        )

    async def __aenter__(self) -> Self:
        """Answer the client itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        await self.close()

    async def close(self) -> None:
        """Close the connection; calls under way are cut."""
        for channel in self._channels.end():
            await channel.close()

    async def wait_until_connected(self, within: float) -> bool:
        """Connect now; tell whether that went well within so many seconds."""
        async with self._lent() as channel:
            try:
                await asyncio.wait_for(channel.channel_ready(), within)
            except TimeoutError:
                return False
            return True

    async def follow_operation(
        self, operation_id: str, *, account_id: str | None = None, patience: float = DEFAULT_PATIENCE
    ) -> AsyncIterator[Operation]:
        """Yield an operation whenever it has got on; the twin of `IdentityClient.follow_operation`."""
        watch = Watch(operation_id, account_id or "", patience, self._pace, self._defaults.on_retry)
        while not watch.ended:
            try:
                async for answer in self.watch_operation(watch.request):
                    yield watch.hear(answer)
            except IdentityServiceError as failure:
                await self._sleep(watch.wait_after(failure))
            else:
                await self._sleep(0.0 if watch.ended else watch.wait_after())

    async def provision_many(
        self,
        users: Iterable[UserSpec],
        *,
        recipients: Sequence[str] = (),
        validate_only: bool = False,
        on_progress: Callable[[Operation], None] | None = None,
        account_id: str | None = None,
        patience: float = DEFAULT_PATIENCE,
    ) -> AsyncIterator[OperationResult]:
        """Make many users as one operation; the twin of `IdentityClient.provision_many`."""
        created = await self.create_operation(recipients=recipients, account_id=account_id)
        operation_id = created.operation.operation_id
        for number, batch in enumerate(in_batches(users)):
            await self.append_users(operation_id, number, batch, account_id=account_id)
        await self.start_operation(operation_id, validate_only=validate_only, account_id=account_id)
        async for operation in self.follow_operation(operation_id, account_id=account_id, patience=patience):
            if on_progress is not None:
                on_progress(operation)
        return self.iterate_operation_results(operation_id, account_id=account_id)

    async def _run(self, call: Call[Response]) -> Response:
        attempts = Attempts(call, self._defaults, self._pace)
        while True:
            try:
                async with self._lent() as channel:
                    send = channel.unary_unary(
                        call.rpc.path,
                        request_serializer=call.rpc.request_type.SerializeToString,
                        response_deserializer=call.rpc.response_type.FromString,
                    )
                    return await send(attempts.request, timeout=attempts.begin(), metadata=attempts.metadata)
            except grpc.RpcError as failure:
                if self._channels.has_ended:
                    raise attempts.final(failure) from None
                wait = attempts.wait_after(failure)
            await self._sleep(wait)

    async def _follow(self, call: Call[Response]) -> AsyncIterator[Response]:
        attempts = Attempts(call, self._defaults, self._pace)
        async with self._lent() as channel:
            send = channel.unary_stream(
                call.rpc.path,
                request_serializer=call.rpc.request_type.SerializeToString,
                response_deserializer=call.rpc.response_type.FromString,
            )
            responses = send(attempts.request, timeout=call.timeout, metadata=attempts.metadata)
            try:
                async for response in responses:
                    yield response
            except grpc.RpcError as failure:
                raise attempts.final(failure) from None
            finally:
                responses.cancel()

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[grpc.aio.Channel]:
        channel = self._channels.lend()
        try:
            yield channel
        finally:
            for unused in self._channels.take_back(channel):
                await unused.close()


def _open(where: Endpoint) -> grpc.aio.Channel:
    if where.credentials is None:
        return grpc.aio.insecure_channel(where.address, options=where.options)
    return grpc.aio.secure_channel(where.address, where.credentials, options=where.options)
