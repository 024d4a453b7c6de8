"""The policy that `identity-service iam-policy` prints: it is enough, and nothing in it is too much.

The whole of this folder runs under it; here each RPC runs under its own part of it, and each of its actions is missed.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import pytest

from embedded_aws import Fault
from embedded_aws.faults import AnswerError
from identity_provisioning.v1.credential_pb2 import ConsolePasswordSpec, CredentialSpec, MfaDeviceSpec
from identity_provisioning.v1.permission_pb2 import InlinePolicy, NewPolicy, PermissionSpec
from identity_provisioning.v1.permission_service_pb2 import (
    AssignPermissionsRequest,
    CreatePolicyRequest,
    DeletePolicyRequest,
)
from identity_provisioning.v1.user_pb2 import UserSpec
from identity_provisioning.v1.user_service_pb2 import (
    AdoptUserRequest,
    CreateUserRequest,
    DeleteUserRequest,
    ProvisionUserRequest,
)
from identity_service.iam_policy import PolicyOptions, policy_documents
from identity_service.rpc_actions import NOT_BUILT, RPC_ACTIONS
from tests.integration import test_error_table, test_error_table_forward, test_error_table_reads
from tests.integration.conftest import TEAM, Account, Stubs, metadata_of, reason_of
from tests.integration.test_error_table import INLINE, SCENARIOS
from tests.integration.test_error_table_forward import TEARDOWN
from tests.integration.test_error_table_reads import MUTATIONS, READS, Call

ACCOUNT = "123456789012"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/Boundary"
WHOLE = policy_documents(PolicyOptions(ACCOUNT))
STRICT = policy_documents(
    PolicyOptions(
        ACCOUNT,
        path="/people/",
        boundaries=(BOUNDARY,),
        allowed_policies=(f"arn:aws:iam::{ACCOUNT}:policy/Deploy",),
        allowed_groups=("Developers",),
    )
)

# What the account holds, from the tests of what IAM may answer.
for_writes = test_error_table.peopled
for_reads = test_error_table_reads.peopled
doomed = test_error_table_forward.doomed
loaded = test_error_table_forward.loaded
world = test_error_table_forward.world
call = test_error_table_reads.call

Statement = Mapping[str, Any]


@dataclass(frozen=True)
class Missing:
    """An action of a statement, and the call that fails without it."""

    sid: str
    action: str
    rpc: str
    request: Callable[[Account], Any]
    named: str = ""
    prepare: Callable[[Account], object] = lambda account: None

    @property
    def refused(self) -> str:
        """The action that the caller hears of: tags are set by the call that makes what bears them."""
        return self.named or self.action


def allowing() -> Iterator[tuple[str, str]]:
    """Yield each action that the policy allows, with its statement."""
    for policy in WHOLE:
        for statement in policy["Statement"]:  # type: ignore[attr-defined] # a document as IAM reads it
            if statement["Effect"] == "Allow":
                yield from ((statement["Sid"], action) for action in statement["Action"])


def without(sid: str, action: str) -> list[Statement]:
    """Return the policy without an action of a statement."""
    return [
        {
            **policy,
            "Statement": [
                {
                    **statement,
                    "Action": [one for one in statement["Action"] if (statement["Sid"], one) != (sid, action)],
                }
                for statement in policy["Statement"]  # type: ignore[attr-defined] # a document as IAM reads it
                if statement["Action"] != [action] or statement["Sid"] != sid
            ],
        }
        for policy in WHOLE
    ]


def same(request: Any) -> Callable[[Account], Any]:
    """Copy a request each time that it is sent, without the id that an earlier sending may have given it."""

    def copy(account: Account) -> Any:
        copied = type(request)()
        copied.CopyFrom(request)
        if hasattr(copied, "request_id"):
            copied.request_id = ""
        return copied

    return copy


WRITES = {
    f"iam:{operation}": (scenario.rpc, scenario.request, scenario.prepare) for operation, scenario in SCENARIOS.items()
}
TAGGED_BY = {
    ("TagNewUsers", "iam:TagUser"): ("iam:CreateUser", "CreateUser", same(CreateUserRequest(user_name="bo"))),
    ("NewPolicies", "iam:TagPolicy"): ("iam:CreatePolicy", *WRITES["iam:CreatePolicy"][:2]),
    ("NewMfaDevices", "iam:TagMFADevice"): ("iam:CreateVirtualMFADevice", *WRITES["iam:CreateVirtualMFADevice"][:2]),
}
ADOPTION = Missing(
    "AdoptUsers",
    "iam:TagUser",
    "AdoptUser",
    same(AdoptUserRequest(user_name="zoe")),
    prepare=lambda account: account.iam.create_user(UserName="zoe"),
)
ONLY_UNDONE = ("OwnedUsers", "iam:DeleteUserPermissionsBoundary")
"""This is called for nothing but an undo."""
READ_BY = {
    **{f"iam:{operation}": rpc for rpc in ("ListUsers", "ListPolicies", "GetAccount") for operation in READS[rpc][1]},
    **{f"iam:{operation}": "GetUser" for operation in READS["GetUser"][1]},
    **{
        f"iam:{operation}": "ProvisionUser"
        for operation in (
            "GetGroup",
            "GetGroupPolicy",
            "GetPolicy",
            "GetPolicyVersion",
            "ListAttachedGroupPolicies",
            "ListGroupPolicies",
        )
    },
    **{f"iam:{operation}": "DeletePolicy" for operation in ("ListEntitiesForPolicy", "ListPolicyVersions")},
    **{
        f"iam:{operation}": "DeleteUser"
        for operation in ("ListSSHPublicKeys", "ListServiceSpecificCredentials", "ListSigningCertificates")
    },
}


def is_of_a_teardown(action: str) -> bool:
    """Tell whether only the teardown of a user does this."""
    return action.removeprefix("iam:") in TEARDOWN and action not in WRITES


WRITE_CASES = [
    Missing(sid, action, *WRITES[action][:2], prepare=WRITES[action][2])
    for sid, action in allowing()
    if action in WRITES and (sid, action) not in TAGGED_BY and sid != ADOPTION.sid
] + [Missing(*key, rpc, request, named) for key, (named, rpc, request) in TAGGED_BY.items()]
WRITE_CASES.append(ADOPTION)
READ_CASES = [
    Missing("Read", action, rpc, same(READS[rpc][0] if rpc in READS else MUTATIONS[rpc]))
    for action, rpc in READ_BY.items()
]
TEARDOWN_CASES = [
    Missing(sid, action, "DeleteUser", same(DeleteUserRequest(user_name="ana")))
    for sid, action in allowing()
    if is_of_a_teardown(action)
]


def named(case: Missing) -> str:
    """Name a case by what is missed and by whom."""
    return f"{case.sid}-{case.action.removeprefix('iam:')}-{case.rpc}"


@pytest.fixture(autouse=True)
def _whole_policy_afterwards(embedded_account: Account) -> Iterator[None]:
    yield
    embedded_account.allow_service(WHOLE)


def test_every_action_is_missed_by_somebody() -> None:
    """Each action of each statement has its scenario; no scenario is of an action that is not there."""
    cases = {(case.sid, case.action) for case in (*WRITE_CASES, *READ_CASES, *TEARDOWN_CASES)}
    assert cases | {ONLY_UNDONE} == set(allowing())


@pytest.mark.parametrize("case", WRITE_CASES, ids=named)
def test_a_write_that_is_not_allowed_fails_by_name(stubs: Stubs, for_writes: Account, case: Missing) -> None:
    """Without the action its RPC fails as AWS_ACCESS_DENIED, and says which action it was."""
    case.prepare(for_writes)
    require_denied(stubs.call, for_writes, case, "failed_step")


@pytest.mark.parametrize("case", TEARDOWN_CASES, ids=named)
def test_a_teardown_that_is_not_allowed_fails_by_name(stubs: Stubs, doomed: Account, case: Missing) -> None:
    """Without the action a user who has what it removes stays, and the error says which action it was."""
    require_denied(stubs.call, doomed, case, "failed_step")


@pytest.mark.parametrize("case", READ_CASES, ids=named)
def test_a_read_that_is_not_allowed_fails_by_name(call: Call, for_reads: Account, case: Missing) -> None:
    """Without the action its RPC fails as AWS_ACCESS_DENIED, says which action it was, and has written nothing."""
    for_reads.iam.put_group_policy(GroupName="Empty", PolicyName="inner", PolicyDocument=INLINE)
    before = for_reads.aws.dump()
    require_denied(call, for_reads, case, "aws_action")
    assert {**for_reads.aws.dump(), "roles": []} == {**before, "roles": []}


def require_denied(send: Call, account: Account, case: Missing, key: str) -> None:
    """Take the action away, and expect the refusal that names it."""
    account.allow_service(without(case.sid, case.action))
    with pytest.raises(grpc.RpcError) as caught:
        send(case.rpc, case.request(account))
    assert reason_of(caught.value) == "AWS_ACCESS_DENIED"
    assert metadata_of(caught.value)[key] == case.refused


@pytest.mark.parametrize("allowed", [True, False])
def test_a_boundary_is_taken_off_only_to_undo(stubs: Stubs, for_writes: Account, allowed: bool) -> None:
    """Where a boundary was given and the rest failed, it is taken off again; without the action, the error says so."""
    for_writes.aws.inject(Fault("PutUserPolicy", AnswerError("LimitExceeded", 409), times=None))
    if not allowed:
        for_writes.allow_service(without(*ONLY_UNDONE))
    permissions = PermissionSpec(
        permissions_boundary="Boundary", inline_policies=[InlinePolicy(policy_name="p", document=INLINE)]
    )
    with pytest.raises(grpc.RpcError) as caught:
        stubs.call("AssignPermissions", AssignPermissionsRequest(user_name="cy", permissions=permissions))
    for_writes.aws.clear_faults()
    remaining = metadata_of(caught.value)["remaining"]
    assert (remaining == "nothing") is allowed
    assert ("iam:DeleteUserPermissionsBoundary: ACCESS_DENIED" in remaining) is not allowed


@pytest.mark.parametrize("rpc", sorted((RPC_ACTIONS.keys() - NOT_BUILT) & (READS.keys() | MUTATIONS.keys())))
def test_an_rpc_needs_no_more_than_its_own_actions(call: Call, for_reads: Account, rpc: str) -> None:
    """Under the policy for this RPC alone, it does what it is there for."""
    for_reads.allow_service(policy_documents(PolicyOptions(ACCOUNT, rpcs=(rpc,))))
    request = same(READS[rpc][0] if rpc in READS else MUTATIONS[rpc])(for_reads)
    if rpc == "EnableMfaDevice":
        request.validate_only = True
    call(rpc, request)


@pytest.mark.parametrize(
    ("rpc", "failing"),
    [
        ("ProvisionUser", "CreateLoginProfile"),
        ("CreateUser", "CreateUser"),
        ("CreateCredentials", "CreateVirtualMFADevice"),
        ("AssignPermissions", "AttachUserPolicy"),
        ("CreateGroup", "AttachGroupPolicy"),
    ],
)
def test_an_rpc_can_undo_with_its_own_actions(call: Call, for_reads: Account, rpc: str, failing: str) -> None:
    """Under the policy for this RPC alone, what it made before a failure is undone."""
    for_reads.allow_service(policy_documents(PolicyOptions(ACCOUNT, rpcs=(rpc,))))
    before = for_reads.aws.dump()
    for_reads.aws.inject(Fault(failing, AnswerError("LimitExceeded", 409), times=None))
    with pytest.raises(grpc.RpcError) as caught:
        call(rpc, same(MUTATIONS[rpc])(for_reads))
    for_reads.aws.clear_faults()
    assert metadata_of(caught.value)["remaining"] == "nothing"
    assert for_reads.aws.dump() == before


def strict_user(**parts: Any) -> ProvisionUserRequest:
    """Ask for a user as the strict policy wants it, but for the parts."""
    permissions = {
        "permissions_boundary": "Boundary",
        "group_names": ["Developers"],
        "managed_policies": ["Deploy"],
        "inline_policies": [InlinePolicy(policy_name="p", document=INLINE)],
        **parts.pop("permissions", {}),
    }
    credentials = CredentialSpec(
        access_key=True, console_password=ConsolePasswordSpec(require_reset=True), mfa_device=MfaDeviceSpec()
    )
    return ProvisionUserRequest(
        user=UserSpec(
            **{
                "user_name": "bo",
                "path": "/people/",
                "credentials": credentials,
                "permissions": PermissionSpec(**permissions),
                **parts,
            }
        )
    )


def test_the_wizard_works_within_path_boundary_policies_and_groups(stubs: Stubs, account: Account) -> None:
    """A role that is held to all four provisions a user who keeps to them, and deletes it again."""
    account.allow_service(STRICT)
    answer = stubs.call("ProvisionUser", strict_user())
    assert answer.user.arn == f"arn:aws:iam::{ACCOUNT}:user/people/bo"
    stubs.call("DeleteUser", DeleteUserRequest(user_name="bo"))
    assert account.iam.list_users()["Users"] == []


@pytest.mark.parametrize(
    ("parts", "refused"),
    [
        ({"path": "/"}, "CreateUser"),
        ({"path": "/people-too/"}, "CreateUser"),
        ({"permissions": {"permissions_boundary": ""}}, "CreateUser"),
        ({"permissions": {"permissions_boundary": "OtherBoundary"}}, "CreateUser"),
        ({"permissions": {"managed_policies": ["arn:aws:iam::aws:policy/AdministratorAccess"]}}, "AttachUserPolicy"),
        ({"permissions": {"group_names": ["Administrators"]}}, "AddUserToGroup"),
    ],
)
def test_aws_refuses_what_leaves_path_boundary_policies_or_groups(
    stubs: Stubs, account: Account, parts: dict[str, Any], refused: str
) -> None:
    """Were every guard of the service open, its role could not do it; the caller hears what was denied."""
    account.iam.create_group(GroupName="Administrators")
    account.allow_service(STRICT)
    before = account.aws.dump()
    with pytest.raises(grpc.RpcError) as caught:
        stubs.call("ProvisionUser", strict_user(**parts))
    assert reason_of(caught.value) == "AWS_ACCESS_DENIED"
    assert metadata_of(caught.value)["failed_step"] == f"iam:{refused}"
    assert metadata_of(caught.value)["remaining"] == "nothing"
    assert account.aws.dump() == before


@pytest.mark.parametrize(("path", "allowed"), [("/people/", True), ("/", False)])
def test_only_users_under_the_path_are_adopted(stubs: Stubs, account: Account, path: str, allowed: bool) -> None:
    """A role that is held to a path takes a user of the path, who is then out of reach without the boundary still."""
    account.iam.create_user(UserName="zoe", Path=path, Tags=[{"Key": "team", "Value": "web"}])
    account.allow_service(STRICT)
    if not allowed:
        with pytest.raises(grpc.RpcError) as caught:
            stubs.call("AdoptUser", AdoptUserRequest(user_name="zoe"))
        assert reason_of(caught.value) == "AWS_ACCESS_DENIED"
        assert metadata_of(caught.value)["failed_step"] == "iam:TagUser"
        return
    assert stubs.call("AdoptUser", AdoptUserRequest(user_name="zoe")).user.owner_team == TEAM
    permissions = PermissionSpec(inline_policies=[InlinePolicy(policy_name="p", document=INLINE)])
    with pytest.raises(grpc.RpcError) as refused:
        stubs.call("AssignPermissions", AssignPermissionsRequest(user_name="zoe", permissions=permissions))
    assert metadata_of(refused.value)["failed_step"] == "iam:PutUserPolicy"


def test_a_policy_that_the_service_made_is_not_the_boundarys(stubs: Stubs, account: Account) -> None:
    """The boundary's own policy cannot be deleted, also where its tags say that a team owns it."""
    account.allow_service(WHOLE)
    made = stubs.call("CreatePolicy", CreatePolicyRequest(policy=NewPolicy(policy_name="Limit", document=INLINE)))
    limited = PolicyOptions(ACCOUNT, boundaries=(made.policy.arn,))
    account.allow_service(policy_documents(limited))
    with pytest.raises(grpc.RpcError) as caught:
        stubs.call("DeletePolicy", DeletePolicyRequest(policy_arn=made.policy.arn))
    assert reason_of(caught.value) == "AWS_ACCESS_DENIED"
