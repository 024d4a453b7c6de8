"""The client for ordinary, blocking code."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Self

import grpc

from identity_client._call import Attempts, Call, CallDefaults
from identity_client._channel import Endpoint, TlsFiles, endpoint
from identity_client._channels import Channels
from identity_client._contract import Response
from identity_client._methods import BlockingCaller
from identity_client._retry import Pace, Retry
from identity_client._service_methods import ServiceMethods

DEFAULT_TIMEOUT = 30.0


class IdentityClient(ServiceMethods, BlockingCaller):
    """Speaks to the identity service; one client may be used by many threads.

    Example:
        tls = TlsFiles("ca.pem", "client.pem", "client.key")
        with IdentityClient("identity.example:8443", tls=tls) as client:
            made = client.provision_user("ana.lima", groups=["Developers"], access_key=True)
            print(made.user.arn, made.credentials.access_key.access_key_id)
    """

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
        """Prepare the connection; it is made by the first call.

        Args:
            target: HOST:PORT, or any name that gRPC takes.
            tls: the PEM files of the connection, read again when they change; without them the public authorities
                are trusted.
            credentials: gRPC channel credentials, in the place of `tls`.
            insecure: speak in clear; taken for targets on this machine only.
            account_id: the AWS account for calls that name none.
            timeout: seconds for calls that name none, retries included.
            attempt_timeout: seconds after which an attempt without an answer is cut and another one made, which has
                twice as many; a third of the call's time, but between 5 and 20 seconds, where not given.
            on_retry: is told of every failure after which the client will try again, before it waits; it must not
                raise.

        Raises:
            ValueError: the options contradict one another, or ask for plain text to another machine.
        """
        self._defaults = CallDefaults(account_id or "", timeout, attempt_timeout, on_retry)
        self._pace = Pace()
        self._sleep: Callable[[float], None] = time.sleep
        self._channels = Channels(
            partial(endpoint, target, tls=tls, credentials=credentials, insecure=insecure),
            _open,
            tls.paths if tls else (),
        )

    def __enter__(self) -> Self:
        """Answer the client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection; calls under way are cut."""
        for channel in self._channels.end():
            channel.close()

    def wait_until_connected(self, within: float) -> bool:
        """Connect now; tell whether that went well within so many seconds."""
        with self._lent() as channel:
            try:
                grpc.channel_ready_future(channel).result(within)
            except grpc.FutureTimeoutError:
                return False
            return True

    def _run(self, call: Call[Response]) -> Response:
        attempts = Attempts(call, self._defaults, self._pace)
        while True:
            try:
                with self._lent() as channel:
                    send = channel.unary_unary(
                        call.rpc.path,
                        request_serializer=call.rpc.request_type.SerializeToString,
                        response_deserializer=call.rpc.response_type.FromString,
                    )
                    return send(attempts.request, timeout=attempts.begin(), metadata=attempts.metadata)
            except grpc.RpcError as failure:
                wait = attempts.wait_after(failure)
            self._sleep(wait)

    def _follow(self, call: Call[Response]) -> Iterator[Response]:
        attempts = Attempts(call, self._defaults, self._pace)
        with self._lent() as channel:
            send = channel.unary_stream(
                call.rpc.path,
                request_serializer=call.rpc.request_type.SerializeToString,
                response_deserializer=call.rpc.response_type.FromString,
            )
            responses = send(attempts.request, timeout=call.timeout, metadata=attempts.metadata)
            try:
                yield from responses
            except grpc.RpcError as failure:
                raise attempts.final(failure) from None
            finally:
                responses.cancel()

    @contextmanager
    def _lent(self) -> Iterator[grpc.Channel]:
        channel = self._channels.lend()
        try:
            yield channel
        finally:
            for unused in self._channels.take_back(channel):
                unused.close()


def _open(where: Endpoint) -> grpc.Channel:
    if where.credentials is None:
        return grpc.insecure_channel(where.address, options=where.options)
    return grpc.secure_channel(where.address, where.credentials, options=where.options)
