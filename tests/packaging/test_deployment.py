"""The image's recipe and the Kubernetes manifests, read as text, agree with each other and with the server."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from identity_service.adapters.authorization import FileAuthorizer
from identity_service.settings import PREFIX, Settings, load_settings, split_address

Manifest = dict[str, Any]
NOBODY = 65532


@pytest.fixture(scope="module")
def base(root: Path) -> Path:
    """The folder of the base manifests."""
    return root / "k8s" / "base"


@pytest.fixture(scope="module")
def kustomization(base: Path) -> Manifest:
    """The list of what belongs to the base."""
    return _read(base / "kustomization.yaml")


@pytest.fixture(scope="module")
def manifests(base: Path, kustomization: Manifest) -> Mapping[str, Manifest]:
    """The base's manifests by their kind."""
    return {manifest["kind"]: manifest for name in kustomization["resources"] for manifest in [_read(base / name)]}


@pytest.fixture(scope="module")
def pod(manifests: Mapping[str, Manifest]) -> Manifest:
    """The specification of the Deployment's pods."""
    specification: Manifest = manifests["Deployment"]["spec"]["template"]["spec"]
    return specification


@pytest.fixture(scope="module")
def container(pod: Manifest) -> Manifest:
    """The only container of a pod."""
    (only,) = pod["containers"]
    specification: Manifest = only
    return specification


@pytest.fixture(scope="module")
def variables(kustomization: Manifest) -> dict[str, str]:
    """The environment variables that the base sets."""
    generated = _by_name(kustomization["configMapGenerator"])["identity-service-settings"]
    return dict(literal.split("=", 1) for literal in generated["literals"])


@pytest.fixture(scope="module")
def dockerfile(root: Path) -> str:
    """The recipe of the image, with its continued lines joined and without its comments."""
    text = (root / "Dockerfile").read_text()
    return re.sub(r"\s*\\\n\s*", " ", re.sub(r"(?m)^#.*\n", "", text))


def test_base_is_five_kinds_of_object(manifests: Mapping[str, Manifest], base: Path) -> None:
    """The base holds each object once, and no file that is not part of it."""
    assert set(manifests) == {"ServiceAccount", "PersistentVolumeClaim", "Deployment", "Service"}
    assert len(list(base.iterdir())) == len(manifests) + len(["kustomization.yaml", "authorization"])


@pytest.mark.parametrize("source", ["k8s", "Dockerfile"])
def test_every_variable_is_a_setting(source: str, variables: dict[str, str], dockerfile: str) -> None:
    """What manifests and image set is known to the server, so that no misspelt name is silently left alone."""
    names = set(variables) if source == "k8s" else set(re.findall(rf"{PREFIX}\w+", dockerfile))
    assert names
    assert {name.removeprefix(PREFIX).lower() for name in names} <= set(Settings.model_fields)


