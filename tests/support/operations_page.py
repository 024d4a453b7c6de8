"""The commands of docs/operations.md, as the tests read them."""

import re
import shlex

from tests.support.example_service import ROOT

PAGE = (ROOT / "docs" / "operations.md").read_text()
ROLE = "identity-service"
"""The role whose sessions the page revokes."""


def lines_of_page() -> list[str]:
    """List the lines to be typed."""
    blocks = re.findall(r"^ *```console\n(.*?)^ *```$", PAGE, flags=re.DOTALL | re.MULTILINE)
    return [line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines()]


def program_of(line: str) -> str:
    """Name the program of a line, whatever variables are set before it."""
    return next(word for word in shlex.split(line, comments=True) if "=" not in word)


def commands_in_sentences() -> list[str]:
    """List what stands within sentences and is a command with something after its program."""
    text = re.sub(r"^ *```.*?^ *```$", "", PAGE, flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"`((?:kubectl|identity-service|identityctl|make|aws)\s[^`]+)`", text)
