"""Traces of the real server, as a collector receives them over OTLP."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace import TracerProvider

from embedded_aws import Fault
from embedded_aws.faults import AnswerError
from identity_client import ConsolePassword, IdentityClient, IdentityServiceError
from tests.integration.conftest import Account, document, start_server, wait_until_ready
from tests.support.processes import Process
from tests.support.trace_collector import Collector, attributes, run_collector

CUSTOM = 'Canary-"7&kept/secret'
REFUSED = "Canary-refused-9"
PROVISION = "identity_provisioning.v1.UserService/ProvisionUser"
INLINE = document({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"})


@dataclass
class TracedServer:
    """A server that exports its spans; they are all there once it has stopped."""

    address: str
    collector: Collector
    process: Process
    _tracer_provider: TracerProvider = field(default_factory=lambda: TracerProvider(shutdown_on_exit=False))

    def stop(self) -> None:
        """Stop the server in order, so that it sends what it still holds."""
        self.process.terminate()
        assert self.process.wait(30) == 0

    def call(self, user_name: str, password: str) -> tuple[bytes, list[str]]:
        """Provision a user inside a span of the caller; return its trace id and the secrets of the answer."""
        tracer = self._tracer_provider.get_tracer("test")
        with tracer.start_as_current_span("onboarding") as span, IdentityClient(self.address, insecure=True) as client:
            trace_id = span.get_span_context().trace_id.to_bytes(16, "big")
            try:
                made = client.provision_user(
                    user_name,
                    policies=["Deploy"],
                    inline_policies={"read": INLINE},
                    access_key=True,
                    console_password=ConsolePassword(custom=password),
                )
            except IdentityServiceError:
                return trace_id, []
        return trace_id, [made.credentials.access_key.secret_access_key]


@pytest.fixture
def collector_address() -> Iterator[tuple[Collector, str]]:
    """Run a collector on a free port."""
    with run_collector() as running:
        yield running


@pytest.fixture
def traced(account: Account, collector_address: tuple[Collector, str], tmp_path: Path) -> Iterator[TracedServer]:
    """Run a server that exports to the collector, with the standard variables."""
    collector, address = collector_address
    process, ready = start_server(
        account, tmp_path, {"OTEL_EXPORTER_OTLP_ENDPOINT": address, "OTEL_SERVICE_NAME": "identity-blue"}
    )
    try:
        yield TracedServer(wait_until_ready(process, ready), collector, process)
    finally:
        process.kill()
        process.wait()


def test_a_call_is_one_trace_down_to_iam(traced: TracedServer, account: Account) -> None:
    """An RPC, its planning, its work, its units of work and its IAM calls are spans in the trace of who called."""
    account.aws.clear_calls()
    trace_id, _ = traced.call("ana", CUSTOM)
    traced.stop()
    spans = [span for span in traced.collector.spans() if span.trace_id == trace_id]
    (server,) = [span for span in spans if span.kind == Span.SPAN_KIND_SERVER]
    clients = [span for span in spans if span.name.startswith("IAM/")]
    (plan,) = [span for span in spans if span.name == "plan"]
    (work,) = [span for span in spans if span.name == "carry out"]
    stored = [span for span in spans if attributes(span).get("db.system.name") == "sqlite"]
    assert server.name == PROVISION
    assert len(spans) == len(clients) + len(stored) + len([server, plan, work])
    calls = account.aws.calls()
    assert len(calls) > 5
    assert sorted((span.name, attributes(span)["aws.request_id"]) for span in clients) == sorted(
        (f"IAM/{call.operation}", call.request_id) for call in calls
    )
    assert {span.name: span.parent_span_id for span in (plan, work)} == dict.fromkeys(
        ("plan", "carry out"), server.span_id
    )
    parents = {span.name: span.parent_span_id for span in [*clients, *stored]}
    assert parents["IAM/ListAccountAliases"] == plan.span_id
    assert {parents[f"IAM/{name}"] for name in ("CreateUser", "CreateAccessKey")} == {work.span_id}
    assert {parents["find"], parents["begin"]} == {server.span_id}
    assert {parents[name] for name in ("begin_mint", "record_mint", "succeed")} == {work.span_id}
    others = {span.name for span in traced.collector.spans() if span.trace_id != trace_id}
    assert others <= {"STS/GetCallerIdentity"}


def test_spans_say_which_service_they_are_of(traced: TracedServer) -> None:
    """The resource has the name that the standard variable gives."""
    traced.call("ana", CUSTOM)
    traced.stop()
    resources = [each.resource for request in traced.collector.received for each in request.resource_spans]
    assert resources
    for resource in resources:
        assert {"service.name": "identity-blue"}.items() <= {
            each.key: each.value.string_value for each in resource.attributes
        }.items()


def test_no_span_holds_a_secret(traced: TracedServer, account: Account) -> None:
    """After a success and a failure, nothing that was exported holds a password, a key or a document."""
    made, secrets = traced.call("ana", CUSTOM)
    assert len(secrets) == 1
    account.aws.inject(Fault("CreateLoginProfile", AnswerError("PasswordPolicyViolation", 400)))
    refused, nothing = traced.call("bo", REFUSED)
    assert nothing == []
    traced.stop()
    assert {made, refused} <= {span.trace_id for span in traced.collector.spans()}
    exported = b"".join(request.SerializeToString() for request in traced.collector.received)
    hidden = [CUSTOM, REFUSED, INLINE, account.aws.secret_access_key, *secrets]
    assert [each for each in hidden if each.encode() in exported] == []
    assert not [event for span in traced.collector.spans() for event in span.events]
    assert not [span.status.message for span in traced.collector.spans() if span.status.message]
