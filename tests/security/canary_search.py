"""Looks for secrets where they do not belong, in every form in which a careless program would leave them."""

import base64
import html
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import quote, quote_plus

SHORTEST = 8
"""A shorter form is found by chance in bytes that are random; short secrets are sought between other characters."""
GRAM = 8
"""So many bytes of a form are looked up at every place of the content, which costs the same for any number of forms."""
CODE = re.compile(rb"[0-9]{6}(?<![0-9A-Za-z._-][0-9]{6})(?![0-9A-Za-z_-])")
"""Six digits that are a word of their own."""


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
    return secret in CODE.findall(content)


def _gram(form: bytes) -> int:
    """Take some bytes of a form as a number: those in its middle, because many images begin alike."""
    start = (len(form) - GRAM) // 2
    return int.from_bytes(form[start : start + GRAM], sys.byteorder)


def _grams(content: bytes) -> Iterator[Iterable[int]]:
    """Read the bytes at every place of some content as numbers: first at each eighth place, then one further, ..."""
    for start in range(min(GRAM, max(len(content) - GRAM + 1, 0))):
        end = start + (len(content) - start) // GRAM * GRAM
        yield memoryview(content[start:end]).cast("Q")


@dataclass(frozen=True)
class Hit:
    """A secret in a place."""

    place: str
    secret: str

    def __str__(self) -> str:
        return f"{self.secret} in {self.place}"


@dataclass
class Search:
    """The secrets that are known by now, by name, the places that were searched and what was found.

    Secrets may be added by other threads while a place is searched.
    """

    secrets: dict[bytes, str] = field(default_factory=dict)
    places: set[str] = field(default_factory=set)
    hits: list[Hit] = field(default_factory=list)
    _by_gram: dict[int, tuple[bytes, ...]] = field(default_factory=dict)

    def add(self, name: str, secret: str | bytes) -> None:
        """Seek a secret from now on; one shorter than `SHORTEST` has to be a code of six digits."""
        value = secret.encode() if isinstance(secret, str) else secret
        if not value or value in self.secrets:
            return
        if len(value) < SHORTEST and not CODE.fullmatch(value):
            raise ValueError(f"{name} is too short to be sought")
        self.secrets[value] = name
        for gram in map(_gram, spellings(value)):
            self._by_gram[gram] = (*self._by_gram.get(gram, ()), value)

    def look(self, place: str, content: str | bytes) -> None:
        """Search a place for every secret."""
        self.places.add(place)
        value = content.encode(errors="replace") if isinstance(content, str) else content
        found = sorted(secret for secret in self._possible(value) if is_in(secret, value))
        self.hits += [Hit(place, self.secrets[secret]) for secret in found]

    def _possible(self, content: bytes) -> set[bytes]:
        """Choose the secrets of which a part is there."""
        possible = self.secrets.keys() & CODE.findall(content)
        for numbers in _grams(content):
            if not self._by_gram.keys().isdisjoint(numbers):
                possible.update(*(self._by_gram.get(number, ()) for number in numbers))
        return possible
