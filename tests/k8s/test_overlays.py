"""The overlays, rendered: they keep every rule, are what their names promise, and the server understands them."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from identity_service.adapters.authorization import FileAuthorizer
from identity_service.domain.errors import IdentityError
from identity_service.settings import load_settings, read_accounts
from tests.k8s.__main__ import main
from tests.k8s.conftest import MIGRATION, VERSION, AddOverlay, Rendered
from tests.k8s.manifests import Manifest, Manifests, containers, name_of, of_kind, pods, title
from tests.k8s.render import OVERLAYS, ROOT, RenderError, render
from tests.k8s.rules import broken_rules
from tests.k8s.schemas import schema_problems
from tests.k8s.variables import settings

NAMES = ("local", "production", "staging")
HEADER = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: identity-service\n"
IMAGES = """
images:
  - {name: identity-provisioning-service, newName: registry.example.org/identity-provisioning-service}
  - {name: spiffe-helper, newName: registry.example.org/spiffe-helper}
"""
ACCOUNT = """
configMapGenerator:
  - name: identity-service-settings
    behavior: merge
    literals: [IDENTITY_SERVICE_AWS_ACCOUNT_ID=123456789012]
"""
SPIFFE = f"""{HEADER}{IMAGES}{ACCOUNT}resources: [../../base]
components: [../../components/postgresql, ../../components/spiffe, ../../components/pod-identity]
"""
SMALL = f"""{HEADER}{IMAGES}{ACCOUNT}resources: [../../base]
components: [../../components/sqlite, ../../components/irsa, ../../components/cert-manager]
"""


@pytest.mark.parametrize("name", sorted(path.name for path in OVERLAYS.iterdir()))
def test_overlay_keeps_schemas_and_rules(name: str, rendered: Rendered) -> None:
    """Every manifest is one that Kubernetes takes whole, and no rule is broken."""
    manifests = rendered(name)
    assert list(schema_problems(manifests)) == []
    assert broken_rules(manifests) == {}


@pytest.mark.parametrize("kustomization", [SPIFFE, SMALL])
def test_components_go_together(kustomization: str, add_overlay: AddOverlay) -> None:
    """Overlays of other components than ours keep schemas and rules as well."""
    manifests = render(add_overlay(kustomization))
    assert list(schema_problems(manifests)) == []
    assert broken_rules(manifests) == {}


def test_spiffe_replaces_the_secret(add_overlay: AddOverlay) -> None:
    """With SPIRE the certificate is written into memory by a sidecar, and no Secret holds it."""
    pod = _pod(render(add_overlay(SPIFFE)))
    (sidecar,) = pod["initContainers"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["tls"] == {"name": "tls", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}
    assert volumes["workload-api"]["csi"] == {"driver": "csi.spiffe.io", "readOnly": True}
    assert sidecar["restartPolicy"] == "Always"


def test_local_is_one_pod_that_needs_nothing(rendered: Rendered) -> None:
    """The local overlay refers to no Secret, and its server is reached from inside the pod alone."""
    manifests = rendered("local")
    assert "secret" not in yaml.safe_dump(_pod(manifests))
    assert settings(manifests)["IDENTITY_SERVICE_LISTEN_ADDRESS"] == "127.0.0.1:8443"
    assert _deployment(manifests)["spec"]["replicas"] == 1
    assert len(of_kind(manifests, "PersistentVolumeClaim")) == 1
    assert "aws" not in {name_of(each) for each in of_kind(manifests, "NetworkPolicy")}


def test_staging_has_two_replicas(rendered: Rendered) -> None:
    """Staging rolls as production does, with two replicas that nobody scales."""
    manifests = rendered("staging")
    assert _deployment(manifests)["spec"]["replicas"] == 2
    assert of_kind(manifests, "HorizontalPodAutoscaler") == []
    assert not any("annotations" in each["metadata"] for each in of_kind(manifests, "ServiceAccount"))


def test_production_has_three_replicas_and_a_role(rendered: Rendered) -> None:
    """Production has at least three replicas, and AWS knows it by its ServiceAccount."""
    manifests = rendered("production")
    (scaler,) = of_kind(manifests, "HorizontalPodAutoscaler")
    roles = [each["metadata"].get("annotations") for each in of_kind(manifests, "ServiceAccount")]
    (role,) = [annotations for annotations in roles if annotations]
    assert scaler["spec"]["minReplicas"] == 3
    assert role["eks.amazonaws.com/role-arn"].startswith("arn:aws:iam::123456789012:role/")


@pytest.mark.parametrize(
    ("name", "kind"), [("local", "sqlite:"), ("staging", "postgresql"), ("production", "postgresql")]
)
def test_overlay_has_its_store(name: str, kind: str, rendered: Rendered) -> None:
    """The overlay to try out keeps its state in a file, the others in a database that replicas share."""
    assert settings(rendered(name))["IDENTITY_SERVICE_STORE_URL"].startswith(kind)


@pytest.mark.parametrize(
    ("name", "caller", "action"),
    [
        ("local", "spiffe://insecure.local/caller", "CreateCredentials"),
        ("production", "spiffe://example.org/ns/onboarding/sa/bot", "ProvisionUser"),
    ],
)
def test_server_takes_the_callers(name: str, caller: str, action: str, rendered: Rendered, tmp_path: Path) -> None:
    """The server accepts an overlay's authorization, which lets its one caller in and no stranger."""
    (authorization,) = [each for each in of_kind(rendered(name), "ConfigMap") if "authorization" in name_of(each)]
    for file, text in authorization["data"].items():
        (tmp_path / file).write_text(text)
    authorizer = FileAuthorizer(tmp_path)
    authorizer.may_ask(authorizer.identify(caller), action, "123456789012", None)
    with pytest.raises(IdentityError):
        authorizer.identify("spiffe://example.org/ns/default/sa/default")


