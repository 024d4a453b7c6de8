"""How `make security` reads what its parts say: a bad or missing figure is never a good one."""

from types import SimpleNamespace

import pytest

from tests.security.__main__ import table
from tests.security.figures import Figure, guards_of, missing, read_cells, read_report

REPORT = """<testsuites><testsuite>
<testcase name="a[x]"/><testcase name="b"><failure/></testcase>
<testcase name="c"><skipped/></testcase><testcase name="d"><error/></testcase>
</testsuite></testsuites>"""


@pytest.mark.parametrize(
    ("output", "value", "good"),
    [
        ("cells=120000 mismatches=0 allowed=9 seconds=40", "120000 / 0", True),
        ("cells=120000 mismatches=1", "120000 / 1", False),
        ("cells=99999 mismatches=0", "99999 / 0", False),
        ("Traceback", "MISSING: no figures were printed", False),
    ],
)
def test_cells_are_good_only_if_they_are_enough_and_agree(output: str, value: str, good: bool) -> None:
    """Too few cells, a mismatch and no figures at all are bad."""
    assert read_cells("cells", output) == Figure("cells", value, good)


def test_a_case_counts_only_if_it_was_tried_and_passed() -> None:
    """What failed or was skipped is not refused."""
    tests = read_report(REPORT)
    assert (tests.passed, tests.failed) == (("a[x]",), ("b", "c", "d"))


def test_a_way_is_counted_for_each_of_its_guards() -> None:
    """The service's guards, or the one statement of the role's policy, which may be that nothing allows the action."""
    assert guards_of(SimpleNamespace(guards=("owner", "plan"))) == ("the service: owner", "the service: plan")
    assert guards_of(SimpleNamespace(guard="NeverEscalate")) == ("the role's policy: NeverEscalate",)
    assert guards_of(SimpleNamespace(guard="")) == ("the role's policy: nothing allows it",)


def test_the_table_shows_what_is_bad() -> None:
    """Each figure is a line, and a missing one says what is missing."""
    lines = table([Figure("kinds", "60 / 60", good=True), missing("cells", "cells.py")]).splitlines()
    assert [line.split()[-1] for line in lines] == ["ok", "BAD"]
    assert "MISSING: cells.py" in lines[1]
