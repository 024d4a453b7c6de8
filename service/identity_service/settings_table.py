"""The list of all settings for people, made from the class of the settings itself.

`identity-service --help` prints it, and `python -m identity_service.settings_table` the page docs/settings.md.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import SecretStr

from identity_service.settings import PREFIX, TLS_FILES, Settings, example_of

HEADINGS = ("variable", "type", "default", "example")
KINDS: Mapping[str, str] = {"file-path": "file", "directory-path": "folder", "path": "path", "password": "URL"}
"""What the formats of a JSON schema are called; others stand as they are."""

ONE_OF: Mapping[str, str] = {
    "aws_account_id": f"required without {PREFIX}AWS_ACCOUNTS_FILE",
    "aws_accounts_file": f"required without {PREFIX}AWS_ACCOUNT_ID",
}
"""The settings of which exactly one is to be set."""

_PAGE_HEAD = f"""<!-- Made by `make settings` from service/identity_service/settings.py; a test compares them. -->
# Settings

Settings are environment variables. A wrong one stops the start with its name, the problem and an example, all of them
at once; an empty one counts as not set, and an unknown one is left alone. `identity-service --help` prints this list
in short. Times are in seconds, but for the one that is in days.

None of them is a secret. The store's password stands in the file that `{PREFIX}STORE_PASSWORD_FILE`
names, the TLS key in its own. Keys of AWS are boto3's to find: give the machine a role, or a file in
`AWS_SHARED_CREDENTIALS_FILE`. A server with TLS does not start with `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` or
`PGPASSWORD` set, and warns of `OTEL_EXPORTER_OTLP_HEADERS`, which has no file: let a collector nearby add secrets.

Metrics are scraped where `{PREFIX}METRICS_LISTEN_ADDRESS` says. Traces and metrics are sent by OTLP (gRPC)
where OpenTelemetry's own variables say so, such as `OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317`;
`OTEL_TRACES_EXPORTER=none` and `OTEL_METRICS_EXPORTER=none` leave one of them out, and `OTEL_METRIC_EXPORT_INTERVAL`
says how often metrics are sent, in milliseconds. A wrong one of these stops the start, too.
"""


def settings_table() -> str:
    """Return a table of every variable with its type, its default and an example."""
    properties: Mapping[str, Any] = Settings.model_json_schema()["properties"]
    rows = [HEADINGS, *(_row(name, properties[name]) for name in Settings.model_fields)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    return "\n".join(_aligned(row, widths) for row in rows)


def settings_page() -> str:
    """Return the page of all settings in Markdown, with what each is for."""
    properties: Mapping[str, Any] = Settings.model_json_schema()["properties"]
    return f"{_PAGE_HEAD}{''.join(_section(name, properties[name]) for name in Settings.model_fields)}"


def _section(name: str, schema: Mapping[str, Any]) -> str:
    variable, type_, default, example = _row(name, schema)
    facts = [type_, default if default.startswith("required") else f"default {_code(default)}"]
    if example != default:
        facts.append(f"such as {_code(example)}")
    description = str(Settings.model_fields[name].description)
    return f"\n### {variable}\n\n{description}\n\n{'; '.join(facts)}\n"


def _code(value: str) -> str:
    return value if value == "none" else f"`{value}`"


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
        return f"{schema['unit']}, at most {schema['maximum']:g}"
    if schema["type"] == "integer":
        return f"{schema['minimum']} to {schema['maximum']}"
    return "text"


def _default(name: str) -> str:
    field = Settings.model_fields[name]
    if field.is_required():
        return "required"
    if name in TLS_FILES:
        return "required with TLS"
    if name in ONE_OF:
        return ONE_OF[name]
    if isinstance(field.default, SecretStr):
        return field.default.get_secret_value()
    return f"{field.default:g}" if isinstance(field.default, int | float) else str(field.default or "none")


if __name__ == "__main__":
    print(settings_page(), end="")
