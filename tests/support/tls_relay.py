"""A relay of clear connections over TLS of one version: gRPC's own client offers no choice of it."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path


@asynccontextmanager
async def tls_relay(
    target: str, authority: bytes, identity: bytes, version: ssl.TLSVersion, folder: Path
) -> AsyncIterator[str]:
    """Relay to a server that an authority vouches for; `identity` is certificate and key. Yields where to connect."""
    pem = folder / "client.pem"
    pem.write_bytes(identity)
    context = ssl.create_default_context(cadata=authority.decode())
    context.load_cert_chain(pem)
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2"])
    host, _, port = target.rpartition(":")
    tasks: list[asyncio.Task[None]] = []
    writers: list[asyncio.StreamWriter] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        far_reader, far_writer = await asyncio.open_connection(
            host, int(port), ssl=context, server_hostname="localhost"
        )
        writers.append(far_writer)
        tasks.extend((asyncio.create_task(pump(reader, far_writer)), asyncio.create_task(pump(far_reader, writer))))

    async with await asyncio.start_server(connect, "127.0.0.1", 0) as relay:
        yield f"127.0.0.1:{relay.sockets[0].getsockname()[1]}"
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()
        await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)
