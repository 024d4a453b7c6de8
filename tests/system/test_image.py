"""The container image is built without an engine, and runs as it will in a cluster: as nobody, on a read-only root."""

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from demo_certificates import write_certificates
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped] # ships no types

from embedded_aws import EmbeddedAws
from identity_client import IdentityClient, TlsFiles
from tests.support.images import Builder
from tests.support.read_only_root import NOBODY, ReadOnlyRoot

pytestmark = pytest.mark.system
SERVER = "localhost/server"
DEMO = "localhost/demo"
CALLER = "spiffe://example.org/demo"
STATE = "/var/lib/identity-service"
CONFIGURATION = "/etc/identity-service"
START_SECONDS = 60.0
PYTHON = "/opt/identity-service/bin/python"
FIND_PACKAGES = "import importlib.util as u, sys; print(*[n for n in sys.argv[1:] if u.find_spec(n)])"
SETTINGS = {
    "IDENTITY_SERVICE_LISTEN_ADDRESS": "127.0.0.1:0",
    "IDENTITY_SERVICE_HEALTH_ADDRESS": "127.0.0.1:0",
    "IDENTITY_SERVICE_AUTHORIZATION_DIR": f"{CONFIGURATION}/authorization",
    "IDENTITY_SERVICE_TLS_CERTIFICATE_FILE": f"{CONFIGURATION}/server.pem",
    "IDENTITY_SERVICE_TLS_PRIVATE_KEY_FILE": f"{CONFIGURATION}/server.key",
    "IDENTITY_SERVICE_CLIENT_CA_FILE": f"{CONFIGURATION}/ca.pem",
}


@dataclass(frozen=True)
class Image:
    """An image: what it says, and its files with a state of their own."""

    configuration: dict[str, Any]
    files: ReadOnlyRoot
    state: Path

    def command(self) -> list[str]:
        """Name the program and its arguments, as an engine does."""
        return [*self.configuration["Entrypoint"], *(self.configuration.get("Cmd") or [])]


