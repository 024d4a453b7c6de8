"""Answers: from the service's own terms to the wire."""

from datetime import UTC, datetime

from identity_provisioning.v1.account_service_pb2 import GetAccountRequest, GetAccountResponse
from identity_provisioning.v1.credential_pb2 import AccessKey, CredentialSpec
from identity_provisioning.v1.credential_service_pb2 import CreateCredentialsRequest, CreateCredentialsResponse
from identity_provisioning.v1.error_pb2 import ERROR_REASON_GROUP_NOT_FOUND
from identity_provisioning.v1.permission_pb2 import PermissionSpec
from identity_provisioning.v1.permission_service_pb2 import AssignPermissionsRequest, AssignPermissionsResponse
from identity_provisioning.v1.plan_pb2 import PlanWarning as WirePlanWarning
from identity_provisioning.v1.user_service_pb2 import (
    CreateUserRequest,
    CreateUserResponse,
    DeleteUserRequest,
    DeleteUserResponse,
    GetUserRequest,
    GetUserResponse,
    ProvisionUserRequest,
    ProvisionUserResponse,
)
from identity_service.application.account_description import AccountDescription
from identity_service.domain.entities import (
    AccessKeyRecord,
    AccountSummary,
    AttachedPolicyRecord,
    GroupRecord,
    LoginProfileRecord,
    MfaDeviceRecord,
    UserRecord,
    UserSnapshot,
)
from identity_service.domain.errors import Reason
from identity_service.domain.outcome import ExecutedStep, IssuedAccessKey, IssuedCredentials, IssuedPassword, Outcome
from identity_service.domain.passwords import PasswordPolicy
from identity_service.domain.plan import Plan, PlanWarning, Problem, QuotaUse, WarningKind
from identity_service.domain.secret import Secret
from identity_service.domain.steps import CreateAccessKey, CreateUser
from identity_service.rpc.converters.plan import to_plan
from tests.unit.rpc.support import REQUEST_ID, RunningServer

ARN = "arn:aws:iam::123456789012:user/people/ann"
BOUNDARY = "arn:aws:iam::123456789012:policy/Boundary"
CREATED = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
USED = datetime(2026, 6, 7, 8, 9, 10, tzinfo=UTC)
USER = UserRecord(
    user_name="ann",
    user_id="AIDAEXAMPLE",
    arn=ARN,
    path="/people/",
    created_at=CREATED,
    boundary_arn=BOUNDARY,
    tags={"team": "x", "identity-provisioning:owner": "people-team"},
    password_last_used_at=USED,
)
OUTCOME = Outcome(
    user=USER,
    credentials=IssuedCredentials(
        access_key=IssuedAccessKey("AKIAEXAMPLE", CREATED, Secret("secret-key")),
        password=IssuedPassword(reset_required=True, generated=True, password=Secret("secret-password")),
    ),
    sign_in_url="https://123456789012.signin.aws.amazon.com/console",
    steps=(
        ExecutedStep("iam:CreateUser", ARN, "aws-1", CREATED),
        ExecutedStep("iam:AddUserToGroup", ARN, "", None, unchanged=True),
    ),
    replayed=True,
)


def provisioning(*, validate_only: bool = False) -> ProvisionUserRequest:
    """Build a request that is well formed."""
    request = ProvisionUserRequest(request_id=REQUEST_ID, validate_only=validate_only)
    request.user.user_name = "ann"
    return request


async def test_an_outcome_is_answered_whole_with_its_secrets(server: RunningServer) -> None:
    """The answer holds user, credentials with secrets, sign-in URL, steps and whether it is a replay."""
    server.application.answer = OUTCOME
    response = await server.call("UserService/ProvisionUser", provisioning(), ProvisionUserResponse)
    assert response.user.user_name == "ann"
    assert response.user.permissions_boundary_arn == BOUNDARY
    assert response.user.owner_team == "people-team"
    assert [(tag.key, tag.value) for tag in response.user.tags] == [
        ("identity-provisioning:owner", "people-team"),
        ("team", "x"),
    ]
    assert response.user.create_time.ToDatetime(UTC) == CREATED
    assert response.user.password_last_used_time.ToDatetime(UTC) == USED
    key, password = response.credentials.access_key, response.credentials.console_password
    assert (key.access_key_id, key.secret_access_key) == ("AKIAEXAMPLE", "secret-key")
    assert (password.password, password.reset_required, password.generated) == ("secret-password", True, True)
    assert not response.credentials.secrets_withheld
    assert response.sign_in_url == OUTCOME.sign_in_url
    first, second = response.steps
    assert (first.iam_action, first.resource, first.aws_request_id) == ("iam:CreateUser", ARN, "aws-1")
    assert first.complete_time.ToDatetime(UTC) == CREATED
    assert (second.unchanged, second.HasField("complete_time")) == (True, False)
    assert response.replayed
    assert not response.HasField("plan")


