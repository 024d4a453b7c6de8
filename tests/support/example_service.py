"""A server with the embedded account of the demo, for one caller; the examples are run against it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import demo
from demo_certificates import write_certificates

from embedded_aws import EmbeddedAws

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
    folder: Path, caller: str, authorization: Path = EXAMPLES / "authorization"
) -> Iterator[ExampleService]:
    """Run a server with TLS for a caller."""
    write_certificates(folder, client_spiffe_id=caller)
    log = folder / "server.log"
    with demo.embedded_account() as aws, demo.service(aws, folder, log, authorization) as target:
        yield ExampleService(target, folder, aws, log)
