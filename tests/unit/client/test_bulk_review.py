"""Plans of many users can be read: those that are alike together, warnings once, problems word for word."""

from __future__ import annotations

import io
from collections.abc import Iterable

import pytest
from rich.console import Console

from identity_client.cli.alike import likeness, neutral
from identity_client.cli.bulk_review import BulkReview, show_review
from identity_client.cli.planning import Reviewed
from identity_client.cli.wanted import WantedUser
from identity_provisioning.v1.error_pb2 import ErrorReason
from identity_provisioning.v1.plan_pb2 import Plan, PlanProblem, PlanStep, PlanWarning, QuotaUse

ACCOUNT = "123456789012"


def plan_of(name: str, group: str = "Developers", tag: str = "x", document: str = "{}") -> Plan:
    """Plan a user with a group, a tag and a policy."""
    arn = f"arn:aws:iam::{ACCOUNT}:user/people/{name}"
    return Plan(
        account_id=ACCOUNT,
        user_name=name,
        digest="d" * 64,
        steps=[
            PlanStep(
                round=1,
                iam_action="iam:CreateUser",
                resource=arn,
                description=f"create user {name} in /people/",
                details={"tag user": name, "tag team": tag},
            ),
            PlanStep(
                round=2,
                iam_action="iam:AddUserToGroup",
                resource=f"arn:aws:iam::{ACCOUNT}:group/{group}",
                description=f"add {name} to group {group}",
            ),
            PlanStep(round=2, iam_action="iam:PutUserPolicy", resource=arn, details={"document": document}),
        ],
        quota_uses=[
            QuotaUse(quota_name="UsersQuota", used_before=2, used_after=3, limit=5000),
            QuotaUse(quota_name="GroupsPerUserQuota", used_before=0, used_after=1, limit=10),
        ],
        warnings=[PlanWarning(message=f"{name} has no boundary", field="user.boundary")],
    )


def reviewed(*plans: Plan) -> list[Reviewed]:
    """Make of plans what a review takes."""
    return [Reviewed(WantedUser(plan.user_name), plan) for plan in plans]


def many(count: int, **more: str) -> list[Reviewed]:
    """Plan so many users that are alike."""
    return reviewed(*(plan_of(f"u{index}", **more) for index in range(count)))


def shown(plans: Iterable[Reviewed], *, in_brief: bool = False, in_full: bool = False) -> str:
    """Show a review; what was written."""
    console = Console(file=io.StringIO(), width=160, color_system=None, markup=False, highlight=False)
    with console.capture() as capture:
        show_review(console, list(plans), in_brief=in_brief, in_full=in_full)
    return capture.get()


def test_users_that_are_alike_are_one_plan() -> None:
    """Two hundred users are a page: one table, one warning, the account's quota once, and the sum of all."""
    text = shown(many(200))
    assert text.count("iam:CreateUser") == 1
    assert "200 users (u0, u1, u2 and 197 more) in account 123456789012" in text
    assert "user/people/<user>" in text
    assert "add <user> to group Developers" in text
    assert text.count("<user> has no boundary (user.boundary): 200 users (u0, u1, u2 and 197 more)") == 1
    assert "quotas of the account: UsersQuota 2 → 202 of 5000" in text
    assert text.count("UsersQuota") == 1
    assert "GroupsPerUserQuota 0 → 1 of 10" in text
    assert "200 users, 600 calls, 200 warnings" in text
    assert len(text.splitlines()) < 25


def test_few_users_are_shown_one_by_one() -> None:
    """Up to ten users each plan stands by itself, and none says of the account what holds for it alone."""
    text = shown(many(10))
    assert text.count("iam:CreateUser") == 10
    assert text.count("UsersQuota") == 1
    assert "UsersQuota 2 → 12 of 5000" in text


def test_one_user_has_its_quotas_in_its_plan() -> None:
    """Of one user the account's quota is as its plan says."""
    text = shown(many(1))
    assert "quotas: UsersQuota 2 → 3 of 5000; GroupsPerUserQuota 0 → 1 of 10" in text
    assert "quotas of the account" not in text


def test_all_plans_can_be_had_in_full() -> None:
    """Who wants every plan gets it."""
    assert shown(many(30), in_full=True).count("iam:CreateUser") == 30


def test_in_brief_those_that_are_alike_are_a_line() -> None:
    """Where nobody is asked there is a line for each kind of plan."""
    text = shown([*many(20), *reviewed(plan_of("bo", group="Ops"))], in_brief=True)
    assert "20 users (u0, u1, u2 and 17 more): create user <user> in /people/; add <user> to group Developers;" in text
    assert "bo: create user bo in /people/; add bo to group Ops;" in text
    assert "Round" not in text


