"""`identityctl init`: an example to begin with, and the schema."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from identity_client.cli.failures import BadInputError
from identity_client.cli.session import Session
from identity_client.cli.users_format import users_schema
from identity_client.handout import put_new_file

INIT_EXAMPLES = ("init team.yaml", "init - | less", "init --schema > users.schema.json")

_STANDARD_OUTPUT = Path("-")


def init(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The users file to write; - writes it to standard output.")] = Path(
        "users.yaml"
    ),
    schema: Annotated[
        bool, typer.Option("--schema", help="Write the users file's JSON schema to standard output instead.")
    ] = False,
) -> None:
    """Write a users file to begin with: an example of everything that it may hold. It replaces no file."""
    session: Session = context.obj
    if schema:
        session.write_json(users_schema())
        return
    if file == _STANDARD_OUTPUT:
        session.write_text(example_text())
        return
    if file.suffix.casefold() in (".json", ".csv"):
        raise BadInputError(f"{file}: the example is YAML, whose comments explain it; name it .yaml")
    try:
        put_new_file(file, example_text().encode(), mode=0o644)
    except FileExistsError:
        raise BadInputError(f"{file}: exists and was left as it is; name another file") from None
    except (OSError, ValueError) as error:
        raise BadInputError(f"{file}: {getattr(error, 'strerror', None) or error}") from None
    session.say(f"{file} is yours to change. `identityctl plan -f {file}` shows what it would do.")


def example_text() -> str:
    """Answer the example."""
    return (resources.files("identity_client.cli") / "example_users.yaml").read_text(encoding="utf-8")
