"""Where a policy document speaks of a user by a name or an ARN that the user is about to lose."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from identity_service.domain.names import name_key

ELEMENTS = ("Resource", "NotResource", "Condition")
"""Where an identity policy can speak of a user."""

OWN_NAME = re.compile(r"\$\{aws:username\}", re.IGNORECASE)
VARIABLE = re.compile(r"\$\{[^}]*\}")
NAME = re.compile(r"[A-Za-z0-9+=,.@_-]+")


@dataclass(frozen=True)
class Designation:
    """What documents know a user by: the name and the ARN."""

    user_name: str
    arn: str


def stale_places(document: str, before: Designation, after: Designation) -> tuple[str, ...]:
    """Name the places of a document that are about the user before a move and not after it.

    Those are patterns that cover the old ARN and not the new one, `${aws:username}` standing for the name, and texts
    that hold the old name as a whole word, such as `home/ana/*`. What a text means is not weighed: a document that
    speaks of another `ana` is named as well, since to look once too often costs less than a right that is lost.
    """
    return tuple(
        f"{element} of statement {number}"
        for number, statement in enumerate(_statements(document), 1)
        for element in ELEMENTS
        if any(_is_stale(text, before, after) for text in _texts(statement.get(element)))
    )


def _is_stale(text: str, before: Designation, after: Designation) -> bool:
    return (_covers(text, before) and not _covers(text, after)) or _names(text, before, after)


def _covers(pattern: str, user: Designation) -> bool:
    named = OWN_NAME.sub(user.user_name, pattern)
    # IAM's patterns know `*` and `?`; a bracket is one to fnmatch alone.
    return fnmatchcase(user.arn, VARIABLE.sub("*", named).replace("[", "[[]"))


def _names(text: str, before: Designation, after: Designation) -> bool:
    if before.user_name == after.user_name:
        return False
    parts = text.split(":", 5)
    resource = parts[5] if parts[0] == "arn" and len(parts) == 6 else text
    words = NAME.findall(VARIABLE.sub("*", resource))
    return any(word != after.user_name and name_key(word) == name_key(before.user_name) for word in words)


def _texts(value: object) -> Iterator[str]:
    """Yield every text of an element; the keys of a condition are not about anybody."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for entry in value:
            yield from _texts(entry)
    elif isinstance(value, dict):
        yield from _texts(list(value.values()))


def _statements(document: str) -> list[dict[str, object]]:
    try:
        parsed = json.loads(document)
    except (ValueError, RecursionError):
        return []
    statements = parsed.get("Statement", []) if isinstance(parsed, dict) else []
    listed = statements if isinstance(statements, list) else [statements]
    return [statement for statement in listed if isinstance(statement, dict)]
