"""Plans: what the wizard would do, with every problem at once."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity_service.domain.entities import (
    AccessKeyRecord,
    AccountSummary,
    AttachedPolicyRecord,
    GroupRecord,
    LoginProfileRecord,
    MfaDeviceRecord,
    PolicyRecord,
    UserRecord,
    UserSnapshot,
)
from identity_service.domain.errors import Reason
from identity_service.domain.facts import GroupFact, PolicyFact, UserFacts
from identity_service.domain.passwords import DEFAULT_POLICY, PasswordPolicy
from identity_service.domain.plan import Plan, WarningKind
from identity_service.domain.planning.deletion import plan_deletion
from identity_service.domain.planning.user_change import plan_change
from identity_service.domain.request import (
    ConsolePassword,
    Credentials,
    InlinePolicy,
    NewPolicy,
    NewUser,
    Permissions,
    UserChange,
)
from identity_service.domain.secret import Secret
from identity_service.domain.steps import AttachUserPolicy, CreateUser, Step
from identity_service.domain.undo import inverse

ACCOUNT = "123456789012"
NOW = datetime(2026, 1, 2, tzinfo=UTC)
READ_BUCKET = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}],
    }
)
SUMMARY = AccountSummary({"Users": 3, "UsersQuota": 5000})


def group(name: str) -> GroupRecord:
    """Make a group of the account."""
    return GroupRecord(name, f"arn:aws:iam::{ACCOUNT}:group/{name}")


def policy(name: str, attachable: bool = True) -> PolicyRecord:
    """Make a customer managed policy."""
    return PolicyRecord(name, f"arn:aws:iam::{ACCOUNT}:policy/{name}", attachable, "v1")


def snapshot(path: str = "/", **parts: object) -> UserSnapshot:
    """Make a user who is there."""
    user = UserRecord("ana", "AIDA1", f"arn:aws:iam::{ACCOUNT}:user{path}ana", path, NOW)
    return replace(UserSnapshot(user), **parts)  # type: ignore[arg-type]  # the parts are a snapshot's


def facts(
    *,
    there: UserSnapshot | None = None,
    groups: tuple[str, ...] = (),
    policies: tuple[str, ...] = (),
    password_policy: PasswordPolicy = DEFAULT_POLICY,
    boundary_document: str | None = None,
    summary: AccountSummary = SUMMARY,
) -> UserFacts:
    """Make the facts of an account with these groups and policies; any other name stands for nothing."""
    return UserFacts(
        account_id=ACCOUNT,
        partition="aws",
        summary=summary,
        password_policy=password_policy,
        alias="",
        snapshot=there,
        groups=_Known({name: GroupFact(group(name)) for name in groups}, GroupFact(None)),
        policies=_Known({name: PolicyFact(policy(name)) for name in policies}, PolicyFact(None)),
        boundary_document=boundary_document,
    )


class _Known(dict):  # type: ignore[type-arg]  # one helper for both kinds of facts
    def __init__(self, known: dict[str, object], otherwise: object) -> None:
        super().__init__(known)
        self._otherwise = otherwise

    def __missing__(self, key: str) -> object:
        return self._otherwise


def plan(change: UserChange, known: UserFacts) -> Plan:
    """Plan with a fixed row id and team."""
    return plan_change(change, known, row_id="row-1", team="people-team")


def new(**parts: object) -> UserChange:
    """Ask for a new user ana."""
    return UserChange("ana", **{"new_user": NewUser(), **parts})  # type: ignore[arg-type]  # the parts are a change's


def actions(steps: tuple[Step, ...]) -> list[tuple[int, str]]:
    """Show the steps as rounds and actions."""
    return [(step.round, step.iam_action) for step in steps]


def test_the_wizard_makes_user_then_permissions_then_credentials() -> None:
    """Three rounds: the user in one call, all grants, credentials last."""
    change = new(
        credentials=Credentials(access_key=True, console_password=ConsolePassword()),
        permissions=Permissions(("Developers",), ("Deploy",), (InlinePolicy("read", READ_BUCKET),), "Boundary"),
    )
    made = plan(change, facts(groups=("Developers",), policies=("Deploy", "Boundary")))
    assert made.problems == ()
    assert sorted(actions(made.steps)) == [
        (1, "iam:CreateUser"),
        (2, "iam:AddUserToGroup"),
        (2, "iam:AttachUserPolicy"),
        (2, "iam:PutUserPolicy"),
        (3, "iam:CreateAccessKey"),
        (3, "iam:CreateLoginProfile"),
    ]
    create = made.steps[0]
    assert isinstance(create, CreateUser)
    assert create.boundary_arn == policy("Boundary").arn
    assert create.tags == {"identity-provisioning:row": "row-1", "identity-provisioning:owner": "people-team"}


def test_a_boundary_on_a_user_who_is_there_comes_before_any_grant() -> None:
    """No permission is given before the boundary that limits it."""
    change = UserChange("ana", permissions=Permissions(managed_policies=("Deploy",), boundary="Boundary"))
    made = plan(change, facts(there=snapshot(), policies=("Deploy", "Boundary")))
    assert actions(made.steps) == [(1, "iam:PutUserPermissionsBoundary"), (2, "iam:AttachUserPolicy")]


def test_every_problem_is_named_at_once() -> None:
    """A request with eight mistakes hears of all eight, each with its field."""
    change = new(
        new_user=NewUser(tags=(("identity-provisioning:owner", "me"), ("a", "1"), ("A", "2"))),
        credentials=Credentials(console_password=ConsolePassword(custom=Secret("short"))),
        permissions=Permissions(("Nobody",), ("Nothing",), (InlinePolicy("bad", "{"),), "NoBoundary"),
    )
    made = plan(change, facts(there=snapshot()))
    assert {(problem.reason, problem.field) for problem in made.problems} >= {
        (Reason.USER_ALREADY_EXISTS, "user_name"),
        (Reason.INVALID_FIELD, "tags[0].key"),
        (Reason.INVALID_FIELD, "tags[1].key"),
        (Reason.INVALID_FIELD, "tags[2].key"),
        (Reason.PASSWORD_POLICY_VIOLATION, "credentials.console_password.custom_password"),
        (Reason.GROUP_NOT_FOUND, "permissions.group_names[0]"),
        (Reason.POLICY_NOT_FOUND, "permissions.managed_policies[0]"),
        (Reason.MALFORMED_POLICY_DOCUMENT, "permissions.inline_policies[0].document"),
        (Reason.POLICY_NOT_FOUND, "permissions_boundary"),
    }


def test_a_malformed_document_is_told_with_its_policy_and_statement() -> None:
    """Of many policies in one request, the person hears which one is meant, and where in it."""
    text = '{"Version": "2012-10-17", "Statement": [{"Action": "s3:GetObject", "Resource": "*"}]}'
    made = plan(new(permissions=Permissions(inline_policies=(InlinePolicy("reading", text),))), facts())
    (problem,) = made.problems
    assert problem.message == "inline policy reading: statement 1 of the document needs an Effect, Allow or Deny"


def test_a_name_that_account_and_aws_both_have_is_refused() -> None:
    """A policy name that could mean two policies is not guessed at."""
    known = facts()
    known.policies["Both"] = PolicyFact(policy("Both"), ambiguous=True)  # type: ignore[index]  # facts of a test
    made = plan(new(permissions=Permissions(managed_policies=("Both",))), known)
    assert [problem.reason for problem in made.problems] == [Reason.POLICY_AMBIGUOUS]


def test_a_policy_that_is_not_attachable_is_refused() -> None:
    """A policy that IAM attaches to nobody stops the plan."""
    known = facts()
    known.policies["Internal"] = PolicyFact(policy("Internal", attachable=False))  # type: ignore[index]  # as above
    made = plan(new(permissions=Permissions(managed_policies=("Internal",))), known)
    assert [problem.reason for problem in made.problems] == [Reason.POLICY_NOT_ATTACHABLE]


def test_the_size_of_each_new_policy_is_told_by_its_name() -> None:
    """Of two policies that are made, a reviewer sees which one is how long, and which one is too long."""
    short, long = (READ_BUCKET.replace(":::b/", f":::{'b' * size}/") for size in (1, 7000))
    made = plan(
        new(permissions=Permissions(new_policies=(NewPolicy("Short", short), NewPolicy("Long", long)))), facts()
    )
    sizes = [use for use in made.quota_uses if use.quota_name == "PolicySizeQuota"]
    assert [use.subject for use in sizes] == ["Short", "Long"]
    (problem,) = made.problems
    assert problem.message.startswith("PolicySizeQuota of Long: 0 used, ")


@pytest.mark.parametrize(
    ("tags", "words"),
    [((), " with this service's own tags"), ((("a", "1"),), " with 1 tag and this service's own tags")],
)
def test_the_tags_that_are_counted_are_those_that_were_asked_for(tags: tuple[tuple[str, str], ...], words: str) -> None:
    """The row's tag is random and not shown, so it is not counted beside those that are."""
    made = plan(new(new_user=NewUser(tags=tags)), facts())
    assert made.steps[0].description.endswith(words)


