"""What variables containers get, and which of them look like secrets."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from identity_service.settings import PREFIX, Settings
from tests.k8s.manifests import Manifest, Manifests, containers, name_of, of_kind

SECRET_NAME = re.compile(
    r"PASSW|PASSPHRASE|SECRET|TOKEN|CREDENTIAL|BEARER|HEADERS|AUTHORI[SZ]ATION|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY",
    re.IGNORECASE,
)
PLACE = re.compile(r"_(FILE|DIR|PATH|ARN)$", re.IGNORECASE)
"""The end of a name that says where a secret is, and is none."""
SECRET_VALUE = re.compile(
    r"://[^/\s:@]*:[^/\s@]+@"  # a password in a URL
    r"|\b(A3T|AKIA|ASIA)[A-Z0-9]{13,}\b"  # the id of an access key of AWS
    r"|-----BEGIN [A-Z ]*PRIVATE KEY|AGE-SECRET-KEY-1"
    r"|\b(Bearer|Basic)[ =]\S{6}|%20Bearer|Bearer%20"
    r"|\b(password|passwd|secret|token)=\S",
    re.IGNORECASE,
)
KNOWN_OF_OTHERS = re.compile(
    "PG(PASS|SERVICE)FILE"  # libpq's files, in which the password stands
    "|OTEL_[A-Z_]+"  # OpenTelemetry's; those that hold secrets are found by their names
    "|AWS_(DEFAULT_)?REGION|AWS_(CA_BUNDLE|CONFIG_FILE|PROFILE|SHARED_CREDENTIALS_FILE|STS_REGIONAL_ENDPOINTS)"
    "|AWS_USE_(DUALSTACK|FIPS)_ENDPOINT|AWS_EC2_METADATA_DISABLED"
    "|AWS_(ROLE_ARN|ROLE_SESSION_NAME|WEB_IDENTITY_TOKEN_FILE)"  # IRSA in a cluster without its webhook
    "|(HTTPS|NO)_PROXY|SSL_CERT_(FILE|DIR)|TZ"
)


@dataclass(frozen=True)
class Variable:
    """A variable of a container; `value` is None where Kubernetes fills it in."""

    owner: str
    image: str
    name: str
    value: str | None


def variables(manifests: Manifests) -> Iterator[Variable]:
    """Yield each variable that a container is given by its manifest or by a ConfigMap, the winning ones last."""
    maps = {name_of(manifest): manifest.get("data", {}) for manifest in of_kind(manifests, "ConfigMap")}
    for owner, container in containers(manifests):
        for source in container.get("envFrom", ()):
            for name, value in maps.get(source.get("configMapRef", {}).get("name"), {}).items():
                yield Variable(owner, container["image"], f"{source.get('prefix', '')}{name}", value)
        for variable in container.get("env", ()):
            yield Variable(owner, container["image"], variable["name"], _value(variable, maps))


def variables_of_the_server(manifests: Manifests) -> Iterator[Variable]:
    """Yield each variable of a container that runs the server's image, whatever it does with it."""
    images = server_images(manifests)
    yield from (each for each in variables(manifests) if each.image in images)


def server_images(manifests: Manifests) -> set[str]:
    """Return the image of the server, which migrates as well."""
    pods = [manifest["spec"]["template"]["spec"] for manifest in of_kind(manifests, "Deployment")]
    return {container["image"] for pod in pods for container in pod["containers"]}


def settings(manifests: Manifests) -> dict[str, str]:
    """Return the variables that the server gets."""
    deployments = of_kind(manifests, "Deployment")
    used = {*_maps_of(deployments)}
    maps = [manifest for manifest in of_kind(manifests, "ConfigMap") if name_of(manifest) in used]
    only = [_without_early_containers(manifest) for manifest in deployments]
    return {each.name: each.value for each in variables([*only, *maps]) if each.value is not None}


def brings_its_account(manifests: Manifests) -> bool:
    """Tell whether the account is in the pod, and AWS is not asked."""
    return any("--embedded-aws" in container.get("args", ()) for _, container in containers(manifests))


def looks_secret(name: str, value: str | None) -> bool:
    """Tell whether a variable of this name and value is a secret, as far as one can see."""
    is_named_so = bool(SECRET_NAME.search(name)) and not PLACE.search(name)
    return is_named_so or bool(SECRET_VALUE.search(value or ""))


def is_known(name: str) -> bool:
    """Tell whether the server, or a library of its, reads a variable of this name."""
    if name.startswith(PREFIX):
        return name.removeprefix(PREFIX).lower() in Settings.model_fields
    return bool(KNOWN_OF_OTHERS.fullmatch(name))


def _value(variable: Manifest, maps: dict[str, dict[str, str]]) -> str | None:
    reference = variable.get("valueFrom", {}).get("configMapKeyRef")
    if reference is None:
        value: str | None = variable.get("value")
        return value
    return maps.get(reference["name"], {}).get(reference["key"])


def _maps_of(manifests: Manifests) -> Iterator[str]:
    for _, container in containers(manifests):
        yield from (each["configMapRef"]["name"] for each in container.get("envFrom", ()) if "configMapRef" in each)
        sources = (each.get("valueFrom", {}).get("configMapKeyRef") for each in container.get("env", ()))
        yield from (source["name"] for source in sources if source)


def _without_early_containers(manifest: Manifest) -> Manifest:
    """Return a Deployment without sidecars and what runs before: their variables are not the server's."""
    template = manifest["spec"]["template"]
    pod = {key: value for key, value in template["spec"].items() if key != "initContainers"}
    return {**manifest, "spec": {**manifest["spec"], "template": {**template, "spec": pod}}}
