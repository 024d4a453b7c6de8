"""What Kubernetes is given, as the checks look at it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Manifest = dict[str, Any]
Manifests = Sequence[Manifest]
NAME_LABEL = "app.kubernetes.io/name"


def of_kind(manifests: Manifests, *kinds: str) -> list[Manifest]:
    """Return the manifests of these kinds."""
    return [manifest for manifest in manifests if manifest["kind"] in kinds]


def title(manifest: Manifest) -> str:
    """Return how messages call a manifest."""
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


def name_of(manifest: Manifest) -> str:
    """Return a manifest's name."""
    name: str = manifest["metadata"]["name"]
    return name


def pod_template(manifest: Manifest) -> Manifest | None:
    """Return the template of the pods that a manifest makes, if it makes any."""
    if manifest["kind"] == "CronJob":
        template: Manifest = manifest["spec"]["jobTemplate"]["spec"]["template"]
        return template
    if manifest["kind"] == "Pod":
        return manifest
    found: Manifest | None = manifest.get("spec", {}).get("template")
    return found


def pods(manifests: Manifests) -> Iterator[tuple[str, Manifest]]:
    """Yield the specification of each kind of pod, and what makes it."""
    for manifest in manifests:
        template = pod_template(manifest)
        if template is not None:
            yield title(manifest), template["spec"]


def containers(manifests: Manifests) -> Iterator[tuple[str, Manifest]]:
    """Yield each container, those that start before the others too, and what makes it."""
    yield from ((owner, container) for owner, _, container in containers_of_pods(manifests))


def containers_of_pods(manifests: Manifests) -> Iterator[tuple[str, Manifest, Manifest]]:
    """Yield the same, with the pod that a container is in before it."""
    for owner, pod in pods(manifests):
        for container in [*pod.get("initContainers", ()), *pod["containers"]]:
            yield f"{owner}, container {container['name']}", pod, container


def labels_of_pods(manifests: Manifests) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield the labels of each kind of pod, and what makes it."""
    for manifest in manifests:
        template = pod_template(manifest)
        if template is not None:
            yield title(manifest), template["metadata"].get("labels", {})


def selects(selector: Manifest, labels: Mapping[str, str]) -> bool:
    """Tell whether a label selector, of which we only use `matchLabels`, selects what has these labels."""
    wanted: Mapping[str, str] = selector.get("matchLabels", {})
    return wanted.items() <= labels.items()
