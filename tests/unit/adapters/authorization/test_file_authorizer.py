"""Who is let in, what they may ask for, and what they may have."""

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from typing import Any

import cedarpy
import pytest
from structlog.testing import capture_logs

from identity_service.adapters.authorization import FileAuthorizer
from identity_service.adapters.authorization.questions import about_plan, about_rpc
from identity_service.adapters.authorization.schema import action_entities, schema
from identity_service.domain import tags
from identity_service.domain.caller import Caller
from identity_service.domain.entities import UserRecord
from identity_service.domain.errors import IdentityError, Reason
from identity_service.domain.plan import Plan
from identity_service.domain.proposal import Proposal
from identity_service.domain.steps import (
    STEPS_BY_ACTION,
    AddUserToGroup,
    AttachUserPolicy,
    CreateAccessKey,
    CreateGroup,
    CreateLoginProfile,
    CreatePolicy,
    DeletePolicy,
    PutUserPermissionsBoundary,
    PutUserPolicy,
    Step,
    TagUser,
    UpdateUser,
)
from identity_service.domain.target import Target, TargetKind, user
from tests.unit.adapters.authorization.conftest import (
    ACCOUNT,
    BOT,
    CALLERS,
    WriteFolder,
    created,
    group_arn,
    policy_arn,
    record,
    who,
)

OTHER_ACCOUNT = "210987654321"
PEOPLE = Caller(BOT, "people-team")
CI = Caller("spiffe://example.org/ci", "ci-platform")
PERMIT = "permit (principal, action, resource);"


def refusal(question: Callable[[], object]) -> IdentityError:
    """Return the error that a question is answered with."""
    with pytest.raises(IdentityError) as caught:
        question()
    assert caught.value.reason is Reason.CALLER_NOT_ALLOWED
    return caught.value


def test_a_team_is_let_into_its_accounts_alone(write: WriteFolder) -> None:
    """An account that is named for a team, or `"*"`, lets it in; no policy that permits everything does."""
    authorizer = FileAuthorizer(write(PERMIT))
    assert authorizer.may_use(PEOPLE, ACCOUNT)
    assert authorizer.may_use(PEOPLE, OTHER_ACCOUNT)
    assert authorizer.may_use(CI, ACCOUNT)
    assert not authorizer.may_use(CI, OTHER_ACCOUNT)
    assert not authorizer.may_use(Caller(BOT, "no such team"), ACCOUNT)


def proposal(*steps: Step, before: UserRecord | None = None, copied: UserRecord | None = None) -> Proposal:
    """Propose steps for ana."""
    return Proposal(
        "AssignPermissions", Plan(ACCOUNT, user("ana"), steps=steps), before, before.tags if before else None, copied
    )


def denied_step(authorizer: FileAuthorizer, proposed: Proposal, caller: Caller = PEOPLE) -> Mapping[str, str]:
    """Return what a denial tells."""
    return refusal(lambda: authorizer.may_have(caller, proposed)).metadata


def test_a_known_caller_has_its_team(write: WriteFolder) -> None:
    """The file says for which team a caller acts."""
    assert FileAuthorizer(write()).identify(BOT) == PEOPLE


@pytest.mark.parametrize(
    "caller_id",
    [
        "",
        "people-team",
        "spiffe://example.org",
        "spiffe://example.org/",
        BOT + "/",
        BOT + "/x",
        BOT.replace("bot", "Bot"),
        BOT[:-1],
        BOT.upper(),
        BOT.replace(".org", ".com"),
        " " + BOT,
    ],
)
def test_another_caller_is_refused(write: WriteFolder, caller_id: str) -> None:
    """Ids are compared as they are: no prefix, no letter case, no trust domain alone."""
    authorizer = FileAuthorizer(write(PERMIT))
    error = refusal(lambda: authorizer.identify(caller_id))
    assert error.metadata == {}


