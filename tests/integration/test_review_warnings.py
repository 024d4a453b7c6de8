"""What the review page warns of, through a real channel: groups count, and escalation hides behind no pattern."""

from typing import Any

import grpc
import pytest

from embedded_aws import Fault
from embedded_aws.faults import AnswerError
from identity_provisioning.v1.credential_pb2 import ConsolePasswordSpec, CredentialSpec
from identity_provisioning.v1.credential_service_pb2 import CreateCredentialsRequest
from identity_provisioning.v1.permission_pb2 import InlinePolicy, NewPolicy, PermissionSpec
from identity_provisioning.v1.permission_service_pb2 import AssignPermissionsRequest, CreatePolicyRequest
from identity_provisioning.v1.plan_pb2 import PlanWarning
from identity_provisioning.v1.user_pb2 import UserSpec
from identity_provisioning.v1.user_service_pb2 import ProvisionUserRequest
from tests.integration.conftest import Account, Stubs, document, metadata_of, reason_of

RESET = CredentialSpec(console_password=ConsolePasswordSpec(require_reset=True))
DENY = document({"Effect": "Deny", "Action": "iam:*", "Resource": "*"})
NEEDS_MFA = document(
    {
        "Effect": "Deny",
        "NotAction": "iam:EnableMFADevice",
        "Resource": "*",
        "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
    }
)
S3_ALONE = document({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
ADMIN = document({"Effect": "Allow", "Action": "*", "Resource": "*"})
MINT = document({"Effect": "Allow", "Action": "iam:CreateAcc*", "Resource": "arn:aws:iam::123456789012:user/*"})


def warnings(stubs: Stubs, rpc: str, request: Any) -> list[tuple[str, str, str]]:
    """Review a request; return kind, words and field of what is warned of."""
    request.validate_only = True
    plan = stubs.call(rpc, request).plan
    return [(PlanWarning.Kind.Name(found.kind)[5:], found.message, found.field) for found in plan.warnings]


def of_kind(found: list[tuple[str, str, str]], kind: str) -> list[tuple[str, str]]:
    """Return words and field of the warnings of a kind."""
    return [(message, field) for each, message, field in found if each == kind]


def provision(stubs: Stubs, **parts: Any) -> list[tuple[str, str, str]]:
    """Review the wizard for a new user ana."""
    return warnings(stubs, "ProvisionUser", ProvisionUserRequest(user=UserSpec(user_name="ana", **parts)))


def assign(stubs: Stubs, **parts: Any) -> list[tuple[str, str, str]]:
    """Review more permissions for ana."""
    request = AssignPermissionsRequest(user_name="ana", permissions=PermissionSpec(**parts))
    return warnings(stubs, "AssignPermissions", request)


def make_group(account: Account, name: str, inline: dict[str, str], **managed: str) -> None:
    """Put a group there with inline policies and with managed policies of its own."""
    account.iam.create_group(GroupName=name)
    for policy, text in inline.items():
        account.iam.put_group_policy(GroupName=name, PolicyName=policy, PolicyDocument=text)
    for policy, text in managed.items():
        arn = account.iam.create_policy(PolicyName=policy, PolicyDocument=text)["Policy"]["Arn"]
        account.iam.attach_group_policy(GroupName=name, PolicyArn=arn)


@pytest.mark.parametrize("copied", [False, True], ids=["named", "copied"])
def test_a_group_that_grants_too_much_is_named(stubs: Stubs, account: Account, copied: bool) -> None:
    """Inline and managed policies of a group are found, with the group that brings them; nothing is written."""
    make_group(account, "Ops", {"all": ADMIN}, Minting=MINT)
    account.iam.create_user(UserName="model")
    account.iam.add_user_to_group(UserName="model", GroupName="Ops")
    account.aws.clear_calls()
    asked = PermissionSpec(copy_from_user_name="model") if copied else PermissionSpec(group_names=["Ops"])
    found = provision(stubs, permissions=asked)
    field = "permissions.copy_from_user_name" if copied else "permissions.group_names[0]"
    words = "inline policy all of group Ops: statement 1 allows every action on every resource"
    assert of_kind(found, "WILDCARD") == [(words, f"user.{field}")]
    managed, inline = of_kind(found, "ESCALATION")
    assert managed == (
        f"with policy {account.policy_arn('Minting')} of group Ops a user can gain more rights: iam:CreateAccessKey",
        f"user.{field}",
    )
    assert inline[0].startswith("with inline policy all of group Ops a user can gain more rights: ")
    assert account.writes() == []
    reads = [(call.operation, str(call.parameters)) for call in account.aws.calls()]
    assert len(reads) == len(set(reads))


@pytest.mark.parametrize(
    ("text", "kind"), [(DENY, "RESET_DEADLOCK"), (NEEDS_MFA, "MFA_DEADLOCK")], ids=["denied", "without MFA"]
)
@pytest.mark.parametrize("inline", [True, False], ids=["inline", "managed"])
def test_a_group_that_stands_before_the_reset(
    stubs: Stubs, account: Account, text: str, kind: str, inline: bool
) -> None:
    """A new user in such a group could never sign in, nor could a member who gets a password."""
    if inline:
        make_group(account, "Ops", {"no": text})
    else:
        make_group(account, "Ops", {}, No=text)
    name = "inline policy no of group Ops" if inline else f"policy {account.policy_arn('No')} of group Ops"
    ((message, _),) = of_kind(
        provision(stubs, credentials=RESET, permissions=PermissionSpec(group_names=["Ops"])), kind
    )
    assert f"but {name} denies iam:ChangePassword" in message
    stubs.call(
        "ProvisionUser",
        ProvisionUserRequest(user=UserSpec(user_name="ana", permissions=PermissionSpec(group_names=["Ops"]))),
    )
    request = CreateCredentialsRequest(user_name="ana", credentials=RESET)
    ((message, field),) = of_kind(warnings(stubs, "CreateCredentials", request), kind)
    assert f"but {name} denies iam:ChangePassword" in message
    assert field == "credentials.console_password.require_reset"


def test_new_permissions_that_lock_out_who_has_yet_to_reset(stubs: Stubs, account: Account) -> None:
    """AssignPermissions warns while the reset is to come, of a group, a policy or a boundary in its way; not after."""
    make_group(account, "Ops", {"no": DENY})
    for name, text in (("Narrow", S3_ALONE), ("No", DENY)):
        account.iam.create_policy(PolicyName=name, PolicyDocument=text)
    stubs.call("ProvisionUser", ProvisionUserRequest(user=UserSpec(user_name="ana", credentials=RESET)))
    asked: list[dict[str, Any]] = [
        {"group_names": ["Ops"]},
        {"managed_policies": ["No"]},
        {"inline_policies": [InlinePolicy(policy_name="no", document=DENY)]},
        {"permissions_boundary": "Narrow"},
    ]
    assert [len(of_kind(assign(stubs, **parts), "RESET_DEADLOCK")) for parts in asked] == [1, 1, 1, 1]
    assert of_kind(assign(stubs, permissions_boundary="Boundary", group_names=["Developers"]), "RESET_DEADLOCK") == []
    account.iam.update_login_profile(UserName="ana", Password="Another-Horse-8", PasswordResetRequired=False)
    assert [of_kind(assign(stubs, **parts), "RESET_DEADLOCK") for parts in asked] == [[], [], [], []]


@pytest.mark.parametrize(
    ("statement", "escalates"),
    [
        ({"Action": "iam:Attach*", "Resource": "arn:aws:iam::*:user/*"}, True),
        ({"Action": "iam:*", "Resource": "arn:aws:iam::123456789012:*"}, True),
        ({"Action": "iam:*", "NotResource": "arn:aws:iam::123456789012:user/ceo"}, True),
        ({"NotAction": "s3:*", "Resource": "*"}, True),
        (
            {
                "Action": "iam:PutUserPolicy",
                "Resource": "*",
                "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
            },
            True,
        ),
        (
            {
                "Action": "iam:PutUserPolicy",
                "Resource": "*",
                "Condition": {"StringEquals": {"iam:PermissionsBoundary": "arn:aws:iam::123456789012:policy/Boundary"}},
            },
            False,
        ),
        ({"Action": "iam:CreateAccessKey", "Resource": "arn:aws:iam::123456789012:user/${aws:username}"}, False),
        ({"NotAction": "iam:*", "Resource": "*"}, False),
    ],
)
def test_escalation_hides_behind_no_pattern(
    stubs: Stubs, account: Account, statement: dict[str, object], escalates: bool
) -> None:
    """Patterns, exceptions and conditions are no way around the warning; a boundary that is demanded is."""
    policy = NewPolicy(policy_name="Some", document=document({"Effect": "Allow", **statement}))
    found = warnings(stubs, "CreatePolicy", CreatePolicyRequest(policy=policy))
    assert bool(of_kind(found, "ESCALATION")) is escalates


@pytest.mark.parametrize(
    ("code", "http_status", "reason"),
    [
        ("AccessDenied", 403, "AWS_ACCESS_DENIED"),
        ("Throttling", 400, "THROTTLED"),
        ("ServiceFailure", 500, "AWS_UNAVAILABLE"),
    ],
)
def test_a_group_that_cannot_be_read_is_not_passed_over(
    stubs: Stubs, account: Account, code: str, http_status: int, reason: str
) -> None:
    """Without what a group grants there is no review: the answer is typed, names the action, and nothing is written."""
    make_group(account, "Ops", {"read": S3_ALONE})
    account.aws.clear_calls()
    account.aws.inject(Fault("GetGroupPolicy", AnswerError(code, http_status), times=None))
    with pytest.raises(grpc.RpcError) as caught:
        provision(stubs, permissions=PermissionSpec(group_names=["Ops"]))
    assert reason_of(caught.value) == reason
    assert metadata_of(caught.value)["aws_action"] == "iam:GetGroupPolicy"
    assert account.writes() == []


def test_an_inline_policy_that_is_gone_meanwhile_is_left_out(stubs: Stubs, account: Account) -> None:
    """A policy of a group that is deleted while the plan is made grants nothing any more."""
    make_group(account, "Ops", {"all": ADMIN})
    account.aws.inject(Fault("GetGroupPolicy", AnswerError("NoSuchEntity", 404)))
    assert of_kind(provision(stubs, permissions=PermissionSpec(group_names=["Ops"])), "WILDCARD") == []
