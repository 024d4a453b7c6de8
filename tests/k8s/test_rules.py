"""Each rule of hardening finds what breaks it, in an overlay that keeps all of them."""

from typing import Any

import pytest

from tests.k8s.conftest import MIGRATION as JOB
from tests.k8s.conftest import Rendered
from tests.k8s.manifests import Manifest, title
from tests.k8s.rules import RULES
from tests.k8s.variables import is_known, looks_secret

SERVER = "Deployment/identity-service"
SETTINGS = "ConfigMap/identity-service-settings"
AGENT = "NetworkPolicy/pod-identity-agent"
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
AUTHORIZATION = "ConfigMap/identity-service-authorization"
POD = "spec.template.spec"
CONTAINER = "spec.template.spec.containers.0"
REMOVED = object()
ROLE = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "Role",
    "metadata": {"name": "server", "namespace": "identity-service"},
    "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}],
}
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "password", "namespace": "identity-service"},
    "stringData": {"password": "not-really-one"},
}


def projected(source: Manifest) -> Manifest:
    """Describe a volume that is put together from one source, under its shipped neighbours' rules."""
    return {"name": "temporary", "projected": {"sources": [source]}}


# Rule, overlay, manifest, place in it, and what stands there instead; without a manifest, one that is added.
BREACHES: list[tuple[str, str, str | None, str, Any]] = [
    ("numeric_user", "production", SERVER, f"{POD}.securityContext.runAsUser", 0),
    ("numeric_user", "production", SERVER, f"{CONTAINER}.securityContext.runAsUser", 0),
    ("numeric_user", "production", JOB, f"{POD}.securityContext.runAsNonRoot", REMOVED),
    ("seccomp", "production", SERVER, f"{POD}.securityContext.seccompProfile", {"type": "Unconfined"}),
    ("no_escalation", "production", SERVER, f"{CONTAINER}.securityContext.allowPrivilegeEscalation", REMOVED),
    ("no_escalation", "production", SERVER, f"{CONTAINER}.securityContext.privileged", True),
    ("no_capabilities", "production", JOB, f"{CONTAINER}.securityContext.capabilities.add", ["NET_ADMIN"]),
    ("no_host", "production", SERVER, f"{POD}.hostNetwork", True),
    ("no_host", "production", SERVER, f"{CONTAINER}.ports.0.hostPort", 8443),
    ("volume_kinds", "production", SERVER, f"{POD}.volumes.0", {"name": "tls", "hostPath": {"path": "/etc"}}),
    ("read_only_root", "production", JOB, f"{CONTAINER}.securityContext.readOnlyRootFilesystem", False),
    ("bounded_scratch", "production", JOB, f"{POD}.volumes.1.emptyDir", {}),
    ("no_token", "production", JOB, f"{POD}.automountServiceAccountToken", REMOVED),
    ("no_token", "production", "ServiceAccount/identity-service", "automountServiceAccountToken", True),
    ("no_token", "production", SERVER, f"{POD}.volumes.2", projected({"serviceAccountToken": {"path": "token"}})),
    ("own_account", "production", SERVER, f"{POD}.serviceAccountName", "default"),
    ("resources", "production", SERVER, f"{CONTAINER}.resources.limits", REMOVED),
    ("pinned_image", "production", SERVER, f"{CONTAINER}.image", "registry.example:5000/identity:latest"),
    ("pinned_image", "production", SERVER, f"{CONTAINER}.image", "registry.example:5000/identity"),
    ("named_registry", "production", JOB, f"{CONTAINER}.image", "identity-provisioning-service:0.0.9"),
    ("named_registry", "local", SERVER, f"{CONTAINER}.imagePullPolicy", REMOVED),
    ("secrets_from_files", "production", SERVER, f"{CONTAINER}.envFrom.0", {"secretRef": {"name": "store"}}),
    (
        "secrets_from_files",
        "production",
        JOB,
        f"{CONTAINER}.env.0.valueFrom",
        {"secretKeyRef": {"name": "store", "key": "url"}},
    ),
    ("secrets_from_files", "production", SERVER, f"{CONTAINER}.env", [{"name": "PASSWORD", "value": "not-really-one"}]),
    ("secrets_from_files", "production", SERVER, f"{CONTAINER}.args", ["--store=postgresql://identity:word@db/x"]),
    ("secrets_from_files", "production", SETTINGS, "data.PGPASSWORD", "not-really-one"),
    ("secrets_from_files", "production", SETTINGS, "data.AWS_SECRET_ACCESS_KEY", "not-really-one"),
    ("secrets_from_files", "production", SETTINGS, "data.OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=platform"),
    ("secrets_from_files", "production", SETTINGS, "data.OTEL_RESOURCE_ATTRIBUTES", "key=AKIAIOSFODNN7EXAMPLE"),
    ("secret_modes", "production", JOB, f"{POD}.volumes.0.secret.defaultMode", REMOVED),
    ("secret_modes", "production", SERVER, f"{POD}.volumes.2", projected({"secret": {"name": "identity-service-tls"}})),
    ("volumes_of_the_group", "production", JOB, f"{POD}.securityContext.fsGroup", REMOVED),
    ("volumes_of_the_group", "local", SERVER, f"{POD}.securityContext.fsGroup", 0),
    ("secret_modes", "production", JOB, f"{POD}.volumes.0.secret.items", [{"key": "a", "path": "a", "mode": 0o444}]),
    ("probes", "production", SERVER, f"{CONTAINER}.livenessProbe.grpc.service", "readiness"),
    ("probes", "production", SERVER, f"{CONTAINER}.startupProbe", REMOVED),
    ("time_to_drain", "production", SERVER, f"{POD}.terminationGracePeriodSeconds", 25),
    ("time_to_drain", "production", SERVER, f"{POD}.terminationGracePeriodSeconds", REMOVED),
    ("one_writer", "local", SERVER, "spec.replicas", 2),
    ("one_writer", "local", SERVER, "spec.strategy", {"type": "RollingUpdate"}),
    ("rolls_without_a_gap", "production", SERVER, "spec.strategy.rollingUpdate.maxUnavailable", 1),
    ("rolls_without_a_gap", "production", SERVER, "spec.minReadySeconds", REMOVED),
    ("spread", "production", SERVER, f"{POD}.topologySpreadConstraints.0", REMOVED),
    ("spread", "production", SERVER, f"{POD}.affinity", {}),
    ("spread", "staging", SERVER, f"{POD}.affinity", {}),
    ("disruption_budget", "production", "PodDisruptionBudget/identity-service", "spec.maxUnavailable", 0),
    (
        "disruption_budget",
        "staging",
        "PodDisruptionBudget/identity-service",
        "spec.selector.matchLabels",
        {"app.kubernetes.io/name": "other"},
    ),
    ("one_scaler", "production", SERVER, "spec.replicas", 3),
    ("one_scaler", "production", "HorizontalPodAutoscaler/identity-service", "spec.minReplicas", REMOVED),
    ("migration", "production", JOB, f"{CONTAINER}.image", "identity-provisioning-service:0.0.9"),
    ("migration", "production", JOB, f"{CONTAINER}.args", ["sweep"]),
    ("migration", "production", JOB, f"{CONTAINER}.env.0.value", "postgresql+psycopg:///?service=other"),
    ("migration", "production", JOB, "spec.activeDeadlineSeconds", REMOVED),
    ("migration", "local", SERVER, f"{POD}.initContainers", []),
    ("migration", "local", SERVER, f"{POD}.initContainers.0.image", "identity-provisioning-service-demo:0.0.9"),
    ("migration", "local", SERVER, f"{POD}.initContainers.0.envFrom", []),
    ("role_of_the_server", "production", JOB, f"{POD}.serviceAccountName", "identity-service"),
    (
        "restricted_namespace",
        "production",
        "Namespace/identity-service",
        "metadata.labels",
        {"pod-security.kubernetes.io/enforce": "baseline"},
    ),
    ("default_deny", "production", "NetworkPolicy/default-deny", "spec.policyTypes", ["Ingress"]),
    ("named_openings", "production", "NetworkPolicy/callers", "spec.ingress.0.from", REMOVED),
    ("named_openings", "production", "NetworkPolicy/callers", "spec.ingress.0.from.0.namespaceSelector", {}),
    ("named_openings", "production", "NetworkPolicy/dns", "spec.egress.0.ports", REMOVED),
    ("named_openings", "production", "NetworkPolicy/aws", "spec.egress.0.ports.0.port", 80),
    ("named_openings", "production", "NetworkPolicy/aws", "spec.egress.0.to.0.ipBlock.except", REMOVED),
    ("named_openings", "production", "NetworkPolicy/aws", "spec.egress.0.to.1.ipBlock.except.1", REMOVED),
    ("named_openings", "production", "NetworkPolicy/postgresql", "spec.egress.0.to.0.ipBlock.cidr", "0.0.0.0/1"),
    ("named_openings", "production", "NetworkPolicy/postgresql", "spec.egress.0.to.0.ipBlock.cidr", "2000::/3"),
    ("named_openings", "production", "NetworkPolicy/postgresql", "spec.egress.0.to.0.ipBlock.cidr", "169.254.0.0/17"),
    ("named_openings", "production", "NetworkPolicy/postgresql", "spec.egress.0.to.0.ipBlock.cidr", "10.0.0.1/8"),
    ("named_openings", "staging", AGENT, "spec.egress.0.to.0.ipBlock.cidr", "169.254.169.254/32"),
    ("named_openings", "staging", AGENT, "spec.egress.0.to.0.ipBlock.cidr", "128.0.0.0/1"),
    ("role_in_reach", "staging", AGENT, "spec.egress", []),
    ("role_in_reach", "staging", AGENT, "spec.egress.0.ports.0.port", 443),
    ("role_in_reach", "production", "ServiceAccount/identity-service", "metadata.annotations", REMOVED),
    ("collector_in_reach", "production", SETTINGS, f"data.{ENDPOINT}", "http://collector.monitoring.svc:4318"),
    ("collector_in_reach", "production", SETTINGS, f"data.{ENDPOINT}", "http://collector.tracing.svc:4317"),
    ("collector_in_reach", "production", SETTINGS, f"data.{ENDPOINT}", "http://collector:4317"),
    ("collector_in_reach", "production", SETTINGS, f"data.{ENDPOINT}", "https://collector.example.org:4317"),
    ("collector_in_reach", "production", SETTINGS, f"data.{ENDPOINT}", "http://10.0.0.7:4317"),
    ("collector_in_reach", "production", SETTINGS, f"data.{ENDPOINT}", "http://:4317"),
    (
        "collector_in_reach",
        "production",
        SETTINGS,
        "data.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "collector.tracing.svc:4317",
    ),
    ("openings_have_pods", "production", "NetworkPolicy/aws", "spec.podSelector.matchLabels", {"app": "identity"}),
    ("needed_openings", "production", "NetworkPolicy/aws", "spec.egress", []),
    ("needed_openings", "local", "NetworkPolicy/callers", "spec.egress", [{"ports": [{"port": 443}]}]),
    ("needed_openings", "production", "NetworkPolicy/dns", "spec.egress", []),
    ("needed_openings", "production", "NetworkPolicy/callers", "spec.ingress", []),
    ("needed_openings", "production", "NetworkPolicy/monitoring", "spec.ingress", []),
    ("needed_openings", "production", "NetworkPolicy/postgresql", "spec.podSelector.matchLabels.app", "server"),
    ("headless", "production", "Service/identity-service", "spec.clusterIP", REMOVED),
    ("headless", "production", "Service/identity-service", "spec.type", "LoadBalancer"),
    (
        "services_find_the_server",
        "production",
        "Service/identity-service",
        "spec.selector",
        {"app.kubernetes.io/name": "identity-service"},
    ),
    ("services_find_the_server", "production", "Service/identity-service", "spec.ports.0.targetPort", "health"),
    ("monitored", "production", "ServiceMonitor/identity-service", "spec.endpoints.0.port", "grpc"),
    ("monitored", "production", "Service/identity-service-metrics", "metadata.labels", {}),
    ("one_namespace", "production", "Service/identity-service", "metadata.namespace", "default"),
    ("one_namespace", "production", "Service/identity-service-metrics", "metadata.name", "identity-service"),
    ("resolved", "production", SERVER, f"{CONTAINER}.envFrom.0.configMapRef.name", "identity-service-settings"),
    ("resolved", "production", SERVER, f"{POD}.volumes.0.secret.secretName", "identity-service-tsl"),
    ("resolved", "production", SERVER, f"{POD}.volumes.2", projected({"secret": {"name": "identity-service-tsl"}})),
    ("resolved", "production", SERVER, f"{POD}.volumes.2", projected({"configMap": {"name": "absent"}})),
    (
        "resolved",
        "production",
        SERVER,
        f"{CONTAINER}.env",
        [{"name": "TZ", "valueFrom": {"configMapKeyRef": {"name": "absent", "key": "zone"}}}],
    ),
    ("mounts", "production", SERVER, f"{CONTAINER}.volumeMounts.0.mountPath", "/etc/tls"),
    ("mounts", "local", SERVER, f"{POD}.volumes.0", REMOVED),
    ("known_settings", "production", SETTINGS, "data.IDENTITY_SERVICE_DRAIN_SECOND", "25"),
    ("known_settings", "production", SETTINGS, "data.PGPASSFIEL", "/etc/identity-service/store/pgpass"),
    ("known_settings", "production", JOB, f"{CONTAINER}.env.0.name", "IDENTITY_SERVICE_STORE_URI"),
    ("takes_settings", "production", SETTINGS, "data.IDENTITY_SERVICE_LEASE_SECONDS", "abc"),
    ("takes_settings", "production", SETTINGS, "data.IDENTITY_SERVICE_AWS_ACCOUNT_ID", REMOVED),
    ("takes_settings", "production", SETTINGS, "data.IDENTITY_SERVICE_DRAIN_SECONDS", "abc"),
    ("takes_settings", "production", SETTINGS, "data.IDENTITY_SERVICE_TLS_CERTIFICATE_FILE", "/etc/passwd"),
    ("takes_settings", "production", SETTINGS, "data.IDENTITY_SERVICE_AWS_ACCOUNTS_FILE", "/etc/accounts.yaml"),
    ("takes_settings", "production", JOB, f"{CONTAINER}.env.0.value", "postgresql+psycopg://identity:word@db/identity"),
    ("takes_settings", "local", SETTINGS, "data.IDENTITY_SERVICE_LISTEN_ADDRESS", "0.0.0.0:8443"),
    ("takes_authorization", "production", AUTHORIZATION, "data", {"callers.yaml": "teams: ["}),
    (
        "takes_authorization",
        "production",
        AUTHORIZATION,
        "data",
        {"people.cedar": "permit(principal, action, resource);"},
    ),
    ("takes_authorization", "production", SERVER, f"{CONTAINER}.volumeMounts.2.subPath", "callers.yaml"),
    ("no_secrets", "production", None, "", SECRET),
    ("no_secrets", "production", SETTINGS, "data.PGPASSWORD", "not-really-one"),
    ("no_secrets", "production", AUTHORIZATION, "data.key", "-----BEGIN EC PRIVATE KEY-----"),
    (
        "no_secrets",
        "production",
        SETTINGS,
        "data.IDENTITY_SERVICE_STORE_URL",
        "postgresql+psycopg://identity:word@postgresql/identity",
    ),
    ("no_rights", "production", None, "", ROLE),
    ("certificate_names", "production", "Certificate/identity-service", "spec.dnsNames", ["identity.example.org"]),
    (
        "certificate_names",
        "production",
        "Certificate/identity-service",
        "spec.dnsNames",
        ["identity-service-metrics.identity-service.svc"],
    ),
    ("certificate_names", "production", "Certificate/identity-service", "spec.secretName", "other"),
]