@pytest.fixture(scope="module")
def builder(need: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    """A builder that has made the base image."""
    buildah, mmdebstrap = need("buildah"), need("mmdebstrap")
    if os.geteuid() != 0:
        pytest.fail("building an image here needs root", pytrace=False)
    made = Builder(buildah, tmp_path_factory.mktemp("storage"))
    try:
        made.make_base(mmdebstrap)
        yield made
    finally:
        made.clean()


@pytest.fixture(scope="module")
def configuration(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of certificates and policies that is mounted into the containers, readable for their user alone."""
    folder = tmp_path_factory.mktemp("configuration")
    write_certificates(folder, client_spiffe_id=CALLER)
    (folder / "authorization").mkdir()
    for path in (root / "examples" / "authorization").iterdir():
        (folder / "authorization" / path.name).write_bytes(path.read_bytes())
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    return folder


@pytest.fixture(scope="module")
def server(builder: Builder, root: Path, configuration: Path, tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The image that `make image` builds by default."""
    return _make(builder, root, (SERVER, "server"), configuration, tmp_path_factory.mktemp("server-state"))


@pytest.fixture(scope="module")
def demo(builder: Builder, root: Path, configuration: Path, tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The image to try things out with."""
    return _make(builder, root, (DEMO, "demo"), configuration, tmp_path_factory.mktemp("demo-state"))


def test_image_says_how_it_is_run(server: Image) -> None:
    """The image names a numeric user, its ports, its signal, its volume and its program."""
    assert server.configuration["User"] == f"{NOBODY}:{NOBODY}"
    assert set(server.configuration["ExposedPorts"]) == {"8443/tcp", "8444/tcp"}
    assert server.configuration["StopSignal"] == "SIGTERM"
    assert set(server.configuration["Volumes"]) == {STATE}
    assert server.command() == ["identity-service"]


def test_image_says_what_it_is(server: Image, root: Path) -> None:
    """What `make image` builds bears the name and the version of the release as labels of OCI."""
    (version,) = re.findall(r'(?m)^version = "(.+)"$', (root / "proto" / "pyproject.toml").read_text())
    labels = server.configuration["Labels"]
    assert labels["org.opencontainers.image.title"] == "identity-provisioning-service"
    assert labels["org.opencontainers.image.version"] == version


def test_server_serves_as_nobody_from_a_read_only_root(server: Image, configuration: Path) -> None:
    """On a root that it cannot write, the image serves, is SERVING, provisions a user, and ends in order."""
    with EmbeddedAws() as aws:
        credentials = configuration / "aws-credentials"
        credentials.write_text(
            f"[default]\naws_access_key_id = {aws.access_key_id}\naws_secret_access_key = {aws.secret_access_key}\n"
        )
        os.chown(credentials, NOBODY, NOBODY)
        account = {
            "AWS_SHARED_CREDENTIALS_FILE": f"{CONFIGURATION}/{credentials.name}",
            "IDENTITY_SERVICE_AWS_ACCOUNT_ID": aws.account_id,
            "IDENTITY_SERVICE_AWS_ENDPOINT_URL": aws.endpoint_url,
            "IDENTITY_SERVICE_AWS_REGION": "us-east-1",
        }
        with _serving(server, SETTINGS | account) as (target, seconds):
            made = _provision(target, configuration)
    assert made == f"arn:aws:iam::{aws.account_id}:user/people/ana.lima"
    assert (server.state / "identity-service.sqlite3").stat().st_uid == NOBODY
    print(f"size of the image: {server.configuration['Size']}; from its start to SERVING: {seconds:.2f} s")  # -rP shows


def test_server_cannot_write_its_root(server: Image) -> None:
    """The user of the image writes its state's folder and /tmp, and is refused everywhere else."""
    code, said = server.files.run("sh", "-c", f"id -u && touch {STATE}/a /tmp/a && rm {STATE}/a && touch /opt/a")
    assert code == 1
    assert said.split()[0] == str(NOBODY)
    assert said.count("\n") == 2
    assert "Read-only file system" in said


def test_state_is_the_users_alone(server: Image) -> None:
    """The folder that becomes the volume belongs to the user of the image, and nobody else reads it."""
    assert "--insecure" in server.files.run("identity-service", "--help")[1]
    files = server.files.root / STATE.removeprefix("/")
    assert (files.stat().st_uid, files.stat().st_gid, files.stat().st_mode & 0o777) == (NOBODY, NOBODY, 0o700)


def test_image_holds_the_server_and_nothing_of_its_making(server: Image) -> None:
    """Neither compiler nor package manager, embedded AWS nor client comes with the server."""
    names = ["identity_service", "embedded_aws", "moto", "pip", "hatchling", "identity_client"]
    assert server.files.run(PYTHON, "-c", FIND_PACKAGES, *names) == (0, "identity_service\n")
    assert server.files.run("sh", "-c", "command -v cc gcc make embedded-aws || true") == (0, "")


def test_nothing_of_this_machines_way_to_packages_is_kept(server: Image) -> None:
    """No variable of pip's, and no file of what was mounted while the image was built, reaches the image."""
    assert [line for line in server.configuration["Env"] if "PIP" in line] == []
    assert server.files.run("sh", "-c", "ls -A /run/secrets 2>/dev/null || true") == (0, "")


def test_everything_is_compiled_before(server: Image) -> None:
    """What the server imports was compiled when the image was built, and nothing of it may be changed by its user."""
    find = ["find", "/opt/identity-service", "-user", str(NOBODY), "-o", "-perm", "-o=w", "-not", "-type", "l"]
    assert server.files.run(*find) == (0, "")
    compiled = "/opt/identity-service/lib/python*/site-packages/identity_service/__pycache__/server.*.pyc"
    assert server.files.run("sh", "-c", f"ls {compiled}")[0] == 0


def test_demo_image_has_an_account_of_its_own(demo: Image, configuration: Path) -> None:
    """The image to try things out with serves on a read-only root with nothing but certificates and policies."""
    assert demo.command() == ["identity-service", "--embedded-aws"]
    with _serving(demo, SETTINGS) as (target, _):
        assert _provision(target, configuration).endswith(":user/people/ana.lima")


def _make(builder: Builder, root: Path, image: tuple[str, str], configuration: Path, state: Path) -> Image:
    """Build an image and lay it out; `image` is its name and its target."""
    builder.make(root, *image)
    os.chown(state, NOBODY, NOBODY)
    described = builder.inspect(image[0])
    mounts = {configuration: CONFIGURATION, state: STATE}
    return Image(described, ReadOnlyRoot(builder.unpack(image[0]), described["Env"], mounts), state)


@contextmanager
def _serving(image: Image, settings: dict[str, str]) -> Iterator[tuple[str, float]]:
    """Run what the image says until the block ends; yield its address, and the seconds from its start to SERVING."""
    started = time.monotonic()
    process = image.files.start(image.command(), settings, folder=image.configuration["WorkingDir"])
    try:
        addresses = _addresses(process)
        with grpc.insecure_channel(addresses["health_address"]) as channel:
            check: Any = health_pb2_grpc.HealthStub(channel).Check
            answer = check(health_pb2.HealthCheckRequest(), timeout=START_SECONDS, wait_for_ready=True)
        seconds = time.monotonic() - started
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        yield f"localhost:{addresses['listen_address'].rpartition(':')[2]}", seconds
        _terminate(process)
        assert process.wait(START_SECONDS) == 0
    finally:
        process.kill()  # and with it all that it started, as their namespace ends
        process.communicate()


def _addresses(process: subprocess.Popen[str]) -> dict[str, str]:
    """Read the log until it says where the server listens."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if '"serving"' in line:
            addresses: dict[str, str] = json.loads(line)
            return addresses
    pytest.fail(f"the server ended before it served:\n{''.join(said)[-4000:]}", pytrace=False)


def _terminate(process: subprocess.Popen[str]) -> None:
    """Send SIGTERM to the server, the first process of its namespace, which `unshare` waits for."""
    (server,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(server), 15)


def _provision(target: str, configuration: Path) -> str:
    """Provision a user through the client; return its ARN."""
    tls = TlsFiles(*(str(configuration / name) for name in ("ca.pem", "client.pem", "client.key")))
    with IdentityClient(target, tls=tls) as client:
        return client.provision_user("ana.lima", path="/people/").user.arn
