"""Cells that no spreadsheet takes for a formula, and the way back to what they hold.

As OWASP advises ("CSV Injection"; ASVS 5.0, 1.2.10), a text that begins like a formula is written with an apostrophe
before it. A secret is no exception: whoever made it may not run anything on the reader's machine. The other forms
that are in use help less: `="..."` is a formula itself, and a tab in front is a start of one to some spreadsheets.

The apostrophe can be taken off again without a doubt, since a text that looks as if it had been put there already
gets one more.
"""

from __future__ import annotations

# The wide forms begin a formula where a spreadsheet is set to Japanese or Chinese.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_APOSTROPHE = "'"


def escape_cell(text: str) -> str:
    """Answer the text as a cell may hold it: with an apostrophe before what a spreadsheet could run."""
    return f"{_APOSTROPHE}{text}" if _begins_a_formula(text.lstrip(_APOSTROPHE)) else text


def unescape_cell(cell: str) -> str:
    """Answer the text that a cell stands for; the exact opposite of `escape_cell`."""
    escaped = cell.startswith(_APOSTROPHE) and _begins_a_formula(cell.lstrip(_APOSTROPHE))
    return cell.removeprefix(_APOSTROPHE) if escaped else cell


def _begins_a_formula(text: str) -> bool:
    return text.startswith(_FORMULA_STARTS)
