"""What probes are told by the real server while what it depends on comes and goes."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped] # ships no types

from embedded_aws import Fault
from embedded_aws.faults import throttled
from identity_client import IdentityClient, IdentityServiceError
from tests.integration.conftest import Account, start_server, wait_until_ready

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
USERS = "identity_provisioning.v1.UserService"
PATIENCE = 20.0


@dataclass
class Probed:
    """A server, as a client and as probes reach it."""

    address: str
    folder: Path
    check: Any

    def status(self, service: str) -> int:
        """Ask as Kubernetes does."""
        request = health_pb2.HealthCheckRequest(service=service)
        return int(self.check(request, timeout=10).status)

    def wait_for(self, status: int, service: str = "readiness") -> None:
        """Ask until the answer is this one."""
        eventually(lambda: self.status(service) == status)


def eventually(condition: Callable[[], bool]) -> None:
    """Wait for something in another process."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)  # Another process: there is nothing to wait on but its answers.


@pytest.fixture
def probed(account: Account, tmp_path: Path) -> Iterator[Probed]:
    """Run a server and connect to its health port."""
    process, ready = start_server(account, tmp_path)
    try:
        address = wait_until_ready(process, ready)
        with grpc.insecure_channel(json.loads(ready.read_text())["health_address"]) as channel:
            yield Probed(address, tmp_path, health_pb2_grpc.HealthStub(channel).Check)
    finally:
        process.terminate()
        process.wait(30)


def test_all_names_are_known(probed: Probed) -> None:
    """A server that serves is alive and ready, as a whole and by each service; another name is none."""
    assert [probed.status(name) for name in ("", "liveness", "readiness", USERS)] == [SERVING] * 4
    with pytest.raises(grpc.RpcError) as caught:
        probed.status("nonsense")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_a_dead_store_makes_it_unready_and_not_dead(probed: Probed) -> None:
    """Without its store it is sent no calls, is not started anew, and is ready by itself once the store is back."""
    store = probed.folder / "store.sqlite3"
    store.rename(probed.folder / "away")
    probed.wait_for(NOT_SERVING)
    assert [probed.status(name) for name in ("", USERS)] == [NOT_SERVING] * 2
    assert probed.status("liveness") == SERVING
    (probed.folder / "away").rename(store)
    probed.wait_for(SERVING)
    assert [probed.status(name) for name in ("", USERS, "liveness")] == [SERVING] * 3
    with IdentityClient(probed.address, insecure=True) as client:
        assert client.create_user("ana").user.user_name == "ana"


def test_policies_that_cannot_be_used_do_not_make_it_unready(probed: Probed) -> None:
    """Where the files on disk are broken, the rules in force go on to hold, and the server stays where it is."""
    (probed.folder / "authorization" / "everything.cedar").write_text("permit everything")
    eventually(lambda: "authorization_reload_failed" in (probed.folder / "server.log").read_text())
    assert [probed.status(name) for name in ("", "readiness", "liveness")] == [SERVING] * 3
    with IdentityClient(probed.address, insecure=True) as client:
        assert client.create_user("ana").user.user_name == "ana"


def test_a_throttled_iam_does_not_make_it_unready(probed: Probed, account: Account) -> None:
    """Where IAM refuses every call for a while, each RPC says so, and the server stays where it is."""
    account.aws.inject(Fault("*", throttled(), times=None))
    with IdentityClient(probed.address, insecure=True, timeout=3) as client, pytest.raises(IdentityServiceError):
        client.create_user("ana")
    assert [probed.status(name) for name in ("", "readiness", "liveness")] == [SERVING] * 3
