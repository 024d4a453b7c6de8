"""Access control of the embedded account: keys, signatures, permissions, identities."""

from __future__ import annotations

import json
from typing import Any

import pytest

from embedded_aws import EmbeddedAws

ACCOUNT_ROOT = "arn:aws:iam::123456789012:root"


def document(*statements: tuple[str, Any, Any], **more: Any) -> str:
    """A policy of (effect, action, resource) statements."""
    written = [{"Effect": e, "Action": a, "Resource": r, **more} for e, a, r in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": written})


@pytest.fixture
def key(aws: EmbeddedAws, iam: Any) -> dict[str, str]:
    """The key of a user at /team/ada without any permission, in an account with access control."""
    iam.create_user(UserName="ada", Path="/team/")
    made: dict[str, str] = iam.create_access_key(UserName="ada")["AccessKey"]
    aws.set_access_control(True)
    return made


@pytest.fixture
def ada(client: Any, key: dict[str, str]) -> Any:
    """IAM as that user."""
    return client("iam", key["AccessKeyId"], key["SecretAccessKey"])


def test_without_access_control_every_key_passes(iam: Any, client: Any) -> None:
    """A key that nobody made is let through as the account itself."""
    stranger = client("iam", "AKIAIOSFODNN7EXAMPLE", "anything")
    stranger.create_user(UserName="ada")
    sts = client("sts", "AKIAIOSFODNN7EXAMPLE", "anything")
    assert sts.get_caller_identity()["Arn"] == ACCOUNT_ROOT


def test_the_administrator_may_do_everything(aws: EmbeddedAws, iam: Any, client: Any, refused: Any) -> None:
    """The administrator's key works with access control on, is the root's, and needs its right secret."""
    aws.set_access_control(True)
    iam.create_user(UserName="ada")
    identity = client("sts").get_caller_identity()
    assert (identity["Arn"], identity["Account"]) == (ACCOUNT_ROOT, "123456789012")
    with refused("SignatureDoesNotMatch", 403):
        client("iam", aws.access_key_id, "wrong").list_users()


def test_unknown_and_inactive_keys_are_refused(
    iam: Any, ada: Any, client: Any, refused: Any, key: dict[str, str]
) -> None:
    """A key that is not there, or is switched off, answers InvalidClientTokenId."""
    with refused("InvalidClientTokenId", 403):
        client("iam", "AKIAIOSFODNN7EXAMPLE", "anything").list_users()
    iam.update_access_key(UserName="ada", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    with refused("InvalidClientTokenId", 403):
        ada.get_user()


def test_a_wrong_secret_is_refused(client: Any, refused: Any, key: dict[str, str]) -> None:
    """A signature made with another secret answers SignatureDoesNotMatch."""
    with refused("SignatureDoesNotMatch", 403):
        client("sts", key["AccessKeyId"], "wrong").get_caller_identity()


def test_callers_always_learn_who_they_are(client: Any, key: dict[str, str]) -> None:
    """GetCallerIdentity needs no permission and answers the user's ARN with its path."""
    identity = client("sts", key["AccessKeyId"], key["SecretAccessKey"]).get_caller_identity()
    assert identity["Arn"] == "arn:aws:iam::123456789012:user/team/ada"
    assert identity["UserId"].startswith("AIDA")


def test_nothing_is_allowed_by_default(ada: Any, refused: Any) -> None:
    """A user without policies is denied, also what does not exist."""
    with refused("AccessDenied", 403):
        ada.list_users()
    with refused("AccessDenied", 403):
        ada.get_user(UserName="nope")


@pytest.mark.parametrize("way", ["inline", "attached", "group inline", "group attached"])
def test_permissions_come_from_user_and_groups(iam: Any, ada: Any, refused: Any, way: str) -> None:
    """An Allow counts from each place that a policy can be in; what it does not name stays denied."""
    text = document(("Allow", "iam:ListUsers", "*"))
    arn = iam.create_policy(PolicyName="p", PolicyDocument=text)["Policy"]["Arn"]
    iam.create_group(GroupName="g")
    iam.add_user_to_group(GroupName="g", UserName="ada")
    match way:
        case "inline":
            iam.put_user_policy(UserName="ada", PolicyName="p", PolicyDocument=text)
        case "attached":
            iam.attach_user_policy(UserName="ada", PolicyArn=arn)
        case "group inline":
            iam.put_group_policy(GroupName="g", PolicyName="p", PolicyDocument=text)
        case _:
            iam.attach_group_policy(GroupName="g", PolicyArn=arn)
    assert len(ada.list_users()["Users"]) == 1
    with refused("AccessDenied", 403):
        ada.list_groups()


def test_an_explicit_deny_wins(iam: Any, ada: Any, refused: Any) -> None:
    """A Deny beats any Allow."""
    text = document(("Allow", "iam:*", "*"), ("Deny", "iam:CreateUser", "*"))
    iam.put_user_policy(UserName="ada", PolicyName="p", PolicyDocument=text)
    ada.create_group(GroupName="g")
    with refused("AccessDenied", 403):
        ada.create_user(UserName="bob")


def test_resources_are_matched_with_their_paths(iam: Any, ada: Any, refused: Any) -> None:
    """A permission on users below a path covers these alone, at creation as well as later."""
    team = "arn:aws:iam::123456789012:user/team/*"
    text = document(("Allow", ["iam:CreateUser", "iam:GetUser"], team))
    iam.put_user_policy(UserName="ada", PolicyName="p", PolicyDocument=text)
    ada.create_user(UserName="bob", Path="/team/")
    assert ada.get_user(UserName="bob")["User"]["Path"] == "/team/"
    with refused("AccessDenied", 403):
        ada.create_user(UserName="eve")


def test_policy_variables_name_the_caller(iam: Any, ada: Any, refused: Any) -> None:
    """${aws:username} stands for the caller's name, so it does not match a user with a path."""
    own = document(("Allow", "iam:ListAccessKeys", "arn:aws:iam::*:user/${aws:username}"))
    iam.put_user_policy(UserName="ada", PolicyName="p", PolicyDocument=own)
    with refused("AccessDenied", 403):
        ada.list_access_keys()
    iam.update_user(UserName="ada", NewPath="/")
    assert len(ada.list_access_keys()["AccessKeyMetadata"]) == 1


def test_a_boundary_limits_what_is_granted(iam: Any, ada: Any, refused: Any) -> None:
    """What the boundary does not allow is denied although a policy grants it."""
    bound = document(("Allow", "iam:List*", "*"))
    arn = iam.create_policy(PolicyName="bound", PolicyDocument=bound)["Policy"]["Arn"]
    grant = document(("Allow", "*", "*"))
    iam.put_user_policy(UserName="ada", PolicyName="p", PolicyDocument=grant)
    iam.put_user_permissions_boundary(UserName="ada", PermissionsBoundary=arn)
    ada.list_users()
    with refused("AccessDenied", 403):
        ada.create_user(UserName="bob")


def test_a_condition_can_demand_a_boundary(iam: Any, ada: Any, refused: Any) -> None:
    """iam:PermissionsBoundary lets CreateUser pass only with the demanded boundary."""
    boundary = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    text = document(
        ("Allow", "iam:CreateUser", "*"),
        Condition={"StringEquals": {"iam:PermissionsBoundary": boundary}},
    )
    iam.put_user_policy(UserName="ada", PolicyName="p", PolicyDocument=text)
    with refused("AccessDenied", 403):
        ada.create_user(UserName="bob")
    ada.create_user(UserName="bob", PermissionsBoundary=boundary)


def test_omitted_names_mean_the_caller(aws: EmbeddedAws, iam: Any, ada: Any, refused: Any) -> None:
    """Without UserName a user acts on itself; the administrator, being no user, has to say whom."""
    aws.set_access_control(False)
    assert ada.get_user()["User"]["UserName"] == "ada"
    assert ada.create_access_key()["AccessKey"]["UserName"] == "ada"
    with refused("ValidationError", 400):
        iam.create_access_key()
    assert iam.get_user()["User"]["Arn"] == ACCOUNT_ROOT


def test_only_roles_that_exist_are_assumed(aws: EmbeddedAws, iam: Any, client: Any, refused: Any) -> None:
    """AssumeRole answers AccessDenied for a missing role, and a session that acts as the role."""
    sts = client("sts")
    with refused("ValidationError", 400):
        sts.assume_role(RoleArn="nothing-valid-in-here", RoleSessionName="s1")
    with refused("AccessDenied", 403):
        sts.assume_role(RoleArn="arn:aws:iam::123456789012:role/none", RoleSessionName="s1")
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ACCOUNT_ROOT}}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    arn = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    session = sts.assume_role(RoleArn=arn, RoleSessionName="s1")
    assert session["AssumedRoleUser"]["Arn"] == "arn:aws:sts::123456789012:assumed-role/r/s1"


