"""The command `identity-service` as a process: start, readiness, drain, and refusals to start."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped] # ships no types

from identity_provisioning.v1.account_service_pb2 import GetAccountRequest
from identity_provisioning.v1.account_service_pb2_grpc import AccountServiceStub
from tests.k8s.service_rules import SECONDS_TO_STOP
from tests.support.processes import Process
from tests.unit.rpc.certificates import DNS, Authority

SERVING = health_pb2.HealthCheckResponse.SERVING
START_SECONDS = 30.0
AUTHORIZATION = """
teams:
  try-out:
    accounts:
      "*": unguarded
callers:
  "spiffe://insecure.local/caller": try-out
"""
EVERYTHING = '@id("everything") permit (principal, action, resource);'
LOOPBACK = ("--listen", "127.0.0.1:0", "--health", "127.0.0.1:0")

WITHOUT_AWS = {
    "IDENTITY_SERVICE_AWS_ACCOUNT_ID": "123456789012",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""No credentials, wherever the tests run."""
SILENCE_SECONDS = 8.0
"""Longer than one question to an AWS that does not answer, shorter than the retries."""

Running = Process | subprocess.Popen[bytes]
Start = Callable[..., Running]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Set what the process needs, and nothing that is set where the tests run."""
    authorization = tmp_path / "authorization"
    authorization.mkdir()
    (authorization / "callers.yaml").write_text(AUTHORIZATION)
    (authorization / "everything.cedar").write_text(EVERYTHING)
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("IDENTITY_SERVICE_", "AWS_", "OTEL_"))}
    return inherited | {
        "IDENTITY_SERVICE_AUTHORIZATION_DIR": str(authorization),
        "IDENTITY_SERVICE_STORE_URL": f"sqlite:///{tmp_path}/store.sqlite3",
    }


@pytest.fixture
def start(tmp_path: Path, environment: dict[str, str]) -> Iterator[Start]:
    """Start the command with its log in a file; whatever still runs at the end of the test is killed.

    `fresh` says that an interpreter of its own is part of what is tested.
    """
    processes: list[Running] = []

    def run(*arguments: str, fresh: bool = False) -> Running:
        with (tmp_path / "log").open("wb") as log:
            if fresh:
                command = (sys.executable, "-m", "identity_service", *arguments)
                processes.append(subprocess.Popen(command, env=environment, stderr=log))
            else:
                processes.append(Process("identity_service", arguments, env=environment, stderr=log))
        return processes[-1]

    yield run
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.wait()


def wait_for_addresses(process: Running, file: Path) -> dict[str, str]:
    """Wait for the ready file; fail if the process ends before it is there."""
    deadline = time.monotonic() + START_SECONDS
    while not file.exists():
        assert process.poll() is None, "the service ended before it was ready"
        assert time.monotonic() < deadline, "the service did not become ready"
        time.sleep(0.02)  # A file of another process: there is nothing to wait on but its being there.
    addresses: dict[str, str] = json.loads(file.read_text())
    return addresses


def refused(process: Running, tmp_path: Path) -> tuple[int, str]:
    """Wait for a process that cannot start; return its exit code and what it said."""
    code = process.wait(START_SECONDS)
    return code, (tmp_path / "log").read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_service_serves_until_a_signal_and_drains(start: Start, tmp_path: Path, number: signal.Signals) -> None:
    """With the embedded account the service answers, is healthy, and a signal ends it in order with exit code 0."""
    ready = tmp_path / "ready.json"
    process = start("--insecure", "--embedded-aws", *LOOPBACK, "--ready-file", str(ready), fresh=True)
    addresses = wait_for_addresses(process, ready)
    with grpc.insecure_channel(addresses["listen_address"]) as channel:
        assert AccountServiceStub(channel).GetAccount(GetAccountRequest(), timeout=10).account.account_id
    with grpc.insecure_channel(addresses["health_address"]) as channel:
        check: Any = health_pb2_grpc.HealthStub(channel).Check
        for name in ("", "identity_provisioning.v1.UserService"):
            assert check(health_pb2.HealthCheckRequest(service=name), timeout=10).status == SERVING
        unknown: Any = channel.unary_unary("/identity_provisioning.v1.AccountService/GetAccount", None, None)
        with pytest.raises(grpc.RpcError) as nothing_else_there:
            unknown(b"", timeout=10)
        assert nothing_else_there.value.code() is grpc.StatusCode.UNIMPLEMENTED
    process.send_signal(number)
    assert process.wait(START_SECONDS) == 0
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    events = [line["event"] for line in lines]
    assert events[0].startswith("INSECURE")
    (serving,) = [line for line in lines if line["event"] == "serving"]
    assert serving["version"] == version("identity-provisioning-service")
    assert [event for event in events if event in ("serving", "draining", "drained")] == [
        "serving",
        "draining",
        "drained",
    ]


def test_wrong_settings_end_with_code_2_and_no_traceback(start: Start, tmp_path: Path) -> None:
    """Without any TLS file, each is named on a line of its own."""
    code, said = refused(start("--embedded-aws", *LOOPBACK, fresh=True), tmp_path)
    assert code == 2
    lines = said.splitlines()
    assert [line.split(":")[1].strip() for line in lines] == [
        "IDENTITY_SERVICE_TLS_CERTIFICATE_FILE",
        "IDENTITY_SERVICE_TLS_PRIVATE_KEY_FILE",
        "IDENTITY_SERVICE_CLIENT_CA_FILE",
    ]


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        ("IDENTITY_SERVICE_STORE_URL", "mysql://canary@host/x", "databases of type mysql are not supported"),
        ("IDENTITY_SERVICE_STORE_URL", "sqlite:////nonexistent/x", "the directory /nonexistent of the store does not"),
        ("IDENTITY_SERVICE_STORE_URL", "canary", "the store's URL is not a database URL"),
        ("IDENTITY_SERVICE_STORE_URL", "postgresql://host:canary/x", "the store's URL is not a database URL"),
        ("IDENTITY_SERVICE_LOG_FILE", "/nonexistent/x.log", "cannot be opened: No such file or directory"),
        ("IDENTITY_SERVICE_AWS_REGION", "xx-nowhere-1", "boto3 knows no region xx-nowhere-1"),
        ("IDENTITY_SERVICE_AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/r", "there are no credentials to assume"),
        ("AWS_PROFILE", "canary", "boto3 finds no such profile"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "canary", "must be a number of seconds"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", "only grpc is supported"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "canary", "must be http://HOST:PORT or https://HOST:PORT"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "canary", "must be a number of milliseconds"),
    ],
)
def test_a_wrong_variable_is_named_with_an_example(
    start: Start, tmp_path: Path, environment: dict[str, str], variable: str, value: str, problem: str
) -> None:
    """Whatever part of the service it is for, the last line names variable, problem and example; the code is 2."""
    environment.update(WITHOUT_AWS)
    if variable.startswith("OTEL_"):
        environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:4317"
    environment[variable] = value
    code, said = refused(start("--insecure", *LOOPBACK), tmp_path)
    assert code == 2
    last = said.splitlines()[-1]
    assert last.startswith(f"identity-service: {variable}: ")
    assert problem in last
    assert f"; for example {variable}=" in last
    assert "Traceback" not in said
    assert "canary" not in said


@pytest.mark.parametrize("name", ["TLS_CERTIFICATE_FILE", "TLS_PRIVATE_KEY_FILE", "CLIENT_CA_FILE"])
def test_a_wrong_tls_file_is_named(start: Start, tmp_path: Path, environment: dict[str, str], name: str) -> None:
    """A TLS file that is no PEM stops the start with its variable, before gRPC fails to say why."""
    authority = Authority()
    identity = authority.issue([DNS("localhost")])
    contents = {
        "TLS_CERTIFICATE_FILE": identity.certificate,
        "TLS_PRIVATE_KEY_FILE": identity.private_key,
        "CLIENT_CA_FILE": authority.certificate,
        name: b"canary",
    }
    for variable, content in contents.items():
        (tmp_path / variable).write_bytes(content)
        environment[f"IDENTITY_SERVICE_{variable}"] = str(tmp_path / variable)
    environment.update(WITHOUT_AWS)
    code, said = refused(start(*LOOPBACK), tmp_path)
    assert code == 2
    assert said.splitlines()[-1].startswith(
        f"identity-service: IDENTITY_SERVICE_{name}: {tmp_path / name} holds no PEM"
    )
    assert "Traceback" not in said


def test_without_credentials_the_service_serves_and_says_so(
    start: Start, tmp_path: Path, environment: dict[str, str]
) -> None:
    """Missing credentials may come later, with the machine's role; until then a line says what is missing."""
    environment.update(WITHOUT_AWS)
    process = start("--insecure", *LOOPBACK, "--ready-file", str(tmp_path / "ready.json"))
    wait_for_addresses(process, tmp_path / "ready.json")
    process.terminate()
    assert process.wait(START_SECONDS) == 0
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    (line,) = [line for line in lines if line["event"] == "the AWS account could not be verified"]
    assert line["problem"].startswith("boto3 found no AWS credentials")


