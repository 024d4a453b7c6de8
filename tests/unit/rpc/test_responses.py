"""Answers: from the service's own terms to the wire."""

import base64
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.message import Message

from identity_provisioning.v1.account_service_pb2 import GetAccountRequest, GetAccountResponse
from identity_provisioning.v1.credential_pb2 import AccessKey, CredentialSpec
from identity_provisioning.v1.credential_service_pb2 import (
    CreateCredentialsRequest,
    CreateCredentialsResponse,
    CreateMfaDeviceRequest,
    CreateMfaDeviceResponse,
    DeleteMfaDeviceRequest,
    DeleteMfaDeviceResponse,
    DisableConsoleAccessRequest,
    DisableConsoleAccessResponse,
    EnableMfaDeviceRequest,
    EnableMfaDeviceResponse,
)
from identity_provisioning.v1.error_pb2 import ERROR_REASON_GROUP_NOT_FOUND
from identity_provisioning.v1.permission_pb2 import NewGroup, NewPolicy, PermissionSpec
from identity_provisioning.v1.permission_service_pb2 import (
    AssignPermissionsRequest,
    AssignPermissionsResponse,
    CreateGroupRequest,
    CreateGroupResponse,
    CreatePolicyRequest,
    CreatePolicyResponse,
    DeleteGroupRequest,
    DeleteGroupResponse,
    DeletePolicyRequest,
    DeletePolicyResponse,
    RevokePermissionsRequest,
    RevokePermissionsResponse,
)
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
    UpdateUserRequest,
    UpdateUserResponse,
)
from identity_service.application.account_description import AccountDescription
from identity_service.domain import target
from identity_service.domain.entities import (
    AccessKeyRecord,
    AccountSummary,
    AttachedPolicyRecord,
    GroupDetails,
    GroupRecord,
    LoginProfileRecord,
    MfaDeviceRecord,
    PolicyDetails,
    UserRecord,
    UserSnapshot,
)
from identity_service.domain.errors import Reason
from identity_service.domain.outcome import (
    ExecutedStep,
    IssuedAccessKey,
    IssuedCredentials,
    IssuedMfaDevice,
    IssuedPassword,
    Outcome,
)
from identity_service.domain.passwords import PasswordPolicy
from identity_service.domain.plan import Plan, PlanWarning, Problem, QuotaUse, Severity, WarningKind
from identity_service.domain.secret import Secret
from identity_service.domain.steps import CreateAccessKey, CreateGroup, CreateUser
from identity_service.domain.target import Target, TargetKind
from identity_service.rpc.converters.plan import to_plan
from tests.unit.rpc.support import REQUEST_ID, RunningServer

