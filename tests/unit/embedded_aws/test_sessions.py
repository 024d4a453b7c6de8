"""Sessions and delegation in the embedded account: roles, MFA, session policies, condition keys, several accounts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from embedded_aws import EmbeddedAws, consecutive_codes, current_code
from tests.unit.embedded_aws.conftest import ClientMaker

OTHER = "210987654321"
ROOT = "arn:aws:iam::123456789012:root"
ADA = "arn:aws:iam::123456789012:user/ada"
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"


def document(*statements: dict[str, Any]) -> str:
    """A policy; statements allow everything on everything unless told otherwise."""
    full = [{"Effect": "Allow", "Action": "*", "Resource": "*", **statement} for statement in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": full})


def trust(principal: Any, **more: Any) -> str:
    """A trust policy."""
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def ada(aws: EmbeddedAws, iam: Any, client: ClientMaker) -> Any:
    """Makes clients of a user without permissions, in an account with access control."""
    iam.create_user(UserName="ada", Tags=[{"Key": "team", "Value": "core"}])
    key = iam.create_access_key(UserName="ada")["AccessKey"]
    aws.set_access_control(True)
    return lambda service: client(service, key["AccessKeyId"], key["SecretAccessKey"])


@pytest.fixture
def session_of(client: ClientMaker) -> Any:
    """Makes IAM clients of temporary credentials."""

    def make(answer: dict[str, Any], service: str = "iam") -> Any:
        made = answer["Credentials"]
        return client(service, made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])

    return make


def role(iam: Any, trusted: str, *statements: dict[str, Any], name: str = "r", **more: Any) -> str:
    """A role with these rights; its ARN."""
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusted, **more)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(*statements))
    return arn


def grant(iam: Any, *statements: dict[str, Any]) -> None:
    """Give ada these rights and no others."""
    iam.put_user_policy(UserName="ada", PolicyName="p", PolicyDocument=document(*statements))


def test_trust_in_a_named_user_suffices(iam: Any, ada: Any) -> None:
    """Within one account, a role that names the user needs no policy on the user's side."""
    arn = role(iam, trust({"AWS": ADA}), {})
    assert ada("sts").assume_role(RoleArn=arn, RoleSessionName="s1")["AssumedRoleUser"]["Arn"].endswith("/r/s1")


def test_trust_in_the_account_needs_a_policy(iam: Any, ada: Any, refused: Any) -> None:
    """A role that trusts the account leaves it to the account's policies who may."""
    arn = role(iam, trust({"AWS": ROOT}), {})
    with refused("AccessDenied", 403):
        ada("sts").assume_role(RoleArn=arn, RoleSessionName="s1")
    grant(iam, {"Action": "sts:AssumeRole", "Resource": arn})
    ada("sts").assume_role(RoleArn=arn, RoleSessionName="s1")


def test_a_deny_of_either_side_refuses(iam: Any, ada: Any, refused: Any) -> None:
    """An explicit deny on the user, or in the trust policy, beats the trust."""
    arn = role(iam, trust({"AWS": ADA}), {})
    grant(iam, {"Effect": "Deny", "Action": "sts:AssumeRole"})
    with refused("AccessDenied", 403):
        ada("sts").assume_role(RoleArn=arn, RoleSessionName="s1")
    grant(iam, {})
    denied = json.loads(trust({"AWS": ADA}))
    denied["Statement"].append({"Effect": "Deny", "Action": "sts:AssumeRole", "Principal": {"AWS": ADA}})
    iam.update_assume_role_policy(RoleName="r", PolicyDocument=json.dumps(denied))
    with refused("AccessDenied", 403):
        ada("sts").assume_role(RoleArn=arn, RoleSessionName="s1")


def test_a_session_policy_limits_the_role(iam: Any, ada: Any, session_of: Any, refused: Any) -> None:
    """The session may do what the role and the session's policies both allow, and no more."""
    arn = role(iam, trust({"AWS": ADA}), {"Action": "iam:*"})
    limited = ada("sts").assume_role(RoleArn=arn, RoleSessionName="s1", Policy=document({"Action": "iam:List*"}))
    assert len(session_of(limited).list_users()["Users"]) == 1
    with refused("AccessDenied", 403):
        session_of(limited).create_user(UserName="bob")
    by_arn = ada("sts").assume_role(RoleArn=arn, RoleSessionName="s1", PolicyArns=[{"arn": READ_ONLY}])
    session_of(by_arn).list_users()
    with refused("AccessDenied", 403):
        session_of(by_arn).create_user(UserName="bob")
    session_of(ada("sts").assume_role(RoleArn=arn, RoleSessionName="s1")).create_user(UserName="bob")


