"""What a permissions boundary leaves of the actions that a policy document allows."""

from collections.abc import Iterator
from dataclasses import dataclass

from identity_service.domain.policy_documents import as_list, statements
from identity_service.domain.policy_patterns import VARIABLE, is_part_of, overlap


@dataclass(frozen=True)
class Kept:
    """The actions of a document, as it names them: those of which a boundary leaves something, and those it voids."""

    left: tuple[str, ...]
    voided: tuple[str, ...]


def kept_within(document: str, boundary: str) -> Kept:
    """Tell which actions of a document can be allowed within a boundary.

    No evaluation of IAM: an action is voided only if that is certain. Patterns are compared with patterns, a condition
    may hold, a policy variable fits anything, and NotAction stands for every action. What the document itself denies is
    not looked at.
    """
    limit = list(statements(boundary))
    grants = list(dict.fromkeys(_grants(document)))
    left = {action for action, resource in grants if _leaves(limit, action, resource)}
    asked = list(dict.fromkeys(action for action, _ in grants))
    return Kept(tuple(a for a in asked if a in left), tuple(a for a in asked if a not in left))


def _grants(document: str) -> Iterator[tuple[str, str]]:
    """Yield each action and resource that a document allows, as patterns."""
    for statement in statements(document):
        if statement.get("Effect") == "Allow":
            actions = ["*"] if "NotAction" in statement else as_list(statement.get("Action"))
            resources = ["*"] if "NotResource" in statement else as_list(statement.get("Resource"))
            yield from ((str(action), _open(resource)) for action in actions for resource in resources)


def _leaves(limit: list[dict[str, object]], action: str, resource: str) -> bool:
    return any(_may_allow(statement, action, resource) for statement in limit) and not any(
        _denies(statement, action, resource) for statement in limit
    )


def _may_allow(statement: dict[str, object], action: str, resource: str) -> bool:
    if statement.get("Effect") != "Allow":
        return False
    return _meets(statement, "Action", action.lower()) and _meets(statement, "Resource", resource)


def _denies(statement: dict[str, object], action: str, resource: str) -> bool:
    if statement.get("Effect") != "Deny" or statement.get("Condition"):
        return False
    return _holds(statement, "Action", action.lower()) and _holds(statement, "Resource", resource)


def _meets(statement: dict[str, object], element: str, pattern: str) -> bool:
    """Tell whether a statement can be about something that fits a pattern."""
    if f"Not{element}" in statement:
        return not any(is_part_of(pattern, each) for each in _patterns(statement, f"Not{element}"))
    return any(overlap(pattern, each) for each in _patterns(statement, element))


def _holds(statement: dict[str, object], element: str, pattern: str) -> bool:
    """Tell whether a statement is about all that fits a pattern."""
    if f"Not{element}" in statement:
        return not any(overlap(pattern, each) for each in _patterns(statement, f"Not{element}"))
    # A variable of a denial may stand for another user's name, and covers nothing for certain.
    named = [each for each in as_list(statement.get(element)) if not VARIABLE.search(str(each))]
    return any(is_part_of(pattern, _case(element, str(each))) for each in named)


def _patterns(statement: dict[str, object], element: str) -> list[str]:
    return [_case(element, _open(each)) for each in as_list(statement.get(element))]


def _case(element: str, pattern: str) -> str:
    return pattern.lower() if element.endswith("Action") else pattern


def _open(pattern: object) -> str:
    return VARIABLE.sub("*", str(pattern))
