"""The guard rails, each alone: what it stops, what it lets pass, and the ways around it."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from identity_service.domain.entities import UserRecord
from identity_service.domain.guard_rails import GuardRails, Rail, breaches, path_in_arn
from identity_service.domain.plan import Plan
from identity_service.domain.planning.self_management import INLINE_POLICY_NAME, self_management_document
from identity_service.domain.proposal import Proposal
from identity_service.domain.request import SelfManagement
from identity_service.domain.steps import (
    AddUserToGroup,
    AttachGroupPolicy,
    AttachUserPolicy,
    CreateAccessKey,
    CreateGroup,
    CreateLoginProfile,
    CreatePolicy,
    CreateUser,
    DeleteAccessKey,
    DeleteGroup,
    DeleteLoginProfile,
    DeletePolicy,
    DeletePolicyVersion,
    DeleteUser,
    DeleteUserPermissionsBoundary,
    DeleteUserPolicy,
    DeleteVirtualMfaDevice,
    DetachUserPolicy,
    EnableMfaDevice,
    PutUserPermissionsBoundary,
    PutUserPolicy,
    RemoveUserFromGroup,
    Step,
    TagUser,
    UntagUser,
    UpdateUser,
)
from identity_service.domain.target import user

ROOT = "arn:aws:iam::123456789012:"
BOUNDARY, OTHER = f"{ROOT}policy/Boundary", f"{ROOT}policy/Other"
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
READ = "arn:aws:iam::aws:policy/ReadOnlyAccess"
DOCUMENT = '{"Version":"2012-10-17","Statement":[]}'


def on(name: str = "ana", path: str = "/people/") -> dict[str, Any]:
    """Return what every step on a user has."""
    return {"user_name": name, "user_arn": f"{ROOT}user{path}{name}", "round": 1}


def of_group(name: str) -> dict[str, Any]:
    """Return what every step on a group has."""
    return {"group_name": name, "group_arn": f"{ROOT}group/{name}", "round": 1}


def to_group(name: str) -> dict[str, Any]:
    """Return what a step has that puts a user into a group."""
    return {**on(), **of_group(name)}


def making(boundary: str | None = None, name: str = "ana", path: str = "/people/") -> CreateUser:
    """Make a user."""
    return CreateUser(**on(name, path), path=path, boundary_arn=boundary)


def making_policy(arn: str) -> CreatePolicy:
    """Make a managed policy."""
    name = arn.rpartition("/")[2]
    return CreatePolicy(policy_arn=arn, round=1, policy_name=name, path="/", text="", document=DOCUMENT)


def existing(boundary: str | None = None, path: str = "/people/") -> UserRecord:
    """Return a user as it is."""
    made_at = datetime(2026, 1, 2, tzinfo=UTC)
    return UserRecord("ana", "AIDA", f"{ROOT}user{path}ana", path, made_at, boundary_arn=boundary)


def stopped(rails: GuardRails, *steps: Step, before: UserRecord | None = None) -> list[tuple[str, str]]:
    """Return the rails that stop a plan, each with the step that it stops at."""
    proposal = Proposal("AnyRpc", Plan("123456789012", user("ana"), steps=steps), user=before)
    return [(breach.rail.value, breach.step.iam_action) for breach in breaches(rails, proposal)]


def at(rail: Rail, *actions: str) -> list[tuple[str, str]]:
    """Expect a rail to stop steps."""
    return [(rail.value, f"iam:{action}") for action in actions]


def test_nothing_set_stops_nothing() -> None:
    """Rails that are left out let everything pass."""
    steps = (
        making(),
        AttachUserPolicy(**on(), policy_arn=ADMIN),
        making_policy(BOUNDARY),
        DeleteGroup(**of_group("g")),
    )
    assert stopped(GuardRails(), *steps) == []


BOUNDED = GuardRails(required_boundary=(BOUNDARY,))


@pytest.mark.parametrize("boundary", [None, OTHER, BOUNDARY + "2", BOUNDARY.lower(), ROOT + "policy/x/Boundary"])
def test_a_user_is_made_within_the_boundary_or_not_at_all(boundary: str | None) -> None:
    """No boundary and another boundary are the same breach."""
    assert stopped(BOUNDED, making(boundary)) == at(Rail.REQUIRED_BOUNDARY, "CreateUser")
    assert stopped(BOUNDED, making(BOUNDARY), CreateAccessKey(**on())) == []


@pytest.mark.parametrize(
    "step",
    [
        CreateAccessKey(**on()),
        CreateLoginProfile(**on(), reset_required=True, generated=True),
        AttachUserPolicy(**on(), policy_arn=READ),
        AddUserToGroup(**to_group("Developers")),
        PutUserPolicy(**on(), policy_name="p", document=DOCUMENT),
        TagUser(**on(), tags={"a": "b"}),
        UntagUser(**on(), tag_keys=("a",)),
        UpdateUser(**on(), new_user_name="bo", new_path=None),
        EnableMfaDevice(**on(), serial_number="s"),
    ],
    ids=lambda step: step.iam_action,
)
def test_a_user_without_the_boundary_is_not_changed(step: Step) -> None:
    """Whatever gives, mints or marks needs the boundary: on the user already, or set by the same plan."""
    assert stopped(BOUNDED, step, before=existing()) == [(Rail.REQUIRED_BOUNDARY.value, step.iam_action)]
    assert stopped(BOUNDED, step, before=existing(OTHER)) == [(Rail.REQUIRED_BOUNDARY.value, step.iam_action)]
    assert stopped(BOUNDED, step, before=existing(BOUNDARY)) == []
    setting = PutUserPermissionsBoundary(**on(), boundary_arn=BOUNDARY)
    assert stopped(BOUNDED, setting, step, before=existing()) == []


def test_the_boundary_is_neither_replaced_nor_taken_off() -> None:
    """A plan must leave the user with it, even if the user has it now."""
    replacing = PutUserPermissionsBoundary(**on(), boundary_arn=OTHER)
    assert stopped(BOUNDED, replacing, before=existing(BOUNDARY)) == at(
        Rail.REQUIRED_BOUNDARY, "PutUserPermissionsBoundary"
    )
    taking = DeleteUserPermissionsBoundary(**on())
    assert stopped(BOUNDED, taking, before=existing(BOUNDARY)) == at(
        Rail.REQUIRED_BOUNDARY, "DeleteUserPermissionsBoundary"
    )


@pytest.mark.parametrize("step", [DeleteLoginProfile(**on()), DeleteAccessKey(**on(), access_key_id="AKIA")])
def test_cutting_off_needs_no_boundary(step: Step) -> None:
    """In an emergency it must not matter how a user was made."""
    assert stopped(BOUNDED, step, before=existing()) == []


def test_the_boundary_itself_is_out_of_reach() -> None:
    """A team that could make the policy that bounds it would be bounded by nothing."""
    assert stopped(BOUNDED, making_policy(BOUNDARY), making(BOUNDARY)) == at(Rail.REQUIRED_BOUNDARY, "CreatePolicy")
    deleting = (
        DeletePolicyVersion(policy_arn=BOUNDARY, round=1, version_id="v1"),
        DeletePolicy(policy_arn=BOUNDARY, round=2),
    )
    assert stopped(BOUNDED, *deleting) == at(Rail.REQUIRED_BOUNDARY, "DeletePolicyVersion", "DeletePolicy")
    assert stopped(BOUNDED, making_policy(OTHER)) == []


def test_one_of_several_boundaries_is_enough() -> None:
    """Patterns and several boundaries are alternatives."""
    rails = GuardRails(required_boundary=("arn:aws:iam::*:policy/Partner*", BOUNDARY))
    assert stopped(rails, making(BOUNDARY)) == []
    assert stopped(rails, making(f"{ROOT}policy/PartnerOne")) == []
    assert stopped(rails, making(OTHER)) == at(Rail.REQUIRED_BOUNDARY, "CreateUser")


PLACED = GuardRails(allowed_paths=("/people/*", "/guests/"))


@pytest.mark.parametrize(
    ("path", "fits"),
    [
        ("/people/", True),
        ("/people/north/", True),
        ("/guests/", True),
        ("/guests/vip/", False),
        ("/", False),
        ("/People/", False),
        ("/peoples/", False),
        ("/x/people/", False),
    ],
)
def test_users_are_where_the_team_may_have_them(path: str, fits: bool) -> None:
    """Made, changed, deleted and moved: always inside."""
    expected = [] if fits else at(Rail.ALLOWED_PATHS, "CreateUser")
    assert stopped(PLACED, making(path=path)) == expected
    for step in (CreateAccessKey(**on(path=path)), DeleteUser(**on(path=path)), DeleteLoginProfile(**on(path=path))):
        assert bool(stopped(PLACED, step, before=existing(path=path))) is not fits
    moving = UpdateUser(**on(), new_user_name=None, new_path=path)
    assert bool(stopped(PLACED, moving, before=existing())) is not fits


def test_the_device_of_an_unread_user_is_not_placed() -> None:
    """A pending device is its own team's, wherever a user of that name is by now."""
    assert stopped(PLACED, DeleteVirtualMfaDevice(**on(path="/"), serial_number="s")) == []