def test_server_starts_with_the_manifests_settings(
    variables: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server accepts the settings of the base once the mounted files are there."""
    for name, value in variables.items():
        path = tmp_path / value.removeprefix("/")
        if value.startswith("/etc/"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.mkdir() if name.endswith("_DIR") else path.touch()
        monkeypatch.setenv(name, str(path) if value.startswith("/etc/") else value)
    assert load_settings().listen_address == "0.0.0.0:8443"


def test_server_understands_the_manifests_authorization(base: Path) -> None:
    """The server accepts the authorization files of the base, and they allow its one caller something."""
    authorizer = FileAuthorizer(base / "authorization")
    caller = authorizer.identify("spiffe://example.org/ns/platform/sa/provisioner")
    authorizer.may_ask(caller, "ProvisionUser", "123456789012", None)


def test_every_authorization_file_is_mounted(base: Path, kustomization: Manifest) -> None:
    """The ConfigMap holds each file of the folder that the server reads."""
    (generator,) = [each for each in kustomization["configMapGenerator"] if each["name"].endswith("authorization")]
    assert sorted(generator["files"]) == sorted(
        f"authorization/{path.name}" for path in (base / "authorization").iterdir()
    )


def test_every_file_and_the_store_lie_in_a_volume(
    variables: dict[str, str], pod: Manifest, container: Manifest
) -> None:
    """Each path among the settings is below a mount, the state is on the claim, and each mount has its volume."""
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = _by_name(pod["volumes"])
    paths = [value.removeprefix("sqlite:///") for value in variables.values() if "/" in value]
    assert len(paths) == 5
    assert all(any(f"{path}/".startswith(f"{mount}/") for mount in mounts) for path in paths)
    assert set(mounts.values()) == set(volumes)
    assert volumes[mounts["/var/lib/identity-service"]]["persistentVolumeClaim"]["claimName"] == (
        "identity-service-state"
    )


def test_pod_has_no_rights_that_it_does_not_need(pod: Manifest, container: Manifest) -> None:
    """The pod runs as nobody, cannot write its root or gain privileges, and holds no token of Kubernetes."""
    rights = pod["securityContext"]
    assert rights["runAsNonRoot"] is True
    assert [rights[key] for key in ("runAsUser", "runAsGroup", "fsGroup")] == [NOBODY] * 3
    assert rights["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_secret_files_are_read_by_the_server_alone(pod: Manifest) -> None:
    """The private key's volume is not readable to others."""
    assert _by_name(pod["volumes"])["tls"]["secret"]["defaultMode"] == 0o440


def test_probes_ask_the_health_port(container: Manifest, variables: dict[str, str]) -> None:
    """All three probes speak gRPC to the health port, which is not that of the RPCs."""
    _, health_port = split_address(variables["IDENTITY_SERVICE_HEALTH_ADDRESS"])
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["grpc"] == {"port": health_port}
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    _, rpc_port = split_address(variables["IDENTITY_SERVICE_LISTEN_ADDRESS"])
    assert ports == {"grpc": rpc_port, "health": health_port}


def test_pod_outlives_its_drain(pod: Manifest, variables: dict[str, str]) -> None:
    """Kubernetes waits longer for the end of a pod than the server waits for what has begun."""
    assert pod["terminationGracePeriodSeconds"] > float(variables["IDENTITY_SERVICE_DRAIN_SECONDS"]) + 5


def test_state_has_one_writer(manifests: Mapping[str, Manifest]) -> None:
    """With SQLite there is one replica, and the old pod is gone before the new one starts."""
    specification = manifests["Deployment"]["spec"]
    assert specification["replicas"] == 1
    assert specification["strategy"] == {"type": "Recreate"}
    assert manifests["PersistentVolumeClaim"]["spec"]["accessModes"] == ["ReadWriteOnce"]


def test_service_is_headless_and_finds_the_pods(manifests: Mapping[str, Manifest]) -> None:
    """The Service has no virtual address, selects the Deployment's pods, and does not publish health."""
    service = manifests["Service"]["spec"]
    deployment = manifests["Deployment"]["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    assert service["clusterIP"] == "None"
    assert service["selector"].items() <= labels.items()
    assert deployment["selector"]["matchLabels"].items() <= labels.items()
    assert [(port["port"], port["targetPort"]) for port in service["ports"]] == [(8443, "grpc")]


def test_image_runs_as_nobody_and_knows_its_signals(dockerfile: str, container: Manifest) -> None:
    """The stage that the images share names a numeric user, its ports, its signal and its program."""
    last = _stages(dockerfile)["runtime"]
    assert f"USER {NOBODY}:{NOBODY}" in last
    assert "STOPSIGNAL SIGTERM" in last
    assert 'ENTRYPOINT ["identity-service"]' in last
    assert {int(port) for port in re.findall(r"EXPOSE (.*)", last)[0].split()} == {
        port["containerPort"] for port in container["ports"]
    }
    assert 'VOLUME ["/var/lib/identity-service"]' in last


def test_last_stage_is_the_server_without_an_account(dockerfile: str) -> None:
    """What is built by default is the shared stage with the server alone; the account comes with the target `demo`."""
    stages = _stages(dockerfile)
    copied = "COPY --from={} /opt/identity-service /opt/identity-service"
    assert list(stages)[-1] == "server"
    assert stages["server"] == f"FROM runtime AS server\n{copied.format('build-server')}"
    assert stages["demo"] == f'FROM runtime AS demo\n{copied.format("build-demo")}\nCMD ["--embedded-aws"]'
    assert "site-packages/embedded_aws" in stages["build-server"].partition("RUN rm -r ")[2]


def test_no_stage_that_runs_installs_anything(dockerfile: str) -> None:
    """Packages are installed in the stages that build; those that run only copy what was made."""
    stages = _stages(dockerfile)
    running = {name: text for name, text in stages.items() if not name.startswith("build")}
    assert set(running) == {"runtime", "demo", "server"}
    assert [name for name, text in running.items() if re.search(r"\b(pip|apt-get|venv)\b", text)] == []


def test_every_base_is_the_one_that_was_named(dockerfile: str) -> None:
    """No stage starts from an image but BASE_IMAGE or an earlier stage."""
    stages = _stages(dockerfile)
    bases = {text.split()[1] for text in stages.values()}
    assert bases <= {"${BASE_IMAGE}", *stages}


def test_image_installs_by_hash(dockerfile: str) -> None:
    """Whatever the image takes from a package index is checked against its hash."""
    installs = re.findall(r"pip [^&\n]*install [^&\n]*", dockerfile)
    assert len(installs) == 4
    assert [install for install in installs if "--require-hashes" not in install and "--no-index" not in install] == []


def test_builder_is_sent_what_the_image_copies(root: Path, dockerfile: str) -> None:
    """Each path that the image copies exists and is let through .dockerignore, and nothing else is."""
    allowed = {
        line.removeprefix("!") for line in (root / ".dockerignore").read_text().splitlines() if line.startswith("!")
    }
    copied = {
        source
        for arguments in re.findall(r"(?m)^COPY (?!--from)(.*)$", dockerfile)
        for source in arguments.split()[:-1]
    }
    assert copied == allowed
    assert [path for path in copied if not (root / path).exists()] == []


def _stages(dockerfile: str) -> dict[str, str]:
    """Split a recipe into its stages, by name, each without the empty lines around it."""
    return {text.split()[3]: text.strip() for text in re.split(r"(?m)^(?=FROM )", dockerfile)[1:]}


def _read(path: Path) -> Manifest:
    """Read a file of one YAML document."""
    manifest: Manifest = yaml.safe_load(path.read_text())
    return manifest


def _by_name(things: list[Manifest]) -> dict[str, Manifest]:
    return {thing["name"]: thing for thing in things}
