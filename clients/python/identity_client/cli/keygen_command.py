"""`identityctl keygen`: a pair of keys, one half to seal secrets to, the other to open them with."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from identity_client.cli.failures import BadInputError
from identity_client.cli.session import Session
from identity_client.handout import put_new_file
from identity_client.sealing import GeneratedIdentity, generate_identity

KEYGEN_EXAMPLES = ("keygen -o key.txt", "keygen -o key.txt --output json")


def keygen(
    context: typer.Context,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Write the identity to this new file, which only you may read."),
    ] = None,
) -> None:
    """Make an age identity, and tell its recipient. What is sealed to the recipient, the identity opens.

    The file is one of `age-keygen`. Without -o it goes to standard output.
    """
    session: Session = context.obj
    identity = generate_identity()
    if out is not None:
        _write(out, identity)
    if session.as_json:
        kept = {"identity": identity.secret} if out is None else {"file": str(out)}
        session.write_json({"recipient": identity.recipient, **kept})
    elif out is None:
        typer.echo(_file_text(identity), nl=False)
        session.say(f"Public key: {identity.recipient}")
    else:
        typer.echo(identity.recipient)


def _write(out: Path, identity: GeneratedIdentity) -> None:
    try:
        put_new_file(out, _file_text(identity).encode())
    except FileExistsError:
        raise BadInputError(f"{out}: exists, and may hold the only copy of a key; name another file") from None
    except (OSError, ValueError) as error:
        raise BadInputError(f"{out}: {getattr(error, 'strerror', None) or error}") from None


def _file_text(identity: GeneratedIdentity) -> str:
    now = datetime.now(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
    return f"# created: {now}\n# public key: {identity.recipient}\n{identity.secret}\n"