@pytest.mark.parametrize(
    ("caller", "action", "account", "allowed"),
    [
        (PEOPLE, "GetUser", ACCOUNT, True),
        (PEOPLE, "GetUser", OTHER_ACCOUNT, True),
        (PEOPLE, "DeleteUser", ACCOUNT, False),
        (PEOPLE, "getuser", ACCOUNT, False),
        (PEOPLE, "", ACCOUNT, False),
        (CI, "DeleteUser", ACCOUNT, True),
        (CI, "DeleteUser", OTHER_ACCOUNT, False),
        (CI, "DeleteUser", "", False),
        (CI, "GetUser", ACCOUNT, False),
        (Caller(BOT, "another-team"), "GetUser", ACCOUNT, False),
    ],
)
def test_an_rpc_needs_a_policy_and_an_account(
    write: WriteFolder, caller: Caller, action: str, account: str, allowed: bool
) -> None:
    """Default is no: without a policy, in an account that the team does not have, for a team that is not there."""
    authorizer = FileAuthorizer(
        write(
            'permit (principal in Team::"people-team", action in Action::"reads", resource);',
            'permit (principal in Team::"ci-platform", action == Action::"DeleteUser", resource);',
        )
    )
    if allowed:
        authorizer.may_ask(caller, action, account, user("ana"))
        return
    error = refusal(lambda: authorizer.may_ask(caller, action, account, user("ana")))
    assert error.metadata == {"action": action, "rule": "rpc"}


def test_a_policy_may_name_the_target(write: WriteFolder) -> None:
    """Before anything is read, the name is known and nothing more."""
    authorizer = FileAuthorizer(
        write(
            'permit (principal, action == Action::"GetUser", resource)'
            ' when { context has target && context.target.name like "ana*" };'
        )
    )
    authorizer.may_ask(PEOPLE, "GetUser", ACCOUNT, user("ana.lima"))
    refusal(lambda: authorizer.may_ask(PEOPLE, "GetUser", ACCOUNT, user("bo")))
    refusal(lambda: authorizer.may_ask(PEOPLE, "GetUser", ACCOUNT, None))


def test_a_forbidding_policy_wins(write: WriteFolder) -> None:
    """Whatever allows it, one policy that forbids is enough."""
    authorizer = FileAuthorizer(write(PERMIT, 'forbid (principal, action == Action::"DeleteUser", resource);'))
    authorizer.may_ask(PEOPLE, "GetUser", ACCOUNT, None)
    refusal(lambda: authorizer.may_ask(PEOPLE, "DeleteUser", ACCOUNT, user("ana")))


def test_a_policy_that_cannot_be_evaluated_allows_nothing(write: WriteFolder) -> None:
    """Cedar leaves such a policy out of its answer; one that forbids would then forbid nothing."""
    overflow = 'forbid (principal, action == Action::"DeleteUser", resource) when { 9223372036854775807 + 1 == 0 };'
    authorizer = FileAuthorizer(write(PERMIT, overflow))
    authorizer.may_ask(PEOPLE, "GetUser", ACCOUNT, None)
    refusal(lambda: authorizer.may_ask(PEOPLE, "DeleteUser", ACCOUNT, user("ana")))


CALLS = 'permit (principal, action == Action::"AssignPermissions", resource);'
KEYS = 'permit (principal, action == Action::"iam:CreateAccessKey", resource);'


def test_each_step_is_decided_on_and_the_first_denied_one_tells(write: WriteFolder) -> None:
    """All must be allowed; the RPC is asked about again; the denial names a step that the caller asked for itself."""
    authorizer = FileAuthorizer(write(CALLS, KEYS))
    key = CreateAccessKey(**who())
    attach = AttachUserPolicy(**who(), policy_arn=policy_arn("Admin"))
    authorizer.may_have(PEOPLE, proposal(key))
    assert denied_step(authorizer, proposal(key, attach)) == {
        "action": "AssignPermissions",
        "rule": "grant",
        "step": "iam:AttachUserPolicy",
        "resource": f"arn:aws:iam::{ACCOUNT}:user/people/ana",
    }
    unasked = Proposal("DeleteUser", Plan(ACCOUNT, user("ana"), steps=(key,)))
    assert denied_step(authorizer, unasked) == {"action": "DeleteUser", "rule": "rpc"}


