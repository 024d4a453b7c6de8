"""What in a policy document is about a user as it was, and will not be about it any more."""

import json

import pytest

from identity_service.domain.planning.user_mentions import Designation, stale_places

USERS = "arn:aws:iam::123456789012:user"
ANA = Designation("ana", f"{USERS}/ana")
RENAMED = Designation("bo", f"{USERS}/bo")
MOVED = Designation("ana", f"{USERS}/people/ana")


def statement(**parts: object) -> str:
    """Write a document of one statement."""
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:GetUser", **parts}]})


@pytest.mark.parametrize(
    ("resource", "after_rename", "after_move"),
    [
        (f"{USERS}/ana", True, True),
        (f"{USERS}/a*", True, True),
        (f"{USERS}/an?", True, True),
        (f"{USERS}/*", False, False),
        ("*", False, False),
        ("arn:aws:iam::*:user/*", False, False),
        (f"{USERS}/bo", False, False),
        (f"{USERS}/people/*", False, False),
        (f"{USERS}/${{aws:username}}", False, True),
        (f"{USERS}/*/${{AWS:UserName}}", False, False),
        ("arn:aws:s3:::home/ana/*", True, False),
        ("arn:aws:s3:::home/ANA/*", True, False),
        ("arn:aws:s3:::home/anabel/*", False, False),
        ("arn:aws:s3:::home/${aws:username}/*", False, False),
        ("arn:aws:s3:::home/[ana]/*", True, False),
        ("arn:aws:ana:eu-west-1:123456789012:thing/x", False, False),
    ],
)
def test_a_resource_is_stale_if_it_was_about_the_old_name_or_arn(
    resource: str, after_rename: bool, after_move: bool
) -> None:
    """Patterns that still fit are left out, and so are other names; `${aws:username}` moves with the name alone."""
    for element in ("Resource", "NotResource"):
        for value in (resource, ["arn:aws:s3:::other", resource]):
            document = statement(**{element: value})
            place = (f"{element} of statement 1",)
            assert stale_places(document, ANA, RENAMED) == (place if after_rename else ())
            assert stale_places(document, ANA, MOVED) == (place if after_move else ())


@pytest.mark.parametrize(
    ("condition", "stale"),
    [
        ({"ArnEquals": {"aws:PrincipalArn": ANA.arn}}, True),
        ({"StringLike": {"s3:prefix": ["public/*", "home/ana/*"]}}, True),
        ({"StringEquals": {"aws:username": "ana"}}, True),
        ({"StringEquals": {"iam:ResourceTag/ana": "yes"}}, False),
        ({"Bool": {"aws:MultiFactorAuthPresent": True}}, False),
    ],
)
def test_a_condition_is_looked_at(condition: dict[str, object], stale: bool) -> None:
    """Values count, whatever the operator; keys are not about anybody."""
    found = stale_places(statement(Resource="*", Condition=condition), ANA, RENAMED)
    assert found == (("Condition of statement 1",) if stale else ())


def test_every_place_is_named() -> None:
    """The reader hears which statements to look at, and not of those that are all right."""
    document = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
                {"Effect": "Deny", "Action": "s3:*", "Resource": ANA.arn},
                {"Effect": "Allow", "Action": "s3:*", "NotResource": ANA.arn, "Condition": {"ArnLike": {"k": ANA.arn}}},
            ],
        }
    )
    assert stale_places(document, ANA, RENAMED) == (
        "Resource of statement 2",
        "NotResource of statement 3",
        "Condition of statement 3",
    )


def test_another_letter_case_is_another_arn() -> None:
    """IAM compares the ARNs of policies letter by letter, so a change of case is a rename like any other."""
    assert stale_places(statement(Resource=ANA.arn), ANA, Designation("Ana", f"{USERS}/Ana"))
    assert not stale_places(statement(Resource=f"{USERS}/Ana"), ANA, Designation("Ana", f"{USERS}/Ana"))


@pytest.mark.parametrize("document", ["{", "[]", '{"Statement": ["x"]}', '{"Statement": null}', "[" * 100_000])
def test_what_is_no_policy_says_nothing(document: str) -> None:
    """A document that cannot be read does not stop a rename."""
    assert stale_places(document, ANA, RENAMED) == ()


def test_a_single_statement_needs_no_list() -> None:
    """IAM takes one statement without brackets."""
    assert stale_places(json.dumps({"Statement": {"Resource": ANA.arn}}), ANA, RENAMED) == ("Resource of statement 1",)