def test_a_boundary_limits_a_role(iam: Any, ada: Any, session_of: Any, refused: Any) -> None:
    """The boundary of a role holds for its sessions."""
    arn = role(iam, trust({"AWS": ADA}), {"Action": "iam:*"}, PermissionsBoundary=READ_ONLY)
    session = session_of(ada("sts").assume_role(RoleArn=arn, RoleSessionName="s1"))
    session.list_users()
    with refused("AccessDenied", 403):
        session.create_user(UserName="bob")


def test_a_session_expires(aws: EmbeddedAws, iam: Any, ada: Any, session_of: Any, refused: Any) -> None:
    """After its time a session is ExpiredToken."""
    arn = role(iam, trust({"AWS": ADA}), {})
    session = session_of(ada("sts").assume_role(RoleArn=arn, RoleSessionName="s1", DurationSeconds=900))
    session.list_users()
    aws.set_signature_validity(3600)
    aws.advance_clock(901)
    with refused("ExpiredToken", 403):
        session.list_users()


def test_a_session_ends_with_its_role(iam: Any, ada: Any, session_of: Any, refused: Any) -> None:
    """The credentials of a deleted role are worth nothing, also when the role is made again."""
    arn = role(iam, trust({"AWS": ADA}), {})
    session = session_of(ada("sts").assume_role(RoleArn=arn, RoleSessionName="s1"))
    iam.delete_role_policy(RoleName="r", PolicyName="p")
    iam.delete_role(RoleName="r")
    role(iam, trust({"AWS": ADA}), {})
    with refused("InvalidClientTokenId", 403):
        session.list_users()


def test_a_signature_gets_old(aws: EmbeddedAws, iam: Any, refused: Any, ada: Any) -> None:
    """A signature of more than fifteen minutes ago is refused, whoever made it."""
    aws.advance_clock(890)
    iam.list_users()
    aws.advance_clock(30)
    with refused("SignatureDoesNotMatch", 403):
        iam.list_users()


def test_session_tags_need_trust_and_count_as_the_callers(iam: Any, ada: Any, session_of: Any, refused: Any) -> None:
    """Tags of a session need sts:TagSession in the trust policy and are aws:PrincipalTag afterwards."""
    condition = {"StringEquals": {"aws:PrincipalTag/team": "red"}}
    arn = role(iam, trust({"AWS": ADA}), {"Action": "iam:ListUsers", "Condition": condition})
    asked = {"RoleArn": arn, "RoleSessionName": "s1", "Tags": [{"Key": "team", "Value": "red"}]}
    with refused("AccessDenied", 403):
        ada("sts").assume_role(**asked)
    iam.update_assume_role_policy(
        RoleName="r", PolicyDocument=trust({"AWS": ADA}, Action=["sts:AssumeRole", "sts:TagSession"])
    )
    session_of(ada("sts").assume_role(**asked)).list_users()
    untagged = session_of(ada("sts").assume_role(RoleArn=arn, RoleSessionName="s1"))
    with refused("AccessDenied", 403):
        untagged.list_users()


def test_transitive_tags_go_along_and_need_the_right_to_tag(iam: Any, ada: Any, session_of: Any, refused: Any) -> None:
    """A session with transitive tags assumes a role only where both sides allow sts:TagSession; its tags stay on it."""
    both = ["sts:AssumeRole", "sts:TagSession"]
    first = role(iam, trust({"AWS": ADA}, Action=both), {"Action": "sts:AssumeRole"})
    condition = {"StringEquals": {"aws:PrincipalTag/team": "red"}, "Null": {"aws:PrincipalTag/cost": "true"}}
    second = role(iam, trust({"AWS": ROOT}), {"Action": "iam:ListUsers", "Condition": condition}, name="s")
    tags = [{"Key": "team", "Value": "red"}, {"Key": "cost", "Value": "7"}]
    asked = {"RoleArn": first, "RoleSessionName": "s1"}
    with refused("InvalidParameterValue", 400):
        ada("sts").assume_role(**asked, Tags=tags, TransitiveTagKeys=["other"])
    untagged = session_of(ada("sts").assume_role(**asked, Tags=tags), "sts")
    tagged = session_of(ada("sts").assume_role(**asked, Tags=tags, TransitiveTagKeys=["team"]), "sts")
    chained = {"RoleArn": second, "RoleSessionName": "s2"}
    untagged.assume_role(**chained)
    with pytest.raises(ClientError, match="not authorized to perform: sts:TagSession"):
        tagged.assume_role(**chained)
    iam.update_assume_role_policy(RoleName="s", PolicyDocument=trust({"AWS": ROOT}, Action=both))
    with refused("AccessDenied", 403):
        tagged.assume_role(**chained)
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=document({"Action": both}))
    session_of(tagged.assume_role(**chained)).list_users()
    with refused("InvalidParameterValue", 400):
        tagged.assume_role(**chained, Tags=[{"Key": "Team", "Value": "blue"}])