def steps_and_conditions() -> list[Any]:
    """Pair what a policy can look at with a step that fits and one that does not."""
    boundary, admin = policy_arn("Boundary"), policy_arn("Admin")
    on = who()
    group: dict[str, Any] = {"group_name": "g", "group_arn": group_arn("team/g"), "round": 1}
    other_group: dict[str, Any] = {"group_name": "g", "group_arn": group_arn("g"), "round": 1}
    attach = AttachUserPolicy(**on, policy_arn=admin)
    return [
        pytest.param(condition, fits, other, id=condition)
        for condition, fits, other in (
            ('context.policy.arn like "*:policy/Bound*"', AttachUserPolicy(**on, policy_arn=boundary), attach),
            ('context.policy in Account::"aws"', AttachUserPolicy(**on, policy_arn=policy_arn("R", "aws")), attach),
            ('context.policy.path == "/x/"', AttachUserPolicy(**on, policy_arn=policy_arn("x/P")), attach),
            (
                'context.policy.name == "Boundary"',
                PutUserPermissionsBoundary(**on, boundary_arn=boundary),
                PutUserPermissionsBoundary(**on, boundary_arn=admin),
            ),
            (
                'context.group.path == "/team/"',
                AddUserToGroup(**{**on, **group}),
                AddUserToGroup(**{**on, **other_group}),
            ),
            ('resource.path == "/team/"', CreateGroup(**group, path="/team/"), CreateGroup(**other_group, path="/")),
            (
                'context.policy_name like "team-*"',
                PutUserPolicy(**on, policy_name="team-a", document="{}"),
                PutUserPolicy(**on, policy_name="a", document="{}"),
            ),
            (
                "context.generated && context.reset_required",
                CreateLoginProfile(**on, reset_required=True, generated=True),
                CreateLoginProfile(**on, reset_required=True, generated=False),
            ),
            (
                'context.tag_keys.contains("a")',
                TagUser(**on, tags={"a": "b"}),
                TagUser(**on, tags={"b": "a"}),
            ),
            (
                "!(context has new_name)",
                UpdateUser(**on, new_user_name=None, new_path="/x/"),
                UpdateUser(**on, new_user_name="bo", new_path=None),
            ),
            (
                'resource has boundary && resource.boundary like "*:policy/Boundary"',
                created(boundary=boundary),
                created(),
            ),
            ('resource has owner && resource.owner == Team::"people-team"', created(), created(owner="ci-platform")),
            (
                'resource.hasTag("identity-provisioning:owner")',
                created(),
                CreateAccessKey(**who("bo")),
            ),
            ('context.rpc == "AssignPermissions" && resource.path == "/x/"', created(path="/x/"), created()),
        )
    ]


@pytest.mark.parametrize(("condition", "fits", "other"), steps_and_conditions())
def test_a_policy_sees_what_a_step_is_about(write: WriteFolder, condition: str, fits: Step, other: Step) -> None:
    """Each thing that the schema promises is there for policies to look at, in its true value."""
    actions = ", ".join(f'Action::"{name}"' for name in {fits.iam_action, other.iam_action})
    alone = 'permit (principal, action == Action::"iam:PutUserPermissionsBoundary", resource is User);'
    more = () if fits.iam_action == "iam:PutUserPermissionsBoundary" else (alone,)
    permit = f"permit (principal, action in [{actions}], resource) when {{ {condition} }};"
    authorizer = FileAuthorizer(write(CALLS, permit, *more))
    authorizer.may_have(PEOPLE, proposal(fits))
    assert denied_step(authorizer, proposal(other))["step"] == other.iam_action