def test_own_callers_and_settings_roll_the_server(add_overlay: AddOverlay, rendered: Rendered) -> None:
    """What an overlay of one's own changes reaches the pod under new names, and the rest stays."""
    folder = add_overlay(
        HEADER
        + """
resources: [../production]
configMapGenerator:
  - name: identity-service-settings
    behavior: merge
    literals: [IDENTITY_SERVICE_AWS_ACCOUNT_ID=999999999999]
  - name: identity-service-authorization
    behavior: replace
    files: [callers.yaml]
"""
    )
    (folder / "callers.yaml").write_text("teams: {}\ncallers: {}\n")
    before, after = rendered("production"), render(folder)
    assert settings(after) == settings(before) | {"IDENTITY_SERVICE_AWS_ACCOUNT_ID": "999999999999"}
    old, new = _config_maps(before), _config_maps(after)
    assert old & new == set()
    assert len(old) == len(new) == 2


def test_overlay_of_the_guide(add_overlay: AddOverlay) -> None:
    """The overlay that the guide shows passes `make k8s-check`, and has the image, account and role that it says."""
    text, *_ = examples_of_the_guide()
    folder = add_overlay(text)
    shutil.copytree(ROOT / "k8s" / "base" / "authorization", folder / "authorization")
    manifests = render(folder)
    assert main([str(folder)]) == 0
    images = {container["image"] for _, container in containers(manifests)}
    (account,) = [each for each in of_kind(manifests, "ServiceAccount") if name_of(each) == "identity-service"]
    assert [image.partition("/")[0] for image in images] == ["registry.acme.example"]
    assert settings(manifests)["IDENTITY_SERVICE_AWS_ACCOUNT_ID"] == "210987654321"
    assert "210987654321" in account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]


