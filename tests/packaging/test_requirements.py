"""The lists of what the distributions need agree with each other, and their hashed files are whole."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

OWN = "identity-provisioning-"
HASHED = (
    "clients/python/requirements-cli.txt",
    "clients/python/requirements.txt",
    "proto/requirements.txt",
    "service/requirements-build.txt",
    "service/requirements-embedded.txt",
    "service/requirements.txt",
    "tests/requirements-picture.txt",
    "tests/requirements.txt",
)
NOT_SHIPPED = ("proto/requirements.txt", "tests/requirements-picture.txt")
"""Of environments of their own, whose programs make files that are looked at."""


def test_server_list_is_that_of_server_and_contract(root: Path) -> None:
    """service/requirements.in names exactly what the server's and the contract's pyproject name."""
    declared = _declared(root / "service") | _declared(root / "proto")
    assert _listed(root / "service" / "requirements.in") == declared


def test_client_list_is_that_of_client_and_contract(root: Path) -> None:
    """clients/python/requirements.in names exactly what the client's and the contract's pyproject name."""
    declared = _declared(root / "clients" / "python") | _declared(root / "proto")
    assert _listed(root / "clients" / "python" / "requirements.in") == declared


@pytest.mark.parametrize(("folder", "extra"), [("service", "embedded"), ("clients/python", "cli")])
def test_lists_with_an_extra_are_whole(folder: str, extra: str, root: Path) -> None:
    """The list of a distribution with an extra names exactly what it needs without, and what the extra declares."""
    plain = _listed(root / folder / "requirements.in")
    assert _listed(root / folder / f"requirements-{extra}.in") == plain | _declared(root / folder, extra)


def test_test_list_brings_every_extra(root: Path) -> None:
    """tests/requirements.in brings the server and all extras, so that everything installs without its dependencies."""
    extras = _declared(root / "service", "embedded") | _declared(root / "clients" / "python", "cli")
    listed = _listed(root / "tests" / "requirements.in")
    assert extras <= listed
    assert _listed(root / "service" / "requirements.in") <= listed


@pytest.mark.parametrize("name", HASHED)
def test_every_pin_is_exact_and_hashed(name: str, root: Path) -> None:
    """Each entry of a hashed file is one exact version with SHA-256 sums, and nothing says where it comes from."""
    text = (root / name).read_text()
    pins = _pins(root / name)
    assert pins
    for entry in _entries(text):
        assert re.fullmatch(r"[\w.\-]+(\[[\w,\-]+\])?==\S+( ; [^\\]+?)?( --hash=sha256:[0-9a-f]{64})+", entry), entry
    assert not re.search(r"://|--(extra-)?index|--find-links|--trusted-host", text)


@pytest.mark.parametrize("name", [name for name in HASHED if name not in NOT_SHIPPED])
def test_what_is_tested_is_what_is_shipped(name: str, root: Path) -> None:
    """What client, server and image are installed with is of the version that the tests run with."""
    tested = _pins(root / "tests" / "requirements.txt")
    assert {package: tested.get(package) for package in _pins(root / name)} == _pins(root / name)


@pytest.mark.parametrize("name", HASHED)
def test_hashed_file_fits_its_list(name: str, root: Path) -> None:
    """Every requirement of an .in file is pinned in its .txt, at a version that it allows."""
    pins = _pins(root / name)
    for line in _listed((root / name).with_suffix(".in")):
        requirement = Requirement(line)
        assert requirement.specifier.contains(pins[_normal(requirement.name)]), line


def test_hashed_files_are_all_known(house_files: tuple[Path, ...], root: Path) -> None:
    """No hashed requirement file stands outside these tests."""
    found = {str(path.relative_to(root)) for path in house_files if re.match(r"requirements.*\.txt$", path.name)}
    assert found == set(HASHED)


def _declared(folder: Path, extra: str | None = None) -> set[str]:
    """Name what a pyproject asks for, or one of its extras, without our own distributions."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    lines = project["optional-dependencies"][extra] if extra else project["dependencies"]
    return {str(Requirement(line)) for line in lines if not line.startswith(OWN)}


def _listed(path: Path) -> set[str]:
    """Name what an .in file asks for, other .in files that it includes too."""
    found: set[str] = set()
    for line in path.read_text().splitlines():
        text = line.partition("#")[0].strip()
        if text.startswith("-r "):
            found |= _listed(path.parent / text.removeprefix("-r "))
        elif text:
            found.add(str(Requirement(text)))
    return found


def _entries(text: str) -> Iterator[str]:
    for entry in text.replace("\\\n", " ").splitlines():
        if entry.strip():
            yield re.sub(r"\s+", " ", entry).strip()


def _pins(path: Path) -> dict[str, str]:
    """Map each package of a hashed file to its version."""
    pins: dict[str, str] = {}
    for entry in _entries(path.read_text()):
        package, _, rest = entry.partition("==")
        pins[_normal(package.partition("[")[0])] = rest.split()[0]
    return pins


def _normal(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()
