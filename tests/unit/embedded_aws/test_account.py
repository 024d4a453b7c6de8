"""The embedded account as a whole: summary, policy for passwords, alias, listings, details, simulation."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from embedded_aws import EmbeddedAws

READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
DOCUMENT = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}'


def test_the_summary_counts_what_is_there(iam: Any) -> None:
    """GetAccountSummary answers the real use beside the quotas; the administrator is not a user."""
    empty = iam.get_account_summary()["SummaryMap"]
    assert (empty["Users"], empty["UsersQuota"], empty["Groups"], empty["GroupsQuota"]) == (0, 5000, 0, 300)
    assert (empty["GroupsPerUserQuota"], empty["AttachedPoliciesPerUserQuota"]) == (10, 10)
    assert (empty["UserPolicySizeQuota"], empty["PolicySizeQuota"]) == (2048, 6144)
    iam.create_user(UserName="ada")
    iam.create_group(GroupName="g")
    iam.create_policy(PolicyName="p", PolicyDocument=DOCUMENT)
    iam.create_virtual_mfa_device(VirtualMFADeviceName="d")
    full = iam.get_account_summary()["SummaryMap"]
    assert [full[name] for name in ("Users", "Groups", "Policies", "MFADevices", "MFADevicesInUse")] == [
        1,
        1,
        1,
        1,
        0,
    ]


def test_no_password_policy_is_no_such_entity(iam: Any, refused: Any) -> None:
    """Reading and deleting the policy while none is set is NoSuchEntity."""
    for call in (iam.get_account_password_policy, iam.delete_account_password_policy):
        with refused("NoSuchEntity", 404):
            call()


def test_an_empty_update_sets_the_defaults(iam: Any, refused: Any) -> None:
    """UpdateAccountPasswordPolicy without parameters sets length 6 and nothing else, replacing all."""
    iam.update_account_password_policy(RequireNumbers=True, MaxPasswordAge=90)
    assert iam.get_account_password_policy()["PasswordPolicy"]["ExpirePasswords"] is True
    iam.update_account_password_policy()
    assert iam.get_account_password_policy()["PasswordPolicy"] == {
        "MinimumPasswordLength": 6,
        "RequireSymbols": False,
        "RequireNumbers": False,
        "RequireUppercaseCharacters": False,
        "RequireLowercaseCharacters": False,
        "AllowUsersToChangePassword": False,
        "ExpirePasswords": False,
    }
    iam.delete_account_password_policy()
    with refused("NoSuchEntity", 404):
        iam.get_account_password_policy()


@pytest.mark.parametrize(
    "setting",
    [{"MinimumPasswordLength": 129}, {"PasswordReusePrevention": 25}, {"MaxPasswordAge": 1096}],
)
def test_the_password_policy_has_limits(iam: Any, refused: Any, setting: dict[str, int]) -> None:
    """A setting beyond the model's range is a ValidationError."""
    with refused("ValidationError", 400):
        iam.update_account_password_policy(**setting)


def test_the_alias(iam: Any, refused: Any) -> None:
    """One alias is set, listed and deleted; a bad or an unknown one is refused."""
    with refused("ValidationError", 400):
        iam.create_account_alias(AccountAlias="BAD_alias!")
    iam.create_account_alias(AccountAlias="my-company")
    assert iam.list_account_aliases()["AccountAliases"] == ["my-company"]
    with refused("NoSuchEntity", 404):
        iam.delete_account_alias(AccountAlias="other-company")
    iam.delete_account_alias(AccountAlias="my-company")
    assert iam.list_account_aliases()["AccountAliases"] == []


def test_lists_are_sorted_without_case_and_paged(iam: Any) -> None:
    """ListUsers answers in order whatever the case, page by page, each user once."""
    for name in ("ac", "aa", "Ad", "Ab"):
        iam.create_user(UserName=name)
    pages = iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 1})
    names = [[user["UserName"] for user in page["Users"]] for page in pages]
    assert names == [["aa"], ["Ab"], ["ac"], ["Ad"]]
    whole = iam.list_users(MaxItems=4)
    assert whole["IsTruncated"] is False
    assert "Marker" not in whole


def test_a_page_holds_a_hundred_by_default(iam: Any) -> None:
    """Without MaxItems a page holds 100; the marker goes on behind it, also when its item has gone."""
    for number in range(101):
        iam.create_user(UserName=f"u{number:03d}")
    first = iam.list_users()
    assert len(first["Users"]) == 100
    assert first["IsTruncated"] is True
    iam.delete_user(UserName="u099")
    rest = iam.list_users(Marker=first["Marker"])
    assert [user["UserName"] for user in rest["Users"]] == ["u100"]


