"""One server of two: a process that drains and is started again on the same port, as a rolling update does it."""

import asyncio
import json
import signal
import subprocess
import time
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped] # ships no types

from tests.chaos.fleet import LOOPBACK, reserve_port
from tests.integration.conftest import Account, start_fresh_server, wait_until_ready
from tests.support.mutual_tls import MutualTls

EXIT_SECONDS = 40.0
"""What Kubernetes gives a pod to end in (`terminationGracePeriodSeconds`)."""
READY_SECONDS = 60.0
LOOK_EVERY = 0.05
READINESS = health_pb2.HealthCheckRequest(service="readiness")
PRODUCTION = {
    # The windows of time that are a server's own when nobody shortens them for a test.
    "IDENTITY_SERVICE_AWS_READ_TIMEOUT": "7",
    "IDENTITY_SERVICE_AWS_RETRY_BUDGET": "20",
    "IDENTITY_SERVICE_SETTLE_SECONDS": "15",
    "IDENTITY_SERVICE_LOG_LEVEL": "INFO",
}


class Replica:
    """A server under the role's own policy, on the store that it shares with the other."""

    def __init__(self, folder: Path, account: Account, store_url: str, tls: MutualTls) -> None:
        self._folder = folder
        self._account = account
        self._reserved = reserve_port()
        self._variables = {
            **PRODUCTION,
            **tls.variables,
            "IDENTITY_SERVICE_STORE_URL": store_url,
            "IDENTITY_SERVICE_LISTEN_ADDRESS": self.address,
        }
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"{LOOPBACK}:{self._reserved.getsockname()[1]}"

    async def start(self) -> None:
        """Start it, and wait until its health port says that it is ready."""
        health_address = await asyncio.to_thread(self._start)
        async with grpc.aio.insecure_channel(health_address, options=[("grpc.enable_http_proxy", 0)]) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            deadline = time.monotonic() + READY_SECONDS
            while (await health.Check(READINESS)).status != health_pb2.HealthCheckResponse.SERVING:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"the server in {self._folder} is not ready after {READY_SECONDS:g} s")
                await asyncio.sleep(LOOK_EVERY)

    async def restart(self) -> None:
        """Ask it to end, wait until it has drained and exited, and start it again.

        Raises:
            RuntimeError: it did not end in order, or was not ready in time.
        """
        await asyncio.to_thread(self._end)
        await self.start()

    async def stop(self) -> None:
        """End it for good, whatever state it is in."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)
        self._reserved.close()

    def _start(self) -> str:
        (self._folder / "ready.json").unlink(missing_ok=True)
        self._process, ready = start_fresh_server(self._account, self._folder, self._variables, options=())
        wait_until_ready(self._process, ready)
        return str(json.loads(ready.read_text())["health_address"])

    def _end(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(EXIT_SECONDS)
        if code != 0:
            raise RuntimeError(f"the server in {self._folder} ended with {code} after SIGTERM")
