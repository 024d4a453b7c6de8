"""Tables of what a list has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from google.protobuf.timestamp_pb2 import Timestamp
from rich.table import Table

from identity_client.cli.session import Session, printable


def show_table(session: Session, title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Show rows as a table, the first column unbroken and in a colour; say so where there are none."""
    table = Table(title=title, title_justify="left")
    for index, heading in enumerate(headings):
        table.add_column(heading, overflow="fold", no_wrap=index == 0, style="cyan" if index == 0 else None)
    for row in rows:
        table.add_row(*(printable(cell) for cell in row))
    if table.row_count:
        session.results.print(table)
    else:
        session.say("None was found.")


def day(when: Timestamp) -> str:
    """Answer the day of a moment; empty if it is not known."""
    return when.ToJsonString()[:10] if when.ByteSize() else ""


def moment(when: Timestamp) -> str:
    """Answer a moment to the minute, in UTC; empty if it is not known."""
    return when.ToJsonString()[:16].replace("T", " ") + "Z" if when.ByteSize() else ""
