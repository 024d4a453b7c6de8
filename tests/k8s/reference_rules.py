"""What the manifests name is there, and means what the server takes it for."""

from collections.abc import Collection, Iterator
from typing import Any

from tests.k8s.manifests import Manifest, Manifests, name_of, of_kind, pods, title
from tests.k8s.variables import is_known, looks_secret, settings, variables_of_the_server

MADE_ELSEWHERE = {"identity-service-tls", "identity-service-store"}
"""The Secrets that an operator, or an operator's operator, puts into the namespace."""
CLUSTER_KINDS = {"Namespace", "ClusterSPIFFEID"}
RIGHTS = ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")
REFERENCES = {
    "configMapRef": ("ConfigMap", "name"),
    "configMapKeyRef": ("ConfigMap", "name"),
    "configMap": ("ConfigMap", "name"),
    "persistentVolumeClaim": ("PersistentVolumeClaim", "claimName"),
    "secret": ("Secret", "secretName"),
    "secretRef": ("Secret", "name"),
    "secretKeyRef": ("Secret", "name"),
}
GRPC_PORT = "grpc"


def one_namespace(manifests: Manifests) -> Iterator[str]:
    """Everything lies in the one namespace that is made, and nothing is there twice."""
    names = {name_of(manifest) for manifest in of_kind(manifests, "Namespace")}
    for manifest in manifests:
        if manifest["kind"] not in CLUSTER_KINDS and manifest["metadata"].get("namespace") not in names:
            yield f"{title(manifest)}: is not in {', '.join(names) or 'a namespace that is made'}"
    titles = [title(manifest) for manifest in manifests]
    yield from (f"{each}: is there more than once" for each in sorted(set(titles)) if titles.count(each) > 1)


def resolved(manifests: Manifests, elsewhere: Collection[str] = ()) -> Iterator[str]:
    """Each ConfigMap, Secret and volume that a pod names is made here, or is one that others make."""
    known = {(manifest["kind"], name_of(manifest)) for manifest in manifests}
    known |= {("Secret", certificate["spec"]["secretName"]) for certificate in of_kind(manifests, "Certificate")}
    known |= {("Secret", name) for name in MADE_ELSEWHERE.union(elsewhere)}
    for owner, pod in pods(manifests):
        for kind, name in sorted(_named(pod) - known):
            yield f"{owner}: there is no {kind} {name}"


def mounts(manifests: Manifests) -> Iterator[str]:
    """Each mount has its volume, each volume is mounted, and each file that a setting names lies in one."""
    for owner, pod in pods(manifests):
        volumes = {volume["name"] for volume in pod.get("volumes", ())}
        found = [
            mount
            for each in [*pod.get("initContainers", ()), *pod["containers"]]
            for mount in each.get("volumeMounts", ())
        ]
        wrong = volumes ^ {mount["name"] for mount in found}
        yield from (f"{owner}: {name} is a volume or a mount, not both" for name in sorted(wrong))
        if owner.startswith("Deployment/"):
            folders = tuple(f"{mount['mountPath']}/" for mount in found)
            for name, value in settings(manifests).items():
                path = value.removeprefix("sqlite:///")
                if path.startswith("/") and not f"{path}/".startswith(folders):
                    yield f"{owner}: {name} is in no volume"


def known_settings(manifests: Manifests) -> Iterator[str]:
    """Each variable is one that the server or a library of its reads: it would leave a misspelt one alone, silently."""
    for each in variables_of_the_server(manifests):
        if not is_known(each.name):
            yield f"{each.owner}: {each.name} is not a setting"


def no_secrets(manifests: Manifests) -> Iterator[str]:
    """No Secret stands among the manifests, and nothing that looks like one in a ConfigMap."""
    yield from (f"{title(manifest)}: does not belong here" for manifest in of_kind(manifests, "Secret"))
    for manifest in of_kind(manifests, "ConfigMap"):
        for name, value in manifest.get("data", {}).items():
            # A name with a point is a file's, and may be about secrets.
            if looks_secret("" if "." in name else name, value):
                yield f"{title(manifest)}: {name} looks like a secret"


def no_rights(manifests: Manifests) -> Iterator[str]:
    """Nothing here gives a right in Kubernetes."""
    yield from (f"{title(manifest)}: gives rights" for manifest in of_kind(manifests, *RIGHTS))


def certificate_names(manifests: Manifests) -> Iterator[str]:
    """The certificate is the one that the server mounts, and holds the name by which clients find its Service."""
    services = [each for each in of_kind(manifests, "Service") if _leads_to_calls(each)]
    names = {f"{name_of(each)}.{each['metadata'].get('namespace')}.svc" for each in services}
    mounted = {name for _, pod in pods(manifests) for kind, name in _named(pod) if kind == "Secret"}
    for certificate in of_kind(manifests, "Certificate"):
        if not names & set(certificate["spec"]["dnsNames"]):
            yield f"{title(certificate)}: dnsNames has none of {', '.join(sorted(names))}"
        if certificate["spec"]["secretName"] not in mounted:
            yield f"{title(certificate)}: nobody mounts {certificate['spec']['secretName']}"


def _leads_to_calls(service: Manifest) -> bool:
    return any(port.get("targetPort") == GRPC_PORT for port in service["spec"]["ports"])


def _named(part: Any) -> set[tuple[str, str]]:
    """Find all that a part of a manifest names: kind and name."""
    if isinstance(part, list):
        return {found for each in part for found in _named(each)}
    if not isinstance(part, dict):
        return set()
    found = {
        (kind, part[key][field])
        for key, (kind, field) in REFERENCES.items()
        if isinstance(part.get(key), dict) and field in part[key]
    }
    for source in (part.get("projected") or {}).get("sources", ()):
        # Here alone a Secret is called by `name`.
        found |= {("Secret", source["secret"]["name"])} if "secret" in source else set()
    return found | _named(list(part.values()))


REFERENCE_RULES = (one_namespace, resolved, mounts, known_settings, no_secrets, no_rights, certificate_names)
