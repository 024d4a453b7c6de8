"""Bad input: a typed error that names the field, and an account that is as it was, byte for byte."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import grpc
import pytest

from embedded_aws import Fault
from embedded_aws.faults import AnswerError, CloseConnection
from identity_client import ConsolePassword, IdentityClient, IdentityServiceError
from identity_provisioning.v1.user_pb2 import UserSpec
from identity_provisioning.v1.user_service_pb2 import ProvisionUserRequest
from identity_provisioning.v1.user_service_pb2_grpc import UserServiceStub
from tests.integration.conftest import Account, document, reason_of

PROVISION = {"user_name": "ana"}
GOOD_STATEMENT = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}


@pytest.fixture
def prepared(account: Account) -> Iterator[Account]:
    """Add eleven groups, ten policies and a user; whatever a test does, the account has to stay like this."""
    for number in range(11):
        account.iam.create_group(GroupName=f"Group{number}")
        account.iam.create_policy(PolicyName=f"Policy{number}", PolicyDocument=document(GOOD_STATEMENT))
    account.iam.create_user(UserName="Taken")
    before = account.aws.dump()
    yield account
    assert account.aws.dump() == before


BAD_INPUT: dict[str, tuple[dict[str, Any], str, str]] = {
    "empty name": ({"user_name": ""}, "INVALID_FIELD", "user.user_name"),
    "name with a space": ({"user_name": "a b"}, "INVALID_FIELD", "user.user_name"),
    "name of 65": ({"user_name": "a" * 65}, "INVALID_FIELD", "user.user_name"),
    "name outside ASCII": ({"user_name": "añá"}, "INVALID_FIELD", "user.user_name"),
    "name taken in another case": ({"user_name": "tAKEN"}, "USER_ALREADY_EXISTS", "user.user_name"),
    "path without slashes": ({"path": "people"}, "INVALID_FIELD", "user.path"),
    "path of 513": ({"path": f"/{'a' * 511}/"}, "INVALID_FIELD", "user.path"),
    "tag key of 129": ({"tags": {"k" * 129: "v"}}, "INVALID_FIELD", "user.tags[0].key"),
    "tag value of 257": ({"tags": {"k": "v" * 257}}, "INVALID_FIELD", "user.tags[0].value"),
    "tag with our prefix": ({"tags": {"Identity-Provisioning:owner": "me"}}, "INVALID_FIELD", "user.tags[0].key"),
    "tag with AWS's prefix": ({"tags": {"AWS:x": "y"}}, "INVALID_FIELD", "user.tags[0].key"),
    "tag key twice": ({"tags": {"dept": "1", "Dept": "2"}}, "INVALID_FIELD", "user.tags[0].key"),
    "51 tags": ({"tags": {f"k{n}": "v" for n in range(51)}}, "INVALID_FIELD", "user.tags"),
    "49 tags beside ours": ({"tags": {f"k{n}": "v" for n in range(49)}}, "INVALID_FIELD", "user.tags"),
    "unknown group": ({"groups": ["Nobody"]}, "GROUP_NOT_FOUND", "user.permissions.group_names[0]"),
    "bad group name": ({"groups": ["a b"]}, "INVALID_FIELD", "user.permissions.group_names[0]"),
    "group twice": ({"groups": ["Group1", "gROUP1"]}, "INVALID_FIELD", "user.permissions.group_names[1]"),
    "11th group": (
        {"groups": [f"Group{n}" for n in range(11)]},
        "QUOTA_EXCEEDED",
        "user.permissions.group_names",
    ),
    "unknown policy by name": ({"policies": ["Nothing"]}, "POLICY_NOT_FOUND", "user.permissions.managed_policies[0]"),
    "unknown policy by ARN": (
        {"policies": ["arn:aws:iam::aws:policy/Nothing"]},
        "POLICY_NOT_FOUND",
        "user.permissions.managed_policies[0]",
    ),
    "malformed policy ARN": (
        {"policies": ["arn:aws:iam::12:policy/x"]},
        "INVALID_FIELD",
        "user.permissions.managed_policies[0]",
    ),
    "11th policy": (
        {"policies": [f"Policy{n}" for n in range(11)]},
        "QUOTA_EXCEEDED",
        "user.permissions.managed_policies",
    ),
    "11th policy by the reset": (
        {"policies": [f"Policy{n}" for n in range(10)], "console_password": ConsolePassword(require_reset=True)},
        "QUOTA_EXCEEDED",
        "user.permissions.managed_policies",
    ),
    "inline policies too long": (
        {"inline_policies": {"long": document({**GOOD_STATEMENT, "Resource": "arn:aws:s3:::" + "b" * 2048})}},
        "QUOTA_EXCEEDED",
        "user.permissions.inline_policies",
    ),
    "document that is not JSON": (
        {"inline_policies": {"p": "{"}},
        "MALFORMED_POLICY_DOCUMENT",
        "user.permissions.inline_policies[0].document",
    ),
    "document without a version": (
        {"inline_policies": {"p": '{"Statement": []}'}},
        "MALFORMED_POLICY_DOCUMENT",
        "user.permissions.inline_policies[0].document",
    ),
    "action without a service": (
        {"inline_policies": {"p": document({**GOOD_STATEMENT, "Action": "invalid"})}},
        "MALFORMED_POLICY_DOCUMENT",
        "user.permissions.inline_policies[0].document",
    ),
    "operator of a condition that IAM does not have": (
        {"inline_policies": {"p": document({**GOOD_STATEMENT, "Condition": {"StringEqualz": {"aws:username": "a"}}})}},
        "MALFORMED_POLICY_DOCUMENT",
        "user.permissions.inline_policies[0].document",
    ),
    "unknown partition": (
        {"inline_policies": {"p": document({**GOOD_STATEMENT, "Resource": "arn:error:s3:::b"})}},
        "MALFORMED_POLICY_DOCUMENT",
        "user.permissions.inline_policies[0].document",
    ),
    "two Sids alike": (
        {"inline_policies": {"p": document({**GOOD_STATEMENT, "Sid": "A"}, {**GOOD_STATEMENT, "Sid": "A"})}},
        "MALFORMED_POLICY_DOCUMENT",
        "user.permissions.inline_policies[0].document",
    ),
    "bad inline policy name": (
        {"inline_policies": {"a b": document(GOOD_STATEMENT)}},
        "INVALID_FIELD",
        "user.permissions.inline_policies[0].policy_name",
    ),
    "refused password": (
        {"console_password": ConsolePassword(custom="short")},
        "PASSWORD_POLICY_VIOLATION",
        "user.credentials.console_password.custom_password",
    ),
    "password of 129": (
        {"console_password": ConsolePassword(custom="Aa1!" * 33)},
        "INVALID_FIELD",
        "user.credentials.console_password.custom_password",
    ),
    "unknown boundary": (
        {"boundary": "Nothing"},
        "POLICY_NOT_FOUND",
        "user.permissions.permissions_boundary",
    ),
    "boundary that is no policy": (
        {"boundary": "arn:aws:iam::123456789012:user/Taken"},
        "INVALID_FIELD",
        "user.permissions.permissions_boundary",
    ),
    "digest that is none": ({"expected_plan_digest": "x"}, "INVALID_FIELD", "expected_plan_digest"),
    "account id that is none": ({"account_id": "12"}, "INVALID_FIELD", "account_id"),
    "request id that is none": ({"request_id": "not-a-uuid"}, "INVALID_FIELD", "request_id"),
}


@pytest.mark.parametrize("bad", BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_changes_nothing(
    client: IdentityClient, prepared: Account, bad: tuple[dict[str, Any], str, str]
) -> None:
    """Every violated rule is answered with its reason and its field before anything is written."""
    parameters, reason, field = bad
    with pytest.raises(IdentityServiceError) as caught:
        client.provision_user(**{**PROVISION, **parameters})
    assert caught.value.reason == reason
    assert field in {violation.field for violation in caught.value.field_violations}
    assert not [
        name for name, _ in prepared.writes() if name in ("CreateUser", "DeleteUser") and _["UserName"] == "ana"
    ]


def test_the_other_rpcs_refuse_bad_input_alike(client: IdentityClient, account: Account) -> None:
    """CreateUser, CreateCredentials, AssignPermissions and DeleteUser name the field and change nothing."""
    client.provision_user("ana", access_key=True, console_password=True, groups=["Developers"])
    client.create_credentials("ana", access_key=True)
    before = account.aws.dump()
    attempts: list[tuple[Callable[[], object], str, str]] = [
        (lambda: client.create_user("ANA"), "USER_ALREADY_EXISTS", "user_name"),
        (lambda: client.create_user("bo", boundary="Nothing"), "POLICY_NOT_FOUND", "permissions_boundary"),
        (lambda: client.create_user("bo", path="x"), "INVALID_FIELD", "path"),
        (lambda: client.create_user("bo", tags={"aws:x": "y"}), "INVALID_FIELD", "tags[0].key"),
        (lambda: client.create_credentials("ana"), "INVALID_FIELD", "credentials"),
        (lambda: client.create_credentials("ana", access_key=True), "QUOTA_EXCEEDED", "credentials.access_key"),
        (
            lambda: client.create_credentials("ana", console_password=True),
            "PASSWORD_ALREADY_EXISTS",
            "credentials.console_password",
        ),
        (
            lambda: client.assign_permissions("ana", groups=["Nobody"]),
            "GROUP_NOT_FOUND",
            "permissions.group_names[0]",
        ),
        (
            lambda: client.assign_permissions("ana", boundary="Nothing"),
            "POLICY_NOT_FOUND",
            "permissions.permissions_boundary",
        ),
        (
            lambda: client.assign_permissions("ana", inline_policies={"p": "[]"}),
            "MALFORMED_POLICY_DOCUMENT",
            "permissions.inline_policies[0].document",
        ),
        (lambda: client.delete_user("a b"), "INVALID_FIELD", "user_name"),
        (lambda: client.get_user(""), "INVALID_FIELD", "user_name"),
    ]
    for attempt, reason, field in attempts:
        with pytest.raises(IdentityServiceError) as caught:
            attempt()
        assert caught.value.reason == reason
        assert field in {violation.field for violation in caught.value.field_violations}
    assert account.aws.dump() == before


def test_every_violation_is_named_at_once(client: IdentityClient, prepared: Account) -> None:
    """Nobody has to send a request five times to hear of five mistakes."""
    with pytest.raises(IdentityServiceError) as contract:
        client.provision_user("a b", path="x", tags={"aws:x": "1"}, groups=["a b"], policies=["a b"])
    assert {violation.field for violation in contract.value.field_violations} == {
        "user.user_name",
        "user.path",
        "user.tags[0].key",
        "user.permissions.group_names[0]",
        "user.permissions.managed_policies[0]",
    }
    with pytest.raises(IdentityServiceError) as rules:
        client.provision_user("Taken", groups=["Nobody"], policies=["Nothing"], boundary="None")
    assert {violation.field for violation in rules.value.field_violations} == {
        "user.user_name",
        "user.permissions.group_names[0]",
        "user.permissions.managed_policies[0]",
        "user.permissions.permissions_boundary",
    }


def test_a_review_answers_the_problems_inside_the_plan(client: IdentityClient, prepared: Account) -> None:
    """The review page shows steps and problems together; such a plan has no digest to run it by."""
    plan = client.provision_user("Taken", groups=["Nobody"], policies=["Policy1"], validate_only=True).plan
    assert {problem.field for problem in plan.problems} == {"user.user_name", "user.permissions.group_names[0]"}
    assert any(step.iam_action == "iam:AttachUserPolicy" for step in plan.steps)
    assert plan.digest == ""


def test_a_quota_failure_names_quota_and_figures(client: IdentityClient, prepared: Account) -> None:
    """The caller hears which quota, how much is used, and what the limit is."""
    with pytest.raises(IdentityServiceError) as caught:
        client.provision_user("ana", groups=[f"Group{number}" for number in range(11)])
    (violation,) = caught.value.quota_violations
    assert "GroupsPerUserQuota" in violation.subject + violation.description
    assert "10" in violation.description


def test_another_account_is_not_found(client: IdentityClient, prepared: Account) -> None:
    """An account that is not configured is NOT_FOUND, for reads as well."""
    for attempt in (
        lambda: client.provision_user("ana", account_id="210987654321"),
        lambda: client.get_account(account_id="210987654321"),
    ):
        with pytest.raises(IdentityServiceError) as caught:
            attempt()
        assert caught.value.reason == "ACCOUNT_NOT_FOUND"


def test_unreachable_aws_is_said_to_be(stub: UserServiceStub, prepared: Account) -> None:
    """Where AWS does not answer, the caller is told to try again, and nothing is done."""
    prepared.aws.inject(Fault("GetAccountSummary", CloseConnection(do_it=False), times=None))
    request = ProvisionUserRequest(request_id=str(uuid4()), user=UserSpec(user_name="ana"))
    with pytest.raises(grpc.RpcError) as caught:
        stub.ProvisionUser(request, timeout=20)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert reason_of(caught.value) == "AWS_UNAVAILABLE"


def test_refused_credentials_are_the_operators_business(client: IdentityClient, prepared: Account) -> None:
    """Where AWS refuses the service's own key, the caller hears so, and nothing is done."""
    prepared.aws.inject(Fault("*", AnswerError("InvalidClientTokenId", 403), times=None))
    with pytest.raises(IdentityServiceError) as caught:
        client.provision_user("ana", request_id=str(uuid4()))
    prepared.aws.clear_faults()
    assert caught.value.reason == "AWS_CREDENTIALS_REFUSED"
