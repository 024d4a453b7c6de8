"""The Kubernetes Job of the examples: it keeps the schemas, and its command does its work however often it is run."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import PurePosixPath
from uuid import uuid4

import pytest
import yaml

from identity_client.sealing import generate_identity, open_sealed, parse_identities
from tests.k8s.manifests import Manifest, of_kind
from tests.k8s.render import ROOT, render
from tests.k8s.schemas import schema_problems
from tests.support.example_service import EXAMPLES, ExampleService, example_service

FOLDER = EXAMPLES / "kubernetes-job"
CALLER = "spiffe://example.org/partner-portal"
JOB_UID = "metadata.labels['batch.kubernetes.io/controller-uid']"
IDENTITY = generate_identity()


@pytest.fixture(scope="module")
def manifests() -> list[Manifest]:
    """Render the folder."""
    return render(FOLDER)


@pytest.fixture(scope="module")
def container(manifests: list[Manifest]) -> Manifest:
    """The only container of the Job."""
    (job,) = of_kind(manifests, "Job")
    (found,) = job["spec"]["template"]["spec"]["containers"]
    container: Manifest = found
    return container


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExampleService]:
    """Run one server for all tests, with the caller's files named as cert-manager names them."""
    folder = tmp_path_factory.mktemp("service")
    with example_service(folder, CALLER) as service:
        for ours, theirs in {"ca.pem": "ca.crt", "client.pem": "tls.crt", "client.key": "tls.key"}.items():
            (folder / theirs).symlink_to(folder / ours)
        yield service


def run(container: Manifest, service: ExampleService, uid: str, target: str = "") -> subprocess.CompletedProcess[str]:
    """Do what a pod does: the command, with the variables, where the volumes are."""
    mounts = {mount["name"]: PurePosixPath(mount["mountPath"]) for mount in container["volumeMounts"]}
    interpreter, program = container["command"]
    assert interpreter == "python3"
    variables = {each["name"]: each.get("value", "") for each in container["env"]}
    assert PurePosixPath(variables["TLS_FOLDER"]) == mounts["tls"]
    here = {
        "IDENTITY_TARGET": target or service.target,
        "TLS_FOLDER": str(service.tls),
        "RECIPIENT": IDENTITY.recipient,
        "REQUEST_ID": uid,
    }
    assert set(here) == set(variables)
    file = FOLDER / PurePosixPath(program).relative_to(mounts["program"])
    return subprocess.run(
        [sys.executable, file], env={**os.environ, **here}, capture_output=True, text=True, check=False, timeout=60
    )


def test_the_folder_is_what_kubernetes_takes(manifests: list[Manifest]) -> None:
    """Every manifest of Kubernetes' own keeps its schema, and the ConfigMap holds the program whole."""
    assert list(schema_problems([each for each in manifests if each["kind"] != "Certificate"])) == []
    (config,) = of_kind(manifests, "ConfigMap")
    assert config["data"] == {"make_partner.py": (FOLDER / "make_partner.py").read_text()}


def test_the_certificate_names_a_caller_that_is_known(manifests: list[Manifest]) -> None:
    """The SPIFFE id of the certificate stands in the example's authorization file."""
    (certificate,) = of_kind(manifests, "Certificate")
    assert certificate["spec"]["uris"] == [CALLER]
    shipped = yaml.safe_load((ROOT / "k8s" / "components" / "cert-manager" / "certificate.yaml").read_text())["spec"]
    ours = {"secretName": "partner-portal-tls", "uris": [CALLER], "usages": ["digital signature", "client auth"]}
    assert certificate["spec"] == {key: each for key, each in shipped.items() if key != "dnsNames"} | ours
    assert f'"{CALLER}"' in (EXAMPLES / "authorization" / "callers.yaml").read_text()


def test_the_request_id_is_the_jobs(container: Manifest) -> None:
    """The request's id comes from a label that is the same in each pod of one Job."""
    (request_id,) = [each for each in container["env"] if each["name"] == "REQUEST_ID"]
    assert request_id["valueFrom"] == {"fieldRef": {"fieldPath": JOB_UID}}


def test_pods_of_one_job_make_one_user_and_print_the_same(container: Manifest, running: ExampleService) -> None:
    """Run again under the id of its Job, the command prints the same sealed answer, which holds the user's key."""
    uid = str(uuid4())
    first, second = run(container, running, uid), run(container, running, uid)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert first.stdout == second.stdout
    opened = open_sealed(first.stdout, parse_identities(IDENTITY.secret))
    assert opened.user_name == "partner-umbra"
    (key,) = running.iam.list_access_keys(UserName="partner-umbra")["AccessKeyMetadata"]
    assert opened.credentials.access_key.access_key_id == key["AccessKeyId"]
    assert opened.credentials.access_key.secret_access_key not in running.log.read_text()
    other_job = run(container, running, str(uuid4()))
    assert (other_job.returncode, other_job.stdout) == (1, "")
    assert "USER_ALREADY_EXISTS" in other_job.stderr