def test_a_role_lets_in_whom_it_trusts(iam: Any, ada: Any, client: Any, refused: Any, key: Any) -> None:
    """AssumeRole needs the role's trust, ExternalId included, and gives the role's rights."""
    statement = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"AWS": "arn:aws:iam::123456789012:user/team/ada"},
        "Condition": {"StringEquals": {"sts:ExternalId": "shared"}},
    }
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    arn = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    text = document(("Allow", "iam:ListUsers", "*"))
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=text)
    text = document(("Allow", "sts:AssumeRole", arn))
    iam.put_user_policy(UserName="ada", PolicyName="p", PolicyDocument=text)
    sts = client("sts", key["AccessKeyId"], key["SecretAccessKey"])
    with refused("AccessDenied", 403):
        sts.assume_role(RoleArn=arn, RoleSessionName="s1")
    made = sts.assume_role(RoleArn=arn, RoleSessionName="s1", ExternalId="shared")["Credentials"]
    session = client("iam", made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])
    assert len(session.list_users()["Users"]) == 1
    with refused("AccessDenied", 403):
        session.list_groups()
    with refused("InvalidClientTokenId", 403):
        client("iam", made["AccessKeyId"], made["SecretAccessKey"]).list_users()


def test_a_move_needs_the_right_to_both_ends(iam: Any, ada: Any, refused: Any) -> None:
    """UpdateUser is asked of the user as it is and as it will be; so is UpdateGroup of a group."""
    here = ["arn:aws:iam::123456789012:user/team/*", "arn:aws:iam::123456789012:group/team/*"]
    allowed = document(("Allow", ["iam:UpdateUser", "iam:UpdateGroup"], here))
    iam.put_user_policy(UserName="ada", PolicyName="move", PolicyDocument=allowed)
    iam.create_user(UserName="bo", Path="/team/")
    iam.create_user(UserName="cy")
    iam.create_group(GroupName="Staff", Path="/team/")
    with refused("AccessDenied", 403):
        ada.update_user(UserName="bo", NewPath="/")
    with refused("AccessDenied", 403):
        ada.update_user(UserName="cy", NewPath="/team/")
    with refused("AccessDenied", 403):
        ada.update_group(GroupName="Staff", NewPath="/")
    ada.update_user(UserName="bo", NewUserName="bob", NewPath="/team/inner/")
    ada.update_group(GroupName="Staff", NewGroupName="Crew")
