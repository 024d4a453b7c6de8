"""What a container finds at its start: its variables, and its files, laid out in a folder of this machine."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.k8s.manifests import Manifest, Manifests, name_of, of_kind
from tests.k8s.render import ROOT

STAND_INS = {"IDENTITY_SERVICE_AWS_ACCOUNTS_FILE": ROOT / "examples" / "accounts.yaml"}
"""What is taken for the content of files that others make, where an empty one would be refused."""


@dataclass(frozen=True)
class PodFiles:
    """A container's files below `root`, and its variables, whose paths lead there.

    `made_by_others` names the variables whose files are in no ConfigMap: what they hold is not known.
    """

    root: Path
    environment: Mapping[str, str]
    made_by_others: frozenset[str]

    def as_in_the_pod(self, text: str) -> str:
        """Return a message with its paths as the pod has them."""
        return text.replace(str(self.root), "")


def lay_out(
    manifests: Manifests, pod: Manifest, container: Manifest, variables: Mapping[str, str], root: Path
) -> PodFiles:
    """Write the files of the mounted ConfigMaps below a folder; whatever else a variable names there is a stand-in."""
    volumes = {volume["name"]: volume for volume in pod.get("volumes", ())}
    stand_ins: set[str] = set()
    for mount in container.get("volumeMounts", ()):
        volume = volumes.get(mount["name"], {})
        _write(dict(_texts(manifests, volume)), _below(root, mount["mountPath"]), mount.get("subPath"))
        if any(kind != "configMap" for kind, _ in _sources(volume)):
            stand_ins |= set(_stand_in(variables, mount["mountPath"], root))
    environment = {
        name: str(_below(root, value)) if value.startswith("/") else value for name, value in variables.items()
    }
    return PodFiles(root, environment, frozenset(stand_ins))


def _below(root: Path, path: str) -> Path:
    return root / path.lstrip("/")


def _write(files: Mapping[str, str], place: Path, only: str | None) -> None:
    """Write files into a folder, or the one that is mounted alone."""
    if only is None:
        place.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = place / name if only is None else place
        if only in (None, name):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def _stand_in(variables: Mapping[str, str], mount: str, root: Path) -> Iterator[str]:
    """Make what variables name in a mount and is not there; yield their names."""
    for name, value in variables.items():
        path = _below(root, value)
        if not f"{value}/".startswith(f"{mount.rstrip('/')}/"):
            continue
        if name.endswith("_DIR"):
            path.mkdir(parents=True, exist_ok=True)
        elif not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(STAND_INS[name].read_bytes() if name in STAND_INS else b"")
        else:
            continue
        yield name


def _texts(manifests: Manifests, volume: Manifest) -> Iterator[tuple[str, str]]:
    """Yield name and content of each file that a volume has from ConfigMaps."""
    maps = {name_of(manifest): manifest.get("data") or {} for manifest in of_kind(manifests, "ConfigMap")}
    for kind, source in _sources(volume):
        data = maps.get(source.get("name", ""), {}) if kind == "configMap" else {}
        paths = {item["key"]: item["path"] for item in source.get("items", ())}
        for key, text in data.items():
            if not paths or key in paths:
                yield paths.get(key, key), text


def _sources(volume: Manifest) -> Iterator[tuple[str, Manifest]]:
    """Yield what a volume is put together from: the kind, and what is said of it."""
    for kind, said in volume.items():
        if kind == "projected":
            yield from ((each, about) for source in said.get("sources", ()) for each, about in source.items())
        elif kind != "name":
            yield kind, said or {}