async def test_secrets_are_in_the_answer_alone(server: RunningServer) -> None:
    """Neither log nor trace of a call that hands out secrets holds one."""
    server.application.answer = OUTCOME
    await server.call("UserService/ProvisionUser", provisioning())
    written = server.log.getvalue().decode() + "".join(span.to_json() for span in await server.finished_spans())
    assert "secret-key" not in written
    assert "secret-password" not in written


async def test_withheld_secrets_are_empty(server: RunningServer) -> None:
    """A replay shows the key's id and that there were secrets, and none of them."""
    server.application.answer = OUTCOME.without_secrets()
    response = await server.call("UserService/ProvisionUser", provisioning(), ProvisionUserResponse)
    assert response.credentials.secrets_withheld
    assert response.credentials.access_key.access_key_id == "AKIAEXAMPLE"
    assert response.credentials.access_key.secret_access_key == ""
    assert response.credentials.console_password.password == ""


async def test_the_other_mutations_answer_their_parts(server: RunningServer) -> None:
    """Each door answers the parts of the outcome that its response has."""
    server.application.answer = OUTCOME
    create = CreateUserRequest(request_id=REQUEST_ID, user_name="ann")
    created = await server.call("UserService/CreateUser", create, CreateUserResponse)
    delete = DeleteUserRequest(request_id=REQUEST_ID, user_name="ann")
    deleted = await server.call("UserService/DeleteUser", delete, DeleteUserResponse)
    permissions = PermissionSpec(group_names=["g"])
    assign = AssignPermissionsRequest(request_id=REQUEST_ID, user_name="ann", permissions=permissions)
    assigned = await server.call("PermissionService/AssignPermissions", assign, AssignPermissionsResponse)
    mint = CreateCredentialsRequest(request_id=REQUEST_ID, user_name="ann", credentials=CredentialSpec(access_key=True))
    minted = await server.call("CredentialService/CreateCredentials", mint, CreateCredentialsResponse)
    for response in (created, deleted, assigned, minted):
        assert len(response.steps) == 2
        assert response.replayed
        assert not response.HasField("plan")
    assert created.user.user_name == deleted.user.user_name == "ann"
    assert minted.credentials.access_key.secret_access_key == "secret-key"
    assert minted.sign_in_url == OUTCOME.sign_in_url


async def test_validate_only_answers_the_plan_alone(server: RunningServer) -> None:
    """Every mutation answers a plan with its steps in rounds, quotas, warnings and digest, and nothing done."""
    plan = Plan(
        account_id="123456789012",
        user_name="ann",
        steps=(
            CreateAccessKey(user_name="ann", user_arn=ARN, round=3),
            CreateUser(user_name="ann", user_arn=ARN, round=1, path="/people/", boundary_arn=None),
        ),
        quota_uses=(QuotaUse("UsersQuota", 1, 2, 5000),),
        warnings=(PlanWarning(WarningKind.NO_PERMISSIONS, "nothing granted", "user.permissions"),),
    )
    server.application.answer = plan
    response = await server.call("UserService/ProvisionUser", provisioning(validate_only=True), ProvisionUserResponse)
    answered = response.plan
    assert (answered.account_id, answered.user_name, answered.digest) == ("123456789012", "ann", plan.digest)
    assert [(step.iam_action, step.round) for step in answered.steps] == [
        ("iam:CreateUser", 1),
        ("iam:CreateAccessKey", 3),
    ]
    assert all(step.resource == ARN and step.description for step in answered.steps)
    (use,) = answered.quota_uses
    assert (use.quota_name, use.used_before, use.used_after, use.limit) == ("UsersQuota", 1, 2, 5000)
    (warning,) = answered.warnings
    assert (warning.kind, warning.message, warning.field) == (
        WirePlanWarning.KIND_NO_PERMISSIONS,
        "nothing granted",
        "user.permissions",
    )
    assert not response.HasField("user")
    assert len(response.steps) == 0


def test_a_plan_with_problems_names_them_and_has_no_digest() -> None:
    """What cannot run cannot be confirmed."""
    plan = Plan("123456789012", "ann", problems=(Problem(Reason.GROUP_NOT_FOUND, "no group x", "group_names[0]"),))
    answered = to_plan(plan)
    (problem,) = answered.problems
    assert answered.digest == ""
    assert (problem.reason, problem.message, problem.field) == (
        ERROR_REASON_GROUP_NOT_FOUND,
        "no group x",
        "group_names[0]",
    )


