"""Two replicas under load, watched by Prometheus: calls, an operation, a throttled IAM, a killed replica, strangers."""

import asyncio
import json
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import grpc
import pytest

from embedded_aws import EmbeddedAws, Fault
from embedded_aws.faults import Hold, throttled
from identity_client import AsyncIdentityClient, IdentityServiceError, TlsFiles, in_batches, user_spec
from identity_provisioning.v1.user_pb2 import UserSpec
from identity_provisioning.v1.user_service_pb2 import ProvisionUserRequest
from identity_provisioning.v1.user_service_pb2_grpc import UserServiceStub
from identity_service.adapters.store import migrate
from tests.chaos.fleet import reserve_port
from tests.integration.conftest import Account
from tests.integration.secure_server import STRANGER, SecureServer, secure_server
from tests.support.bad_certificates import CALLER, URI, Pki
from tests.support.postgres import new_database, start_postgres
from tests.system.prometheus import PATIENCE, Prometheus, eventually, run_prometheus

VARIABLES = {
    "IDENTITY_SERVICE_METRICS_LISTEN_ADDRESS": "127.0.0.1:0",
    "IDENTITY_SERVICE_AWS_CALLS_PER_SECOND": "60",
    "IDENTITY_SERVICE_AWS_RETRY_BUDGET": "10",
    "IDENTITY_SERVICE_AWS_CONNECT_TIMEOUT": "0.5",
    "IDENTITY_SERVICE_AWS_READ_TIMEOUT": "1.5",
    "IDENTITY_SERVICE_LEASE_SECONDS": "6",
    "IDENTITY_SERVICE_BULK_CONCURRENCY": "4",
}
USERS_A_SECOND = 5
"""How large the operation is, for each second of the load."""
STRANGERS = 6
"""How often somebody calls whom no team knows."""
BULK_AT, THROTTLED_AT, KILLED_AT, CALM_AT = 0.08, 0.25, 0.5, 0.75
"""When things happen, in parts of the whole time."""


@dataclass
class Pod:
    """A replica with its name, as Kubernetes would give it."""

    name: str
    server: SecureServer

    @property
    def metrics_address(self) -> str:
        """Where it is scraped."""
        return str(json.loads((self.server.folder / "ready.json").read_text())["metrics_address"])


@dataclass
class Replicas:
    """The pods of a deployment, each in a place that has an address: whoever comes after a dead one has its address."""

    account: Account
    folder: Path
    pki: Pki
    store_url: str
    prometheus: Prometheus
    stack: ExitStack
    places: tuple[socket.socket, ...]
    pods: dict[int, Pod] = field(default_factory=dict)
    started: int = 0

    def address(self, place: int) -> str:
        """Return where the clients of a place call."""
        return f"localhost:{self.places[place].getsockname()[1]}"

    def start(self, place: int) -> None:
        """Start a pod in a place, and have it scraped."""
        self.started += 1
        folder = self.folder / f"pod-{self.started}"
        folder.mkdir()
        variables = {
            **VARIABLES,
            "IDENTITY_SERVICE_STORE_URL": self.store_url,
            "IDENTITY_SERVICE_LISTEN_ADDRESS": f"127.0.0.1:{self.places[place].getsockname()[1]}",
        }
        server = self.stack.enter_context(secure_server(self.account, folder, self.pki, variables))
        self.pods[place] = Pod(folder.name, server)
        self.prometheus.scrape({pod.name: pod.metrics_address for pod in self.pods.values()})
        eventually(lambda: self.prometheus.is_up(folder.name))

    def kill(self, place: int) -> None:
        """Kill the pod of a place; nobody scrapes it any more."""
        process = self.pods.pop(place).server.process
        assert process is not None
        process.kill()
        process.wait()
        self.prometheus.scrape({pod.name: pod.metrics_address for pod in self.pods.values()})


