"""Metrics of the real server, as Prometheus scrapes them and as a collector receives them."""

import json
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import urlopen
from uuid import uuid4

import grpc
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import (
    MetricsServiceServicer,
    add_MetricsServiceServicer_to_server,
)

from embedded_aws import Fault
from embedded_aws.faults import throttled
from identity_client import ConsolePassword, IdentityClient, IdentityServiceError
from identity_provisioning.v1.user_pb2 import UserSpec
from identity_provisioning.v1.user_service_pb2 import ProvisionUserRequest
from identity_provisioning.v1.user_service_pb2_grpc import UserServiceStub
from tests.integration.conftest import Account, start_server, wait_until_ready
from tests.integration.secure_server import secure_server
from tests.support.bad_certificates import CALLER, URI, Pki
from tests.support.monitoring import OTHERS, alerts, dashboard_queries, metrics_in

METRICS = {"IDENTITY_SERVICE_METRICS_LISTEN_ADDRESS": "127.0.0.1:0", "IDENTITY_SERVICE_AWS_CALLS_PER_SECOND": "1000"}
CUSTOM = 'Canary-"7&kept/secret'
LABELS = {
    "action", "bulk", "certificate", "check", "cloud_account_id", "db_operation_name", "db_system_name", "direction",
    "error_type", "files", "finding", "le", "outcome", "queue", "rpc_method",
    "rpc_response_status_code", "rpc_system_name",
}  # fmt: skip
"""What may tell one series from another; each of them has few values, and none is of a caller's choosing."""


