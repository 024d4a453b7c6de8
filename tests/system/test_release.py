"""A release is built by `make dist`, installed in a clean environment with every package's hash, and runs the demo."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.system
WHERE = "import identity_service, embedded_aws, identity_client.cli as c; print(identity_service.__file__, c.__file__)"


@pytest.fixture(scope="module")
def release(root: Path, need: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a release."""
    folder = tmp_path_factory.mktemp("release")
    _run(need("make"), "-C", str(root), "dist", f"DIST={folder}")
    return folder


@pytest.fixture(scope="module")
def python(root: Path, release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a clean environment with the release's wheels and their extras."""
    environment = tmp_path_factory.mktemp("clean") / "environment"
    _run(sys.executable, "-m", "venv", str(environment))
    installed = environment / "bin" / "python"
    install = [str(installed), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    for requirements in ("service/requirements-embedded.txt", "clients/python/requirements-cli.txt"):
        _run(*install, "--require-hashes", "-r", str(root / requirements))
    _run(*install, "--no-deps", "--no-index", *map(str, release.glob("*.whl")))
    return installed


def test_release_is_whole(release: Path) -> None:
    """A release is three wheels and their source archives, a bill of materials and a list of licences."""
    names = sorted(path.name.partition("-")[0] for path in release.glob("*.whl"))
    assert names == ["identity_provisioning_api", "identity_provisioning_client", "identity_provisioning_service"]
    assert sorted(path.name.partition("-")[0] for path in release.glob("*.tar.gz")) == names
    assert len(list(release.iterdir())) == 8


def test_bill_names_everything_that_is_installed(release: Path, python: Path) -> None:
    """The bill of materials holds each package of an installation, at its version, and no path of this machine."""
    text = (release / "sbom.cdx.json").read_text()
    bill = json.loads(text)
    assert bill["bomFormat"] == "CycloneDX"
    billed = {(_normal(each["name"]), each["version"]) for each in bill["components"]}
    listed = json.loads(_run(str(python), "-m", "pip", "list", "--format=json", "--disable-pip-version-check"))
    installed = {(_normal(each["name"]), each["version"]) for each in listed}
    assert {each for each in installed if each[0] not in ("pip", "setuptools")} == billed
    assert "file://" not in text


def test_licences_are_listed_for_all(release: Path) -> None:
    """Each package of the bill that is not ours has its line in the list of licences."""
    bill = json.loads((release / "sbom.cdx.json").read_text())
    names = {each["name"] for each in bill["components"] if not each["name"].startswith("identity-provisioning-")}
    rows = (release / "licences.md").read_text().partition("|---|---|---|\n")[2].splitlines()
    assert {row.split(" | ")[0].removeprefix("| ") for row in rows} == names
    assert all(row.split(" | ")[2].rstrip(" |") for row in rows)


def test_wheels_come_from_source_archives_as_well(release: Path, tmp_path: Path) -> None:
    """A source archive alone, without the workspace around it, builds the wheel of the same name."""
    for archive in release.glob("*.tar.gz"):
        with tarfile.open(archive) as opened:
            opened.extractall(tmp_path, filter="data")
        folder = tmp_path / archive.name.removesuffix(".tar.gz")
        _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path), folder=folder)
    assert {path.name for path in tmp_path.glob("*.whl")} == {path.name for path in release.glob("*.whl")}


def test_demo_runs_from_the_wheels(python: Path, root: Path, tmp_path: Path) -> None:
    """With the wheels and their extras alone, away from the checkout, the demo provisions its seven users."""
    examples = tmp_path / "examples"
    shutil.copytree(root / "examples", examples, ignore=shutil.ignore_patterns("__pycache__"))
    _run(str(python), "-m", "pip", "check", "--disable-pip-version-check", folder=tmp_path)
    service, command = _run(str(python), "-c", WHERE, folder=tmp_path).split()
    assert {Path(service).is_relative_to(root), Path(command).is_relative_to(root)} == {False}
    _run(str(python), str(examples / "demo.py"), "--results", str(tmp_path / "results"), folder=tmp_path)
    account = json.loads((tmp_path / "results" / "account.json").read_text())
    assert len(account["users"]) == 2 + 7


def _run(*call: str, folder: Path | None = None) -> str:
    """Run a program; return what it printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(call, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout


def _normal(name: str) -> str:
    return name.replace("_", "-").replace(".", "-").lower()
