"""The real server with TLS in a process of its own, whose files the tests exchange while it runs."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import grpc

from identity_provisioning.v1.permission_service_pb2 import ListGroupsRequest
from identity_provisioning.v1.permission_service_pb2_grpc import PermissionServiceStub
from tests.integration.conftest import Account, start_server, wait_until_ready
from tests.support.bad_certificates import CALLER, Pki, Presented
from tests.support.processes import Process

CERTIFICATE, KEY, CA = "tls.crt", "tls.key", "ca.crt"
VARIABLES = {CERTIFICATE: "TLS_CERTIFICATE_FILE", KEY: "TLS_PRIVATE_KEY_FILE", CA: "CLIENT_CA_FILE"}
STRANGER = CALLER.replace("onboarding-bot", "unknown")


@dataclass(frozen=True)
class TlsFolder:
    """Files as Kubernetes mounts a Secret: links through `..data`, which is swapped for all of them at once."""

    folder: Path

    def write(self, files: dict[str, bytes]) -> None:
        """Exchange all files in one moment."""
        self.folder.mkdir(exist_ok=True)
        version = Path(mkdtemp(prefix="..", dir=self.folder))
        for name, content in files.items():
            (version / name).write_bytes(content)
            if not (self.folder / name).is_symlink():
                (self.folder / name).symlink_to(Path("..data") / name)
        link = self.folder / "..data_new"
        link.symlink_to(version.name)
        link.replace(self.folder / "..data")

    def write_in_place(self, name: str, content: bytes) -> None:
        """Overwrite one file, as programs do that know nothing of Kubernetes."""
        (self.folder / name).write_bytes(content)


class SecureServer:
    """A server with TLS that a test talks to, its files, and its log."""

    def __init__(self, folder: Path, pki: Pki) -> None:
        self.folder = folder
        self.pki = pki
        self.tls = TlsFolder(folder / "tls")
        self.address = ""
        self.process: Process | None = None
        self.restore()

    def files(self, server: Presented | None = None, bundle: bytes | None = None) -> dict[str, bytes]:
        """Return the server's three files, with another certificate or bundle if there is one."""
        server = server or self.pki.server()
        return {CERTIFICATE: server.chain, KEY: server.key, CA: bundle or self.pki.bundle}

    def restore(self) -> None:
        """Put good files back."""
        self.tls.write(self.files())

    def channel(self, client: Presented | None, root: bytes = b"") -> grpc.Channel:
        """Open a channel for a client; a wrong handshake ends its first call."""
        trusted = root or self.pki.root.pem
        credentials = (
            grpc.ssl_channel_credentials(trusted, client.key, client.chain)
            if client
            else grpc.ssl_channel_credentials(trusted)
        )
        port = self.address.rpartition(":")[2]
        return grpc.secure_channel(f"localhost:{port}", credentials)

    def log(self, event: str = "", begin: int = 0) -> list[dict[str, Any]]:
        """Return what was logged, of one event if it is named, since the log had so many lines."""
        lines = [json.loads(line) for line in (self.folder / "server.log").read_text().splitlines()[begin:]]
        return [line for line in lines if not event or line["event"] == event]


@contextmanager
def secure_server(
    account: Account, folder: Path, pki: Pki, more: Mapping[str, str] | None = None
) -> Iterator[SecureServer]:
    """Run a server that knows one caller."""
    server = SecureServer(folder, pki)
    authorization = folder / "known-callers"
    authorization.mkdir()
    callers = f'teams:\n  bots:\n    accounts: {{"*": unguarded}}\ncallers:\n  "{CALLER}": bots\n'
    (authorization / "callers.yaml").write_text(callers)
    (authorization / "everything.cedar").write_text('@id("everything") permit (principal, action, resource);\n')
    variables = {f"IDENTITY_SERVICE_{VARIABLES[name]}": str(folder / "tls" / name) for name in VARIABLES}
    variables["IDENTITY_SERVICE_AUTHORIZATION_DIR"] = str(authorization)
    process, ready = start_server(account, folder, {**os.environ, **variables, **(more or {})}, options=())
    server.process = process
    try:
        server.address = wait_until_ready(process, ready)
        yield server
    finally:
        process.terminate()
        process.wait(30)


def ask(channel: grpc.Channel) -> None:
    """Ask for something that reads the account. Raises grpc.RpcError."""
    PermissionServiceStub(channel).ListGroups(ListGroupsRequest(), timeout=10)


def refusal(channel: grpc.Channel) -> grpc.RpcError:
    """Ask, and return the error that the answer is."""
    try:
        ask(channel)
    except grpc.RpcError as error:
        return error
    raise AssertionError("the call was answered")
