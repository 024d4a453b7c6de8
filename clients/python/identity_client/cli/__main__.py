"""Starts `identityctl`, and says what is missing where the extra was not installed."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    try:
        from identity_client.cli.app import app
    except ModuleNotFoundError as missing:
        if missing.name not in ("rich", "typer", "yaml"):
            raise
        sys.exit(
            f"identityctl needs {missing.name}: pip install 'identity-provisioning-client[cli]'",
        )
    app()


if __name__ == "__main__":
    main()