def test_every_listing_pages(iam: Any) -> None:
    """Groups, memberships, inline and attached policies, keys, tags and policies are paged alike."""
    iam.create_user(UserName="ada", Tags=[{"Key": key, "Value": ""} for key in "cab"])
    for name in ("g2", "G1", "g3"):
        iam.create_group(GroupName=name)
        iam.add_user_to_group(GroupName=name, UserName="ada")
        iam.put_user_policy(UserName="ada", PolicyName=name, PolicyDocument=DOCUMENT)
        arn = iam.create_policy(PolicyName=name, PolicyDocument=DOCUMENT)["Policy"]["Arn"]
        iam.attach_user_policy(UserName="ada", PolicyArn=arn)
    iam.create_access_key(UserName="ada")
    iam.create_access_key(UserName="ada")
    for operation, member, expected, arguments in (
        ("list_groups", "Groups", ["G1", "g2", "g3"], {}),
        ("list_groups_for_user", "Groups", ["G1", "g2", "g3"], {"UserName": "ada"}),
        ("list_user_policies", "PolicyNames", ["G1", "g2", "g3"], {"UserName": "ada"}),
        ("list_attached_user_policies", "AttachedPolicies", ["G1", "g2", "g3"], {"UserName": "ada"}),
        ("list_policies", "Policies", ["G1", "g2", "g3"], {"Scope": "Local"}),
        ("list_user_tags", "Tags", ["a", "b", "c"], {"UserName": "ada"}),
    ):
        first = getattr(iam, operation)(MaxItems=2, **arguments)
        assert first["IsTruncated"] is True
        second = getattr(iam, operation)(MaxItems=2, Marker=first["Marker"], **arguments)
        found = [_name(item) for item in [*first[member], *second[member]]]
        assert (operation, found, second["IsTruncated"]) == (operation, expected, False)
    assert iam.list_access_keys(UserName="ada", MaxItems=1)["IsTruncated"] is True


def _name(item: Any) -> str:
    if isinstance(item, str):
        return item
    return str(next(item[member] for member in ("PolicyName", "GroupName", "Key") if member in item))


@pytest.mark.parametrize(
    "arguments",
    [{"Marker": "garbage"}, {"Marker": "W10="}, {"MaxItems": 1001}, {"MaxItems": 0}],
)
def test_bad_paging_is_refused(iam: Any, refused: Any, arguments: dict[str, Any]) -> None:
    """A marker that is not the account's, or a page size outside 1 to 1000, is a ValidationError."""
    with refused("ValidationError", 400):
        iam.list_users(**arguments)


def test_a_marker_belongs_to_its_operation(iam: Any, refused: Any) -> None:
    """The marker of one listing is a ValidationError in another."""
    for name in "ab":
        iam.create_user(UserName=name)
    marker = iam.list_users(MaxItems=1)["Marker"]
    with refused("ValidationError", 400):
        iam.list_groups(Marker=marker)


def test_lists_go_by_path(iam: Any) -> None:
    """PathPrefix chooses what lies below a path."""
    iam.create_user(UserName="in", Path="/team/a/")
    iam.create_user(UserName="out")
    assert [user["UserName"] for user in iam.list_users(PathPrefix="/team/")["Users"]] == ["in"]


def test_user_lists_show_neither_tags_nor_boundaries(iam: Any) -> None:
    """ListUsers and GetGroup answer users without tags and boundary."""
    iam.create_user(UserName="ada", PermissionsBoundary=READ_ONLY, Tags=[{"Key": "a", "Value": "b"}])
    iam.create_group(GroupName="g")
    iam.add_user_to_group(GroupName="g", UserName="ada")
    for user in (iam.list_users()["Users"][0], iam.get_group(GroupName="g")["Users"][0]):
        assert set(user) == {"Arn", "CreateDate", "Path", "UserId", "UserName"}


