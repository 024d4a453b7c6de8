"""YAML files that people write: read strictly, and complained about with the line that is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

_T = TypeVar("_T")
Place = Sequence[str | int]


class FileError(Exception):
    """A file cannot be used; the text says which, where and why."""


class YamlFile:
    """A file with its content and the lines that this stands on."""

    def __init__(self, path: Path) -> None:
        """Read and parse the file."""
        self._path = path
        try:
            text = path.read_text()
            self._tree = yaml.compose(text, yaml.SafeLoader)
            self._content = yaml.safe_load(text)
        except (OSError, UnicodeDecodeError) as error:
            raise FileError(f"{path}: cannot be read: {error}") from None
        except yaml.YAMLError as error:
            raise FileError(f"{path}: is not YAML: {error}") from None

    def as_(self, kind: type[_T]) -> _T:
        """The content as a model of pydantic's; every mistake is named at once."""
        try:
            return TypeAdapter(kind).validate_python(self._content)
        except ValidationError as error:
            complaints = [self.complaint(found["loc"], found["msg"]) for found in error.errors()]
            raise FileError("\n".join(complaints)) from None

    def complaint(self, place: Place, message: str) -> str:
        """A message with file, line and place."""
        where = ".".join(str(step) for step in place)
        return f"{self._path}:{self._line(place)}: {where + ': ' if where else ''}{message}"

    def _line(self, place: Place) -> int:
        """The line of a place, or of what is nearest above it in the tree."""
        node: Any = self._tree
        line = 1
        for step in place:
            found = _child(node, step)
            if found is None:
                break
            line, node = found
        return line


def _child(node: Any, step: str | int) -> tuple[int, Any] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        item = node.value[step]
        return item.start_mark.line + 1, item
    return None
