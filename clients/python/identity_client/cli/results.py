"""Shows what a run made, to a person or to a machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from identity_client.cli.failures import error_document, message_document
from identity_client.cli.outcome import Outcome
from identity_client.cli.qr_code import show_qr_code
from identity_client.cli.review import show_line, show_steps
from identity_client.cli.session import Session, printable
from identity_client.cli.tables import print_rows
from identity_provisioning.v1.credential_pb2 import IssuedCredentials

_HEADINGS = ("User", "Result", "ARN", "Access key", "Password", "MFA device")
"""The last is there if anybody has such a device."""


def show_results(console: Console, outcomes: Sequence[Outcome], *, csv: str) -> None:
    """Show the table of results, and what there is to say about each; secrets that are wanted here came before."""
    rows = [_cells(outcome, csv) for outcome in outcomes]
    columns = len(_HEADINGS) if any(row[-1] for row in rows) else len(_HEADINGS) - 1
    print_rows(console, "Results", _HEADINGS[:columns], [row[:columns] for row in rows])
    if len(outcomes) == 1 and outcomes[0].response is not None:
        show_steps(console, outcomes[0].response.steps)
    for outcome in outcomes:
        story = outcome.story()
        if story:
            show_line(console, f"{outcome.user.name}: {story}")


def _cells(outcome: Outcome, csv: str) -> tuple[str, ...]:
    response = outcome.response
    if response is None:
        return outcome.user.name, outcome.status, "", "", "", ""
    credentials = response.credentials
    password = ""
    if credentials.HasField("console_password"):
        password = _place(outcome, csv) if credentials.console_password.generated else "as you gave it"
    return (
        response.user.user_name,
        outcome.status,
        response.user.arn,
        credentials.access_key.access_key_id,
        password,
        credentials.mfa_device.serial_number,
    )


def _place(outcome: Outcome, csv: str) -> str:
    if outcome.secrets_withheld:
        return "withheld" if outcome.handed_out_to else "lost"
    if outcome.response is not None and outcome.response.credentials.sealed_secrets:
        return "sealed"
    return f"in {csv}" if csv else "above"


def show_secrets_of(console: Console, outcome: Outcome) -> None:
    """Write one user's secrets, if the run made any."""
    response = outcome.response
    if response is not None and outcome.user.wants_credentials:
        show_credentials(console, response.user.user_name, response.credentials, response.sign_in_url)


def show_credentials(console: Console, user_name: str, credentials: IssuedCredentials, sign_in_url: str) -> None:
    """Write secrets as they are, one a line: a table would break them. At a terminal the seed is drawn as well."""
    secrets = {
        "password": credentials.console_password.password,
        "access key id": credentials.access_key.access_key_id,
        "secret access key": credentials.access_key.secret_access_key,
        "mfa device": credentials.mfa_device.serial_number,
        "mfa seed": credentials.mfa_device.base32_seed,
        "sign in at": sign_in_url,
    }
    shown = {name: value for name, value in secrets.items() if value}
    if shown:
        console.print(printable(user_name), soft_wrap=True)
        for name, value in shown.items():
            console.print(f"  {name}: {printable(value)}", soft_wrap=True)
    device = credentials.mfa_device
    if device.base32_seed and console.is_terminal:
        show_qr_code(console, device.base32_seed, user_name, device.serial_number)


def say_altered_cells(session: Session, csv: str, user_name: str, columns: Sequence[str]) -> None:
    """Tell whose cells begin with an apostrophe: who copies such a secret with it has a wrong one."""
    if columns:
        session.say(
            f"{csv}: the apostrophe that begins {' and '.join(columns)} of {user_name} is not part of the value: "
            "it keeps spreadsheets from running the cell as a formula. Leave it out when you use the value."
        )


def result_document(outcome: Outcome) -> dict[str, Any]:
    """Answer a result as JSON values; secrets are among them, this being the answer that has them."""
    response = outcome.response
    return {
        "user_name": outcome.user.name,
        "status": outcome.status.replace(" ", "_"),
        "request_id": outcome.request_id,
        "user": None if response is None else message_document(response.user),
        "credentials": None if response is None else message_document(response.credentials),
        "sign_in_url": "" if response is None else response.sign_in_url,
        "steps": [] if response is None else [message_document(step) for step in response.steps],
        "secrets_withheld": outcome.secrets_withheld,
        "altered_cells": list(outcome.altered_cells),
        "error": None if outcome.error is None else error_document(outcome.error) | {"advice": outcome.advice},
        "notes": outcome.story(),
    }
