"""Conditions of policy documents: what IAM refuses in one, and that the embedded account refuses the same."""

import json
from itertools import product

import pytest

from embedded_aws.errors import AwsError
from embedded_aws.subjects.policy_documents import check_document
from identity_service.domain.policy_conditions import OPERATORS, QUANTIFIERS, is_operator
from identity_service.domain.policy_documents import violations

WORDS = ("String", "Numeric", "Date", "Arn", "IpAddress", "Bool", "Binary", "Null")
COMPARISONS = ("", "Equals", "EqualsIgnoreCase", "Like", "LessThan", "LessThanEquals", "GreaterThan")
MADE_UP = {
    f"{before}{word}{negation}{comparison}"
    for before, word, negation, comparison in product(("", "Not"), WORDS, ("", "Not"), COMPARISONS)
}
"""Names as IAM builds its own, most of which it does not have."""


def document(condition: object) -> str:
    """Write a document whose one statement has a condition."""
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Condition": condition}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def account_takes(text: str) -> bool:
    """Ask the embedded account, which is not this service's code."""
    try:
        check_document(text)
    except AwsError:
        return False
    return True


@pytest.mark.parametrize("prefix", ["", *QUANTIFIERS, "ForSomeValues:"])
@pytest.mark.parametrize("suffix", ["", "IfExists"])
def test_service_and_account_know_the_same_operators(prefix: str, suffix: str) -> None:
    """What the account would answer MalformedPolicyDocument for, and nothing else, is found before the call."""
    for name in MADE_UP | OPERATORS | {"StringEqualz", "stringequals", ""}:
        operator = f"{prefix}{name}{suffix}"
        text = document({operator: {"aws:CurrentTime": "2026-01-31T00:00:00Z"}})
        assert account_takes(text) is is_operator(operator) is (not violations(text)), operator


@pytest.mark.parametrize(
    "condition",
    [
        {},
        {"Bool": {"aws:MultiFactorAuthPresent": True}},
        {"NumericLessThan": {"s3:max-keys": 10}},
        {"NumericLessThan": {"s3:max-keys": ["10", "20"]}},
        {"StringLike": {"s3:prefix": ["", "home/${aws:username}/*"]}},
        {"ForAnyValue:StringLikeIfExists": {"aws:TagKeys": ["a", "b"]}, "Null": {"aws:TokenIssueTime": "true"}},
        {"DateGreaterThan": {"aws:CurrentTime": "2026-01-31"}, "DateLessThan": {"aws:EpochTime": "1800000000"}},
        {"DateLessThan": {"aws:CurrentTime": "${aws:PrincipalTag/until}"}},
    ],
)
def test_a_good_condition_is_taken(condition: object) -> None:
    """What IAM takes is not refused, values of JSON's other kinds included."""
    assert violations(document(condition)) == ()


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("x", "a Condition that is not an object"),
        (["x"], "a Condition that is not an object"),
        (None, "a Condition that is not an object"),
        ({"StringEqualz": {"a": "b"}}, "StringEqualz, which is no operator of IAM"),
        ({"NullIfExists": {"a": "true"}}, "NullIfExists, which is no operator of IAM"),
        ({"StringEquals": "x"}, "whose StringEquals is not an object of condition keys"),
        ({"StringEquals": {"aws:username": {"is": "ana"}}}, "whose StringEquals wants of aws:username"),
        ({"StringEquals": {"aws:username": None}}, "whose StringEquals wants of aws:username"),
        ({"StringEquals": {"aws:username": ["ana", ["bo"]]}}, "whose StringEquals wants of aws:username"),
        ({"DateLessThan": {"aws:CurrentTime": "tomorrow"}}, "is no date"),
        ({"ForAllValues:DateEqualsIfExists": {"a": ["2026-01-31", "31.1.2026"]}}, "is no date"),
    ],
)
def test_a_bad_condition_is_refused_in_words(condition: object, words: str) -> None:
    """The person hears which statement, operator and key is meant."""
    (violation,) = violations(document(condition))
    assert violation.startswith("statement 1 of the document has a Condition ")
    assert words in violation


@pytest.mark.parametrize(
    "text", ["tomorrow", "31.1.2026", "2026-01-31", "2026-01-31T00:00:00Z", "1800000000", "99999999999999999999", ""]
)
def test_service_and_account_know_the_same_dates(text: str) -> None:
    """A date that IAM cannot read is found before the call, and one that it reads is not refused."""
    asked = document({"DateLessThan": {"aws:CurrentTime": text}})
    assert account_takes(asked) is (not violations(asked))


def test_every_bad_operator_is_named_at_once() -> None:
    """Nobody has to send a document twice to hear of two mistakes."""
    assert len(violations(document({"Equals": {"a": "b"}, "StringLike": "x", "Bool": {"a": "true"}}))) == 2