def test_the_boundary_of_a_new_user_is_a_decision_of_its_own(write: WriteFolder) -> None:
    """CreateUser sets a boundary without a step of its own; it needs the right all the same."""
    authorizer = FileAuthorizer(write(CALLS, 'permit (principal, action == Action::"iam:CreateUser", resource);'))
    authorizer.may_have(PEOPLE, proposal(created()))
    told = denied_step(authorizer, proposal(created(boundary=policy_arn("B"))))
    assert told["step"] == "iam:PutUserPermissionsBoundary"


def test_copying_is_a_right_of_its_own_on_the_model(write: WriteFolder) -> None:
    """It is asked about before the steps, so that a denial tells nothing of what the model has."""
    own = 'permit (principal, action == Action::"plan:CopyPermissions", resource) when { resource has owner &&'
    authorizer = FileAuthorizer(write(CALLS, KEYS, f"{own} principal in resource.owner }};"))
    key = CreateAccessKey(**who())
    secret = AddUserToGroup(**who(), group_name="Secret", group_arn=group_arn("Secret"))
    authorizer.may_have(PEOPLE, proposal(key, copied=record("olga")))
    for model in (record("olga", owner="ci-platform"), record("olga", owner="")):
        assert denied_step(authorizer, proposal(key, secret, copied=model)) == {
            "action": "AssignPermissions",
            "rule": "grant",
            "step": "plan:CopyPermissions",
            "resource": "user/olga",
        }


def test_taking_ownership_is_a_right_of_its_own(write: WriteFolder) -> None:
    """Whoever may tag users may not set the owner's tag by that."""
    tagging = 'permit (principal, action == Action::"iam:TagUser", resource);'
    authorizer = FileAuthorizer(write(CALLS, tagging))
    take = TagUser(**who(), tags={tags.OWNER: "people-team"})
    mark = TagUser(**who(), tags={"team": "people-team"})
    authorizer.may_have(PEOPLE, proposal(mark, before=record()))
    assert denied_step(authorizer, proposal(take, before=record(owner="")))["step"] == "plan:TakeOwnership"


def test_the_owner_of_a_policy_is_known_when_it_is_changed(write: WriteFolder) -> None:
    """One that is made is the caller's team's; one that is deleted bears its owner in its tags."""
    owned = "when { resource has owner && principal in resource.owner };"
    both = '[Action::"iam:CreatePolicy", Action::"iam:DeletePolicy"]'
    authorizer = FileAuthorizer(write(CALLS, f"permit (principal, action in {both}, resource) {owned}"))
    arn = policy_arn("x/P")
    making = CreatePolicy(
        policy_arn=arn, round=1, policy_name="P", path="/x/", text="", document="{}", tags={tags.OWNER: PEOPLE.team}
    )
    authorizer.may_have(PEOPLE, proposal(making))
    plan = Plan(ACCOUNT, Target(TargetKind.POLICY, arn), steps=(DeletePolicy(policy_arn=arn, round=1),))
    authorizer.may_have(PEOPLE, Proposal("AssignPermissions", plan, target_tags={tags.OWNER: PEOPLE.team}))
    assert denied_step(authorizer, Proposal("AssignPermissions", plan, target_tags={tags.OWNER: CI.team}))


def test_guard_rails_hold_whatever_policies_allow(write: WriteFolder) -> None:
    """They are judged for the caller's team in the plan's account; another team's do not matter."""
    callers = CALLERS.replace(
        '{"*": unguarded}', f'{{"*": unguarded, "{ACCOUNT}": {{allowed_groups: [Developers]}}}}', 1
    )
    authorizer = FileAuthorizer(write(PERMIT, callers=callers))
    add = AddUserToGroup(**who(), group_name="Admins", group_arn=group_arn("Admins"))
    assert denied_step(authorizer, proposal(add, before=record())) == {
        "action": "AssignPermissions",
        "rule": "guard-rail:allowed-groups",
        "step": "iam:AddUserToGroup",
        "resource": group_arn("Admins"),
    }
    authorizer.may_have(CI, proposal(add, before=record()))
    elsewhere = Proposal("AssignPermissions", Plan(OTHER_ACCOUNT, user("ana"), steps=(add,)), record())
    authorizer.may_have(PEOPLE, elsewhere)


