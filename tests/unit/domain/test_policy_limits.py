"""What a boundary leaves of a document."""

import json
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity_service.domain.policy_limits import kept_within
from identity_service.domain.policy_patterns import overlap

ANA = "arn:aws:iam::123456789012:user/people/ana"


def document(*statements: dict[str, object]) -> str:
    """Write a document of statements, allowing and on everything unless they say otherwise."""
    defaults: dict[str, object] = {"Effect": "Allow", "Resource": "*"}
    written = [{**defaults, **statement} for statement in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": written})


def voided(granted: dict[str, object], *boundary: dict[str, object]) -> bool:
    """Tell whether a boundary leaves nothing of a statement."""
    return not kept_within(document(granted), document(*boundary)).left


@pytest.mark.parametrize(
    ("granted", "boundary", "expected"),
    [
        ("s3:GetObject", "s3:*", False),
        ("s3:GetObject", "S3:getobject", False),
        ("s3:GetObject", "iam:*", True),
        ("s3:*", "s3:GetObject", False),
        ("s3:Put*", "s3:Get*", True),
        ("iam:*AccessKey*", "iam:Get*", False),
        ("iam:Create*", "iam:*User", False),
        ("iam:Create?ser", "iam:*User", False),
        ("iam:Create?", "iam:*User", True),
        ("*", "s3:GetObject", False),
    ],
)
def test_an_action_is_voided_if_no_action_of_the_boundary_fits(granted: str, boundary: str, expected: bool) -> None:
    """Patterns are held against patterns: where some action fits both, something is left."""
    assert voided({"Action": granted}, {"Action": boundary}) is expected


@pytest.mark.parametrize(
    ("granted", "boundary", "expected"),
    [
        ("arn:aws:s3:::acme/*", "arn:aws:s3:::acme/home/*", False),
        ("arn:aws:s3:::acme/*", "arn:aws:s3:::other/*", True),
        ("arn:aws:s3:::acme/${aws:username}", "arn:aws:s3:::acme/ana", False),
        ("*", "arn:aws:s3:::acme", False),
    ],
)
def test_a_resource_outside_the_boundary_voids_the_action(granted: str, boundary: str, expected: bool) -> None:
    """An action that the boundary allows elsewhere alone is not left."""
    assert voided({"Action": "s3:*", "Resource": granted}, {"Action": "s3:*", "Resource": boundary}) is expected


@pytest.mark.parametrize(
    ("boundary", "expected"),
    [
        (({"NotAction": "s3:*", "Action": None},), True),
        (({"NotAction": "s3:PutObject", "Action": None},), False),
        (({"Action": "*"}, {"Effect": "Deny", "Action": "s3:*"}), True),
        (({"Action": "*"}, {"Effect": "Deny", "Action": "s3:GetObject"}), False),
        (({"Action": "*"}, {"Effect": "Deny", "Action": "*", "Condition": {"Null": {"aws:userid": "true"}}}), False),
        (({"Action": "*"}, {"Effect": "Deny", "Action": "*", "Resource": "arn:aws:s3:::${aws:username}"}), False),
        (({"Action": "*"}, {"Effect": "Deny", "NotAction": "iam:*", "Action": None}), True),
        (({"Action": "*", "Condition": {"Null": {"aws:userid": "true"}}},), False),
        ((), True),
    ],
)
def test_denials_and_exceptions_of_the_boundary_count(boundary: tuple[dict[str, object], ...], expected: bool) -> None:
    """Only what is certain voids: a condition or a variable may or may not hold."""
    written = tuple({key: value for key, value in each.items() if value is not None} for each in boundary)
    assert voided({"Action": "s3:*"}, *written) is expected


def test_what_is_left_and_what_is_not_are_told_apart() -> None:
    """Each action is named once, as the document writes it; one that is left somewhere is left."""
    text = document(
        {"Action": ["s3:GetObject", "ec2:RunInstances"]},
        {"Action": ["s3:GetObject"], "Resource": "arn:aws:s3:::acme/*"},
        {"Effect": "Deny", "Action": "sqs:*"},
    )
    kept = kept_within(text, document({"Action": "s3:*", "Resource": "arn:aws:s3:::acme/*"}))
    assert (kept.left, kept.voided) == (("s3:GetObject",), ("ec2:RunInstances",))


PATTERNS = st.text("ab*?", max_size=6)


@given(PATTERNS, PATTERNS, st.text("ab", max_size=6))
def test_patterns_that_a_text_fits_overlap(one: str, other: str, text: str) -> None:
    """Whatever fits both patterns proves that they overlap, whichever is named first."""
    if fnmatchcase(text, one) and fnmatchcase(text, other):
        assert overlap(one, other)
    assert overlap(one, other) == overlap(other, one)


@given(PATTERNS, PATTERNS)
def test_patterns_that_overlap_have_a_text(one: str, other: str) -> None:
    """Two patterns overlap only if some text fits both: none longer than both together is needed."""
    texts = {""}
    for _ in range(len(one) + len(other)):
        texts |= {text + letter for text in texts for letter in "ab" if len(text) < 7}
    assert overlap(one, other) == any(fnmatchcase(text, one) and fnmatchcase(text, other) for text in texts)
