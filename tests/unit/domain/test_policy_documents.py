"""Policy documents: what IAM refuses is refused before the call."""

import json

import pytest

from identity_service.domain.policy_documents import (
    ESCALATING_ACTIONS,
    allows_every_action,
    allows_every_action_or_resource,
    escalating_actions,
    may_allow,
    same_document,
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


USERS = "arn:aws:iam::123456789012:user/"
ALL_USERS = {
    "iam:AttachUserPolicy",
    "iam:CreateAccessKey",
    "iam:CreateLoginProfile",
    "iam:DeleteUserPermissionsBoundary",
    "iam:PutUserPermissionsBoundary",
    "iam:PutUserPolicy",
    "iam:UpdateLoginProfile",
}
ALL = set(ESCALATING_ACTIONS)


def escalations(**statement: object) -> set[str]:
    """Return what a document of one allowing statement, on everything unless it says otherwise, leads to."""
    everywhere = {} if "NotResource" in statement else {"Resource": "*"}
    return set(escalating_actions(document({"Effect": "Allow", **everywhere, **statement})))


@pytest.mark.parametrize(
    "wide",
    [
        "*",
        "arn:*",
        "arn:aws-us-gov:iam::*",
        "arn:aws:iam::123456789012:*",
        "arn:aws:iam::*:user/*",
        "arn:aws:iam::123456789012:user/*",
        "arn:*:iam::*:us*",
        "arn:aws:iam::*:user/*/*",
        "arn:aws:i?m::*:user*",
        "arn:${aws:Partition}:iam::${aws:PrincipalAccount}:user/*",
        ["arn:aws:s3:::acme", "arn:aws:iam::*:user/*"],
    ],
)
def test_rights_over_any_user_escalate(wide: object) -> None:
    """A key for any user is more rights, whether it is written as everything or as a pattern of an ARN."""
    assert escalations(Action="iam:CreateAccessKey", Resource=wide) == {"iam:CreateAccessKey"}


@pytest.mark.parametrize(
    "narrow",
    [
        f"{USERS}ana",
        f"{USERS}ci/*",
        f"{USERS}ci-*",
        f"{USERS}${{aws:username}}",
        f"{USERS}*/${{aws:username}}",
        f"{USERS}${{aws:PrincipalTag/team}}/*",
        "arn:aws:iam::123456789012:role/*",
        "arn:aws:iam::123456789012:mfa/*",
        "arn:aws:s3:::*",
        "arn:aws:s3:*",
        [],
    ],
)
def test_rights_over_certain_users_do_not_escalate(narrow: object) -> None:
    """A name, a path, the own user or another kind of resource is a limit that somebody chose."""
    assert escalations(Action="iam:CreateAccessKey", Resource=narrow) == set()


@pytest.mark.parametrize("own", [f"{USERS}${{aws:username}}", f"{USERS}*/${{AWS:UserName}}"])
def test_rights_over_the_own_permissions_escalate(own: str) -> None:
    """Who may attach policies to the own user has every right; who may make own keys has none more."""
    assert escalations(Action="iam:*", Resource=own) == {
        "iam:AttachUserPolicy",
        "iam:DeleteUserPermissionsBoundary",
        "iam:PutUserPermissionsBoundary",
        "iam:PutUserPolicy",
    }


@pytest.mark.parametrize(
    ("actions", "found"),
    [
        ({"Action": "*"}, ALL),
        ({"Action": "iam:*"}, ALL),
        ({"Action": "IAM:attach*"}, {"iam:AttachGroupPolicy", "iam:AttachRolePolicy", "iam:AttachUserPolicy"}),
        ({"Action": ["iam:Get*", "iam:PassRol?"]}, {"iam:PassRole"}),
        ({"NotAction": "s3:*"}, ALL),
        ({"NotAction": ["iam:*", "organizations:*"]}, set()),
        (
            {"NotAction": ["iam:Attach*", "iam:Put*", "iam:Create*", "iam:Update*", "iam:Delete*"]},
            {
                "iam:AddUserToGroup",
                "iam:PassRole",
                "iam:SetDefaultPolicyVersion",
            },
        ),
        ({"Action": ["iam:List*", "iam:Get*", "s3:*"]}, set()),
    ],
)
def test_wildcards_of_actions_are_seen(actions: dict[str, object], found: set[str]) -> None:
    """A pattern of actions, and the actions that NotAction leaves, count like the actions themselves."""
    assert escalations(**actions) == found


@pytest.mark.parametrize(
    ("excepted", "found"),
    [
        (f"{USERS}ceo", ALL),
        (f"{USERS}*", ALL - ALL_USERS),
        ([f"{USERS}*", "arn:aws:iam::*:group/*", "arn:aws:iam::*:role/*", "arn:aws:iam::*:policy/*"], set()),
        ("arn:aws:iam::*:*", set()),
        (f"{USERS}${{aws:username}}", ALL),
    ],
)
def test_what_not_resource_leaves_is_seen(excepted: object, found: set[str]) -> None:
    """An exception of few leaves all the others; one of all users leaves groups, roles and policies."""
    assert escalations(Action="iam:*", NotResource=excepted) == found


BOUNDARY = "arn:aws:iam::123456789012:policy/Limit"


@pytest.mark.parametrize(
    ("condition", "escalates"),
    [
        ({"Bool": {"aws:MultiFactorAuthPresent": "true"}}, True),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, True),
        ({"StringEquals": {"aws:ResourceTag/team": "ci"}}, True),
        ({"StringEquals": {"iam:PermissionsBoundary": BOUNDARY}}, False),
        ({"ArnLike": {"IAM:permissionsboundary": [BOUNDARY, f"{BOUNDARY}-*"]}}, False),
        ({"Bool": {"aws:MultiFactorAuthPresent": "true"}, "ArnEquals": {"iam:PermissionsBoundary": BOUNDARY}}, False),
        ({"StringLike": {"iam:PermissionsBoundary": "*"}}, True),
        ({"StringNotEquals": {"iam:PermissionsBoundary": BOUNDARY}}, True),
        ({"StringEqualsIfExists": {"iam:PermissionsBoundary": BOUNDARY}}, True),
        ({"Null": {"iam:PermissionsBoundary": "false"}}, True),
        ({"StringEquals": "malformed"}, True),
        ("malformed", True),
    ],
)
def test_only_a_certain_boundary_takes_escalation_away(condition: object, escalates: bool) -> None:
    """What a condition says of how the caller comes limits nothing; a boundary that every new right is under does."""
    found = escalations(Action="iam:AttachUserPolicy", Resource=f"{USERS}*", Condition=condition)
    assert bool(found) is escalates


