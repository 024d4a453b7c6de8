"""Prints the figures of security, one table: `python -m tests.security`, which is `make security`.

The exit code is 1 if a figure is bad or missing. Progress goes to standard error.
"""

import sys

from tests.security.figures import PARTS, Figure


def main() -> int:
    """Collect the figures, print them and return the exit code."""
    figures = [figure for part in PARTS for figure in part()]
    print(table(figures))
    return 0 if all(figure.good for figure in figures) else 1


def table(figures: list[Figure]) -> str:
    """Write the figures in columns."""
    width = max(len(figure.name) for figure in figures)
    return "\n".join(
        f"{figure.name:<{width}}  {figure.value:<18}{'ok' if figure.good else 'BAD'}" for figure in figures
    )


if __name__ == "__main__":
    sys.exit(main())
