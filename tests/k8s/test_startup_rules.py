"""What the server would refuse at its start is found in the manifests; what only a cluster has is taken for good."""

from typing import Any

import pytest

from tests.k8s.__main__ import main
from tests.k8s.conftest import AddOverlay, Rendered, settings_map
from tests.k8s.manifests import Manifest, Manifests, of_kind
from tests.k8s.startup_rules import takes_authorization, takes_settings

ACCOUNTS = "/etc/identity-service/accounts"
FOLDER = "/etc/identity-service/authorization"
BROKEN = """
namespace: identity-service
resources: [../production]
configMapGenerator:
  - name: identity-service-settings
    behavior: merge
    literals: [IDENTITY_SERVICE_LEASE_SECONDS=abc-7]
  - name: identity-service-authorization
    behavior: replace
    literals: ["callers.yaml=teams: ["]
"""


def test_check_says_what_the_server_would(add_overlay: AddOverlay, capsys: pytest.CaptureFixture[str]) -> None:
    """The check fails with the server's words, with paths as the pod has them, and no value is repeated."""
    assert main([str(add_overlay(BROKEN))]) == 1
    found = capsys.readouterr().out
    server = "Deployment/identity-service, container identity-service"
    assert f"takes_settings: {server}: IDENTITY_SERVICE_LEASE_SECONDS: " in found
    assert f"takes_authorization: {server}: {FOLDER}/callers.yaml" in found
    assert "abc-7" not in found


def test_variables_of_this_machine_do_not_count(rendered: Rendered, monkeypatch: pytest.MonkeyPatch) -> None:
    """What whoever checks has set mends no overlay, and breaks none."""
    monkeypatch.setenv("IDENTITY_SERVICE_DRAIN_SECONDS", "abc")
    manifests = rendered("production")
    assert list(takes_settings(manifests)) == []
    monkeypatch.setenv("IDENTITY_SERVICE_AWS_ACCOUNT_ID", "123456789012")
    del settings_map(manifests)["IDENTITY_SERVICE_AWS_ACCOUNT_ID"]
    (found,) = takes_settings(manifests)
    assert "IDENTITY_SERVICE_AWS_ACCOUNT_ID: must be set" in found


def test_telemetry_that_ends_the_start_is_found(rendered: Rendered) -> None:
    """A protocol that the server does not export by is found once something is exported, and not before."""
    manifests = rendered("production")
    settings_map(manifests)["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf"
    assert list(takes_settings(manifests)) == []
    settings_map(manifests)["OTEL_TRACES_EXPORTER"] = "otlp"
    (found,) = takes_settings(manifests)
    assert "OTEL_EXPORTER_OTLP_PROTOCOL: only grpc is supported" in found


@pytest.mark.parametrize(
    "volume",
    [
        {"secret": {"secretName": "accounts"}},
        {"projected": {"sources": [{"secret": {"name": "accounts"}}]}},
        {"csi": {"driver": "secrets-store.csi.k8s.io", "readOnly": True}},
    ],
)
def test_files_of_others_are_taken_for_good(volume: Manifest, rendered: Rendered) -> None:
    """Callers and accounts that no ConfigMap holds are not known here, and are no problem."""
    manifests = rendered("production")
    _mount(manifests, "authorization", FOLDER, volume)
    _mount(manifests, "accounts", ACCOUNTS, volume)
    _name_accounts(manifests)
    assert list(takes_settings(manifests)) == []
    assert list(takes_authorization(manifests)) == []


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"name": "accounts"}, "id"),
        ({"name": "accounts", "items": [{"key": "accounts.yaml", "path": "accounts.yml"}]}, "file"),
        ({"name": "accounts", "items": [{"key": "other.yaml", "path": "accounts.yaml"}]}, None),
    ],
)
def test_files_of_config_maps_are_read(said: Manifest, problem: str | None, rendered: Rendered) -> None:
    """An accounts file is read as the ConfigMap has it, under the name that its volume gives it."""
    manifests = rendered("production")
    good = 'accounts: [{id: "123456789012"}]'
    data = {"accounts.yaml": 'accounts: [{id: "1"}]', "other.yaml": good}
    manifests.append({"kind": "ConfigMap", "metadata": {"name": "accounts"}, "data": data})
    _mount(manifests, "accounts", ACCOUNTS, {"configMap": said})
    _name_accounts(manifests)
    found = list(takes_settings(manifests))
    assert len(found) == (problem is not None)
    assert all("IDENTITY_SERVICE_AWS_ACCOUNTS_FILE" in each and problem in each for each in found if problem)


def _name_accounts(manifests: Manifests) -> None:
    settings_map(manifests)["IDENTITY_SERVICE_AWS_ACCOUNT_ID"] = ""
    settings_map(manifests)["IDENTITY_SERVICE_AWS_ACCOUNTS_FILE"] = f"{ACCOUNTS}/accounts.yaml"


def _mount(manifests: Manifests, name: str, place: str, volume: dict[str, Any]) -> None:
    """Mount a volume into the server, in place of what is mounted there."""
    (deployment,) = of_kind(manifests, "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    pod["volumes"] = [each for each in pod["volumes"] if each["name"] != name] + [{"name": name, **volume}]
    others = [each for each in container["volumeMounts"] if each["name"] != name]
    container["volumeMounts"] = [*others, {"name": name, "mountPath": place}]
