"""Statements that allow every action or are about every resource."""

import json
from collections.abc import Mapping

import pytest

from identity_service.domain.policy_width import wide_statements

BUCKET = "arn:aws:s3:::acme"


def wide(*statements: Mapping[str, object]) -> list[tuple[str, bool, bool]]:
    """Return what is wide in a document of allowing statements: words, everything, open actions."""
    written = [{"Effect": "Allow", **statement} for statement in statements]
    found = wide_statements(json.dumps({"Version": "2012-10-17", "Statement": written}))
    return [(each.words, each.allows_everything, each.has_open_actions) for each in found]


@pytest.mark.parametrize(
    ("statement", "words", "everything", "is_open"),
    [
        ({"Action": "*", "Resource": "*"}, "every action on every resource", True, True),
        ({"Action": "*:*", "Resource": ["*"]}, "every action on every resource", True, True),
        ({"NotAction": ["iam:*"], "Resource": "*"}, "every action but iam:* on every resource", True, True),
        ({"Action": "*", "NotResource": BUCKET}, f"every action on every resource but {BUCKET}", True, True),
        ({"Action": "*", "Resource": BUCKET}, f"every action on {BUCKET}", False, True),
        ({"NotAction": "iam:*", "Resource": BUCKET}, f"every action but iam:* on {BUCKET}", False, True),
        ({"Action": "s3:*", "NotResource": BUCKET}, f"s3:* on every resource but {BUCKET}", False, True),
        ({"Action": "s3:*", "Resource": "*"}, "s3:* on every resource", False, True),
        ({"Action": "s3:GetObject", "Resource": "*"}, "s3:GetObject on every resource", False, False),
        (
            {"Action": ["a:A", "b:B", "c:C", "d:D", "e:E"], "Resource": "*"},
            "a:A, b:B, c:C and 2 more on every resource",
            False,
            False,
        ),
        (
            {"Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}},
            "every action on every resource under a condition",
            True,
            True,
        ),
    ],
)
def test_a_wide_statement_is_told_by_what_it_allows(
    statement: dict[str, object], words: str, everything: bool, is_open: bool
) -> None:
    """A reviewer sees which statement is meant, and everything is told from one action on everything."""
    assert wide(statement) == [(f"statement 1 allows {words}", everything, is_open)]


def test_each_statement_is_counted_and_narrow_ones_are_not_named() -> None:
    """The number is the statement's place in the document; what denies or names its resources is passed over."""
    narrow = {"Action": "s3:GetObject", "Resource": f"{BUCKET}/*"}
    denying = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    found = wide(narrow, denying, {"Action": "s3:List*", "Resource": "*"})
    assert [words for words, _, _ in found] == ["statement 3 allows s3:List* on every resource"]