def test_a_refusal_does_not_tell_the_rules(write: WriteFolder) -> None:
    """A missing policy, a forbidding one and a missing account are told apart by nothing."""
    forbid = 'forbid (principal in Team::"ci-platform", action == Action::"GetUser", resource);'
    authorizer = FileAuthorizer(write('permit (principal, action == Action::"GetUser", resource);', forbid))
    told = [
        refusal(partial(authorizer.may_ask, caller, action, account, None))
        for caller, action, account in (
            (CI, "GetUser", ACCOUNT),
            (CI, "GetUser", OTHER_ACCOUNT),
            (CI, "DeleteUser", ACCOUNT),
        )
    ]
    assert {error.message.replace("DeleteUser", "GetUser") for error in told} == {
        "the caller is not allowed to call GetUser here"
    }
    assert [dict(error.metadata) for error in told[:2]] == [{"action": "GetUser", "rule": "rpc"}] * 2
    words = ("p0", "p1", "ci-platform", "forbid", "cedar", ACCOUNT)
    assert not [word for word in words for error in told if word in f"{error} {error.metadata}"]


def names(kind: type[Step]) -> list[str]:
    """List the fields of a kind of step."""
    return [field.name for field in fields(kind)]


def every_kind_of_step() -> list[Step]:
    """Build one step of each kind, from the types of its fields."""
    texts: dict[str, Any] = {
        "round": 1,
        "tags": {"a": "b"},
        "tag_keys": ("a",),
        "reset_required": True,
        "generated": True,
    }
    arns = {
        "user_arn": f"arn:aws:iam::{ACCOUNT}:user/a/ana",
        "group_arn": group_arn("g"),
        "policy_arn": policy_arn("p"),
        "boundary_arn": policy_arn("b"),
        "path": "/a/",
    }
    return [
        kind(**{name: {**texts, **arns}.get(name, "x") for name in names(kind)}) for kind in STEPS_BY_ACTION.values()
    ]


@pytest.mark.parametrize("step", every_kind_of_step(), ids=lambda step: step.iam_action)
def test_every_question_fits_the_schema(step: Step) -> None:
    """What is asked and told to Cedar is what policies were checked against: else they could fail when evaluated."""
    questions = about_plan(PEOPLE, proposal(step, before=record(boundary=policy_arn("b")), copied=record("olga")))
    entities = action_entities().with_added_json_str(json.dumps(questions.entities), schema())
    policies = cedarpy.PolicySet.from_str(PERMIT)
    for request in questions.requests():
        answer = cedarpy.is_authorized(request, policies, entities, schema=schema())
        assert (answer.allowed, answer.diagnostics.errors) == (True, [])


def test_every_rpc_question_fits_the_schema() -> None:
    """The same for the RPCs, with a target and without."""
    for target in (None, user("ana")):
        questions = about_rpc(PEOPLE, "GetUser", ACCOUNT, target)
        entities = action_entities().with_added_json_str(json.dumps(questions.entities), schema())
        (request,) = questions.requests()
        answer = cedarpy.is_authorized(request, cedarpy.PolicySet.from_str(PERMIT), entities, schema=schema())
        assert (answer.allowed, answer.diagnostics.errors) == (True, [])


def test_decisions_are_not_logged_here(write: WriteFolder) -> None:
    """Each denial has its audit record and its request's line; authorization itself writes none."""
    authorizer = FileAuthorizer(write())
    with capture_logs() as logs:
        refusal(lambda: authorizer.may_ask(PEOPLE, "GetUser", ACCOUNT, None))
    assert logs == []


def test_the_trust_domains_are_those_of_the_callers(write: WriteFolder) -> None:
    """Authentication takes ids of the callers' trust domain, and none that a server without TLS has."""
    callers = f'{CALLERS.rstrip()}\n  "spiffe://insecure.local/caller": people-team\n'
    assert FileAuthorizer(write(callers=callers)).trust_domains() == {"example.org"}