@pytest.mark.parametrize(
    "text",
    [
        "{",
        json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Principal": "*"}]}),
        document({"Action": "sts:AssumeRole"}),
    ],
)
def test_a_malformed_trust_policy_is_refused(iam: Any, refused: Any, text: str) -> None:
    """No JSON, another service's actions, or a resource."""
    with refused("MalformedPolicyDocument", 400):
        iam.create_role(RoleName="r", AssumeRolePolicyDocument=text)


def test_a_chained_session_lasts_an_hour(iam: Any, ada: Any, session_of: Any, refused: Any) -> None:
    """A role may open another for an hour, whatever the other one allows."""
    first = role(iam, trust({"AWS": ADA}), {})
    second = role(iam, trust({"AWS": first}), {}, name="s", MaxSessionDuration=43200)
    session = session_of(ada("sts").assume_role(RoleArn=first, RoleSessionName="s1"), "sts")
    session.assume_role(RoleArn=second, RoleSessionName="s2", DurationSeconds=3600)
    with refused("ValidationError", 400):
        session.assume_role(RoleArn=second, RoleSessionName="s2", DurationSeconds=7200)


def test_a_malformed_session_policy_is_refused(iam: Any, ada: Any, refused: Any) -> None:
    """What cannot be read limits nothing, so it is refused."""
    arn = role(iam, trust({"AWS": ADA}), {})
    with refused("MalformedPolicyDocument", 400):
        ada("sts").assume_role(RoleArn=arn, RoleSessionName="s1", Policy="{")


def mfa_of_ada(iam: Any) -> tuple[str, str]:
    """Ada's device; its serial number and seed."""
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName="d")["VirtualMFADevice"]
    first, second = consecutive_codes(device["Base32StringSeed"])
    iam.enable_mfa_device(
        UserName="ada",
        SerialNumber=device["SerialNumber"],
        AuthenticationCode1=first,
        AuthenticationCode2=second,
    )
    return device["SerialNumber"], device["Base32StringSeed"]


