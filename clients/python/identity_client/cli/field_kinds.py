"""The kinds of fields that a users file has: how each is read, and how a JSON schema describes it.

Both stand side by side, so that the published schema says what the reader does.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from identity_client.cli.checks import (
    DEVICE_NAME,
    LARGEST_DOCUMENT,
    MOST_TAGS,
    TAG_KEY,
    TAG_VALUE,
    TextRule,
    tags_complaint,
)
from identity_client.cli.failures import BadInputError
from identity_client.cli.policy_files import read_policy_file
from identity_client.cli.yaml_reading import NodeReader, inside, is_null

Schema = dict[str, Any]


class FieldKind(ABC):
    """One kind of field."""

    @abstractmethod
    def read(self, reader: NodeReader, node: yaml.Node, name: str) -> Any:
        """Answer the value; a mistake is complained about, and the answer is then of no use."""

    @abstractmethod
    def schema(self) -> Schema:
        """Answer the kind as a JSON schema has it."""


@dataclass(frozen=True)
class Field:
    """A field: its name, its kind, and what it is for."""

    name: str
    kind: FieldKind
    description: str
    required: bool = False


@dataclass(frozen=True)
class Text(FieldKind):
    """A text that keeps a rule."""

    rule: TextRule

    def read(self, reader: NodeReader, node: yaml.Node, name: str) -> str:
        """Answer the text."""
        text = reader.text(node, name)
        complaint = self.rule.complaint(text) if text else ""
        if complaint:
            reader.complain(node, name, complaint)
        return text

    def schema(self) -> Schema:
        """Answer the rule."""
        return self.rule.schema()


@dataclass(frozen=True)
class Flag(FieldKind):
    """True or false."""

    def read(self, reader: NodeReader, node: yaml.Node, name: str) -> bool:
        """Answer the flag."""
        return reader.flag(node, name)

    def schema(self) -> Schema:
        """Answer a boolean."""
        return {"type": "boolean"}


@dataclass(frozen=True)
class Texts(FieldKind):
    """A list of texts that keep a rule, each there once."""

    rule: TextRule
    most: int

    def read(self, reader: NodeReader, node: yaml.Node, name: str) -> list[str]:
        """Answer the texts."""
        texts = reader.texts(node, name)
        for complaint in filter(None, (self.rule.complaint(text) for text in texts if text)):
            reader.complain(node, name, complaint)
        _check_number(reader, node, name, len(texts), self.most)
        return texts

    def schema(self) -> Schema:
        """Answer a list without duplicates."""
        return {"type": "array", "items": self.rule.schema(), "uniqueItems": True, "maxItems": self.most}


@dataclass(frozen=True)
class Choice(FieldKind):
    """One of a few words."""

    words: tuple[str, ...]

    def read(self, reader: NodeReader, node: yaml.Node, name: str) -> str:
        """Answer the word."""
        text = reader.text(node, name)
        if text not in self.words:
            reader.complain(node, name, f"must be one of {', '.join(self.words)}")
            return ""
        return text

    def schema(self) -> Schema:
        """Answer the words."""
        return {"enum": list(self.words)}


@dataclass(frozen=True)
class Tags(FieldKind):
    """Tags, key to value; null takes a default's tag away."""

    def read(self, reader: NodeReader, node: yaml.Node, name: str) -> dict[str, str | None]:
        """Answer the tags."""
        tags: dict[str, str | None] = {}
        for key, value in reader.mapping(node, name).items():
            field_name = inside(name, key)
            text = None if is_null(value) else reader.text(value, field_name)
            for complaint in filter(None, (TAG_KEY.complaint(key), TAG_VALUE.complaint(text or ""))):
                reader.complain(value, field_name, complaint)
            tags[key] = text
        complaint = tags_complaint({key: value for key, value in tags.items() if value is not None})
        if complaint:
            reader.complain(node, name, complaint)
        return tags

    def schema(self) -> Schema:
        """Answer a mapping of texts."""
        prefixes = "|".join(
            "".join(f"[{char}{char.upper()}]" if char.isalpha() else char for char in prefix)
            for prefix in TAG_KEY.reserved
        )
        return {
            "type": "object",
            "propertyNames": {**TAG_KEY.schema(), "pattern": f"^(?!{prefixes})"},
            "additionalProperties": or_null(TAG_VALUE.schema()),
            "maxProperties": MOST_TAGS,
        }


@dataclass(frozen=True)
class Console(FieldKind):
    """Whether the user has a console password, and whether it has to be changed at the first sign-in."""

    def read(self, reader: NodeReader, node: yaml.Node, name: str) -> bool | dict[str, bool]:
        """Answer the flag, or the wishes."""
        if isinstance(node, yaml.ScalarNode):
            return reader.flag(node, name)
        wishes = reader.mapping(node, name)
        for key, value in wishes.items():
            if key != "require_reset":
                reader.complain(value, inside(name, key), "is not known; known is require_reset")
        reset = wishes.get("require_reset")
        return {"require_reset": reset is not None and reader.flag(reset, inside(name, "require_reset"))}

    def schema(self) -> Schema:
        """Answer both forms."""
        wishes = {"require_reset": {"type": "boolean", "description": "Must be changed at the first sign-in."}}
        return {"anyOf": [{"type": "boolean"}, {"type": "object", "properties": wishes, "additionalProperties": False}]}


