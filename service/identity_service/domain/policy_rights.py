"""What a policy document allows, denies and asks for, as far as that can be told without a request."""

import json

from identity_service.domain.policy_documents import as_list, statements
from identity_service.domain.policy_patterns import VARIABLE, is_like


def may_allow(document: str, action: str, resource: str) -> bool:
    """Tell whether a document could allow an action on a resource: some statement allows it, none denies it outright.

    Conditions may hold or not, so a statement with one allows and does not deny. A policy variable fits anything.
    """
    allowed = any(s.get("Effect") == "Allow" and _covers_on(s, action, resource) for s in statements(document))
    return allowed and not denies(document, action, resource)


def denies(document: str, action: str, resource: str) -> bool:
    """Tell whether some statement denies an action on a resource without any condition."""
    return any(
        statement.get("Effect") == "Deny" and not statement.get("Condition") and _covers_on(statement, action, resource)
        for statement in statements(document)
    )


def _covers_on(statement: dict[str, object], action: str, resource: str) -> bool:
    if not covers(statement, action):
        return False
    if "NotResource" in statement:
        return not _fits(statement["NotResource"], resource)
    return _fits(statement.get("Resource"), resource)


def _fits(patterns: object, resource: str) -> bool:
    return any(is_like(resource, VARIABLE.sub("*", str(pattern))) for pattern in as_list(patterns))


def covers(statement: dict[str, object], action: str) -> bool:
    """Tell whether a statement is about an action, whatever it says of it; letter case does not count."""
    if "NotAction" in statement:
        return not _matches(statement["NotAction"], action)
    return _matches(statement.get("Action"), action)


def _matches(patterns: object, action: str) -> bool:
    return any(is_like(action.lower(), str(pattern).lower()) for pattern in as_list(patterns))


def denies_without_mfa(document: str, action: str) -> bool:
    """Tell whether some statement denies an action to a session without MFA; other conditions are not looked at."""
    return any(
        statement.get("Effect") == "Deny" and covers(statement, action) and _asks_for_mfa(statement.get("Condition"))
        for statement in statements(document)
    )


def _asks_for_mfa(condition: object) -> bool:
    return "aws:multifactorauthpresent" in json.dumps(condition).lower()