def test_mfa_can_be_demanded(iam: Any, ada: Any, session_of: Any, refused: Any) -> None:
    """aws:MultiFactorAuthPresent is absent for keys, false for sessions without a code, true for those with one."""
    serial, seed = mfa_of_ada(iam)
    grant(iam, {"Action": "iam:*", "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}})
    with refused("AccessDenied", 403):
        ada("iam").list_users()
    with refused("AccessDenied", 403):
        ada("sts").get_session_token(SerialNumber=serial, TokenCode="000000" if current_code(seed) != "000000" else "1")
    session = session_of(ada("sts").get_session_token(SerialNumber=serial, TokenCode=current_code(seed)))
    assert session.list_users()["Users"][0]["UserName"] == "ada"
    grant(iam, {"Effect": "Deny", "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}}, {})
    with refused("AccessDenied", 403):
        ada("iam").list_users()
    session.list_users()


def test_a_session_without_mfa_cannot_call_iam(iam: Any, ada: Any, session_of: Any, refused: Any) -> None:
    """GetSessionToken without a code gives credentials that IAM refuses, whatever the policies say."""
    grant(iam, {})
    made = ada("sts").get_session_token()
    with refused("AccessDenied", 403):
        session_of(made).list_users()
    assert session_of(made, "sts").get_caller_identity()["Arn"] == ADA
    with refused("AccessDenied", 403):
        session_of(made, "sts").get_session_token()


def test_a_role_can_demand_mfa(iam: Any, ada: Any, refused: Any) -> None:
    """A trust policy sees whether a code came with AssumeRole."""
    serial, seed = mfa_of_ada(iam)
    arn = role(iam, trust({"AWS": ADA}, Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}}), {})
    with refused("AccessDenied", 403):
        ada("sts").assume_role(RoleArn=arn, RoleSessionName="s1")
    ada("sts").assume_role(RoleArn=arn, RoleSessionName="s1", SerialNumber=serial, TokenCode=current_code(seed))


def test_a_federated_name_cannot_call_iam(iam: Any, ada: Any, session_of: Any, refused: Any) -> None:
    """GetFederationToken needs a permission; its credentials are a name of their own, refused by IAM."""
    with refused("AccessDenied", 403):
        ada("sts").get_federation_token(Name="bob")
    grant(iam, {})
    made = ada("sts").get_federation_token(Name="bob", Policy=document({}))
    assert session_of(made, "sts").get_caller_identity()["Arn"] == "arn:aws:sts::123456789012:federated-user/bob"
    with refused("AccessDenied", 403):
        session_of(made).list_users()


@pytest.mark.parametrize(
    ("condition", "allowed", "denied"),
    [
        (
            {"ArnEquals": {"iam:PolicyARN": READ_ONLY}},
            lambda iam: iam.attach_user_policy(UserName="bob", PolicyArn=READ_ONLY),
            lambda iam: iam.attach_user_policy(UserName="bob", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"),
        ),
        (
            {"StringEquals": {"iam:PermissionsBoundary": READ_ONLY}},
            lambda iam: iam.put_user_permissions_boundary(UserName="eve", PermissionsBoundary=READ_ONLY),
            lambda iam: iam.attach_user_policy(UserName="bob", PolicyArn=READ_ONLY),
        ),
        (
            {"StringEquals": {"iam:PermissionsBoundary": READ_ONLY}},
            lambda iam: iam.put_user_policy(UserName="eve", PolicyName="p", PolicyDocument=document({})),
            # Not a key of CreateAccessKey, so a condition on it never holds there.
            lambda iam: iam.create_access_key(UserName="eve"),
        ),
        (
            {"StringEquals": {"aws:RequestTag/team": "${aws:PrincipalTag/team}"}},
            lambda iam: iam.create_user(UserName="new", Tags=[{"Key": "team", "Value": "core"}]),
            lambda iam: iam.create_user(UserName="new", Tags=[{"Key": "team", "Value": "other"}]),
        ),
        (
            {"StringEquals": {"aws:ResourceTag/team": "core"}},
            lambda iam: iam.create_access_key(UserName="eve"),
            lambda iam: iam.create_access_key(UserName="bob"),
        ),
        (
            {"ForAllValues:StringEquals": {"aws:TagKeys": ["team", "cost"]}, "Null": {"aws:TagKeys": "false"}},
            lambda iam: iam.tag_user(UserName="bob", Tags=[{"Key": "team", "Value": "x"}]),
            lambda iam: iam.tag_user(UserName="bob", Tags=[{"Key": "team", "Value": "x"}, {"Key": "z", "Value": ""}]),
        ),
        (
            {"ForAnyValue:StringEquals": {"aws:TagKeys": "team"}},
            lambda iam: iam.untag_user(UserName="bob", TagKeys=["team", "z"]),
            lambda iam: iam.untag_user(UserName="bob", TagKeys=["z"]),
        ),
        (
            {"StringEquals": {"aws:username": "ada"}, "IpAddress": {"aws:SourceIp": "127.0.0.0/8"}},
            lambda iam: iam.get_user(UserName="bob"),
            None,
        ),
        ({"NotIpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, None, lambda iam: iam.get_user(UserName="bob")),
        ({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, lambda iam: iam.list_users(), None),
        ({"NumericLessThan": {"aws:EpochTime": "1000"}}, None, lambda iam: iam.list_users()),
    ],
)
def test_condition_keys_of_delegation(
    iam: Any, ada: Any, refused: Any, condition: Any, allowed: Any, denied: Any
) -> None:
    """Each key has the value that AWS gives it, and none on operations that do not know it."""
    iam.create_user(UserName="bob")
    iam.create_user(UserName="eve", Tags=[{"Key": "team", "Value": "core"}], PermissionsBoundary=READ_ONLY)
    grant(iam, {"Action": "iam:*", "Condition": condition})
    if denied is not None:
        with refused("AccessDenied", 403):
            denied(ada("iam"))
    if allowed is not None:
        allowed(ada("iam"))


def test_tags_at_creation_need_the_right_to_tag(iam: Any, ada: Any, refused: Any) -> None:
    """CreateUser with tags asks for iam:TagUser, too."""
    grant(iam, {"Action": "iam:CreateUser"})
    with refused("AccessDenied", 403):
        ada("iam").create_user(UserName="bob", Tags=[{"Key": "a", "Value": ""}])
    grant(iam, {"Action": ["iam:CreateUser", "iam:TagUser"]})
    ada("iam").create_user(UserName="bob", Tags=[{"Key": "a", "Value": ""}])


def test_joining_a_group_is_a_right_on_the_group(iam: Any, ada: Any, refused: Any) -> None:
    """AddUserToGroup is allowed by the group's ARN and not by the user's."""
    for name in ("g", "h"):
        iam.create_group(GroupName=name)
    grant(iam, {"Action": "iam:AddUserToGroup", "Resource": ["arn:aws:iam::*:group/g", "arn:aws:iam::*:user/*"]})
    ada("iam").add_user_to_group(GroupName="g", UserName="ada")
    with refused("AccessDenied", 403):
        ada("iam").add_user_to_group(GroupName="h", UserName="ada")


def test_a_deleted_key_lets_nobody_in(iam: Any, ada: Any, refused: Any) -> None:
    """Once deleted, a key is unknown."""
    key_id = iam.list_access_keys(UserName="ada")["AccessKeyMetadata"][0]["AccessKeyId"]
    iam.delete_access_key(UserName="ada", AccessKeyId=key_id)
    with refused("InvalidClientTokenId", 403):
        ada("sts").get_caller_identity()


@pytest.fixture
def other(aws: EmbeddedAws, client: ClientMaker) -> Any:
    """IAM of a second account in the same process."""
    key = aws.add_account(OTHER)
    return client("iam", key.access_key_id, key.secret_access_key)


def test_accounts_are_separate(aws: EmbeddedAws, iam: Any, client: ClientMaker, other: Any) -> None:
    """A key decides the account; names, ids, quotas and dumps of one are nothing to another; a reset empties all."""
    iam.create_user(UserName="ada")
    assert other.create_user(UserName="ada")["User"]["Arn"] == f"arn:aws:iam::{OTHER}:user/ada"
    key = other.create_access_key(UserName="ada")["AccessKey"]
    sts = client("sts", key["AccessKeyId"], key["SecretAccessKey"])
    assert sts.get_caller_identity()["Account"] == OTHER
    assert client("sts").get_access_key_info(AccessKeyId=key["AccessKeyId"])["Account"] == OTHER
    aws.set_quota("UsersQuota", 1, account_id=OTHER)
    iam.create_user(UserName="bob")
    assert len(aws.dump()["users"]) == 2
    assert len(aws.dump(OTHER)["users"]) == 1
    assert {call.account_id for call in aws.calls()} == {"123456789012", OTHER}
    aws.reset()
    assert other.list_users()["Users"] == iam.list_users()["Users"] == []


def test_an_alias_names_one_account(iam: Any, other: Any, refused: Any) -> None:
    """The alias of another account is taken."""
    iam.create_account_alias(AccountAlias="acme")
    with refused("EntityAlreadyExists", 409):
        other.create_account_alias(AccountAlias="acme")


def test_the_roles_account_decides(
    aws: EmbeddedAws, iam: Any, other: Any, ada: Any, session_of: Any, refused: Any
) -> None:
    """Across accounts both sides must agree; the session then works in the role's account alone."""
    aws.set_access_control(True)
    arn = role(other, trust({"AWS": ADA}), {"Action": "iam:*"})
    with refused("AccessDenied", 403):
        ada("sts").assume_role(RoleArn=arn, RoleSessionName="s1")
    grant(iam, {"Action": "sts:AssumeRole", "Resource": arn})
    session = session_of(ada("sts").assume_role(RoleArn=arn, RoleSessionName="s1"))
    assert session.create_user(UserName="bob")["User"]["Arn"] == f"arn:aws:iam::{OTHER}:user/bob"
    assert [user["UserName"] for user in iam.list_users()["Users"]] == ["ada"]
    other.update_assume_role_policy(RoleName="r", PolicyDocument=trust({"AWS": f"arn:aws:iam::{OTHER}:root"}))
    with refused("AccessDenied", 403):
        ada("sts").assume_role(RoleArn=arn, RoleSessionName="s1")
