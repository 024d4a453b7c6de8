"""The patterns of policies: wildcards, policy variables, and ARNs that are compared part by part."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

ARN_PARTS = 6
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
# A colon inside of ${...} belongs to the variable and divides nothing.
_DIVIDER = re.compile(r":(?![^{]*\})")
_DEFAULTED = re.compile(r"\s*([^,]+?)\s*,\s*'([^']*)'\s*")
_LITERALS = frozenset("*?$")


class Facts:
    """What is known of a request: condition keys, told apart without case, with their values."""

    def __init__(self, context: Mapping[str, Sequence[str]], *, variables: bool = True) -> None:
        """Take a context; `variables=False` is for documents of the version that knows no policy variables."""
        self._values = {key.lower(): values for key, values in context.items()}
        self._variables = variables

    def without_variables(self) -> Facts:
        """The same facts for a document in which `${...}` is ordinary text."""
        return Facts(self._values, variables=False)

    def values_of(self, key: str) -> Sequence[str] | None:
        """The values of a key; None if the request has none."""
        return self._values.get(key.lower()) or None

    def pieces(self, text: str) -> list[tuple[str, bool]] | None:
        """The text cut into (piece, is literal); None if a variable in it has no value.

        What a variable stands for is literal: a tag with the value `*` is no wildcard.
        """
        if not self._variables or "${" not in text:
            return [(text, False)]
        pieces: list[tuple[str, bool]] = []
        end = 0
        for variable in _VARIABLE.finditer(text):
            value = self._value_of(variable[1])
            if value is None:
                return None
            pieces += [(text[end : variable.start()], False), (value, True)]
            end = variable.end()
        return [*pieces, (text[end:], False)]

    def _value_of(self, variable: str) -> str | None:
        if variable in _LITERALS:
            return variable
        defaulted = _DEFAULTED.fullmatch(variable)
        key, default = (defaulted[1], defaulted[2]) if defaulted else (variable, None)
        values = self.values_of(key)
        return values[0] if values and len(values) == 1 else default


def filled(text: str, facts: Facts) -> str | None:
    """The text with its variables replaced; None if one of them has no value."""
    pieces = facts.pieces(text)
    return None if pieces is None else "".join(piece for piece, _ in pieces)


def like(pattern: str, text: str, facts: Facts) -> bool:
    """Whether a text matches a pattern with `*` and `?`; a pattern without a value matches nothing."""
    pieces = facts.pieces(pattern)
    return pieces is not None and _expression(tuple(pieces)).fullmatch(text) is not None


def arn_like(pattern: str, arn: str, facts: Facts) -> bool:
    """The same for ARNs: a wildcard in one of the six parts does not reach into the next."""
    wanted, given = _DIVIDER.split(pattern, ARN_PARTS - 1), arn.split(":", ARN_PARTS - 1)
    if len(wanted) < ARN_PARTS or len(given) < ARN_PARTS:
        return like(pattern, arn, facts)
    return all(like(part, text, facts) for part, text in zip(wanted, given, strict=True))


@lru_cache(maxsize=8192)
def _expression(pieces: tuple[tuple[str, bool], ...]) -> re.Pattern[str]:
    return re.compile("".join(_escaped(piece, literal) for piece, literal in pieces), re.DOTALL)


def _escaped(piece: str, literal: bool) -> str:
    escaped = re.escape(piece)
    return escaped if literal else escaped.replace(r"\*", ".*").replace(r"\?", ".")
