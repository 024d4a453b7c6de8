"""What the tests of the house share: where it is, what belongs to it, and how its distributions are built."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

NOT_OURS = {".git", "build", "dist", "node_modules", "__pycache__"}
BuildWheel = Callable[[str], Path]


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the workspace."""
    return Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def house_files(root: Path) -> tuple[Path, ...]:
    """Every file that is, or would be, committed."""
    return tuple(sorted(_listed_by_git(root) if (root / ".git").exists() else _walked(root)))


@pytest.fixture(scope="session")
def build_wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> BuildWheel:
    """Build the wheel of a distribution, named by its folder; needs no package index."""

    def build(folder: str) -> Path:
        wheels = tmp_path_factory.mktemp("wheels")
        call = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels)]
        subprocess.run(call, cwd=root / folder, check=True, capture_output=True)
        (wheel,) = wheels.glob("*.whl")
        return wheel

    return build


def _listed_by_git(root: Path) -> list[Path]:
    call = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]  # names only what is not ignored
    names = subprocess.run(call, cwd=root, check=True, capture_output=True, text=True).stdout
    return [root / name for name in set(names.split("\0")) if name and (root / name).is_file()]


def _walked(root: Path) -> list[Path]:
    return [
        path
        for path in root.rglob("*")
        if path.is_file()
        and not any(part in NOT_OURS or part.startswith(".venv") for part in path.relative_to(root).parts)
        and not any(part.endswith("_cache") or part == ".hypothesis" for part in path.relative_to(root).parts)
    ]