@pytest.mark.parametrize(("count", "fits"), [(10, True), (11, False)])
def test_the_eleventh_group_is_one_too_many(count: int, fits: bool) -> None:
    """A user is in ten groups at most."""
    names = tuple(f"Group{number}" for number in range(count))
    made = plan(new(permissions=Permissions(group_names=names)), facts(groups=names))
    assert [problem.reason for problem in made.problems] == ([] if fits else [Reason.QUOTA_EXCEEDED])


@pytest.mark.parametrize(("count", "fits"), [(9, True), (10, False)])
def test_the_reset_policy_takes_one_of_the_ten_slots(count: int, fits: bool) -> None:
    """IAMUserChangePassword counts: with ten other policies it is the eleventh."""
    names = tuple(f"Policy{number}" for number in range(count))
    change = new(
        credentials=Credentials(console_password=ConsolePassword(require_reset=True)),
        permissions=Permissions(managed_policies=names),
    )
    made = plan(change, facts(policies=names))
    quotas = [problem.quota.quota_name for problem in made.problems if problem.quota]
    assert quotas == ([] if fits else ["AttachedPoliciesPerUserQuota"])


def test_a_reset_needs_no_policy_where_the_account_lets_users_change_passwords() -> None:
    """IAMUserChangePassword is attached only where it is needed."""
    change = new(credentials=Credentials(console_password=ConsolePassword(require_reset=True)))
    allowing = plan(change, facts(password_policy=PasswordPolicy(allow_users_to_change=True)))
    assert actions(allowing.steps) == [(1, "iam:CreateUser"), (2, "iam:CreateLoginProfile")]
    default = plan(change, facts())
    attach = default.steps[1]
    assert isinstance(attach, AttachUserPolicy)
    assert attach.policy_arn == "arn:aws:iam::aws:policy/IAMUserChangePassword"


