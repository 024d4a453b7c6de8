"""Warnings of what policies say to a user who has, or gets, a permissions boundary."""

import json
from dataclasses import replace

import pytest

from identity_service.domain.entities import AccountSummary
from identity_service.domain.facts import AccountFacts
from identity_service.domain.plan import PlanWarning, Severity, WarningKind
from identity_service.domain.planning.policies import plan_policy_creation
from identity_service.domain.request import (
    InlinePolicy,
    NewGroup,
    NewPolicy,
    Permissions,
    PolicyCreation,
    SelfManagement,
)
from tests.unit.domain.test_granted_documents import (
    ACCOUNT,
    ADMIN,
    DENY,
    DEPLOY,
    IN_OPS,
    READ,
    ana,
    assign,
    found,
    granting,
    new,
    statement,
    warnings,
)

S3 = statement("Allow", "s3:*")
TEAM = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["s3:*", "athena:*"], "Resource": "*"},
            {"Effect": "Allow", "Action": ["iam:Get*", "iam:List*", "iam:ChangePassword"], "Resource": "*"},
        ],
    }
)
QUEUES = statement("Allow", "sqs:*")


def told(made: list[PlanWarning], kind: WarningKind, severity: Severity) -> list[str]:
    """Return the words of one kind that matter so much."""
    return [warning.message for warning in made if (warning.kind, warning.severity) == (kind, severity)]


def inline(document: str) -> Permissions:
    """Ask for one inline policy."""
    return Permissions(inline_policies=(InlinePolicy("p", document),))


def test_a_boundary_may_be_as_wide_as_it_likes() -> None:
    """A boundary grants nothing: made on the way, it is not warned of."""
    made = warnings(new(permissions=Permissions(new_boundary=NewPolicy("Limit", ADMIN))), boundary=ADMIN)
    assert made == []


def test_administrators_rights_within_a_boundary_do_not_escalate() -> None:
    """What cannot happen is not listed; that everything is allowed within the boundary is good to know."""
    made = warnings(new(permissions=inline(ADMIN)), boundary=TEAM)
    assert found(made, WarningKind.ESCALATION) == []
    assert told(made, WarningKind.WILDCARD, Severity.WARNING) == []
    assert told(made, WarningKind.WILDCARD, Severity.INFORMATION) == [
        "inline policy p: statement 1 allows every action on every resource, within the boundary"
    ]


@pytest.mark.parametrize("boundary", [None, ADMIN], ids=["none", "of everything"])
def test_without_a_boundary_that_limits_everything_is_a_warning(boundary: str | None) -> None:
    """A boundary that allows everything limits nothing."""
    made = warnings(new(permissions=inline(ADMIN)), boundary=boundary)
    assert len(found(made, WarningKind.ESCALATION)) == 1
    assert len(told(made, WarningKind.WILDCARD, Severity.WARNING)) == 1


def test_a_named_action_on_everything_is_good_to_know_and_a_pattern_is_a_warning() -> None:
    """Many actions know no resource; a whole service on everything is another matter."""
    assert [warning.severity for warning in warnings(new(permissions=inline(READ)))] == [Severity.INFORMATION]
    assert [warning.severity for warning in warnings(new(permissions=inline(S3)))] == [Severity.WARNING]


def test_of_policies_that_others_wrote_only_everything_is_named() -> None:
    """AWS's own policies are mostly about every resource: that says nothing."""
    assert warnings(assign(group_names=("Ops",)), there=ana(), group=granting(inline={"s3": S3})) == []


