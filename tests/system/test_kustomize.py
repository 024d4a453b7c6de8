"""kubectl renders the Kubernetes manifests, alone and below an overlay."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.system
Rendered = dict[str, dict[str, Any]]
Render = Callable[[Path], Rendered]
# `bases` is the old word for a folder among `resources`; Debian 12's kubectl knows only that one, new ones both.
OVERLAY = """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
bases: [../base]
configMapGenerator:
  - name: identity-service-settings
    behavior: merge
    literals: [IDENTITY_SERVICE_AWS_ACCOUNT_ID=210987654321]
"""


@pytest.fixture(scope="module")
def render(need: Callable[[str], str]) -> Render:
    """Render a folder; the objects by kind, ConfigMaps by kind and name without its hash."""
    kubectl = need("kubectl")

    def run(folder: Path) -> Rendered:
        done = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        objects = [document for document in yaml.safe_load_all(done.stdout) if document]
        rendered = {_key(thing): thing for thing in objects}
        assert len(rendered) == len(objects)
        return rendered

    return run


@pytest.fixture(scope="module")
def rendered(render: Render, root: Path) -> Rendered:
    """The base as Kubernetes gets it."""
    return render(root / "k8s" / "base")


def test_base_renders_its_objects(rendered: Rendered) -> None:
    """The base renders to one Deployment with what it needs, and nothing else."""
    assert set(rendered) == {
        "ConfigMap identity-service-authorization",
        "ConfigMap identity-service-settings",
        "Deployment",
        "PersistentVolumeClaim",
        "Service",
        "ServiceAccount",
    }


def test_deployment_refers_to_what_was_rendered(rendered: Rendered) -> None:
    """Deployment and rendered objects name each other, generated names with their hashes too."""
    pod = rendered["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    settings = rendered["ConfigMap identity-service-settings"]["metadata"]["name"]
    authorization = rendered["ConfigMap identity-service-authorization"]["metadata"]["name"]
    assert container["envFrom"] == [{"configMapRef": {"name": settings}}]
    assert volumes["authorization"]["configMap"]["name"] == authorization
    assert settings != "identity-service-settings"
    assert pod["serviceAccountName"] == rendered["ServiceAccount"]["metadata"]["name"]
    claim = rendered["PersistentVolumeClaim"]["metadata"]["name"]
    assert volumes["state"]["persistentVolumeClaim"]["claimName"] == claim


def test_image_has_the_released_tag(rendered: Rendered) -> None:
    """The rendered image carries a version, never none or `latest`."""
    (container,) = rendered["Deployment"]["spec"]["template"]["spec"]["containers"]
    name, _, tag = container["image"].partition(":")
    assert name == "identity-provisioning-service"
    assert tag[:1].isdigit()


def test_overlay_sets_the_account(render: Render, rendered: Rendered, root: Path, tmp_path: Path) -> None:
    """An overlay changes one setting, keeps the others, and rolls the Deployment."""
    (tmp_path / "base").mkdir()
    for path in (root / "k8s" / "base").iterdir():
        (tmp_path / "base" / path.name).write_text(path.read_text())
    (tmp_path / "overlay").mkdir()
    (tmp_path / "overlay" / "kustomization.yaml").write_text(OVERLAY)
    overlaid = render(tmp_path / "overlay")["ConfigMap identity-service-settings"]
    before = rendered["ConfigMap identity-service-settings"]
    assert overlaid["data"] == before["data"] | {"IDENTITY_SERVICE_AWS_ACCOUNT_ID": "210987654321"}
    assert overlaid["metadata"]["name"] != before["metadata"]["name"]


def _key(thing: dict[str, Any]) -> str:
    kind: str = thing["kind"]
    name: str = thing["metadata"]["name"]
    return f"{kind} {name.rpartition('-')[0]}" if kind == "ConfigMap" else kind
