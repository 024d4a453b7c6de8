"""The Condition of a policy's statement: what IAM refuses in it.

Rules: AWS, "IAM JSON policy elements: Condition operators" and "Grammar of the IAM JSON policy language". Operators are
told apart by letter case. What a condition key is called, and whether its value makes sense, IAM does not look at; only
a date has to be one.
"""

from collections.abc import Iterator
from datetime import datetime

OPERATORS = frozenset(
    {
        "StringEquals",
        "StringNotEquals",
        "StringEqualsIgnoreCase",
        "StringNotEqualsIgnoreCase",
        "StringLike",
        "StringNotLike",
        "NumericEquals",
        "NumericNotEquals",
        "NumericLessThan",
        "NumericLessThanEquals",
        "NumericGreaterThan",
        "NumericGreaterThanEquals",
        "DateEquals",
        "DateNotEquals",
        "DateLessThan",
        "DateLessThanEquals",
        "DateGreaterThan",
        "DateGreaterThanEquals",
        "Bool",
        "BinaryEquals",
        "IpAddress",
        "NotIpAddress",
        "ArnEquals",
        "ArnNotEquals",
        "ArnLike",
        "ArnNotLike",
    }
)
"""Every operator that IfExists can follow; Null, which asks for that itself, is the one other."""
QUANTIFIERS = ("ForAllValues:", "ForAnyValue:")
LATEST = 2**63 - 1
"""The last second since 1970 that IAM takes for a date."""


def is_operator(operator: str) -> bool:
    """Tell whether IAM has an operator of this name."""
    name = _without_quantifier(operator)
    return name == "Null" or name.removesuffix("IfExists") in OPERATORS


def condition_violations(condition: object) -> Iterator[str]:
    """Say what IAM would refuse in a Condition, in words that follow the statement's number."""
    if not isinstance(condition, dict):
        yield "has a Condition that is not an object"
        return
    for operator, by_key in condition.items():
        if not is_operator(operator):
            yield f"has a Condition with {operator}, which is no operator of IAM"
        elif not isinstance(by_key, dict):
            yield f"has a Condition whose {operator} is not an object of condition keys"
        else:
            yield from _value_violations(operator, by_key)


def _value_violations(operator: str, by_key: dict[str, object]) -> Iterator[str]:
    for key, value in by_key.items():
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(each, str | int | float) for each in values):
            yield f"has a Condition whose {operator} wants of {key} what is neither a text nor a list of texts"
        elif _without_quantifier(operator).startswith("Date") and not all(_is_date(str(each)) for each in values):
            yield f"has a Condition whose {operator} wants of {key} what is no date, such as 2026-01-31T00:00:00Z"


def _without_quantifier(operator: str) -> str:
    for quantifier in QUANTIFIERS:
        if operator.startswith(quantifier):
            return operator.removeprefix(quantifier)
    return operator


def _is_date(text: str) -> bool:
    """Tell whether a text is a date of ISO 8601 or seconds since 1970; a policy variable may hold one."""
    if "${" in text:
        return True
    if text.isdecimal():
        return int(text) <= LATEST
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
