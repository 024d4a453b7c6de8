"""The list of all settings for people, made from the class of the settings itself: `identity-service --help`."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import SecretStr

from identity_service.settings import PREFIX, TLS_FILES, Settings, example_of

HEADINGS = ("variable", "type", "default", "example")
KINDS: Mapping[str, str] = {"file-path": "file", "directory-path": "folder", "path": "path", "password": "URL"}
"""What the formats of a JSON schema are called; others stand as they are."""


def settings_table() -> str:
    """Return a table of every variable with its type, its default and an example."""
    properties: Mapping[str, Any] = Settings.model_json_schema()["properties"]
    rows = [HEADINGS, *(_row(name, properties[name]) for name in Settings.model_fields)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    return "\n".join(_aligned(row, widths) for row in rows)


def _row(name: str, schema: Mapping[str, Any]) -> tuple[str, ...]:
    return f"{PREFIX}{name.upper()}", _type(schema), _default(name), example_of(name)


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _type(schema: Mapping[str, Any]) -> str:
    """Name a type; a setting that may be left out has two, of which one is null."""
    schema = next((each for each in schema.get("anyOf", ()) if each.get("type") != "null"), schema)
    if "enum" in schema:
        return "|".join(value for value in schema["enum"] if value)
    if "format" in schema:
        return KINDS.get(schema["format"], schema["format"])
    if schema["type"] == "number":
        return f"seconds, at most {schema['maximum']:g}"
    if schema["type"] == "integer":
        return f"{schema['minimum']} to {schema['maximum']}"
    return "text"


def _default(name: str) -> str:
    field = Settings.model_fields[name]
    if field.is_required():
        return "required"
    if name in TLS_FILES:
        return "required with TLS"
    if isinstance(field.default, SecretStr):
        return field.default.get_secret_value()
    return f"{field.default:g}" if isinstance(field.default, int | float) else str(field.default or "none")
