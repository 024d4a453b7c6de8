"""What every command needs: the global options, the two consoles, and a connected client."""

from __future__ import annotations

import errno
import json
import sys
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from rich.console import Console

from identity_client import IdentityClient, TlsFiles
from identity_client.cli.exit_codes import ExitCode
from identity_client.cli.failures import BadInputError, CliError

_WIDTH_OF_FILES = 160
_LONGEST_CONNECT = 5.0


class Output(StrEnum):
    """How results are written."""

    TABLE = "table"
    JSON = "json"


@dataclass(frozen=True)
class Session:
    """The global options, and where to write: results on stdout, everything else on stderr."""

    target: str
    ca: Path | None
    certificate: Path | None
    key: Path | None
    server_name: str
    insecure: bool
    account: str
    output: Output
    timeout: float
    results: Console = field(default_factory=lambda: _console(stderr=False))
    messages: Console = field(default_factory=lambda: _console(stderr=True))

    @property
    def as_json(self) -> bool:
        """Tell whether the results are for a machine."""
        return self.output is Output.JSON

    def say(self, text: str) -> None:
        """Write a message for the person."""
        self.messages.print(printable(text), soft_wrap=True)

    def write_json(self, document: dict[str, Any]) -> None:
        """Write the one JSON document of this run."""
        if sys.stdout is None:
            raise OSError(errno.EBADF, "standard output is closed")
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
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
        except (OSError, ValueError) as error:
            raise BadInputError(f"{error}") from None
        wait = min(_LONGEST_CONNECT, self.timeout)
        if not client.wait_until_connected(wait):
            raise CliError(self._unreachable(wait), ExitCode.CANNOT_REACH)
        return client

    def _new_client(self) -> IdentityClient:
        if not self.target:
            raise BadInputError("Say where the service is: --target HOST:PORT, or the environment's IDENTITY_TARGET.")
        tls = None if self.insecure else TlsFiles(self.ca, self.certificate, self.key, self.server_name)
        return IdentityClient(
            self.target,
            tls=tls,
            insecure=self.insecure,
            account_id=self.account,
            timeout=self.timeout,
        )

    def _unreachable(self, waited: float) -> str:
        hint = (
            "Is the service there, and does it speak plain text?"
            if self.insecure
            else "Check --target, that --ca signed the server's certificate, and --server-name."
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
