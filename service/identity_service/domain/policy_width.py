"""Statements of a policy document that allow every action or are about every resource."""

from collections.abc import Iterator
from dataclasses import dataclass

from identity_service.domain.policy_documents import as_list, statements

EVERY_ACTION = {"*", "*:*"}
MOST_NAMED = 3
"""How many actions or resources a warning names."""


@dataclass(frozen=True)
class WideStatement:
    """A statement that is wide, in words.

    `allows_everything` tells that it allows every action, or all but a few, on every resource, or all but a few;
    `has_open_actions` that its actions are a pattern, such as `s3:*`, and not named one by one.
    """

    words: str
    allows_everything: bool
    has_open_actions: bool


def wide_statements(document: str) -> Iterator[WideStatement]:
    """Yield the wide statements of a document; those that deny are not looked at."""
    for number, statement in enumerate(statements(document), 1):
        every_action, every_resource = _is_about_all_actions(statement), _is_about_all_resources(statement)
        if statement.get("Effect") == "Allow" and (every_action or every_resource):
            condition = " under a condition" if statement.get("Condition") else ""
            yield WideStatement(
                f"statement {number} allows {_actions(statement)} on {_resources(statement)}{condition}",
                every_action and every_resource,
                every_action or any("*" in str(action) for action in as_list(statement.get("Action"))),
            )


def _is_about_all_actions(statement: dict[str, object]) -> bool:
    return "NotAction" in statement or any(action in EVERY_ACTION for action in as_list(statement.get("Action")))


def _is_about_all_resources(statement: dict[str, object]) -> bool:
    return "NotResource" in statement or "*" in as_list(statement.get("Resource"))


def _actions(statement: dict[str, object]) -> str:
    if "NotAction" in statement:
        return f"every action but {_few(statement['NotAction'])}"
    return "every action" if _is_about_all_actions(statement) else _few(statement.get("Action"))


def _resources(statement: dict[str, object]) -> str:
    if "NotResource" in statement:
        return f"every resource but {_few(statement['NotResource'])}"
    return "every resource" if _is_about_all_resources(statement) else _few(statement.get("Resource"))


def _few(values: object) -> str:
    named = [str(value) for value in as_list(values)]
    more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
    return ", ".join(named[:MOST_NAMED]) + more