def test_authorization_details_show_all_of_a_user(iam: Any) -> None:
    """GetAccountAuthorizationDetails answers tags, boundary, groups and policies of each user."""
    iam.create_user(UserName="ada", PermissionsBoundary=READ_ONLY, Tags=[{"Key": "a", "Value": "b"}])
    iam.create_group(GroupName="g")
    iam.add_user_to_group(GroupName="g", UserName="ada")
    iam.put_user_policy(UserName="ada", PolicyName="p", PolicyDocument=DOCUMENT)
    iam.attach_user_policy(UserName="ada", PolicyArn=READ_ONLY)
    details = iam.get_account_authorization_details(Filter=["User"])
    assert details["GroupDetailList"] == details["Policies"] == details["RoleDetailList"] == []
    (user,) = details["UserDetailList"]
    assert user["Tags"] == [{"Key": "a", "Value": "b"}]
    assert user["PermissionsBoundary"]["PermissionsBoundaryArn"] == READ_ONLY
    assert user["GroupList"] == ["g"]
    assert user["UserPolicyList"] == [{"PolicyName": "p", "PolicyDocument": json.loads(DOCUMENT)}]
    assert user["AttachedManagedPolicies"] == [{"PolicyName": "ReadOnlyAccess", "PolicyArn": READ_ONLY}]


def test_authorization_details_are_paged(iam: Any) -> None:
    """Users, groups and policies come in one sequence of pages, each once."""
    for name in ("u1", "u2", "u3"):
        iam.create_user(UserName=name)
    iam.create_group(GroupName="g1")
    iam.create_policy(PolicyName="p1", PolicyDocument=DOCUMENT)
    paginator = iam.get_paginator("get_account_authorization_details")
    kinds = ["User", "Group", "LocalManagedPolicy"]
    pages = list(paginator.paginate(Filter=kinds, PaginationConfig={"PageSize": 2}))
    assert [len(page["UserDetailList"]) for page in pages] == [2, 1, 0]
    assert [group["GroupName"] for page in pages for group in page["GroupDetailList"]] == ["g1"]
    assert [policy["PolicyName"] for page in pages for policy in page["Policies"]] == ["p1"]


def test_a_simulation_decides_as_the_policies_do(iam: Any) -> None:
    """SimulatePrincipalPolicy answers allowed, implicitDeny and explicitDeny, boundary included."""
    arn = iam.create_user(UserName="ada", PermissionsBoundary=READ_ONLY)["User"]["Arn"]
    statements = [
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "*"},
        {"Effect": "Deny", "Action": "s3:ListBucket", "Resource": "*"},
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_user_policy(UserName="ada", PolicyName="p", PolicyDocument=document)
    actions = ["s3:GetObject", "s3:PutObject", "s3:ListBucket", "ec2:RunInstances"]
    results = iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=actions)["EvaluationResults"]
    decisions = [result["EvalDecision"] for result in results]
    assert decisions == ["allowed", "implicitDeny", "explicitDeny", "implicitDeny"]


def test_request_ids_are_unique_and_in_header_and_body(aws: EmbeddedAws, iam: Any) -> None:
    """Each answer, an error's too, carries its own request id, the one that the record holds."""
    seen = []
    for _ in range(2):
        metadata = iam.list_users()["ResponseMetadata"]
        assert metadata["RequestId"] == metadata["HTTPHeaders"]["x-amzn-requestid"]
        seen.append(metadata["RequestId"])
    with pytest.raises(iam.exceptions.NoSuchEntityException) as raised:
        iam.get_user(UserName="nope")
    metadata = raised.value.response["ResponseMetadata"]
    assert metadata["RequestId"] == metadata["HTTPHeaders"]["x-amzn-requestid"]
    seen.append(metadata["RequestId"])
    assert len(set(seen)) == 3
    assert [call.request_id for call in aws.calls()] == seen


def test_the_credential_report(iam: Any, refused: Any) -> None:
    """The report is ReportNotPresent until it is generated; then it tells who has a password."""
    iam.create_user(UserName="ada")
    iam.create_login_profile(UserName="ada", Password="Correct-horse-7")
    with refused("ReportNotPresent", 410):
        iam.get_credential_report()
    iam.generate_credential_report()
    header, line = iam.get_credential_report()["Content"].decode().splitlines()
    row = dict(zip(header.split(","), line.split(","), strict=False))
    assert (row["user"], row["password_enabled"]) == ("ada", "true")


def test_roles_are_listed_and_detailed(iam: Any) -> None:
    """Roles made through the account show in lists by name and in the authorization details."""
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "123456789012"}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    for name in ("r2", "R1"):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)
    iam.attach_role_policy(RoleName="R1", PolicyArn=READ_ONLY)
    assert [role["RoleName"] for role in iam.list_roles()["Roles"]] == ["R1", "r2"]
    details = iam.get_account_authorization_details(Filter=["Role"])["RoleDetailList"]
    assert [role["RoleName"] for role in details] == ["R1", "r2"]
    assert details[0]["AttachedManagedPolicies"][0]["PolicyArn"] == READ_ONLY


