"""Policy documents: what IAM refuses is refused before the call."""

import json

import pytest

from identity_service.domain.policy_documents import (
    allows_every_action_or_resource,
    may_allow,
    size,
    violations,
)

ANA = "arn:aws:iam::123456789012:user/people/ana"
STATEMENT = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/*"}


def document(*statements: object, **more: object) -> str:
    """Write a document with the current version."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements), **more})


@pytest.mark.parametrize(
    "good",
    [
        document(STATEMENT),
        json.dumps({"Version": "2012-10-17", "Statement": STATEMENT}),
        document(STATEMENT | {"Sid": "Read1"}, STATEMENT | {"Sid": "Read2"}),
        document({"Effect": "Deny", "NotAction": ["iam:*"], "Resource": "*"}),
        document({"Effect": "Allow", "Action": "*", "NotResource": ["arn:aws:iam::123456789012:user/a"]}),
        document(STATEMENT | {"Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}),
        document(STATEMENT | {"Resource": "arn:aws-cn:s3:::bucket"}),
        document(STATEMENT | {"Resource": "arn:${aws:Partition}:s3:::bucket"}),
    ],
)
def test_a_good_document_has_no_violation(good: str) -> None:
    """What IAM takes is not refused."""
    assert violations(good) == ()


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "{",
        "[]",
        '"text"',
        "[" * 100_000,
        json.dumps({"Statement": [STATEMENT]}),
        json.dumps({"Version": "2020-01-01", "Statement": [STATEMENT]}),
        json.dumps({"Version": "2012-10-17"}),
        document(),
        document("text"),
        document({"Effect": "Allow", "Resource": "*"}),
        document({"Effect": "Allow", "Action": "s3:Get"}),
        document(STATEMENT | {"NotAction": "s3:PutObject"}),
        document(STATEMENT | {"Effect": "allow"}),
        document(STATEMENT | {"Action": "invalid"}),
        document(STATEMENT | {"Action": []}),
        document(STATEMENT | {"Action": 5}),
        document(STATEMENT | {"Resource": "bucket"}),
        document(STATEMENT | {"Resource": "arn:error:s3:::b"}),
        document(STATEMENT | {"Resource": "arn:aws:iam:us-east-1::x"}),
        document(STATEMENT | {"Principal": "*"}),
        document(STATEMENT | {"Condition": "x"}),
        document(STATEMENT | {"Sid": "with space"}),
        document(STATEMENT | {"Sid": "Same"}, STATEMENT | {"Sid": "Same"}),
        document(STATEMENT, Statements=[]),
        '{"Version": "2012-10-17", "Version": "2012-10-17", "Statement": []}',
    ],
)
def test_a_bad_document_is_refused(bad: str) -> None:
    """What IAM answers with MalformedPolicyDocument is found before the call."""
    assert violations(bad)


def test_white_space_does_not_count() -> None:
    """The size that quotas limit is the same however a document is indented."""
    loose = json.dumps(json.loads(document(STATEMENT)), indent=8)
    assert size(loose) == size(document(STATEMENT)) == len(document(STATEMENT).replace(" ", ""))


def test_wildcards_are_seen_in_allowing_statements_only() -> None:
    """Allowing everything is worth a warning, denying everything is not."""
    assert allows_every_action_or_resource(document(STATEMENT | {"Resource": "*"}))
    assert allows_every_action_or_resource(document(STATEMENT | {"Action": ["s3:Get*", "*"]}))
    assert not allows_every_action_or_resource(document(STATEMENT, STATEMENT | {"Effect": "Deny", "Action": "*"}))


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
