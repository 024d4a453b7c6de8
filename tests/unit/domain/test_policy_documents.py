"""Policy documents: what IAM refuses is refused before the call."""

import json

import pytest

from identity_service.domain.policy_documents import same_document, size, violations

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
        r'{"Version":"2012-10-17","\ud800":1,"Statement":[]}',
        r'{"Version":"2012-10-17","\ud800":1,"\ud800":2}',
        document(STATEMENT | {"\ud800": 1}),
    ],
)
def test_half_a_surrogate_pair_can_be_told(bad: str) -> None:
    """What is said of a document goes into messages, rows and logs in UTF-8, which cannot hold every JSON string."""
    assert "\\ud800" in " ".join(violations(bad)).encode("utf-8").decode("utf-8")


def test_what_is_nested_too_deeply_is_the_same_as_nothing() -> None:
    """A document that cannot be read is refused elsewhere, and is no fault where it is compared."""
    assert not same_document(document(STATEMENT), "[" * 100_000)


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