@pytest.mark.parametrize(
    ("permissions", "name"),
    [
        (IN_OPS, "inline policy queues of group Ops"),
        (Permissions(managed_policies=("Deploy",)), f"policy {DEPLOY.arn}"),
        (Permissions(new_groups=(NewGroup("Readers", "/", ("Deploy",)),)), f"policy {DEPLOY.arn} of group Readers"),
        (inline(QUEUES), "inline policy p"),
        (Permissions(new_policies=(NewPolicy("Queues", QUEUES),)), "policy Queues"),
    ],
    ids=["group", "attached", "new group", "inline", "new policy"],
)
def test_what_the_boundary_voids_is_named(permissions: Permissions, name: str) -> None:
    """Whatever grants nothing within the boundary is a warning, wherever it comes from."""
    group = granting(inline={"queues": QUEUES})
    made = warnings(new(permissions=permissions), group=group, managed=QUEUES, boundary=TEAM)
    assert [words for words, _ in found(made, WarningKind.VOID)] == [
        f"the boundary leaves nothing of what {name} allows"
    ]
    assert found(warnings(new(permissions=permissions), group=group, managed=QUEUES), WarningKind.VOID) == []


def test_a_policy_that_is_left_in_part_is_told_where_the_request_wrote_it() -> None:
    """Who writes a document hears which of its actions are void; of others' that is what boundaries are for."""
    both = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject", "sqs:*"], "Resource": "arn:aws:s3:::acme"}],
        }
    )
    made = warnings(new(permissions=inline(both)), boundary=TEAM)
    assert [words for words, _ in found(made, WarningKind.VOID)] == [
        "the boundary does not allow what inline policy p allows: sqs:*"
    ]
    assert (
        found(warnings(new(permissions=IN_OPS), group=granting(inline={"b": both}), boundary=TEAM), WarningKind.VOID)
        == []
    )


def test_a_denial_cannot_be_voided() -> None:
    """A document that allows nothing loses nothing."""
    assert found(warnings(new(permissions=inline(DENY)), boundary=TEAM), WarningKind.VOID) == []


@pytest.mark.parametrize(
    ("level", "missing"),
    [
        (SelfManagement.PASSWORD, ""),
        (
            SelfManagement.CREDENTIALS,
            "iam:CreateAccessKey, iam:DeleteAccessKey, iam:EnableMFADevice, iam:UpdateAccessKey",
        ),
    ],
)
def test_self_management_that_the_boundary_does_not_allow_is_named(level: SelfManagement, missing: str) -> None:
    """A user who is meant to enrol MFA and to keep keys cannot, within a boundary that knows no such rights."""
    made = warnings(new(permissions=Permissions(self_management=level)), boundary=TEAM)
    words = f"the boundary does not allow what self-management is for: {missing}"
    assert found(made, WarningKind.VOID) == ([(words, "permissions.self_management")] if missing else [])
    assert found(made, WarningKind.WILDCARD) == []


def test_a_new_boundary_that_voids_what_the_user_has_is_named() -> None:
    """What was read of the user counts: own inline policies, though nothing else is given."""
    there = ana(inline_policies={"queues": QUEUES})
    made = warnings(assign(boundary="Deploy"), there=there, boundary=TEAM)
    assert found(made, WarningKind.VOID) == [
        ("the boundary leaves nothing of what inline policy queues allows", "permissions")
    ]
    bounded = replace(there, user=replace(there.user, boundary_arn=DEPLOY.arn))
    assert found(warnings(assign(managed_policies=("Deploy",)), there=bounded, boundary=TEAM), WarningKind.VOID) == []


def test_a_policy_on_its_own_is_looked_at_without_a_boundary() -> None:
    """Nobody knows yet who will have it."""
    facts = AccountFacts(account_id=ACCOUNT, partition="aws", summary=AccountSummary({}))
    made = plan_policy_creation(PolicyCreation(NewPolicy("All", ADMIN)), facts, "row-1", "people-team").warnings
    assert [warning.kind for warning in made] == [WarningKind.WILDCARD, WarningKind.ESCALATION]
    malformed = plan_policy_creation(PolicyCreation(NewPolicy("All", ADMIN.replace("2012", "2000"))), facts, "r", "t")
    assert malformed.problems
    assert malformed.warnings == ()


def test_a_malformed_document_is_a_problem_and_no_warning() -> None:
    """What IAM would refuse grants nothing."""
    assert warnings(new(permissions=inline(ADMIN.replace("2012", "2000"))), boundary=TEAM) == []
