"""Whom the server has to reach at an address that its settings or its surroundings name, and so must be let out to."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from identity_service.observability import otlp
from tests.k8s.addresses import Block
from tests.k8s.manifests import Manifests, of_kind, title
from tests.k8s.openings import block_of, is_open
from tests.k8s.variables import brings_its_account, settings

IRSA = "eks.amazonaws.com/role-arn"
AGENT = ("169.254.170.23", "fd00:ec2::23")
"""Where EKS's agent hands out a role's credentials, by HTTP; a cluster has one of the two versions of IP."""
KEYS = ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE")
LOOPBACK = (Block.of("127.0.0.0/8"), Block.of("::1"))
PORT_WITHOUT_ONE = 443
"""Where gRPC goes if an address names no port."""


def role_in_reach(manifests: Manifests) -> Iterator[str]:
    """The server gets its role in AWS: its ServiceAccount names one, a file is it, or Pod Identity's agent is open."""
    if brings_its_account(manifests) or any(settings(manifests).get(name) for name in KEYS):
        return
    named = {
        account["metadata"]["name"]
        for account in of_kind(manifests, "ServiceAccount")
        if IRSA in account["metadata"].get("annotations", {})
    }
    for server in of_kind(manifests, "Deployment"):
        account = server["spec"]["template"]["spec"].get("serviceAccountName")
        if account not in named and not any(is_open(manifests, server, host, 80) for host in AGENT):
            yield f"{title(server)}: {account} has no role by IRSA, and Pod Identity's {AGENT[0]}:80 is not open"


def collector_in_reach(manifests: Manifests) -> Iterator[str]:
    """Where traces and metrics are sent by OTLP, a policy lets them out to."""
    variables = settings(manifests)
    for signal in ("TRACES", "METRICS"):
        general, own = "OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT"
        name = own if variables.get(own) else general
        if not otlp.is_exported(signal, variables) or not variables.get(name):
            continue
        try:
            host, port = _host_and_port(variables[name])
        except ValueError:
            yield f"{name}: names no host"
            continue
        for server in of_kind(manifests, "Deployment"):
            if not _is_of_the_pod(host) and not is_open(manifests, server, host, port):
                yield f"{title(server)}: {name}: port {port} of {host} is not open to what goes out"


def _host_and_port(endpoint: str) -> tuple[str, int]:
    """Read where OpenTelemetry's exporter connects to. Raises ValueError."""
    text = endpoint.removeprefix("dns:///")
    url = urlsplit(text if "://" in text else f"//{text}")
    if not url.hostname:
        raise ValueError("no host")
    return url.hostname, PORT_WITHOUT_ONE if url.port is None else url.port


def _is_of_the_pod(host: str) -> bool:
    block = block_of(host)
    return host == "localhost" or (block is not None and any(each.holds(block) for each in LOOPBACK))


REACH_RULES = (role_in_reach, collector_in_reach)
