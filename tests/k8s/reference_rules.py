"""What the manifests name is there, and means what the server takes it for."""

from collections.abc import Iterator
from typing import Any

from identity_service.settings import PREFIX, Settings
from tests.k8s.manifests import Manifests, name_of, of_kind, pods, settings, title

MADE_ELSEWHERE = {"identity-service-tls", "identity-service-store"}
"""The Secrets that an operator, or an operator's operator, puts into the namespace."""
CLUSTER_KINDS = {"Namespace", "ClusterSPIFFEID"}
RIGHTS = ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")
REFERENCES = {
    "configMapRef": ("ConfigMap", "name"),
    "configMap": ("ConfigMap", "name"),
    "persistentVolumeClaim": ("PersistentVolumeClaim", "claimName"),
    "secret": ("Secret", "secretName"),
}


def one_namespace(manifests: Manifests) -> Iterator[str]:
    """Everything lies in the one namespace that is made, and nothing is there twice."""
    names = {name_of(manifest) for manifest in of_kind(manifests, "Namespace")}
    for manifest in manifests:
        if manifest["kind"] not in CLUSTER_KINDS and manifest["metadata"].get("namespace") not in names:
            yield f"{title(manifest)}: is not in {', '.join(names) or 'a namespace that is made'}"
    titles = [title(manifest) for manifest in manifests]
    yield from (f"{each}: is there more than once" for each in sorted(set(titles)) if titles.count(each) > 1)


def resolved(manifests: Manifests) -> Iterator[str]:
    """Each ConfigMap, Secret and volume that a pod names is made here, or is one that others make."""
    known = {(manifest["kind"], name_of(manifest)) for manifest in manifests}
    known |= {("Secret", certificate["spec"]["secretName"]) for certificate in of_kind(manifests, "Certificate")}
    known |= {("Secret", name) for name in MADE_ELSEWHERE}
    for owner, pod in pods(manifests):
        for kind, name in sorted(_named(pod) - known):
            yield f"{owner}: there is no {kind} {name}"


def mounts(manifests: Manifests) -> Iterator[str]:
    """Each mount has its volume, each volume is mounted, and each file that a setting names lies in one."""
    for owner, pod in pods(manifests):
        volumes = {volume["name"] for volume in pod.get("volumes", ())}
        found = [
            mount for each in [*pod.get("initContainers", ()), *pod["containers"]] for mount in each["volumeMounts"]
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
    """Each setting is one of the server's: it would leave a misspelt one alone, silently."""
    for name in settings(manifests):
        if name.startswith(PREFIX) and name.removeprefix(PREFIX).lower() not in Settings.model_fields:
            yield f"{name} is not a setting"


def no_secrets(manifests: Manifests) -> Iterator[str]:
    """No Secret stands among the manifests, and no password in a setting."""
    yield from (f"{title(manifest)}: does not belong here" for manifest in of_kind(manifests, "Secret"))
    for name, value in settings(manifests).items():
        if "://" in value and "@" in value and ":" in value.partition("://")[2].rpartition("@")[0]:
            yield f"{name} holds a password"


def no_rights(manifests: Manifests) -> Iterator[str]:
    """Nothing here gives a right in Kubernetes."""
    yield from (f"{title(manifest)}: gives rights" for manifest in of_kind(manifests, *RIGHTS))


def certificate_names(manifests: Manifests) -> Iterator[str]:
    """The certificate is the one that the server mounts, and holds the name by which clients find the Service."""
    services = of_kind(manifests, "Service")
    names = {f"{name_of(each)}.{each['metadata'].get('namespace')}.svc" for each in services}
    mounted = {name for _, pod in pods(manifests) for kind, name in _named(pod) if kind == "Secret"}
    for certificate in of_kind(manifests, "Certificate"):
        if not names & set(certificate["spec"]["dnsNames"]):
            yield f"{title(certificate)}: dnsNames has none of {', '.join(sorted(names))}"
        if certificate["spec"]["secretName"] not in mounted:
            yield f"{title(certificate)}: nobody mounts {certificate['spec']['secretName']}"


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
    return found | _named(list(part.values()))


REFERENCE_RULES = (one_namespace, resolved, mounts, known_settings, no_secrets, no_rights, certificate_names)
