"""The text of policies, taken apart: cedarpy tells which policy is wrong, but not on which line it stands."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_PIECES = re.compile(r'//[^\n]*|"(?:\\.|[^"\\])*"|;', re.DOTALL)
"""What a semicolon can hide in, and the semicolon itself."""
_BLANK = re.compile(r"(?:\s|//[^\n]*)*")


@dataclass(frozen=True)
class Statement:
    """A policy as it is written, and the line where it begins, counted from 1."""

    text: str
    line: int


def statements(text: str) -> Iterator[Statement]:
    """Yield each policy of a text with its semicolon; what comes after the last one as well, unless it is blank."""
    start = 0
    for piece in _PIECES.finditer(text):
        if piece.group() == ";":
            yield _statement(text, start, piece.end())
            start = piece.end()
    if text[start:][_blank(text[start:]) :]:
        yield _statement(text, start, len(text))


def _statement(text: str, start: int, end: int) -> Statement:
    start += _blank(text[start:end])
    return Statement(text[start:end], text.count("\n", 0, start) + 1)


def _blank(text: str) -> int:
    """Return how long the blanks and comments are that a text begins with."""
    found = _BLANK.match(text)
    return found.end() if found else 0
