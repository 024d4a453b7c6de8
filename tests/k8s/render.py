"""Renders a folder of manifests with kubectl, which comes as a Python package."""

import subprocess
import sys
from pathlib import Path

import yaml

from tests.k8s.manifests import Manifest

ROOT = Path(__file__).resolve().parents[2]
OVERLAYS = ROOT / "k8s" / "overlays"
KUBECTL = Path(sys.executable).with_name("kubectl")
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The safe one, in C where PyYAML has it."""


class RenderError(Exception):
    """A folder that does not render; the text is kubectl's."""


def render(folder: Path) -> list[Manifest]:
    """Return the manifests of a folder as `kubectl apply -k` would send them. Raises RenderError."""
    done = subprocess.run(
        [str(KUBECTL), "kustomize", str(folder)], capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode != 0 or done.stderr:
        raise RenderError(done.stderr.strip())
    return [document for document in yaml.load_all(done.stdout, LOADER) if document]
