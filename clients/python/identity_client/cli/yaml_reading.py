"""Reads a file by the nodes of YAML, so that every complaint can name file, line and field.

YAML's readings of bare words are not trusted where text is wanted: a tag `no` would be a boolean and a
version `2012-10-17` a date. The first is refused with a hint to quote it, the second is taken as it is
written.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml

TEXT = "tag:yaml.org,2002:str"
BOOL = "tag:yaml.org,2002:bool"
NULL = "tag:yaml.org,2002:null"
INT = "tag:yaml.org,2002:int"
FLOAT = "tag:yaml.org,2002:float"
MAP = "tag:yaml.org,2002:map"
SEQUENCE = "tag:yaml.org,2002:seq"
_DATE = "tag:yaml.org,2002:timestamp"
DEEPEST = 50
_NUMBERS = {INT, FLOAT}


class RefusedTextError(Exception):
    """The text is none that is taken, perhaps because it can cost more than it is worth."""

    def __init__(self, line: int, message: str) -> None:
        """Keep the line beside the message."""
        super().__init__(message)
        self.line = line


@dataclass
class NodeReader:
    """Turns nodes into values and gathers every complaint on the way."""

    path: Path
    complaints: list[tuple[int, str]] = field(default_factory=list)

    def complain(self, node: yaml.Node, name: str, message: str) -> None:
        """Note what is wrong with a field, and where."""
        self.complain_at(node.start_mark.line + 1, name, message)

    def complain_at(self, line: int, name: str, message: str) -> None:
        """Note what is wrong in a line that no node stands for."""
        field_name = f"{name}: " if name else ""
        self.complaints.append((line, f"{self.path}:{line}: {field_name}{message}"))

    def mapping(self, node: yaml.Node, name: str) -> dict[str, yaml.Node]:
        """Answer the entries of a mapping."""
        if not isinstance(node, yaml.MappingNode):
            self.complain(node, name, "must be a mapping of names to values")
            return {}
        entries: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.complain(key, name, "a key must be text")
            elif key.value in entries:
                self.complain(key, inside(name, key.value), "is there twice")
            else:
                entries[key.value] = value
        return entries

    def sequence(self, node: yaml.Node, name: str) -> list[yaml.Node]:
        """Answer the entries of a list."""
        if isinstance(node, yaml.SequenceNode):
            return list(node.value)
        self.complain(node, name, "must be a list")
        return []

    def text(self, node: yaml.Node, name: str) -> str:
        """Answer a text."""
        if isinstance(node, yaml.ScalarNode) and node.tag == TEXT:
            return self._encodable(node, name)
        if isinstance(node, yaml.ScalarNode) and node.tag != NULL:
            self.complain(node, name, f'must be text; write "{node.value}"')
        else:
            self.complain(node, name, "must be text")
        return ""

    def _encodable(self, node: yaml.ScalarNode, name: str) -> str:
        """Answer the text unless it holds half a character, which an escape can write and UTF-8 cannot."""
        try:
            node.value.encode()
        except UnicodeEncodeError:
            self.complain(node, name, "holds an escape that is no character")
            return ""
        return str(node.value)

    def texts(self, node: yaml.Node, name: str) -> list[str]:
        """Answer a list of texts, each there once."""
        found: list[str] = []
        for index, each in enumerate(self.sequence(node, name)):
            text = self.text(each, f"{name}[{index}]")
            if text in found:
                self.complain(each, f"{name}[{index}]", f"{text!r} is there twice")
            found.append(text)
        return found

    def flag(self, node: yaml.Node, name: str) -> bool:
        """Answer true or false."""
        if isinstance(node, yaml.ScalarNode) and node.tag == BOOL:
            value = yaml.SafeLoader.bool_values.get(node.value.lower())
            if value is not None:
                return bool(value)
        self.complain(node, name, "must be true or false")
        return False

    def document(self, node: yaml.Node, name: str) -> Any:
        """Answer nested values as JSON has them."""
        if isinstance(node, yaml.MappingNode):
            entries = self.mapping(node, name)
            return {key: self.document(value, inside(name, key)) for key, value in entries.items()}
        if isinstance(node, yaml.SequenceNode):
            return [self.document(each, f"{name}[{index}]") for index, each in enumerate(node.value)]
        return self._scalar(node, name)

    def _scalar(self, node: yaml.Node, name: str) -> Any:
        if node.tag in (TEXT, _DATE):
            return node.value
        if node.tag == NULL:
            return None
        if node.tag == BOOL:
            return self.flag(node, name)
        if node.tag in _NUMBERS:
            return self._number(node, name)
        self.complain(node, name, f"has the tag {node.tag}, which is not taken")
        return None

    def _number(self, node: yaml.Node, name: str) -> float:
        try:
            value = _plain_number(node.value)
            finite = isinstance(value, int | float) and math.isfinite(value)
        except (yaml.YAMLError, ValueError, OverflowError, RecursionError):
            finite = False
        if finite:
            return cast(float, value)
        self.complain(node, name, "is no number that JSON has")
        return 0


def _plain_number(text: str) -> Any:
    """Read a number as JSON has it, or else as YAML has it; `1e5` is one of the first kind alone."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return yaml.safe_load(text)


def _line_of(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def mark_of(line: int) -> yaml.Mark:
    """Answer where a node stands that was read from a text that is no YAML."""
    return yaml.Mark("", 0, line - 1, 0, None, 0)


def inside(name: str, key: str) -> str:
    """Answer the name of a field in a field."""
    return f"{name}.{key}" if name else key


def is_null(node: yaml.Node) -> bool:
    """Tell whether a value is written as null."""
    return isinstance(node, yaml.ScalarNode) and node.tag == NULL


def root_of(text: str) -> yaml.Node | None:
    """Parse the text; None if it is empty.

    Raises:
        yaml.YAMLError: it is no YAML.
        RefusedTextError: it uses an alias, of which a few can stand for gigabytes, or is nested beyond reason.
    """
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise RefusedTextError(_line_of(event), "aliases are not taken; use the defaults")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise RefusedTextError(_line_of(event), "is nested too deeply")
    return yaml.compose(text, Loader=yaml.SafeLoader)
