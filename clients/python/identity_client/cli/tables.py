"""Tables of what a list has, in which nothing is broken that somebody may want to copy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from google.protobuf.timestamp_pb2 import Timestamp
from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.segment import Segments
from rich.table import Table

from identity_client.cli.session import Session, printable

_PAGE = 100
_NONE = "None was found."
_FIRST = "cyan"
_UNBOUNDED = 1_000_000


def show_table(session: Session, title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Show rows as a table, the first column in a colour; say so where there are none."""
    found = list(rows)
    if found:
        print_rows(session.results, title, headings, found)
    else:
        session.say(_NONE)


def show_pages(session: Session, title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Show rows as they come, a table for each hundred of them; say so where there are none."""
    waiting, shown = iter(rows), 0
    while page := list(islice(waiting, _PAGE)):
        print_rows(session.results, title, headings, page)
        shown += len(page)
    if not shown:
        session.say(_NONE)


def print_rows(console: Console, title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows as a table where it fits; at a terminal that is too narrow each row as a few lines.

    No cell is folded in either form. A file or a pipe has no width, so the table fits.
    """
    cells = [[printable(cell) for cell in row] for row in rows]
    table = _table(printable(title), headings, cells)
    width = Measurement.get(console, console.options.update(max_width=_UNBOUNDED), table).maximum
    if width <= console.width:
        console.print(table)
    elif console.is_terminal:
        _print_stacked(console, printable(title), headings, cells)
    else:
        whole = console.render(table, console.options.update(width=width, max_width=width))
        console.print(Segments(whole), crop=False, no_wrap=True, overflow="ignore", end="")


def _table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(title=title, title_justify="left")
    for index, heading in enumerate(headings):
        table.add_column(heading, no_wrap=True, overflow="ignore", style=None if index else _FIRST)
    for row in rows:
        table.add_row(*row)
    return table


def _print_stacked(console: Console, title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    console.print(title, style="italic", soft_wrap=True)
    for first, *others in rows:
        console.print(first, style=_FIRST, soft_wrap=True)
        told = [f"{heading}: {cell}" for heading, cell in zip(headings[1:], others, strict=True) if cell]
        for line in _filled(told, console.width - 2):
            console.print(f"  {line}", soft_wrap=True)


def _filled(parts: Iterable[str], width: int) -> list[str]:
    """Put parts into as few lines as they fit into; one that is wider has a line of its own, unbroken."""
    lines: list[str] = []
    for part in parts:
        joined = f"{lines[-1]}  {part}" if lines else part
        if lines and cell_len(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(part)
    return lines


def day(when: Timestamp) -> str:
    """Answer the day of a moment; empty if it is not known."""
    return when.ToJsonString()[:10] if when.ByteSize() else ""


def moment(when: Timestamp) -> str:
    """Answer a moment to the minute, in UTC; empty if it is not known."""
    return when.ToJsonString()[:16].replace("T", " ") + "Z" if when.ByteSize() else ""
