"""Starts `identityctl`, and says what is missing where the extra was not installed."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line."""
    # gRPC reads this with the first connection; its lines on failed handshakes would stand among this program's own.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        from identity_client.cli.app import app
    except ModuleNotFoundError as missing:
        if missing.name not in ("rich", "segno", "typer", "yaml"):
            raise
        sys.exit(
            f"identityctl needs {missing.name}: pip install 'identity-provisioning-client[cli]'",
        )
    try:
        app(prog_name="identityctl")
    finally:
        _let_go_of_unread_messages()


def _let_go_of_unread_messages() -> None:
    """Let nobody's reading of standard error change the exit code: Python flushes it once more at its end."""
    try:
        sys.stderr.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stderr.fileno())
        os.close(nowhere)


if __name__ == "__main__":
    main()