@pytest.mark.parametrize("collector", ["hangs", "away"])
def test_a_dead_collector_does_not_use_up_the_time_to_stop(
    start: Start, tmp_path: Path, environment: dict[str, str], collector: str
) -> None:
    """With nothing to drain, the end is within what the manifests leave beside the drain."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1] if collector == "hangs" else 1
        environment.update(WITHOUT_AWS, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}")
        process = start("--insecure", *LOOPBACK, "--ready-file", str(tmp_path / "ready.json"))
        address = wait_for_addresses(process, tmp_path / "ready.json")["listen_address"]
        with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError):
            AccountServiceStub(channel).GetAccount(GetAccountRequest(account_id="999999999999"), timeout=START_SECONDS)
        signalled = time.monotonic()
        process.terminate()
        assert process.wait(START_SECONDS) == 0
        assert time.monotonic() - signalled < SECONDS_TO_STOP
    assert "telemetry_cut_off" in (tmp_path / "log").read_text()


def test_a_dead_collector_does_not_hold_up_a_refusal(start: Start, tmp_path: Path, environment: dict[str, str]) -> None:
    """A start that is refused, which Kubernetes repeats, waits for the collector no longer than an end does."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(START_SECONDS)
        environment.update(WITHOUT_AWS, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{silent.getsockname()[1]}")
        environment["IDENTITY_SERVICE_STORE_URL"] = "mysql://host/x"
        process = start("--insecure", *LOOPBACK)
        with silent.accept()[0]:
            connected = time.monotonic()
            assert process.wait(START_SECONDS) == 2
            assert time.monotonic() - connected < SECONDS_TO_STOP


def test_a_server_with_tls_takes_no_secret_from_a_variable(
    start: Start, tmp_path: Path, environment: dict[str, str]
) -> None:
    """Whoever serves in earnest with a key of AWS in a variable is told where it belongs, and the key is not said."""
    environment.update(WITHOUT_AWS)
    environment.update(AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE", AWS_SECRET_ACCESS_KEY="canary")
    code, said = refused(start(*LOOPBACK), tmp_path)
    assert code == 2
    assert "identity-service: AWS_SECRET_ACCESS_KEY: must not be set" in said
    assert "AWS_SHARED_CREDENTIALS_FILE=" in said
    assert "canary" not in said


def test_an_aws_that_does_not_answer_delays_neither_the_start_nor_its_end(
    start: Start, tmp_path: Path, environment: dict[str, str]
) -> None:
    """Before AWS has answered, a signal ends the start at once; left alone, the service serves soon."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(START_SECONDS)
        environment.update(WITHOUT_AWS)
        environment.update(
            IDENTITY_SERVICE_AWS_ENDPOINT_URL=f"http://127.0.0.1:{silent.getsockname()[1]}",
            AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE",
            AWS_SECRET_ACCESS_KEY="secret",
        )
        process = start("--insecure", *LOOPBACK)
        with silent.accept()[0]:
            signalled = time.monotonic()
            process.terminate()
            assert process.wait(START_SECONDS) == 0
            assert time.monotonic() - signalled < SILENCE_SECONDS
        assert "ended by a signal before it served" in (tmp_path / "log").read_text()

        started = time.monotonic()
        process = start("--insecure", *LOOPBACK, "--ready-file", str(tmp_path / "ready.json"))
        wait_for_addresses(process, tmp_path / "ready.json")
        assert time.monotonic() - started < SILENCE_SECONDS + 3
        process.terminate()
        assert process.wait(START_SECONDS) == 0
    assert "AWS has not answered yet" in (tmp_path / "log").read_text()


def test_insecure_beyond_loopback_is_refused(start: Start, tmp_path: Path) -> None:
    """Without TLS the service does not start on an address that another machine could reach."""
    code, said = refused(start("--insecure", "--embedded-aws", "--listen", "0.0.0.0:0"), tmp_path)
    assert code == 2
    assert "must be a loopback address" in said
    assert "Traceback" not in said


def test_wrong_authorization_files_are_named(start: Start, tmp_path: Path) -> None:
    """A broken file, or a broken policy, stops the start with file, line and words, not with a traceback."""
    (tmp_path / "authorization" / "broken.cedar").write_text('\npermit (principal, action == Action::"Nope");\n')
    code, said = refused(start("--insecure", "--embedded-aws", *LOOPBACK), tmp_path)
    assert code == 2
    assert "authorization/broken.cedar:2: this is no policy" in said
    assert "Traceback" not in said


def test_an_address_in_use_is_named(start: Start, tmp_path: Path) -> None:
    """Where something else listens, the service says that the port is taken and ends with code 1."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        service = start("--insecure", "--embedded-aws", "--listen", taken, "--health", "127.0.0.1:0")
        code, said = refused(service, tmp_path)
    assert code == 1
    assert f"cannot listen on {taken}" in said
    assert "Traceback" not in said


def test_credentials_of_another_account_stop_the_start(
    start: Start, tmp_path: Path, environment: dict[str, str]
) -> None:
    """Where the credentials belong to another account than the configured one, nothing is served."""
    with subprocess.Popen(
        (sys.executable, "-m", "embedded_aws", "--account-id", "210987654321", "--until-stdin-closes"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as account:
        assert account.stdin is not None
        assert account.stdout is not None
        place = json.loads(account.stdout.readline())
        environment.update(
            IDENTITY_SERVICE_AWS_ACCOUNT_ID="123456789012",
            IDENTITY_SERVICE_AWS_ENDPOINT_URL=place["endpoint_url"],
            AWS_ACCESS_KEY_ID=place["access_key_id"],
            AWS_SECRET_ACCESS_KEY=place["secret_access_key"],
        )
        code, said = refused(start("--insecure", *LOOPBACK), tmp_path)
        account.stdin.close()
    assert code == 2
    assert "IDENTITY_SERVICE_AWS_ACCOUNT_ID: the credentials belong to another account" in said