def test_accounts_of_the_guide(add_overlay: AddOverlay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The component that the guide shows mounts the file of accounts, and the server takes it instead of the one id."""
    overlay, _, component = examples_of_the_guide()
    folder = add_overlay(f"{overlay}components: [accounts]\n")
    shutil.copytree(ROOT / "k8s" / "base" / "authorization", folder / "authorization")
    (folder / "accounts").mkdir()
    (folder / "accounts" / "kustomization.yaml").write_text(component)
    shutil.copy(ROOT / "examples" / "accounts.yaml", folder / "accounts")
    manifests = render(folder)
    assert main([str(folder)]) == 0
    variables, pod = settings(manifests), _pod(manifests)
    (mount,) = [each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "accounts"]
    (volume,) = [each for each in pod["volumes"] if each["name"] == "accounts"]
    (made,) = [each for each in of_kind(manifests, "ConfigMap") if name_of(each) == volume["configMap"]["name"]]
    path = Path(variables["IDENTITY_SERVICE_AWS_ACCOUNTS_FILE"])
    assert str(path.parent) == mount["mountPath"]
    (tmp_path / path.name).write_text(made["data"][path.name])
    monkeypatch.setenv("IDENTITY_SERVICE_AWS_ACCOUNT_ID", variables["IDENTITY_SERVICE_AWS_ACCOUNT_ID"])
    monkeypatch.setenv("IDENTITY_SERVICE_AWS_ACCOUNTS_FILE", str(tmp_path / path.name))
    monkeypatch.setenv("IDENTITY_SERVICE_AUTHORIZATION_DIR", str(tmp_path))
    accounts = read_accounts(load_settings(insecure=True))
    assert [(account.id, account.role_arn) for account in accounts] == [
        ("123456789012", None),
        ("210987654321", "arn:aws:iam::210987654321:role/identity-service"),
    ]


def test_monitoring_of_the_guide(add_overlay: AddOverlay) -> None:
    """The component that the guide shows labels what Prometheus looks for, sends traces, and mends links of alerts."""
    overlay, component, _ = examples_of_the_guide()
    folder = add_overlay(f"{overlay}components: [monitoring]\n")
    shutil.copytree(ROOT / "k8s" / "base" / "authorization", folder / "authorization")
    (folder / "monitoring").mkdir()
    (folder / "monitoring" / "kustomization.yaml").write_text(component)
    manifests = render(folder)
    assert list(schema_problems(manifests)) == []
    assert broken_rules(manifests) == {}
    found = of_kind(manifests, "ServiceMonitor", "PrometheusRule")
    assert [each["metadata"]["labels"]["release"] for each in found] == ["kube-prometheus-stack"] * 2
    assert settings(manifests)["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://otel-collector.monitoring.svc:4317"
    (rules,) = of_kind(manifests, "PrometheusRule")
    links = {rule["alert"]: rule["annotations"]["runbook_url"] for rule in rules["spec"]["groups"][0]["rules"]}
    address = "https://git.acme.example/identity/blob/main/docs/operations.md"
    assert links == {alert: f"{address}#{alert.lower()}" for alert in links}
    assert len(links) > 10
    assert "runbooks" not in {name_of(each)[:8] for each in of_kind(manifests, "ConfigMap")}


def test_other_namespace_needs_another_certificate(add_overlay: AddOverlay) -> None:
    """In another namespace everything moves along, and the check tells that the certificate's names do not."""
    manifests = render(add_overlay("namespace: other\nresources: [../production]\n"))
    assert "one_namespace" not in broken_rules(manifests)
    assert "certificate_names" in broken_rules(manifests)


@pytest.mark.parametrize("name", NAMES)
def test_release_is_the_same_everywhere(name: str, rendered: Rendered) -> None:
    """Server and migration are of this very release, and a new one has a Job of its own name."""
    manifests = rendered(name)
    assert {container["image"].rpartition(":")[2] for _, container in containers(manifests)} == {VERSION}
    assert [title(job) for job in of_kind(manifests, "Job")] == ([] if name == "local" else [MIGRATION])


@pytest.mark.parametrize("name", NAMES)
def test_pods_run_as_the_images_user(name: str, rendered: Rendered) -> None:
    """Pods and image name the same user, to whom the volumes belong."""
    image = re.findall(r"(?m)^USER (\d+):(\d+)$", (ROOT / "Dockerfile").read_text())
    contexts = [pod["securityContext"] for _, pod in pods(rendered(name))]
    assert {(str(context["runAsUser"]), str(context["fsGroup"])) for context in contexts} == set(image)


def test_overlay_that_does_not_render_is_told(add_overlay: AddOverlay, capsys: pytest.CaptureFixture[str]) -> None:
    """What kubectl cannot render is an error with its words, and the check fails."""
    folder = add_overlay(f"{HEADER}resources: [absent.yaml]\n")
    with pytest.raises(RenderError, match=r"absent\.yaml"):
        render(folder)
    assert main([str(folder)]) == 1
    assert "absent.yaml" in capsys.readouterr().out


def test_check_names_what_it_finds(add_overlay: AddOverlay, capsys: pytest.CaptureFixture[str]) -> None:
    """The command fails and names rule, manifest and problem, of a broken overlay and of no other."""
    folder = add_overlay(f"{HEADER}resources: [../local]\nreplicas: [{{name: identity-service, count: 2}}]\n")
    assert main([str(folder)]) == 1
    found = capsys.readouterr().out
    assert "one_writer: Deployment/identity-service: SQLite needs replicas 1" in found
    assert main([str(OVERLAYS / "local")]) == 0
    assert "problems: 0" in capsys.readouterr().out


EXTERNAL = """
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: store}
spec: {target: {name: acme-store}}
"""
OTHER_STORE = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: identity-service}
spec: {template: {spec: {volumes: [{name: store, secret: {secretName: acme-store}}]}}}
"""


def test_kinds_and_secrets_of_others_can_be_named(add_overlay: AddOverlay, capsys: pytest.CaptureFixture[str]) -> None:
    """A kind that we do not know and a Secret that it makes are problems until they are named, then a note."""
    folder = add_overlay(f"{HEADER}resources: [../production, secret.yaml]\npatches: [path: patch.yaml]\n")
    (folder / "patch.yaml").write_text(OTHER_STORE)
    (folder / "secret.yaml").write_text(EXTERNAL)
    assert main([str(folder)]) == 1
    found = capsys.readouterr().out
    assert "--kind ExternalSecret leaves it unchecked" in found
    assert "resolved: Deployment/identity-service: there is no Secret acme-store" in found
    assert main([str(folder), "--kind", "ExternalSecret", "--secret", "acme-store"]) == 0
    assert "note: ExternalSecret/store: its fields were not checked" in capsys.readouterr().out


LEAKS = """
configMapGenerator:
  - name: identity-service-settings
    behavior: merge
    literals:
      - PGPASSWORD=not-really-one
      - AWS_SECRET_ACCESS_KEY=not-really-one
      - OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20not-really-one
