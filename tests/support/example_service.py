"""A server with the embedded account of the demo, for one caller; the examples are run against it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import demo
from demo_certificates import write_certificates

from embedded_aws import EmbeddedAws
from tests.integration.conftest import wait_until_ready
from tests.support.processes import Process

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


@dataclass(frozen=True)
class ExampleService:
    """A server that runs, its account, and the caller's files.

    Attributes:
        target: where it listens.
        tls: the folder of `ca.pem`, `client.pem` and `client.key`.
        aws: the account.
        log: the file that it logs to.
    """

    target: str
    tls: Path
    aws: EmbeddedAws
    log: Path

    @property
    def iam(self) -> Any:
        """IAM, as the account's administrator sees it."""
        return demo.client("iam", self.aws, self.aws.access_key_id, self.aws.secret_access_key)

    def connection(self) -> dict[str, str]:
        """Return the variables that tell `identityctl` where the service is."""
        return {
            "IDENTITY_TARGET": self.target,
            "IDENTITY_CA": str(self.tls / "ca.pem"),
            "IDENTITY_CERT": str(self.tls / "client.pem"),
            "IDENTITY_KEY": str(self.tls / "client.key"),
        }


@contextmanager
def example_service(
    folder: Path, caller: str, authorization: Path = EXAMPLES / "authorization", server_name: str = "localhost"
) -> Iterator[ExampleService]:
    """Run a server with TLS for a caller; its certificate has one name besides the address."""
    write_certificates(folder, client_spiffe_id=caller, server_name=server_name)
    log, ready = folder / "server.log", folder / "ready.json"
    with demo.embedded_account() as aws, log.open("wb") as stderr:
        environment = os.environ | demo.service_settings(aws, folder, authorization)
        process = Process("identity_service", ["--ready-file", str(ready)], env=environment, stderr=stderr)
        try:
            port = wait_until_ready(process, ready).rpartition(":")[2]
            yield ExampleService(f"localhost:{port}", folder, aws, log)
        finally:
            process.terminate()
            process.wait(30)