NAMED = GuardRails(user_name_pattern="[a-z]+-bot")


@pytest.mark.parametrize("name", ["bot", "ci-bot2", "xci-Bot", "CI-bot", "ci-bot\n", "ci--bot"])
def test_new_names_keep_to_the_rule(name: str) -> None:
    """The whole name fits, at birth and when it is changed; a user who is there keeps the name that it has."""
    assert stopped(NAMED, making(name=name)) == at(Rail.USER_NAME_PATTERN, "CreateUser")
    renaming = UpdateUser(**on(), new_user_name=name, new_path=None)
    assert stopped(NAMED, renaming, before=existing()) == at(Rail.USER_NAME_PATTERN, "UpdateUser")
    assert stopped(NAMED, CreateAccessKey(**on(name)), before=existing()) == []
    assert stopped(NAMED, making(name="ci-bot")) == []


READERS = GuardRails(allowed_policies=(READ, f"{ROOT}policy/team/*"))


@pytest.mark.parametrize(
    "step",
    [
        AttachUserPolicy(**on(), policy_arn=ADMIN),
        AttachUserPolicy(**on(), policy_arn=READ + "Only"),
        AttachUserPolicy(**on(), policy_arn="arn:aws:iam::999999999999:policy/team/x"),
        AttachGroupPolicy(**of_group("g"), policy_arn=ADMIN),
        DetachUserPolicy(**on(), policy_arn=f"{ROOT}policy/DenyEverything"),
        making_policy(f"{ROOT}policy/x"),
        DeletePolicy(policy_arn=OTHER, round=1),
    ],
    ids=lambda step: step.iam_action,
)
def test_other_policies_are_neither_given_nor_taken_nor_made(step: Step) -> None:
    """To a user, to a group, on the way; taking is stopped as well, since a policy may be what denies."""
    assert stopped(READERS, step, before=existing()) == [(Rail.ALLOWED_POLICIES.value, step.iam_action)]