@dataclass(frozen=True)
class MfaDevice(FieldKind):
    """Whether the user gets a virtual MFA device, or its name where it is not the user's."""

    def read(self, reader: NodeReader, node: yaml.Node, name: str) -> bool | str:
        """Answer the flag or the name."""
        if isinstance(node, yaml.ScalarNode) and node.tag.endswith(":str"):
            return Text(DEVICE_NAME).read(reader, node, name)
        return reader.flag(node, name)

    def schema(self) -> Schema:
        """Answer both forms."""
        return {"anyOf": [{"type": "boolean"}, DEVICE_NAME.schema()]}


@dataclass(frozen=True)
class Document(FieldKind):
    """A policy document that is written out, or in a file beside the users file: `@deploy.json`."""

    def read(self, reader: NodeReader, node: yaml.Node, name: str) -> str:
        """Answer the document as JSON."""
        text = self._text(reader, node, name)
        if len(text) > LARGEST_DOCUMENT:
            reader.complain(node, name, f"is longer than {LARGEST_DOCUMENT} characters")
        return text

    def schema(self) -> Schema:
        """Answer both forms."""
        return {"anyOf": [{"type": "object"}, {"type": "string", "pattern": "^@.+$"}]}

    def _text(self, reader: NodeReader, node: yaml.Node, name: str) -> str:
        if isinstance(node, yaml.MappingNode):
            return json.dumps(reader.document(node, name), separators=(",", ":"))
        text = reader.text(node, name)
        if not text.startswith("@"):
            reader.complain(node, name, "must be a policy document, or @FILE")
            return ""
        try:
            return read_policy_file(reader.path.parent / text[1:])
        except BadInputError as error:
            reader.complain(node, name, str(error))
            return ""


@dataclass(frozen=True)
class Documents(FieldKind):
    """Policy documents by name; null takes a default's away."""

    rule: TextRule
    most: int

    def read(self, reader: NodeReader, node: yaml.Node, name: str) -> dict[str, str | None]:
        """Answer the documents as JSON."""
        documents: dict[str, str | None] = {}
        for key, value in reader.mapping(node, name).items():
            field_name = inside(name, key)
            complaint = self.rule.complaint(key)
            if complaint:
                reader.complain(value, field_name, complaint)
            documents[key] = None if is_null(value) else Document().read(reader, value, field_name)
        _check_number(reader, node, name, len(documents), self.most)
        return documents

    def schema(self) -> Schema:
        """Answer a mapping of documents."""
        return {
            "type": "object",
            "propertyNames": self.rule.schema(),
            "additionalProperties": or_null(Document().schema()),
            "maxProperties": self.most,
        }


@dataclass(frozen=True)
class Record(FieldKind):
    """A mapping with fields of its own, which is made into something."""

    fields: tuple[Field, ...]
    make: Callable[[dict[str, Any]], Any]

    def read(self, reader: NodeReader, node: yaml.Node, name: str) -> Any:
        """Answer what the fields make."""
        values = read_fields(reader, node, name, self.fields)
        check_required(reader, node, name, self.fields, values)
        return self.make({key: value for key, value in values.items() if value is not None})

    def schema(self) -> Schema:
        """Answer the fields."""
        return fields_schema(self.fields)


@dataclass(frozen=True)
class Records(FieldKind):
    """A list of records."""

    record: Record
    most: int

    def read(self, reader: NodeReader, node: yaml.Node, name: str) -> list[Any]:
        """Answer what each makes."""
        nodes = reader.sequence(node, name)
        _check_number(reader, node, name, len(nodes), self.most)
        return [self.record.read(reader, each, f"{name}[{index}]") for index, each in enumerate(nodes)]

    def schema(self) -> Schema:
        """Answer a list."""
        return {"type": "array", "items": self.record.schema(), "maxItems": self.most}


def read_fields(reader: NodeReader, node: yaml.Node, where: str, fields: Sequence[Field]) -> dict[str, Any]:
    """Answer the values of a mapping's fields; None for what is null."""
    if is_null(node):
        return {}
    known = {each.name: each.kind for each in fields}
    values: dict[str, Any] = {}
    for key, value in reader.mapping(node, where).items():
        name = inside(where, key)
        if key not in known:
            reader.complain(value, name, f"is not known; known are {', '.join(known)}")
        else:
            values[key] = None if is_null(value) else known[key].read(reader, value, name)
    return values


def check_required(
    reader: NodeReader, node: yaml.Node, where: str, fields: Sequence[Field], values: Mapping[str, Any]
) -> None:
    """Complain about required fields that have no value, unless the one that is there was complained about."""
    for each in fields:
        if each.required and (values.get(each.name) is None or values[each.name] == ""):
            reader.complain(node, inside(where, each.name), "is missing")


def fields_schema(fields: Sequence[Field]) -> Schema:
    """Answer a mapping with these fields, as a JSON schema has it."""
    required = [each.name for each in fields if each.required]
    return {
        "type": "object",
        "properties": {each.name: _field_schema(each) for each in fields},
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def or_null(schema: Schema) -> Schema:
    """Let a value be null as well."""
    return {"anyOf": [schema, {"type": "null"}]}


def _field_schema(described: Field) -> Schema:
    schema = described.kind.schema() if described.required else or_null(described.kind.schema())
    return {"description": described.description, **schema}


def _check_number(reader: NodeReader, node: yaml.Node, name: str, number: int, most: int) -> None:
    if number > most:
        reader.complain(node, name, f"has {number} entries; {most} at most are taken")
