"""What the server itself refuses at its start: it reads here what its pod would give it.

Otherwise an overlay would pass whose pods end at once, again and again.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from identity_service.adapters.authorization import AuthorizationFileError, FileAuthorizer
from identity_service.observability import otlp
from identity_service.settings import SettingsError, load_settings, load_store_settings
from tests.k8s.manifests import Manifests, containers_of_pods
from tests.k8s.pod_files import PodFiles, lay_out
from tests.k8s.variables import server_images, variables

AUTHORIZATION_DIR = "IDENTITY_SERVICE_AUTHORIZATION_DIR"
EMBEDDED_ACCOUNT = {"aws_account_id": "123456789012", "aws_accounts_file": None, "aws_role_arn": None}
"""What `--embedded-aws` says in place of the settings."""


def takes_settings(manifests: Manifests) -> Iterator[str]:
    """The server, and what migrates, take the variables that their pods give them, once Secrets are there."""
    for owner, arguments, files in _starts(manifests):
        # Nothing of this machine's own variables counts.
        with patch.dict(os.environ, files.environment, clear=True):
            refusal = files.as_in_the_pod("\n".join(_refusals(arguments)))
        yield from (f"{owner}: {line}" for line in refusal.splitlines())


def takes_authorization(manifests: Manifests) -> Iterator[str]:
    """The server takes the callers and policies that are mounted, as `identity-service authz check` does."""
    for owner, arguments, files in _starts(manifests):
        folder = files.environment.get(AUTHORIZATION_DIR)
        if _migrates(arguments) or not folder or AUTHORIZATION_DIR in files.made_by_others:
            continue
        try:
            FileAuthorizer(Path(folder))
        except AuthorizationFileError as error:
            yield from (f"{owner}: {line}" for line in files.as_in_the_pod(str(error)).splitlines())


def _starts(manifests: Manifests) -> Iterator[tuple[str, Sequence[str], PodFiles]]:
    """Yield each container of the server's image: who it is, its arguments, and what it finds."""
    images = server_images(manifests)
    given = list(variables(manifests))
    for owner, pod, container in containers_of_pods(manifests):
        if container["image"] not in images:
            continue
        own = {each.name: each.value for each in given if each.owner == owner and each.value is not None}
        with TemporaryDirectory() as root:
            yield owner, container.get("args", ()), lay_out(manifests, pod, container, own, Path(root))


def _refusals(arguments: Sequence[str]) -> Iterator[str]:
    """Read the variables as a container with these arguments does; yield what it says of them."""
    try:
        if _migrates(arguments):
            load_store_settings()
        else:
            account = EMBEDDED_ACCOUNT if "--embedded-aws" in arguments else {}
            load_settings(account, insecure="--insecure" in arguments)
    except SettingsError as error:
        yield str(error)
    for signal in () if _migrates(arguments) else ("TRACES", "METRICS"):
        try:
            if otlp.is_exported(signal, os.environ):
                otlp.check(signal, os.environ)
        except otlp.TelemetrySettingsError as error:
            yield str(error)


def _migrates(arguments: Sequence[str]) -> bool:
    return "migrate" in arguments


STARTUP_RULES = (takes_settings, takes_authorization)
