"""The image's recipe, read as text, agrees with the base of the Kubernetes manifests and with the server.

The manifests themselves are checked as Kubernetes gets them, in tests/k8s.
"""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from identity_service.settings import PREFIX, Settings

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
def container(base: Path) -> Manifest:
    """The only container of the server's pods."""
    (only,) = _read(base / "deployment.yaml")["spec"]["template"]["spec"]["containers"]
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


@pytest.mark.parametrize("source", ["k8s", "Dockerfile"])
def test_every_variable_is_a_setting(source: str, variables: dict[str, str], dockerfile: str) -> None:
    """What manifests and image set is known to the server, so that no misspelt name is silently left alone."""
    names = set(variables) if source == "k8s" else set(re.findall(rf"{PREFIX}\w+", dockerfile))
    assert names
    assert {name.removeprefix(PREFIX).lower() for name in names} <= set(Settings.model_fields)


def test_every_authorization_file_is_mounted(base: Path, kustomization: Manifest) -> None:
    """The ConfigMap holds each file of the folder that the server reads."""
    (generator,) = [each for each in kustomization["configMapGenerator"] if each["name"].endswith("authorization")]
    assert sorted(generator["files"]) == sorted(
        f"authorization/{path.name}" for path in (base / "authorization").iterdir()
    )


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


def test_image_says_what_it_is(dockerfile: str) -> None:
    """Both images carry OCI's labels for their name, and for the version and revision that the build is told."""
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', _stages(dockerfile)["runtime"]))
    assert labels["title"] == "identity-provisioning-service"
    assert (labels["version"], labels["revision"]) == ("${VERSION}", "${REVISION}")
    assert labels["description"]


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
