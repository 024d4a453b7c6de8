"""The commands of docs/operations.md, as the tests read them."""

import re
import shlex

from tests.support.example_service import ROOT

PAGE = (ROOT / "docs" / "operations.md").read_text()
ROLE = "identity-service"
"""The role whose sessions the page revokes."""


def lines_of_page(section: str = "") -> list[str]:
    """List the lines to be typed, of the whole page or of the section with this heading."""
    return [line.removeprefix("$ ") for line in _lines(_section(section), "console")]


def unrun_lines(section: str = "") -> list[str]:
    """List the lines that are in no block to be typed, with the `#` that they begin with."""
    return _lines(_section(section), "(?!console)\\w+")


def _section(heading: str) -> str:
    return PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0] if heading else PAGE


def _lines(text: str, kind: str) -> list[str]:
    blocks = re.findall(rf"^ *```{kind}\n(.*?)^ *```$", text, flags=re.DOTALL | re.MULTILINE)
    return [line.strip() for block in blocks for line in block.splitlines()]


def program_of(line: str) -> str:
    """Name the program of a line, whatever variables are set before it."""
    return next(word for word in shlex.split(line, comments=True) if "=" not in word)


def commands_in_sentences() -> list[str]:
    """List what stands within sentences and is a command with something after its program."""
    text = re.sub(r"^ *```.*?^ *```$", "", PAGE, flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"`((?:kubectl|identity-service|identityctl|make|aws)\s[^`]+)`", text)
