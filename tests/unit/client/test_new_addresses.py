"""The client finds replicas that came back under other addresses, as Kubernetes gives them."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import cast

import grpc

from identity_client import AsyncIdentityClient
from identity_client._contract import rpc
from identity_provisioning.v1.user_pb2 import User
from identity_provisioning.v1.user_service_pb2 import GetUserRequest, GetUserResponse

OLD, NEW = "127.0.0.2", "127.0.0.3"
NAME = "identity.test"
TIMEOUT = 10.0
"""Far less than the 30 s for which gRPC, left alone, keeps the addresses that it was told."""
TYPE_A = 1
ANSWER_FLAGS = 0x8180


class Names(asyncio.DatagramProtocol):
    """A DNS server that knows one name, and lets nobody keep its answer."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way to answer."""
        # Python 3.11's transport does not say that it is one.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer with the address; there is none of other kinds than A."""
        assert self._transport is not None
        question = data[12 : data.index(b"\0", 12) + 5]
        (kind,) = struct.unpack(">H", question[-4:-2])
        answers = [self._record()] if kind == TYPE_A else []
        header = data[:2] + struct.pack(">HHHHH", ANSWER_FLAGS, 1, len(answers), 0, 0)
        self._transport.sendto(header + question + b"".join(answers), addr)

    def _record(self) -> bytes:
        # A pointer to the question's name, type A, class IN, no time to live, four bytes of address.
        return b"\xc0\x0c" + struct.pack(">HHIH", TYPE_A, 1, 0, 4) + socket.inet_aton(self.address)


async def test_a_replica_under_a_new_address_is_called_within_seconds() -> None:
    """All known replicas are replaced right after their names were resolved: the next call reaches the new one."""
    with _port_on_every_address() as port:
        async with _names(OLD) as (names, names_port), _replica(NEW, port):
            # Plain text to a name: gRPC itself sees to it that the address is this machine's.
            local = grpc.local_channel_credentials(grpc.LocalConnectionType.LOCAL_TCP)
            target = f"dns://127.0.0.1:{names_port}/{NAME}:{port}"
            async with AsyncIdentityClient(target, credentials=local, timeout=TIMEOUT) as client:
                async with _replica(OLD, port):
                    assert (await client.get_user("ana")).user.user_name == OLD
                    names.address = NEW
                assert (await client.get_user("ana")).user.user_name == NEW


@contextmanager
def _port_on_every_address() -> Iterator[int]:
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Bound and not listened on: nobody connects to it.
        reserved.bind(("0.0.0.0", 0))  # noqa: S104 - nothing listens
        yield int(reserved.getsockname()[1])


@asynccontextmanager
async def _names(address: str) -> AsyncIterator[tuple[Names, int]]:
    loop = asyncio.get_running_loop()
    transport, names = await loop.create_datagram_endpoint(lambda: Names(address), ("127.0.0.1", 0))
    try:
        yield names, transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


@asynccontextmanager
async def _replica(address: str, port: int) -> AsyncIterator[None]:
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((_answering(address),))
    server.add_insecure_port(f"{address}:{port}")
    await server.start()
    try:
        yield
    finally:
        await server.stop(None)


def _answering(address: str) -> grpc.GenericRpcHandler:
    """Answer GetUser, and say from where."""

    async def get_user(request: GetUserRequest, context: object) -> GetUserResponse:
        return GetUserResponse(user=User(user_name=address))

    handler = grpc.unary_unary_rpc_method_handler(
        get_user,
        request_deserializer=GetUserRequest.FromString,
        response_serializer=GetUserResponse.SerializeToString,
    )
    service, method = rpc(GetUserRequest, GetUserResponse).path.strip("/").split("/")
    return grpc.method_handlers_generic_handler(service, {method: handler})
