"""An embedded account in a process of its own, for tests, demos and `identity-service --embedded-aws`."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from embedded_aws.faults import Fault
from embedded_aws.records import RecordedCall

DEFAULT_ACCOUNT_ID = "123456789012"
DEFAULT_PARTITION = "aws"
# The partitions, and the region of each in which IAM is.
REGIONS = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
LOOPBACK = ("127.0.0.1", "::1", "localhost")
# Settings of the real AWS, or of moto, that happen to be around must not reach the child.
_FOREIGN_SETTINGS = ("AWS_", "BOTO_", "MOTO_")
_STOP_SECONDS = 5.0


class EmbeddedAwsError(RuntimeError):
    """The account's process did not start, or its control API refused a request."""


@dataclass(frozen=True, slots=True)
class AdministratorKey:
    """The key that may do everything in one account."""

    account_id: str
    access_key_id: str
    secret_access_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class RoleKey:
    """Temporary credentials of a kept role."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)


class EmbeddedAws:
    """Runs an account while its `with` block lasts. The account ends with this process, however that ends."""

    def __init__(
        self,
        *,
        account_id: str = DEFAULT_ACCOUNT_ID,
        access_control: bool = False,
        more_accounts: Sequence[str] = (),
        partition: str = DEFAULT_PARTITION,
        arguments: Sequence[str] = (),
    ) -> None:
        """Describe the account, and those beside it, all of one partition; entering the context starts them.

        `arguments` go to the command as they are, such as `--seed FILE`.
        """
        self.account_id = account_id
        self.administrators: dict[str, AdministratorKey] = {}
        self.endpoint_url = ""
        self.access_key_id = ""
        self.secret_access_key = ""
        self._access_control = access_control
        self.partition = partition
        self._more_accounts = tuple(more_accounts)
        self._arguments = tuple(arguments)
        self._process: subprocess.Popen[str] | None = None
        self._connection: http.client.HTTPConnection | None = None
        self._lock = Lock()

    def __enter__(self) -> Self:
        """Start the account and wait until it serves."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the account."""
        self.stop()

    def __repr__(self) -> str:
        """Name the account without its secret."""
        return f"EmbeddedAws(account_id={self.account_id!r}, endpoint_url={self.endpoint_url!r})"

    @property
    def pid(self) -> int | None:
        """The process that the account runs in, while it runs."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the account and wait until it serves."""
        if self._process is not None:
            raise EmbeddedAwsError("the embedded account is running already")
        self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
            self._command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # Ctrl-C is the parent's to answer, and it may need the account while it drains.
            process_group=0,
            env={name: v for name, v in os.environ.items() if not name.startswith(_FOREIGN_SETTINGS)},
        )
        try:
            self._read_ready_line()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the account; stopping twice is no error."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        process, self._process = self._process, None
        if process is None:
            return
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def reset(self) -> None:
        """Empty the account, its record and its faults; the administrator's key stays."""
        self._request("reset")

    def calls(self) -> list[RecordedCall]:
        """The calls since the last reset or clearing."""
        return [RecordedCall(**call) for call in self._request("calls")]

    def clear_calls(self) -> None:
        """Forget the recorded calls."""
        self._request("clear_calls")

    def dump(self, account_id: str | None = None) -> dict[str, Any]:
        """The whole account, the first unless another is named, in a fixed order."""
        document: dict[str, Any] = self._request("dump", account_id)
        return document

    def inject(self, fault: Fault) -> None:
        """Plant a fault."""
        self._request("inject", fault.to_json())

    def clear_faults(self) -> None:
        """Remove every planted fault; calls that are still held end without work and answer."""
        self._request("clear_faults")

    def wait_for_held(self, count: int = 1, timeout: float = 10.0) -> None:
        """Wait until so many calls are held by `Hold` faults."""
        deadline = time.monotonic() + timeout
        # Short turns, so that another thread can use the control API meanwhile.
        while not self._request("wait_for_held", {"count": count, "timeout": 0.1}):
            if time.monotonic() > deadline:
                raise EmbeddedAwsError(f"no {count} calls were held within {timeout} s")

    def release(self) -> None:
        """Let the calls that are held now go on."""
        self._request("release")

    def set_access_control(self, switched_on: bool) -> None:
        """Switch signature and permission checks on or off; the administrator passes either way."""
        self._request("set_access_control", switched_on)

    def set_quota(self, name: str, value: int, account_id: str | None = None) -> None:
        """Change a quota, named as in GetAccountSummary, until the next reset."""
        self._request("set_quota", {"name": name, "value": value, "account_id": account_id})

    def set_signature_validity(self, seconds: float) -> None:
        """Say for how long a signature is good, until the next reset; AWS's 900 seconds unless set."""
        self._request("set_signature_validity", seconds)

    def advance_clock(self, seconds: float) -> None:
        """Put the clock of all accounts forward, until the next reset."""
        self._request("advance_clock", seconds)

    def add_account(self, account_id: str) -> AdministratorKey:
        """Open one more account beside the others; one that is open stays as it is."""
        self.administrators[account_id] = AdministratorKey(**self._request("add_account", account_id))
        return self.administrators[account_id]

    def keep_role(self, name: str, documents: Sequence[str], account_id: str | None = None) -> RoleKey:
        """Put a role with these inline policies there, which a reset puts back; its key stays good.

        A role that is kept already gets these policies instead of its own.
        """
        wanted = {"name": name, "documents": list(documents), "account_id": account_id}
        return RoleKey(**self._request("keep_role", wanted))

    def cpu_seconds(self) -> float:
        """The processor time that the process has used, for benchmarks."""
        return float(self._request("cpu_seconds"))

    def _command(self) -> list[str]:
        command = [sys.executable, "-m", "embedded_aws", "--port", "0", "--until-stdin-closes", "--quiet"]
        for account_id in (self.account_id, *self._more_accounts):
            command += ["--account", account_id]
        command += ["--partition", self.partition]
        return [*command, *(["--access-control"] if self._access_control else []), *self._arguments]

    def _read_ready_line(self) -> None:
        if self._process is None or self._process.stdout is None:
            raise EmbeddedAwsError("the embedded account has no process")
        line = self._process.stdout.readline()
        if not line:
            raise EmbeddedAwsError(f"the embedded account ended with {self._process.wait()} before it served")
        ready: Mapping[str, Any] = json.loads(line)
        self.endpoint_url = ready["endpoint_url"]
        self.access_key_id = ready["access_key_id"]
        self.secret_access_key = ready["secret_access_key"]
        self.administrators = {key["account_id"]: AdministratorKey(**key) for key in ready["accounts"]}
        self._connection = http.client.HTTPConnection(urlsplit(self.endpoint_url).netloc)

    def _request(self, method: str, argument: Any = None) -> Any:
        with self._lock:
            if self._connection is None:
                raise EmbeddedAwsError("the embedded account is not running")
            self._connection.request("POST", f"/_embedded/{method}", json.dumps(argument))
            answer = self._connection.getresponse()
            body = answer.read()
        if answer.status != http.client.OK:
            raise EmbeddedAwsError(f"{method}: {body.decode()}")
        return json.loads(body)
