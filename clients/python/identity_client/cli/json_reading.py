"""Reads JSON into the nodes that YAML is read into, so that complaints about a JSON file name its lines as well.

A YAML reader takes most JSON and not all: tabs between values, escaped slashes, and characters that are written as
two escapes are read wrong or not at all.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

import yaml

from identity_client.cli.yaml_reading import (
    BOOL,
    DEEPEST,
    FLOAT,
    INT,
    MAP,
    NULL,
    SEQUENCE,
    TEXT,
    RefusedTextError,
    mark_of,
)

_SPACE = re.compile(r"[ \t\n\r]*")
_LITERAL = re.compile(r"true|false|null|-?[0-9][0-9A-Za-z.+-]*")


def json_root_of(text: str) -> yaml.Node:
    """Parse the text.

    Raises:
        RefusedTextError: it is not JSON, or nested beyond reason.
    """
    return _JsonNodes(text).whole()


@dataclass
class _JsonNodes:
    """Walks through the objects and lists of a text; the values in them are left to Python's own reader."""

    text: str
    at: int = 0
    line: int = 1
    _seen: int = field(default=0, repr=False)

    def whole(self) -> yaml.Node:
        self._skip_space()
        node = self._value(0)
        self._skip_space()
        if self.at < len(self.text):
            raise self._refused("there is more behind the end")
        return node

    def _value(self, depth: int) -> yaml.Node:
        if depth > DEEPEST:
            raise self._refused("is nested too deeply")
        if self._peek() == "{":
            return self._object(depth)
        if self._peek() == "[":
            return self._list(depth)
        if self._peek() == '"':
            return self._string()
        return self._literal()

    def _object(self, depth: int) -> yaml.Node:
        start = self._mark()
        pairs: list[tuple[yaml.Node, yaml.Node]] = []
        while self._goes_on(first=not pairs, opening="{", closing="}"):
            if self._peek() != '"':
                raise self._refused("a key in double quotes is expected")
            key = self._string()
            self._skip_space()
            self._take(":")
            pairs.append((key, self._value(depth + 1)))
            self._skip_space()
        return yaml.MappingNode(MAP, pairs, start, self._mark())

    def _list(self, depth: int) -> yaml.Node:
        start = self._mark()
        items: list[yaml.Node] = []
        while self._goes_on(first=not items, opening="[", closing="]"):
            items.append(self._value(depth + 1))
            self._skip_space()
        return yaml.SequenceNode(SEQUENCE, items, start, self._mark())

    def _goes_on(self, *, first: bool, opening: str, closing: str) -> bool:
        """Step over what stands before an entry; answer False at the end."""
        if first:
            self._take(opening)
        if self._peek() == closing:
            self._take(closing)
            return False
        if not first:
            self._take(",")
            if self._peek() == closing:
                raise self._refused("there is a comma before the end")
        return True

    def _string(self) -> yaml.ScalarNode:
        start = self._mark()
        try:
            value, self.at = json.JSONDecoder().raw_decode(self.text, self.at)
        except json.JSONDecodeError as error:
            self.at = error.pos
            raise self._refused(error.msg) from None
        return yaml.ScalarNode(TEXT, value, start, self._mark(), style='"')

    def _literal(self) -> yaml.ScalarNode:
        match, start = _LITERAL.match(self.text, self.at), self._mark()
        if match is None:
            raise self._refused("a value is expected")
        written = match.group()
        if _is_no_literal(written):
            raise self._refused(f"{written[:40]!r} is no value")
        self.at = match.end()
        tags = {"true": BOOL, "false": BOOL, "null": NULL}
        tag = tags.get(written) or (INT if written.lstrip("-").isdigit() else FLOAT)
        return yaml.ScalarNode(tag, written, start, self._mark())

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _take(self, sign: str) -> None:
        if self._peek() != sign:
            raise self._refused(f"{sign!r} is expected")
        self.at += 1
        self._skip_space()

    def _skip_space(self) -> None:
        match = _SPACE.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def _mark(self) -> yaml.Mark:
        self.line += self.text.count("\n", self._seen, self.at)
        self._seen = self.at
        return mark_of(self.line)

    def _refused(self, message: str) -> RefusedTextError:
        line = self.text.count("\n", 0, self.at) + 1
        what = "ends too early" if self.at >= len(self.text) else message
        return RefusedTextError(line, f"is not JSON: {what}" if message != "is nested too deeply" else message)


def _is_no_literal(written: str) -> bool:
    try:
        json.loads(written)
    except json.JSONDecodeError:
        return True
    except ValueError:
        return False  # more digits than Python turns into a number; whoever reads the field says so
    return False
