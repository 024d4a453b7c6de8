"""`make image` finds a builder that works, hands on how packages are reached, and explains itself where none is."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

# A builder that writes down how it was called; `info` tells whether it has an engine.
FAKE = """#!/bin/sh
[ "$1" = info ] && exit {code}
echo "{name} $*"
"""
WORKS, HAS_NO_ENGINE = 0, 1


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder that is the whole PATH."""
    (tmp_path / "cat").symlink_to(shutil.which("cat") or "/bin/cat")
    return tmp_path


@pytest.mark.parametrize(
    ("builders", "chosen"),
    [
        ({"docker": WORKS, "podman": WORKS, "buildah": WORKS}, "docker"),
        ({"docker": HAS_NO_ENGINE, "podman": WORKS}, "podman"),
        ({"docker": HAS_NO_ENGINE, "buildah": WORKS}, "buildah"),
        ({"buildah": WORKS}, "buildah"),
    ],
)
def test_first_builder_that_works_is_taken(
    builders: Mapping[str, int], chosen: str, programs: Path, root: Path
) -> None:
    """A client without an engine is passed over; the server is built with its version, and nothing of pip's."""
    code, said = _make_image(root, programs, builders)
    assert code == 0
    (version,) = re.findall(r'(?m)^version = "(.+)"$', (root / "proto" / "pyproject.toml").read_text())
    assert (
        f"{chosen} build -t identity-provisioning-service:dev --target server --build-arg VERSION={version} .\n" in said
    )


@pytest.mark.parametrize(
    ("builders", "reasons"),
    [
        ({}, "docker is not installed. podman is not installed. buildah is not installed."),
        ({"docker": HAS_NO_ENGINE}, "docker does not answer. podman is not installed. buildah is not installed."),
    ],
)
def test_none_that_works_is_explained(builders: Mapping[str, int], reasons: str, programs: Path, root: Path) -> None:
    """Where no builder works, each is named with its reason, and what can be done is said."""
    code, said = _make_image(root, programs, builders)
    assert code != 0
    assert reasons in said
    assert "BUILDER=" in said
    assert " build -t" not in said


def test_named_builder_target_and_image_are_taken(programs: Path, root: Path) -> None:
    """BUILDER, IMAGE, TARGET and ARGS say what is built, with what, and under which name."""
    named = ("BUILDER=podman", "IMAGE=registry.example/identity:1.2.3", "TARGET=demo", "ARGS=--pull")
    code, said = _make_image(root, programs, {"docker": WORKS, "podman": WORKS}, *named)
    assert code == 0
    assert "podman build -t registry.example/identity:1.2.3 --target demo " in said
    assert " --pull .\n" in said


def test_way_to_packages_is_handed_on(programs: Path, root: Path) -> None:
    """Indexes go by name, so that no list of processes shows them, and certificates as a mount that no layer keeps."""
    pip = {"PIP_INDEX_URL": "https://user:secret@packages.example/simple", "PIP_CERT": "/certificates.pem"}
    code, said = _make_image(root, programs, {"docker": WORKS}, environment=pip)
    assert code == 0
    assert "--build-arg PIP_INDEX_URL " in said
    assert "--build-arg PIP_CERT=/run/secrets/certificates --secret id=certificates,src=/certificates.pem" in said
    assert "secret@" not in said


def _make_image(
    root: Path,
    programs: Path,
    builders: Mapping[str, int],
    *arguments: str,
    environment: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Run `make image` where only these builders are; return its exit code and all that it said."""
    for name, code in builders.items():
        (programs / name).write_text(FAKE.format(name=name, code=code))
        (programs / name).chmod(0o755)
    call = [shutil.which("make") or "make", "-C", str(root), "image", *arguments]
    variables = {"PATH": str(programs), **(environment or {})}
    done = subprocess.run(call, env=variables, capture_output=True, text=True, check=False)
    return done.returncode, re.sub(" +", " ", done.stdout + done.stderr)
