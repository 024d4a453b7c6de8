"""What a pod may not do, and what it must say. The first seven are the profile "restricted", and a little more."""

from collections.abc import Iterator

from tests.k8s.manifests import Manifest, Manifests, containers, pods
from tests.k8s.variables import looks_secret, variables

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
HOST_NAMESPACES = ("hostNetwork", "hostPID", "hostIPC")
SECRET_MODE = 0o440
AUDIENCES = {"sts.amazonaws.com"}
"""Whom a token of Kubernetes may be for that is made for somebody else: AWS, where a cluster has no IRSA webhook."""


def numeric_user(manifests: Manifests) -> Iterator[str]:
    """A pod runs as a numeric user and group that are not root, and no container says otherwise."""
    for owner, pod in pods(manifests):
        context = pod.get("securityContext", {})
        if context.get("runAsNonRoot") is not True:
            yield f"{owner}: runAsNonRoot is not true"
        yield from (f"{owner}: {key} is not above 0" for key in ("runAsUser", "runAsGroup") if not context.get(key))
    for owner, container in containers(manifests):
        context = container.get("securityContext", {})
        if {"runAsUser", "runAsGroup", "runAsNonRoot"} & set(context):
            yield f"{owner}: has a user of its own"


def seccomp(manifests: Manifests) -> Iterator[str]:
    """A pod makes only the system calls that its runtime takes for usual."""
    for owner, pod in pods(manifests):
        if pod.get("securityContext", {}).get("seccompProfile") != {"type": "RuntimeDefault"}:
            yield f"{owner}: seccompProfile is not RuntimeDefault"


def no_escalation(manifests: Manifests) -> Iterator[str]:
    """A container's processes cannot get more rights than its first one has."""
    for owner, container in containers(manifests):
        context = container.get("securityContext", {})
        if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
            yield f"{owner}: may gain privileges"


def no_capabilities(manifests: Manifests) -> Iterator[str]:
    """A container has none of root's capabilities."""
    for owner, container in containers(manifests):
        if container.get("securityContext", {}).get("capabilities") != {"drop": ["ALL"]}:
            yield f"{owner}: does not drop ALL capabilities, or adds one"


def no_host(manifests: Manifests) -> Iterator[str]:
    """A pod shares no namespace and no port with its machine."""
    for owner, pod in pods(manifests):
        yield from (f"{owner}: {key}" for key in HOST_NAMESPACES if pod.get(key))
    for owner, container in containers(manifests):
        yield from (f"{owner}: hostPort" for port in container.get("ports", ()) if "hostPort" in port)


def volume_kinds(manifests: Manifests) -> Iterator[str]:
    """A pod mounts nothing of its machine."""
    for owner, volume in _volumes(manifests):
        kinds = set(volume) - {"name"}
        if len(kinds) != 1 or not kinds <= VOLUMES:
            yield f"{owner}: volume {volume['name']} is of kind {', '.join(sorted(kinds)) or 'none'}"


def read_only_root(manifests: Manifests) -> Iterator[str]:
    """A container writes only to what is mounted."""
    for owner, container in containers(manifests):
        if container.get("securityContext", {}).get("readOnlyRootFilesystem") is not True:
            yield f"{owner}: its root can be written"


def bounded_scratch(manifests: Manifests) -> Iterator[str]:
    """What a pod may write of its own has a limit."""
    for owner, volume in _volumes(manifests):
        if "emptyDir" in volume and "sizeLimit" not in (volume["emptyDir"] or {}):
            yield f"{owner}: volume {volume['name']} has no sizeLimit"


def no_token(manifests: Manifests) -> Iterator[str]:
    """No pod gets a token of Kubernetes, nor the addresses of its Services as variables."""
    for manifest in manifests:
        if manifest["kind"] == "ServiceAccount" and manifest.get("automountServiceAccountToken") is not False:
            yield f"ServiceAccount/{manifest['metadata']['name']}: its token is mounted"
    for owner, pod in pods(manifests):
        for key in ("automountServiceAccountToken", "enableServiceLinks"):
            if pod.get(key) is not False:
                yield f"{owner}: {key} is not false"
    for owner, volume in _volumes(manifests):
        for source in _sources(volume, "serviceAccountToken"):
            if source.get("audience") not in AUDIENCES:
                yield f"{owner}: volume {volume['name']} holds a token of Kubernetes"


