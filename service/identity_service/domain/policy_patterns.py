"""Patterns of policies, whose wildcards are `*` and `?` alone."""

import functools
import re
from fnmatch import fnmatchcase

VARIABLE = re.compile(r"\$\{[^}]*\}")


def is_like(text: str, pattern: str) -> bool:
    """Tell whether a text fits a pattern."""
    return fnmatchcase(text, pattern.replace("[", "[[]"))


def is_part_of(narrow: str, wide: str) -> bool:
    """Tell whether all that fits one pattern fits another; False where that would take more than a look."""
    return is_like(narrow, wide) and ("?" not in wide or "*" not in narrow)


@functools.lru_cache(maxsize=4096)
def overlap(one: str, other: str) -> bool:
    """Tell whether some text fits two patterns."""
    if not set(one) & set("*?"):
        return is_like(one, other)
    if not set(other) & set("*?"):
        return is_like(other, one)
    seen, waiting = {(0, 0)}, [(0, 0)]
    while waiting:
        at = waiting.pop()
        if at == (len(one), len(other)):
            return True
        further = [step for step in _steps(one, other, *at) if step not in seen]
        seen.update(further)
        waiting += further
    return False


def _steps(one: str, other: str, i: int, j: int) -> list[tuple[int, int]]:
    """Return how far two patterns can be read on side by side."""
    first, second = one[i : i + 1], other[j : j + 1]
    if first == "*":
        return [(i + 1, j), *([(i, j + 1)] if second else [])]
    if second == "*":
        return [(i, j + 1), *([(i + 1, j)] if first else [])]
    fits = first and second and (first == second or "?" in (first, second))
    return [(i + 1, j + 1)] if fits else []
