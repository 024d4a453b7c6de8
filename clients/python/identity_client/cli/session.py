"""What every command needs: the global options, the two consoles, and a connected client."""

from __future__ import annotations

import errno
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from rich.console import Console

from identity_client import IdentityClient, Retry, TlsFileError, TlsFiles
from identity_client.cli.exit_codes import ExitCode
from identity_client.cli.failures import BadInputError, CliError
from identity_client.cli.retrying import RetryNotes

_WIDTH_OF_FILES = 160
_LONGEST_CONNECT = 5.0
_TARGET = re.compile(
    r"(dns|unix|unix-abstract|ipv4|ipv6|xds|passthrough):(?!\d+$).+|(\[[^\[\]]+\]|[^:/\[\]\s]+):\d{1,5}"
)
_OPTIONS = {"ca": "--ca", "certificate": "--cert", "key": "--key"}


class Output(StrEnum):
    """How results are written."""

    TABLE = "table"
    JSON = "json"


@dataclass
class Session:
    """The global options, the whole command line, and where to write: results on stdout, all else on stderr."""

    target: str
    ca: Path | None
    certificate: Path | None
    key: Path | None
    server_name: str
    insecure: bool
    account: str
    output: Output
    timeout: float
    arguments: tuple[str, ...] = ()
    results: Console = field(default_factory=lambda: _console(stderr=False))
    messages: Console = field(default_factory=lambda: _console(stderr=True))
    json_written: bool = field(default=False, init=False)
    _retry_notes: RetryNotes = field(init=False)
    _on_retry: Callable[[], None] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Say each reason for a retry once in a run."""
        self._retry_notes = RetryNotes(self.say)

    @property
    def as_json(self) -> bool:
        """Tell whether the results are for a machine."""
        return self.output is Output.JSON

    def say(self, text: str) -> None:
        """Write a message for the person."""
        self.messages.print(printable(text), soft_wrap=True)

    def write_text(self, text: str) -> None:
        """Write a text to standard output as it is."""
        self._write_out(text, end="")

    def write_json(self, document: dict[str, Any]) -> None:
        """Write the one JSON document of this run."""
        self._write_out(json.dumps(document, indent=2))

    def write_json_line(self, document: dict[str, Any]) -> None:
        """Write one of this run's JSON documents, each of which is a line."""
        self._write_out(json.dumps(document))

    def write_json_list(self, name: str, documents: Iterable[dict[str, Any]], **rest: Any) -> None:
        """Write one JSON document in one line: a list, each of whose documents is written as it comes, and the rest."""
        self._write_out(f"{{{json.dumps(name)}: [", end="")
        for index, document in enumerate(documents):
            self._write_out(f"{', ' if index else ''}{json.dumps(document)}", end="")
        others = "".join(f", {json.dumps(key)}: {json.dumps(value)}" for key, value in rest.items())
        self._write_out(f"]{others}}}")

    def _write_out(self, text: str, end: str = "\n") -> None:
        if sys.stdout is None:
            raise OSError(errno.EBADF, "standard output is closed")
        self.json_written = True
        sys.stdout.write(text + end)
        sys.stdout.flush()

    def connect(self) -> IdentityClient:
        """Answer a client that is connected.

        It is left to the end of the process to close it: gRPC would wait for its connectivity poll, a fifth of a
        second in which the person waits for nothing.

        Raises:
            CliError: the options contradict one another, a file cannot be read, or nobody answers.
        """
        try:
            client = self._new_client()
        except TlsFileError as error:
            raise BadInputError(f"{_OPTIONS[error.option]} {error.problem}.") from None
        except (OSError, ValueError) as error:
            raise BadInputError(f"{error}") from None
        wait = min(_LONGEST_CONNECT, self.timeout)
        if not client.wait_until_connected(wait):
            raise CliError(self._unreachable(wait), ExitCode.CANNOT_REACH)
        return client

    def _new_client(self) -> IdentityClient:
        if not self.target:
            raise BadInputError("Say where the service is: --target HOST:PORT, or the environment's IDENTITY_TARGET.")
        if not _TARGET.fullmatch(self.target):
            raise BadInputError(f"--target {self.target!r}: HOST:PORT is wanted, such as identity.example:8443.")
        self._refuse_half_security()
        tls = None if self.insecure else TlsFiles(self.ca, self.certificate, self.key, self.server_name)
        return IdentityClient(
            self.target,
            tls=tls,
            insecure=self.insecure,
            account_id=self.account,
            timeout=self.timeout,
            on_retry=self._note_retry,
        )

    @contextmanager
    def told_of_retries(self, on_retry: Callable[[], None]) -> Iterator[None]:
        """Have something told, for a while, whenever a call has failed and will be tried again."""
        self._on_retry = on_retry
        try:
            yield
        finally:
            self._on_retry = None

    def _note_retry(self, retry: Retry) -> None:
        self._retry_notes(retry)
        if self._on_retry is not None:
            self._on_retry()

    def _refuse_half_security(self) -> None:
        """Refuse options of which some would be passed over in silence, or of which one is missing."""
        given = {"--ca": self.ca, "--cert": self.certificate, "--key": self.key, "--server-name": self.server_name}
        named = [name for name, value in given.items() if value]
        if self.insecure and named:
            raise BadInputError(
                f"--insecure speaks in clear and takes no {', '.join(named)}: leave out one or the other."
            )
        if (self.certificate is None) != (self.key is None):
            raise BadInputError("--cert and --key are only of use together.")

    def _unreachable(self, waited: float) -> str:
        hint = (
            "Is the service there, and does it speak plain text?"
            if self.insecure
            else "Check --target; that --ca signed the server's certificate; that this certificate has the name of the "
            "target, or that of --server-name; and that the service trusts whoever signed --cert, with its --key."
        )
        return f"No connection to {self.target} within {waited:g} s. {hint}"


def printable(text: str) -> str:
    """Answer a text that cannot steer the terminal, whoever wrote it."""
    return "".join(char if char.isprintable() or char == "\n" else "\N{REPLACEMENT CHARACTER}" for char in text)


class _Console(Console):
    """A console whose reader may leave: for messages that is no reason to stop, for results it is a failure."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        if not self.stderr:
            raise BrokenPipeError(errno.EPIPE, "nobody reads it any more")


def _console(*, stderr: bool) -> Console:
    """Make a console that takes texts as they are: a bracket in a message is no colour."""
    console = _Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = max(console.width, _WIDTH_OF_FILES)
    return console
