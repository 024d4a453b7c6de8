"""What policies say about one action on one resource. Pure: documents and strings in, a decision out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any

Document = Mapping[str, Any]
Context = Mapping[str, Sequence[str]]
_Comparison = Callable[[str, str], bool]


class Decision(Enum):
    """The outcomes, in the words that SimulatePrincipalPolicy answers."""

    ALLOWED = "allowed"
    EXPLICIT_DENY = "explicitDeny"
    IMPLICIT_DENY = "implicitDeny"


def decide(policies: Iterable[Document], action: str, resource: str, context: Context) -> Decision:
    """One explicit Deny wins; otherwise one Allow suffices; otherwise nothing is allowed."""
    decision = Decision.IMPLICIT_DENY
    for statement in (statement for policy in policies for statement in as_list(policy.get("Statement", []))):
        if not _concerns(statement, action, resource, context):
            continue
        if statement.get("Effect") == "Deny":
            return Decision.EXPLICIT_DENY
        decision = Decision.ALLOWED
    return decision


def decide_bounded(
    policies: Iterable[Document], boundary: Document | None, action: str, resource: str, context: Context
) -> Decision:
    """A permissions boundary grants nothing; it only takes away."""
    granted = decide(policies, action, resource, context)
    if boundary is None or granted is Decision.EXPLICIT_DENY:
        return granted
    within = decide([boundary], action, resource, context)
    return granted if within is Decision.ALLOWED else within


def _concerns(statement: Mapping[str, Any], action: str, resource: str, context: Context) -> bool:
    return (
        _element_matches(statement, "Action", lambda pattern: _like(pattern.lower(), action.lower()))
        and _element_matches(statement, "Resource", lambda arn: _like(_filled(arn, context), resource))
        and _conditions_hold(statement.get("Condition", {}), context)
    )


def _element_matches(statement: Mapping[str, Any], element: str, matches: Callable[[str], bool]) -> bool:
    if f"Not{element}" in statement:
        return not any(matches(pattern) for pattern in as_list(statement[f"Not{element}"]))
    return any(matches(pattern) for pattern in as_list(statement.get(element, [])))


def _conditions_hold(conditions: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    folded = {key.lower(): values for key, values in context.items()}
    return all(
        _condition_holds(operator, as_list(expected), folded.get(key.lower()), context)
        for operator, by_key in conditions.items()
        for key, expected in by_key.items()
    )


def _condition_holds(
    operator: str,
    expected: list[Any],
    actual: Sequence[str] | None,
    context: Context,
) -> bool:
    quantifier, _, name = operator.rpartition(":")
    if name == "Null":
        return (actual is None) == (str(expected[0]).lower() == "true")
    optional = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    if not actual:
        # Negated operators and ForAllValues hold for an absent key.
        return optional or "Not" in name or quantifier == "ForAllValues"
    wanted = [_filled(str(value), context) for value in expected]
    held = [_operator_holds(name, wanted, value) for value in actual]
    return all(held) if quantifier == "ForAllValues" or "Not" in name else any(held)


def _operator_holds(name: str, wanted: list[str], actual: str) -> bool:
    negated = "Not" in name
    plain = name.replace("Not", "", 1)
    compare = _COMPARISONS.get(plain)
    if compare is None:
        return False
    return any(compare(value, actual) for value in wanted) is not negated


def _like(pattern: str, text: str) -> bool:
    return _wildcard(pattern).fullmatch(text) is not None


def _instant(text: str) -> datetime:
    return datetime.fromtimestamp(float(text), UTC) if text.isdecimal() else datetime.fromisoformat(text)


def _ordering(kind: str, read: Callable[[str], Any]) -> dict[str, _Comparison]:
    """The five comparisons of values that have an order."""
    return {
        f"{kind}Equals": lambda wanted, actual: bool(read(actual) == read(wanted)),
        f"{kind}LessThan": lambda wanted, actual: bool(read(actual) < read(wanted)),
        f"{kind}LessThanEquals": lambda wanted, actual: bool(read(actual) <= read(wanted)),
        f"{kind}GreaterThan": lambda wanted, actual: bool(read(actual) > read(wanted)),
        f"{kind}GreaterThanEquals": lambda wanted, actual: bool(read(actual) >= read(wanted)),
    }


# Every operator that a well-formed document can hold; the negated ones are these with a Not.
_COMPARISONS: dict[str, _Comparison] = {
    "StringEquals": lambda wanted, actual: wanted == actual,
    "StringEqualsIgnoreCase": lambda wanted, actual: wanted.casefold() == actual.casefold(),
    "StringLike": _like,
    "BinaryEquals": lambda wanted, actual: wanted == actual,
    "ArnEquals": _like,
    "ArnLike": _like,
    "Bool": lambda wanted, actual: wanted.lower() == actual.lower(),
    "IpAddress": lambda wanted, actual: ip_address(actual) in ip_network(wanted, strict=False),
    **_ordering("Numeric", float),
    **_ordering("Date", _instant),
}


@lru_cache(maxsize=4096)
def _wildcard(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)


def _filled(pattern: str, context: Context) -> str:
    """Replace policy variables such as ${aws:username}; one without a value matches nothing."""

    def value(variable: re.Match[str]) -> str:
        values = context.get(variable[1])
        return values[0] if values else "\0"

    return re.sub(r"\$\{([^}]+)\}", value, pattern)


def as_list(value: Any) -> list[Any]:
    """The values of a policy element, which may be written as one value or as a list."""
    return value if isinstance(value, list) else [value]
