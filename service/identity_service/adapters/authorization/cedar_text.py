"""The text of policies, taken apart before the engine has it.

cedarpy tells which policy is wrong, but not on which line it stands, and does not survive what is nested too deeply.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_PIECES = re.compile(r'//[^\n]*|"(?:\\.|[^"\\])*"|;', re.DOTALL)
"""What a semicolon can hide in, and the semicolon itself."""
_NESTING = re.compile(r'//[^\n]*|"(?:\\.|[^"\\])*"|[()\[\]{}]|[.+*-]|\|\||&&|\belse\b', re.DOTALL)
"""What brackets and operators can hide in, and those that take a condition deeper."""
_BRACKETS, _OPERATORS = 100, 2000
"""How many brackets may be open, and how many operators may stand, in one policy: far more than anybody writes, and far
less than the 1,000 and 20,000 that overflow the stack of a thread, which ends the process."""
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


def is_too_deep(text: str) -> bool:
    """Tell whether a policy's text is nested so deeply that it must not be handed to the engine."""
    brackets = operators = 0
    for piece in _NESTING.findall(text):
        if piece in "([{":
            brackets += 1
        elif piece in ")]}":
            brackets -= 1
        elif piece[0] not in '/"':
            operators += 1
        if brackets > _BRACKETS or operators > _OPERATORS:
            return True
    return False


def _statement(text: str, start: int, end: int) -> Statement:
    start += _blank(text[start:end])
    return Statement(text[start:end], text.count("\n", 0, start) + 1)


def _blank(text: str) -> int:
    """Return how long the blanks and comments are that a text begins with."""
    found = _BLANK.match(text)
    return found.end() if found else 0