def test_a_reset_policy_that_is_there_is_not_attached_again() -> None:
    """A user who has IAMUserChangePassword, or for whom it is asked by name, gets it once."""
    arn = "arn:aws:iam::aws:policy/IAMUserChangePassword"
    there = snapshot(attached_policies=(AttachedPolicyRecord("IAMUserChangePassword", arn),))
    change = UserChange("ana", credentials=Credentials(console_password=ConsolePassword(require_reset=True)))
    assert actions(plan(change, facts(there=there)).steps) == [(1, "iam:CreateLoginProfile")]


def test_a_boundary_that_forbids_the_reset_is_warned_of() -> None:
    """A forced reset that the boundary does not allow would lock the user out at the first sign-in."""
    change = new(
        credentials=Credentials(console_password=ConsolePassword(require_reset=True)),
        permissions=Permissions(boundary="Boundary"),
    )
    kinds = [
        warning.kind for warning in plan(change, facts(policies=("Boundary",), boundary_document=READ_BUCKET)).warnings
    ]
    assert WarningKind.RESET_DEADLOCK in kinds


def test_inline_policies_share_two_thousand_and_forty_eight_characters() -> None:
    """Inline policies that are there already count, white space does not."""
    held = {"held": READ_BUCKET}
    room = 2048 - len(READ_BUCKET.replace(" ", ""))
    for extra, fits in ((0, True), (1, False)):
        text = padded(room + extra)
        change = UserChange("ana", permissions=Permissions(inline_policies=(InlinePolicy("big", text),)))
        made = plan(change, facts(there=snapshot(inline_policies=held)))
        assert (made.problems == ()) is fits