@pytest.mark.parametrize(
    ("denial", "found"),
    [
        ({"Action": "iam:*", "Resource": "*"}, set()),
        ({"Action": "iam:*", "Resource": f"{USERS}*"}, ALL - ALL_USERS),
        ({"NotAction": "iam:AddUserToGroup", "Resource": "*"}, {"iam:AddUserToGroup"}),
        ({"Action": "iam:*", "Resource": f"{USERS}ceo"}, ALL),
        ({"Action": "iam:*", "NotResource": f"{USERS}ci/*"}, set()),
        ({"Action": "iam:*", "Resource": "*", "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "false"}}}, ALL),
    ],
)
def test_what_is_denied_outright_does_not_escalate(denial: dict[str, object], found: set[str]) -> None:
    """A denial counts where it covers the same names and holds under any condition."""
    text = document({"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", **denial})
    assert set(escalating_actions(text)) == found


def test_what_is_no_document_does_not_escalate() -> None:
    """Malformed documents are refused elsewhere; here they are nothing."""
    assert escalating_actions("{") == escalating_actions("[]") == escalating_actions(document("text")) == ()


def test_brackets_are_ordinary_characters() -> None:
    """IAM knows the wildcards * and ? alone."""
    everything = {"Effect": "Allow", "Action": "*", "Resource": "arn:aws:iam::*:user/[a-z]*"}
    assert not may_allow(document(everything), "iam:ChangePassword", "arn:aws:iam::123456789012:user/ana")


def test_every_action_means_on_every_resource() -> None:
    """All actions on one bucket are not everything, nor is reading everywhere."""
    assert allows_every_action(document({"Effect": "Allow", "Action": ["*"], "Resource": "*"}))
    assert not allows_every_action(document({"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::acme"}))
    assert not allows_every_action(document({"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}))
