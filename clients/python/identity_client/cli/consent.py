"""Asks before anything changes."""

from __future__ import annotations

import sys

import typer

from identity_client.cli.exit_codes import ExitCode
from identity_client.cli.failures import CliError


def require_consent(question: str, *, given: bool) -> None:
    """Go on only if somebody said yes, here or on the command line.

    Raises:
        CliError: nobody did, or there is no terminal to ask at.
    """
    if given:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise CliError(
            "There is no terminal to ask at, so nothing was changed. Add --yes to go ahead unasked.",
            ExitCode.NOT_CONFIRMED,
        )
    if not _confirmed(question):
        raise CliError("Nothing was changed.", ExitCode.NOT_CONFIRMED)


def _confirmed(question: str) -> bool:
    """Ask; an end of input or Ctrl-C at the question is a no."""
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:
        return False