def test_what_moto_lacks_is_said_honestly(iam: Any, refused: Any) -> None:
    """An operation that nobody implements answers NotImplemented in XML, not a page of HTML."""
    with refused("NotImplemented", 501):
        iam.list_organizations_features()


def test_a_simulation_explains_itself(iam: Any) -> None:
    """The policies that had a say, what the boundary says, and the keys that it was not told are answered."""
    arn = iam.create_user(UserName="ada", PermissionsBoundary=READ_ONLY)["User"]["Arn"]
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    conditional = {**statement, "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}
    for name, content in (("plain", statement), ("mfa", conditional)):
        document = json.dumps({"Version": "2012-10-17", "Statement": [content]})
        iam.put_user_policy(UserName="ada", PolicyName=name, PolicyDocument=document)
    asked = {"PolicySourceArn": arn, "ActionNames": ["s3:PutObject"]}
    (result,) = iam.simulate_principal_policy(**asked)["EvaluationResults"]
    assert [statement["SourcePolicyId"] for statement in result["MatchedStatements"]] == ["user_ada_plain"]
    assert result["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}
    # The boundary asks for keys of its own.
    assert "aws:MultiFactorAuthPresent" in result["MissingContextValues"]
    entry = {
        "ContextKeyName": "aws:MultiFactorAuthPresent",
        "ContextKeyType": "boolean",
        "ContextKeyValues": ["true"],
    }
    (result,) = iam.simulate_principal_policy(**asked, ContextEntries=[entry])["EvaluationResults"]
    assert len(result["MatchedStatements"]) == 2
    assert "aws:MultiFactorAuthPresent" not in result["MissingContextValues"]
    keys = iam.get_context_keys_for_principal_policy(PolicySourceArn=arn)["ContextKeyNames"]
    assert keys == ["aws:MultiFactorAuthPresent"]


def test_a_service_linked_role_names_a_service(iam: Any, refused: Any) -> None:
    """What is no service of AWS's is refused."""
    with refused("InvalidInput", 400):
        iam.create_service_linked_role(AWSServiceName="mine")


@pytest.mark.parametrize(("partition", "region"), [("aws-cn", "cn-north-1"), ("aws-us-gov", "us-gov-west-1")])
def test_an_account_of_another_partition_names_everything_in_it(partition: str, region: str) -> None:
    """Users, groups, policies, devices, roles, sessions and AWS's own policies bear the partition in their ARNs."""
    own, aws = f"arn:{partition}:iam::123456789012:", f"arn:{partition}:iam::aws:policy/ReadOnlyAccess"
    with EmbeddedAws(partition=partition, access_control=True) as account:
        key = account.keep_role("r", [DOCUMENT.replace("s3:", "sts:")])
        administrator: dict[str, Any] = {
            "region_name": region,
            "endpoint_url": account.endpoint_url,
            "aws_access_key_id": account.access_key_id,
            "aws_secret_access_key": account.secret_access_key,
        }
        iam = boto3.client("iam", **administrator)
        assert boto3.client("sts", **administrator).get_caller_identity()["Arn"] == f"{own}root"
        acting: dict[str, Any] = {
            "aws_access_key_id": key.access_key_id,
            "aws_secret_access_key": key.secret_access_key,
            "aws_session_token": key.session_token,
        }
        session = boto3.client("sts", **{**administrator, **acting}).get_caller_identity()["Arn"]
        assert session.startswith(f"arn:{partition}:sts::123456789012:assumed-role/r/")
        assert iam.create_user(UserName="ada")["User"]["Arn"] == f"{own}user/ada"
        assert iam.create_group(GroupName="g")["Group"]["Arn"] == f"{own}group/g"
        assert iam.create_policy(PolicyName="p", PolicyDocument=DOCUMENT)["Policy"]["Arn"] == f"{own}policy/p"
        device = iam.create_virtual_mfa_device(VirtualMFADeviceName="d")["VirtualMFADevice"]
        assert device["SerialNumber"] == f"{own}mfa/d"
        assert iam.get_role(RoleName="r")["Role"]["Arn"] == f"{own}role/r"
        iam.attach_user_policy(UserName="ada", PolicyArn=aws)
        with pytest.raises(iam.exceptions.NoSuchEntityException):
            iam.attach_user_policy(UserName="ada", PolicyArn=READ_ONLY)
        account.reset()
        assert iam.create_user(UserName="ada")["User"]["Arn"] == f"{own}user/ada"
