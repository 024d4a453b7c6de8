"""The whole service in this process, over mutual TLS, with everything that it leaves behind recorded."""

import asyncio
import contextlib
import json
import logging
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO
from urllib.request import urlopen
from uuid import uuid4

import boto3
import botocore.client
import grpc
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from embedded_aws import EmbeddedAws, consecutive_codes
from identity_client.sealing import generate_identity
from identity_service import bootstrap
from identity_service.adapters.aws_iam import ExplicitCredentials
from identity_service.domain.secret import Secret
from identity_service.observability.logging import configure_logging, open_log_file
from identity_service.observability.tracing import open_tracing
from identity_service.rpc.services import FILES
from identity_service.settings import load_settings
from tests.security.canary_search import Search
from tests.support.bad_certificates import CALLER, URI, Pki

CUSTOM = 'Canary-"7&kept/<secret>'
"""A password that every escaping changes."""
CODES = ("418207", "935512")
IDENTITY = generate_identity()
TEAM = "bots"
ROLE = "identity-service"
SECRET_PARAMETERS = ("Password", "AuthenticationCode1", "AuthenticationCode2")
SECRET_ANSWERS = ("SecretAccessKey", "Base32StringSeed", "QRCodePNG", "SessionToken")
METHODS = {
    method.name: method
    for file in FILES
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
"""Every RPC of the contract."""


def is_secret(field_descriptor: FieldDescriptor) -> bool:
    """Tell whether the contract calls a field a secret."""
    return bool(field_descriptor.GetOptions().debug_redact)


def without_secrets(message: Message) -> Message:
    """Return a copy of a message without the fields that are there to hold secrets."""
    copy = type(message)()
    copy.CopyFrom(message)
    _clear(copy)
    return copy


def _clear(message: Message) -> None:
    for descriptor, value in message.ListFields():
        if is_secret(descriptor):
            message.ClearField(descriptor.name)
        elif descriptor.message_type:
            for inner in value if descriptor.is_repeated else [value]:
                if isinstance(inner, Message):
                    _clear(inner)


@dataclass
class Reply:
    """How a call ended."""

    code: grpc.StatusCode
    response: Message | None = None
    text: str = ""
    trailing: tuple[bytes, ...] = ()


@dataclass
class World:
    """A server, its account, and what was left by it until now."""

    aws: EmbeddedAws
    folder: Path
    stderr: Path
    search: Search
    pki: Pki = field(default_factory=Pki)
    spans: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)
    address: str = ""
    metrics_address: str = ""
    store_url: str = ""
    channel: Any = None
    _read: dict[Path, int] = field(default_factory=dict)
    _stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    @property
    def iam(self) -> Any:
        """IAM as the account's administrator sees it."""
        return boto3.client(
            "iam",
            endpoint_url=self.aws.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id=self.aws.access_key_id,
            aws_secret_access_key=self.aws.secret_access_key,
        )

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.folder / "server.log"

    async def start(self) -> None:
        """Start the server with its files and a client of it."""
        server, client = self.pki.server(), self.pki.present(URI(CALLER))
        for name, content in (("tls.crt", server.chain), ("tls.key", server.key), ("ca.crt", self.pki.bundle)):
            (self.folder / name).write_bytes(content)
        for number, key in enumerate((server.key, client.key)):
            body = b"".join(line for line in key.splitlines() if b"-----" not in line)
            self.search.add(f"TLS private key {number}", body)
            for line in key.splitlines()[1:-1]:
                self.search.add(f"line of TLS private key {number}", line[24:])
        addresses = await self._stack.enter_async_context(bootstrap.serve(self._settings(), credentials=self._key()))
        self.address = f"localhost:{addresses.listen_address.rpartition(':')[2]}"
        self.metrics_address = addresses.metrics_address
        credentials = grpc.ssl_channel_credentials(self.pki.root.pem, client.key, client.chain)
        self.channel = await self._stack.enter_async_context(grpc.aio.secure_channel(self.address, credentials))
        (self.folder / "client.crt").write_bytes(client.chain)
        (self.folder / "client.key").write_bytes(client.key)
        turn_every_logger_up()

    async def stop(self) -> None:
        """Stop the server; a part of it that was broken on purpose may not stop in order."""
        with contextlib.suppress(Exception):
            await self.look_at_metrics("at the end of a server")
        stack, self._stack = self._stack, contextlib.AsyncExitStack()
        with contextlib.suppress(Exception):
            await stack.aclose()

    async def move(self, store_url: str) -> None:
        """Stop the server and start another one on the store of a URL."""
        await self.stop()
        self.store_url = store_url
        await self.start()

    async def restart(self) -> None:
        """Stop the server and start another one with another store."""
        await self.stop()
        for path in self.folder.glob("store.sqlite3*"):
            path.unlink()
        await self.start()

    def _settings(self) -> Any:
        authorization = self.folder / "authorization"
        authorization.mkdir(exist_ok=True)
        callers = f'teams:\n  {TEAM}:\n    accounts: {{"*": unguarded}}\ncallers:\n  "{CALLER}": {TEAM}\n'
        (authorization / "callers.yaml").write_text(callers)
        (authorization / "everything.cedar").write_text('@id("everything") permit (principal, action, resource);\n')
        return load_settings(
            {
                "listen_address": "localhost:0",
                "health_address": "127.0.0.1:0",
                "metrics_listen_address": "127.0.0.1:0",
                "tls_certificate_file": self.folder / "tls.crt",
                "tls_private_key_file": self.folder / "tls.key",
                "client_ca_file": self.folder / "ca.crt",
                "authorization_dir": authorization,
                "store_url": self.store_url,
                "aws_account_id": self.aws.account_id,
                "aws_endpoint_url": self.aws.endpoint_url,
                "aws_region": "us-east-1",
                # So that the secrets of a session pass as well as those of the key that it is had with.
                "aws_role_arn": f"arn:aws:iam::{self.aws.account_id}:role/{ROLE}",
                "aws_read_timeout": 1,
                "aws_retry_budget": 0.2,
                "settle_seconds": 0.05,
                "drain_seconds": 1,
            }
        )

    def _key(self) -> ExplicitCredentials:
        return ExplicitCredentials(self.aws.access_key_id, Secret(self.aws.secret_access_key))

    def codes_of(self, seed: str) -> tuple[str, str]:
        """Compute two codes of a device, which are secrets from now on."""
        codes = consecutive_codes(seed)
        for code in codes:
            self.search.add("MFA code", code)
        return codes

    async def call(self, rpc: str, request: Message, seconds: float = 10) -> Reply:
        """Call an RPC once; of a stream, read what comes."""
        if "request_id" in request.DESCRIPTOR.fields_by_name and not getattr(request, "request_id", ""):
            setattr(request, "request_id", str(uuid4()))  # noqa: B010 - a message as such has no such attribute
        method = METHODS[rpc]
        path = f"/{method.containing_service.full_name}/{rpc}"
        opened = self.channel.unary_stream if method.server_streaming else self.channel.unary_unary
        stub = opened(path, type(request).SerializeToString, GetMessageClass(method.output_type).FromString)
        try:
            if method.server_streaming:
                async for response in stub(request, timeout=seconds):
                    return Reply(grpc.StatusCode.OK, response)
                return Reply(grpc.StatusCode.OK)
            return Reply(grpc.StatusCode.OK, await stub(request, timeout=seconds))
        except grpc.aio.AioRpcError as error:
            trailing = tuple(v if isinstance(v, bytes) else v.encode() for _, v in error.trailing_metadata() or ())
            text = f"{error.details()}\n{error.debug_error_string()}\n{error!r}"
            return Reply(error.code(), text=text, trailing=trailing)

    def look_at_reply(self, case: str, reply: Reply) -> None:
        """Search an answer but for the fields that are there to hold secrets."""
        if reply.response is not None:
            shown = without_secrets(reply.response)
            self.search.look(f"{case}: response", shown.SerializeToString() + str(shown).encode())
            self.search.look(f"{case}: text of the response", f"{reply.response} {reply.response!r}")
        else:
            self.search.look(f"{case}: status", reply.text)
            self.search.look(f"{case}: status details", b"\n".join(reply.trailing))

    def look_at_rest(self, case: str) -> None:
        """Search what was logged, written to standard error and traced since the last look."""
        for name, path in (("log", self.log), ("standard error", self.stderr)):
            self.search.look(f"{case}: {name}", self._new_bytes(path))
        spans = self.spans.get_finished_spans()
        self.spans.clear()
        self.search.look(f"{case}: spans", "\n".join(span.to_json() for span in spans))

    def look_at_files(self, case: str) -> None:
        """Search every file of the server, byte for byte, for every secret."""
        for path in sorted(self.folder.iterdir()):
            # The key files are where the keys belong.
            if path.is_file() and path.suffix != ".key":
                self.search.look(f"{case}: file {path.name}", path.read_bytes())

    async def look_at_metrics(self, case: str) -> None:
        """Search what Prometheus would scrape, for every secret."""
        scraped = await asyncio.to_thread(_scrape, self.metrics_address)
        self.search.look(f"{case}: metrics scraped", scraped)

    def _new_bytes(self, path: Path) -> bytes:
        with path.open("rb") as file:
            file.seek(self._read.get(path, 0))
            content = file.read()
        self._read[path] = self._read.get(path, 0) + len(content)
        return content


