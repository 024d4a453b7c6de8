"""A real Prometheus: it understands the rules, and under load every graph of the dashboard has something to show."""

import asyncio
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen
from uuid import uuid4

import grpc
import pytest
import yaml

from embedded_aws import EmbeddedAws, Fault
from embedded_aws.faults import throttled
from identity_client import AsyncIdentityClient, IdentityServiceError, TlsFiles
from identity_provisioning.v1.user_pb2 import UserSpec
from identity_provisioning.v1.user_service_pb2 import ProvisionUserRequest
from identity_provisioning.v1.user_service_pb2_grpc import UserServiceStub
from tests.integration.conftest import Account
from tests.integration.secure_server import secure_server
from tests.support.bad_certificates import CALLER, URI, Pki
from tests.support.monitoring import Query, dashboard_queries, rule_groups

pytestmark = pytest.mark.system

Need = Callable[[str], str]
LOAD_SECONDS = float(os.environ.get("LOAD_SECONDS", "12"))
PATIENCE = 60.0
VARIABLES = {
    "IDENTITY_SERVICE_METRICS_LISTEN_ADDRESS": "127.0.0.1:0",
    "IDENTITY_SERVICE_AWS_CALLS_PER_SECOND": "200",
    "IDENTITY_SERVICE_AWS_RETRY_BUDGET": "10",
}
STRANGER = CALLER.replace("onboarding-bot", "unknown")


@dataclass(frozen=True)
class Prometheus:
    """A Prometheus that scrapes the server each second."""

    address: str
    began: float

    def ask(self, path: str, **parameters: object) -> list[dict[str, Any]]:
        """Ask its HTTP API."""
        query = urlencode({name: str(text) for name, text in parameters.items()})
        with urlopen(f"http://{self.address}/api/v1/{path}?{query}", timeout=10) as answer:
            document: dict[str, Any] = json.loads(answer.read())
        found = document["data"]
        result: list[dict[str, Any]] = found["result"] if path.startswith("query") else found["groups"]
        return result

    def graph(self, expression: str) -> list[dict[str, Any]]:
        """Return a graph's lines from the start until now; without those that have no number in them."""
        lines = self.ask("query_range", query=expression, start=self.began, end=time.time(), step=1)
        return [line for line in lines if any(text != "NaN" for _, text in line["values"])]


def eventually(condition: Callable[[], bool]) -> None:
    """Wait for something in another process."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)  # Another process: there is nothing to wait on but its answers.


def rules_file(folder: Path) -> Path:
    """Write the rules as Prometheus reads them, without what is Kubernetes' about them."""
    path = folder / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": rule_groups()}))
    return path


def test_promtool_understands_the_rules(need: Need, tmp_path: Path) -> None:
    """Prometheus's own check finds nothing to complain about."""
    command = [need("promtool"), "check", "rules", str(rules_file(tmp_path))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture(scope="module")
def prometheus(need: Need, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Run account, server and Prometheus, and put them under load for some seconds."""
    folder, pki = tmp_path_factory.mktemp("server"), Pki()
    with EmbeddedAws(access_control=True) as aws, secure_server(Account(aws), folder, pki, VARIABLES) as server:
        metrics = json.loads((folder / "ready.json").read_text())["metrics_address"]
        with _scraping(need("prometheus"), folder, metrics) as found:
            caller = pki.present(URI(CALLER))
            for name, content in (("ca", pki.root.pem), ("crt", caller.chain), ("key", caller.key)):
                (folder / f"client.{name}").write_bytes(content)
            files = TlsFiles(folder / "client.ca", folder / "client.crt", folder / "client.key")
            aws.inject(Fault("Create*", throttled(), times=None, probability=0.1))
            asyncio.run(_load(server.address.replace("127.0.0.1", "localhost"), files))
            _be_refused(server.channel(pki.present(URI(STRANGER))))
            # The last figures are scraped a second later.
            eventually(lambda: bool(found.graph('sum(rpc_server_call_duration_seconds_count{error_type!=""}) > 0')))
            yield found


@contextmanager
def _scraping(program: str, folder: Path, target: str) -> Iterator[Prometheus]:
    """Run Prometheus with the rules, on a port that was free a moment ago: it tells nobody which one it has chosen."""
    jobs = [{"job_name": "identity-service", "static_configs": [{"targets": [target]}]}]
    settings = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules_file(folder))],
        "scrape_configs": jobs,
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(settings))
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    paths = (
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address={address}",
    )
    process = subprocess.Popen([program, *paths], stderr=subprocess.DEVNULL)
    found = Prometheus(address, time.time())
    try:
        eventually(lambda: _is_scraping(found))
        yield found
    finally:
        process.terminate()
        process.wait(30)


def _is_scraping(prometheus: Prometheus) -> bool:
    try:
        return bool(prometheus.ask("query", query='up{job="identity-service"} == 1'))
    except OSError:
        return False


async def _load(address: str, files: TlsFiles) -> None:
    """Let two callers make users and look at them, and ask for one that is there, until the time is over."""
    until = time.monotonic() + LOAD_SECONDS
    async with AsyncIdentityClient(address, tls=files) as client:

        async def work(caller: int) -> None:
            number = 0
            while time.monotonic() < until:
                number += 1
                await client.provision_user(f"user-{caller}-{number}", access_key=True)
                await client.get_user(f"user-{caller}-{number}")
                if number % 5 == 0:
                    with pytest.raises(IdentityServiceError):
                        await client.create_user(f"user-{caller}-1")

        await asyncio.gather(work(1), work(2))


def _be_refused(channel: grpc.Channel) -> None:
    """Call as somebody whom no team knows."""
    request = ProvisionUserRequest(request_id=str(uuid4()), user=UserSpec(user_name="ana"))
    with channel, pytest.raises(grpc.RpcError) as caught:
        UserServiceStub(channel).ProvisionUser(request, timeout=10)
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize("query", dashboard_queries("10s"), ids=lambda query: query.title)
def test_every_graph_has_something_to_show(prometheus: Prometheus, query: Query) -> None:
    """Each query of the dashboard returns at least one line with numbers in it."""
    # A rate needs two scrapes after what it counts.
    eventually(lambda: bool(prometheus.graph(query.expression)))


def test_every_rule_is_evaluated_and_a_healthy_server_wakes_up_nobody(prometheus: Prometheus) -> None:
    """Prometheus evaluates each alert without an error, and none of them fires that somebody must act on at once."""

    def rules() -> list[dict[str, Any]]:
        return [rule for group in prometheus.ask("rules") for rule in group["rules"]]

    eventually(lambda: all(rule["health"] != "unknown" for rule in rules()))
    assert {rule["name"]: rule["health"] for rule in rules()} == {
        rule["alert"]: "ok" for group in rule_groups() for rule in group["rules"]
    }
    firing = {rule["name"] for rule in rules() if rule["state"] == "firing"}
    assert firing == set()