def test_allowed_policies_pass() -> None:
    """By ARN and by pattern; and a policy that is attached already counts as if it were to be attached."""
    steps = (AttachUserPolicy(**on(), policy_arn=READ), making_policy(f"{ROOT}policy/team/x"))
    assert stopped(READERS, *steps, before=existing()) == []
    held = Plan("123456789012", user("ana"), satisfied=(AttachUserPolicy(**on(), policy_arn=ADMIN),))
    assert [breach.rail for breach in breaches(READERS, Proposal("AnyRpc", held))] == [Rail.ALLOWED_POLICIES]
    gone = Plan("123456789012", user("ana"), satisfied=(DetachUserPolicy(**on(), policy_arn=ADMIN),))
    assert list(breaches(READERS, Proposal("AnyRpc", gone))) == []


GROUPED = GuardRails(allowed_groups=("Developers", "ci-*"))


@pytest.mark.parametrize(
    "step",
    [
        AddUserToGroup(**to_group("Admins")),
        AddUserToGroup(**to_group("Developers2")),
        RemoveUserFromGroup(**to_group("Quarantine")),
        CreateGroup(**of_group("Admins"), path="/"),
        DeleteGroup(**of_group("Admins")),
        AttachGroupPolicy(**of_group("Admins"), policy_arn=READ),
    ],
    ids=lambda step: step.iam_action,
)
def test_other_groups_are_neither_given_nor_taken_nor_touched(step: Step) -> None:
    """Groups have no owner, so their names decide; taking somebody out of one is stopped as well."""
    assert stopped(GROUPED, step, before=existing()) == [(Rail.ALLOWED_GROUPS.value, step.iam_action)]


def test_allowed_groups_pass_in_any_letter_case() -> None:
    """IAM does not tell names of groups apart by letter case."""
    steps = (AddUserToGroup(**to_group("developers")), AddUserToGroup(**to_group("CI-runners")))
    assert stopped(GROUPED, *steps, before=existing()) == []


