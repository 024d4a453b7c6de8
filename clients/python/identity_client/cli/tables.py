"""Tables of what a list has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from google.protobuf.timestamp_pb2 import Timestamp
from rich.table import Table

from identity_client.cli.session import Session, printable

_PAGE = 100
_NONE = "None was found."


def show_table(session: Session, title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Show rows as a table, the first column unbroken and in a colour; say so where there are none."""
    if not _show(session, title, headings, rows):
        session.say(_NONE)


def show_pages(session: Session, title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Show rows as they come, a table for each hundred of them; say so where there are none."""
    waiting, shown = iter(rows), 0
    while count := _show(session, title, headings, islice(waiting, _PAGE)):
        shown += count
    if not shown:
        session.say(_NONE)


def _show(session: Session, title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> int:
    """Show a table if it has rows; answer how many."""
    table = Table(title=title, title_justify="left")
    for index, heading in enumerate(headings):
        table.add_column(heading, overflow="fold", no_wrap=index == 0, style="cyan" if index == 0 else None)
    for row in rows:
        table.add_row(*(printable(cell) for cell in row))
    if table.row_count:
        session.results.print(table)
    return table.row_count


def day(when: Timestamp) -> str:
    """Answer the day of a moment; empty if it is not known."""
    return when.ToJsonString()[:10] if when.ByteSize() else ""


def moment(when: Timestamp) -> str:
    """Answer a moment to the minute, in UTC; empty if it is not known."""
    return when.ToJsonString()[:16].replace("T", " ") + "Z" if when.ByteSize() else ""