@dataclass
class Load:
    """What the replicas go through, and when it was, in seconds since Prometheus has begun."""

    replicas: Replicas
    tls: TlsFiles
    seconds: float
    events: dict[str, float] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    async def run(self) -> None:
        """Go through all of it; return once the time is over and each call is answered."""
        await asyncio.gather(*(self._call(place) for place in (0, 1)), self._bulk(), self._strangers(), self._trouble())

    async def _until(self, part: float, event: str = "") -> None:
        await asyncio.sleep(self.began + part * self.seconds - time.monotonic())
        if event:
            self.events[event] = time.time() - self.replicas.prometheus.began

    async def _call(self, place: int) -> None:
        """Make users, look at them, and now and then ask for one that is there."""
        async with AsyncIdentityClient(self.replicas.address(place), tls=self.tls) as client:
            number = 0
            while time.monotonic() < self.began + self.seconds:
                number += 1
                await client.provision_user(f"user-{place}-{number}", access_key=True)
                await client.get_user(f"user-{place}-{number}")
                if number % 5 == 0:
                    with pytest.raises(IdentityServiceError):
                        await client.create_user(f"user-{place}-1")

    async def _bulk(self) -> None:
        """Begin an operation that takes most of the time, in which some users cannot be made."""
        await self._until(BULK_AT, "an operation begins")
        users = (
            user_spec(f"bulk-{number}", groups=["Absent"] if number % 20 == 19 else [])
            for number in range(int(self.seconds * USERS_A_SECOND))
        )
        async with AsyncIdentityClient(self.replicas.address(1), tls=self.tls) as client:
            operation_id = (await client.create_operation()).operation.operation_id
            for number, batch in enumerate(in_batches(users)):
                await client.append_users(operation_id, number, batch)
            await client.start_operation(operation_id)

    async def _strangers(self) -> None:
        for turn in range(1, STRANGERS + 1):
            await self._until(turn / (STRANGERS + 1))
            await asyncio.to_thread(self._be_refused)

    async def _trouble(self) -> None:
        """Throttle what IAM creates, and kill a replica meanwhile; another one takes its place."""
        await self._until(THROTTLED_AT, "IAM throttles")
        self.replicas.account.aws.inject(Fault("Create*", throttled(), times=None, probability=0.1))
        await self._until(KILLED_AT, "pod-1 is killed")
        await self._kill()
        await self._until(CALM_AT, "IAM is calm")
        self.replicas.account.aws.clear_faults()

    async def _kill(self) -> None:
        """Kill a replica in the middle of a call, and start another one in its place; the caller asks on."""
        aws = self.replicas.account.aws
        aws.inject(Fault("CreateUser", Hold(), {"UserName": "left-behind"}))
        async with AsyncIdentityClient(self.replicas.address(0), tls=self.tls) as client:
            call = asyncio.create_task(client.provision_user("left-behind"))
            await asyncio.to_thread(aws.wait_for_held, 1, PATIENCE)
            await asyncio.to_thread(self.replicas.kill, 0)
            aws.release()
            await asyncio.to_thread(self.replicas.start, 0)
            await call

    def _be_refused(self) -> None:
        """Call as somebody whom no team knows."""
        server = self.replicas.pods[1].server
        request = ProvisionUserRequest(request_id=str(uuid4()), user=UserSpec(user_name="ana"))
        with server.channel(server.pki.present(URI(STRANGER))) as channel, pytest.raises(grpc.RpcError) as caught:
            UserServiceStub(channel).ProvisionUser(request, timeout=20)
        assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED


@contextmanager
def under_load(program: str, seconds: float) -> Iterator[Load]:
    """Run account, store, Prometheus and two replicas, and put them under load; all still run while the block lasts."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="monitored-")))
        aws = stack.enter_context(EmbeddedAws(access_control=True))
        postgres = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pg-")))
        store_url = stack.enter_context(new_database(stack.enter_context(start_postgres(postgres))))
        migrate(store_url)
        prometheus = stack.enter_context(run_prometheus(program, folder))
        places = (stack.enter_context(reserve_port()), stack.enter_context(reserve_port()))
        replicas = Replicas(Account(aws), folder, _healthy_pki(), store_url, prometheus, stack, places)
        for place in (0, 1):
            replicas.start(place)
        load = Load(replicas, _present(replicas), seconds)
        asyncio.run(load.run())
        yield load


def _healthy_pki() -> Pki:
    """Make certificates; the clients' bundle has no authority that has expired, as those of other tests have."""
    pki = Pki()
    pki.bundle = pki.root.pem
    return pki


def _present(replicas: Replicas) -> TlsFiles:
    """Write the files of the caller who is known."""
    caller = replicas.pki.present(URI(CALLER))
    paths = {name: replicas.folder / f"client.{name}" for name in ("ca", "crt", "key")}
    for name, content in (("ca", replicas.pki.root.pem), ("crt", caller.chain), ("key", caller.key)):
        paths[name].write_bytes(content)
    return TlsFiles(paths["ca"], paths["crt"], paths["key"])