def test_every_rule_has_a_breach() -> None:
    """No rule is without a manifest that breaks it."""
    assert set(RULES) == {breach[0] for breach in BREACHES}


@pytest.mark.parametrize(("rule", "overlay", "where", "place", "value"), BREACHES)
def test_rule_finds_its_breach(
    rule: str, overlay: str, where: str | None, place: str, value: Any, rendered: Rendered
) -> None:
    """A rule says something of a manifest that breaks it, and did not say it before."""
    manifests = rendered(overlay)
    before = set(RULES[rule](manifests))
    if where is None:
        manifests.append(value)
    else:
        _change(_find(manifests, where), place, value)
    assert set(RULES[rule](manifests)) - before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PGSERVICEFILE", "/etc/identity-service/store/pg_service.conf"),
        ("PGPASSFILE", "/etc/identity-service/store/pgpass"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.monitoring.svc:4317"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=production"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/etc/identity-service/aws/credentials"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/var/run/secrets/aws/token"),
        ("AWS_REGION", "eu-central-1"),
        ("HTTPS_PROXY", "http://proxy.example.org:3128"),
        ("IDENTITY_SERVICE_TLS_PRIVATE_KEY_FILE", "/etc/identity-service/tls/tls.key"),
        ("IDENTITY_SERVICE_AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/identity-service"),
        ("IDENTITY_SERVICE_STORE_URL", "postgresql+psycopg://identity@db.example.org:5432/identity"),
    ],
)
def test_what_is_no_secret_may_be_a_variable(name: str, value: str) -> None:
    """Addresses, places of files and the variables of libraries are known, and taken for no secret."""
    assert is_known(name)
    assert not looks_secret(name, value)


def test_token_for_aws_alone_is_none_of_kubernetes(rendered: Rendered) -> None:
    """A token whose audience is AWS, for clusters without IRSA's webhook, is let through."""
    manifests = rendered("production")
    token = {"path": "token", "audience": "sts.amazonaws.com"}
    _change(_find(manifests, SERVER), f"{POD}.volumes.2", projected({"serviceAccountToken": token}))
    assert list(RULES["no_token"](manifests)) == []


def _find(manifests: list[Manifest], where: str) -> Manifest:
    """Return a manifest by its title; that of a generated ConfigMap ends in a hash."""
    generated = where in (SETTINGS, AUTHORIZATION)
    (found,) = [each for each in manifests if title(each) == where or (generated and title(each).startswith(where))]
    return found


def _change(manifest: Manifest, place: str, value: Any) -> None:
    *way, last = [int(step) if step.isdigit() else step for step in place.split(".")]
    part: Any = manifest
    for step in way:
        part = part[step]
    if value is REMOVED:
        del part[last]
    else:
        part[last] = value
