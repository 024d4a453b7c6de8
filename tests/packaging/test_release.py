"""A release has one version, and brings nothing under a licence that nobody has agreed to."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

OWN = "identity-provisioning-"
DISTRIBUTIONS = ("proto", "service", "clients/python")


@pytest.fixture(scope="module")
def version(root: Path) -> str:
    """The version, where it is written."""
    stated: str = _project(root, "proto")["project"]["version"]
    return stated


@pytest.mark.parametrize("folder", ["service", "clients/python"])
def test_version_is_written_once(folder: str, root: Path, version: str) -> None:
    """Server and client take their version from the contract's file."""
    project = _project(root, folder)
    source = project["tool"]["hatch"]["version"]
    assert project["project"]["dynamic"] == ["version"]
    assert (root / folder / source["path"]).resolve() == root / "proto" / "pyproject.toml"
    assert re.findall(source["pattern"], (root / "proto" / "pyproject.toml").read_text()) == [version]


def test_distributions_ask_for_the_contract_of_their_release(root: Path, version: str) -> None:
    """Server and client are installed with the contract of just their version."""
    lines = [line for folder in DISTRIBUTIONS for line in _project(root, folder)["project"]["dependencies"]]
    asked = [Requirement(line) for line in lines if line.startswith(OWN)]
    assert [str(requirement) for requirement in asked] == [f"identity-provisioning-api=={version}"] * 2


def test_every_place_that_names_the_version_is_known(house_files: tuple[Path, ...], root: Path, version: str) -> None:
    """The version stands where docs/release.md says, and nowhere else, so that a new one is forgotten nowhere."""
    forms = re.compile(rf"(?<![\d.]){re.escape(version)}(?![\d.]*\d)|-{re.escape(version.replace('.', '-'))}\b")
    found = {
        str(path.relative_to(root))
        for path in house_files
        if path.suffix in (".md", ".py", ".toml", ".yaml", "") and forms.search(path.read_text(errors="replace"))
    }
    _, _, listed = (root / "docs" / "release.md").read_text().partition("\n| where | what |\n")
    places = re.findall(r"(?m)^\| `([^`]+)` \|", listed.partition("\n\n")[0])
    assert found == set(places)


def test_example_brings_the_client_of_the_release(root: Path, version: str) -> None:
    """The example of a Job runs an image with the client of this very version."""
    kustomization = yaml.safe_load((root / "examples" / "kubernetes-job" / "kustomization.yaml").read_text())
    assert [image["newTag"] for image in kustomization["images"]] == [version]


def test_base_runs_the_image_of_the_release(root: Path, version: str) -> None:
    """The base's manifests name the image of this very version."""
    kustomization = yaml.safe_load((root / "k8s" / "base" / "kustomization.yaml").read_text())
    assert kustomization["images"] == [{"name": "identity-provisioning-service", "newTag": version}]


def test_changelog_begins_with_this_version(root: Path, version: str) -> None:
    """The first heading of the change log is that of the version, released or not yet."""
    headings = re.findall(r"(?m)^## (.+)$", (root / "CHANGELOG.md").read_text())
    assert re.fullmatch(
        rf"\[Unreleased\]: {re.escape(version)}|\[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d", headings[0]
    )


@pytest.mark.parametrize(
    ("licences", "listed"),
    [
        ([{"license": {"id": "MIT"}}], "MIT"),
        ([{"license": {"name": "License :: OSI Approved :: Apache Software License"}}], "Apache-2.0"),
        ([{"license": {"id": "MPL-2.0"}}, {"license": {"id": "MIT"}}], "MIT, MPL-2.0"),
        ([{"expression": "MPL-2.0 AND (Apache-2.0 OR MIT)"}], "Apache-2.0, MIT, MPL-2.0"),
    ],
)
def test_licences_are_listed(licences: list[Any], listed: str, root: Path, tmp_path: Path) -> None:
    """However a package names licences that are agreed to, they stand in the table by their short names."""
    code, table, refused = _list_licences(root, tmp_path, {"name": "thing", "version": "1.0", "licenses": licences})
    assert (code, refused) == (0, "")
    assert f"| thing | 1.0 | {listed} |\n" in table


@pytest.mark.parametrize(
    ("licences", "named"),
    [
        ([{"license": {"id": "AGPL-3.0-only"}}], "AGPL-3.0-only"),
        ([{"license": {"name": "License :: Other/Proprietary License"}}], "Other/Proprietary License"),
        ([{"expression": "MIT AND GPL-3.0-or-later"}], "GPL-3.0-or-later, MIT"),
        ([{"license": {"id": "MIT"}}, {"license": {"name": "of my own"}}], "MIT, of my own"),
        ([], "no licence"),
    ],
)
def test_other_licences_are_refused(licences: list[Any], named: str, root: Path, tmp_path: Path) -> None:
    """A package under any licence that nobody has agreed to, or under none, fails the release and is named."""
    code, _, refused = _list_licences(root, tmp_path, {"name": "thing", "version": "1.0", "licenses": licences})
    assert code == 1
    assert refused.startswith(f"thing: {named}: ")


def test_own_distributions_are_not_listed(root: Path, tmp_path: Path) -> None:
    """What we release needs no licence from others."""
    assert _list_licences(root, tmp_path, {"name": f"{OWN}api", "version": "1.0"})[0] == 0


def test_silent_packages_are_known_by_name(root: Path, tmp_path: Path) -> None:
    """A package whose metadata are silent is listed by what its licence file says."""
    code, table, _ = _list_licences(root, tmp_path, {"name": "cedarpy", "version": "4.12.2"})
    assert code == 0
    assert "| cedarpy | 4.12.2 | Apache-2.0 |" in table


def _list_licences(root: Path, folder: Path, component: dict[str, Any]) -> tuple[int, str, str]:
    """Run the list on a bill of one component; return its exit code, the table and the complaints."""
    bill = folder / "sbom.json"
    bill.write_text(json.dumps({"components": [component]}))
    call = [sys.executable, str(root / ".ci" / "licences.py"), str(bill)]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def _project(root: Path, folder: str) -> dict[str, Any]:
    return tomllib.loads((root / folder / "pyproject.toml").read_text())
