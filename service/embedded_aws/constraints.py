"""The constraints that the service model itself states: required, lengths, ranges, patterns, enumerations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from botocore.model import ListShape, Shape, StructureShape

from embedded_aws.errors import AwsError, validation_error
from embedded_aws.query_protocol import Call
from embedded_aws.service_models import operation_model

_NAME_PATTERN = r"[\w+=,.@-]+"
# Separators of Unicode's category Z, which Python's re has no class for.
_SEPARATORS = " \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
# AWS answers these two in words of their own instead of quoting the pattern.
_WORDED = {
    _NAME_PATTERN: "It must contain only alphanumeric characters and/or the following: +=,.@_-",
    r"(\u002F)|(\u002F[\u0021-\u007E]+\u002F)": (
        "It must begin and end with / and contain only alphanumeric characters and/or / characters."
    ),
}


def check_constraints(call: Call) -> None:
    """Refuse a call whose parameters break the model of its operation."""
    model = operation_model(call.service, call.operation)
    if model is None or model.input_shape is None:
        return
    violations = list(_violations(model.input_shape, call.params, ""))
    worded = [text for text in violations if text.startswith("The specified value")]
    if worded and len(worded) == len(violations):
        raise AwsError("ValidationError", worded[0])
    if violations:
        raise validation_error(*violations)


def _violations(shape: Shape, value: Any, path: str) -> Iterator[str]:
    if isinstance(shape, StructureShape):
        yield from _structure_violations(shape, value, path)
    elif isinstance(shape, ListShape):
        yield from _bounds(shape, len(value), path, "length")
        for index, item in enumerate(value, start=1):
            yield from _violations(shape.member, item, f"{path}.{index}.member")
    elif isinstance(value, bool):
        return
    elif isinstance(value, int):
        yield from _bounds(shape, value, path, "value")
    elif isinstance(value, str):
        yield from _string_violations(shape, value, path)


def _structure_violations(shape: StructureShape, value: dict[str, Any], path: str) -> Iterator[str]:
    for name in shape.required_members:
        if name not in value:
            yield f"Value null at '{_path(path, name)}' failed to satisfy constraint: Member must not be null"
    for name, item in value.items():
        yield from _violations(shape.members[name], item, _path(path, name))


def _string_violations(shape: Shape, value: str, path: str) -> Iterator[str]:
    yield from _bounds(shape, len(value), path, "length")
    allowed = getattr(shape, "enum", [])
    if allowed and value not in allowed:
        yield (
            f"Value at '{path}' failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{', '.join(allowed)}]"
        )
    pattern = shape.metadata.get("pattern")
    if pattern and value and not _compiled(pattern).fullmatch(value):
        yield _pattern_violation(pattern, path)


def _pattern_violation(pattern: str, path: str) -> str:
    if pattern in _WORDED:
        return f"The specified value for {path} is invalid. {_WORDED[pattern]}"
    constraint = f"Member must satisfy regular expression pattern: {pattern}"
    return f"Value at '{path}' failed to satisfy constraint: {constraint}"


def _bounds(shape: Shape, measured: int, path: str, what: str) -> Iterator[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    prefix = f"Value at '{path}' failed to satisfy constraint: Member must have {what}"
    if low is not None and measured < low:
        yield f"{prefix} greater than or equal to {low}"
    if high is not None and measured > high:
        yield f"{prefix} less than or equal to {high}"


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    if r"\p{" not in pattern:
        return re.compile(pattern, re.ASCII)
    letters_and_digits = pattern.replace(r"\p{L}", r"\w").replace(r"\p{N}", "")
    return re.compile(letters_and_digits.replace(r"\p{Z}", _SEPARATORS))


def _path(path: str, name: str) -> str:
    first_lower = name[0].lower() + name[1:]
    return f"{path}.{first_lower}" if path else first_lower
