"""The container image is built with buildah, on a base made of this machine's Debian packages, and looked into."""

import json
import os
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.system
NOBODY = "65532"
BASE = "localhost/base"
SERVER = "localhost/server"
# The certificates that this machine trusts, so that the package index is trusted within the image as well.
BASE_RECIPE = """
FROM scratch
ADD base.tar /
COPY certificates.crt /etc/ssl/certs/ca-certificates.crt
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt
"""


class Builder:
    """buildah with a storage of its own, so that nothing of this machine's is touched."""

    def __init__(self, program: str, storage: Path) -> None:
        self._call = [program, "--root", f"{storage}/root", "--runroot", f"{storage}/run", "--storage-driver", "vfs"]

    def run(self, *arguments: str) -> str:
        """Run a buildah command; return what it printed."""
        done = subprocess.run([*self._call, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
        return done.stdout

    def build(self, tag: str, folder: Path, *arguments: str) -> None:
        """Build an image without a container engine."""
        self.run("build", "--isolation", "chroot", "--format", "docker", *arguments, "-t", tag, str(folder))


class Container:
    """The server's image, ready for commands to be run in it as the user that it names."""

    def __init__(self, builder: Builder, name: str) -> None:
        self._builder = builder
        self._name = name

    def run(self, *command: str) -> str:
        """Run a command; return what it printed."""
        return self._builder.run("run", "--isolation", "chroot", self._name, "--", *command)


@pytest.fixture(scope="module")
def builder(need: Callable[[str], str], root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    """A builder that has made the server's image."""
    buildah, mmdebstrap = need("buildah"), need("mmdebstrap")
    if os.geteuid() != 0:
        pytest.fail("building an image here needs root", pytrace=False)
    folder = tmp_path_factory.mktemp("base")
    made = Builder(buildah, tmp_path_factory.mktemp("storage"))
    _make_base(mmdebstrap, folder)
    made.build(BASE, folder)
    (folder / "base.tar").unlink()
    made.build(SERVER, root, "--build-arg", f"BASE_IMAGE={BASE}")
    yield made
    made.run("rm", "--all")
    made.run("rmi", "--all", "--force")


@pytest.fixture(scope="module")
def configuration(builder: Builder) -> dict[str, Any]:
    """What the image says about how it is run."""
    inspected = json.loads(builder.run("inspect", "--type", "image", SERVER))
    configuration: dict[str, Any] = inspected["Docker"]["config"]
    return configuration


@pytest.fixture(scope="module")
def container(builder: Builder) -> Container:
    """A container of the image."""
    return Container(builder, builder.run("from", SERVER).strip())


def test_image_says_how_it_is_run(configuration: dict[str, Any]) -> None:
    """The image names a numeric user, its ports, its signal, its volume and its program."""
    assert configuration["User"] == f"{NOBODY}:{NOBODY}"
    assert set(configuration["ExposedPorts"]) == {"8443/tcp", "8444/tcp"}
    assert configuration["StopSignal"] == "SIGTERM"
    assert set(configuration["Volumes"]) == {"/var/lib/identity-service"}
    assert configuration["Entrypoint"] == ["identity-service"]


def test_server_runs_as_nobody(container: Container) -> None:
    """The program is found and runs without root, and its state's folder is its own alone."""
    assert container.run("id", "-u").strip() == NOBODY
    assert "--insecure" in container.run("identity-service", "--help")
    assert container.run("stat", "-c", "%u %a", "/var/lib/identity-service").split() == [NOBODY, "700"]


def test_image_holds_the_server_and_nothing_of_its_making(container: Container) -> None:
    """Neither compiler nor package manager, embedded AWS nor client comes with the server."""
    program = "import importlib.util as u, sys; print([n for n in sys.argv[1:] if u.find_spec(n)])"
    python = "/opt/identity-service/bin/python"
    names = ["identity_service", "moto", "pip", "hatchling", "identity_client"]
    assert container.run(python, "-c", program, *names).strip() == "['identity_service']"
    assert container.run("sh", "-c", "command -v cc gcc make || true").strip() == ""


def test_server_needs_no_writable_root(container: Container) -> None:
    """Everything that the server imports was compiled when the image was built, so nothing is written to its root."""
    find = ["find", "/opt/identity-service", "-user", NOBODY, "-o", "-perm", "-o=w", "-not", "-type", "l"]
    assert container.run(*find).strip() == ""
    compiled = "/opt/identity-service/lib/python*/site-packages/identity_service/__pycache__/server.*.pyc"
    assert container.run("sh", "-c", f"ls {compiled}").strip()


def _make_base(mmdebstrap: str, folder: Path) -> None:
    """Make the folder from which the base image is built: a small Debian with Python, as this machine gets it."""
    sources = [str(path) for path in sorted(Path("/etc/apt").glob("sources.list*")) if path.is_file()]
    listed = sorted(Path("/etc/apt/sources.list.d").glob("*"))
    sources += [str(path) for path in listed if path.suffix in (".list", ".sources")]
    options = ["--quiet", "--mode=root", "--variant=apt", "--include=python3-venv,ca-certificates"]
    call = [mmdebstrap, *options, _release(), str(folder / "base.tar"), *sources]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    trusted = (
        os.environ.get("PIP_CERT") or ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt"
    )
    (folder / "certificates.crt").write_bytes(Path(trusted).read_bytes())
    (folder / "Dockerfile").write_text(BASE_RECIPE)


def _release() -> str:
    """Name this machine's release of Debian."""
    lines = Path("/etc/os-release").read_text().splitlines()
    named = dict(line.split("=", 1) for line in lines if "=" in line)
    return named["VERSION_CODENAME"].strip('"')
