"""Options that several commands have in common, and how their texts are read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from identity_client.cli.checks import TextRule
from identity_client.cli.failures import BadInputError
from identity_client.cli.policy_files import read_policy_file

UserName = Annotated[str, typer.Argument(help="The user's name, in any letter case.", show_default=False)]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Go ahead without a question.")]
ShowSecrets = Annotated[bool, typer.Option("--show-secrets", help="Show the secrets in the terminal.")]
FullReview = Annotated[
    bool, typer.Option("--full", help="Show every user's plan as a whole, and not those that are alike together.")
]

APOSTROPHES = (
    "Where a cell would begin with =, +, - or @, which a spreadsheet runs as a formula, an apostrophe is put before it "
    "that is not part of the value, and you are told."
)
"""What the help says of the credentials file."""


def pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    """Take texts like KEY=VALUE apart.

    Raises:
        BadInputError: one is not like that, or a key is there twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise BadInputError(f"{option} {text!r}: takes KEY=VALUE")
        if key in found:
            raise BadInputError(f"{option} {key!r} is there twice")
        found[key] = value
    return found


def check(what: str, rule: TextRule, *texts: str) -> None:
    """Hold texts to a rule; an empty one was not given, and one that is no text at all is a UnicodeError.

    Raises:
        BadInputError: one breaks the rule.
    """
    "".join(texts).encode()
    for complaint in filter(None, (rule.complaint(text) for text in texts if text)):
        raise BadInputError(f"{what}: {complaint}")


def document_from(text: str) -> str:
    """Answer the policy document of a file that is named as @FILE.json.

    Raises:
        BadInputError: it is named otherwise, cannot be read, or holds no JSON object.
    """
    if not text.startswith("@"):
        raise BadInputError(f"{text!r}: a policy document is given as @FILE.json")
    return read_policy_file(Path(text[1:]))


def require_some(given: bool, *options: str) -> None:
    """Refuse a command that says nothing of what it is for.

    Raises:
        BadInputError: nothing is given.
    """
    if not given:
        raise BadInputError(f"Say at least one of {', '.join(options)}.")
