"""Looks for secrets where none may be: in logs, in what processes print, in the database."""

import base64
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import sqlalchemy as sa

SHORTEST = 8
"""A shorter text is met by chance."""


def forms_of(secret: str) -> frozenset[bytes]:
    """Return how a secret may look: as it is, escaped, encoded, also in the midst of something longer."""
    raw = secret.encode()
    forms = {
        raw,
        json.dumps(secret)[1:-1].encode(),
        repr(secret)[1:-1].encode(),
        quote(secret, safe="").encode(),
        quote_plus(secret).encode(),
        raw.hex().encode(),
        *_base64_forms(raw),
    }
    return frozenset(form for form in forms if len(form) >= SHORTEST)


def _base64_forms(raw: bytes) -> Iterator[bytes]:
    """Yield what is the same in base64 whatever stands before and after, for each of the three alignments."""
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw)
        first = (before * 8 + 5) // 6
        last = (before + len(raw)) * 8 // 6
        yield encoded[first:last]
        yield encoded[first:last].translate(bytes.maketrans(b"+/", b"-_"))


class Files:
    """Files that grow: each look reads only what is new."""

    def __init__(self) -> None:
        self._read: dict[Path, int] = {}

    def new_text(self, files: Iterable[Path]) -> bytes:
        """Return what was written since the last look."""
        parts = []
        for file in files:
            with file.open("rb") as opened:
                opened.seek(self._read.get(file, 0))
                parts.append(opened.read())
                self._read[file] = opened.tell()
        return b"\n".join(parts)


def database_text(engine: sa.Engine) -> bytes:
    """Return every row of every table as text."""
    tables = sa.MetaData()
    tables.reflect(engine)
    with engine.connect() as connection:
        rows = [repr(tuple(row)) for table in tables.sorted_tables for row in connection.execute(sa.select(table))]
    return "\n".join(rows).encode()


def count_hits(secrets: Iterable[str], text: bytes) -> int:
    """Count the secrets that a text holds in any form."""
    return sum(any(form in text for form in forms_of(secret)) for secret in set(secrets))
