"""Looks for secrets where they do not belong, in every form in which a careless program would leave them."""

import base64
import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import quote, quote_plus

SHORTEST = 8
"""A shorter form is found by chance in bytes that are random; short secrets are sought between other characters."""
RECENT = 60
"""How many of the secrets that were seen last are sought in what a case leaves; all are, in what a world leaves."""


@cache
def spellings(secret: bytes) -> frozenset[bytes]:
    """Write a secret raw, backwards, escaped for JSON, Python, XML and URLs, in hexadecimal and in base64."""
    forms = {secret, secret[::-1], secret.hex().encode(), secret.hex().upper().encode(), *_base64(secret)}
    try:
        text = secret.decode()
    except UnicodeDecodeError:
        text = ""
    if text:
        escaped = (json.dumps(text)[1:-1], repr(text)[1:-1], html.escape(text), quote(text, safe=""), quote_plus(text))
        forms |= {form.encode() for form in (*escaped, json.dumps(json.dumps(text)[1:-1])[1:-1])}
    return frozenset(form for form in forms if len(form) >= SHORTEST)


def _base64(secret: bytes) -> Iterator[bytes]:
    """Write the characters that base64 has of a secret wherever it stands in what was encoded."""
    for before in range(3):
        bits = 8 * before
        encoded = base64.b64encode(bytes(before) + secret)
        certain = encoded[-(-bits // 6) : (bits + 8 * len(secret)) // 6]
        yield certain
        yield certain.replace(b"+", b"-").replace(b"/", b"_")


def is_in(secret: bytes, content: bytes) -> bool:
    """Tell whether a secret is in some bytes; one as short as a code only if it is a word of its own."""
    if any(form in content for form in spellings(secret)):
        return True
    if len(secret) >= SHORTEST:
        return False
    return bool(re.search(rb"(?<![0-9A-Za-z._-])" + re.escape(secret) + rb"(?![0-9A-Za-z_-])", content))


@dataclass(frozen=True)
class Hit:
    """A secret in a place."""

    place: str
    secret: str

    def __str__(self) -> str:
        return f"{self.secret} in {self.place}"


@dataclass
class Search:
    """The secrets that are known by now, by name, the places that were searched and what was found."""

    secrets: dict[bytes, str] = field(default_factory=dict)
    places: set[str] = field(default_factory=set)
    hits: list[Hit] = field(default_factory=list)
    _fixed: list[bytes] = field(default_factory=list)

    def add(self, name: str, secret: str | bytes, *, fixed: bool = False) -> None:
        """Seek a secret from now on; one that is `fixed` is never left out."""
        value = secret.encode() if isinstance(secret, str) else secret
        if value and value not in self.secrets:
            self.secrets[value] = name
            if fixed:
                self._fixed.append(value)

    def look(self, place: str, content: str | bytes, *, everything: bool = False) -> None:
        """Search a place, for the secrets that were seen last or for every one."""
        self.places.add(place)
        value = content.encode(errors="replace") if isinstance(content, str) else content
        if not value:
            return
        sought = self.secrets if everything else dict.fromkeys([*self._fixed, *list(self.secrets)[-RECENT:]])
        self.hits += [Hit(place, self.secrets[secret]) for secret in sought if is_in(secret, value)]
