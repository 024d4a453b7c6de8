"""Container images without a container engine: built by buildah with chroot isolation, on a base of Debian packages."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

BASE = "localhost/base"
STORAGE = """[storage]
driver = "vfs"
graphroot = "{folder}/root"
runroot = "{folder}/run"
"""


class Builder:
    """buildah with a storage of its own, so that nothing of this machine's is touched."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        configuration = folder / "storage.conf"
        configuration.write_text(STORAGE.format(folder=folder))
        self._environment = {
            **os.environ,
            "BUILDAH_FORMAT": "docker",
            "BUILDAH_ISOLATION": "chroot",
            "CONTAINERS_STORAGE_CONF": str(configuration),
        }

    def run(self, *arguments: str) -> str:
        """Run a buildah command; return what it printed."""
        return self._run([self._program, *arguments])

    def make_base(self, mmdebstrap: str) -> None:
        """Make the base image: this machine's release of Debian, as small as it gets, with Python."""
        tree = self._folder / "base.tar"
        options = ["--quiet", "--mode=root", "--variant=minbase", "--include=python3-venv,ca-certificates"]
        self._run([mmdebstrap, *options, _release(), str(tree), *_package_sources()])
        container = self.run("from", "scratch").strip()
        self.run("add", "--quiet", container, str(tree), "/")
        self.run("commit", "--quiet", "--rm", container, BASE)
        tree.unlink()

    def make(self, root: Path, image: str, target: str) -> None:
        """Run `make image` for one of the Dockerfile's targets."""
        names = [f"IMAGE={image}", f"TARGET={target}", f"ARGS=--build-arg BASE_IMAGE={BASE}", "BUILDER=buildah"]
        self._run(["make", "-C", str(root), "image", *names])

    def inspect(self, image: str) -> dict[str, Any]:
        """Return what the image says about how it is run, and its size."""
        (listed,) = json.loads(self.run("images", "--json", image))
        configuration: dict[str, Any] = json.loads(self.run("inspect", "--type", "image", image))["Docker"]["config"]
        return {**configuration, "Size": listed["size"]}

    def unpack(self, image: str) -> Path:
        """Lay the image's tree of files out as a container of its own; return its root."""
        return Path(self.run("mount", self.run("from", image).strip()).strip())

    def clean(self) -> None:
        """Take away all containers and images."""
        self.run("umount", "--all")
        self.run("rm", "--all")
        self.run("rmi", "--all", "--force")

    def _run(self, call: list[str]) -> str:
        done = subprocess.run(call, capture_output=True, text=True, check=False, env=self._environment)
        assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
        return done.stdout


def _package_sources() -> list[str]:
    """Name the files that say where this machine gets its packages."""
    listed = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    return [str(path) for path in listed if path.is_file() and path.suffix in (".list", ".sources")]


def _release() -> str:
    """Name this machine's release of Debian."""
    lines = Path("/etc/os-release").read_text().splitlines()
    named = dict(line.split("=", 1) for line in lines if "=" in line)
    return named["VERSION_CODENAME"].strip('"')