def own_account(manifests: Manifests) -> Iterator[str]:
    """A pod runs as a ServiceAccount that is made for it, never as the namespace's default."""
    known = {each["metadata"]["name"] for each in manifests if each["kind"] == "ServiceAccount"}
    for owner, pod in pods(manifests):
        if pod.get("serviceAccountName") not in known:
            yield f"{owner}: serviceAccountName is not one of {sorted(known)}"


def resources(manifests: Manifests) -> Iterator[str]:
    """A container says how much processor and memory it needs, and has an upper limit of memory."""
    for owner, container in containers(manifests):
        given = container.get("resources", {})
        wanted = {("requests", "cpu"), ("requests", "memory"), ("limits", "memory")}
        missing = sorted((kind, name) for kind, name in wanted if name not in given.get(kind, {}))
        yield from (f"{owner}: no {name} in resources.{kind}" for kind, name in missing)


def pinned_image(manifests: Manifests) -> Iterator[str]:
    """An image is of one release, never the latest."""
    for owner, container in containers(manifests):
        name = container["image"].rpartition("/")[2]
        tag = name.partition("@")[0].partition(":")[2]
        if "@sha256:" not in name and not tag[:1].isdigit():
            yield f"{owner}: the image has no tag of a release"


def named_registry(manifests: Manifests) -> Iterator[str]:
    """An image comes from a registry that is named, so that no public one is asked for it; or is never fetched."""
    for owner, container in containers(manifests):
        host, slash, _ = container["image"].partition("/")
        if not (slash and "." in host) and container.get("imagePullPolicy") != "Never":
            yield f"{owner}: the image {container['image']} names no registry"


def secrets_from_files(manifests: Manifests) -> Iterator[str]:
    """No secret is a variable or an argument, which processes show and hand on, wherever it comes from."""
    for owner, container in containers(manifests):
        if any("secretRef" in source for source in container.get("envFrom", ())):
            yield f"{owner}: envFrom a Secret"
        for variable in container.get("env", ()):
            if "secretKeyRef" in variable.get("valueFrom", {}):
                yield f"{owner}: {variable['name']} comes from a Secret"
        if any(looks_secret("", word) for word in (*container.get("command", ()), *container.get("args", ()))):
            yield f"{owner}: an argument looks like a secret"
    for each in variables(manifests):
        if looks_secret(each.name, each.value):
            yield f"{each.owner}: {each.name} looks like a secret"


def secret_modes(manifests: Manifests) -> Iterator[str]:
    """A mounted Secret is read by the pod's user and group alone, and cannot be written."""
    for owner, volume in _volumes(manifests):
        secrets = [volume["secret"]] if volume.get("secret") else _sources(volume, "secret")
        if not secrets:
            continue
        modes = [(volume.get("secret") or volume["projected"]).get("defaultMode", 0o644)]
        modes += [item["mode"] for secret in secrets for item in secret.get("items", ()) if "mode" in item]
        yield from (f"{owner}: volume {volume['name']} has mode {mode:o}" for mode in modes if mode & ~SECRET_MODE)


def volumes_of_the_group(manifests: Manifests) -> Iterator[str]:
    """What a pod mounts of Secrets and disks is its group's: else they are root's alone, and its user is shut out."""
    for owner, pod in pods(manifests):
        mounted = [volume["name"] for volume in pod.get("volumes", ()) if _needs_a_group(volume)]
        if mounted and not pod.get("securityContext", {}).get("fsGroup"):
            yield f"{owner}: fsGroup is not above 0, and there is a volume {mounted[0]}"


def _needs_a_group(volume: Manifest) -> bool:
    return bool({"secret", "persistentVolumeClaim"} & set(volume) or _sources(volume, "secret"))


def _sources(volume: Manifest, kind: str) -> list[Manifest]:
    """Return what of a kind a volume is put together from."""
    return [source[kind] for source in (volume.get("projected") or {}).get("sources", ()) if kind in source]


def _volumes(manifests: Manifests) -> Iterator[tuple[str, Manifest]]:
    for owner, pod in pods(manifests):
        for volume in pod.get("volumes", ()):
            yield owner, volume


POD_RULES = (
    numeric_user,
    seccomp,
    no_escalation,
    no_capabilities,
    no_host,
    volume_kinds,
    read_only_root,
    bounded_scratch,
    no_token,
    own_account,
    resources,
    pinned_image,
    named_registry,
    secrets_from_files,
    secret_modes,
    volumes_of_the_group,
)