@asynccontextmanager
async def running(folder: Path, stderr: Path, search: Search) -> AsyncIterator[World]:
    """Run an account and a server, with their secrets among those that are sought."""
    with EmbeddedAws() as aws, _recorded(search) as spans:
        search.add("secret key of the service", aws.secret_access_key)
        search.add("custom password", CUSTOM)
        search.add("recipient's identity", IDENTITY.secret)
        for code in CODES:
            search.add("MFA code", code)
        world = World(aws, folder, stderr, search, spans=spans, store_url=f"sqlite:///{folder / 'store.sqlite3'}")
        configure_logging("DEBUG", open_log_file(world.log))
        await asyncio.to_thread(_furnish, world.iam, aws.account_id)
        await world.start()
        try:
            yield world
        finally:
            await world.stop()


def _furnish(iam: Any, account_id: str) -> None:
    principal = {"AWS": f"arn:aws:iam::{account_id}:root"}
    trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=document)
    iam.create_group(GroupName="Developers")
    iam.create_account_alias(AccountAlias="acme")


@contextmanager
def _recorded(search: Search) -> Iterator[InMemorySpanExporter]:
    """Keep the server's spans, and learn every secret that goes to AWS or comes from there."""
    spans, really_call = InMemorySpanExporter(), _api_call()

    def opened(environment: Any) -> TracerProvider:
        provider = open_tracing(environment)
        provider.add_span_processor(SimpleSpanProcessor(spans))
        return provider

    def call(self: Any, operation: str, parameters: dict[str, Any]) -> Any:
        _learn(search, parameters, SECRET_PARAMETERS)
        answer = really_call(self, operation, parameters)
        _learn(search, answer, SECRET_ANSWERS)
        return answer

    setattr(bootstrap, "open_tracing", opened)  # noqa: B010 - the module imports it and does not export it
    setattr(botocore.client.BaseClient, "_make_api_call", call)  # noqa: B010 - botocore's types do not have it
    try:
        yield spans
    finally:
        setattr(bootstrap, "open_tracing", open_tracing)  # noqa: B010 - see above
        setattr(botocore.client.BaseClient, "_make_api_call", really_call)  # noqa: B010 - see above


def _api_call() -> Any:
    return getattr(botocore.client.BaseClient, "_make_api_call")  # noqa: B009 - botocore's types do not have it


def _learn(search: Search, document: Any, names: tuple[str, ...]) -> None:
    if isinstance(document, dict):
        for name, value in document.items():
            if name in names:
                search.add(name, value)
            else:
                _learn(search, value, names)
    elif isinstance(document, list):
        for value in document:
            _learn(search, value, names)


def _scrape(address: str) -> bytes:
    with urlopen(f"http://{address}/metrics", timeout=10) as answer:
        content: bytes = answer.read()
    return content


def turn_every_logger_up() -> None:
    """Set the root logger and those of all libraries to DEBUG, as somebody would who looks for a fault."""
    logging.getLogger().setLevel(logging.DEBUG)
    for name in (*logging.root.manager.loggerDict, "grpc", "grpc._cython", "urllib3", "botocore", "sqlalchemy.engine"):
        logging.getLogger(name).setLevel(logging.DEBUG)


def redirect_stderr(path: Path) -> BinaryIO:
    """Send standard error, gRPC's own lines included, to a file; return where it went before."""
    sys.stderr.flush()
    before = os.fdopen(os.dup(2), "wb", buffering=0)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    return before
