"""Reads a table of users into the nodes that YAML is read into: a heading, then one user a line.

An empty cell leaves the defaults as they are, and `null` removes what they say. A list's entries are separated by
semicolons, and tags are `KEY=VALUE` separated in the same way. The apostrophe with which a spreadsheet-safe file, such
as the credentials file, begins a cell like `'+name` is taken off.

A mistake in the heading does not hide those in the lines below: the known columns are read all the same.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import yaml

from identity_client.cli.yaml_reading import BOOL, MAP, NULL, SEQUENCE, TEXT, NodeReader, mark_of
from identity_client.handout import unescape_cell

_NAMES_AS_WRITTEN = ("name", "email")


def csv_rows(text: str, reader: NodeReader) -> list[yaml.Node]:
    """Answer a mapping for each line; complaints about the table itself go to the reader."""
    records = _records(text, reader)
    if not records:
        return []
    heading_line, heading = records[0]
    columns = [name.strip().casefold() for name in heading]
    _check_heading(columns, heading_line, reader)
    if not any(column in COLUMNS for column in columns):
        return []
    return [_row(columns, line, cells, reader) for line, cells in records[1:]]


def _records(text: str, reader: NodeReader) -> list[tuple[int, list[str]]]:
    """Answer the lines that hold something, each with its number; a cell in quotes may go over several."""
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    found: list[tuple[int, list[str]]] = []
    line = 1
    try:
        for cells in rows:
            if any(cell.strip() for cell in cells):
                found.append((line, cells))
            line = rows.line_num + 1
    except csv.Error as error:
        reader.complain_at(line, "", f"is not CSV: {error}")
    return found


def _check_heading(columns: list[str], line: int, reader: NodeReader) -> None:
    """Complain unless the first line names columns that are known, each once, the users' names among them."""
    if "name" not in columns:
        reader.complain_at(line, "name", "is missing: the first line names the columns, separated by commas")
    if not any(column in COLUMNS for column in columns):
        return  # it is no heading at all, and nothing more is to be said of it
    for column in dict.fromkeys(columns):
        if column not in COLUMNS:
            reader.complain_at(line, column, f"is not known; known columns are {', '.join(COLUMNS)}")
        elif columns.count(column) > 1:
            reader.complain_at(line, column, "is there twice")


def _row(columns: list[str], line: int, cells: list[str], reader: NodeReader) -> yaml.Node:
    if len(cells) > len(columns):
        reader.complain_at(line, "", f"has {len(cells)} cells under {len(columns)} columns")
    mark = mark_of(line)
    entries: dict[str, yaml.Node] = {}
    if "name" not in columns:
        entries["name"] = _text(f"line-{line}", mark)  # the heading's mistake is told once, and not in every line
    for column, cell in zip(columns, cells, strict=False):
        text = unescape_cell(cell.strip())
        if column not in COLUMNS or column in entries:
            continue
        if text == "null" and column not in _NAMES_AS_WRITTEN:
            entries[column] = yaml.ScalarNode(NULL, "null", mark, mark)
        elif text:
            entries[column] = COLUMNS[column](text, mark, column, reader)
    _put_reset_into_console(entries, mark, reader)
    return yaml.MappingNode(MAP, [(_text(name, mark), node) for name, node in entries.items()], mark, mark)


def _put_reset_into_console(entries: dict[str, yaml.Node], mark: yaml.Mark, reader: NodeReader) -> None:
    """Make the two columns about the password the one field that the users file has for it."""
    reset = entries.pop("require_reset", None)
    if reset is None or reset.tag == NULL:
        return
    console = entries.get("console")
    wanted = console is None or console.value == "true"
    if wanted:
        entries["console"] = yaml.MappingNode(MAP, [(_text("require_reset", mark), reset)], mark, mark)
    elif reset.value == "true":
        reader.complain(reset, "require_reset", "is about a console password, and console says that there is none")


def _text(text: str, mark: yaml.Mark) -> yaml.ScalarNode:
    return yaml.ScalarNode(TEXT, text, mark, mark)


def _text_cell(text: str, mark: yaml.Mark, column: str, reader: NodeReader) -> yaml.Node:
    return _text(text, mark)


def _flag_cell(text: str, mark: yaml.Mark, column: str, reader: NodeReader) -> yaml.Node:
    """Take what spreadsheets make of true and false; anything else is complained about as text."""
    lower = text.casefold()
    return yaml.ScalarNode(BOOL, lower, mark, mark) if lower in ("true", "false") else _text(text, mark)


def _list_cell(text: str, mark: yaml.Mark, column: str, reader: NodeReader) -> yaml.Node:
    entries = [entry.strip() for entry in text.split(";")]
    return yaml.SequenceNode(SEQUENCE, [_text(entry, mark) for entry in entries if entry], mark, mark)


def _tags_cell(text: str, mark: yaml.Mark, column: str, reader: NodeReader) -> yaml.Node:
    pairs = []
    for entry in filter(None, (each.strip() for each in text.split(";"))):
        key, equals, value = entry.partition("=")
        if not equals:
            reader.complain_at(mark.line + 1, column, f"{entry!r} is not KEY=VALUE")
        pairs.append((_text(key.strip(), mark), _text(value.strip(), mark)))
    return yaml.MappingNode(MAP, pairs, mark, mark)


_Cell = Callable[[str, yaml.Mark, str, NodeReader], yaml.Node]

COLUMNS: dict[str, _Cell] = {
    "name": _text_cell,
    "email": _text_cell,
    "path": _text_cell,
    "groups": _list_cell,
    "policies": _list_cell,
    "boundary": _text_cell,
    "access_key": _flag_cell,
    "console": _flag_cell,
    "require_reset": _flag_cell,
    "mfa_device": _flag_cell,
    "copy_from": _text_cell,
    "self_management": _text_cell,
    "tags": _tags_cell,
}
