"""Tables: nothing that somebody may want to copy is broken, however narrow the terminal."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pytest
from rich.console import Console

from identity_client.cli.tables import print_rows

HEADINGS = ("Policy", "ARN", "Version", "Attached", "As boundary", "Changed")
NAMES = (
    "AmazonSageMakerFullAccess",
    "AmazonSageMakerHyperPodObservabilityAdminAccess",
    "AmazonSageMakerServiceCatalogProductsCloudformationServiceRolePolicy",
)
ROWS = [(name, f"arn:aws:iam::aws:policy/service-role/{name}", "v12", "0", "3", "2026-01-01") for name in NAMES]


def printed(width: int, *, terminal: bool, rows: Sequence[Sequence[str]]) -> list[str]:
    """Answer the lines that a terminal or a pipe gets."""
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=terminal, color_system=None, markup=False, highlight=False)
    print_rows(console, "Policies", HEADINGS, rows)
    return file.getvalue().splitlines()


@pytest.mark.parametrize(("width", "terminal"), [(80, True), (40, True), (80, False), (160, False), (300, True)])
def test_every_cell_is_whole_and_in_one_line(width: int, terminal: bool) -> None:
    """AWS's own names and ARNs can be searched and copied at 80 columns, and out of a file."""
    lines = printed(width, terminal=terminal, rows=ROWS)
    for row in ROWS:
        for cell in row:
            assert any(cell in line for line in lines), cell


def test_a_narrow_terminal_has_a_few_lines_for_each_row() -> None:
    """Each cell has its heading, short ones share a line within the width, and an empty one is left out."""
    lines = printed(80, terminal=True, rows=[("Deploy", f"arn:aws:iam::aws:policy/{'x' * 80}", "v1", "2", "", "")])
    assert lines == [
        "Policies",
        "Deploy",
        f"  ARN: arn:aws:iam::aws:policy/{'x' * 80}",
        "  Version: v1  Attached: 2",
    ]
    shared = [line for line in printed(50, terminal=True, rows=ROWS) if "arn:" not in line and line[:1] == " "]
    assert shared
    assert max(map(len, shared)) <= 50


def test_a_table_stays_one_where_it_fits() -> None:
    """A row is a line, at a terminal that is wide enough and in every file."""
    for width, terminal in ((300, True), (80, False)):
        lines = printed(width, terminal=terminal, rows=ROWS)
        assert [NAMES[0] in line and "2026-01-01" in line for line in lines].count(True) == 1
        assert len({len(line.rstrip()) for line in lines[1:]}) == 1


def test_control_characters_do_not_steer_the_terminal() -> None:
    """Whoever named a thing cannot write to the screen of who lists it."""
    for terminal in (True, False):
        text = "\n".join(printed(60, terminal=terminal, rows=[("a\x1b[2J", "\x07", "", "", "", "")]))
        assert ("\x1b" in text, "\x07" in text) == (False, False)
