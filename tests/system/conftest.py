"""What the tests that need system programs share. `.ci/run` installs the programs on Debian."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

PACKAGES = {
    "age": "age",
    "aws": "awscli",
    "buildah": "buildah",
    "make": "make",
    "mmdebstrap": "mmdebstrap",
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "ssh-keygen": "openssh-client",
}
Need = Callable[[str], str]


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the workspace."""
    return Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def need() -> Need:
    """Find a system program, or fail and say how to get it: a test that is asked for is not skipped."""

    def find(program: str) -> str:
        path = shutil.which(program)
        if path is None:
            pytest.fail(f"{program} is not installed; on Debian: apt-get install {PACKAGES[program]}", pytrace=False)
        return path

    return find