def test_every_reason_and_kind_has_its_name_in_the_contract() -> None:
    """No warning and no problem fails to be written for lack of a name."""
    plan = Plan(
        "123456789012",
        "ann",
        warnings=tuple(PlanWarning(kind, "m") for kind in WarningKind),
        problems=tuple(Problem(reason, "m") for reason in Reason),
    )
    answered = to_plan(plan)
    assert len({warning.kind for warning in answered.warnings}) == len(WarningKind)
    assert len(answered.problems) == len(Reason)


async def test_get_user_answers_everything_but_secrets(server: RunningServer) -> None:
    """The user, console access, keys, groups, policies and MFA devices arrive."""
    server.application.snapshot = UserSnapshot(
        user=USER,
        login_profile=LoginProfileRecord(CREATED, reset_required=True),
        access_keys=(AccessKeyRecord("AKIA1", True, CREATED, USED), AccessKeyRecord("AKIA2", False, CREATED)),
        groups=(GroupRecord("devs", "arn:aws:iam::123456789012:group/devs"),),
        attached_policies=(AttachedPolicyRecord("ReadOnlyAccess", "arn:aws:iam::aws:policy/ReadOnlyAccess"),),
        inline_policies={"b": "{}", "a": '{"Version":"2012-10-17"}'},
        mfa_devices=(MfaDeviceRecord("arn:aws:iam::123456789012:mfa/ann", USED),),
    )
    request = GetUserRequest(account_id="123456789012", user_name="ANN")
    response = await server.call("UserService/GetUser", request, GetUserResponse)
    assert server.application.reads == [("spiffe://insecure.local/caller", "123456789012", "ANN")]
    assert response.user.arn == ARN
    assert response.login_profile.reset_required
    assert [(key.access_key_id, key.state) for key in response.access_keys] == [
        ("AKIA1", AccessKey.STATE_ACTIVE),
        ("AKIA2", AccessKey.STATE_INACTIVE),
    ]
    assert response.access_keys[0].last_used_time.ToDatetime(UTC) == USED
    assert not response.access_keys[1].HasField("last_used_time")
    assert list(response.group_names) == ["devs"]
    assert response.attached_policies[0].policy_arn == "arn:aws:iam::aws:policy/ReadOnlyAccess"
    assert [policy.policy_name for policy in response.inline_policies] == ["a", "b"]
    assert response.mfa_devices[0].enable_time.ToDatetime(UTC) == USED


async def test_a_bare_user_has_nothing_of_what_is_optional(server: RunningServer) -> None:
    """Without password, boundary and owner the answer leaves them out."""
    server.application.snapshot = UserSnapshot(UserRecord("ann", "AIDA1", ARN, "/", CREATED))
    response = await server.call("UserService/GetUser", GetUserRequest(user_name="ann"), GetUserResponse)
    assert not response.HasField("login_profile")
    assert not response.user.HasField("password_last_used_time")
    assert (response.user.permissions_boundary_arn, response.user.owner_team) == ("", "")


async def test_get_account_pairs_quotas_with_their_use(server: RunningServer) -> None:
    """An account-wide quota shows its use, even if it is zero; one per user shows none."""
    server.application.account = AccountDescription(
        account_id="123456789012",
        partition="aws",
        alias="example",
        sign_in_url="https://example.signin.aws.amazon.com/console",
        password_policy=PasswordPolicy(minimum_length=14, require_symbols=True, maximum_age_days=90),
        summary=AccountSummary({"UsersQuota": 5000, "Users": 0, "GroupsPerUserQuota": 10, "MFADevices": 3}),
    )
    response = await server.call("AccountService/GetAccount", GetAccountRequest(), GetAccountResponse)
    account = response.account
    assert (account.account_id, account.alias, account.partition) == ("123456789012", "example", "aws")
    assert account.sign_in_url == "https://example.signin.aws.amazon.com/console"
    policy = account.password_policy
    assert (policy.minimum_length, policy.require_symbols, policy.maximum_age_days) == (14, True, 90)
    per_user, users = account.quotas
    assert (per_user.quota_name, per_user.limit, per_user.HasField("used")) == ("GroupsPerUserQuota", 10, False)
    assert (users.quota_name, users.limit, users.HasField("used"), users.used) == ("UsersQuota", 5000, True, 0)
