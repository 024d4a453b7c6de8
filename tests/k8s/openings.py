"""Whether NetworkPolicies let a pod out to a host, as far as names and addresses tell it without a cluster."""

from collections.abc import Sequence

from tests.k8s.addresses import Block
from tests.k8s.manifests import Manifest, Manifests, of_kind, pod_template, selects

NAMESPACE_NAME = "kubernetes.io/metadata.name"


def is_open(manifests: Manifests, owner: Manifest, host: str, port: int) -> bool:
    """Tell whether a policy lets the pods of an owner, such as a Deployment, out to a host's TCP port."""
    template = pod_template(owner)
    labels = template["metadata"].get("labels", {}) if template else {}
    home = owner["metadata"].get("namespace", "")
    return any(
        _covers(rule.get("ports", ()), port) and _leads_to(rule.get("to", ()), host, home)
        for policy in of_kind(manifests, "NetworkPolicy")
        if selects(policy["spec"]["podSelector"], labels)
        for rule in policy["spec"].get("egress", ())
    )


def block_of(text: str) -> Block | None:
    """Return the block that an address or a CIDR is; None of a name, and of what is wrong."""
    try:
        return Block.of(text)
    except ValueError:
        return None


def _covers(ports: Sequence[Manifest], port: int) -> bool:
    """Tell whether a port is among a rule's; a rule without ports means all."""
    return not ports or any(each.get("protocol", "TCP") == "TCP" and _is_in(each, port) for each in ports)


def _is_in(opened: Manifest, port: int) -> bool:
    first = opened.get("port")
    # Without a number it means all, and what a name means is not known here.
    return not isinstance(first, int) or first <= port <= (opened.get("endPort") or first)


def _leads_to(peers: Sequence[Manifest], host: str, home: str) -> bool:
    """Tell whether a host is among a rule's peers; a rule without peers means all."""
    blocks = [peer["ipBlock"] for peer in peers if "ipBlock" in peer]
    address = block_of(host)
    if not peers:
        return True
    if address is not None:
        return any(_has(block, address) for block in blocks)
    namespace = _namespace(host, home)
    # A name from outside may have any address. A Service's leads to pods, which networks let through by labels.
    may_be_outside = namespace is None or host.count(".") == 1
    return (may_be_outside and bool(blocks)) or any(_is_of(peer, namespace, home) for peer in peers)


def _has(block: Manifest, address: Block) -> bool:
    opened = block_of(block["cidr"])
    excepted = [block_of(each) for each in block.get("except", ())]
    return opened is not None and opened.holds(address) and not any(each and each.holds(address) for each in excepted)


def _is_of(peer: Manifest, namespace: str | None, home: str) -> bool:
    """Tell whether a peer may be in a namespace, of whose labels only its name is known."""
    if namespace is None or "ipBlock" in peer:
        return False
    if "namespaceSelector" not in peer:
        return namespace == home
    labels = peer["namespaceSelector"].get("matchLabels", {})
    return bool(labels.get(NAMESPACE_NAME, namespace) == namespace)


def _namespace(host: str, home: str) -> str | None:
    """Return the namespace of what may be a Service's name: SERVICE, SERVICE.NAMESPACE, SERVICE.NAMESPACE.svc..."""
    words = host.split(".")
    if len(words) == 1:
        return home
    return words[1] if words[2:3] in ([], ["svc"]) else None
