"""The Condition element of a statement: its operators, and what they make of absent and of many values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import Any

from embedded_aws.policy_patterns import Facts, arn_like, filled, like

Conditions = Mapping[str, Mapping[str, Any]]
# The value in the policy, the value in the request, and the facts that fill variables.
_Comparison = Callable[[str, str, Facts], bool]
FOR_ALL, FOR_ANY = "ForAllValues", "ForAnyValue"


def conditions_hold(conditions: Conditions, facts: Facts) -> bool:
    """Every operator must hold for every one of its keys."""
    return all(_holds(operator, key, wanted, facts) for operator, key, wanted in _each(conditions))


def keys_of(conditions: Conditions) -> set[str]:
    """The condition keys that are asked for."""
    return {key for _, key, _ in _each(conditions)}


def is_operator(operator: str) -> bool:
    """Whether there is an operator of this name."""
    quantifier, _, name = operator.rpartition(":")
    plain = name.removesuffix("IfExists").replace("Not", "", 1)
    return quantifier in {"", FOR_ALL, FOR_ANY} and (name == "Null" or plain in _COMPARISONS)


def _each(conditions: Conditions) -> Iterator[tuple[str, str, list[str]]]:
    for operator, by_key in conditions.items():
        for key, wanted in by_key.items():
            values = wanted if isinstance(wanted, list) else [wanted]
            yield operator, key, [_text(value) for value in values]


def _text(value: Any) -> str:
    """JSON's true and 5 are as good as "true" and "5"."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _holds(operator: str, key: str, wanted: list[str], facts: Facts) -> bool:
    quantifier, _, name = operator.rpartition(":")
    actual = facts.values_of(key)
    if name == "Null":
        return (actual is None) == ("true" in (text.lower() for text in wanted))
    optional, name = name.endswith("IfExists"), name.removesuffix("IfExists")
    negated, compare = "Not" in name, _COMPARISONS.get(name.replace("Not", "", 1))
    if compare is None or quantifier not in {"", FOR_ALL, FOR_ANY}:
        return False
    if actual is None:
        return optional or quantifier == FOR_ALL or (negated and quantifier != FOR_ANY)

    def one_holds(value: str) -> bool:
        matches = [_compared(compare, text, value, facts) for text in wanted]
        # What cannot be compared, such as a word with a number, satisfies neither an operator nor its opposite.
        return None not in matches and not any(matches) if negated else any(matches)

    every = quantifier == FOR_ALL or (negated and quantifier != FOR_ANY)
    return all(map(one_holds, actual)) if every else any(map(one_holds, actual))


def _compared(compare: _Comparison, wanted: str, actual: str, facts: Facts) -> bool | None:
    try:
        return compare(wanted, actual, facts)
    except (OverflowError, ValueError):
        return None


def _instant(text: str) -> datetime:
    if text.isdecimal():
        return datetime.fromtimestamp(float(text), UTC)
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _ordering(kind: str, read: Callable[[str], Any]) -> dict[str, _Comparison]:
    """The five comparisons of values that have an order."""
    return {
        f"{kind}Equals": lambda wanted, actual, _: bool(read(actual) == read(wanted)),
        f"{kind}LessThan": lambda wanted, actual, _: bool(read(actual) < read(wanted)),
        f"{kind}LessThanEquals": lambda wanted, actual, _: bool(read(actual) <= read(wanted)),
        f"{kind}GreaterThan": lambda wanted, actual, _: bool(read(actual) > read(wanted)),
        f"{kind}GreaterThanEquals": lambda wanted, actual, _: bool(read(actual) >= read(wanted)),
    }


def _equals_ignoring_case(wanted: str, actual: str, facts: Facts) -> bool:
    text = filled(wanted, facts)
    return text is not None and text.casefold() == actual.casefold()


# Every operator that a well-formed document can hold; the negated ones are these with a Not.
_COMPARISONS: dict[str, _Comparison] = {
    "StringEquals": lambda wanted, actual, facts: filled(wanted, facts) == actual,
    "StringEqualsIgnoreCase": _equals_ignoring_case,
    "StringLike": like,
    "BinaryEquals": lambda wanted, actual, _: wanted == actual,
    "ArnEquals": arn_like,
    "ArnLike": arn_like,
    "Bool": lambda wanted, actual, _: wanted.lower() == actual.lower(),
    "IpAddress": lambda wanted, actual, _: ip_address(actual) in ip_network(wanted, strict=False),
    **_ordering("Numeric", float),
    **_ordering("Date", _instant),
}
