"""The overlays as Kubernetes gets them, rendered once, and a copy of all manifests to put other overlays into."""

import re
import shutil
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path

import pytest

from tests.k8s.manifests import Manifest, Manifests, name_of, of_kind
from tests.k8s.render import OVERLAYS, ROOT, render

Rendered = Callable[[str], list[Manifest]]
AddOverlay = Callable[[str], Path]
VERSION = re.findall(r'(?m)^version = "(.+)"$', (ROOT / "proto" / "pyproject.toml").read_text())[0]
"""The release, where it is written."""
MIGRATION = f"Job/identity-service-migrate-{VERSION.replace('.', '-')}"
"""The Job of this release, as messages call it."""


@pytest.fixture(scope="session")
def rendered() -> Rendered:
    """Return the manifests of an overlay by its name, as a copy that a test may change."""
    once = cache(lambda name: render(OVERLAYS / name))
    return lambda name: deepcopy(once(name))


@pytest.fixture
def add_overlay(tmp_path: Path) -> AddOverlay:
    """Add an overlay to a copy of all manifests: given its kustomization, return its folder."""
    overlays = Path(shutil.copytree(OVERLAYS.parent, tmp_path / "k8s")) / "overlays"

    def add(kustomization: str) -> Path:
        folder = overlays / "added"
        folder.mkdir()
        (folder / "kustomization.yaml").write_text(kustomization)
        return folder

    return add


def settings_map(manifests: Manifests) -> dict[str, str]:
    """Return what stands in the ConfigMap of the settings, for a test to change."""
    maps = of_kind(manifests, "ConfigMap")
    (data,) = [each["data"] for each in maps if name_of(each).startswith("identity-service-settings")]
    found: dict[str, str] = data
    return found
