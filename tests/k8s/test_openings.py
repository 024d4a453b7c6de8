"""Which NetworkPolicies are taken for an opening to a host, and which are not."""

import pytest

from tests.k8s.conftest import Rendered, settings_map
from tests.k8s.manifests import Manifest
from tests.k8s.openings import is_open
from tests.k8s.reach_rules import collector_in_reach, role_in_reach

HOME = "identity-service"
LABELS = {"app.kubernetes.io/name": "identity-service"}
SERVER = {
    "kind": "Deployment",
    "metadata": {"name": "server", "namespace": HOME},
    "spec": {"template": {"metadata": {"labels": LABELS}, "spec": {}}},
}
TCP = [{"protocol": "TCP", "port": 4317}]
MONITORING = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
TEAM = {"namespaceSelector": {"matchLabels": {"team": "platform"}}}
BLOCK = {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}


def _policy(peers: list[Manifest], ports: list[Manifest], labels: dict[str, str]) -> Manifest:
    rule = {key: value for key, value in (("to", peers), ("ports", ports)) if value}
    return {"kind": "NetworkPolicy", "spec": {"podSelector": {"matchLabels": labels}, "egress": [rule]}}


@pytest.mark.parametrize(
    ("host", "peers", "ports", "opens"),
    [
        ("collector.monitoring.svc", [MONITORING], TCP, True),
        ("collector.monitoring.svc.cluster.local", [MONITORING], TCP, True),
        ("collector.monitoring", [MONITORING], TCP, True),
        ("collector.monitoring.svc", [TEAM], TCP, True),
        ("collector.monitoring.svc", [{"namespaceSelector": {}}], TCP, True),
        ("collector.other.svc", [MONITORING], TCP, False),
        ("collector.other.svc", [BLOCK], TCP, False),
        ("collector", [{"podSelector": {}}], TCP, True),
        (f"collector.{HOME}.svc", [{"podSelector": {}}], TCP, True),
        ("collector.monitoring.svc", [{"podSelector": {}}], TCP, False),
        ("collector.example.org", [BLOCK], TCP, True),
        ("example.org", [BLOCK], TCP, True),
        ("collector.example.org", [MONITORING], TCP, False),
        ("10.2.0.1", [BLOCK], TCP, True),
        ("10.1.0.1", [BLOCK], TCP, False),
        ("11.0.0.1", [BLOCK], TCP, False),
        ("fd00::1", [BLOCK], TCP, False),
        ("10.2.0.1", [{"ipBlock": {"cidr": "10.2.0.1/8"}}], TCP, False),
        ("anything.example.org", [], TCP, True),
        ("10.2.0.1", [BLOCK], [], True),
        ("10.2.0.1", [BLOCK], [{"port": 4000, "endPort": 4400}], True),
        ("10.2.0.1", [BLOCK], [{"port": 4318, "endPort": 4400}], False),
        ("10.2.0.1", [BLOCK], [{"port": "otlp"}], True),
        ("10.2.0.1", [BLOCK], [{"protocol": "UDP", "port": 4317}], False),
    ],
)
def test_opening_to_a_host(host: str, peers: list[Manifest], ports: list[Manifest], *, opens: bool) -> None:
    """A policy of the server's opens a host's port if its peers may be that host; another pod's opens nothing."""
    assert is_open([_policy(peers, ports, LABELS)], SERVER, host, 4317) is opens
    assert not is_open([_policy(peers, ports, {"app": "other"})], SERVER, host, 4317)


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://collector.monitoring.svc:4317",
        "dns:///collector.monitoring.svc:4317",
        "collector.monitoring.svc:4317",
        "http://localhost:4317",
        "http://127.0.0.1:4317",
        "http://[::1]:4317",
        "https://collector.example.org",
    ],
)
def test_collector_that_is_reached(endpoint: str, rendered: Rendered) -> None:
    """The collector of the guide, one in the pod, and one on the internet by HTTPS's port need no further policy."""
    assert list(collector_in_reach(_sending_to(endpoint, rendered))) == []


def test_collector_to_whom_nothing_is_sent(rendered: Rendered) -> None:
    """An address is no problem where the exporters are switched off."""
    manifests = _sending_to("http://collector.tracing.svc:4317", rendered)
    assert len(list(collector_in_reach(manifests))) == 2
    settings_map(manifests).update(OTEL_TRACES_EXPORTER="none", OTEL_METRICS_EXPORTER="none")
    assert list(collector_in_reach(manifests)) == []


@pytest.mark.parametrize("name", ["AWS_SHARED_CREDENTIALS_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE"])
def test_role_by_a_file_needs_no_agent(name: str, rendered: Rendered) -> None:
    """A server whose credentials are in a file needs neither IRSA's annotation nor the agent."""
    manifests = [each for each in rendered("staging") if each["metadata"]["name"] != "pod-identity-agent"]
    assert len(list(role_in_reach(manifests))) == 1
    settings_map(manifests)[name] = "/etc/identity-service/aws/credentials"
    assert list(role_in_reach(manifests)) == []


def test_agent_by_ipv6_alone(rendered: Rendered) -> None:
    """A cluster of IPv6 has the agent's other address, and opens that one alone."""
    manifests = rendered("staging")
    (policy,) = [each for each in manifests if each["metadata"]["name"] == "pod-identity-agent"]
    del policy["spec"]["egress"][0]["to"][0]
    assert list(role_in_reach(manifests)) == []


def _sending_to(endpoint: str, rendered: Rendered) -> list[Manifest]:
    manifests = rendered("production")
    settings_map(manifests)["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
    return manifests
