"""Documents that lead to more rights, with and without a boundary."""

import json

import pytest

from identity_service.domain.policy_escalation import ESCALATING_ACTIONS, escalating_actions

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


def document(*statements: object) -> str:
    """Write a document with the current version."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


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


@pytest.mark.parametrize(
    ("boundary", "left"),
    [
        ({"Action": ["s3:*", "iam:Get*", "iam:List*"], "Resource": "*"}, set()),
        ({"Action": "*", "Resource": "*"}, ALL),
        ({"NotAction": "iam:*", "Resource": "*"}, set()),
        ({"Action": "iam:CreateAccessKey", "Resource": f"{USERS}*"}, {"iam:CreateAccessKey"}),
        ({"Action": "iam:CreateAccessKey", "Resource": f"{USERS}ci/*"}, set()),
        ({"Action": "iam:*", "NotResource": f"{USERS}*"}, ALL - ALL_USERS),
    ],
)
def test_what_the_boundary_does_not_allow_does_not_escalate(boundary: dict[str, object], left: set[str]) -> None:
    """Administrator's rights within a boundary lead as far as the boundary does."""
    everything = document({"Effect": "Allow", "Action": "*", "Resource": "*"})
    assert set(escalating_actions(everything, within=document({"Effect": "Allow", **boundary}))) == left


def test_a_boundary_gives_nothing() -> None:
    """What a document does not allow does not escalate since the boundary would."""
    everything = document({"Effect": "Allow", "Action": "*", "Resource": "*"})
    reading = document({"Effect": "Allow", "Action": "iam:Get*", "Resource": "*"})
    assert escalating_actions(reading, within=everything) == ()


def test_a_boundary_that_denies_counts() -> None:
    """A denial of the boundary takes from what it allows."""
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    without = document(everything, {"Effect": "Deny", "Action": "iam:*", "Resource": "*"})
    assert escalating_actions(document(everything), within=without) == ()