ARN = "arn:aws:iam::123456789012:user/people/ann"
BOUNDARY = "arn:aws:iam::123456789012:policy/Boundary"
GROUP_ARN = "arn:aws:iam::123456789012:group/eng/devs"
POLICY_ARN = "arn:aws:iam::123456789012:policy/Deploy"
SERIAL = "arn:aws:iam::123456789012:mfa/ann"
PNG = b"\x89PNG\r\n\x1a\n-secret-picture"
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
        mfa_device=IssuedMfaDevice(SERIAL, Secret("SECRETSEED"), Secret(base64.b64encode(PNG).decode())),
    ),
    group=GroupDetails(
        group_name="devs",
        group_id="AGPAEXAMPLE",
        arn=GROUP_ARN,
        path="/eng/",
        created_at=CREATED,
        attached_policies=(AttachedPolicyRecord("ReadOnlyAccess", "arn:aws:iam::aws:policy/ReadOnlyAccess"),),
    ),
    policy=PolicyDetails(
        policy_name="Deploy",
        policy_id="ANPAEXAMPLE",
        arn=POLICY_ARN,
        path="/",
        default_version_id="v1",
        attachment_count=0,
        boundary_usage_count=0,
        created_at=CREATED,
        updated_at=USED,
        description="to deploy",
    ),
    mfa_device=MfaDeviceRecord(SERIAL, USED),
    access_keys=(AccessKeyRecord("AKIA1", True, CREATED), AccessKeyRecord("AKIA2", False, CREATED)),
    sign_in_url="https://123456789012.signin.aws.amazon.com/console",
    steps=(
        ExecutedStep("iam:CreateUser", ARN, "aws-1", CREATED, description="create user ann"),
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
    assert first.description == "create user ann"
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
    for secret in ("secret-key", "secret-password", "SECRETSEED", "secret-picture"):
        assert secret not in written


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


COMMON: dict[str, Any] = {"request_id": REQUEST_ID, "user_name": "ann"}
OF_GROUP: dict[str, Any] = {"request_id": REQUEST_ID, "group": NewGroup(group_name="devs")}
OF_POLICY: dict[str, Any] = {"request_id": REQUEST_ID, "policy": NewPolicy(policy_name="Deploy", document="{}")}
CODES: dict[str, Any] = {"first_code": "123456", "second_code": "654321"}
MUTATIONS: list[tuple[str, Message, Any, set[str]]] = [
    ("UserService/UpdateUser", UpdateUserRequest(**COMMON), UpdateUserResponse, {"user"}),
    (
        "CredentialService/DisableConsoleAccess",
        DisableConsoleAccessRequest(**COMMON),
        DisableConsoleAccessResponse,
        {"access_keys"},
    ),
    ("CredentialService/CreateMfaDevice", CreateMfaDeviceRequest(**COMMON), CreateMfaDeviceResponse, {"credentials"}),
    (
        "CredentialService/EnableMfaDevice",
        EnableMfaDeviceRequest(serial_number=SERIAL, **CODES, **COMMON),
        EnableMfaDeviceResponse,
        {"mfa_device"},
    ),
    (
        "CredentialService/DeleteMfaDevice",
        DeleteMfaDeviceRequest(serial_number=SERIAL, **COMMON),
        DeleteMfaDeviceResponse,
        set(),
    ),
    ("PermissionService/RevokePermissions", RevokePermissionsRequest(**COMMON), RevokePermissionsResponse, set()),
    ("PermissionService/CreateGroup", CreateGroupRequest(**OF_GROUP), CreateGroupResponse, {"group"}),
    (
        "PermissionService/DeleteGroup",
        DeleteGroupRequest(request_id=REQUEST_ID, group_name="devs"),
        DeleteGroupResponse,
        set(),
    ),
    ("PermissionService/CreatePolicy", CreatePolicyRequest(**OF_POLICY), CreatePolicyResponse, {"policy"}),
    (
        "PermissionService/DeletePolicy",
        DeletePolicyRequest(request_id=REQUEST_ID, policy_arn=POLICY_ARN),
        DeletePolicyResponse,
        set(),
    ),
]


@pytest.mark.parametrize(("method", "request_message", "response_type", "parts"), MUTATIONS)
async def test_each_mutation_answers_its_parts(
    server: RunningServer, method: str, request_message: Message, response_type: Any, parts: set[str]
) -> None:
    """An answer holds the steps, whether it is a replay, and the parts of the outcome that the RPC is about."""
    server.application.answer = OUTCOME
    response = await server.call(method, request_message, response_type)
    assert {field.name for field, _ in response.ListFields()} == {"steps", "replayed", *parts}
    assert [step.iam_action for step in response.steps] == ["iam:CreateUser", "iam:AddUserToGroup"]


@pytest.mark.parametrize(("method", "request_message", "response_type", "parts"), MUTATIONS)
async def test_each_mutation_answers_its_plan_alone(
    server: RunningServer, method: str, request_message: Message, response_type: Any, parts: set[str]
) -> None:
    """With `validate_only` the plan comes, and nothing looks as if it were done."""
    server.application.answer = Plan("123456789012", target.user("ann"))
    response = await server.call(method, request_message, response_type)
    assert [field.name for field, _ in response.ListFields()] == ["plan"]
    assert response.plan.user_name == "ann"


@pytest.mark.parametrize(("method", "request_message", "response_type", "parts"), MUTATIONS)
async def test_each_mutation_without_its_parts_leaves_them_out(
    server: RunningServer, method: str, request_message: Message, response_type: Any, parts: set[str]
) -> None:
    """What the application could not read again is absent, and no fault."""
    response = await server.call(method, request_message, response_type)
    assert response.ListFields() == []


async def test_a_group_and_a_policy_are_answered_as_iam_has_them(server: RunningServer) -> None:
    """Names, ids, ARNs, paths, times and what is attached arrive."""
    server.application.answer = OUTCOME
    group = (
        await server.call("PermissionService/CreateGroup", CreateGroupRequest(**OF_GROUP), CreateGroupResponse)
    ).group
    policy = (
        await server.call("PermissionService/CreatePolicy", CreatePolicyRequest(**OF_POLICY), CreatePolicyResponse)
    ).policy
    assert (group.group_name, group.group_id, group.arn, group.path) == ("devs", "AGPAEXAMPLE", GROUP_ARN, "/eng/")
    assert [attached.policy_name for attached in group.attached_policies] == ["ReadOnlyAccess"]
    assert (policy.policy_name, policy.policy_id, policy.arn) == ("Deploy", "ANPAEXAMPLE", POLICY_ARN)
    assert (policy.description, policy.default_version_id) == ("to deploy", "v1")
    assert (policy.create_time.ToDatetime(UTC), policy.update_time.ToDatetime(UTC)) == (CREATED, USED)


async def test_disabling_console_access_answers_the_keys_that_stay(server: RunningServer) -> None:
    """Active keys, which still work, are told from those that are switched off."""
    server.application.answer = OUTCOME
    request = DisableConsoleAccessRequest(**COMMON)
    response = await server.call("CredentialService/DisableConsoleAccess", request, DisableConsoleAccessResponse)
    assert [(key.access_key_id, key.state) for key in response.access_keys] == [
        ("AKIA1", AccessKey.STATE_ACTIVE),
        ("AKIA2", AccessKey.STATE_INACTIVE),
    ]


async def test_an_enabled_device_is_answered_with_its_time(server: RunningServer) -> None:
    """The device that was enabled comes with its serial number and when that was."""
    server.application.answer = OUTCOME
    request = EnableMfaDeviceRequest(serial_number=SERIAL, **CODES, **COMMON)
    response = await server.call("CredentialService/EnableMfaDevice", request, EnableMfaDeviceResponse)
    assert response.mfa_device.serial_number == SERIAL
    assert response.mfa_device.enable_time.ToDatetime(UTC) == USED


async def test_a_new_mfa_device_shows_its_secrets_in_the_answer_alone(server: RunningServer) -> None:
    """Seed and picture are in the answer, the picture as an image; neither log nor trace holds one, in any form."""
    server.application.answer = OUTCOME
    request = CreateMfaDeviceRequest(**COMMON)
    response = await server.call("CredentialService/CreateMfaDevice", request, CreateMfaDeviceResponse)
    device = response.credentials.mfa_device
    assert (device.serial_number, device.base32_seed, device.qr_code_png) == (SERIAL, "SECRETSEED", PNG)
    written = server.log.getvalue().decode() + "".join(span.to_json() for span in await server.finished_spans())
    for secret in ("SECRETSEED", "secret-picture", base64.b64encode(PNG).decode()):
        assert secret not in written


async def test_a_replayed_mfa_device_is_without_its_secrets(server: RunningServer) -> None:
    """A replay names the device and says that its secrets were answered before."""
    server.application.answer = OUTCOME.replay()
    request = CreateMfaDeviceRequest(**COMMON)
    response = await server.call("CredentialService/CreateMfaDevice", request, CreateMfaDeviceResponse)
    device = response.credentials.mfa_device
    assert (device.serial_number, device.base32_seed, device.qr_code_png) == (SERIAL, "", b"")
    assert response.credentials.secrets_withheld
    assert response.replayed


@pytest.mark.parametrize(
    ("plan_target", "field", "name"),
    [
        (Target(TargetKind.USER, "ann"), "user_name", "ann"),
        (Target(TargetKind.GROUP, "devs"), "group_name", "devs"),
        (Target(TargetKind.POLICY, POLICY_ARN), "policy", POLICY_ARN),
    ],
)
def test_a_plan_says_what_it_changes(plan_target: Target, field: str, name: str) -> None:
    """Each kind of target has its field, and only that one is set."""
    answered = to_plan(Plan("123456789012", plan_target))
    assert answered.WhichOneof("target") == field
    assert getattr(answered, field) == name


async def test_validate_only_answers_the_plan_alone(server: RunningServer) -> None:
    """Every mutation answers a plan with its steps in rounds, quotas, warnings and digest, and nothing done."""
    plan = Plan(
        account_id="123456789012",
        target=target.user("ann"),
        steps=(
            CreateAccessKey(user_name="ann", user_arn=ARN, round=3),
            CreateUser(user_name="ann", user_arn=ARN, round=1, path="/people/", boundary_arn=None),
        ),
        satisfied=(CreateGroup(group_name="Readers", group_arn=ARN, round=2, path="/"),),
        quota_uses=(QuotaUse("UsersQuota", 1, 2, 5000), QuotaUse("PolicySizeQuota", 0, 9, 6144, "Reading")),
        warnings=(
            PlanWarning(WarningKind.NO_PERMISSIONS, "nothing granted", "user.permissions"),
            PlanWarning(WarningKind.REMAINS, "moves along: tags", severity=Severity.INFORMATION),
        ),
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
    (already,) = answered.unchanged_steps
    assert (already.iam_action, already.description, already.round) == ("iam:CreateGroup", "make group Readers in /", 0)
    use, other_use = answered.quota_uses
    assert (use.quota_name, use.used_before, use.used_after, use.limit) == ("UsersQuota", 1, 2, 5000)
    assert (use.subject, other_use.subject) == ("", "Reading")
    warning, note = answered.warnings
    assert warning.severity == WirePlanWarning.SEVERITY_WARNING
    assert note.severity == WirePlanWarning.SEVERITY_INFORMATION
    assert (warning.kind, warning.message, warning.field) == (
        WirePlanWarning.KIND_NO_PERMISSIONS,
        "nothing granted",
        "user.permissions",
    )
    assert not response.HasField("user")
    assert len(response.steps) == 0


def test_a_plan_with_problems_names_them_and_has_no_digest() -> None:
    """What cannot run cannot be confirmed."""
    plan = Plan(
        "123456789012", target.user("ann"), problems=(Problem(Reason.GROUP_NOT_FOUND, "no group x", "group_names[0]"),)
    )
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
        target.user("ann"),
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
