"""The client for ordinary, blocking code."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Self

import grpc

from identity_client._bulk import DEFAULT_PATIENCE, Watch, in_batches
from identity_client._call import Attempts, Call, CallDefaults
from identity_client._channel import Endpoint, TlsFiles, endpoint
from identity_client._channels import Channels
from identity_client._contract import Response
from identity_client._errors import IdentityServiceError
from identity_client._methods import BlockingCaller
from identity_client._retry import Pace, Retry
from identity_client._service_methods import ServiceMethods
from identity_provisioning.v1.operation_pb2 import Operation, OperationResult
from identity_provisioning.v1.user_pb2 import UserSpec

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

    def follow_operation(
        self, operation_id: str, *, account_id: str | None = None, patience: float = DEFAULT_PATIENCE
    ) -> Iterator[Operation]:
        """Yield an operation whenever it has got on, until it has ended; broken connections are taken up again.

        It fails like any call, and where nothing was heard for `patience` seconds.
        """
        watch = Watch(operation_id, account_id or "", patience, self._pace, self._defaults.on_retry)
        while not watch.ended:
            try:
                for answer in self.watch_operation(watch.request):
                    yield watch.hear(answer)
            except IdentityServiceError as failure:
                self._sleep(watch.wait_after(failure))
            else:
                self._sleep(0.0 if watch.ended else watch.wait_after())

    def provision_many(
        self,
        users: Iterable[UserSpec],
        *,
        recipients: Sequence[str] = (),
        validate_only: bool = False,
        on_progress: Callable[[Operation], None] | None = None,
        account_id: str | None = None,
        patience: float = DEFAULT_PATIENCE,
    ) -> Iterator[OperationResult]:
        """Make many users as one operation, and wait for its end; iterate over what became of each, in order.

        Example:
            users = (user_spec(name, groups=["Developers"]) for name in names)
            for result in client.provision_many(users):
                print(result.user_name, result.WhichOneof("outcome"))

        The users are uploaded as they are taken from `users`, and the results read as they are asked for: none of it
        is held in memory as a whole. Whoever wants to come back after a crash uses `create_operation` and its
        siblings, and keeps the operation's id.

        Args:
            users: whom to make, 10,000 at most; each name once. Passwords are generated ones.
            recipients: age recipients to seal the secrets to; without any, no user may ask for credentials.
            validate_only: plan every user and make nobody; the results are plans.
            on_progress: is told whenever the operation has got on.
            account_id: the AWS account; the client's own where not given.
            patience: for how many seconds to try again while nothing is heard of the operation.
        """
        created = self.create_operation(recipients=recipients, account_id=account_id)
        operation_id = created.operation.operation_id
        for number, batch in enumerate(in_batches(users)):
            self.append_users(operation_id, number, batch, account_id=account_id)
        self.start_operation(operation_id, validate_only=validate_only, account_id=account_id)
        for operation in self.follow_operation(operation_id, account_id=account_id, patience=patience):
            if on_progress is not None:
                on_progress(operation)
        return self.iterate_operation_results(operation_id, account_id=account_id)

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
                if self._channels.has_ended:
                    raise attempts.final(failure) from None
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