def padded(length: int) -> str:
    """Write a good document with so many characters, white space aside."""
    empty = json.loads(READ_BUCKET)
    empty["Statement"][0]["Resource"] = "arn:aws:s3:::"
    short = len(json.dumps(empty).replace(" ", ""))
    empty["Statement"][0]["Resource"] += "b" * (length - short)
    return json.dumps(empty, indent=4)


@pytest.mark.parametrize(("held", "fits"), [(1, True), (2, False)])
def test_a_third_access_key_is_one_too_many(held: int, fits: bool) -> None:
    """A user has two access keys at most, inactive ones included."""
    keys = tuple(AccessKeyRecord(f"AKIA{number}", active=False, created_at=NOW) for number in range(held))
    made = plan(UserChange("ana", credentials=Credentials(access_key=True)), facts(there=snapshot(access_keys=keys)))
    assert [problem.reason for problem in made.problems] == ([] if fits else [Reason.QUOTA_EXCEEDED])


def test_a_full_account_takes_no_user() -> None:
    """The account's own quota, read from its summary, is planned for."""
    made = plan(new(), facts(summary=AccountSummary({"Users": 7, "UsersQuota": 7})))
    (problem,) = made.problems
    assert problem.quota is not None
    assert (problem.quota.quota_name, problem.quota.used, problem.quota.limit) == ("UsersQuota", 7, 7)


def test_a_second_console_password_is_refused() -> None:
    """A user has one console password."""
    change = UserChange("ana", credentials=Credentials(console_password=ConsolePassword()))
    made = plan(change, facts(there=snapshot(login_profile=LoginProfileRecord(NOW, reset_required=False))))
    assert [problem.reason for problem in made.problems] == [Reason.PASSWORD_ALREADY_EXISTS]


def test_what_is_so_already_is_left_alone() -> None:
    """Giving what the user has plans nothing and says so."""
    there = snapshot(
        groups=(group("Developers"),),
        attached_policies=(AttachedPolicyRecord("Deploy", policy("Deploy").arn),),
        inline_policies={"read": READ_BUCKET},
    )
    asked = Permissions(
        ("Developers",), ("Deploy",), (InlinePolicy("read", json.dumps(json.loads(READ_BUCKET), indent=2)),)
    )
    made = plan(UserChange("ana", permissions=asked), facts(there=there, groups=("Developers",), policies=("Deploy",)))
    assert made.steps == ()
    assert len(made.satisfied) == 3
    assert made.problems == ()


def test_the_digest_does_not_depend_on_row_ids_or_figures() -> None:
    """Two reviews of the same request give the same digest; another account state that changes the steps does not."""
    change = new(permissions=Permissions(group_names=("Developers",)))
    known = facts(groups=("Developers",))
    first = plan_change(change, known, "row-1", "people-team")
    assert (
        first.digest
        == plan_change(change, replace(known, summary=AccountSummary({"Users": 4})), "row-2", "people-team").digest
    )
    assert first.digest != plan_change(new(), known, "row-1", "people-team").digest
    assert first.digest != plan_change(change, replace(known, account_id="210987654321"), "row-1", "people-team").digest


names = st.lists(st.sampled_from(["A", "B", "C", "D"]), unique=True).map(tuple)
changes = st.builds(
    UserChange,
    user_name=st.just("ana"),
    new_user=st.one_of(st.none(), st.builds(NewUser, path=st.sampled_from(["/", "/people/"]))),
    credentials=st.builds(
        Credentials,
        access_key=st.booleans(),
        console_password=st.one_of(st.none(), st.builds(ConsolePassword, require_reset=st.booleans())),
    ),
    permissions=st.builds(
        Permissions,
        group_names=names,
        managed_policies=names,
        inline_policies=st.lists(
            st.sampled_from([InlinePolicy("x", READ_BUCKET), InlinePolicy("y", READ_BUCKET)]), unique=True
        ).map(tuple),
        boundary=st.sampled_from([None, "A"]),
    ),
)