def test_other_groups_or_documents_are_other_plans() -> None:
    """What a user may do is never hidden behind another user's plan."""
    odd = [plan_of("ana", document='{"Statement": []}'), plan_of("bo", group="Admins")]
    text = shown([*many(20), *reviewed(*odd)])
    assert text.count("iam:CreateUser") == 3
    assert '{"Statement": []}' in text
    assert "add bo to group Admins" in text


def test_a_tag_that_differs_is_said_to() -> None:
    """Tags with other values make no other plan; a value with the user's name in it is the same for all."""
    plans = [*many(11), *reviewed(plan_of("bo", tag="y"))]
    text = shown(plans)
    assert text.count("iam:CreateUser") == 1
    assert "tag team = x, and other values" in text
    assert "tag user = <user>\n" in text


def test_problems_are_word_for_word_up_to_a_bound() -> None:
    """The first twenty are named with their reason, the others counted, and no plan that cannot run is shown as one."""
    plans = [plan_of(f"u{index}") for index in range(50)]
    for plan in plans[10:]:
        reason = ErrorReason.ERROR_REASON_USER_ALREADY_EXISTS
        plan.problems.append(PlanProblem(reason=reason, message=f"{plan.user_name} is there"))
    text = shown(reviewed(*plans))
    assert text.count("problem: u") == 20
    assert "problem: u10: USER_ALREADY_EXISTS: u10 is there" in text
    assert "problem: and 20 more; --full shows each" in text
    assert "10 users (u0, u1, u2 and 7 more)" in text
    assert "50 users, 150 calls, 50 warnings, 40 cannot run" in text


def test_plans_that_all_differ_are_bounded_as_well() -> None:
    """Ten thousand plans of which none is like another print no ten thousand tables."""
    text = shown(reviewed(*(plan_of(f"u{index}", group=f"group-{index}") for index in range(60))))
    assert text.count("iam:CreateUser") == 50
    assert "10 users (u50, u51, u52 and 7 more): further plans that differ; --full shows each." in text


def test_the_services_own_quotas_go_before_the_sum_of_the_plans() -> None:
    """The service counts what other operations are about to take as well."""
    console = Console(file=io.StringIO(), width=160, color_system=None)
    review = BulkReview(console, 12)
    with console.capture() as capture:
        for each in many(12):
            review.add(each)
        review.finish([QuotaUse(quota_name="UsersQuota", used_before=100, used_after=112, limit=5000)])
    assert "quotas of the account: UsersQuota 100 → 112 of 5000" in capture.get()


def test_what_is_good_to_know_is_no_warning_of_many_either() -> None:
    """A note is told as one, once for all."""
    plans = many(12)
    for each in plans:
        assert each.plan is not None
        each.plan.warnings[0].severity = PlanWarning.SEVERITY_INFORMATION
    text = shown(plans)
    assert "note: <user> has no boundary (user.boundary): 12 users" in text
    assert "12 users, 36 calls, 0 warnings" in text


def test_what_is_so_already_tells_plans_apart() -> None:
    """A plan that leaves out what is there is not like one that has nothing of it there."""
    plans = [plan_of(f"u{index}") for index in range(12)]
    plans[3].unchanged_steps.add(description="add u3 to group Ops")
    text = shown(reviewed(*plans))
    assert text.count("iam:CreateUser") == 2
    assert "was so already: add u3 to group Ops" in text


def test_a_quota_that_all_together_exceed_is_a_problem() -> None:
    """Each of the plans may fit into the account where all of them do not."""
    plans = many(12)
    for each in plans:
        assert each.plan is not None
        each.plan.quota_uses[0].limit = 13
    assert "problem: UsersQuota does not suffice for all of them" in shown(plans)
    assert "does not suffice" not in shown(plans[:11])


@pytest.mark.parametrize(
    ("text", "name", "told"),
    [
        ("add ana to group ana", "ana", "add <user> to group <user>"),
        ("user/people/ana", "ana", "user/people/<user>"),
        ("ana, and ana.", "ana", "<user>, and <user>."),
        ("ana.lima and banana and ana-2", "ana", "ana.lima and banana and ana-2"),
        ("ana@example.com", "ana", "ana@example.com"),
        ("a.b+c", "a.b+c", "<user>"),
        ("axb+c", "a.b+c", "axb+c"),
    ],
)
def test_the_name_is_found_as_a_whole_only(text: str, name: str, told: str) -> None:
    """A part of another name is no name of the user."""
    assert neutral(text, name) == told


def test_a_placeholder_that_somebody_wrote_deceives_nobody() -> None:
    """A document that has the placeholder's very letters is not like one that has the user's name."""
    mine = plan_of("ana", document='"arn:user/ana"')
    other = plan_of("bo", document='"arn:user/<user>"')
    assert likeness("ana", mine) != likeness("bo", other)
    assert likeness("ana", mine) == likeness("bo", plan_of("bo", document='"arn:user/bo"'))