patches:
  - patch: |
      apiVersion: apps/v1
      kind: Deployment
      metadata: {name: identity-service}
      spec:
        template:
          spec:
            containers:
              - name: identity-service
                env: [{name: PASSWORD, value: not-really-one}]
                volumeMounts: [{name: more, mountPath: /etc/more}]
            volumes:
              - name: more
                projected:
                  sources:
                    - serviceAccountToken: {path: token}
                    - secret: {name: absent}
"""


def test_overlay_that_leaks_is_found(add_overlay: AddOverlay) -> None:
    """Secrets in settings, in a variable and in a projected volume are each found by their rules."""
    broken = broken_rules(render(add_overlay(f"{HEADER}resources: [../production]\n{LEAKS}")))
    found = "\n".join(problem for rule in ("secrets_from_files", "no_secrets") for problem in broken[rule])
    for name in ("PGPASSWORD", "AWS_SECRET_ACCESS_KEY", "OTEL_EXPORTER_OTLP_HEADERS", "PASSWORD"):
        assert f" {name} looks like a secret" in found
    assert set(broken) == {
        *("secrets_from_files", "no_secrets", "known_settings", "no_token", "secret_modes", "resolved"),
    }


def test_check_lists_its_rules(capsys: pytest.CaptureFixture[str]) -> None:
    """Each rule is told by its name and one sentence."""
    assert main(["--rules"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "no_rights: Nothing here gives a right in Kubernetes." in lines
    assert all(line.endswith(".") for line in lines)


def examples_of_the_guide() -> list[str]:
    """Return the guide's overlay, and its components for monitoring and for several accounts."""
    return re.findall(r"(?s)```yaml\n(.*?)```", (ROOT / "docs" / "kubernetes.md").read_text())


def _deployment(manifests: Manifests) -> Manifest:
    (deployment,) = of_kind(manifests, "Deployment")
    return deployment


def _pod(manifests: Manifests) -> Manifest:
    pod: Manifest = _deployment(manifests)["spec"]["template"]["spec"]
    return pod


def _config_maps(manifests: Manifests) -> set[str]:
    """Name the ConfigMaps that the server uses."""
    pod = _pod(manifests)
    named = {volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume}
    return named | {source["configMapRef"]["name"] for source in pod["containers"][0]["envFrom"]}