def test_a_teardown_takes_everything_off() -> None:
    """What others have put on a user does not keep its team from deleting it."""
    rails = GuardRails(allowed_policies=(), allowed_groups=(), inline_documents=False, required_boundary=(BOUNDARY,))
    steps = (
        RemoveUserFromGroup(**to_group("Admins")),
        DetachUserPolicy(**on(), policy_arn=ADMIN),
        DeleteUserPolicy(**on(), policy_name="p"),
        DeleteUser(**on()),
    )
    assert stopped(rails, *steps, before=existing()) == []
    assert [rail for rail, _ in stopped(rails, *steps[:-1], before=existing())] == [
        "allowed-policies",
        "allowed-groups",
        "inline-documents",
    ]


UNWRITTEN = GuardRails(inline_documents=False)


def self_management(arn: str) -> PutUserPolicy:
    """Let ana manage the own credentials, on an ARN."""
    document = self_management_document(SelfManagement.CREDENTIALS, "aws", "123456789012", arn)
    return PutUserPolicy(**on(), policy_name=INLINE_POLICY_NAME, document=document)


def test_no_document_of_the_callers_own() -> None:
    """Neither inline, nor by a managed policy that is made on the way; nor is one taken that may deny."""
    steps = (
        PutUserPolicy(**on(), policy_name="p", document=DOCUMENT),
        DeleteUserPolicy(**on(), policy_name="p"),
        making_policy(OTHER),
    )
    expected = at(Rail.INLINE_DOCUMENTS, "PutUserPolicy", "DeleteUserPolicy", "CreatePolicy")
    assert stopped(UNWRITTEN, *steps, before=existing()) == expected


def test_self_management_is_known_by_its_document() -> None:
    """The name alone proves nothing, and a document about another user is another document."""
    assert stopped(UNWRITTEN, self_management(f"{ROOT}user/people/ana"), before=existing()) == []
    disguised = PutUserPolicy(**on(), policy_name=INLINE_POLICY_NAME, document=DOCUMENT)
    for step in (disguised, self_management(f"{ROOT}user/people/olga")):
        assert stopped(UNWRITTEN, step, before=existing()) == at(Rail.INLINE_DOCUMENTS, "PutUserPolicy")


def test_self_management_may_be_forbidden() -> None:
    """It has a rail of its own; other inline policies are not its business."""
    rails = GuardRails(self_management=False)
    assert stopped(rails, self_management(f"{ROOT}user/people/ana"), before=existing()) == at(
        Rail.SELF_MANAGEMENT, "PutUserPolicy"
    )
    other = PutUserPolicy(**on(), policy_name="p", document=DOCUMENT)
    assert stopped(rails, other, before=existing()) == []


def test_self_management_is_forbidden_under_any_name() -> None:
    """Neither an inline policy with another name nor a managed one that is made gets by with the same document."""
    document = self_management(f"{ROOT}user/people/ana").document
    inline = PutUserPolicy(**on(), policy_name="p", document=document)
    made = replace(making_policy(OTHER), document=document)
    assert stopped(GuardRails(self_management=False), inline, made, before=existing()) == at(
        Rail.SELF_MANAGEMENT, "PutUserPolicy", "CreatePolicy"
    )


@pytest.mark.parametrize("action", ["iam:PutUserPolicy", "iam:AddUserToGroup", "iam:CreatePolicyVersion"])
def test_self_management_is_forbidden_in_two_steps(action: str) -> None:
    """A document with which users grant themselves the right to make keys is as good as one that has the right."""
    statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    inline = PutUserPolicy(**on(), policy_name="p", document=document)
    made = replace(making_policy(OTHER), document=document)
    assert stopped(GuardRails(self_management=False), inline, made, before=existing()) == at(
        Rail.SELF_MANAGEMENT, "PutUserPolicy", "CreatePolicy"
    )


@pytest.mark.parametrize(
    ("arn", "path"),
    [
        (f"{ROOT}user/ana", "/"),
        (f"{ROOT}user/a/ana", "/a/"),
        (f"{ROOT}user/a/b:c/ana", "/a/b:c/"),
        (f"{ROOT}policy/aws-service-role/x/P", "/aws-service-role/x/"),
    ],
)
def test_a_path_is_read_from_an_arn(arn: str, path: str) -> None:
    """The path is what stands between the kind and the name."""
    assert path_in_arn(arn) == path
