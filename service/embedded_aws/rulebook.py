"""Where the subjects enter their rules and answers.

A rule refuses a call by raising AwsError. An answer carries an operation out in place of moto. Both run
with the account's lock held, and a rule changes nothing; so a refused call leaves the account as it was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from embedded_aws.account import Account
from embedded_aws.query_protocol import Call

Rule = Callable[[Account, Call], None]
Result = dict[str, Any]
Answer = Callable[[Account, Call], Result | None]

_rules: dict[str, list[Rule]] = defaultdict(list)
_answers: dict[str, Answer] = {}


def rule(*operations: str) -> Callable[[Rule], Rule]:
    """Enter a rule for these operations."""

    def enter(function: Rule) -> Rule:
        for operation in operations:
            _rules[operation].append(function)
        return function

    return enter


def answers(operation: str) -> Callable[[Answer], Answer]:
    """Enter the one answer to this operation."""

    def enter(function: Answer) -> Answer:
        if operation in _answers:
            raise ValueError(f"two answers to {operation}")
        _answers[operation] = function
        return function

    return enter


def rules_for(operation: str) -> list[Rule]:
    """The rules of an operation, in the order in which they were entered."""
    return _rules.get(operation, [])


def answer_to(operation: str) -> Answer | None:
    """Our own answer to an operation, or None where moto's will do."""
    return _answers.get(operation)
