"""YAML in which a key stands once, and that can tell on which line something stands."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

Location = Sequence[str | int]
"""A way into a document: keys of mappings and indices of sequences."""


@dataclass(eq=False)
class StrictYamlError(ValueError):
    """Something that is wrong with a text as YAML, and its line, counted from 1."""

    message: str
    line: int


class _Loader(yaml.BaseLoader):
    """BaseLoader, to which every scalar is text, so that `0123...` is no octal number and `no` no boolean.

    Refuses a key that is there twice: YAML forbids it, PyYAML takes the last one. Knows no merge keys.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if str(key.value) in seen:
                problem = f"the key {key.value!r} is there twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


class Document:
    """A YAML document: its `value`, of mappings, lists and text, and the lines of its parts."""

    def __init__(self, text: str) -> None:
        """Read a text. Raises StrictYamlError."""
        try:
            loader = _Loader(text)
            self._root = loader.get_single_node()
            self.value: object = loader.construct_document(self._root) if self._root is not None else None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            words = ", ".join(filter(None, (error.context, error.problem)))
            raise StrictYamlError(words, mark.line + 1 if mark else 1) from None
        except yaml.YAMLError:
            raise StrictYamlError("this is no YAML: it holds a character that YAML does not allow", 1) from None
        except RecursionError:
            raise StrictYamlError("this is nested too deeply", 1) from None

    def line_of(self, location: Location) -> int:
        """Return the line of what stands at a location, or of the nearest thing around it that is there."""
        node, line = self._root, 1
        for part in location:
            found = _child(node, part)
            if found is None:
                break
            line, node = found
        return line


def _child(node: yaml.Node | None, part: str | int) -> tuple[int, yaml.Node] | None:
    """Find a part of a node, and the line where it begins: of a mapping, that of the key."""
    match node:
        case yaml.MappingNode():
            for key, value in node.value:
                if key.value == str(part):
                    return key.start_mark.line + 1, value
        case yaml.SequenceNode() if isinstance(part, int) and part < len(node.value):
            item = node.value[part]
            return item.start_mark.line + 1, item
    return None
