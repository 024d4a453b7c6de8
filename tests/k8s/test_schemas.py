"""The schemas refuse what Kubernetes or an operator would refuse, or would silently leave out."""

from typing import Any

import pytest
import yaml

from tests.k8s.conftest import MIGRATION, Rendered
from tests.k8s.manifests import Manifest, title
from tests.k8s.render import ROOT
from tests.k8s.schemas import schema_problems


@pytest.mark.parametrize(
    ("where", "field", "value"),
    [
        ("Deployment/identity-service", "replicas", "three"),
        ("Deployment/identity-service", "replica", 3),
        ("Service/identity-service", "clusterIp", "None"),
        ("NetworkPolicy/dns", "egress", {"to": []}),
        ("PodDisruptionBudget/identity-service", "maxUnavailable", [1]),
        ("HorizontalPodAutoscaler/identity-service", "metrics", [{"type": "Resource", "resource": {"name": "cpu"}}]),
        (MIGRATION, "backOffLimit", 6),
        ("Certificate/identity-service", "dnsNames", []),
        ("Certificate/identity-service", "issuer", {"name": "identity-provisioning"}),
        ("Certificate/identity-service", "duration", "one day"),
        ("ServiceMonitor/identity-service", "endpoints", [{"port": 9464, "path": "/metrics"}]),
        ("ServiceMonitor/identity-service", "selector", {"matchLabels": {}}),
        ("PrometheusRule/identity-service", "groups", [{"name": "empty", "rules": []}]),
        ("PrometheusRule/identity-service", "groups", [{"name": "both", "rules": [{"alert": "A", "record": "a"}]}]),
    ],
)
def test_wrong_field_is_found(where: str, field: str, value: Any, rendered: Rendered) -> None:
    """A field that is misspelt, or of another type, is named together with the manifest."""
    (manifest,) = [each for each in rendered("production") if title(each) == where]
    assert list(schema_problems([manifest])) == []
    manifest["spec"][field] = value
    problems = list(schema_problems([manifest]))
    assert problems
    assert all(problem.startswith(f"{where}: ") for problem in problems)


def test_unknown_kind_is_found() -> None:
    """A kind that nobody knows is a mistake, not something to leave unchecked."""
    manifest: Manifest = {"apiVersion": "example.org/v1", "kind": "Certificate", "metadata": {"name": "some"}}
    assert "has no Certificate in example.org/v1" in next(schema_problems([manifest]))


def test_kind_that_is_gone_is_found() -> None:
    """A version of a kind that Kubernetes no longer serves is a mistake."""
    manifest: Manifest = {"apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget", "metadata": {"name": "some"}}
    assert len(list(schema_problems([manifest]))) == 2


def test_registration_for_spire_is_well_formed() -> None:
    """The manifest that is applied beside the overlays keeps its schema too."""
    path = ROOT / "k8s" / "components" / "spiffe" / "cluster-spiffe-id.yaml"
    manifest = yaml.safe_load(path.read_text())
    assert list(schema_problems([manifest])) == []
    manifest["spec"]["dnsNames"] = ["identity-service"]
    assert list(schema_problems([manifest]))