def scrape(folder: Path) -> str:
    """Read the metrics of the server that keeps its files in a folder."""
    address = json.loads((folder / "ready.json").read_text())["metrics_address"]
    with urlopen(f"http://{address}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


def value(exposition: str, name: str, **labels: str) -> float:
    """Add up the series of a name that have these labels."""
    found = 0.0
    for line in exposition.splitlines():
        series, _, number = line.rpartition(" ")
        if re.match(rf"{name}(\{{|$)", series) and all(f'{key}="{text}"' in series for key, text in labels.items()):
            found += float(number)
    return found


@pytest.fixture
def served(account: Account, tmp_path: Path) -> Iterator[IdentityClient]:
    """Run a server that is scraped, and connect to it."""
    process, ready = start_server(account, tmp_path, METRICS)
    try:
        with IdentityClient(wait_until_ready(process, ready), insecure=True) as client:
            yield client
    finally:
        process.terminate()
        process.wait(30)


def test_what_a_call_does_is_counted(served: IdentityClient, account: Account, tmp_path: Path) -> None:
    """One provision is one RPC, one mutation, and each of its IAM calls; a refusal has its reason."""
    account.aws.clear_calls()
    served.provision_user("ana", access_key=True)
    with pytest.raises(IdentityServiceError):
        served.provision_user("ana")
    exposition = scrape(tmp_path)
    provision = "identity_provisioning.v1.UserService/ProvisionUser"
    rpcs = "rpc_server_call_duration_seconds_count"
    assert value(exposition, rpcs, rpc_method=provision, rpc_response_status_code="OK") == 1
    assert value(exposition, rpcs, rpc_method=provision, error_type="USER_ALREADY_EXISTS") == 1
    mutations = "identity_service_mutation_duration_seconds_count"
    assert value(exposition, mutations, action="ProvisionUser", outcome="OK", bulk="false") == 1
    for operation in ("CreateUser", "CreateAccessKey", "GetUser"):
        sent = sum(call.operation == operation for call in account.aws.calls())
        assert value(exposition, "rpc_client_call_duration_seconds_count", rpc_method=f"IAM/{operation}") == sent > 0
    assert value(exposition, "db_client_operation_duration_seconds_count", db_operation_name="succeed") == 1


def test_throttling_is_seen(served: IdentityClient, account: Account, tmp_path: Path) -> None:
    """A refusal of AWS's for too many calls is counted by its kind, and the pace is told."""
    account.aws.inject(Fault("CreateUser", throttled(), times=1))
    served.create_user("bo")
    exposition = scrape(tmp_path)
    calls = "rpc_client_call_duration_seconds_count"
    assert value(exposition, calls, rpc_method="IAM/CreateUser", error_type="THROTTLED") == 1
    assert value(exposition, calls, rpc_method="IAM/CreateUser", error_type="") == 1
    assert (
        1 <= value(exposition, "identity_service_aws_pace_per_second", cloud_account_id=account.aws.account_id) <= 1000
    )


def test_nothing_of_a_callers_choosing_is_shown(served: IdentityClient, tmp_path: Path) -> None:
    """No series has a user's name, a secret or a request's id, and only known labels tell series apart."""
    made = served.provision_user("canary.user", access_key=True, console_password=ConsolePassword(custom=CUSTOM))
    exposition = scrape(tmp_path)
    assert made.credentials.access_key.secret_access_key not in exposition
    assert "anary" not in exposition
    series = [line for line in exposition.splitlines() if not line.startswith(("#", "target_info", "process_"))]
    assert {label for line in series for label in re.findall(r'(\w+)="', line)} <= LABELS


def test_every_metric_that_is_asked_for_is_there(account: Account, tmp_path: Path) -> None:
    """Each metric in an alert or a graph is one that a server with TLS shows after its first calls."""
    pki = Pki()
    with secure_server(account, tmp_path, pki, METRICS) as server:
        with server.channel(pki.present(URI(CALLER))) as channel:
            made = UserServiceStub(channel).ProvisionUser(
                ProvisionUserRequest(request_id=str(uuid4()), user=UserSpec(user_name="ana")), timeout=20
            )
            assert made.user.user_name == "ana"
        exposition = scrape(tmp_path)
    shown = set(re.findall(r"(?m)^([a-z_]+)[{ ]", exposition))
    asked = {name for alert in alerts() for name in metrics_in(alert["expr"])}
    asked |= {name for query in dashboard_queries() for name in metrics_in(query.expression)}
    asked = {name for name in asked if not name.startswith(OTHERS)}
    assert len(asked) > 15
    assert asked <= shown
    day = 86400
    assert 0 < value(exposition, "identity_service_certificate_remaining_seconds", certificate="server") < 3650 * day


def test_nobody_listens_unless_that_is_set(server_folder: Path, server: str) -> None:
    """By default a server has no address for metrics."""
    assert "metrics_address" not in json.loads((server_folder / "ready.json").read_text())


def test_an_address_that_is_taken_stops_the_start(account: Account, tmp_path: Path) -> None:
    """The start ends with the address that cannot be listened on."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        process, _ = start_server(account, tmp_path, {"IDENTITY_SERVICE_METRICS_LISTEN_ADDRESS": taken})
        assert process.wait(30) == 1


class Collector(MetricsServiceServicer):
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.received: list[ExportMetricsServiceRequest] = []

    def Export(  # noqa: N802 - the contract of OTLP names it
        self, request: ExportMetricsServiceRequest, context: grpc.ServicerContext
    ) -> ExportMetricsServiceResponse:
        """Take some metrics."""
        self.received.append(request)
        return ExportMetricsServiceResponse()


def test_metrics_are_sent_where_the_standard_variables_say(account: Account, tmp_path: Path) -> None:
    """A server that is told of a collector sends it its metrics, the last ones when it ends."""
    collector, server = Collector(), grpc.server(ThreadPoolExecutor(1))
    add_MetricsServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call] # generated without types
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    variables = {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"http://127.0.0.1:{port}", "OTEL_SERVICE_NAME": "blue"}
    process, ready = start_server(account, tmp_path, variables)
    with IdentityClient(wait_until_ready(process, ready), insecure=True) as client:
        client.create_user("ana")
    process.terminate()
    assert process.wait(30) == 0
    server.stop(None).wait()
    sent = b"".join(request.SerializeToString() for request in collector.received)
    for name in (b"rpc.server.call.duration", b"identity_service.mutation.duration", b"blue"):
        assert name in sent
