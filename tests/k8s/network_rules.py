"""Who may reach whom: nobody, but for what is named."""

from collections.abc import Iterator

from tests.k8s.addresses import Block
from tests.k8s.manifests import Manifest, Manifests, labels_of_pods, name_of, of_kind, pods, selects, title
from tests.k8s.variables import brings_its_account, settings

PROFILE = "pod-security.kubernetes.io/enforce"
LINK_LOCAL = (Block.of("169.254.0.0/16"), Block.of("fe80::/10"))
"""What no block may have in it: there machines are told their own role and its credentials."""
MACHINES_ROLE = (Block.of("169.254.169.254"), Block.of("fd00:ec2::254"))
"""Where that is. Others of those addresses may be named one by one."""
PRIVATE_OF_IPV6 = Block.of("fc00::/7")
WIDEST = {4: 8, 6: 16}
"""The shortest prefix by version that is no part of the whole world: that of 10.0.0.0/8, which is private."""
PUBLIC_PORTS = [{"protocol": "TCP", "port": 443}]


def restricted_namespace(manifests: Manifests) -> Iterator[str]:
    """The namespace refuses every pod that is not "restricted"."""
    namespaces = of_kind(manifests, "Namespace")
    if len(namespaces) != 1:
        yield f"there are {len(namespaces)} Namespaces"
    for manifest in namespaces:
        if manifest["metadata"].get("labels", {}).get(PROFILE) != "restricted":
            yield f"{title(manifest)}: {PROFILE} is not restricted"


def default_deny(manifests: Manifests) -> Iterator[str]:
    """One policy shuts every pod of the namespace, in both directions."""
    shut = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    if not any(policy["spec"] == shut for policy in of_kind(manifests, "NetworkPolicy")):
        yield "no NetworkPolicy denies everything by default"


def named_openings(manifests: Manifests) -> Iterator[str]:
    """An opening names its ports and its other side; a large part of the world is HTTPS, and nothing link-local."""
    for policy, rule, peers in _openings(manifests):
        if not peers or not rule.get("ports"):
            yield f"{title(policy)}: opens every port, or to everybody"
        for block in (peer["ipBlock"] for peer in peers if "ipBlock" in peer):
            if _is_too_much(block, rule.get("ports", [])):
                yield f"{title(policy)}: {block['cidr']} is more than HTTPS, or has link-local addresses in it"
        if {} in [peer.get("namespaceSelector") for peer in peers]:
            yield f"{title(policy)}: opens to every namespace"


def openings_have_pods(manifests: Manifests) -> Iterator[str]:
    """Each policy is for a pod that exists."""
    for policy in of_kind(manifests, "NetworkPolicy"):
        if not any(selects(policy["spec"]["podSelector"], labels) for _, labels in labels_of_pods(manifests)):
            yield f"{title(policy)}: selects no pod"


def needed_openings(manifests: Manifests) -> Iterator[str]:
    """What a pod cannot do without is open: names, AWS unless it is in the pod, the database, callers, metrics."""
    for owner, labels in labels_of_pods(manifests):
        opened = {
            (direction, port["port"])
            for direction, key in (("in", "ingress"), ("out", "egress"))
            for policy in of_kind(manifests, "NetworkPolicy")
            if selects(policy["spec"]["podSelector"], labels)
            for rule in policy["spec"].get(key, ())
            for port in rule.get("ports", ())
        }
        missing = _needed(manifests, owner) - opened
        yield from (f"{owner}: port {port} is not open to what goes {way}" for way, port in sorted(missing))
        if brings_its_account(manifests) and ("out", 443) in opened:
            yield f"{owner}: port 443 is open to what goes out, and the account is in the pod"


def headless(manifests: Manifests) -> Iterator[str]:
    """A Service has no address of its own, which would pin a channel's calls to one pod, and is not for the outside."""
    for service in of_kind(manifests, "Service"):
        if service["spec"].get("clusterIP") != "None" or service["spec"].get("type", "ClusterIP") != "ClusterIP":
            yield f"{title(service)}: is not headless"


def services_find_the_server(manifests: Manifests) -> Iterator[str]:
    """A Service selects the server's pods and no others, and its ports are theirs; health is not among them."""
    ports = {
        port["name"]
        for owner, pod in pods(manifests)
        if owner.startswith("Deployment/")
        for container in pod["containers"]
        for port in container.get("ports", ())
    }
    for service in of_kind(manifests, "Service"):
        selector = {"matchLabels": service["spec"].get("selector", {})}
        found = [owner for owner, labels in labels_of_pods(manifests) if selects(selector, labels)]
        if [owner.partition("/")[0] for owner in found] != ["Deployment"]:
            yield f"{title(service)}: selects {', '.join(found) or 'no pod'}"
        for port in service["spec"]["ports"]:
            if port.get("targetPort") not in ports - {"health"}:
                yield f"{title(service)}: port {port['name']} leads to no port of the server's calls or metrics"


def monitored(manifests: Manifests) -> Iterator[str]:
    """A ServiceMonitor finds one Service, by a port that it has."""
    for monitor in of_kind(manifests, "ServiceMonitor"):
        found = [
            service
            for service in of_kind(manifests, "Service")
            if selects(monitor["spec"]["selector"], service["metadata"].get("labels", {}))
        ]
        ports = {port["name"] for service in found for port in service["spec"]["ports"]}
        if len(found) != 1 or {endpoint["port"] for endpoint in monitor["spec"]["endpoints"]} - ports:
            names = ", ".join(map(name_of, found)) or "no Service"
            yield f"{title(monitor)}: finds {names}, with ports {sorted(ports)}"


def _openings(manifests: Manifests) -> Iterator[tuple[Manifest, Manifest, list[Manifest]]]:
    """Yield each rule of each policy, with those on the other side."""
    for policy in of_kind(manifests, "NetworkPolicy"):
        for direction, peers in (("ingress", "from"), ("egress", "to")):
            for rule in policy["spec"].get(direction, ()):
                yield policy, rule, rule.get(peers, [])


def _is_too_much(block: Manifest, ports: list[Manifest]) -> bool:
    """Tell whether what a block opens is more than a policy may; so is what is no block."""
    try:
        opened, excepted = Block.of(block["cidr"]), [Block.of(each) for each in block.get("except", ())]
    except ValueError:
        return True
    if opened.is_one_address:
        return opened in MACHINES_ROLE
    is_wide = opened.prefix < WIDEST[opened.version] and not PRIVATE_OF_IPV6.holds(opened)
    return (is_wide and ports != PUBLIC_PORTS) or not all(opened.is_clear_of(each, excepted) for each in LINK_LOCAL)


def _needed(manifests: Manifests, owner: str) -> set[tuple[str, int]]:
    variables = settings(manifests)
    needed = {("out", 53)}
    if variables.get("IDENTITY_SERVICE_STORE_URL", "").startswith("postgresql"):
        needed.add(("out", 5432))
    if owner.startswith("Deployment/"):
        needed.add(("in", 8443))
        if not brings_its_account(manifests):
            needed.add(("out", 443))
        if "IDENTITY_SERVICE_METRICS_LISTEN_ADDRESS" in variables:
            needed.add(("in", 9464))
    return needed


NETWORK_RULES = (
    restricted_namespace,
    default_deny,
    named_openings,
    openings_have_pods,
    needed_openings,
    headless,
    services_find_the_server,
    monitored,
)