@given(changes, st.booleans())
def test_every_plan_is_well_formed(change: UserChange, there: bool) -> None:
    """Rounds count from one without gaps, credentials come last, no step is there twice, quotas add up."""
    known = facts(there=snapshot() if there else None, groups=("A", "B", "C", "D"), policies=("A", "B", "C", "D"))
    made = plan(change, known)
    rounds = [step.round for step in made.steps]
    assert rounds == sorted(rounds)
    assert set(rounds) == set(range(1, len(set(rounds)) + 1))
    assert len(set(map(repr, made.steps))) == len(made.steps)
    mints = [step.round for step in made.steps if step.iam_action in ("iam:CreateAccessKey", "iam:CreateLoginProfile")]
    others = [
        step.round for step in made.steps if step.iam_action not in ("iam:CreateAccessKey", "iam:CreateLoginProfile")
    ]
    assert not mints or not others or min(mints) > max(others)
    assert sum(step.iam_action == "iam:CreateUser" for step in made.steps) == (change.new_user is not None)
    for use in made.quota_uses:
        assert 0 <= use.used_before <= use.used_after
    assert bool(made.problems) == ((change.new_user is not None) == there)


@given(changes)
def test_every_step_but_a_key_has_an_inverse(change: UserChange) -> None:
    """What a plan does can be undone, but for an access key, whose id is not known to the plan."""
    before = None if change.new_user else snapshot()
    made = plan(change, facts(there=before, groups=("A", "B", "C", "D"), policies=("A", "B", "C", "D")))
    for step in made.steps:
        assert (inverse(step, before) is None) is (step.iam_action == "iam:CreateAccessKey")


def test_an_undo_restores_what_was_replaced() -> None:
    """An inline policy and a boundary that were there before are put back as they were."""
    there = snapshot(inline_policies={"read": READ_BUCKET})
    there = replace(there, user=replace(there.user, boundary_arn="arn:old"))
    change = UserChange(
        "ana",
        permissions=Permissions(inline_policies=(InlinePolicy("read", padded(300)),), boundary="Boundary"),
    )
    made = plan(change, facts(there=there, policies=("Boundary",)))
    undone = {step.iam_action: inverse(step, there) for step in made.steps}
    assert undone["iam:PutUserPolicy"].document == READ_BUCKET  # type: ignore[union-attr]  # an inverse of its kind
    assert undone["iam:PutUserPermissionsBoundary"].boundary_arn == "arn:old"  # type: ignore[union-attr]  # as above


def test_a_teardown_follows_the_order_that_iam_demands() -> None:
    """Everything on a user is taken off in IAM's order, the user last."""
    there = snapshot(
        login_profile=LoginProfileRecord(NOW, reset_required=False),
        access_keys=(AccessKeyRecord("AKIA1", True, NOW), AccessKeyRecord("AKIA2", False, NOW)),
        groups=(group("Developers"),),
        attached_policies=(AttachedPolicyRecord("Deploy", policy("Deploy").arn),),
        inline_policies={"read": READ_BUCKET},
        mfa_devices=(
            MfaDeviceRecord(f"arn:aws:iam::{ACCOUNT}:mfa/ana", NOW),
            MfaDeviceRecord("GAHT12345678", NOW),
        ),
        signing_certificate_ids=("CERT",),
        ssh_public_key_ids=("APKA",),
        service_specific_credential_ids=("ACCA",),
    )
    assert [step.iam_action for step in plan_deletion(ACCOUNT, there).steps] == [
        "iam:DeleteLoginProfile",
        "iam:DeleteAccessKey",
        "iam:DeleteAccessKey",
        "iam:DeleteSigningCertificate",
        "iam:DeleteSSHPublicKey",
        "iam:DeleteServiceSpecificCredential",
        "iam:DeactivateMFADevice",
        "iam:DeactivateMFADevice",
        "iam:DeleteVirtualMFADevice",
        "iam:DeleteUserPolicy",
        "iam:DetachUserPolicy",
        "iam:RemoveUserFromGroup",
        "iam:DeleteUser",
    ]
