"""What a document allows and denies."""

import json

import pytest

from identity_service.domain.policy_rights import may_allow

ANA = "arn:aws:iam::123456789012:user/people/ana"


def document(*statements: object) -> str:
    """Write a document with the current version."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ({"Action": "iam:ChangePassword"}, True),
        ({"Action": "IAM:changepassword"}, True),
        ({"Action": ["s3:*", "iam:Change*"]}, True),
        ({"Action": "*"}, True),
        ({"NotAction": "s3:*"}, True),
        ({"NotAction": "iam:*"}, False),
        ({"Action": "s3:*"}, False),
        ({"Action": "iam:ChangePassword", "Effect": "Deny"}, False),
        ({"Action": "*", "Resource": "arn:aws:iam::*:user/people/*"}, True),
        ({"Action": "*", "Resource": "arn:aws:iam::*:user/*/${aws:username}"}, True),
        ({"Action": "*", "Resource": "arn:aws:iam::*:user/staff/*"}, False),
        ({"Action": "*", "NotResource": "arn:aws:iam::*:user/people/*"}, False),
    ],
)
def test_an_action_that_no_statement_allows_is_seen(statement: dict[str, object], allowed: bool) -> None:
    """A boundary that leaves no way to change the password is recognised."""
    text = document({"Effect": "Allow", "Resource": "*", **statement})
    assert may_allow(text, "iam:ChangePassword", ANA) is allowed


def test_a_denial_without_condition_outweighs_what_is_allowed() -> None:
    """A boundary that allows everything and denies the password change does not allow it."""
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    outright = {"Effect": "Deny", "Action": "iam:ChangePassword", "Resource": "*"}
    perhaps = {**outright, "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "false"}}}
    assert not may_allow(document(everything, outright), "iam:ChangePassword", ANA)
    assert may_allow(document(everything, perhaps), "iam:ChangePassword", ANA)


def test_brackets_are_ordinary_characters() -> None:
    """IAM knows the wildcards * and ? alone."""
    everything = {"Effect": "Allow", "Action": "*", "Resource": "arn:aws:iam::*:user/[a-z]*"}
    assert not may_allow(document(everything), "iam:ChangePassword", "arn:aws:iam::123456789012:user/ana")
