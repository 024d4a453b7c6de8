"""What a document allows on the credentials of users, and what leads there."""

import json

import pytest

from identity_service.domain.policy_credentials import ways_to_credentials

USERS = "arn:aws:iam::123456789012:user/"
GROUPS = "arn:aws:iam::123456789012:group/"
POLICIES = "arn:aws:iam::123456789012:policy/"


def document(*statements: dict[str, object]) -> str:
    """Write a document; each statement allows keys to be made by everybody unless it says otherwise."""
    filled = [{"Effect": "Allow", "Action": "iam:CreateAccessKey", "Resource": "*", **each} for each in statements]
    for statement in filled:
        for given, left_out in (("NotAction", "Action"), ("NotResource", "Resource")):
            if given in statement:
                del statement[left_out]
    return json.dumps({"Version": "2012-10-17", "Statement": filled})


@pytest.mark.parametrize(
    "statement",
    [
        {},
        {"Action": "*"},
        {"Action": "IAM:*accesskey"},
        {"NotAction": "s3:*"},
        {"Resource": f"{USERS}ana"},
        {"Resource": f"{USERS}people/${{aws:username}}"},
        {"Resource": ["arn:aws:s3:::bucket", f"{USERS}*"]},
        {"Resource": "arn:aws:iam::*"},
        {"Resource": "arn:aws:*:::u*"},
        {"Resource": "arn:*"},
        {"NotResource": f"{USERS}ana"},
        {"Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}},
    ],
    ids=str,
)
def test_what_may_allow_a_key_to_be_made(statement: dict[str, object]) -> None:
    """Wildcards, variables, negations and conditions do not hide that keys of some user may be made."""
    assert "iam:CreateAccessKey" in ways_to_credentials(document(statement))


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("iam:PutUserPolicy", f"{USERS}ana"),
        ("iam:AttachUserPolicy", f"{USERS}${{aws:username}}"),
        ("iam:PutUserPermissionsBoundary", f"{USERS}ana"),
        ("iam:DeleteUserPermissionsBoundary", f"{USERS}ana"),
        ("iam:AddUserToGroup", "*"),
        ("iam:AddUserToGroup", f"{GROUPS}Developers"),
        ("iam:PutGroupPolicy", f"{GROUPS}Developers"),
        ("iam:AttachGroupPolicy", f"{GROUPS}*"),
        ("iam:CreatePolicyVersion", f"{POLICIES}ci/Deploy"),
        ("iam:SetDefaultPolicyVersion", "*"),
    ],
)
def test_what_may_lead_to_the_right_to_keys(action: str, resource: str) -> None:
    """Whoever writes what users may do, on themselves, a group or a policy, lets keys be made in a second step."""
    assert ways_to_credentials(document({"Action": action, "Resource": resource})) == (action,)


@pytest.mark.parametrize(
    "statements",
    [
        [{"Effect": "Deny"}],
        [{"Action": "s3:*"}],
        [{"NotAction": "iam:*"}],
        [{"Action": "iam:ListAccessKeys"}],
        [{"Action": "*", "Resource": "arn:aws:s3:::bucket/*"}],
        [{"Action": "iam:*", "Resource": "arn:aws:iam::123456789012:role/*"}],
        [{"Action": "iam:PutUserPolicy", "Resource": f"{GROUPS}*"}],
        [{"Action": ["iam:AddUserToGroup", "iam:CreatePolicyVersion"], "Resource": f"{USERS}*"}],
        [{"Action": ["iam:GetUserPolicy", "iam:ListGroupsForUser", "iam:GetPolicyVersion", "iam:PassRole"]}],
        [{"Action": ["sts:GetFederationToken", "sts:AssumeRole"]}],
        [{"Action": "*"}, {"Effect": "Deny", "Action": "iam:*"}],
    ],
    ids=str,
)
def test_what_leaves_credentials_alone(statements: list[dict[str, object]]) -> None:
    """Other actions, other resources, and what is denied altogether are no one's credentials."""
    assert ways_to_credentials(document(*statements)) == ()


@pytest.mark.parametrize(
    "deny",
    [{"Resource": f"{USERS}ana"}, {"Condition": {"StringEquals": {"aws:username": "ana"}}}, {"Action": "iam:Delete*"}],
    ids=str,
)
def test_a_denial_of_some_is_no_denial(deny: dict[str, object]) -> None:
    """What is denied to some, at times, or in part, is allowed for the rest."""
    assert ways_to_credentials(document({}, {"Effect": "Deny", **deny})) == ("iam:CreateAccessKey",)
